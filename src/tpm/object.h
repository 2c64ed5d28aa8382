/*
 * Objects: where they are kept, the rules that they obey, how they are made,
 * protected on their way out and in, and used.
 *
 * tpm.h includes this; how the functions treat state and errors is told there.
 */
#ifndef CVTPM_TPM_OBJECT_H
#define CVTPM_TPM_OBJECT_H

#include "tpm/instance.h"

/* ---- object.c: loaded and persistent objects ---- */

/** The object of a transient or persistent handle; NULL for a sequence, for what is
 *  not there, and for any other kind of handle. */
struct tpm_object *object_get(struct tpm *t, TPM_HANDLE handle);
/** A free slot, zeroed and taken as `use`. TPM_RC_OBJECT_MEMORY. */
tpm_rc object_slot(struct tpm *t, enum slot_use use, struct tpm_slot **slot, TPM_HANDLE *handle);
/** The slot of a transient handle in use, or NULL. */
struct tpm_slot *object_slot_of(struct tpm *t, TPM_HANDLE handle);
/** Removes a transient object or sequence, late. */
void object_flush(struct tpm *t, TPM_HANDLE handle);
/** Removes a persistent object, late. */
void object_evict(struct tpm *t, struct nv_entry *entry);
/** After a successful command: wipes slots that go or are unused again. */
void object_sweep(struct tpm *t);
/** _TPM_Init: wipes them all. */
void object_wipe_all(struct tpm *t);
/** Is it a Storage Parent, a Derivation Parent (Part 1, 23)? Both parts are loaded. */
bool object_is_parent(const struct tpm_object *object);
bool object_is_derivation_parent(const struct tpm_object *object);
/** Can secrets be sent to it: an asymmetric Storage Key, of which the public area is enough? */
bool object_is_asymmetric_storage(const struct tpm_object *object);
/** The symmetric algorithm in a public area, NULL for keyedHash. */
const TPMT_SYM_DEF_OBJECT *object_symmetric(const TPMT_PUBLIC *public);
/** Can it protect what leaves the TPM, as a parent's or an inner wrapper's? CFB alone does that
 *  (Part 2, 11.1.7), for one that names no mode, too; TPM_ALG_NULL protects nothing, and may. */
bool symmetric_protects(const TPMT_SYM_DEF_OBJECT *symmetric);
/** A new authValue without its trailing zeros. TPM_RC_SIZE: longer than a digest of `nameAlg`. */
tpm_rc object_adjust_auth(TPM2B_AUTH *auth, TPM_ALG_ID nameAlg);
/** Name := nameAlg || H(public area) (Part 1, 16). Empty for nameAlg TPM_ALG_NULL. */
tpm_rc object_compute_name(struct tpm *t, const TPMT_PUBLIC *public, TPM2B_NAME *name);
/** QN := nameAlg || H(QN of parent || name) (Part 1, 26.5); `parent` a hierarchy or object. */
tpm_rc object_compute_qualified_name(struct tpm *t, TPM_HANDLE parent, TPM_ALG_ID nameAlg,
				     const TPM2B_NAME *name, TPM2B_NAME *qualified);
void object_qualified_name_of(struct tpm *t, TPM_HANDLE parent, TPM2B_NAME *qualified);
/** Fills in what follows from where an object is loaded: hierarchy, flags, qualified name.
 *  Public area, name and OBJECT_EXTERNAL or OBJECT_DERIVED are there already. */
tpm_rc object_complete(struct tpm *t, struct tpm_object *object, TPM_HANDLE parent);

/* ---- template.c: what a public area must obey ---- */

/** The rules of Part 3, 12.1 for an object to be created, loaded or imported: attributes
 *  against those of the parent and the type, authPolicy, schemes. `parent` NULL: a primary
 *  or external object. Codes without number: _SIZE, _ATTRIBUTES, _SCHEME, _SYMMETRIC,
 *  _KDF. */
