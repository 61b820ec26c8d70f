/* Some channels at once, as many as a register holds, as GCC's and Clang's vectors; and how they are kept in memory.

   Everything is computed in float32. Maps and coefficients are kept as bfloat16, or as float32 without BFLOAT16. */

#ifndef VECTORS_H
#define VECTORS_H

#include <stdint.h>
#if defined(BFLOAT16) && defined(__AVX512BF16__)
#include <immintrin.h>
#endif

#ifdef __AVX512F__
#define LANES 16
#else
#define LANES 8 /* wider ones would go through memory */
#endif
#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef float floats __attribute__((vector_size(4 * LANES), aligned(4))); /* the same anywhere in memory */
typedef int32_t ints __attribute__((vector_size(4 * LANES)));
typedef uint32_t words __attribute__((vector_size(4 * LANES)));
typedef uint8_t bytes __attribute__((vector_size(LANES), aligned(1)));

INLINE ints choose(ints condition, ints yes, ints no) { return (condition & yes) | (~condition & no); }
INLINE vec pick(ints condition, vec yes, vec no) { return (vec)choose(condition, (ints)yes, (ints)no); }
INLINE vec read(const float *from) { return (vec) * (const floats *)from; }
INLINE void write(float *to, vec x) { *(floats *)to = (floats)x; }

#ifdef BFLOAT16
typedef uint16_t real;
typedef uint16_t reals __attribute__((vector_size(2 * LANES), aligned(2)));

INLINE vec load(const real *from) { return (vec)(__builtin_convertvector(*(const reals *)from, words) << 16); }

/* Rounded to the nearest, to the even one of two. */
INLINE void store(real *to, vec x) {
#ifdef __AVX512BF16__
    *(reals *)to = (reals)_mm512_cvtneps_pbh((__m512)x);
#else
    const words bits = (words)x, rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16, quiet = (bits >> 16) | 0x40;
    *(reals *)to = __builtin_convertvector((words)choose(x == x, (ints)rounded, (ints)quiet), reals);
#endif
}
#else
typedef float real;

INLINE vec load(const real *from) { return read(from); }
INLINE void store(real *to, vec x) { write(to, x); }
#endif

#endif
