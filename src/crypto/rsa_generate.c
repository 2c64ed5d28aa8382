/*
 * RSA key generation.
 *
 * The procedure, which no release may change, since keys are derived by it; k is half
 * the key's bits:
 *
 *  1. x is the number in the next k / 8 bytes of the source, with its two topmost and
 *     its lowest bit set.
 *  2. Of x, x + 2, x + 4 .. x + 2 * (WINDOW - 1), as far as they have k bits, the first
 *     that is a prime and has gcd(it - 1, e) = 1 is taken. If there is none: step 1.
 *  3. To be a prime is to pass the Fermat test with base 2, and then ROUNDS rounds of
 *     Miller-Rabin (FIPS 186-5, B.3.1), the base of each the number in the next k / 8
 *     bytes, and if that is not in 2 .. candidate - 2, in those that follow.
 *  4. The second prime q likewise; if |p - q| <= 2^(k - 100), step 1 for q again.
 *  5. The larger one is p.
 *
 * The sieve in front of step 3 only spares tests that would fail. The top bits make both
 * primes larger than sqrt(2) * 2^(k - 1), and n exactly 2k bits long. The keys fulfil
 * FIPS 186-5, A.1.1 (that d is larger than 2^k fails with a probability of 2^-k and is
 * not looked at); the search is that of its A.1.3, but for the increments in place of a
 * fresh start for each candidate.
 *
 * The bound of error. For a uniformly random odd number of k bits let p(k, t) be the
 * probability that it is composite, given that it passed t rounds; Damgard, Landrock and
 * Pomerance (Mathematics of Computation 61, 1993) show that it is less than
 * k^(3/2) 2^t t^(-1/2) 4^(2 - sqrt(tk)). Composite and passing is thus a number with at
 * most p(k, t) * 2 / (k ln 2) * (1 + small), as that part of the odd numbers is prime.
 * Here a candidate is uniform among those whose second bit is set, half of all: twice
 * that. At most WINDOW candidates are tested for one prime, each on its own uniform: the
 * union of these events has at most WINDOW times the probability. That gives for
 *
 *     k = 1024, t = 5:  2^-120.2 * 2^4.6 * 2 = 2^-114.6   (FIPS 186-5, table B.1: 2^-112)
 *     k = 1536, t = 4:  2^-133.8 * 2^4.0 * 2 = 2^-128.8   (2^-128)
 *     k = 2048, t = 4:  2^-157.5 * 2^3.6 * 2 = 2^-152.9   (2^-144)
 *
 * for each prime. The base-2 test in front is not counted.
 */
#include "crypto/rsa_internal.h"

enum {
	WINDOW = 8192,         /* candidates from one start */
	SIEVE_LIMIT = 1 << 17, /* primes below it are sieved with; measured, it changes no key */
};

struct search {
	const struct cvtpm_source *source;
	bool (*cancelled)(void *context);
	void *cancel_context;
	uint32_t exponent;
	size_t words; /* of a prime */
	unsigned rounds;
	uint64_t not_prime[SIEVE_LIMIT / 128]; /* bit i: 2i + 1 is no prime */
	uint64_t out[WINDOW / 64];             /* bit j: start + 2j has a small factor */
	uint64_t start[NUMBER_MAX_HALF_WORDS];
	struct modulus modulus;
};

static bool bit(const uint64_t *bits, size_t i)
{
	return bits[i / 64] >> i % 64 & 1;
}

static void set_bits(uint64_t *bits, size_t from, size_t step, size_t end)
{
	for (size_t i = from; i < end; i += step)
		bits[i / 64] |= 1ull << i % 64;
}

/* Eratosthenes, without the even numbers. */
static void find_small_primes(struct search *s)
{
	for (size_t prime = 3; prime * prime < SIEVE_LIMIT; prime += 2)
		if (!bit(s->not_prime, prime / 2))
			set_bits(s->not_prime, prime * prime / 2, prime, SIEVE_LIMIT / 2);
}