tpm_rc template_check(const struct tpm_object *parent, const TPMT_PUBLIC *public);
/** The same for creation, where the caller gives `data_size` bytes of sensitive data. */
tpm_rc template_check_creation(const struct tpm_object *parent, const TPMT_PUBLIC *public,
			       size_t data_size);
/** What of it applies to a public area alone (TPM2_LoadExternal): its schemes. */
tpm_rc template_check_public(const TPMT_PUBLIC *public);
/** authPolicy is empty or a digest of nameAlg: TPM_RC_SIZE. */
tpm_rc template_check_policy(const TPMT_PUBLIC *public);

/* ---- create.c: making key material ---- */

#define DERIVATION_VERSION 1 /* of primary objects, for new seeds; create.c describes it */

/** Fill in unique of `public` and all of `sensitive`, from the DRBG, by derivation from a
 *  primary seed, or from a derivation parent. `in`: as the command had it, adjusted.
 *  TPM_RC_CANCELED; TPM_RC_RANGE: an exponent that is not offered; TPM_RC_SIZE,
 *  TPM_RC_KEY_SIZE: data that does not fit; without number. */
tpm_rc create_random(struct tpm *t, TPMT_PUBLIC *public, const TPMS_SENSITIVE_CREATE *in,
		     TPM2B_SENSITIVE *sensitive);
tpm_rc create_primary(struct tpm *t, TPM_HANDLE hierarchy, TPMT_PUBLIC *public,
		      const TPMS_SENSITIVE_CREATE *in, TPM2B_SENSITIVE *sensitive);
tpm_rc create_derived(struct tpm *t, const struct tpm_object *parent, const TPMS_DERIVE *how,
		      TPMT_PUBLIC *public, const TPMS_SENSITIVE_CREATE *in,
		      TPM2B_SENSITIVE *sensitive);
/** What a new object was made under (Part 2, 15), and the digest of it. */
tpm_rc create_data(struct tpm *t, TPM_HANDLE parent, TPM_ALG_ID nameAlg,
		   const TPML_PCR_SELECTION *pcrs, const TPM2B_DATA *outside,
		   TPMS_CREATION_DATA *data, TPM2B_DIGEST *digest);

/* ---- binding.c ---- */

/** Do public and sensitive area belong together, and can this TPM use them (Part 3, 12.2)?
 *  `sensitive` NULL: the public area alone. Codes with number, of parameter `n_public` or
 *  `n_sensitive`: _TYPE, _SIZE, _KEY, _KEY_SIZE, _VALUE, _ECC_POINT; TPM_RC_BINDING. */
tpm_rc binding_check(struct tpm *t, const TPMT_PUBLIC *public, TPMT_SENSITIVE *sensitive,
		     unsigned n_public, unsigned n_sensitive);
/** unique of a symCipher or keyedHash object (Part 1, 27.5). */
tpm_rc binding_unique(struct tpm *t, const TPMT_PUBLIC *public, const TPMT_SENSITIVE *sensitive,
		      TPM2B_DIGEST *unique);

/* ---- protect.c: secrets on their way out and in (Part 1, 22 to 24) ---- */

/** Sensitive area -> TPM2B_PRIVATE under the parent's seed, and back. `in` is opened in place.
 *  TPM_RC_INTEGRITY, TPM_RC_SENSITIVE and unmarshalling codes, without number. */
tpm_rc protect_wrap(struct tpm *t, const struct tpm_object *parent, const TPM2B_NAME *name,
		    const TPMT_SENSITIVE *sensitive, TPM2B_PRIVATE *out);
tpm_rc protect_unwrap(struct tpm *t, const struct tpm_object *parent, const TPM2B_NAME *name,
		      TPM2B_PRIVATE *in, TPM2B_SENSITIVE *sensitive);
