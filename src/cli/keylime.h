/*
 * The configuration of `cvtpm verify --keylime`: one JSON object in a file, read
 * strictly. Paths in it are relative to the file's folder. docs/keylime.md lists the
 * members.
 */
#ifndef CVTPM_CLI_KEYLIME_H
#define CVTPM_CLI_KEYLIME_H

#include "cli/files.h"
#include "cvtpm/kds.h"
#include "cvtpm/policy.h"

#include <jansson.h>

#define KEYLIME_CONF      "/etc/cvtpm/keylime.conf"
#define KEYLIME_FILES_MAX 64
#define KEYLIME_LINE_SIZE 2048

/* What is done with an agent that has no pin yet. */
enum keylime_first_contact {
	KEYLIME_REFUSE,
	KEYLIME_ACCEPT,
	KEYLIME_RECORD, /* accept, and pin it to the REPORT_ID that it came with */
};

struct keylime_config {
	json_t *json; /* owned; the strings below are its */
	char dir[4096];
	struct cvtpm_policy *policy; /* owned */
	struct cvtpm_bytes certs[KEYLIME_FILES_MAX + 2], crls[KEYLIME_FILES_MAX + 1];
	size_t cert_count, crl_count;
	struct cli_files files;       /* what `certs` and `crls` point to */
	struct cvtpm_kds_options kds; /* base_url NULL: nobody is asked */
	const char *kds_product;      /* for reports of version 2; or NULL */
	char kds_cache[4096], kds_ca[4096];
	char pins[4096]; /* folder; "": nothing is pinned */
	enum keylime_first_contact first_contact;
};

/** Reads configuration, policy and certificates. False: `line` says why, in one line. The
 *  struct is zeroed by the caller, and released with keylime_config_close() in any case. */
bool keylime_config_open(struct keylime_config *config, const char *path,
			 char line[KEYLIME_LINE_SIZE]);
void keylime_config_close(struct keylime_config *config);

/* A pin: which boot an agent's TPM was made in, and which HOST_DATA it was given. */
enum keylime_pin {
	KEYLIME_PIN_KEPT,    /* there is one, and the report is as it says */
	KEYLIME_PIN_BROKEN,  /* the report is another; `line` says which */
	KEYLIME_PIN_MISSING, /* there is none */
	KEYLIME_PIN_FAULT,   /* it cannot be read; `line` says why */
};

/** Compares a report with DIR/UUID.json. `uuid` is one file name (keylime_uuid_is_plain). */
enum keylime_pin keylime_pin_compare(const char *dir, const char *uuid,
				     const uint8_t report[SNP_REPORT_SIZE],
				     char line[KEYLIME_LINE_SIZE]);

/** Makes DIR/UUID.json from a report, where there is none; in one step, so that of two
 *  that record at once, one finds the other's. False: `line` says why. */
bool keylime_pin_record(const char *dir, const char *uuid, const uint8_t report[SNP_REPORT_SIZE],
			char line[KEYLIME_LINE_SIZE]);

/** Letters, digits, '-', '_' and '.', the first none of the last two; 1 to 128 of them. */
bool keylime_uuid_is_plain(const char *uuid);

#endif
