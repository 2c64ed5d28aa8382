/*
 * The options that say which TPM is meant, the same for `serve` and
 * `manufacture`: engine, state, keys, evidence, issuer.
 */
#ifndef CVTPM_CLI_COMMON_H
#define CVTPM_CLI_COMMON_H

#include "cvtpm/instance.h"

#include <argp.h>
#include <stdbool.h>

struct tpm_options {
	const struct cvtpm_engine *engine;
	const char *state; /* folder; NULL: ephemeral */
	const char *seal;  /* "file:PATH", "snp", or NULL */
	unsigned eks;
	unsigned pcr_banks;
	bool lab;
	const char *lab_dir; /* NULL: the default */
	const char *ca;      /* folder of a CA; NULL: the per-boot issuer */
	bool random_platform_auth;
	/* Not options of these, but other subcommands' way to say them: */
	const uint8_t *key; /* of a sealed state, CVTPM_STORE_KEY_SIZE bytes, in place of `seal` */
	bool no_evidence;   /* ask nobody for any, and say nothing */
	bool errors_only;   /* log no more than errors and warnings */
	bool exportable;    /* `serve`'s own: make it without evidence, whatever there is */
};

/* For struct argp_child; the child's input is the struct tpm_options, which is
 * given its defaults there. */
extern const struct argp tpm_options_argp;

/** One word of a comma-separated list, and what it stands for. */
struct list_word {
	const char *word;
	unsigned bit;
};

/** "a,b" -> bits; words end with a NULL word. False: not a word of the list. */
bool list_parse(const char *text, const struct list_word *words, unsigned *bits);

#endif