/** The duplication blob with its outer wrapper, unless `new_parent` is NULL, and its inner
 *  one, unless `inner` is TPM_ALG_NULL (Part 1, 23.3). `inner_key` of no bytes: one is made;
 *  it is left as the command answers it. */
tpm_rc protect_duplicate(struct tpm *t, const struct tpm_object *new_parent, const TPM2B_NAME *name,
			 const TPMT_SYM_DEF_OBJECT *inner, TPM2B_DATA *inner_key,
			 const TPMT_SENSITIVE *sensitive, TPM2B_PRIVATE *out,
			 TPM2B_ENCRYPTED_SECRET *seed);
/** And back, in place. `seed` of no bytes: there is no outer wrapper. */
tpm_rc protect_import(struct tpm *t, const struct tpm_object *parent, const TPM2B_NAME *name,
		      const TPMT_SYM_DEF_OBJECT *inner, const TPM2B_DATA *inner_key,
		      const TPM2B_DIGEST *seed, TPM2B_PRIVATE *in, TPM2B_SENSITIVE *sensitive);
/** The outer wrapper of a duplication blob alone (Part 3, 13.2): opened in place, `plain` is
 *  what is in it; and put around `plain` under a fresh seed, or none where `new_parent` is NULL.
 *  TPM_RC_INTEGRITY and unmarshalling codes; TPM_RC_VALUE: there is no room for it. */
tpm_rc protect_outer_open(struct tpm *t, const struct tpm_object *parent, const TPM2B_NAME *name,
			  const TPM2B_DIGEST *seed, TPM2B_PRIVATE *blob,
			  struct cvtpm_octets *plain);
tpm_rc protect_outer_close(struct tpm *t, const struct tpm_object *new_parent,
			   const TPM2B_NAME *name, struct cvtpm_octets plain, TPM2B_PRIVATE *out,
			   TPM2B_ENCRYPTED_SECRET *seed);
/** Credential blobs under a seed that secret_make() or secret_recover() gave (Part 1, 24). */
tpm_rc protect_credential(struct tpm *t, const struct tpm_object *key, const TPM2B_NAME *name,
			  const TPM2B_DIGEST *seed, const TPM2B_DIGEST *credential,
			  TPM2B_ID_OBJECT *blob);
tpm_rc protect_activate(struct tpm *t, const struct tpm_object *key, const TPM2B_NAME *name,
			const TPM2B_DIGEST *seed, TPM2B_ID_OBJECT *blob, TPM2B_DIGEST *credential);

/* ---- secret.c ---- */

/** Secret sharing (Part 1, Annexes B.10, C.6): a fresh secret for the holder of `key`, and
 *  its recovery. `label` ("SECRET", "DUPLICATE", "IDENTITY") with its final NUL counted.
 *  secret_make: `key` is an asymmetric storage key. secret_recover: an asymmetric key.
 *  TPM_RC_KEY (ECC without a name), TPM_RC_SIZE, TPM_RC_VALUE, TPM_RC_ECC_POINT,
 *  TPM_RC_INSUFFICIENT; without number. */
tpm_rc secret_make(struct tpm *t, const struct tpm_object *key, const char *label,
		   TPM2B_DIGEST *secret, TPM2B_ENCRYPTED_SECRET *out);
tpm_rc secret_recover(struct tpm *t, const struct tpm_object *key, const char *label,
		      const TPM2B_ENCRYPTED_SECRET *in, TPM2B_DIGEST *secret);

/* ---- context.c (Part 1, 30) ---- */

/** `handle` is loaded. TPM_RC_TOO_MANY_CONTEXTS. */
tpm_rc context_save(struct tpm *t, TPM_HANDLE handle, TPMS_CONTEXT *context);
/** In place. Codes without number: TPM_RC_SIZE, TPM_RC_INTEGRITY, TPM_RC_HIERARCHY, TPM_RC_HANDLE;
 *  TPM_RC_OBJECT_MEMORY, TPM_RC_SESSION_MEMORY. */
