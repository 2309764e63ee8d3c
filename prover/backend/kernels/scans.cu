// s_i = u_i + x s_(i-1) along a vector: prefix sums (x = 1), quotients by X - x and values at x (u from the top).
//
// A tile is TILE elements; tiles are aligned to the end of the vector, so that what is missing is zeros before it.
// Tiles are summed, their sums scanned with x^TILE in the same way, and each tile scanned from its predecessor's.

#define PER_THREAD 4
#define TILE (PER_THREAD * THREADS)

typedef Element<Scalar> Value;

// u_i lies at i, or at count - 1 - i where `reversed`.
DEVICE Value term(const u32 *values, i64 i, i64 n, i64 reversed) {
    if (i < 0) return zero<Scalar>();
    return load<Scalar>(values, reversed ? n - 1 - i : i);
}

// The value at the end of a thread's part, from zero at its start.
DEVICE Value part_sum(const u32 *values, i64 first, i64 n, i64 reversed, const Value &x) {
    Value sum = term(values, first, n, reversed);
    UNROLL for (int k = 1; k < PER_THREAD; k++) sum = sum * x + term(values, first + k, n, reversed);
    return sum;
}

// Hillis and Steele: after the step of distance d, sums[t] covers 2d threads. The factor is x^PER_THREAD.
#define SCAN_PARTS(sums, other, factor)                                                       \
    for (u32 distance = 1; distance < THREADS; distance *= 2) {                               \
        PHASE {                                                                               \
            u32 t = threadIdx.x;                                                              \
            Value sum = load<Scalar>(sums, t);                                                \
            if (t >= distance) sum = sum + load<Scalar>(sums, t - distance) * factor;         \
            store(other, t, sum);                                                             \
        }                                                                                     \
        BARRIER;                                                                              \
        factor = factor * factor;                                                             \
        u32 *swapped = sums;                                                                  \
        sums = other, other = swapped;                                                        \
    }

// totals[b] = the sum of tile b on its own.
KERNEL(tile_totals, const u32 *values, i64 n, i64 reversed, ELEMENT(x), u32 *totals) {
    SHARED u32 first_words[8 * THREADS], second_words[8 * THREADS];
    u32 *sums = first_words, *other = second_words;
    Value point = ARGUMENT(Scalar, x), factor = power(point, PER_THREAD);
    i64 start = (i64)blockIdx.x * TILE - ((i64)gridDim.x * TILE - n);
    PHASE {
        i64 first = start + PER_THREAD * (i64)threadIdx.x;
        store(sums, threadIdx.x, part_sum(values, first, n, reversed, point));
    }
    BARRIER;
    SCAN_PARTS(sums, other, factor)
    PHASE {
        if (threadIdx.x == 0) store(totals, blockIdx.x, load<Scalar>(sums, THREADS - 1));
    }
}

// s_i to out[i + shift], or out[n - 1 - shift - i] where `reversed`, where that is within [0, n - reversed * shift);
// carries[b]: the sum up to the end of tile b.
KERNEL(scan_tiles, const u32 *values, i64 n, i64 reversed, ELEMENT(x), const u32 *carries, i64 shift, u32 *out) {
    SHARED u32 first_words[8 * THREADS], second_words[8 * THREADS];
    u32 *sums = first_words, *other = second_words;
    Value point = ARGUMENT(Scalar, x), factor = power(point, PER_THREAD);
    i64 start = (i64)blockIdx.x * TILE - ((i64)gridDim.x * TILE - n);
    PHASE {
        u32 t = threadIdx.x;
        Value sum = part_sum(values, start + PER_THREAD * (i64)t, n, reversed, point);
        if (t == 0 && blockIdx.x) sum = sum + load<Scalar>(carries, blockIdx.x - 1) * factor;
        store(sums, t, sum);
    }
    BARRIER;
    SCAN_PARTS(sums, other, factor)
    PHASE {
        u32 t = threadIdx.x;
        Value sum = zero<Scalar>();
        if (t) sum = load<Scalar>(sums, t - 1);
        else if (blockIdx.x) sum = load<Scalar>(carries, blockIdx.x - 1);
        KEEP_LOOP for (int k = 0; k < PER_THREAD; k++) {
            i64 i = start + PER_THREAD * (i64)t + k;
            sum = sum * point + term(values, i, n, reversed);
            i64 place = reversed ? n - 1 - shift - i : i + shift;
            if (i >= 0 && place >= 0 && place < n) store(out, place, sum);
        }
    }
}
