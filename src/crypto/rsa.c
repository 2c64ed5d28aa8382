/* RSA keys and the operations on numbers (RFC 8017, sections 3 and 5). */
#include "crypto/rsa_internal.h"

size_t cvtpm_rsa_crt_size(unsigned bits)
{
	return rsa_bits_are_offered(bits) ? 5 * (bits / 16) : 0;
}

int cvtpm_rsa_check_public(const struct cvtpm_rsa_public *public)
{
	if (!rsa_bits_are_offered(public->bits) || !rsa_exponent_is_offered(public->exponent) ||
	    !(public->n[0] & 0x80) || !(public->n[public->bits / 8 - 1] & 1))
		return CVTPM_ERR_PARAM;
	return 0;
}

int cvtpm_rsa_public_op(const struct cvtpm_rsa_public *key, const uint8_t *in, uint8_t *out)
{
	const size_t words = key->bits / 64;
	uint64_t n[NUMBER_MAX_WORDS], a[NUMBER_MAX_WORDS], r[NUMBER_MAX_WORDS];
	struct modulus modulus;

	CVTPM_TRY(cvtpm_rsa_check_public(key));
	number_from_bytes(n, words, key->n);
	number_from_bytes(a, words, in);
	if (!number_less(a, n, words))
		return CVTPM_ERR_SIZE;
	modulus_begin(&modulus, n, words);
	modulus_enter(&modulus, a, a);
	modulus_exp_public(&modulus, r, a, key->exponent);
	modulus_leave(&modulus, r, r);
	number_to_bytes(r, words, out);
	cvtpm_wipe(a, sizeof a);
	cvtpm_wipe(r, sizeof r);
	return 0;
}

/* ---- the private operation ---- */

/* The members of `crt`. */
enum part { P, Q, DP, DQ, QINV };

static void get_part(const struct cvtpm_rsa_key *key, enum part part, uint64_t *r)
{
	const size_t size = key->public.bits / 16;

	number_from_bytes(r, size / 8, key->crt + part * size);
}

static void put_part(struct cvtpm_rsa_key *key, enum part part, const uint64_t *a)
{
	const size_t size = key->public.bits / 16;

	number_to_bytes(a, size / 8, key->crt + part * size);
}

/* The Montgomery form of c, of twice the prime's words and less than n. */
static void enter_long(const struct modulus *prime, uint64_t *r, const uint64_t *c)
{
	uint64_t t[NUMBER_MAX_WORDS];

	memcpy(t, c, 2 * prime->words * sizeof *t);
	modulus_reduce(prime, r, t); /* c / R: n is less than the prime times R */
	modulus_enter(prime, r, r);  /* c */
	modulus_enter(prime, r, r);  /* c * R */
	cvtpm_wipe(t, sizeof t);
}

struct private_op {
	struct modulus modulo_p, modulo_q;
	uint64_t c[NUMBER_MAX_WORDS], m[NUMBER_MAX_WORDS];
	uint64_t p[NUMBER_MAX_HALF_WORDS], q[NUMBER_MAX_HALF_WORDS];
	uint64_t mp[NUMBER_MAX_HALF_WORDS], mq[NUMBER_MAX_HALF_WORDS];
	uint64_t d[NUMBER_MAX_HALF_WORDS], h[NUMBER_MAX_HALF_WORDS];
};

/* RFC 8017, 5.1.2, step 2b, with the primes' roles as there: m = c^d mod n. */
static void by_crt(const struct cvtpm_rsa_key *key, struct private_op *op)
{
	const size_t words = key->public.bits / 128;
	uint64_t borrow;

	get_part(key, P, op->p);
	get_part(key, Q, op->q);
	modulus_begin(&op->modulo_p, op->p, words);
	modulus_begin(&op->modulo_q, op->q, words);
	get_part(key, DP, op->d);
	enter_long(&op->modulo_p, op->mp, op->c);
	modulus_exp(&op->modulo_p, op->mp, op->mp, op->d);
	modulus_leave(&op->modulo_p, op->mp, op->mp);
	get_part(key, DQ, op->d);
	enter_long(&op->modulo_q, op->mq, op->c);
	modulus_exp(&op->modulo_q, op->mq, op->mq, op->d);
	modulus_leave(&op->modulo_q, op->mq, op->mq);

	/* h = (mp - mq) * qInv mod p */
	memcpy(op->h, op->mq, sizeof op->h);
	modulus_normalise(&op->modulo_p, op->h);
	borrow = number_sub(op->h, op->mp, op->h, words);
	number_add_masked(op->h, op->p, 0 - borrow, words);
	get_part(key, QINV, op->d);
	modulus_enter(&op->modulo_p, op->d, op->d);
	modulus_mul(&op->modulo_p, op->h, op->h, op->d);
	modulus_normalise(&op->modulo_p, op->h);

	/* mq + h * q, which is less than n */
	number_mul(op->m, op->h, op->q, words);
	memset(op->h, 0, sizeof op->h);
	op->h[0] = number_add(op->m, op->m, op->mq, words);
	number_add(op->m + words, op->m + words, op->h, words);
}

