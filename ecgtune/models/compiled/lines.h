/* Lines: sixteen channels of one view at all times, as float32, a vector a time. One fits into a core's second cache.

   Whatever a layer does beside the products of coefficients happens on lines: maps are read into one, cut into tiles
   and transformed, and the way back, with bias, pooling and activation before anything is stored. */

#ifndef LINES_H
#define LINES_H

#include <stdlib.h>
#include <string.h>

#include "fourier.h"

#define POOL 8

/* What comes after the convolution: nothing, an activation, pooling and then an activation, or the maximum over time.
 */
enum { PLAIN, ACTIVATED, POOLED, PEAK };

/* Tiles of `size` samples, `step` apart, of which `step` come out; `channels` are those of the maps at hand. */
typedef struct {
    int64_t n_threads, n_views, n_times, channels, kernel, size, step, n_tiles, after, stride;
    float slope;
} layer;

INLINE int64_t n_out(const layer *l) { return l->after == POOLED ? (l->n_times - POOL) / l->stride + 1 : l->n_times; }
INLINE int64_t before(const layer *l) { return (l->kernel - 1) / 2; }
INLINE int64_t n_rows(const layer *l) { return (l->n_tiles - 1) * l->step + l->size; }

static vec *new_line(const layer *l) { return aligned_alloc(sizeof(vec), n_rows(l) * sizeof(vec)); }

/* ---- A line and the coefficients of its tiles ---- */

INLINE place coefficients(const layer *l, real *all, int64_t view, int64_t tile, int64_t channel) {
    const int64_t row = 2 * l->channels;
    return (place){all + (view * l->n_tiles + tile) * row + channel, l->n_views * l->n_tiles * row, l->channels};
}

/* For every tile `call`, in which H is half a tile's samples, compiled for each size that there is. */
#define FOR_TILES(l, call)                                                                                             \
    for (int64_t tile = 0; tile < (l)->n_tiles; tile++) switch ((l)->size) {                                           \
        case 32: { enum { H = 16 }; call; break; }                                                                     \
        case 64: { enum { H = 32 }; call; break; }                                                                     \
        case 128: { enum { H = 64 }; call; break; }                                                                    \
        }

static void analyse_whole(const layer *l, const vec *line, real *to, int64_t view, int64_t channel) {
    FOR_TILES(l, analyse(H, line + tile * l->step, coefficients(l, to, view, tile, channel), 0))
}

/* Of every tile the part that came out of it; the rest is zero. */
static void analyse_parts(const layer *l, const vec *line, real *to, int64_t view, int64_t channel) {
    FOR_TILES(l, analyse(H, line + tile * l->step, coefficients(l, to, view, tile, channel), 1))
}

/* Where tiles overlap, their sum. */
static void synthesise_whole(const layer *l, real *from, int64_t view, int64_t channel, vec *line) {
    memset(line, 0, (l->size - l->step) * sizeof(vec));
    FOR_TILES(l, synthesise(H, coefficients(l, from, view, tile, channel), line + tile * l->step, 0, 1))
}

static void synthesise_parts(const layer *l, real *from, int64_t view, int64_t channel, vec *line) {
    FOR_TILES(l, synthesise(H, coefficients(l, from, view, tile, channel), line + tile * l->step, 1, 0))
}

/* ---- Lines from maps, and maps from lines ---- */

/* Maps from the line's row `first` on, between zeros. */
static void read_maps(const layer *l, const real *maps, int64_t view, int64_t channel, vec *line, int64_t first) {
    const real *from = maps + view * l->n_times * l->channels + channel;
    memset(line, 0, first * sizeof(vec));
    for (int64_t t = 0; t < l->n_times; t++) line[first + t] = load(from + t * l->channels);
    memset(line + first + l->n_times, 0, (n_rows(l) - first - l->n_times) * sizeof(vec));
}

static void write_maps(const layer *l, const vec *line, real *maps, int64_t view, int64_t channel) {
    real *to = maps + view * l->n_times * l->channels + channel;
    for (int64_t t = 0; t < l->n_times; t++) store(to + t * l->channels, line[t]);
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

static void write_out(const layer *l, const vec *line, vec bias, real *out, uint8_t *winners, int64_t view,
                      int64_t channel) {
    const int64_t n = n_out(l), first = view * n * l->channels + channel;
    for (int64_t t = 0; t < n; t++) {
        const int64_t at = first + t * l->channels;
        vec x = line[t];
        if (l->after == POOLED) {
            ints winner;
            x = window_max(line + t * l->stride, &winner);
            *(bytes *)(winners + at) = __builtin_convertvector(winner, bytes);
        }
        x += bias;
        store(out + at, l->after == PLAIN ? x : pick(x > 0, x, x * l->slope));
    }
}

/* The gradient before the activation. */
INLINE vec gated(const layer *l, const real *gradient, const real *out) {
    const vec g = load(gradient);
    return l->after == PLAIN ? g : pick(load(out) > 0, g, g * l->slope);
}

/* Every window's gradient goes to its winner; what `stride` windows share is added up before it is written. */
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

/* The gradient before what comes after a convolution, from that of what came out; returns its sum over time. */
static vec read_gradient(const layer *l, const real *gradient, const real *out, const uint8_t *winners, int64_t view,
                         int64_t channel, vec *line) {
    const int64_t n = n_out(l), first = view * n * l->channels + channel;
    gradient += first, out += first;
    if (l->after == POOLED && l->stride == 2) return read_pooled(l, 2, gradient, out, winners + first, line);
    if (l->after == POOLED) return read_pooled(l, l->stride, gradient, out, winners + first, line);
    vec sum = {0};
    for (int64_t t = 0; t < n; t++) sum += line[t] = gated(l, gradient + t * l->channels, out + t * l->channels);
    memset(line + n, 0, (n_rows(l) - n) * sizeof(vec));
    return sum;
}

static void write_peak(const layer *l, const vec *line, vec bias, float *peaks, int32_t *times, int64_t view,
                       int64_t channel) {
    vec peak = line[0];
    ints time = {0};
    for (int t = 1; t < l->n_times; t++) {
        const ints won = wins(line[t], peak);
        peak = pick(won, line[t], peak);
        time = choose(won, (ints){0} + t, time);
    }
    write(peaks + view * l->channels + channel, peak + bias);
    memcpy(times + view * l->channels + channel, &time, sizeof time);
}

#endif
