#include "crypto/wolf.h"

/* What is in cvtpm_drbg.state. wolfCrypt puts the generator's working state and
 * the scratch of its self-test on the heap: on the arena here. */
struct drbg_state {
	WC_RNG rng;
	struct arena arena;
	_Alignas(16) uint8_t memory[1024];
};

_Static_assert(sizeof(struct drbg_state) <= sizeof((struct cvtpm_drbg *)0)->state, "DRBG state");

static struct drbg_state *state_of(struct cvtpm_drbg *drbg)
{
	return (struct drbg_state *)(void *)drbg->state;
}

WC_RNG *drbg_rng(struct cvtpm_drbg *drbg)
{
	return &state_of(drbg)->rng;
}

#ifndef CVTPM_WOLFSSL_PACKAGED

/* wolfCrypt's seed hook. It gets a member of the generator, and so leads back to
 * the one DRBG that asks: each instance has its own entropy source. */
int cvtpm_wc_seed(struct OS_Seed *seed, unsigned char *out, unsigned int len)
{
	uint8_t *state =
		(uint8_t *)seed - offsetof(WC_RNG, seed) - offsetof(struct drbg_state, rng);
	struct cvtpm_drbg *drbg =
		(struct cvtpm_drbg *)(void *)(state - offsetof(struct cvtpm_drbg, state));

	return drbg->entropy(drbg->entropy_context, out, len) ? -1 : 0;
}

static int drbg_start(struct cvtpm_drbg *drbg)
{
	struct drbg_state *state = state_of(drbg);

	arena_begin(&state->arena, state->memory, sizeof state->memory);
	return wc_InitRng_ex(&state->rng, &state->arena, INVALID_DEVID);
}

static int drbg_reseed(struct cvtpm_drbg *drbg, const uint8_t *input, size_t len)
{
	return wc_RNG_DRBG_Reseed(drbg_rng(drbg), input, (word32)len);
}

#else

/* The installed library seeds itself from the operating system and has no hook
 * for an instance: what the instance's own source gives goes in as the nonce. */
static int drbg_start(struct cvtpm_drbg *drbg)
{
	uint8_t nonce[48];
	int err = drbg->entropy(drbg->entropy_context, nonce, sizeof nonce);

	if (!err)
		err = wc_InitRngNonce(drbg_rng(drbg), nonce, sizeof nonce);
	cvtpm_wipe(nonce, sizeof nonce);
	return err;
}

/* It does not reseed on request either: a new generator takes over, whose nonce is
 * the old one's output and the input. */
static int drbg_reseed(struct cvtpm_drbg *drbg, const uint8_t *input, size_t len)
{
	uint8_t nonce[CVTPM_HASH_MAX_SIZE];
	struct cvtpm_hash hash;
	WC_RNG fresh;
	int err = cvtpm_drbg_bytes(drbg, nonce, sizeof nonce);

	if (!err)
		err = cvtpm_hash_begin(&hash, CVTPM_SHA512);
	if (!err)
		err = cvtpm_hash_update(&hash, nonce, sizeof nonce);
	if (!err)
		err = cvtpm_hash_update(&hash, input, len);
	if (!err)
		err = cvtpm_hash_end(&hash, nonce);
	if (!err)
		err = wc_InitRngNonce(&fresh, nonce, sizeof nonce);
	if (!err) {
		wc_FreeRng(drbg_rng(drbg));
		*drbg_rng(drbg) = fresh;
	}
	cvtpm_wipe(nonce, sizeof nonce);
	return err;
}

#endif

int cvtpm_drbg_begin(struct cvtpm_drbg *drbg, int (*entropy)(void *, uint8_t *, size_t),
		     void *entropy_context)
{
	memset(drbg, 0, sizeof *drbg);
	drbg->entropy = entropy;
	drbg->entropy_context = entropy_context;
	return drbg_start(drbg) ? CVTPM_ERR_ENTROPY : 0;
}

int cvtpm_drbg_bytes(struct cvtpm_drbg *drbg, uint8_t *out, size_t len)
{
	/* Nothing longer than this in one request (SP 800-90A, table 2: 2^19 bits). */
	const size_t most = 0x10000;

	for (size_t done = 0, part; done < len; done += part) {
		part = len - done < most ? len - done : most;
		if (wc_RNG_GenerateBlock(drbg_rng(drbg), out + done, (word32)part)) {
			cvtpm_wipe(out, len);
			return CVTPM_ERR_ENTROPY;
		}
	}
	return 0;
}

int cvtpm_drbg_stir(struct cvtpm_drbg *drbg, const uint8_t *data, size_t len)
{
	/* Entropy for the security strength of 256 bits, then the digest of the
	 * additional input, which keeps it to a fixed size. */
	uint8_t input[48 + CVTPM_HASH_MAX_SIZE];
	const size_t used = len ? sizeof input : 48;
	int err = drbg->entropy(drbg->entropy_context, input, 48) ? CVTPM_ERR_ENTROPY : 0;

	if (!err && len)
		err = cvtpm_hash(CVTPM_SHA512, data, len, input + 48);
	if (!err && drbg_reseed(drbg, input, used))
		err = CVTPM_ERR_ENTROPY;
	cvtpm_wipe(input, sizeof input);
	return err;
}

int cvtpm_drbg_reseed(struct cvtpm_drbg *drbg)
{
	return cvtpm_drbg_stir(drbg, NULL, 0);
}

static int from_drbg(void *drbg, uint8_t *out, size_t len)
{
	return cvtpm_drbg_bytes(drbg, out, len);
}

struct cvtpm_source cvtpm_drbg_source(struct cvtpm_drbg *drbg)
{
	return (struct cvtpm_source){from_drbg, drbg};
}

void cvtpm_drbg_end(struct cvtpm_drbg *drbg)
{
	wc_FreeRng(drbg_rng(drbg));
	cvtpm_wipe(drbg, sizeof *drbg);
}
