/*
 * A bench for tests of the owner: libtpms over a store that can fail and can be
 * of any kind, and a provider that can fail and remembers what it was asked.
 */
#ifndef TESTS_MANUFACTURE_BENCH_H
#define TESTS_MANUFACTURE_BENCH_H

#include "cvtpm/ek_template.h"
#include "cvtpm/err.h"
#include "cvtpm/instance.h"
#include "cvtpm/store.h"
#include "manufacture/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A store over a memory store, of whatever kind, whose commits can fail. */
struct test_store {
	struct cvtpm_store store;
	struct cvtpm_store *inner;
	unsigned commits; /* so far */
	unsigned fail_at; /* this one fails and all after it; 0: none */
};

/* Reports that nobody signed: what the owner does with them is the same. */
struct test_provider {
	struct cvtpm_snp_provider provider;
	unsigned reports; /* made so far */
	unsigned fail_at; /* this one fails and all after it; 0: none */
	bool lies;        /* about REPORT_DATA */
	uint8_t last_data[SNP_REPORT_DATA_SIZE];
};

struct bench {
	struct cvtpm_platform platform;
	struct test_store store, scratch;
	struct test_provider provider;
	struct cvtpm_instance_config config;
	void *memory;
	struct cvtpm_instance *instance;
	struct tpm_client client; /* the guest's */
	char log[32768];
	uint64_t time;
};

/** A bench with an empty store of `kind`, evidence from a lab provider, one EK (P-256). */
struct bench *bench_new(enum cvtpm_store_kind kind);
void bench_free(struct bench *b);

/** An empty and sound scratch store in place of the one that there was. */
void bench_new_scratch(struct bench *b);

/** Makes the TPM if it is persistent, opens it, sends TPM2_Startup(CLEAR). */
void bench_start(struct bench *b);
int bench_manufacture(struct bench *b);
int bench_open(struct bench *b);
void bench_close(struct bench *b);
/** A reset and TPM2_Startup(CLEAR): the guest reboots. */
void bench_reboot(struct bench *b);

/** All that is in an index, read with owner's authority; its length. */
size_t bench_nv(struct bench *b, uint32_t index, uint8_t *data, size_t room);
uint32_t bench_nv_attributes(struct bench *b, uint32_t index);
/** True when the report index of the EK holds a report over what the index of its
 *  certificate holds; false when it holds zeros; anything else fails the test. */
bool bench_report_is_genuine(struct bench *b, const struct cvtpm_ek_template *ek);
/** Records in a store. */
size_t bench_records(struct test_store *store);

/* The command is refused with exactly this response code. */
#define assert_rc(b, expression, code)                                                             \
	do {                                                                                       \
		assert_int_equal((expression), CVTPM_ERR_TPM);                                     \
		assert_int_equal((b)->client.rc, (code));                                          \
	} while (0)
#define assert_ok(expression)      assert_int_equal((expression), 0)
#define assert_logged(b, text)     assert_non_null(strstr((b)->log, (text)))
#define assert_not_logged(b, text) assert_null(strstr((b)->log, (text)))

#define P256 cvtpm_ek_template_of(CVTPM_EK_P256)

#endif