/* Whether m^e = c modulo a prime. */
static uint64_t is_root(const struct modulus *prime, const uint64_t *m, const uint64_t *c,
			uint32_t e)
{
	uint64_t a[NUMBER_MAX_HALF_WORDS], b[NUMBER_MAX_HALF_WORDS];
	uint64_t equal;

	enter_long(prime, a, m);
	modulus_exp_public(prime, b, a, e);
	enter_long(prime, a, c);
	modulus_normalise(prime, a);
	modulus_normalise(prime, b);
	equal = number_equal(a, b, prime->words);
	cvtpm_wipe(a, sizeof a);
	cvtpm_wipe(b, sizeof b);
	return equal;
}

/* A result that is right modulo one prime and wrong modulo the other gives the primes away:
 * a fault of the machine is enough. So the way back is tried first, modulo both. */
int cvtpm_rsa_private_op(const struct cvtpm_rsa_key *key, const uint8_t *in, uint8_t *out)
{
	const size_t words = key->public.bits / 64;
	const uint32_t e = key->public.exponent;
	uint64_t n[NUMBER_MAX_WORDS];
	struct private_op op;
	int err = cvtpm_rsa_check_public(&key->public);

	if (err)
		return err;
	number_from_bytes(n, words, key->public.n);
	number_from_bytes(op.c, words, in);
	if (number_less(op.c, n, words)) {
		by_crt(key, &op);
		if (is_root(&op.modulo_p, op.m, op.c, e) & is_root(&op.modulo_q, op.m, op.c, e))
			number_to_bytes(op.m, words, out);
		else
			err = CVTPM_ERR_CRYPTO;
	} else {
		err = CVTPM_ERR_SIZE;
	}
	cvtpm_wipe(&op, sizeof op);
	return err;
}

/* ---- a key from its primes ---- */

static uint64_t mask_of(uint64_t bit)
{
	return 0 - bit;
}

/* The binary algorithm, with as many steps as the longest operands need: a is secret. */
uint32_t rsa_inverse(uint32_t a, uint32_t modulus)
{
	uint64_t x = a, y = modulus, u = 1, v = 0, t;

	for (int i = 0; i < 64; i++) { /* x = u * a, y = v * a, and y is odd */
		const uint64_t odd = mask_of(x & 1);
		const uint64_t swap = odd & mask_of((x - y) >> 63);

		t = (x ^ y) & swap, x ^= t, y ^= t;
		t = (u ^ v) & swap, u ^= t, v ^= t;
		x -= y & odd;
		u -= v & odd;
		u += modulus & mask_of(u >> 63);
		x >>= 1;
		u += modulus & mask_of(u & 1);
		u >>= 1;
	}
	return y == 1 ? (uint32_t)v : 0;
}

/* Writes prime - 1 and returns its inverse modulo e, or 0: then e has none modulo it. */
static uint32_t less_one(uint64_t *number, const uint64_t *prime, size_t words, uint32_t e)
{
	memcpy(number, prime, words * sizeof *number);
	number[0] -= 1;
	return rsa_inverse((uint32_t)number_mod_word(number, words, e), e);
}

/* d = e^-1 mod (prime - 1) = (1 + t * (prime - 1)) / e for the t < e that makes it whole. */
static int private_exponent(uint64_t *d, const uint64_t *prime, size_t words, uint32_t e)
{
	uint64_t number[NUMBER_MAX_HALF_WORDS];
	const uint32_t inverse = less_one(number, prime, words, e);
	number_wide product = 1;
	uint64_t rest, t = e - inverse;

	for (size_t i = 0; i < words; i++) {
		product += (number_wide)number[i] * t;
		number[i] = (uint64_t)product;
		product >>= 64;
	}
	rest = (uint64_t)product; /* less than e */
	for (size_t i = words; i-- > 0;)
		d[i] = number_divide_word(&rest, number[i], e);
	cvtpm_wipe(number, sizeof number);
	return inverse ? 0 : CVTPM_ERR_PARAM;
}