tpm_rc context_load(struct tpm *t, TPMS_CONTEXT *context, TPM_HANDLE *handle);

/* ---- sequence.c: sequences as rows of state.def, for contexts and state blobs ---- */

extern const TPM_ALG_ID event_hashes[HASH_COUNT]; /* of an event sequence, in this order */
void sequence_save(const struct tpm_sequence *sequence, struct tpm_saved_sequence *saved);
/** CVTPM_ERR_FORMAT: no sequence that sequence_save() writes. */
int sequence_restore(const struct tpm_saved_sequence *saved, struct tpm_sequence *sequence);

/* ---- keys.c: using a loaded key ---- */

/** May it sign: is `sign` SET, in a key of a type that can? */
bool key_is_signing(const struct tpm_object *key);
/** The scheme that signs: the key's, or the command's where the key has none (Part 3, 20.2 and
 *  18.1), or a counter that only the command has (ECDAA); one of the key's type. `key` NULL:
 *  TPM_ALG_NULL. TPM_RC_SCHEME. */
tpm_rc key_select_scheme(const struct tpm_object *key, TPMT_SIG_SCHEME *scheme);
/** `scheme` as key_select_scheme() left it, not TPM_ALG_NULL; the digest is one of its hash.
 *  TPM_RC_VALUE: there is no ephemeral key with the counter of the scheme. */
tpm_rc key_sign(struct tpm *t, const struct tpm_object *key, const TPMT_SIG_SCHEME *scheme,
		const TPM2B_DIGEST *digest, TPMT_SIGNATURE *signature);
/** TPM_RC_SIGNATURE; TPM_RC_SCHEME: not a signature of the key's type; TPM_RC_HANDLE: an HMAC
 *  key of which only the public area is loaded. */
tpm_rc key_verify(struct tpm *t, const struct tpm_object *key, const TPM2B_DIGEST *digest,
		  const TPMT_SIGNATURE *signature);
/** The key of an HMAC command, handle number 1, and its hash, parameter number `p`: the key's, or
 *  the command's where the key has none (Part 3, Table 76). TPM_RC_TYPE, TPM_RC_ATTRIBUTES,
 *  TPM_RC_KEY, TPM_RC_VALUE, numbered. */
tpm_rc key_select_hmac(struct tpm *t, TPM_HANDLE handle, TPMI_ALG_HASH *alg, unsigned p,
		       const struct tpm_object **key);
/** Padding for RSA_Encrypt and RSA_Decrypt (Part 3, Table 43). TPM_RC_SCHEME. */
tpm_rc key_select_padding(const struct tpm_object *key, TPMT_RSA_DECRYPT *scheme);
/** `label` with its final NUL counted. TPM_RC_VALUE: `plain` is too long, or not less than
 *  the modulus. */
tpm_rc key_rsa_encrypt(struct tpm *t, const struct tpm_object *key, const TPMT_RSA_DECRYPT *scheme,
		       struct cvtpm_octets label, struct cvtpm_octets plain,
		       TPM2B_PUBLIC_KEY_RSA *out);
/** TPM_RC_SIZE: `in` is not as long as the modulus, or not less; TPM_RC_VALUE: the padding is
 *  wrong. */
tpm_rc key_rsa_decrypt(struct tpm *t, const struct tpm_object *key, const TPMT_RSA_DECRYPT *scheme,
		       struct cvtpm_octets label, const TPM2B_PUBLIC_KEY_RSA *in,
		       TPM2B_PUBLIC_KEY_RSA *plain);
/** TPM_RC_ECC_POINT: it is none of the curve's. */
tpm_rc ecc_check_point(TPMI_ECC_CURVE curve, const TPMS_ECC_POINT *point);
/** product := scalar * point, or * G; the scalar has cvtpm_curve_size() bytes. TPM_RC_ECC_POINT. */
tpm_rc ecc_multiply(struct tpm *t, TPMI_ECC_CURVE curve, const uint8_t *scalar,
		    const TPMS_ECC_POINT *point, TPMS_ECC_POINT *product);
