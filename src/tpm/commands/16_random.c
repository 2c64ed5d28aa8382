/* Part 3, 16: random numbers. */
#include "tpm/tpm.h"

/* 16.1: so many random bytes, but no more than a digest has. */
COMMAND_BODY(GetRandom)
{
	out->randomBytes.size =
		in->bytesRequested < MAX_DIGEST_SIZE ? in->bytesRequested : MAX_DIGEST_SIZE;
	return tpm_random(t, out->randomBytes.buffer, out->randomBytes.size);
}

/* 16.2: additional input for the generator, with fresh entropy beside it. */
COMMAND_BODY(StirRandom)
{
	if (cvtpm_drbg_stir(&t->drbg, in->inData.buffer, in->inData.size))
		return tpm_fail(t, "no entropy for the random number generator");
	return TPM_RC_SUCCESS;
}
