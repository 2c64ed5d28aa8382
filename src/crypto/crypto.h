/*
 * The crypto seam: the primitives that the freestanding layers use.
 *
 * Only the files of this folder include wolfCrypt's headers; everything else
 * includes this one. Nothing here allocates, nothing keeps state outside the
 * caller's structs, and every struct may be wiped with cvtpm_wipe() when its
 * use ends. Functions that return `int` return 0 or CVTPM_ERR_CRYPTO unless
 * they say otherwise. Multi-byte numbers are big-endian, as in a TPM.
 *
 * This header includes the others of the seam: kdf.h (derivation) and rsa.h.
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

/** True when all bytes are zero; time depends on `len` alone. */
bool cvtpm_is_zero(const void *bytes, size_t len);

/* Bytes of the caller's, only read. An empty one may have a NULL pointer. */
struct cvtpm_octets {
	const void *at;
	size_t len;
};

/** A string constant as bytes, without its NUL. */
#define CVTPM_TEXT(constant) ((struct cvtpm_octets){(constant), sizeof(constant) - 1})

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

#define CVTPM_HASH_MAX_SIZE       64
#define CVTPM_HASH_MAX_BLOCK_SIZE 136 /* of SHA3-256 */

/* A running hash; may be copied by assignment. The members are hash.c's own. */
struct cvtpm_hash {
	enum cvtpm_hash_alg alg;
	uint64_t len; /* bytes hashed so far */
	union {
		struct {
			uint32_t chain[8];
			uint8_t block[64];
		} sha32; /* SHA-1, SHA-256 */
		struct {
			uint64_t chain[8];
			uint8_t block[128];
		} sha64; /* SHA-384, SHA-512 */
		uint64_t sha3[25];
	} state;
};

/* A running HMAC (FIPS 198-1); may be copied by assignment. Holds key material:
 * wipe it if it is not finished. */
struct cvtpm_hmac {
	struct cvtpm_hash inner;
	uint8_t key[CVTPM_HASH_MAX_BLOCK_SIZE]; /* K0, as long as a block of the hash */
};

/** Digest size of `alg` in bytes, 0 for an algorithm that is not offered. */
size_t cvtpm_hash_size(enum cvtpm_hash_alg alg);

/** Block size of `alg` in bytes (64, 128, for SHA-3 the rate), 0 for one that is not offered. */
size_t cvtpm_hash_block_size(enum cvtpm_hash_alg alg);

/** Begins a hash. CVTPM_ERR_UNSUPPORTED: not an algorithm of this build. */
int cvtpm_hash_begin(struct cvtpm_hash *hash, enum cvtpm_hash_alg alg);
/** CVTPM_ERR_SIZE: more than 2^61 - 1 bytes in all. */
int cvtpm_hash_update(struct cvtpm_hash *hash, const void *data, size_t len);
/** Writes cvtpm_hash_size() bytes to `digest` and wipes the hash. */
int cvtpm_hash_end(struct cvtpm_hash *hash, uint8_t *digest);
/** The three steps in one call, over parts that follow each other; faster than the three. Writes
 *  nothing unless it returns 0. */
int cvtpm_hash_parts(enum cvtpm_hash_alg alg, const struct cvtpm_octets *parts, size_t count,
		     uint8_t *digest);
/** The same over one. */
int cvtpm_hash(enum cvtpm_hash_alg alg, const void *data, size_t len, uint8_t *digest);

/** Begins an HMAC with a key of any length, none included.
 *  CVTPM_ERR_UNSUPPORTED: not an algorithm of this build. */
int cvtpm_hmac_begin(struct cvtpm_hmac *hmac, enum cvtpm_hash_alg alg, const uint8_t *key,
		     size_t key_len);
int cvtpm_hmac_update(struct cvtpm_hmac *hmac, const void *data, size_t len);
/** Writes cvtpm_hash_size() bytes to `mac` and wipes the HMAC. */
int cvtpm_hmac_end(struct cvtpm_hmac *hmac, uint8_t *mac);
/** The three steps in one call, as cvtpm_hash_parts(). */
int cvtpm_hmac_parts(enum cvtpm_hash_alg alg, struct cvtpm_octets key,
		     const struct cvtpm_octets *parts, size_t count, uint8_t *mac);

/*
 * A running hash or HMAC as bytes that any later release reads: a format of our
 * own, independent of the library and of the machine (hash_state.c describes it).
 * The size is the same for every algorithm. What was exported contains what was
 * hashed last, and of an HMAC the key: it is as secret as they are.
 */
#define CVTPM_HASH_STATE_SIZE 212
#define CVTPM_HMAC_STATE_SIZE (CVTPM_HASH_STATE_SIZE + CVTPM_HASH_MAX_BLOCK_SIZE)

