// Elementwise kernels over columns of F_r.

typedef Element<Scalar> Value;

// out[i] = form(integers[i]), integers of `width` bytes, in two's complement where they are signed.
KERNEL(encode_integers, const unsigned char *integers, i64 width, i64 is_signed, u32 *out, i64 n) {
    PHASE {
        i64 i = thread_index();
        if (i < n) {
            const unsigned char *place = integers + width * i;
            u64 integer = 0;
            for (i64 k = 0; k < width; k++) integer |= (u64)place[k] << 8 * k;
            bool negated = is_signed && place[width - 1] >> 7;
            if (negated) integer = (width < 8 ? (u64)1 << 8 * width : 0) - integer;
            Value x = zero<Scalar>();
            x.word[0] = (u32)integer, x.word[1] = (u32)(integer >> 32);
            x = to_montgomery(x);
            store(out, i, negated ? negative(x) : x);
        }
    }
}

// out[i] = form(integers[i]), integers of eight words.
KERNEL(encode_words, const u32 *integers, u32 *out, i64 n) {
    PHASE {
        i64 i = thread_index();
        if (i < n) store(out, i, to_montgomery(load<Scalar>(integers, i)));
    }
}

KERNEL(decode_words, const u32 *values, u32 *out, i64 n) {
    PHASE {
        i64 i = thread_index();
        if (i < n) store(out, i, from_montgomery(load<Scalar>(values, i)));
    }
}

KERNEL(multiply, const u32 *a, const u32 *b, u32 *out, i64 n) {
    PHASE {
        i64 i = thread_index();
        if (i < n) store(out, i, load<Scalar>(a, i) * load<Scalar>(b, i));
    }
}

// out[i] = sum_k scalars[k] vectors[k][i], a vector being zero from lengths[k] on.
KERNEL(combine, const u64 *vectors, const i64 *lengths, const u32 *scalars, i64 count, u32 *out, i64 n) {
    PHASE {
        i64 i = thread_index();
        if (i < n) {
            Value sum = zero<Scalar>();
            KEEP_LOOP for (i64 k = 0; k < count; k++)
                if (i < lengths[k]) sum = sum + load<Scalar>((const u32 *)vectors[k], i) * load<Scalar>(scalars, k);
            store(out, i, sum);
        }
    }
}

// out[i + stride * part] for i in rows of `stride` elements: column `part` of a table, zero from its length on.
KERNEL(interleave, const u64 *parts, const i64 *lengths, i64 count, u32 *out, i64 n) {
    PHASE {
        i64 i = thread_index();
        if (i < count * n) {
            i64 part = i % count, row = i / count;
            store(out, i, row < lengths[part] ? load<Scalar>((const u32 *)parts[part], row) : zero<Scalar>());
        }
    }
}

// out[i] = first base^i; a thread takes every thread_count()-th element.
KERNEL(powers, ELEMENT(base), ELEMENT(first), ELEMENT(leap), u32 *out, i64 n) {
    PHASE {
        i64 i = thread_index(), step = thread_count();
        Value x = ARGUMENT(Scalar, first) * power(ARGUMENT(Scalar, base), (u64)i);
        KEEP_LOOP for (; i < n; i += step) {
            store(out, i, x);
            x = x * ARGUMENT(Scalar, leap);  // base^step
        }
    }
}

// out[i] = 1 / values[i]: a thread inverts the product of every thread_count()-th value. flag[0] = 1 for a zero.
KERNEL(invert, const u32 *values, u32 *out, u32 *flag, i64 n) {
    PHASE {
        i64 first = thread_index(), step = thread_count(), last = first;
        Value product = one<Scalar>();
        KEEP_LOOP for (i64 i = first; i < n; i += step) {  // out[i]: the product of all before
            store(out, i, product);
            product = product * load<Scalar>(values, i);
            last = i;
        }
        if (is_zero(product)) flag[0] = 1;
        product = inverse(product);
        if (first < n) {
            KEEP_LOOP for (i64 i = last; i >= first; i -= step) {  // product: the inverse of all up to i
                Value x = load<Scalar>(values, i);
                store(out, i, load<Scalar>(out, i) * product);
                product = product * x;
            }
        }
    }
}
