// Pippenger's method over sorted buckets. An entry is a key of 64 bits: the bucket above, the point's index and the
// digit's sign below; keys are sorted, so that a bucket is a run of entries, and runs are cut into chunks of equal
// length, whatever the digits: a thread sums a chunk, and sums of chunks are summed in the same way.

typedef Element<Scalar> Value;

#define NO_BUCKET (~(u64)0)

// The `bits` bits from `start` on, bits <= 32.
DEVICE i64 field_at(const Value &x, i64 start, i64 bits) {
    u64 two = 0;
    UNROLL for (int j = 7; j >= 0; j--)
        if (j == start >> 5) two = x.word[j] | (j < 7 ? (u64)x.word[j < 7 ? j + 1 : 7] << 32 : 0);
    return (i64)(two >> (start & 31) & (((u64)1 << bits) - 1));
}

// The keys of one scalar, in every window: digit = (scalar + shift) - shift, field by field.
DEVICE void write_keys(Value scalar, const Value &shift, i64 bits, i64 windows, i64 row, i64 table_stride, i64 k,
                       i64 count, u64 *keys) {
    add_words(scalar.word, shift.word);
    for (i64 w = 0; w < windows; w++) {
        i64 digit = field_at(scalar, w * bits, bits) - field_at(shift, w * bits, bits);
        u64 sign = digit < 0, size = sign ? -digit : digit;
        u64 bucket = size - 1 + (table_stride ? 0 : (u64)w << (bits - 1));
        keys[w * count + k] = size ? bucket << 32 | (u64)(row + w * table_stride) << 1 | sign : NO_BUCKET;
    }
}

// Scalars in Montgomery form; rows: the indices of those that count, or none where all
// do; `count` of them are taken from the first on. table_stride: 0, or the points of each window
// have a table of their own so far apart, and all windows share one set of buckets.
KERNEL(keys_of_values, const u32 *scalars, const i64 *rows, i64 first, i64 count, ELEMENT(shift), i64 bits, i64 windows,
       i64 table_stride, u64 *keys) {
    PHASE {
        i64 k = thread_index();
        if (k < count) {
            i64 row = rows ? rows[first + k] : first + k;
            Value scalar = from_montgomery(load<Scalar>(scalars, row));
            write_keys(scalar, ARGUMENT(Scalar, shift), bits, windows, row, table_stride, k, count, keys);
        }
    }
}

// Integers of `width` bytes, in two's complement where they are signed.
KERNEL(keys_of_integers, const unsigned char *integers, i64 width, i64 is_signed, const i64 *rows, i64 first, i64 count,
       ELEMENT(shift), i64 bits, i64 windows, u64 *keys) {
    PHASE {
        i64 k = thread_index();
        if (k < count) {
            i64 row = rows ? rows[first + k] : first + k;
            const unsigned char *place = integers + width * row;
            bool negated = is_signed && place[width - 1] >> 7;
            u64 integer = negated && width < 8 ? ~(u64)0 << 8 * width : 0;
            for (i64 b = 0; b < width; b++) integer |= (u64)place[b] << 8 * b;
            Value scalar;
            UNROLL for (int j = 2; j < 8; j++) scalar.word[j] = negated ? 0xffffffff : 0;
            scalar.word[0] = (u32)integer, scalar.word[1] = (u32)(integer >> 32);
            write_keys(scalar, ARGUMENT(Scalar, shift), bits, windows, row, 0, k, count, keys);
        }
    }
}

// mask[i] = whether scalars[i] is not zero.
KERNEL(mark_nonzero, const u32 *scalars, unsigned char *mask, i64 n) {
    PHASE {
        i64 i = thread_index();
        if (i < n) mask[i] = !is_zero(load<Scalar>(scalars, i));
    }
}

// edges[b] = the number of keys in buckets below b, for b <= buckets.
KERNEL(bucket_edges, const u64 *keys, i64 count, i64 *edges, i64 buckets) {
    PHASE {
        i64 b = thread_index();
        if (b <= buckets) {
            i64 low = 0, high = count;
            while (low < high) {
                i64 middle = (low + high) / 2;
                if (keys[middle] >> 32 < (u64)b) low = middle + 1;
                else high = middle;
            }
            edges[b] = low;
        }
    }
}

