/* Lines: a vector's channels of one view at all times, in float32, row by row. Two fit into a core's second cache.

   Whatever a layer does beside the products of coefficients happens on lines: maps are read into them, cut into tiles
   and transformed, and the way back, with bias, pooling and activation before anything is stored. They come in pairs,
   one after the other, since the coefficients of two vectors in bfloat16 fill what the cache moves at a time. */

#ifndef LINES_H
#define LINES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fourier.h"

#define POOL 8

/* What comes after the convolution: nothing, an activation, pooling and an activation, or the maximum over time. */
enum { PLAIN, ACTIVATED, POOLED, PEAK };

/* Tiles of `size` samples, `step` apart, of which `step` come out; `channels` are those of the maps at hand. */
typedef struct {
    int64_t n_threads, n_views, n_times, channels, kernel, size, step, n_tiles, after, stride;
    float slope;
} layer;

/* A pair of lines, and what they hold: of view `view` the channels from `channel` on. */
typedef struct {
    vec *rows;
    int64_t view, channel;
} lines;

INLINE int64_t n_out(const layer *l) { return l->after == POOLED ? (l->n_times - POOL) / l->stride + 1 : l->n_times; }
INLINE int64_t before(const layer *l) { return (l->kernel - 1) / 2; }
INLINE int64_t n_rows(const layer *l) { return (l->n_tiles - 1) * l->step + l->size; }
INLINE vec *line_of(const layer *l, lines at, int half) { return at.rows + half * n_rows(l); }

/* Room for so many vectors. Where there is none there is no way on: PyTorch ends so, too, once memory is promised. */
static void *room(int64_t n) {
    void *at = aligned_alloc(sizeof(vec), n * sizeof(vec));
    if (at == NULL) {
        fputs("ecgtune: there is not memory enough for a layer\n", stderr);
        abort();
    }
    return at;
}

static vec *new_lines(const layer *l) { return room(2 * n_rows(l)); }

/* Where in [view, time, channel], of `n` times, the first value of a line lies. */
INLINE int64_t start(const layer *l, lines at, int half, int64_t n) {
    return at.view * n * l->channels + at.channel + half * LANES;
}

#define HALVES (int half = 0; half < 2; half++)

/* ---- A pair of lines and the coefficients of its tiles ---- */

INLINE place coefficients(const layer *l, real *all, lines at, int64_t tile, int half) {
    const int64_t row = 2 * l->channels, first = (at.view * l->n_tiles + tile) * row + at.channel + half * LANES;
    return (place){all + first, l->n_views * l->n_tiles * row, l->channels};
}

/* For every tile `call`, in which H is half a tile's samples, compiled for each size that there is. */
#define FOR_TILES(l, call)                                                                                             \
    for (int64_t tile = 0; tile < (l)->n_tiles; tile++)                                                                \
        for HALVES switch ((l)->size) {                                                                                \
            case 64: { enum { H = 32 }; call; break; }                                                                 \
            case 128: { enum { H = 64 }; call; break; }                                                                \
            case 256: { enum { H = 128 }; call; break; }                                                               \
            }

static void analyse_whole(const layer *l, lines at, real *to) {
    FOR_TILES(l, analyse(H, line_of(l, at, half) + tile * l->step, coefficients(l, to, at, tile, half), 0))
}

/* Of every tile the part that came out of it; the rest is zero. */
static void analyse_parts(const layer *l, lines at, real *to) {
    FOR_TILES(l, analyse(H, line_of(l, at, half) + tile * l->step, coefficients(l, to, at, tile, half), 1))
}

/* Where tiles overlap, their sum. */
static void synthesise_whole(const layer *l, real *from, lines at) {
    for HALVES memset(line_of(l, at, half), 0, (l->size - l->step) * sizeof(vec));
    FOR_TILES(l, synthesise(H, coefficients(l, from, at, tile, half), line_of(l, at, half) + tile * l->step, 0, 1))
}

static void synthesise_parts(const layer *l, real *from, lines at) {
    FOR_TILES(l, synthesise(H, coefficients(l, from, at, tile, half), line_of(l, at, half) + tile * l->step, 1, 0))
}

/* ---- Lines from maps, and maps from lines ---- */

/* Maps from row `first` on, between zeros. */
static void read_maps(const layer *l, const real *maps, lines at, int64_t first) {
    for HALVES {
        const real *from = maps + start(l, at, half, l->n_times);
        vec *line = line_of(l, at, half);
        memset(line, 0, first * sizeof(vec));
        for (int64_t t = 0; t < l->n_times; t++) line[first + t] = load(from + t * l->channels);
        memset(line + first + l->n_times, 0, (n_rows(l) - first - l->n_times) * sizeof(vec));
    }
}

