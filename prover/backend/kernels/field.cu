// Elements of F_r and F_p in Montgomery form, x * 2^256 mod m, canonical: eight words of 32 bits, lowest first.
// `Scalar` and `Base` (the moduli, as constants) are generated from circuits/field.py by cuda_source.py.

template <class F>
struct Element {
    u32 word[8];
};

// acc += (x0 + x2 2^64 + x4 2^128 + x6 2^192) y, with the carry out added to top.
DEVICE void add_products(u32 *acc, u32 x0, u32 x2, u32 x4, u32 x6, u32 y, u32 &top);

// The same with a carry in; the sum fits in eight words. The carry is used up.
DEVICE void add_products_carried(u32 *acc, u32 x0, u32 x2, u32 x4, u32 x6, u32 y, u32 carry);

// x += y; returns the carry.
DEVICE u32 add_words(u32 *x, const u32 *y);

// x -= y; returns the borrow, all ones or zero.
DEVICE u32 subtract_words(u32 *x, const u32 *y);

#ifdef __CUDACC_RTC__

// Words are written before the last are read (&): no two operands share a register, though they be equal.
#define EIGHT(a) "+&r"(a[0]), "+&r"(a[1]), "+&r"(a[2]), "+&r"(a[3]), "+&r"(a[4]), "+&r"(a[5]), "+&r"(a[6]), "+&r"(a[7])
#define EIGHT_IN(a) "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(a[4]), "r"(a[5]), "r"(a[6]), "r"(a[7])
#define PRODUCTS(first, end)                                                 \
    first " %0, %9, %13, %0;\n\tmadc.hi.cc.u32 %1, %9, %13, %1;\n\t"         \
    "madc.lo.cc.u32 %2, %10, %13, %2;\n\tmadc.hi.cc.u32 %3, %10, %13, %3;\n\t" \
    "madc.lo.cc.u32 %4, %11, %13, %4;\n\tmadc.hi.cc.u32 %5, %11, %13, %5;\n\t" \
    "madc.lo.cc.u32 %6, %12, %13, %6;\n\t" end

DEVICE void add_products(u32 *acc, u32 x0, u32 x2, u32 x4, u32 x6, u32 y, u32 &top) {
    asm(PRODUCTS("mad.lo.cc.u32", "madc.hi.cc.u32 %7, %12, %13, %7;\n\taddc.u32 %8, %8, 0;")
        : EIGHT(acc), "+&r"(top)
        : "r"(x0), "r"(x2), "r"(x4), "r"(x6), "r"(y));
}

DEVICE void add_products_carried(u32 *acc, u32 x0, u32 x2, u32 x4, u32 x6, u32 y, u32 carry) {
    asm("add.cc.u32 %8, %8, 0xffffffff;\n\t" PRODUCTS("madc.lo.cc.u32", "madc.hi.u32 %7, %12, %13, %7;")
        : EIGHT(acc), "+&r"(carry)
        : "r"(x0), "r"(x2), "r"(x4), "r"(x6), "r"(y));
}

DEVICE u32 add_words(u32 *x, const u32 *y) {
    u32 carry;
    asm("add.cc.u32 %0, %0, %9;\n\taddc.cc.u32 %1, %1, %10;\n\taddc.cc.u32 %2, %2, %11;\n\t"
        "addc.cc.u32 %3, %3, %12;\n\taddc.cc.u32 %4, %4, %13;\n\taddc.cc.u32 %5, %5, %14;\n\t"
        "addc.cc.u32 %6, %6, %15;\n\taddc.cc.u32 %7, %7, %16;\n\taddc.u32 %8, 0, 0;"
        : EIGHT(x), "=&r"(carry)
        : EIGHT_IN(y));
    return carry;
}

