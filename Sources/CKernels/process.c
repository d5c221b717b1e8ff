// What the C library offers to a whole process and Swift cannot reach safely.
#define _GNU_SOURCE
#include "ckernels.h"

#include <sys/resource.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

void logstore_tune_allocator(void) {
#ifdef __GLIBC__
    // By default each thread may get an arena of its own, up to eight a core, and memory freed in one is of no use
    // to the others. Two suffice, and large blocks go back to the system at once.
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 8 << 20);
#endif
}

void logstore_raise_file_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

char **logstore_environment(void) { return environ; }
