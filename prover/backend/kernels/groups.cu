// Kernels over points one by one: their form, the curve, multiples, and the transform of the Lagrange basis.

#define WINDOW_BITS 4
#define FIXED_BITS 8
#define FIXED_HALF (1 << (FIXED_BITS - 1))

typedef Element<Scalar> Value;

KERNEL(encode_coordinates, const u32 *integers, u32 *out, i64 n) {
    PHASE {
        i64 i = thread_index();
        if (i < n) store(out, i, to_montgomery(load<Base>(integers, i)));
    }
}

KERNEL(decode_coordinates, const u32 *coordinates, u32 *out, i64 n) {
    PHASE {
        i64 i = thread_index();
        if (i < n) store(out, i, from_montgomery(load<Base>(coordinates, i)));
    }
}

// flag[0] = 1 unless each point is infinity or has y^2 = x^3 + 3.
KERNEL(check_curve, const u32 *points, u32 *flag, i64 n) {
    PHASE {
        i64 i = thread_index();
        if (i < n) {
            Affine p = load_affine(points, i);
            Coordinate unit = one<Base>(), rest = p.x * p.x * p.x + unit + unit + unit - p.y * p.y;
            if (!is_zero(rest) && !is_infinity(p)) flag[0] = 1;
        }
    }
}

// Affine points of extended ones: a thread inverts the product of every thread_count()-th ZZZ; 1/ZZ = (ZZ / ZZZ)^2.
KERNEL(normalize, const u32 *points, u32 *out, i64 n) {
    PHASE {
        i64 first = thread_index(), step = thread_count(), last = first;
        Coordinate product = one<Base>();
        KEEP_LOOP for (i64 i = first; i < n; i += step) {  // out[i].y: the product of all before
            store(out, 2 * i + 1, product);
            Coordinate z = load<Base>(points, 4 * i + 3);
            if (!is_zero(z)) product = product * z;
            last = i;
        }
        product = inverse(product);
        if (first < n) {
            KEEP_LOOP for (i64 i = last; i >= first; i -= step) {  // product: the inverse of all up to i
                Extended p = load_extended(points, i);
                Coordinate z = load<Base>(out, 2 * i + 1) * product, ratio = p.zz * z;
                if (is_infinity(p)) {
                    store_affine(out, i, {zero<Base>(), zero<Base>()});
                } else {
                    store_affine(out, i, {p.x * (ratio * ratio), p.y * z});
                    product = product * p.zzz;
                }
            }
        }
    }
}

// scalar times p, by windows of four bits.
CALLED Extended multiple(const Affine &p, const Value &form) {
    Value scalar = from_montgomery(form);
    Extended table[1 << WINDOW_BITS];
    table[0] = infinity();
    KEEP_LOOP for (int i = 1; i < 1 << WINDOW_BITS; i++) table[i] = add(table[i - 1], p);
    Extended sum = infinity();
    KEEP_LOOP for (int k = 63; k >= 0; k--) {
        u32 word = 0;
        UNROLL for (int j = 0; j < 8; j++) word = j == k >> 3 ? scalar.word[j] : word;
        KEEP_LOOP for (int j = 0; j < WINDOW_BITS; j++) sum = doubled(sum);
        sum = add(sum, table[word >> WINDOW_BITS * (k & 7) & ((1 << WINDOW_BITS) - 1)]);
    }
    return sum;
}

// out[i] = scalars[i mod count] points[i], extended.
KERNEL(multiply_points, const u32 *points, const u32 *scalars, i64 count, u32 *out, i64 n) {
    PHASE {
        i64 i = thread_index();
        if (i < n) store_extended(out, i, multiple(load_affine(points, i), load<Scalar>(scalars, i % count)));
    }
}

// out[i] = 2^bits points[i], extended.
KERNEL(double_points, const u32 *points, i64 bits, u32 *out, i64 n) {
    PHASE {
        i64 i = thread_index();
        if (i < n) {
            Extended p = extended(load_affine(points, i));
            KEEP_LOOP for (i64 k = 0; k < bits; k++) p = doubled(p);
            store_extended(out, i, p);
        }
    }
}

// out[i] = scalars[i] G, extended; table[128 w + d - 1] = 2^(8 w) d G, shift = sum of 128 * 2^(8 w): the digits of a
// scalar are those of scalar + shift, less 128.
KERNEL(multiply_generator, const u32 *table, const u32 *scalars, ELEMENT(shift), u32 *out, i64 n) {
    PHASE {
        i64 i = thread_index();
        if (i < n) {
            Value scalar = from_montgomery(load<Scalar>(scalars, i)), shift = ARGUMENT(Scalar, shift);
            add_words(scalar.word, shift.word);
            Extended sum = infinity();
            KEEP_LOOP for (int k = 0; k < 256 / FIXED_BITS; k++) {
                u32 word = 0;
                UNROLL for (int j = 0; j < 8; j++) word = j == k >> 2 ? scalar.word[j] : word;
                int digit = (int)(word >> FIXED_BITS * (k & 3) & 0xff) - FIXED_HALF;
                if (digit) {
                    Affine p = load_affine(table, k * FIXED_HALF + (digit < 0 ? -digit : digit) - 1);
                    sum = add(sum, digit < 0 ? negative(p) : p);
                }
            }
            store_extended(out, i, sum);
        }
    }
}

// out[i] = points[i with its `bits` bits reversed].
KERNEL(reverse_points, const u32 *points, i64 bits, u32 *out) {
    PHASE {
        i64 i = thread_index(), source = 0;
        if (i >> bits == 0) {
            for (i64 k = 0; k < bits; k++) source |= (i >> k & 1) << (bits - 1 - k);
            store_affine(out, i, load_affine(points, source));
        }
    }
}

// One level: blocks (a, b) of 2^log_half points each become (a + t b, a - t b), t[j] the twiddle of place j; extended.
KERNEL(point_butterflies, const u32 *points, const u32 *twiddles, i64 log_half, u32 *out, i64 pairs) {
    PHASE {
        i64 i = thread_index(), half = (i64)1 << log_half;
        if (i < pairs) {
            i64 j = i & (half - 1), upper = (i >> log_half << (log_half + 1)) + j;
            Extended a = extended(load_affine(points, upper)), b = extended(load_affine(points, upper + half));
            if (j) b = multiple(load_affine(points, upper + half), load<Scalar>(twiddles, j));
            store_extended(out, upper, add(a, b));
            b.y = negative(b.y);
            store_extended(out, upper + half, add(a, b));
        }
    }
}
