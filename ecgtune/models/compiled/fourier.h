/* Fourier transforms of a tile's samples, a vector's channels side by side: Stockham's, by four and by two.

   (Van Loan, Computational Frameworks for the Fast Fourier Transform, 1.7; real samples as half as many complex ones,
   as in 4.3.) */

#ifndef FOURIER_H
#define FOURIER_H

#include <math.h>

#include "vectors.h"

#define LARGEST 128 /* complex samples of the longest transform */

/* exp(-2 pi i k / (2 LARGEST)) = cosines[k] - i sines[k] */
static float cosines[2 * LARGEST], sines[2 * LARGEST];

__attribute__((constructor)) static void make_tables(void) {
    for (int k = 0; k < 2 * LARGEST; k++) {
        cosines[k] = (float)cos(M_PI * k / LARGEST);
        sines[k] = (float)sin(M_PI * k / LARGEST);
    }
}

/* Complex samples. A line of real ones is half as many of these. */
typedef struct { vec re, im; } sample;

INLINE sample plus(sample a, sample b) { return (sample){a.re + b.re, a.im + b.im}; }
INLINE sample minus(sample a, sample b) { return (sample){a.re - b.re, a.im - b.im}; }

/* a * exp(-+ 2 pi i k / (2 LARGEST)), + with `inverse` */
INLINE sample turned(sample a, int k, int inverse) {
    if (k == 0) return a;
    const float c = cosines[k], s = inverse ? -sines[k] : sines[k];
    return (sample){a.re * c + a.im * s, a.im * c - a.re * s};
}

/* One round of Stockham's transform of `size` samples, by four: transforms of `n` samples, `size / n` of them at once.
   Of the first round, the last eighth going in may be `missing`, zeros that are not read; of the last round, the last
   eighth coming out may be `cut`, and the first may be added to what is there. */
INLINE void round4(int size, int n, const sample *from, sample *to, int inverse, int missing, int cut, int add) {
    const int quarter = n / 4, stride = size / n, unit = 2 * LARGEST / n, gap = stride * quarter;
    for (int p = 0; p < quarter; p++)
        for (int q = 0; q < stride; q++) {
            const sample *in = from + q + stride * p;
            sample *out = to + q + stride * 4 * p;
            const int late = stride == 1 ? 2 * p >= quarter : 2 * q >= stride;
            const sample a = in[0], b = in[gap], c = in[2 * gap];
            const sample d = missing && late ? (sample){{0}, {0}} : in[3 * gap];
            const sample sum = plus(a, c), gone = minus(a, c), other = plus(b, d), odd = minus(b, d);
            const sample up = {gone.re + odd.im, gone.im - odd.re}, down = {gone.re - odd.im, gone.im + odd.re};
            const sample whole = plus(sum, other);
            out[0] = add && !late ? plus(out[0], whole) : whole;
            out[stride] = turned(inverse ? down : up, unit * p, inverse);
            out[2 * stride] = turned(minus(sum, other), 2 * unit * p, inverse);
            if (!(cut && late)) out[3 * stride] = turned(inverse ? up : down, 3 * unit * p, inverse);
        }
}

/* The same by two. */
INLINE void round2(int size, int n, const sample *from, sample *to, int inverse) {
    const int half = n / 2, stride = size / n, unit = 2 * LARGEST / n;
    for (int p = 0; p < half; p++)
        for (int q = 0; q < stride; q++) {
            const sample a = from[q + stride * p], b = from[q + stride * (p + half)];
            to[q + stride * 2 * p] = plus(a, b);
            to[q + stride * (2 * p + 1)] = turned(minus(a, b), unit * p, inverse);
        }
}

/* Fourier transform of `size` samples, 32, 64 or 128, known when compiled. */
INLINE void transform(int size, const sample *from, sample *to, int inverse, int missing, int cut, int add) {
    sample one[LARGEST], two[LARGEST];
    round4(size, size, from, one, inverse, missing, 0, 0);
    if (size == 32) {
        round2(size, 8, one, two, inverse);
    } else {
        round4(size, size / 4, one, two, inverse, 0, 0, 0);
    }
    if (size == 128) {
        round2(size, 8, two, one, inverse);
        round4(size, 4, one, to, inverse, 0, cut, add);
    } else {
        round4(size, 4, two, to, inverse, 0, cut, add);
    }
}

/* Where a tile's coefficients lie: pair k at `first + k * pair`, imaginary parts `imaginary` further. */
typedef struct { real *first; int64_t pair, imaginary; } place;

INLINE sample load_pair(place from, int k) {
    const real *at = from.first + k * from.pair;
    __builtin_prefetch(at + 2 * from.imaginary);
    __builtin_prefetch(at + 3 * from.imaginary);
    return (sample){load(at), load(at + from.imaginary)};
}

INLINE void store_pair(place to, int k, vec re, vec im) {
    real *at = to.first + k * to.pair;
    __builtin_prefetch(at + 2 * to.imaginary, 1);
    __builtin_prefetch(at + 3 * to.imaginary, 1);
    store(at, re);
    store(at + to.imaginary, im);
}

/* 2 * size real samples to their coefficients. */
INLINE void analyse(int size, const vec *line, place to, int missing) {
    sample z[LARGEST];
    transform(size, (const sample *)line, z, 0, missing, 0, 0);
    store_pair(to, 0, z[0].re + z[0].im, z[0].re - z[0].im);
    for (int k = 1; k <= size / 2; k++) {
        const sample a = z[k], b = z[size - k];
        const sample even = {(a.re + b.re) * 0.5f, (a.im - b.im) * 0.5f};
        const sample odd = turned((sample){(a.im + b.im) * 0.5f, (b.re - a.re) * 0.5f}, k * (LARGEST / size), 0);
        store_pair(to, k, even.re + odd.re, even.im + odd.im);
        store_pair(to, size - k, even.re - odd.re, odd.im - even.im);
    }
}

/* The way back. */
INLINE void synthesise(int size, place from, vec *line, int cut, int add) {
    sample z[LARGEST];
    const float scale = 0.5f / size;
    const sample ends = load_pair(from, 0);
    z[0] = (sample){(ends.re + ends.im) * scale, (ends.re - ends.im) * scale};
    for (int k = 1; k <= size / 2; k++) {
        const sample a = load_pair(from, k), b = load_pair(from, size - k);
        const sample even = {(a.re + b.re) * scale, (a.im - b.im) * scale};
        const sample odd = turned((sample){-(a.im + b.im) * scale, (a.re - b.re) * scale}, k * (LARGEST / size), 1);
        z[k] = plus(even, odd);
        z[size - k] = (sample){even.re - odd.re, odd.im - even.im};
    }
    transform(size, z, (sample *)line, 1, 0, cut, add);
}

#endif