/* The next prime after `prime`, 0 when there is none below the limit. */
static uint32_t next_small_prime(const struct search *s, uint32_t prime)
{
	const size_t i = prime / 2 + 1;
	size_t word = i / 64;
	uint64_t primes;

	if (word == SIEVE_LIMIT / 128)
		return 0;
	primes = ~s->not_prime[word] >> i % 64 << i % 64;
	while (!primes) {
		if (++word == SIEVE_LIMIT / 128)
			return 0;
		primes = ~s->not_prime[word];
	}
	return (uint32_t)(128 * word) + 2 * (uint32_t)__builtin_ctzll(primes) + 1;
}

/* Small primes whose product fits a word: the long division is done once for all of them. */
struct group {
	uint64_t product;
	size_t count;
	uint32_t prime[15]; /* 3 .. 53; all others are fewer */
};

/* Strikes the multiples of the primes. */
static void strike(struct search *s, const struct group *group)
{
	const uint64_t rest = number_mod_word(s->start, s->words, group->product);

	for (size_t i = 0; i < group->count; i++) {
		const uint32_t prime = group->prime[i];
		const uint32_t more = (uint32_t)(rest % prime);

		/* start + 2j is a multiple where 2j = prime - more, or the same and a prime more */
		set_bits(s->out, more ? ((more % 2 ? prime : 2 * prime) - more) / 2 : 0, prime,
			 WINDOW);
	}
}

static void sieve(struct search *s)
{
	struct group group = {.product = 1};

	memset(s->out, 0, sizeof s->out);
	for (uint32_t prime = 3; prime; prime = next_small_prime(s, prime)) {
		if ((number_wide)group.product * prime >> 64) {
			strike(s, &group);
			group.product = 1;
			group.count = 0;
		}
		group.product *= prime;
		group.prime[group.count++] = prime;
	}
	strike(s, &group);
}

/* ---- tests ---- */

/* A base in 2 .. m - 2. */
static int draw_base(struct search *s, uint64_t *base)
{
	const uint64_t two[NUMBER_MAX_HALF_WORDS] = {2};
	uint8_t bytes[8 * NUMBER_MAX_HALF_WORDS];
	uint64_t most[NUMBER_MAX_HALF_WORDS];
	int err;

	number_sub(most, s->modulus.m, two, s->words);
	do {
		err = s->source->bytes(s->source->context, bytes, 8 * s->words);
		number_from_bytes(base, s->words, bytes);
	} while (!err && (number_less(base, two, s->words) | number_less(most, base, s->words)));
	cvtpm_wipe(bytes, sizeof bytes);
	cvtpm_wipe(most, sizeof most);
	return err;
}

/* d = (m - 1) / 2^s; gives s. */
static size_t odd_part(uint64_t *d, const uint64_t *m, size_t words)
{
	size_t zeros = 1;

	memcpy(d, m, words * sizeof *d);
	d[0] -= 1;
	while (!(d[zeros / 64] >> zeros % 64 & 1))
		zeros++;
	for (size_t shifted = 0; shifted < zeros; shifted++) { /* two on the average */
		for (size_t i = 0; i + 1 < words; i++)
			d[i] = d[i] >> 1 | d[i + 1] << 63;
		d[words - 1] >>= 1;
	}
	return zeros;
}

/* One round; `passed` says how it went. */
static int miller_rabin(struct search *s, bool *passed)
{
	uint64_t one[NUMBER_MAX_HALF_WORDS], minus_one[NUMBER_MAX_HALF_WORDS];
	uint64_t d[NUMBER_MAX_HALF_WORDS], z[NUMBER_MAX_HALF_WORDS];
	const size_t zeros = odd_part(d, s->modulus.m, s->words);
	int err = draw_base(s, z);

	*passed = false;
	if (!err) {
		modulus_one(&s->modulus, one);
		number_sub(minus_one, s->modulus.m, one, s->words);
		modulus_enter(&s->modulus, z, z);
		modulus_exp(&s->modulus, z, z, d);
		modulus_normalise(&s->modulus, z);
		*passed = number_equal(z, one, s->words) | number_equal(z, minus_one, s->words);
		for (size_t i = 1; !*passed && i < zeros; i++) {
			modulus_mul(&s->modulus, z, z, z);
			modulus_normalise(&s->modulus, z);
			*passed = number_equal(z, minus_one, s->words);
		}
	}
	cvtpm_wipe(d, sizeof d);
	cvtpm_wipe(z, sizeof z);
	return err;
}