/* q^-1 mod p = q^(p - 2) mod p; CVTPM_ERR_PARAM when it is not, as with a p that is not prime. */
static int inverse_of_q(uint64_t *r, const uint64_t *p, const uint64_t *q, size_t words)
{
	const uint64_t one[NUMBER_MAX_HALF_WORDS] = {1};
	const uint64_t two[NUMBER_MAX_HALF_WORDS] = {2};
	uint64_t a[NUMBER_MAX_HALF_WORDS], e[NUMBER_MAX_HALF_WORDS];
	struct modulus modulus;
	bool right;

	modulus_begin(&modulus, p, words);
	modulus_enter(&modulus, a, q);
	number_sub(e, p, two, words);
	modulus_exp(&modulus, r, a, e);
	modulus_mul(&modulus, a, a, r);
	modulus_leave(&modulus, a, a);
	modulus_leave(&modulus, r, r);
	right = number_equal(a, one, words);
	cvtpm_wipe(a, sizeof a);
	cvtpm_wipe(e, sizeof e);
	cvtpm_wipe(&modulus, sizeof modulus);
	return right ? 0 : CVTPM_ERR_PARAM;
}

int rsa_complete(struct cvtpm_rsa_key *key, const uint64_t *p, const uint64_t *q)
{
	const size_t words = key->public.bits / 128;
	uint64_t t[NUMBER_MAX_WORDS];
	int err;

	put_part(key, P, p);
	put_part(key, Q, q);
	number_mul(t, p, q, words);
	number_to_bytes(t, 2 * words, key->public.n);
	err = private_exponent(t, p, words, key->public.exponent);
	put_part(key, DP, t);
	if (!err)
		err = private_exponent(t, q, words, key->public.exponent);
	put_part(key, DQ, t);
	if (!err)
		err = inverse_of_q(t, p, q, words);
	put_part(key, QINV, t);
	cvtpm_wipe(t, sizeof t);
	return err;
}

/* The q for which p * q = n modulo 2^(64 * words): what n / p is if p divides n. From the
 * bottom, a word at a time; `n` is overwritten. */
static void divide_exactly(uint64_t *q, uint64_t *n, const uint64_t *p, size_t words)
{
	const uint64_t inverse = 0 - number_negative_inverse(p[0]);

	for (size_t i = 0; i < words; i++) {
		uint64_t borrow = 0;

		q[i] = n[i] * inverse;
		for (size_t k = 0; i + k < words; k++) {
			const number_wide product = (number_wide)p[k] * q[i] + borrow;

			borrow = (uint64_t)(product >> 64) + (n[i + k] < (uint64_t)product);
			n[i + k] -= (uint64_t)product;
		}
	}
}

/* Both primes, from one. */
static int factor(const struct cvtpm_rsa_public *public, const uint8_t *prime, size_t prime_len,
		  uint64_t *p, uint64_t *q)
{
	const size_t words = public->bits / 128;
	uint64_t n[NUMBER_MAX_WORDS], product[NUMBER_MAX_WORDS];
	uint64_t right;

	if (cvtpm_rsa_check_public(public) || prime_len != public->bits / 16u ||
	    !(prime[0] & 0x80) || !(prime[prime_len - 1] & 1))
		return CVTPM_ERR_PARAM;
	number_from_bytes(p, words, prime);
	number_from_bytes(n, 2 * words, public->n);
	memcpy(product, n, 2 * words * sizeof *n);
	divide_exactly(q, product, p, words);
	number_mul(product, p, q, words);
	right = number_equal(product, n, 2 * words) & ~number_equal(p, q, words) &
		(0 - (q[words - 1] >> 63));
	cvtpm_wipe(product, sizeof product);
	return right ? 0 : CVTPM_ERR_PARAM;
}

int cvtpm_rsa_check_prime(const struct cvtpm_rsa_public *public, const uint8_t *prime,
			  size_t prime_len)
{
	const size_t words = public->bits / 128;
	uint64_t p[NUMBER_MAX_HALF_WORDS], q[NUMBER_MAX_HALF_WORDS], t[NUMBER_MAX_HALF_WORDS];
	int err = factor(public, prime, prime_len, p, q);

	if (!err &&
	    (!less_one(t, p, words, public->exponent) || !less_one(t, q, words, public->exponent)))
		err = CVTPM_ERR_PARAM;
	cvtpm_wipe(p, sizeof p);
	cvtpm_wipe(q, sizeof q);
	cvtpm_wipe(t, sizeof t);
	return err;
}

int cvtpm_rsa_load(const struct cvtpm_rsa_public *public, const uint8_t *prime, size_t prime_len,
		   struct cvtpm_rsa_key *key)
{
	uint64_t p[NUMBER_MAX_HALF_WORDS], q[NUMBER_MAX_HALF_WORDS];
	int err = factor(public, prime, prime_len, p, q);

	memset(key, 0, sizeof *key);
	if (!err) {
		key->public = *public;
		err = rsa_complete(key, p, q);
	}
	cvtpm_wipe(p, sizeof p);
	cvtpm_wipe(q, sizeof q);
	if (err)
		cvtpm_wipe(key, sizeof *key);
	return err;
}
