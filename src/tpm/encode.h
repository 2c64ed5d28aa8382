/*
 * The command tables reversed: how a client makes a command and takes a response
 * apart. What tests, measurements and fuzzers send is made here, from the rows that
 * the engine reads with.
 *
 * `in` and `out` are the structures of command.h: handles in in->handle, then the
 * parameters. Sessions are the client's; one with a password needs nothing else.
 */
#ifndef CVTPM_TPM_ENCODE_H
#define CVTPM_TPM_ENCODE_H

#include "cvtpm/err.h"
#include "tpm/command.h"

/* What a client knows of a session. */
struct client_session {
	TPM_HANDLE handle; /* TPM_RS_PW: a password, in `auth` */
	TPM2B_AUTH auth;   /* of the entity that it authorises */
	bool with_auth;    /* `auth` is part of the HMAC key */
	bool password;     /* a policy session after PolicyPassword: `auth` in the clear */
	TPMA_SESSION attributes;
	TPM_ALG_ID authHash;
	TPMT_SYM_DEF symmetric;
	TPM2B_DIGEST sessionKey;
	TPM2B_NONCE nonceCaller; /* the next command's; the caller makes it fresh */
	TPM2B_NONCE nonceTPM;
	/* after a response that removes or changes the entity's authValue */
	const TPM2B_AUTH *auth_after; /* NULL: as before */
};

/** Writes the command; the first session's authorisation belongs to the first handle,
 *  and so on. `names`: of the handles, needed for HMACs only (NULL: each handle is its own
 *  name). Returns its length, 0 if it does not fit. */
size_t command_encode(const struct command *command, const void *in,
		      const struct client_session *sessions, unsigned session_count,
		      const TPM2B_NAME *names, uint8_t *out, size_t capacity);

/** Takes a response apart. Returns its response code, or ENCODE_MALFORMED for bytes that
 *  are no response to this command, or ENCODE_HMAC where a session's HMAC is wrong.
 *  Sessions' nonceTPM move on. `response` is decrypted in place. */
tpm_rc response_decode(const struct command *command, uint8_t *response, size_t len,
		       struct client_session *sessions, unsigned session_count, void *out);

#define ENCODE_MALFORMED 0xFFFF0001u
#define ENCODE_HMAC      0xFFFF0002u

/** sessionKey of a session that was started with these values (Part 1, 19.6.8). */
int client_session_key(struct client_session *s, struct cvtpm_octets bind_auth,
		       struct cvtpm_octets salt);

#endif