static int test(struct search *s, const uint64_t *candidate, bool *passed)
{
	*passed = false;
	if (s->cancelled && s->cancelled(s->cancel_context))
		return CVTPM_ERR_BUSY;
	modulus_begin_light(&s->modulus, candidate, s->words);
	if (!modulus_fermat_2(&s->modulus))
		return 0;
	modulus_begin(&s->modulus, candidate, s->words);
	*passed = true;
	for (unsigned i = 0; *passed && i < s->rounds; i++)
		CVTPM_TRY(miller_rabin(s, passed));
	return 0;
}

/* ---- the search ---- */

static int draw_start(struct search *s)
{
	uint8_t bytes[8 * NUMBER_MAX_HALF_WORDS];
	int err = s->source->bytes(s->source->context, bytes, 8 * s->words);

	number_from_bytes(s->start, s->words, bytes);
	s->start[s->words - 1] |= 3ull << 62;
	s->start[0] |= 1;
	cvtpm_wipe(bytes, sizeof bytes);
	return err;
}

/* Steps 2 and 3. `found` stays false where the window holds no prime. */
static int search_window(struct search *s, uint64_t *prime, bool *found)
{
	const uint32_t e = s->exponent;
	const uint32_t start_modulo_e = (uint32_t)number_mod_word(s->start, s->words, e);
	uint64_t step[NUMBER_MAX_HALF_WORDS] = {0};

	*found = false;
	for (uint32_t j = 0; !*found && j < WINDOW; j++) {
		if (bit(s->out, j) ||
		    !rsa_inverse((uint32_t)(((uint64_t)start_modulo_e + e + 2 * j - 1) % e), e))
			continue;
		step[0] = 2 * j;
		if (number_add(prime, s->start, step, s->words))
			return 0;
		CVTPM_TRY(test(s, prime, found));
	}
	return 0;
}

static int find_prime(struct search *s, uint64_t *prime)
{
	bool found = false;

	while (!found) {
		CVTPM_TRY(draw_start(s));
		sieve(s);
		CVTPM_TRY(search_window(s, prime, &found));
	}
	return 0;
}

/* |p - q| > 2^(k - 100): the difference has a bit from k - 100 on, and is not just that. */
static bool far_apart(const uint64_t *p, const uint64_t *q, size_t words)
{
	uint64_t difference[NUMBER_MAX_HALF_WORDS], bound[NUMBER_MAX_HALF_WORDS] = {0};

	if (number_less(p, q, words))
		number_sub(difference, q, p, words);
	else
		number_sub(difference, p, q, words);
	bound[words - 2] = 1ull << 28;
	return number_less(bound, difference, words);
}

static int find_primes(struct search *s, struct cvtpm_rsa_key *key)
{
	uint64_t p[NUMBER_MAX_HALF_WORDS], q[NUMBER_MAX_HALF_WORDS];
	int err = find_prime(s, p);

	do {
		if (!err)
			err = find_prime(s, q);
	} while (!err && !far_apart(p, q, s->words));
	if (!err) {
		if (number_less(p, q, s->words))
			err = rsa_complete(key, q, p);
		else
			err = rsa_complete(key, p, q);
		if (err)
			err = CVTPM_ERR_CRYPTO;
	}
	cvtpm_wipe(p, sizeof p);
	cvtpm_wipe(q, sizeof q);
	return err;
}

int cvtpm_rsa_generate(unsigned bits, uint32_t exponent, const struct cvtpm_source *source,
		       bool (*cancelled)(void *context), void *cancel_context,
		       struct cvtpm_rsa_key *key)
{
	struct search search = {
		.source = source,
		.cancelled = cancelled,
		.cancel_context = cancel_context,
		.exponent = exponent,
		.words = bits / 128,
		.rounds = bits == 2048 ? 5 : 4,
	};
	int err;

	memset(key, 0, sizeof *key);
	if (!rsa_bits_are_offered(bits) || !rsa_exponent_is_offered(exponent))
		return CVTPM_ERR_PARAM;
	key->public.bits = (uint16_t)bits;
	key->public.exponent = exponent;
	find_small_primes(&search);
	err = find_primes(&search, key);
	cvtpm_wipe(&search, sizeof search);
	if (err)
		cvtpm_wipe(key, sizeof *key);
	return err;
}