DEVICE u32 subtract_words(u32 *x, const u32 *y) {
    u32 borrow;
    asm("sub.cc.u32 %0, %0, %9;\n\tsubc.cc.u32 %1, %1, %10;\n\tsubc.cc.u32 %2, %2, %11;\n\t"
        "subc.cc.u32 %3, %3, %12;\n\tsubc.cc.u32 %4, %4, %13;\n\tsubc.cc.u32 %5, %5, %14;\n\t"
        "subc.cc.u32 %6, %6, %15;\n\tsubc.cc.u32 %7, %7, %16;\n\tsubc.u32 %8, 0, 0;"
        : EIGHT(x), "=&r"(borrow)
        : EIGHT_IN(y));
    return borrow;
}

#else  // the same four, for a host

DEVICE u32 products(u32 *acc, const u32 *x, u32 y, u32 carry) {
    u64 sum = carry;
    for (int k = 0; k < 4; k++) {
        u64 product = (u64)x[k] * y;
        sum += (u64)acc[2 * k] + (u32)product;
        acc[2 * k] = (u32)sum;
        sum = (sum >> 32) + acc[2 * k + 1] + (product >> 32);
        acc[2 * k + 1] = (u32)sum;
        sum >>= 32;
    }
    return (u32)sum;
}

DEVICE void add_products(u32 *acc, u32 x0, u32 x2, u32 x4, u32 x6, u32 y, u32 &top) {
    const u32 x[4] = {x0, x2, x4, x6};
    top += products(acc, x, y, 0);
}

DEVICE void add_products_carried(u32 *acc, u32 x0, u32 x2, u32 x4, u32 x6, u32 y, u32 carry) {
    const u32 x[4] = {x0, x2, x4, x6};
    if (products(acc, x, y, carry)) overflow();
}

DEVICE u32 add_words(u32 *x, const u32 *y) {
    u64 sum = 0;
    for (int i = 0; i < 8; i++, sum >>= 32) x[i] = (u32)(sum += (u64)x[i] + y[i]);
    return (u32)sum;
}

DEVICE u32 subtract_words(u32 *x, const u32 *y) {
    i64 rest = 0;
    for (int i = 0; i < 8; i++, rest >>= 32) x[i] = (u32)(rest += (i64)x[i] - (i64)y[i]);
    return (u32)rest;
}

#endif

// x or x - m, whichever is canonical; x < 2m.
template <class F>
DEVICE Element<F> reduced(const Element<F> &x) {
    Element<F> less = x;
    u32 modulus[8];
    UNROLL for (int i = 0; i < 8; i++) modulus[i] = F::word(i);
    u32 borrow = subtract_words(less.word, modulus);
    UNROLL for (int i = 0; i < 8; i++) less.word[i] = borrow ? x.word[i] : less.word[i];
    return less;
}

template <class F>
DEVICE Element<F> operator+(Element<F> x, const Element<F> &y) {
    add_words(x.word, y.word);  // 2m < 2^256
    return reduced(x);
}

template <class F>
DEVICE Element<F> operator-(Element<F> x, const Element<F> &y) {
    u32 borrow = subtract_words(x.word, y.word), modulus[8];
    UNROLL for (int i = 0; i < 8; i++) modulus[i] = F::word(i) & borrow;
    add_words(x.word, modulus);
    return x;
}

