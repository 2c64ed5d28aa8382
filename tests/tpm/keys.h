/* Keys, and other things that the tests of several chapters need. */
#ifndef CVTPM_TESTS_TPM_KEYS_H
#define CVTPM_TESTS_TPM_KEYS_H

#include "crypto/crypto.h"
#include "rig.h"
#include "tpm/spec.h"

#include <string.h>

#define OK(command)       assert_int_equal(command, TPM_RC_SUCCESS)
#define RC(command, code) assert_int_equal(command, code)

/** A TPM with the engine that CVTPM_TEST_ENGINE names, the native one by default: the tests
 *  of commands hold for both, so that one checks the other. */
struct rig *begin(void);
/* A test function with a TPM of its own, *state. */
#define TEST(function) cmocka_unit_test_setup_teardown(function, test_begin, test_end)
int test_begin(void **state);
int test_end(void **state);
/** Is it libtpms, which is known to answer otherwise here? */
bool on_libtpms(const struct rig *r);

struct key {
	TPM_HANDLE handle;
	TPMT_PUBLIC public;
	TPM2B_NAME name;
};

/** A primary key, with the authValue `auth`. */
struct key make_primary(struct rig *r, TPM_HANDLE hierarchy, const TPMT_PUBLIC *template,
			const char *auth);
/** An HMAC key with that secret, `hash` TPM_ALG_NULL: no scheme. */
struct key make_hmac(struct rig *r, TPMA_OBJECT attributes, TPM_ALG_ID hash, const char *secret);
/** Loads the key of the vectors, its public part alone or all of it. */
struct key load_rsa(struct rig *r, TPMA_OBJECT attributes, TPM_ALG_ID scheme, TPM_ALG_ID hash,
		    bool private);
/** The public part of a key, under its hierarchy's roof or (TPM_RH_NULL) none. */
struct key load_public(struct rig *r, const TPMT_PUBLIC *public, TPM_HANDLE hierarchy);

/* Attributes of primary keys. */
#define PLAIN                                                                                      \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |        \
	 TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA)
TPMT_PUBLIC template_ecc(TPMA_OBJECT attributes, TPMI_ECC_CURVE curve, TPM_ALG_ID scheme,
			 TPM_ALG_ID hash);

TPM2B_DIGEST digest_of(TPM_ALG_ID alg, const void *data, size_t len);
TPM2B_DATA data_of(const char *text);
void buffer_set(TPM2B_MAX_BUFFER *buffer, const char *text);
/** A policy or trial session with that hash. */
TPM_HANDLE start_policy(struct rig *r, TPM_SE type, TPM_ALG_ID hash);
/** A session with SHA-256 and AES whose key is made of the authValue of `bind`, as who believes
 *  that it is `password` knows it. */
struct client_session bound_session(struct rig *r, TPM_SE type, TPM_HANDLE bind,
				    const char *password);
TPM2B_DIGEST policy_digest(struct rig *r, TPM_HANDLE session);

/** The attestation in the blob, which must be one of that type and nothing else. */
TPMS_ATTEST attest_of(const TPM2B_ATTEST *blob, TPMI_ST_ATTEST type);
/** TPM2_VerifySignature says that the key has signed it; the rig has no sessions afterwards. */
void is_signed_by(struct rig *r, const struct key *k, const TPM2B_ATTEST *blob,
		  const TPMT_SIGNATURE *signature);

/* rsa_vectors.c */
#define VECTOR_MESSAGE "a message of some length"
extern const uint8_t vector_n[256], vector_p[128], vector_rsassa[256], vector_rsapss[256],
	vector_rsaes[256], vector_oaep[256];

#endif
