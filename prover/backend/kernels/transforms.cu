// The number-theoretic transform over F_r in Stockham's form: natural order in and out, no reordering pass.
//
// A pass takes R = 2^log_r points at a time. With n = R m s, where s is the product of the radices before:
//   out[q + s (R p + k)] = w^(s p k) sum_j in[q + s (p + m j)] w_R^(j k),   p < m, q < s, w of order n.
// A block holds R rows j of consecutive columns q + s p in shared memory, in planes of words with a gap after every 32:
// a warp meets no bank twice where it walks along the columns, nor where it gathers rows in the order of reversed bits.

#define TILE 1024
#define PLANE (TILE + TILE / 32)
#define ORDER_BITS 28
#define TABLE_BITS 14
#define SCALE_BITS 10
#define SCALE_NONE 0
#define SCALE_INPUT 1
#define SCALE_OUTPUT 2

typedef Element<Scalar> Value;

DEVICE Value load_plane(const u32 *tile, u32 i) {
    const u32 *place = tile + i + i / 32;
    Value x;
    UNROLL for (int k = 0; k < 8; k++) x.word[k] = place[k * PLANE];
    return x;
}

DEVICE void store_plane(u32 *tile, u32 i, const Value &x) {
    u32 *place = tile + i + i / 32;
    UNROLL for (int k = 0; k < 8; k++) place[k * PLANE] = x.word[k];
}

// W^e for W of order 2^28: table[i] = W^i and table[2^14 + i] = W^(2^14 i), i < 2^14.
DEVICE Value root_power(const u32 *table, u64 exponent) {
    u32 e = (u32)exponent & ((1u << ORDER_BITS) - 1), low = e & ((1u << TABLE_BITS) - 1);
    Value high = load<Scalar>(table, (1 << TABLE_BITS) + (e >> TABLE_BITS));
    return low ? high * load<Scalar>(table, low) : high;
}

// c t^i: table[i] = t^i for i < 2^10, table[2^10 + i] = c t^(2^10 i).
DEVICE Value scaled(const Value &x, const u32 *table, i64 i) {
    Value factor = load<Scalar>(table, (1 << SCALE_BITS) + (i >> SCALE_BITS));
    if (i & ((1 << SCALE_BITS) - 1)) factor = factor * load<Scalar>(table, i & ((1 << SCALE_BITS) - 1));
    return x * factor;
}

// The 2^log_r-point transforms of all columns of a tile, decimated in frequency: row k's result ends in row rev(k).
DEVICE void butterfly(u32 *tile, const u32 *table, u32 i, u32 log_half, u32 log_columns, u64 direction) {
    u32 column = i & ((1u << log_columns) - 1), pair = i >> log_columns, j = pair & ((1u << log_half) - 1);
    u32 row = ((pair >> log_half) << (log_half + 1)) + j;
    u32 upper = (row << log_columns) + column, lower = upper + (1u << (log_half + log_columns));
    Value a = load_plane(tile, upper), b = load_plane(tile, lower);
    store_plane(tile, upper, a + b);
    a = a - b;
    if (j) a = a * root_power(table, ((u64)j << (ORDER_BITS - 1 - log_half)) * direction);
    store_plane(tile, lower, a);
}

// direction: 1, or -1 for powers of 1/w. count: elements of `in` that are not zero padding. log_columns: of a tile.
KERNEL(transform_pass, const u32 *in, i64 count, u32 *out, i64 log_n, i64 log_r, i64 log_s, i64 log_columns,
       i64 direction, const u32 *roots, const u32 *scales, i64 scaling) {
    SHARED u32 tile[8 * PLANE];
    i64 log_m = log_n - log_r - log_s;
    u32 columns = 1u << log_columns, size = 1u << (log_r + log_columns);
    i64 first = (i64)blockIdx.x << log_columns;  // of the columns q + s p
    PHASE {
        for (u32 i = threadIdx.x; i < size; i += THREADS) {
            i64 source = first + (i & (columns - 1)) + ((i64)(i >> log_columns) << (log_n - log_r));
            Value x = source < count ? load<Scalar>(in, source) : zero<Scalar>();
            if (scaling == SCALE_INPUT && source < count) x = scaled(x, scales, source);
            store_plane(tile, i, x);
        }
    }
    BARRIER;
    for (i64 log_half = log_r - 1; log_half >= 0; log_half--) {
        PHASE {
            for (u32 i = threadIdx.x; i < size / 2; i += THREADS)
                butterfly(tile, roots, i, (u32)log_half, (u32)log_columns, (u64)direction);
        }
        BARRIER;
    }
    PHASE {
        for (u32 i = threadIdx.x; i < size; i += THREADS) {
            // neighbours in the result: along q while s spans the tile, else along k
            u32 column = log_s >= log_columns ? i & (columns - 1) : i >> log_r;
            u32 k = log_s >= log_columns ? i >> log_columns : i & ((1u << log_r) - 1);
            u32 row = log_r ? __brev(k) >> (32 - log_r) : 0;
            Value x = load_plane(tile, (row << log_columns) + column);
            i64 p = (first + column) >> log_s, q = (first + column) & (((i64)1 << log_s) - 1);
            if (log_m) x = x * root_power(roots, ((u64)(p * k) << (ORDER_BITS - log_n + log_s)) * (u64)direction);
            i64 place = q + (((p << log_r) + k) << log_s);
            store(out, place, scaling == SCALE_OUTPUT ? scaled(x, scales, place) : x);
        }
    }
}