static void write_maps(const layer *l, lines at, int64_t first, real *maps) {
    for HALVES {
        real *to = maps + start(l, at, half, l->n_times);
        const vec *line = line_of(l, at, half) + first;
        for (int64_t t = 0; t < l->n_times; t++) store(to + t * l->channels, line[t]);
    }
}

/* ---- What comes after a convolution ---- */

/* Whether `x` is larger, or not a number. */
INLINE ints wins(vec x, vec best) { return (x > best) | (x != x); }

/* The first maximum of a window, and its number therein. */
INLINE vec window_max(const vec *window, ints *winner) {
    vec best = window[0];
    *winner = (ints){0};
    for (int j = 1; j < POOL; j++) {
        const ints won = wins(window[j], best);
        best = pick(won, window[j], best);
        *winner = choose(won, (ints){0} + j, *winner);
    }
    return best;
}

/* Without a slope nothing, which infinity times zero is not. */
INLINE vec scaled(vec x, float slope) { return slope ? x * slope : (vec){0}; }

/* With the bias [channel] added, unless it is missing. */
static void write_out(const layer *l, lines at, const float *bias, real *out, uint8_t *winners) {
    const int64_t n = n_out(l);
    for HALVES {
        const vec *line = line_of(l, at, half), added = bias ? read(bias + at.channel + half * LANES) : (vec){0};
        const int64_t first = start(l, at, half, n);
        for (int64_t t = 0; t < n; t++) {
            vec x = line[t];
            if (l->after == POOLED) {
                ints winner;
                x = window_max(line + t * l->stride, &winner);
                *(bytes *)(winners + first + t * l->channels) = __builtin_convertvector(winner, bytes);
            }
            x += added;
            if (l->after != PLAIN) x = pick((x > 0) | (x != x), x, scaled(x, l->slope));
            store(out + first + t * l->channels, x);
        }
    }
}

/* The maxima over time and where they are, both [view, channel]. */
static void write_peaks(const layer *l, lines at, const float *bias, float *peaks, int32_t *times) {
    for HALVES {
        const vec *line = line_of(l, at, half);
        const int64_t channel = at.channel + half * LANES, to = at.view * l->channels + channel;
        vec peak = line[0];
        ints time = {0};
        for (int t = 1; t < l->n_times; t++) {
            const ints won = wins(line[t], peak);
            peak = pick(won, line[t], peak);
            time = choose(won, (ints){0} + t, time);
        }
        write(peaks + to, peak + read(bias + channel));
        memcpy(times + to, &time, sizeof time);
    }
}

/* ---- The gradient before that, from the gradient after it ---- */

INLINE vec gated(const layer *l, const real *gradient, const real *out) {
    const vec g = load(gradient);
    return l->after == PLAIN ? g : pick(load(out) > 0, g, scaled(g, l->slope));
}

/* Every window's goes to its winner; what windows share is added up before it is written. */
INLINE vec read_pooled(const layer *l, int64_t stride, const real *gradient, const real *out, const uint8_t *winners,
                       vec *line) {
    const int64_t n = n_out(l), shared = stride < POOL ? POOL - stride : 0;
    vec sum = {0}, window[POOL] = {{0}};
    if (!shared) memset(line, 0, n_rows(l) * sizeof(vec));
    for (int64_t t = 0; t < n; t++) {
        const int64_t at = t * l->channels;
        const vec g = gated(l, gradient + at, out + at);
        const ints winner = __builtin_convertvector(*(const bytes *)(winners + at), ints);
        sum += g;
        for (int j = 0; j < POOL; j++) window[j] += (vec)((winner == j) & (ints)g);
        for (int j = 0; j < POOL - shared; j++) line[t * stride + j] = window[j];
        for (int j = 0; j < POOL; j++) window[j] = j < shared ? window[j + stride] : (vec){0};
    }
    if (shared) {
        memcpy(line + n * stride, window, shared * sizeof(vec));
        memset(line + n * stride + shared, 0, (n_rows(l) - n * stride - shared) * sizeof(vec));
    }
    return sum;
}

/* With its sums over time [view, channel], unless they are missing. */
static void read_gradient(const layer *l, const real *gradient, const real *out, const uint8_t *winners, lines at,
                          float *sums) {
    const int64_t n = n_out(l);
    for HALVES {
        const int64_t first = start(l, at, half, n);
        const real *g = gradient + first, *y = out + first;
        vec *line = line_of(l, at, half), sum = {0};
        if (l->after == POOLED && l->stride == 2) {
            sum = read_pooled(l, 2, g, y, winners + first, line);
        } else if (l->after == POOLED) {
            sum = read_pooled(l, l->stride, g, y, winners + first, line);
        } else {
            for (int64_t t = 0; t < n; t++) sum += line[t] = gated(l, g + t * l->channels, y + t * l->channels);
            memset(line + n, 0, (n_rows(l) - n) * sizeof(vec));
        }
        if (sums) write(sums + at.view * l->channels + at.channel + half * LANES, sum);
    }
}

#endif
