/* The pieces of a tiled convolution that are no matrix product, for maps [view, time, channel]; see ../tiled.py.

   Coefficients are [pair, view and tile, (real, imaginary), channel]. Channels are a multiple of 32; a tile is eight
   kernels long, and seven of them come out: 64, 128 or 256 samples. */

#include "lines.h"

#ifdef _OPENMP
#include <omp.h>
#define THREAD omp_get_thread_num()
#else
#define THREAD 0
#endif

int has_threads(void) {
#ifdef _OPENMP
    return 1;
#else
    return 0;
#endif
}

/* What follows, with `at` for each view and pair of lines, shared by threads that have their own. */
#define FOR_LINES(l, ...)                                                                                              \
    _Pragma("omp parallel num_threads(l->n_threads)") {                                                                \
        vec *rows = new_lines(l);                                                                                      \
        _Pragma("omp for collapse(2) schedule(static)")                                                                \
        for (int64_t view = 0; view < l->n_views; view++)                                                              \
            for (int64_t channel = 0; channel < l->channels; channel += 2 * LANES) {                                   \
                const lines at = {rows, view, channel};                                                                \
                __VA_ARGS__                                                                                            \
            }                                                                                                          \
        free(rows);                                                                                                    \
    }

/* Maps to coefficients. */
void forward_in(const layer *l, const real *maps, real *to) {
    FOR_LINES(l, {
        read_maps(l, maps, at, before(l));
        analyse_whole(l, at, to);
    })
}

/* Coefficients to what comes after the convolution; of a peak, its value in float32 and its time, [view, channel]. */
void forward_out(const layer *l, real *from, const float *bias, void *out, void *winners) {
    FOR_LINES(l, {
        synthesise_parts(l, from, at);
        if (l->after == PEAK)
            write_peaks(l, at, bias, out, winners);
        else
            write_out(l, at, bias, out, winners);
    })
}

/* The gradient of what came out to coefficients, and its sums over time [view, channel]. */
void backward_in(const layer *l, const real *gradient, const real *out, const uint8_t *winners, real *to,
                 float *sums) {
    FOR_LINES(l, {
        read_gradient(l, gradient, out, winners, at, sums);
        analyse_parts(l, at, to);
    })
}

/* Coefficients to the gradient of the maps that went in. */
void backward_out(const layer *l, real *from, real *gradient) {
    FOR_LINES(l, {
        synthesise_whole(l, from, at);
        write_maps(l, at, before(l), gradient);
    })
}

/* Adds the gradient of a kernel's form [pair, (real, imaginary), n_out, (real, imaginary), n_in] to that of its
   coefficients [pair, (real, imaginary), n_out, n_in]; `channels` are n_in. */
void kernel_backward(const layer *l, const real *form, int64_t n_out, float *sums) {
    const int64_t n_in = l->channels, half = n_out * n_in;
    _Pragma("omp parallel for num_threads(l->n_threads)")
    for (int64_t pair = 0; pair < l->size / 2; pair++)
        for (int64_t out = 0; out < n_out; out++)
            for (int64_t in = 0; in < n_in; in += LANES) {
                /* Of the first pair the parts are two real numbers, and no product of theirs is mixed. */
                const real *re = form + 4 * half * pair + 2 * n_in * out + in, *im = re + 2 * half;
                float *to_re = sums + 2 * half * pair + n_in * out + in, *to_im = to_re + half;
                const vec one = load(re), other = load(im + n_in);
                write(to_re, read(to_re) + (pair ? one + other : one));
                write(to_im, read(to_im) + (pair ? load(im) - load(re + n_in) : other));
            }
}

/* What comes after a convolution, alone. */
void after_forward(const layer *l, const real *maps, real *out, uint8_t *winners) {
    FOR_LINES(l, {
        read_maps(l, maps, at, 0);
        write_out(l, at, NULL, out, winners);
    })
}

void after_backward(const layer *l, const real *gradient, const real *out, const uint8_t *winners, real *to) {
    FOR_LINES(l, {
        read_gradient(l, gradient, out, winners, at, NULL);
        write_maps(l, at, 0, to);
    })
}

