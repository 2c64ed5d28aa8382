/*
 * Whether LMDB may be let loose on a file.
 *
 * LMDB maps its file and follows what it finds there: a truncated file ends in
 * SIGBUS, a damaged one in reads anywhere. So before it opens a file, this
 * reads the same structure with bounds (LMDB's format 1, 64 bits, little
 * endian): both meta pages, every page of the free list and of the main
 * database, every node's place and length, every page used once.
 */
#ifndef CVTPM_STORE_LMDB_CHECK_H
#define CVTPM_STORE_LMDB_CHECK_H

/** 0; CVTPM_ERR_FORMAT: damaged, `*what` says where; CVTPM_ERR_IO (errno), CVTPM_ERR_NO_MEMORY. */
int lmdb_check(int fd, const char **what);

#endif
