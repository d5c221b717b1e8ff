#ifndef LOGSTORE_CKERNELS_H
#define LOGSTORE_CKERNELS_H

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli) of `length` bytes, continuing from `crc` (0 to start). Uses SSE4.2 or ARMv8 where the
/// processor has it, tables elsewhere.
uint32_t logstore_crc32c(uint32_t crc, const void *bytes, size_t length);

/// The portable form of the same, for tests and for processors without the instruction.
uint32_t logstore_crc32c_portable(uint32_t crc, const void *bytes, size_t length);

/// Names the calling thread for `top -H` and debuggers; 15 bytes are kept.
void logstore_name_thread(const char *name);

/// Lets other threads go before the calling one when there are more than cores: its nice value.
void logstore_lower_thread_priority(int by);

/// Makes the allocator keep few arenas and give memory back. Call before the first thread is started.
void logstore_tune_allocator(void);

/// Lets the process open as many files and sockets as the system allows it to. The usual soft limit of 1,024 is for
/// programs that use select; every partition of a topic holds some files.
void logstore_raise_file_limit(void);

/// The environment: `NAME=value` strings, ended by NULL.
char **logstore_environment(void);

/// Where `needle` (`count` bytes) first occurs in `text` (`length` bytes); null when nowhere.
const uint8_t *logstore_find(const uint8_t *text, size_t length, const uint8_t *needle, size_t count);

#endif