// x y / 2^256 mod m, for x < m and any y < 2^256.
//
// The running sum T is even + 2^32 odd + 2^32 carry: the products of x's even words land on even words, those of its
// odd words one word higher, so that each row is four chains of products without shifts between them. T < 2m + ... <
// 2^288 in every row, so even's carry goes to odd's top word and odd has none.
template <class F>
DEVICE Element<F> operator*(const Element<F> &x, const Element<F> &y) {
    u32 even[8] = {0, 0, 0, 0, 0, 0, 0, 0}, odd[8] = {0, 0, 0, 0, 0, 0, 0, 0}, carry = 0;
    const u32 *w = x.word;
    UNROLL for (int i = 0; i < 8; i++) {
        u32 none = 0;
        add_products(odd, w[1], w[3], w[5], w[7], y.word[i], none);
        add_products(even, w[0], w[2], w[4], w[6], y.word[i], odd[7]);
        u32 factor = even[0] * F::NEGATIVE_INVERSE;
        add_products_carried(odd, F::word(1), F::word(3), F::word(5), F::word(7), factor, carry);
        add_products(even, F::word(0), F::word(2), F::word(4), F::word(6), factor, odd[7]);
        if (i < 7) {  // even[0] is zero: T / 2^32 has odd at the even words
            u32 next = even[1];
            u32 low = odd[0] + next;
            carry = low < next;
            UNROLL for (int k = 0; k < 6; k++) {
                u32 moved = even[k + 2];
                even[k] = odd[k];
                odd[k] = moved;
            }
            even[6] = odd[6], even[7] = odd[7], odd[6] = 0, odd[7] = 0;
            even[0] = low;
        }
    }
    Element<F> sum;
    UNROLL for (int i = 0; i < 7; i++) sum.word[i] = even[i + 1];
    sum.word[7] = 0;
    add_words(sum.word, odd);
    return reduced(sum);
}

template <class F>
DEVICE Element<F> zero() {
    Element<F> x;
    UNROLL for (int i = 0; i < 8; i++) x.word[i] = 0;
    return x;
}

template <class F>
DEVICE Element<F> one() {
    Element<F> x;
    UNROLL for (int i = 0; i < 8; i++) x.word[i] = F::one(i);
    return x;
}

template <class F>
DEVICE Element<F> negative(const Element<F> &x) {
    return zero<F>() - x;
}

template <class F>
DEVICE bool is_zero(const Element<F> &x) {
    u32 any = 0;
    UNROLL for (int i = 0; i < 8; i++) any |= x.word[i];
    return any == 0;
}

// x^exponent.
template <class F>
DEVICE Element<F> power(Element<F> x, u64 exponent) {
    Element<F> result = one<F>();
    KEEP_LOOP for (; exponent; exponent >>= 1) {
        if (exponent & 1) result = result * x;
        x = x * x;
    }
    return result;
}

// 1/x as x^(m - 2), zero for zero.
template <class F>
DEVICE Element<F> inverse(const Element<F> &x) {
    Element<F> result = x;
    KEEP_LOOP for (int bit = 252; bit >= 0; bit--) {  // bit 253 is the highest of m - 2
        result = result * result;
        if (F::inverse_exponent(bit >> 5) >> (bit & 31) & 1) result = result * x;
    }
    return result;
}

// Montgomery form of an integer below 2^256.
template <class F>
DEVICE Element<F> to_montgomery(const Element<F> &integer) {
    Element<F> square;
    UNROLL for (int i = 0; i < 8; i++) square.word[i] = F::radix_square(i);
    return square * integer;
}

// The canonical integer.
template <class F>
DEVICE Element<F> from_montgomery(const Element<F> &x) {
    Element<F> unit = zero<F>();
    unit.word[0] = 1;
    return x * unit;
}

// Element i of an array of words; two accesses of sixteen bytes.
template <class F>
DEVICE Element<F> load(const u32 *array, i64 i) {
    const uint4 *place = (const uint4 *)(array + 8 * i);
    uint4 low = place[0], high = place[1];
    return {{low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w}};
}

template <class F>
DEVICE void store(u32 *array, i64 i, const Element<F> &x) {
    uint4 *place = (uint4 *)(array + 8 * i);
    place[0] = {x.word[0], x.word[1], x.word[2], x.word[3]};
    place[1] = {x.word[4], x.word[5], x.word[6], x.word[7]};
}

// An element as an argument of a kernel: four words of 64 bits.
#define ELEMENT(x) u64 x##0, u64 x##1, u64 x##2, u64 x##3
#define ARGUMENT(F, x) \
    (Element<F>{{(u32)x##0, (u32)(x##0 >> 32), (u32)x##1, (u32)(x##1 >> 32), (u32)x##2, (u32)(x##2 >> 32), (u32)x##3, \
                 (u32)(x##3 >> 32)}})
