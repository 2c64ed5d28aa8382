/*
 * Ephemeral EC keys (Part 3, 19): one command draws a scalar and gives a point of it, a
 * later one names it by a number and uses it, once.
 *
 * None is kept. Scalar number c is derived from a nonce that each TPM Reset makes anew:
 *
 *     KDFa(CONTEXT_HASH, nonce, "EPHEMERAL", name, [c]64, 8 * (size of the curve + 8))
 *
 * and made of these bytes as every private key is (cvtpm_ecc_scalar_from); `name` is that
 * of the key that it will sign with, or empty. What is kept is the number of the next one,
 * and for each of the last MAX_EPHEMERALS whether it is still to be used. All of that is
 * transactional: a command that fails uses nothing up.
 */
#include "tpm/tpm.h"

#include "crypto/mem.h"

/* crypto.h's way from random bytes to a scalar takes so many more than a coordinate has. */
#define DERIVED_SIZE (CVTPM_ECC_MAX_SIZE + 8)

_Static_assert(MAX_EPHEMERALS % 8 == 0 && 65536 % MAX_EPHEMERALS == 0, "ephemeral_take()");

struct derived {
	uint8_t bytes[DERIVED_SIZE];
};

static int derived_bytes(void *context, uint8_t *out, size_t len)
{
	memcpy(out, ((struct derived *)context)->bytes, len);
	return 0;
}

static tpm_rc derive(struct tpm *t, TPMI_ECC_CURVE curve, const TPM2B_NAME *name, uint64_t number,
		     uint8_t *scalar)
{
	const struct cvtpm_octets nonce = {t->ephemerals.nonce.bytes,
					   sizeof t->ephemerals.nonce.bytes};
	uint8_t counter[8];
	struct writer w = {counter, sizeof counter, false};
	struct derived derived;
	const struct cvtpm_source source = {derived_bytes, &derived};
	int err;

	TRY(selftest_need(t, CONTEXT_HASH));
	TRY(selftest_need(t, TPM_ALG_KDF1_SP800_108));
	TRY(selftest_need_curve(t, TPM_ALG_ECC, curve));
	write_u64(&w, number);
	err = cvtpm_kdfa((enum cvtpm_hash_alg)CONTEXT_HASH, nonce, CVTPM_TEXT("EPHEMERAL"),
			 OCTETS(*name), (struct cvtpm_octets){counter, sizeof counter},
			 8 * (uint32_t)(cvtpm_curve_size((enum cvtpm_curve)curve) + 8),
			 derived.bytes);
	if (!err)
		err = cvtpm_ecc_scalar_from((enum cvtpm_curve)curve, &source, scalar);
	cvtpm_wipe(&derived, sizeof derived);
	return err ? tpm_fail(t, "an ephemeral key could not be derived") : TPM_RC_SUCCESS;
}

static void mark(struct tpm *t, uint64_t number, bool pending)
{
	uint8_t *byte = &t->ephemerals.pending.bytes[number % MAX_EPHEMERALS / 8];
	const unsigned bit = 1u << number % 8;

	SET(t, *byte, (uint8_t)(pending ? *byte | bit : *byte & ~bit));
}

static bool is_pending(const struct tpm *t, uint64_t number)
{
	return t->ephemerals.pending.bytes[number % MAX_EPHEMERALS / 8] >> number % 8 & 1;
}

tpm_rc ephemeral_reset(struct tpm *t)
{
	memset(&t->ephemerals, 0, sizeof t->ephemerals);
	return tpm_random(t, t->ephemerals.nonce.bytes, sizeof t->ephemerals.nonce.bytes);
}

tpm_rc ephemeral_make(struct tpm *t, TPMI_ECC_CURVE curve, const TPM2B_NAME *name, uint8_t *scalar,
		      uint16_t *counter)
{
	const uint64_t number = t->ephemerals.counter;

	TRY(derive(t, curve, name, number, scalar));
	mark(t, number, true); /* takes the place of one that was never used */
	SET(t, t->ephemerals.counter, number + 1);
	*counter = (uint16_t)number;
	return TPM_RC_SUCCESS;
}

tpm_rc ephemeral_take(struct tpm *t, TPMI_ECC_CURVE curve, const TPM2B_NAME *name, uint16_t counter,
		      uint8_t *scalar)
{
	/* Of a number the caller has the lower half; none that counts is so old. */
	const uint16_t age = (uint16_t)(t->ephemerals.counter - counter);
	const uint64_t number = t->ephemerals.counter - age;

	if (age == 0 || age > MAX_EPHEMERALS || !is_pending(t, number))
		return TPM_RC_VALUE;
	mark(t, number, false);
	return derive(t, curve, name, number, scalar);
}
