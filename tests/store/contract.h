/* What every store keeps to (include/cvtpm/store.h), as claims for cmocka. */
#ifndef CVTPM_TEST_STORE_CONTRACT_H
#define CVTPM_TEST_STORE_CONTRACT_H

#include "cvtpm/store.h"

/* A kind of store under test; `*state` of each claim. */
struct contract {
	const char *name;
	struct cvtpm_store *(*open)(void); /* an empty store */
	/* Closes and opens the store again; NULL where what is closed is gone. */
	struct cvtpm_store *(*reopen)(struct cvtpm_store *store);
	void (*end)(struct cvtpm_store *store);
};

struct CMUnitTest;

/** Runs all claims, and `more` after them; the number of failed ones. */
int contract_run(struct contract *contract, const struct CMUnitTest *more, size_t more_count);

#endif
