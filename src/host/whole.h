/* Reading and writing all that is asked for, whatever signals and pipes cut it into. */
#ifndef CVTPM_HOST_WHOLE_H
#define CVTPM_HOST_WHOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** Bytes read: fewer than `len` only at the end of the file. -1: errno. */
ssize_t read_whole(int fd, void *bytes, size_t len);

/** False: not all of it was written; errno. */
bool write_whole(int fd, const void *bytes, size_t len);

#endif