/* ---- The first layer, which has one channel in and no coefficients ---- */

#define ABREAST 8 /* sums at once; a kernel's length is a multiple */

/* A signal between zeros, so that tap k of what comes out at t reads t + k. */
static float *padded(const layer *l, const float *signals, int64_t view) {
    const int64_t n = (n_rows(l) + l->kernel) / LANES + 1;
    float *signal = room(n);
    memset(signal, 0, n * sizeof(vec));
    memcpy(signal + before(l), signals + view * l->n_times, l->n_times * sizeof(float));
    return signal;
}

/* Signals [view, time] and taps [kernel, channel] to what comes after the convolution. */
void signal_forward(const layer *l, const float *signals, const float *taps, const float *bias, real *out,
                    uint8_t *winners) {
    FOR_LINES(l, {
        float *signal = padded(l, signals, view);
        for HALVES {
            vec *line = line_of(l, at, half);
            for (int64_t t = 0; t < l->n_times; t += ABREAST) {
                vec sums[ABREAST] = {{0}};
                for (int64_t k = 0; k < l->kernel; k++) {
                    const vec tap = read(taps + k * l->channels + channel + half * LANES);
                    for (int i = 0; i < ABREAST; i++) sums[i] += tap * signal[t + k + i];
                }
                memcpy(line + t, sums, sizeof sums);
            }
        }
        free(signal);
        write_out(l, at, bias, out, winners);
    })
}

/* Adds to the gradient of the taps, [thread, kernel, channel]; sums as in backward_in. */
void signal_backward(const layer *l, const float *signals, const real *gradient, const real *out,
                     const uint8_t *winners, float *sums, float *taps) {
    FOR_LINES(l, {
        float *signal = padded(l, signals, view), *own = taps + THREAD * l->kernel * l->channels;
        read_gradient(l, gradient, out, winners, at, sums);
        for HALVES {
            const vec *line = line_of(l, at, half);
            for (int64_t k = 0; k < l->kernel; k += ABREAST) {
                vec products[ABREAST] = {{0}};
                for (int64_t t = 0; t < l->n_times; t++)
                    for (int i = 0; i < ABREAST; i++) products[i] += line[t] * signal[t + k + i];
                for (int i = 0; i < ABREAST; i++) {
                    float *tap = own + (k + i) * l->channels + channel + half * LANES;
                    write(tap, read(tap) + products[i]);
                }
            }
        }
        free(signal);
    })
}

/* ---- The last layer where only peaks are wanted: back from one time per view and channel ---- */

/* Adds to the gradient of taps [thread, channel, kernel, n_in]; writes that of maps [view, time, n_in]. */
void peak_backward(const layer *l, const real *maps, const float *taps, const float *gradient, const int32_t *times,
                   real *to_maps, int64_t n_in, float *to_taps) {
    const int64_t n = l->n_times * n_in, n_taps = l->kernel * n_in;
    _Pragma("omp parallel num_threads(l->n_threads)") {
        float *sums = room(n / LANES), *own = to_taps + THREAD * l->channels * n_taps;
        _Pragma("omp for schedule(static)")
        for (int64_t view = 0; view < l->n_views; view++) {
            memset(sums, 0, n * sizeof(float));
            for (int64_t channel = 0; channel < l->channels; channel++) {
                const float g = gradient[view * l->channels + channel];
                const int64_t begins = times[view * l->channels + channel] - before(l);
                const int64_t from = begins < 0 ? -begins : 0;
                const int64_t to = begins + l->kernel > l->n_times ? l->n_times - begins : l->kernel;
                for (int64_t i = from * n_in; i < to * n_in; i += LANES) {
                    const int64_t tap = channel * n_taps + i, at = begins * n_in + i;
                    write(sums + at, read(sums + at) + g * read(taps + tap));
                    write(own + tap, read(own + tap) + g * load(maps + view * n + at));
                }
            }
            for (int64_t i = 0; i < n; i += LANES) store(to_maps + view * n + i, read(sums + i));
        }
        free(sums);
    }
}