// counts[b] = the chunks of run b: its length over `length`, rounded up.
KERNEL(count_chunks, const i64 *edges, i64 length, i64 *counts, i64 runs) {
    PHASE {
        i64 b = thread_index();
        if (b < runs) counts[b] = (edges[b + 1] - edges[b] + length - 1) / length;
    }
}

struct Chunk {
    i64 start, stop;
};

// Chunk c of all, where the chunks of run b are offsets[b] to offsets[b + 1] - 1.
DEVICE Chunk find_chunk(const i64 *edges, const i64 *offsets, i64 runs, i64 length, i64 c) {
    i64 low = 0, high = runs;  // offsets[low] <= c < offsets[high]
    while (high - low > 1) {
        i64 middle = (low + high) / 2;
        if (offsets[middle] <= c) low = middle;
        else high = middle;
    }
    i64 start = edges[low] + (c - offsets[low]) * length, stop = start + length;
    return {start, stop < edges[low + 1] ? stop : edges[low + 1]};
}

// sums[c] = the sum of chunk c's entries, c < offsets[runs].
KERNEL(sum_entries, const u32 *points, const u64 *keys, const i64 *edges, const i64 *offsets, i64 runs, i64 length,
       u32 *sums) {
    PHASE {
        i64 c = thread_index();
        if (c < offsets[runs]) {
            Chunk chunk = find_chunk(edges, offsets, runs, length, c);
            Extended sum = infinity();
            KEEP_LOOP for (i64 i = chunk.start; i < chunk.stop; i++) {
                u32 entry = (u32)keys[i];
                Affine p = load_affine(points, entry >> 1);
                sum = add(sum, entry & 1 ? negative(p) : p);
            }
            store_extended(sums, c, sum);
        }
    }
}

DEVICE Extended sum_of(const u32 *points, i64 start, i64 stop) {
    Extended sum = infinity();
    KEEP_LOOP for (i64 i = start; i < stop; i++) sum = add(sum, load_extended(points, i));
    return sum;
}

// sums[c] = the sum of chunk c's extended points, c < offsets[runs].
KERNEL(sum_points, const u32 *points, const i64 *edges, const i64 *offsets, i64 runs, i64 length, u32 *sums) {
    PHASE {
        i64 c = thread_index();
        if (c < offsets[runs]) {
            Chunk chunk = find_chunk(edges, offsets, runs, length, c);
            store_extended(sums, c, sum_of(points, chunk.start, chunk.stop));
        }
    }
}

// The same where every run has `each` points and so `chunks` chunks.
KERNEL(sum_equal_runs, const u32 *points, i64 runs, i64 each, i64 length, i64 chunks, u32 *sums) {
    PHASE {
        i64 c = thread_index();
        if (c < runs * chunks) {
            i64 run = c / chunks, start = run * each + (c - run * chunks) * length, end = (run + 1) * each;
            store_extended(sums, c, sum_of(points, start, start + length < end ? start + length : end));
        }
    }
}

// sums[t] = sum of (b + 1) B_b over the 2^log_share buckets b of share t, within windows of 2^log_half buckets. Bucket
// b has its sum at edges[b], or none where edges[b] = edges[b + 1].
KERNEL(weigh_buckets, const u32 *points, const i64 *edges, i64 log_half, i64 log_share, u32 *sums, i64 shares) {
    PHASE {
        i64 t = thread_index();
        if (t < shares) {
            i64 first = t << log_share, below = first & (((i64)1 << log_half) - 1);
            Extended running = infinity(), weighted = infinity();
            KEEP_LOOP for (i64 b = first + ((i64)1 << log_share) - 1; b >= first; b--) {
                if (edges[b] < edges[b + 1]) running = add(running, load_extended(points, edges[b]));
                weighted = add(weighted, running);
            }
            KEEP_LOOP for (; below; below >>= 1) {  // below buckets of the window come before
                if (below & 1) weighted = add(weighted, running);
                running = doubled(running);
            }
            store_extended(sums, t, weighted);
        }
    }
}
