/* Objects for tests: templates, and the commands that make and load them. */
#ifndef CVTPM_TESTS_TPM_OBJECTS_H
#define CVTPM_TESTS_TPM_OBJECTS_H

#include "keys.h"

/* ---- each test ---- */

/** Each test has a TPM of its own (begin() of keys.h): the state is its struct rig. */
int objects_setup(void **state);
int objects_teardown(void **state);
#define OBJECT_TEST(function)                                                                      \
	cmocka_unit_test_setup_teardown(function, objects_setup, objects_teardown)
/** The rest of the test is about our engine alone. */
#define NATIVE_ONLY(r)                                                                             \
	do {                                                                                       \
		if (on_libtpms(r))                                                                 \
			return;                                                                    \
	} while (0)

/* ---- templates; those of the rig are ECC P-256 ---- */

TPMT_PUBLIC rsa_template(bool storage);     /* 2048 bits; storage, or one that decrypts */
TPMT_PUBLIC hmac_template(void);            /* SHA-256, made by the TPM */
TPMT_PUBLIC sealed_template(void);          /* data that the caller gives */
TPMT_PUBLIC cipher_template(uint16_t bits); /* AES-CFB, decrypt and sign */
TPMT_PUBLIC symmetric_parent_template(void);
TPMT_PUBLIC derivation_template(void);
/** The same, free to move: fixedTPM and fixedParent CLEAR, a policy for Duplicate. */
TPMT_PUBLIC movable(TPMT_PUBLIC template, const TPM2B_DIGEST *policy);

/* ---- commands ---- */

TPM2B_SENSITIVE_CREATE sensitive(const char *auth, const void *data, size_t len);
/** TPM2_Create under a parent with an empty authValue. */
tpm_rc create(struct rig *r, TPM_HANDLE parent, const TPMT_PUBLIC *template,
	      const TPM2B_SENSITIVE_CREATE *given, struct Create_out *out);
tpm_rc load(struct rig *r, TPM_HANDLE parent, const TPM2B_PRIVATE *private,
	    const TPM2B_PUBLIC *public, TPM_HANDLE *handle);
tpm_rc primary(struct rig *r, TPM_HANDLE hierarchy, const TPMT_PUBLIC *template,
	       const TPM2B_SENSITIVE_CREATE *given, struct CreatePrimary_out *out);
tpm_rc load_external(struct rig *r, const TPMT_PUBLIC *public, const TPMT_SENSITIVE *private,
		     TPM_HANDLE hierarchy, struct LoadExternal_out *out);
/** TPM2_Import of a blob that anybody can make, without wrappers: what is in it must fit together.
 */
tpm_rc import_plain(struct rig *r, TPM_HANDLE parent, const TPMT_PUBLIC *public,
		    const TPMT_SENSITIVE *private, struct Import_out *out);
/** Each of these ends the test unless it succeeds. */
TPM_HANDLE must_primary(struct rig *r, TPM_HANDLE hierarchy, const TPMT_PUBLIC *template);
TPM_HANDLE must_load(struct rig *r, TPM_HANDLE parent, const TPMT_PUBLIC *template);
TPM_HANDLE storage_primary(struct rig *r);
TPM_HANDLE hash_sequence(struct rig *r);
struct ReadPublic_out read_public(struct rig *r, TPM_HANDLE handle);
bool is_loaded(struct rig *r, TPM_HANDLE handle);
/** The policy that lets an object be duplicated, and a session that fulfils it. */
TPM2B_DIGEST duplicate_policy(struct rig *r);
struct client_session duplicate_session(struct rig *r);

#define assert_rc(rc, expected) assert_int_equal((rc), (tpm_rc)(expected))

#endif
