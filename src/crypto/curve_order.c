/*
 * Numbers modulo those of a curve, with wolfCrypt's large numbers of any size; the same in
 * both builds.
 *
 * Its division and its choice of a multiplication take a time that depends on the numbers.
 * What is secret therefore never meets them as it is: see curve_mul_add().
 */
#include "crypto/curve.h"
#include "crypto/wolf.h"

static int read_number(mp_int *number, const uint8_t *bytes, size_t size)
{
	int err = mp_init(number);

	return err ? err : mp_read_unsigned_bin(number, bytes, (word32)size);
}

/* r = t * (d + mask) - t * mask + r. Each of the two products tells about a number that is
 * drawn for this one and says nothing of d; the sums take the same time for all numbers. */
int curve_mul_add(enum cvtpm_curve curve, const uint8_t *t, size_t t_len, const uint8_t *d,
		  const uint8_t *mask, const uint8_t *r, uint8_t *s)
{
	const struct cvtpm_curve_parameters *c = cvtpm_curve_parameters(curve);
	mp_int n, factor, a, b, sum;
	int err = read_number(&n, c->n, c->size);

	if (!err)
		err = read_number(&factor, t, t_len);
	if (!err)
		err = read_number(&a, d, c->size);
	if (!err)
		err = read_number(&b, mask, c->size);
	if (!err)
		err = mp_init(&sum);
	if (!err)
		err = mp_addmod_ct(&a, &b, &n, &sum);
	if (!err)
		err = mp_mulmod(&factor, &sum, &n, &a);
	if (!err)
		err = mp_mulmod(&factor, &b, &n, &sum);
	if (!err)
		err = mp_submod_ct(&a, &sum, &n, &b);
	if (!err)
		err = read_number(&a, r, c->size);
	if (!err)
		err = mp_addmod_ct(&a, &b, &n, &sum);
	if (!err)
		err = mp_to_unsigned_bin_len(&sum, s, (int)c->size);
	mp_forcezero(&a);
	mp_forcezero(&b);
	mp_forcezero(&sum);
	return err ? CVTPM_ERR_CRYPTO : 0;
}

int curve_coordinate(enum cvtpm_curve curve, const uint8_t *in, size_t len, uint8_t *x)
{
	const struct cvtpm_curve_parameters *c = cvtpm_curve_parameters(curve);
	mp_int p, number;
	int err = read_number(&p, c->p, c->size);

	if (!err)
		err = read_number(&number, in, len);
	if (!err)
		err = mp_mod(&number, &p, &number);
	if (!err)
		err = mp_to_unsigned_bin_len(&number, x, (int)c->size);
	return err ? CVTPM_ERR_CRYPTO : 0;
}
