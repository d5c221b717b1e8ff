#ifndef LOGSTORE_CRE2_H
#define LOGSTORE_CRE2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A compiled RE2 expression: immutable, usable from several threads at once.
typedef struct logstore_re2 logstore_re2;

/// Compiles `pattern`; never fails to return an object: ask `logstore_re2_ok`. Free with `logstore_re2_free`.
/// `maxMemory` bounds the automaton's memory in bytes.
logstore_re2 *_Nonnull logstore_re2_compile(const char *_Nullable pattern, size_t length, bool caseInsensitive,
                                            int64_t maxMemory);
void logstore_re2_free(logstore_re2 *_Nonnull re);
bool logstore_re2_ok(const logstore_re2 *_Nonnull re);
/// The compile error's text, valid as long as `re`; empty when it compiled.
const char *_Nonnull logstore_re2_error(const logstore_re2 *_Nonnull re);
/// The number of capturing groups, the whole match not counted.
int logstore_re2_group_count(const logstore_re2 *_Nonnull re);

/// Whether `text` contains a match (unanchored).
bool logstore_re2_matches(const logstore_re2 *_Nonnull re, const char *_Nullable text, size_t length);

/// Searches `text` from byte `start`. Fills `groups` pairs of byte offsets [begin, end) into `spans`, the whole
/// match first; a group that took no part is -1, -1. Returns whether it matched.
bool logstore_re2_find(const logstore_re2 *_Nonnull re, const char *_Nullable text, size_t length, size_t start,
                       int32_t *_Nonnull spans, int groups);

#ifdef __cplusplus
}
#endif

#endif
