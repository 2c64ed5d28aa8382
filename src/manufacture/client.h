/*
 * A TPM command client: how the owner of a TPM talks to it.
 *
 * A command is described once, as data: its code, its handles, how many of them
 * need authorisation, the kinds of its fields. One mechanism turns such a
 * description and values into bytes, and a response back into values, so that
 * nobody lays command bytes by hand. tpm_call() is that mechanism; the typed
 * functions of manufacture/commands.h stand on it.
 *
 * Every response is treated as hostile: tag, size, handle, parameter size,
 * field lengths and session area are checked before anything is handed out,
 * and left-over bytes are an error.
 *
 * Authorisation is by password, or by the handle of a session that the caller
 * has started (its HMAC is sent empty, as a policy session without a password
 * wants it).
 */
#ifndef CVTPM_MANUFACTURE_CLIENT_H
#define CVTPM_MANUFACTURE_CLIENT_H

#include "cvtpm/engine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TPM_MAX_HANDLES 3
#define TPM_MAX_AUTHS   2
#define TPM_MAX_FIELDS  14

/* The kinds of fields. Each but OPEN and CLOSE takes, or gives, one value. */
enum tpm_field {
	TPM_FIELD_END,
	TPM_FIELD_U8,
	TPM_FIELD_U16,
	TPM_FIELD_U32,
	TPM_FIELD_U64,
	TPM_FIELD_SIZED, /* a TPM2B: bytes with a 16-bit size before them */
	TPM_FIELD_OPEN,  /* a 16-bit size over the fields up to the matching CLOSE */
	TPM_FIELD_CLOSE,
	TPM_FIELD_BANKS, /* a TPML_PCR_SELECTION; in commands only */
	TPM_FIELD_BYTES, /* commands: the bytes as they are; responses: all that is left */
};

struct tpm_command {
	uint32_t code; /* TPM_CC */
	const char *name;
	uint8_t handles;     /* in the command */
	uint8_t auths;       /* how many of these, from the first on, need authorisation */
	bool answers_handle; /* the response begins with a handle */
	uint8_t in[TPM_MAX_FIELDS], out[TPM_MAX_FIELDS]; /* enum tpm_field */
};

/* A bank of PCRs and which of its 24 registers are meant (bit n is PCR n). */
struct tpm_pcr_bank {
	uint16_t hash; /* TPM_ALG_ID */
	uint32_t pcrs;
};

struct tpm_value {
	uint64_t number;
	const uint8_t *bytes; /* in responses: inside client->response, until the next command */
	size_t len;
	const struct tpm_pcr_bank *banks; /* `len` of them */
};

#define TPM_NUMBER(n)          ((struct tpm_value){.number = (n)})
#define TPM_BYTES(data, size)  ((struct tpm_value){.bytes = (data), .len = (size)})
#define TPM_BANKS(data, count) ((struct tpm_value){.banks = (data), .len = (count)})

/* How one handle of a command is authorised. All zero: the empty password. */
struct tpm_auth {
	uint32_t session; /* 0: a password; else a session's handle */
	const uint8_t *value;
	size_t len;
};

struct tpm_client {
	/* Runs one command: contract of cvtpm_instance_execute(). */
	int (*execute)(void *context, const uint8_t *command, size_t command_len, uint8_t *response,
		       size_t *response_len);
	void *context;

	/* For the handles that need authorisation, in order; used by every command
	 * until the caller changes it. */
	struct tpm_auth auth[TPM_MAX_AUTHS];

	const struct tpm_command *last; /* the last command that was sent */
	uint32_t rc;                    /* and its response code, as it came */
	uint32_t nv_buffer_max;         /* TPM_PT_NV_BUFFER_MAX; 0: not asked yet */

	uint8_t command[CVTPM_MAX_BUFFER_SIZE], response[CVTPM_MAX_BUFFER_SIZE];
};

/** Readies a client with empty passwords. */
void tpm_client_begin(struct tpm_client *client,
		      int (*execute)(void *context, const uint8_t *command, size_t command_len,
				     uint8_t *response, size_t *response_len),
		      void *context);

/** Sends a command and takes its response apart. `handles` and `in` hold as many
 *  entries as the description wants; `out` (NULL where it describes no output)
 *  has room for as many as it gives; `handle` likewise.
 *  CVTPM_ERR_TPM: the response code, in client->rc, is not TPM_RC_SUCCESS.
 *  CVTPM_ERR_FORMAT: the response is malformed. CVTPM_ERR_SIZE: the command is
 *  too long. Else what `execute` returned. */
int tpm_call(struct tpm_client *client, const struct tpm_command *command, const uint32_t *handles,
	     const struct tpm_value *in, uint32_t *handle, struct tpm_value *out);

#endif