tpm_rc ecc_multiply_base(struct tpm *t, TPMI_ECC_CURVE curve, const uint8_t *scalar,
			 TPMS_ECC_POINT *product);
/** z := d * point. TPM_RC_ECC_POINT. Points that the engine gives out have coordinates as long
 *  as the curve's. */
tpm_rc key_ecdh(struct tpm *t, const struct tpm_object *key, const TPMS_ECC_POINT *point,
		TPMS_ECC_POINT *z);
/** A fresh key pair on the key's curve and the point shared with it. TPM_RC_ECC_POINT: the key
 *  is no point of its curve. */
tpm_rc key_ecdh_ephemeral(struct tpm *t, const struct tpm_object *key, TPMS_ECC_POINT *ephemeral,
			  TPMS_ECC_POINT *z);
/** Forgets what was derived from the object of that name, because it goes; NULL: of every. */
void keys_forget(struct tpm *t, const TPM2B_NAME *name);

/* ---- attest.c (Part 3, 18.1) ---- */

/** The signer of an attestation command, handle number `h`, NULL for TPM_RH_NULL, and the
 *  scheme that it signs with, parameter number `p`. TPM_RC_KEY, TPM_RC_SCHEME, numbered. */
tpm_rc attest_signer(struct tpm *t, TPM_HANDLE handle, unsigned h, TPMT_SIG_SCHEME *scheme,
		     unsigned p, const struct tpm_object **signer);

/** Fills what every TPMS_ATTEST has; `signer` NULL for TPM_RH_NULL. Blinds clock and
 *  firmware version where the key is not in the endorsement or platform hierarchy. */
tpm_rc attest_begin(struct tpm *t, const struct tpm_object *signer, TPMI_ST_ATTEST type,
		    const TPM2B_DATA *extra, TPMS_ATTEST *attest);
/** Marshals, hashes, signs. What would tell signer and object from others goes before an anonymous
 *  signature. Without a signer the signature is TPM_ALG_NULL. */
tpm_rc attest_finish(struct tpm *t, const struct tpm_object *signer, const TPMT_SIG_SCHEME *scheme,
		     TPMS_ATTEST *attest, TPM2B_ATTEST *out, TPMT_SIGNATURE *signature);

/* ---- ticket.c (Part 2, 10.7) ---- */

/** Tickets' digests are keyed with the hierarchy's proof; an empty NULL ticket for TPM_RH_NULL
 *  where the specification says so is the caller's. */
tpm_rc ticket_verified(struct tpm *t, TPM_HANDLE hierarchy, const TPM2B_DIGEST *digest,
		       const TPM2B_NAME *key, TPMT_TK_VERIFIED *ticket);
tpm_rc ticket_hashcheck(struct tpm *t, TPM_HANDLE hierarchy, TPM_ALG_ID alg,
			const TPM2B_DIGEST *digest, TPMT_TK_HASHCHECK *ticket);
tpm_rc ticket_creation(struct tpm *t, TPM_HANDLE hierarchy, const TPM2B_NAME *name,
		       const TPM2B_DIGEST *creation, TPMT_TK_CREATION *ticket);
/** Do the bytes begin with TPM_GENERATED_VALUE, as only the TPM's own attestations shall? */
bool ticket_starts_generated(struct cvtpm_octets data);
/** `on_reset`: it also ends with the next TPM Reset or Restart. */
tpm_rc ticket_auth(struct tpm *t, TPM_ST tag, TPM_HANDLE hierarchy, uint64_t timeout, bool on_reset,
		   const TPM2B_DIGEST *cp_hash, const TPM2B_NONCE *policy_ref,
		   const TPM2B_NAME *name, TPMT_TK_AUTH *ticket);

#endif
