// Linux's name of a thread, behind _GNU_SOURCE, which Swift's importer does not define.
#define _GNU_SOURCE
#include "ckernels.h"

#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

void logstore_name_thread(const char *name) {
    char shortened[16] = {0};
    strncpy(shortened, name, sizeof shortened - 1);
    pthread_setname_np(pthread_self(), shortened);
}

void logstore_lower_thread_priority(int by) {
    // On Linux a nice value belongs to a thread.
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), by);
}
