/*
 * RSA with 2048, 3072 and 4096 bits (PKCS #1 2.2, RFC 8017).
 *
 * A key size in bytes, `size` below, is bits / 8; a signature and a ciphertext are
 * `size` bytes long. The time of a private operation depends neither on the key and the
 * number nor, where padding is taken off, on what is wrong with it; there is no need
 * for blinding (number.h).
 */
#ifndef CVTPM_RSA_H
#define CVTPM_RSA_H

#include "crypto/crypto.h"

#define CVTPM_RSA_MAX_SIZE         512
#define CVTPM_RSA_DEFAULT_EXPONENT 65537u /* what exponent 0 means in a TPMS_RSA_PARMS */

struct cvtpm_rsa_public {
	uint16_t bits;
	uint32_t exponent; /* odd, more than 2^16; no check that it is prime */
	uint8_t n[CVTPM_RSA_MAX_SIZE];
};

/* The private part is p, q, dP, dQ, qInv in this order, each bits / 16 bytes long,
 * one after the other at the start of `crt`: of a 2048-bit key 640 bytes. p is the
 * prime that was loaded, or the larger of the two that were generated. */
struct cvtpm_rsa_key {
	struct cvtpm_rsa_public public;
	uint8_t crt[5 * CVTPM_RSA_MAX_SIZE / 2]; /* secret: wipe */
};

/** Bytes of `crt` in use for a key size: 640, 960, 1280; 0 for a size that is not offered. */
size_t cvtpm_rsa_crt_size(unsigned bits);

/** CVTPM_ERR_PARAM unless the size is offered, the exponent odd and more than 2^16, and
 *  n odd with its topmost bit set. All functions that take a public key check this. */
int cvtpm_rsa_check_public(const struct cvtpm_rsa_public *public);

/**
 * Makes a key of its public part and one prime, as a TPM2B_PRIVATE_KEY_RSA holds it:
 * q = n / p, and the CRT values from both. CVTPM_ERR_PARAM: the public part is wrong,
 * `prime_len` is not size / 2, p does not divide n or lacks its topmost bit, q likewise,
 * p = q, or the exponent has no inverse; `key` is then wiped.
 */
int cvtpm_rsa_load(const struct cvtpm_rsa_public *public, const uint8_t *prime, size_t prime_len,
		   struct cvtpm_rsa_key *key);

/** Whether one prime belongs to a public part, in some us where the load takes 330: all that
 *  the load looks at, but that p is prime. */
int cvtpm_rsa_check_prime(const struct cvtpm_rsa_public *public, const uint8_t *prime,
			  size_t prime_len);

/**
 * A key from a source of bytes: the same bytes, the same key, in every release.
 * rsa_generate.c describes the procedure (FIPS 186-5, A.1.3, with increments) and shows
 * that a prime is none with a probability of less than 2^-114, 2^-128, 2^-152 for the
 * three sizes. `cancelled` is asked between candidates and may be NULL.
 *
 * CVTPM_ERR_PARAM: size or exponent. CVTPM_ERR_BUSY: `cancelled` said true. An error of
 * the source is handed on. `key` is then wiped.
 */
int cvtpm_rsa_generate(unsigned bits, uint32_t exponent, const struct cvtpm_source *source,
		       bool (*cancelled)(void *context), void *cancel_context,
		       struct cvtpm_rsa_key *key);

/** RSAEP: in^e mod n. `in` and `out` are `size` bytes and may be the same.
 *  CVTPM_ERR_SIZE: the number `in` is not less than n (TPM_RC_VALUE of RSA_Encrypt). */
int cvtpm_rsa_public_op(const struct cvtpm_rsa_public *key, const uint8_t *in, uint8_t *out);
/** RSADP: in^d mod n; otherwise the same. CVTPM_ERR_CRYPTO: the machine or the key is at fault,
 *  and `out` is not written: a faulty result would give the primes away. The signatures hand
 *  this on. */
int cvtpm_rsa_private_op(const struct cvtpm_rsa_key *key, const uint8_t *in, uint8_t *out);

/** RSASSA-PKCS1-v1_5 over a digest of `alg`. CVTPM_ERR_PARAM: the digest is not as long as
 *  one of `alg`. */
int cvtpm_rsassa_sign(const struct cvtpm_rsa_key *key, enum cvtpm_hash_alg alg,
		      const uint8_t *digest, size_t digest_len, uint8_t *signature);
/** CVTPM_ERR_AUTH: the signature does not verify, or is not `size` bytes long. */
int cvtpm_rsassa_verify(const struct cvtpm_rsa_public *key, enum cvtpm_hash_alg alg,
			const uint8_t *digest, size_t digest_len, const uint8_t *signature,
			size_t signature_len);

/** The longest salt that fits: size - digest size - 2; for a 2048-bit key with SHA-256 222. */
size_t cvtpm_rsapss_max_salt(unsigned bits, enum cvtpm_hash_alg alg);
/** RSASSA-PSS with MGF1, both with `alg`, and a salt of `salt_len` bytes. CVTPM_ERR_PARAM: the
 *  digest is not as long as one of `alg`, or the salt is longer than fits. */
int cvtpm_rsapss_sign(const struct cvtpm_rsa_key *key, struct cvtpm_drbg *drbg,
		      enum cvtpm_hash_alg alg, const uint8_t *digest, size_t digest_len,
		      size_t salt_len, uint8_t *signature);
/** Accepts a salt of any length. CVTPM_ERR_AUTH as above. */
int cvtpm_rsapss_verify(const struct cvtpm_rsa_public *key, enum cvtpm_hash_alg alg,
			const uint8_t *digest, size_t digest_len, const uint8_t *signature,
			size_t signature_len);

/** RSAES-PKCS1-v1_5. CVTPM_ERR_SIZE: a message of more than size - 11 bytes. */
int cvtpm_rsaes_encrypt(const struct cvtpm_rsa_public *key, struct cvtpm_drbg *drbg,
			const uint8_t *message, size_t message_len, uint8_t *out);
/** Takes `size` bytes; writes the message (`message` holds `size` bytes) and its length.
 *  CVTPM_ERR_AUTH: anything at all is wrong with the ciphertext; `message` is then wiped. */
int cvtpm_rsaes_decrypt(const struct cvtpm_rsa_key *key, const uint8_t *in, uint8_t *message,
			size_t *message_len);

/** RSAES-OAEP with MGF1, both with `alg`. A TPM's label includes its terminating NUL
 *  (Part 1, B.4). CVTPM_ERR_SIZE: a message of more than size - 2 * digest size - 2 bytes. */
int cvtpm_oaep_encrypt(const struct cvtpm_rsa_public *key, struct cvtpm_drbg *drbg,
		       enum cvtpm_hash_alg alg, struct cvtpm_octets label, const uint8_t *message,
		       size_t message_len, uint8_t *out);
/** As cvtpm_rsaes_decrypt(). */
int cvtpm_oaep_decrypt(const struct cvtpm_rsa_key *key, enum cvtpm_hash_alg alg,
		       struct cvtpm_octets label, const uint8_t *in, uint8_t *message,
		       size_t *message_len);

#endif
