/*
 * A store that fails when a test says so; everything else goes to the store
 * beneath it.
 */
#ifndef CVTPM_TEST_FAULTY_H
#define CVTPM_TEST_FAULTY_H

#include "cvtpm/store.h"

struct faulty_store {
	struct cvtpm_store store; /* what the code under test gets */
	struct cvtpm_store *inner;
	unsigned gets, commits;         /* seen since the start, failed ones included */
	unsigned fail_get, fail_commit; /* fail the n-th from now on (1: the next); 0: none */
	bool fail_always;               /* and all that follow it */
};

/** Prepares `faulty` over `inner`, which stays the caller's to close. */
struct cvtpm_store *faulty_store_init(struct faulty_store *faulty, struct cvtpm_store *inner);

#endif
