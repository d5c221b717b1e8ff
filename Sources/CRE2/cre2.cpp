// RE2 behind a C interface: Swift cannot import its C++ headers without making every target a C++ one.
#include "cre2.h"

#include <re2/re2.h>

#include <vector>

struct logstore_re2 {
    RE2 expression;
    logstore_re2(re2::StringPiece pattern, const RE2::Options &options) : expression(pattern, options) {}
};

extern "C" {

logstore_re2 *logstore_re2_compile(const char *pattern, size_t length, bool caseInsensitive, int64_t maxMemory) {
    RE2::Options options;
    options.set_log_errors(false);
    options.set_case_sensitive(!caseInsensitive);
    // As ClickHouse does: a dot matches a line break too.
    options.set_dot_nl(true);
    if (maxMemory > 0) options.set_max_mem(maxMemory);
    return new logstore_re2(re2::StringPiece(pattern, length), options);
}

void logstore_re2_free(logstore_re2 *re) { delete re; }

bool logstore_re2_ok(const logstore_re2 *re) { return re->expression.ok(); }

const char *logstore_re2_error(const logstore_re2 *re) { return re->expression.error().c_str(); }

int logstore_re2_group_count(const logstore_re2 *re) { return re->expression.NumberOfCapturingGroups(); }

bool logstore_re2_matches(const logstore_re2 *re, const char *text, size_t length) {
    return re->expression.Match(re2::StringPiece(text, length), 0, length, RE2::UNANCHORED, nullptr, 0);
}

bool logstore_re2_find(const logstore_re2 *re, const char *text, size_t length, size_t start, int32_t *spans,
                       int groups) {
    re2::StringPiece fixed[16];
    std::vector<re2::StringPiece> more;
    re2::StringPiece *matches = fixed;
    if (groups > 16) {
        more.resize(groups);
        matches = more.data();
    }
    if (!re->expression.Match(re2::StringPiece(text, length), start, length, RE2::UNANCHORED, matches, groups))
        return false;
    for (int i = 0; i < groups; i++) {
        bool took_part = matches[i].data() != nullptr;
        spans[2 * i] = took_part ? (int32_t)(matches[i].data() - text) : -1;
        spans[2 * i + 1] = took_part ? (int32_t)(matches[i].data() - text + matches[i].size()) : -1;
    }
    return true;
}

}  // extern "C"
