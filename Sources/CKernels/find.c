// Substring search: sixteen places at a time by the needle's first and last byte.
#define _GNU_SOURCE
#include "ckernels.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>

const uint8_t *logstore_find(const uint8_t *text, size_t length, const uint8_t *needle, size_t count) {
    if (count == 0) return text;
    if (count > length) return 0;
    if (count == 1) return memchr(text, needle[0], length);
    const __m128i first = _mm_set1_epi8((char)needle[0]);
    const __m128i last = _mm_set1_epi8((char)needle[count - 1]);
    size_t places = length - count + 1;
    size_t at = 0;
    // Text that agrees in both bytes again and again would cost places x count: the library's search is linear.
    size_t vain = 0;
    for (; at + 16 <= places; at += 16) {
        __m128i starts = _mm_cmpeq_epi8(first, _mm_loadu_si128((const __m128i *)(text + at)));
        __m128i ends = _mm_cmpeq_epi8(last, _mm_loadu_si128((const __m128i *)(text + at + count - 1)));
        unsigned mask = (unsigned)_mm_movemask_epi8(_mm_and_si128(starts, ends));
        while (mask != 0) {
            size_t place = at + (size_t)__builtin_ctz(mask);
            if (memcmp(text + place + 1, needle + 1, count - 2) == 0) return text + place;
            mask &= mask - 1;
            vain++;
        }
        if (vain > 64 + (at >> 4)) break;
    }
    return memmem(text + at, length - at, needle, count);
}

#else

const uint8_t *logstore_find(const uint8_t *text, size_t length, const uint8_t *needle, size_t count) {
    return count == 0 ? text : memmem(text, length, needle, count);
}

#endif