/** Writes the state of a running hash, which may go on. */
void cvtpm_hash_export(const struct cvtpm_hash *hash, uint8_t out[CVTPM_HASH_STATE_SIZE]);
/** Takes a hash up again. CVTPM_ERR_FORMAT: no state that an export writes (version,
 *  algorithm, length, bytes that must be zero); `hash` is then wiped. */
int cvtpm_hash_import(struct cvtpm_hash *hash, const uint8_t in[CVTPM_HASH_STATE_SIZE]);
/** The same for an HMAC. */
void cvtpm_hmac_export(const struct cvtpm_hmac *hmac, uint8_t out[CVTPM_HMAC_STATE_SIZE]);
int cvtpm_hmac_import(struct cvtpm_hmac *hmac, const uint8_t in[CVTPM_HMAC_STATE_SIZE]);

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

/* ---- AES, the modes of a TPM ---- */

/* Numbered as TPM_ALG_ID. */
enum cvtpm_aes_mode {
	CVTPM_AES_CTR = 0x0040,
	CVTPM_AES_OFB = 0x0041,
	CVTPM_AES_CBC = 0x0042,
	CVTPM_AES_CFB = 0x0043, /* CFB-128 */
	CVTPM_AES_ECB = 0x0044,
};

/**
 * Encrypts `len` bytes from `in` to `out` (may be the same buffer) with a key of
 * 128, 192 or 256 bits. `iv` is left such that the next call goes on, provided
 * that `len` was a multiple of 16: for CBC and CFB the last block of ciphertext,
 * for OFB the last block of keystream, for CTR the next counter (128 bits wide).
 * After a partial last block of CFB the rest of `iv` is zero. ECB ignores `iv`,
 * which may be NULL.
 *
 * CVTPM_ERR_PARAM: not such a mode or key size. CVTPM_ERR_SIZE: `len` is no
 * multiple of 16 in ECB or CBC.
 */
int cvtpm_aes_encrypt(enum cvtpm_aes_mode mode, const uint8_t *key, unsigned key_bits,
		      uint8_t iv[16], const uint8_t *in, size_t len, uint8_t *out);
/** The reverse, with the same rules. */
int cvtpm_aes_decrypt(enum cvtpm_aes_mode mode, const uint8_t *key, unsigned key_bits,
		      uint8_t iv[16], const uint8_t *in, size_t len, uint8_t *out);

/* ---- random bytes ---- */

/* Where a key generation takes its bytes from: the DRBG (cvtpm_drbg_source) or a
 * deterministic stream (cvtpm_stream_source). `bytes` returns 0 or an error, which
 * the generation hands on. */
struct cvtpm_source {
	int (*bytes)(void *context, uint8_t *out, size_t len);
	void *context;
};

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
/** Takes fresh entropy in. CVTPM_ERR_ENTROPY: the source failed; the DRBG is as before. */
int cvtpm_drbg_reseed(struct cvtpm_drbg *drbg);
/** Takes fresh entropy and `data` in, as the additional input of a reseed (SP 800-90A,
 *  9.2; TPM2_StirRandom). Nothing that `data` holds can make the DRBG weaker. Errors as above. */
int cvtpm_drbg_stir(struct cvtpm_drbg *drbg, const uint8_t *data, size_t len);
/** The DRBG as the source of a key generation. */
struct cvtpm_source cvtpm_drbg_source(struct cvtpm_drbg *drbg);
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
/* The parameters of a curve y^2 = x^3 + ax + b over GF(p), as TPM2_ECC_Parameters
 * gives them; each number is `size` bytes long. The cofactor is 1. */
struct cvtpm_curve_parameters {
	enum cvtpm_curve curve;
	size_t size;
	uint8_t p[CVTPM_ECC_MAX_SIZE], a[CVTPM_ECC_MAX_SIZE], b[CVTPM_ECC_MAX_SIZE];
	uint8_t gx[CVTPM_ECC_MAX_SIZE], gy[CVTPM_ECC_MAX_SIZE], n[CVTPM_ECC_MAX_SIZE];
};
/** Constant; NULL for a curve that is not offered. */
const struct cvtpm_curve_parameters *cvtpm_curve_parameters(enum cvtpm_curve curve);

/** A fresh key from the DRBG. */
int cvtpm_ecc_generate(enum cvtpm_curve curve, struct cvtpm_drbg *drbg, struct cvtpm_ecc_key *key);
/**
 * A key from a source of bytes: the same bytes, the same key, in every release.
 * FIPS 186-5, A.2.1 (extra random bits): c is the number in the first
 * cvtpm_curve_size() + 8 bytes of the source (for P-521 66 + 8 bytes, of which the
 * topmost 7 bits are cleared), d = c mod (n - 1) + 1. An error of the source is
 * handed on, CVTPM_ERR_UNSUPPORTED: no such curve; the key is then wiped.
 */
int cvtpm_ecc_generate_from(enum cvtpm_curve curve, const struct cvtpm_source *source,
			    struct cvtpm_ecc_key *key);
