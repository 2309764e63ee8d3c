// The curve y^2 = x^3 + 3 over F_p: affine points, and points in extended Jacobian coordinates (x = X / ZZ,
// y = Y / ZZZ with ZZ^3 = ZZZ^2), by the formulas "2008 Sutherland" of the Explicit-Formulas Database.
// Infinity is (0, 0) in affine form, ZZ = 0 in the extended one.

typedef Element<Base> Coordinate;

struct Affine {
    Coordinate x, y;
};

struct Extended {
    Coordinate x, y, zz, zzz;
};

DEVICE bool is_infinity(const Affine &p) { return is_zero(p.x) && is_zero(p.y); }

DEVICE bool is_infinity(const Extended &p) { return is_zero(p.zz); }

DEVICE Extended infinity() { return {zero<Base>(), zero<Base>(), zero<Base>(), zero<Base>()}; }

DEVICE Extended extended(const Affine &p) {
    if (is_infinity(p)) return infinity();
    return {p.x, p.y, one<Base>(), one<Base>()};
}

// sixteen multiplications of 2p: y is not zero, for the group has odd order
CALLED Extended doubled(const Extended &p) {
    Coordinate u = p.y + p.y, v = u * u, w = u * v, s = p.x * v, square = p.x * p.x;
    Coordinate m = square + square + square, x = m * m - (s + s);
    return {x, m * (s - x) - w * p.y, v * p.zz, w * p.zzz};
}

// What both additions share: from U1 = x1 at ZZ1 ZZ2, S1 = y1 there, P = U2 - U1, R = S2 - S1 and the product of Zs.
DEVICE Extended chord(const Coordinate &u, const Coordinate &s, const Coordinate &p, const Coordinate &r,
                      const Coordinate &zz, const Coordinate &zzz) {
    Coordinate square = p * p, cube = p * square, q = u * square;
    Coordinate x = r * r - cube - (q + q);
    return {x, r * (q - x) - s * cube, zz * square, zzz * cube};
}

// p + q, any two points: ten multiplications where they differ.
DEVICE Extended add(const Extended &p, const Affine &q) {
    if (is_infinity(q)) return p;
    if (is_infinity(p)) return extended(q);
    Coordinate across = q.x * p.zz - p.x, up = q.y * p.zzz - p.y;
    if (is_zero(across)) return is_zero(up) ? doubled(p) : infinity();
    return chord(p.x, p.y, across, up, p.zz, p.zzz);
}

// p + q, any two points: fourteen multiplications where they differ.
CALLED Extended add(const Extended &p, const Extended &q) {
    if (is_infinity(q)) return p;
    if (is_infinity(p)) return q;
    Coordinate u = p.x * q.zz, s = p.y * q.zzz;
    Coordinate across = q.x * p.zz - u, up = q.y * p.zzz - s;
    if (is_zero(across)) return is_zero(up) ? doubled(p) : infinity();
    return chord(u, s, across, up, p.zz * q.zz, p.zzz * q.zzz);
}

DEVICE Affine negative(const Affine &p) { return {p.x, negative(p.y)}; }

DEVICE Affine load_affine(const u32 *points, i64 i) { return {load<Base>(points, 2 * i), load<Base>(points, 2 * i + 1)}; }

DEVICE void store_affine(u32 *points, i64 i, const Affine &p) {
    store(points, 2 * i, p.x);
    store(points, 2 * i + 1, p.y);
}

DEVICE Extended load_extended(const u32 *points, i64 i) {
    return {load<Base>(points, 4 * i), load<Base>(points, 4 * i + 1), load<Base>(points, 4 * i + 2),
            load<Base>(points, 4 * i + 3)};
}

DEVICE void store_extended(u32 *points, i64 i, const Extended &p) {
    store(points, 4 * i, p.x);
    store(points, 4 * i + 1, p.y);
    store(points, 4 * i + 2, p.zz);
    store(points, 4 * i + 3, p.zzz);
}
