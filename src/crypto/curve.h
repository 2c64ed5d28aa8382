/*
 * The operations on a curve that wolfCrypt does for ecc.c. They expect checked
 * arguments: a known curve, a scalar in 1 .. n - 1, a point of the curve, a digest of 20
 * to 64 bytes. In curve_sp.c they are the functions of wolfCrypt's sources for just these
 * curves, in curve_wc.c the interface of the installed library. Those on numbers alone are
 * in curve_order.c.
 */
#ifndef CVTPM_CURVE_H
#define CVTPM_CURVE_H

#include "crypto/crypto.h"

/** r = d * G. */
int curve_mul_base(enum cvtpm_curve curve, const uint8_t *d, struct cvtpm_ecc_public *r);
/** r = d * q. */
int curve_mul(const uint8_t *d, const struct cvtpm_ecc_public *q, struct cvtpm_ecc_public *r);
/** Whether (x, y), both less than p, fulfils the equation of its curve. */
bool curve_has_point(const struct cvtpm_ecc_public *point);
int curve_sign(enum cvtpm_curve curve, const uint8_t *d, struct cvtpm_drbg *drbg,
	       const uint8_t *digest, size_t digest_len, struct cvtpm_ecdsa_signature *signature);
/** For r and s in 1 .. n - 1. */
bool curve_verify(const struct cvtpm_ecc_public *key, const uint8_t *digest, size_t digest_len,
		  const struct cvtpm_ecdsa_signature *signature);

/** s = r + t * d mod n, for a public t of `t_len` bytes, a secret d, and an r and a `mask`
 *  less than n; the mask is drawn anew each time, and hides d. */
int curve_mul_add(enum cvtpm_curve curve, const uint8_t *t, size_t t_len, const uint8_t *d,
		  const uint8_t *mask, const uint8_t *r, uint8_t *s);
/** x = the public number in `len` bytes, modulo p. */
int curve_coordinate(enum cvtpm_curve curve, const uint8_t *in, size_t len, uint8_t *x);

#endif
