/*
 * The crypto seam: the primitives that the freestanding layers use.
 *
 * Only the files of this folder include wolfCrypt's headers; everything else
 * includes this one. Nothing here allocates, nothing keeps state outside the
 * caller's structs, and every struct may be wiped with cvtpm_wipe() when its
 * use ends. Functions that return `int` return 0 or CVTPM_ERR_CRYPTO unless
 * they say otherwise. Multi-byte numbers are big-endian, as in a TPM.
 */
#ifndef CVTPM_CRYPTO_H
#define CVTPM_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- memory ---- */

/** Overwrites `len` bytes; never optimised away. */
void cvtpm_wipe(void *memory, size_t len);

/** True when the two buffers are equal; time depends on `len` alone. */
bool cvtpm_equal(const void *a, const void *b, size_t len);

/* ---- hashes and HMAC ---- */

/* Numbered as TPM_ALG_ID. */
enum cvtpm_hash_alg {
	CVTPM_SHA1 = 0x0004,
	CVTPM_SHA256 = 0x000B,
	CVTPM_SHA384 = 0x000C,
	CVTPM_SHA512 = 0x000D,
	CVTPM_SHA3_256 = 0x0027,
	CVTPM_SHA3_384 = 0x0028,
	CVTPM_SHA3_512 = 0x0029,
};

#define CVTPM_HASH_MAX_SIZE 64

/* A running hash; may be copied by assignment. */
struct cvtpm_hash {
	enum cvtpm_hash_alg alg;
	_Alignas(16) uint8_t state[448];
};

/* A running HMAC; holds key material: wipe it if it is not finished. */
struct cvtpm_hmac {
	enum cvtpm_hash_alg alg;
	_Alignas(16) uint8_t state[1024];
};

/** Digest size of `alg` in bytes, 0 for an algorithm that is not offered. */
size_t cvtpm_hash_size(enum cvtpm_hash_alg alg);

/** Begins a hash. CVTPM_ERR_UNSUPPORTED: not an algorithm of this build. */
int cvtpm_hash_begin(struct cvtpm_hash *hash, enum cvtpm_hash_alg alg);
int cvtpm_hash_update(struct cvtpm_hash *hash, const void *data, size_t len);
/** Writes cvtpm_hash_size() bytes to `digest` and wipes the hash. */
int cvtpm_hash_end(struct cvtpm_hash *hash, uint8_t *digest);
/** The three steps in one call. */
int cvtpm_hash(enum cvtpm_hash_alg alg, const void *data, size_t len, uint8_t *digest);

int cvtpm_hmac_begin(struct cvtpm_hmac *hmac, enum cvtpm_hash_alg alg, const uint8_t *key,
		     size_t key_len);
int cvtpm_hmac_update(struct cvtpm_hmac *hmac, const void *data, size_t len);
int cvtpm_hmac_end(struct cvtpm_hmac *hmac, uint8_t *mac);

/** HKDF of RFC 5869: extract with `salt`, expand with `info` to `out_len` bytes
 *  (at most 255 digests). */
int cvtpm_hkdf(enum cvtpm_hash_alg alg, const uint8_t *secret, size_t secret_len,
	       const uint8_t *salt, size_t salt_len, const uint8_t *info, size_t info_len,
	       uint8_t *out, size_t out_len);

/* ---- AES-256-GCM, 96-bit IV, 128-bit tag ---- */

/** Encrypts `len` bytes from `in` to `out` (may be the same buffer). */
int cvtpm_aes256gcm_seal(const uint8_t key[32], const uint8_t iv[12], const uint8_t *aad,
			 size_t aad_len, const uint8_t *in, size_t len, uint8_t *out,
			 uint8_t tag[16]);

/** Decrypts; CVTPM_ERR_AUTH when the tag does not match, `out` is then wiped. */
int cvtpm_aes256gcm_open(const uint8_t key[32], const uint8_t iv[12], const uint8_t *aad,
			 size_t aad_len, const uint8_t *in, size_t len, const uint8_t tag[16],
			 uint8_t *out);

/* ---- random bytes ---- */

/* A Hash_DRBG of SP 800-90A (SHA-256) over the platform's entropy. Not to be
 * moved or copied once begun. */
struct cvtpm_drbg {
	int (*entropy)(void *context, uint8_t *out, size_t len);
	void *entropy_context;
	_Alignas(16) uint8_t state[1600];
};

/** Seeds a DRBG from `entropy`, which stays in use for reseeding.
 *  CVTPM_ERR_ENTROPY: the source failed; the DRBG cannot be used. */
int cvtpm_drbg_begin(struct cvtpm_drbg *drbg, int (*entropy)(void *, uint8_t *, size_t),
		     void *entropy_context);
/** `len` random bytes; CVTPM_ERR_ENTROPY when a reseed failed, `out` is then wiped. */
int cvtpm_drbg_bytes(struct cvtpm_drbg *drbg, uint8_t *out, size_t len);
/** Wipes the DRBG. */
void cvtpm_drbg_end(struct cvtpm_drbg *drbg);

/* ---- elliptic curves ---- */

/* Numbered as TPM_ECC_CURVE. */
enum cvtpm_curve {
	CVTPM_P256 = 0x0003,
	CVTPM_P384 = 0x0004,
	CVTPM_P521 = 0x0005,
};

#define CVTPM_ECC_MAX_SIZE 66

/* Coordinates and private scalar are cvtpm_curve_size() bytes at the start of
 * their arrays, big-endian with leading zeros. */
struct cvtpm_ecc_public {
	enum cvtpm_curve curve;
	uint8_t x[CVTPM_ECC_MAX_SIZE], y[CVTPM_ECC_MAX_SIZE];
};
struct cvtpm_ecc_key {
	struct cvtpm_ecc_public public;
	uint8_t d[CVTPM_ECC_MAX_SIZE]; /* secret: wipe */
};
struct cvtpm_ecdsa_signature {
	uint8_t r[CVTPM_ECC_MAX_SIZE], s[CVTPM_ECC_MAX_SIZE]; /* as coordinates */
};

/** Bytes of a coordinate: 32, 48, 66; 0 for a curve that is not offered. */
size_t cvtpm_curve_size(enum cvtpm_curve curve);
/** A fresh key. */
int cvtpm_ecc_generate(enum cvtpm_curve curve, struct cvtpm_drbg *drbg, struct cvtpm_ecc_key *key);
/** ECDSA over a digest computed by the caller. */
int cvtpm_ecdsa_sign(const struct cvtpm_ecc_key *key, struct cvtpm_drbg *drbg,
		     const uint8_t *digest, size_t digest_len,
		     struct cvtpm_ecdsa_signature *signature);
/** CVTPM_ERR_AUTH: the signature does not verify, or the key is no point of its curve. */
int cvtpm_ecdsa_verify(const struct cvtpm_ecc_public *key, const uint8_t *digest, size_t digest_len,
		       const struct cvtpm_ecdsa_signature *signature);

/** What was compiled in, for --version: e.g. "wolfCrypt 5.7.2, built from source". Static. */
const char *cvtpm_crypto_version(void);

#endif