/** The d of such a key alone, cvtpm_curve_size() bytes. */
int cvtpm_ecc_scalar_from(enum cvtpm_curve curve, const struct cvtpm_source *source, uint8_t *d);
/** Computes key->public.x and .y from key->public.curve and key->d.
 *  CVTPM_ERR_PARAM: no such curve, or d is not in 1 .. n - 1. */
int cvtpm_ecc_make_public(struct cvtpm_ecc_key *key);
/** CVTPM_ERR_PARAM unless the curve is known, x and y are less than p, and (x, y) is
 *  on the curve. The point at infinity has no such form. */
int cvtpm_ecc_check_public(const struct cvtpm_ecc_public *point);
/** d * Q, with both coordinates (one pass ECDH; Part 1, C.6.1.2), where `d` is cvtpm_curve_size()
 *  bytes of secret. CVTPM_ERR_PARAM: Q is no point of its curve, or d is not in 1 .. n - 1;
 *  `shared` is then wiped. */
int cvtpm_ecdh(const uint8_t *d, const struct cvtpm_ecc_public *q, struct cvtpm_ecc_public *shared);

/** s = r + t * d modulo the order of the curve, the last step of a Schnorr signature: d and r
 *  are secrets in 1 .. n - 1, t is public and at most 64 bytes, of any value. The DRBG gives
 *  what hides d from the time that it takes. CVTPM_ERR_PARAM: no such curve, scalar or size. */
int cvtpm_ecc_mul_add(enum cvtpm_curve curve, struct cvtpm_drbg *drbg, const uint8_t *t,
		      size_t t_len, const uint8_t *d, const uint8_t *r, uint8_t *s);
/** x = the number in `len` bytes, at most 64, modulo the curve's p; none of it is secret.
 *  CVTPM_ERR_PARAM: no such curve or size. */
int cvtpm_ecc_coordinate(enum cvtpm_curve curve, const uint8_t *in, size_t len, uint8_t *x);

/** ECDSA over a digest computed by the caller, of 1 to 64 bytes: of a digest longer than
 *  the group's order the leftmost bits count (FIPS 186-5, 6.4.1). Each signature uses a
 *  fresh secret number from the DRBG. */
int cvtpm_ecdsa_sign(const struct cvtpm_ecc_key *key, struct cvtpm_drbg *drbg,
		     const uint8_t *digest, size_t digest_len,
		     struct cvtpm_ecdsa_signature *signature);
/** CVTPM_ERR_AUTH: the signature does not verify, or the key is no point of its curve. */
int cvtpm_ecdsa_verify(const struct cvtpm_ecc_public *key, const uint8_t *digest, size_t digest_len,
		       const struct cvtpm_ecdsa_signature *signature);

/* ---- self-tests ---- */

/* Consecutive, so that a bit map may say which have passed. */
enum cvtpm_test {
	CVTPM_TEST_SHA1,
	CVTPM_TEST_SHA256,
	CVTPM_TEST_SHA384,
	CVTPM_TEST_SHA512,
	CVTPM_TEST_SHA3_256,
	CVTPM_TEST_SHA3_384,
	CVTPM_TEST_SHA3_512,
	CVTPM_TEST_HMAC, /* with SHA-256 */
	CVTPM_TEST_KDF,  /* KDFa, KDFe, the deterministic stream; with SHA-256 */
	CVTPM_TEST_AES,  /* each key size and mode */
	CVTPM_TEST_AES_GCM,
	CVTPM_TEST_DRBG,
	CVTPM_TEST_P256, /* public from private */
	CVTPM_TEST_P384,
	CVTPM_TEST_P521,
	CVTPM_TEST_ECDH_P256,
	CVTPM_TEST_ECDH_P384,
	CVTPM_TEST_ECDH_P521,
	CVTPM_TEST_ECDSA_P256, /* verify; sign and verify */
	CVTPM_TEST_ECDSA_P384,
	CVTPM_TEST_ECDSA_P521,
	CVTPM_TEST_ECDAA_P256, /* cvtpm_ecc_mul_add() */
	CVTPM_TEST_ECDAA_P384,
	CVTPM_TEST_ECDAA_P521,
	CVTPM_TEST_RSA, /* RSA 2048: a key from its prime, RSASSA: both operations of all schemes */
	CVTPM_TEST_RSAPSS,
	CVTPM_TEST_OAEP,
	CVTPM_TESTS, /* their number */
};

/** Runs one known-answer test; `drbg` gives what the private operations need at random.
 *  CVTPM_ERR_CRYPTO: an answer is wrong, and the algorithm must not be used.
 *  CVTPM_ERR_PARAM: no such test. */
int cvtpm_selftest(enum cvtpm_test test, struct cvtpm_drbg *drbg);

/** What was compiled in, for --version: e.g. "wolfCrypt 5.7.2, built from source". Static. */
const char *cvtpm_crypto_version(void);

#include "crypto/kdf.h"
#include "crypto/rsa.h"

#endif
