/* Points of curves, by OpenSSL: what the engine's arithmetic is held against. */
#ifndef CVTPM_TESTS_TPM_POINTS_H
#define CVTPM_TESTS_TPM_POINTS_H

#include "keys.h"

#include <openssl/bn.h>
#include <openssl/ec.h>

/* A curve, and room for the numbers and points of one test. */
struct points {
	TPMI_ECC_CURVE curve;
	size_t size; /* of a coordinate */
	EC_GROUP *group;
	BN_CTX *context;
	EC_POINT *made[64];
	unsigned count;
};

struct points points_begin(TPMI_ECC_CURVE curve);
void points_end(struct points *p);
/** A number of the test's, alive until points_end(). */
BIGNUM *points_number(struct points *p, const void *bytes, size_t len);
/** A point from its coordinates: ends the test unless it is of the curve. */
EC_POINT *points_read(struct points *p, const TPMS_ECC_POINT *point);
/** n * G + m * q; NULL: without the term. */
EC_POINT *points_multiply(struct points *p, const BIGNUM *n, const EC_POINT *q, const BIGNUM *m);
EC_POINT *points_add(struct points *p, const EC_POINT *a, const EC_POINT *b);
TPMS_ECC_POINT points_write(struct points *p, const EC_POINT *point);
void points_equal(struct points *p, const EC_POINT *a, const EC_POINT *b);
/** The point whose x is H(data) modulo the curve's prime, with either y; false: there is none. */
bool points_hashed(struct points *p, TPM_ALG_ID alg, const void *data, size_t len,
		   TPMS_ECC_POINT *point);
/** H(signatureR || digest): the challenge of an ECDAA signature. */
BIGNUM *points_challenge(struct points *p, const TPMT_SIGNATURE *signature,
			 const TPM2B_DIGEST *digest);

/** Is it an ECDAA signature of the digest by the key, with the r of which `commitment` is r * G?
 *  Ends the test otherwise. */
void points_verify(const struct key *key, const TPMS_ECC_POINT *commitment,
		   const TPM2B_DIGEST *digest, const TPMT_SIGNATURE *signature);

#endif
