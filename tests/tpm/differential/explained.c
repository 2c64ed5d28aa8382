/*
 * Differences that are known, and who is right: docs/differences.md has a section for
 * each, and each row names it. What no row covers is a difference.
 */
#include "world.h"

#define ANY_CODE 0xFFFFFFFFu

static bool is_mangled(const struct world *w, const struct pair *p, tpm_rc native, tpm_rc other)
{
	(void)w, (void)native, (void)other;
	return p->mangled;
}

/* The same parameter: TPM_RC_TAG here, TPM_RC_VALUE there. */
static bool tag_is_unknown(const struct world *w, const struct pair *p, tpm_rc native, tpm_rc other)
{
	(void)w;
	return p->mangled && (native & 0xFF) == (TPM_RC_TAG | 0x40) &&
	       other == (native ^ (TPM_RC_TAG ^ TPM_RC_VALUE));
}

/* The same parameter, and a curve that is not offered here: libtpms has more. */
static bool is_curve(const struct world *w, const struct pair *p, tpm_rc native, tpm_rc other)
{
	(void)w, (void)other;
	return p->mangled && (native & 0xFF) == (TPM_RC_CURVE | 0x40);
}

/* Both numbers are negative: they are compared the other way round there. */
static bool is_signed(const struct world *w, const struct pair *p, tpm_rc native, tpm_rc other)
{
	TPM_EO operation = p->command->code == TPM_CC_PolicyNV
				   ? p->in[NATIVE].PolicyNV.operation
				   : p->in[NATIVE].PolicyCounterTimer.operation;
	const TPM2B_OPERAND *b = p->command->code == TPM_CC_PolicyNV
					 ? &p->in[NATIVE].PolicyNV.operandB
					 : &p->in[NATIVE].PolicyCounterTimer.operandB;

	(void)w;
	return (native == 0) != (other == 0) && (b->size == 0 || b->buffer[0] & 0x80) &&
	       (operation == TPM_EO_SIGNED_GT || operation == TPM_EO_SIGNED_LT ||
		operation == TPM_EO_SIGNED_GE || operation == TPM_EO_SIGNED_LE);
}

static bool uses_public_only(const struct world *w, const struct pair *p, tpm_rc native,
			     tpm_rc other)
{
	(void)native, (void)other;
	for (size_t i = 0; i < MAX_KEYS; i++)
		for (unsigned n = 0; n < command_auths(p->command); n++)
			if (w->keys[i].kind && w->keys[i].public_only &&
			    w->keys[i].e.handle[NATIVE] == p->entity[n].handle[NATIVE])
				return true;
	return false;
}

/* A command that was spoilt so that it says AES with 192 bits, a parameter refused there. */
static bool is_aes_192(const struct world *w, const struct pair *p, tpm_rc native, tpm_rc other)
{
	static const uint8_t aes_192[] = {0, TPM_ALG_AES, 0, 192};
	const struct rig *r = w->rig[NATIVE];

	(void)native;
	for (size_t i = 0; p->mangled && i + sizeof aes_192 <= r->command_len; i++)
		if (memcmp(r->command + i, aes_192, sizeof aes_192) == 0)
			return (other & 0xFF) == (TPM_RC_VALUE | 0x40);
	return false;
}

static const struct {
	const char *section; /* of docs/differences.md */
	TPM_CC code;         /* 0: any command */
	tpm_rc native, other;
	bool (*when)(const struct world *w, const struct pair *p, tpm_rc native, tpm_rc other);
} explained[] = {
	{"The size of the authorization area", 0, TPM_RC_AUTHSIZE, TPM_RC_SIZE, NULL},
	{"The size of the authorization area", 0, TPM_RC_AUTHSIZE, RC_S(4, TPM_RC_SIZE), NULL},
	{"A resume with another H-CRTM", TPM_CC_Startup, TPM_RC_LOCALITY, RC_P(1, TPM_RC_VALUE),
	 NULL},
	{"HMAC is MAC there", TPM_CC_HMAC, RC_P(2, TPM_RC_HASH), RC_P(2, TPM_RC_SYMMETRIC),
	 is_mangled},
	{"HMAC is MAC there", TPM_CC_HMAC_Start, RC_P(2, TPM_RC_HASH), RC_P(2, TPM_RC_SYMMETRIC),
	 is_mangled},
	{"Where libtpms fails", 0, ANY_CODE, TPM_RC_FAILURE, uses_public_only},
	{"Where libtpms fails", TPM_CC_RSA_Encrypt, TPM_RC_VALUE, TPM_RC_FAILURE, NULL},
	{"Where libtpms fails", TPM_CC_RSA_Decrypt, TPM_RC_VALUE, TPM_RC_FAILURE, NULL},
	{"HMAC is MAC there", TPM_CC_HMAC, RC_H(1, TPM_RC_TYPE), RC_P(2, TPM_RC_VALUE), NULL},
	{"HMAC is MAC there", TPM_CC_HMAC_Start, RC_H(1, TPM_RC_TYPE), RC_P(2, TPM_RC_VALUE), NULL},
	{"Algorithms", 0, TPM_RC_SUCCESS, ANY_CODE, is_aes_192},
	{"Algorithms", 0, ANY_CODE, ANY_CODE, is_curve},
	{"Signed comparisons", TPM_CC_PolicyNV, ANY_CODE, ANY_CODE, is_signed},
	{"Signed comparisons", TPM_CC_PolicyCounterTimer, ANY_CODE, ANY_CODE, is_signed},
	{"RSA exponents", TPM_CC_LoadExternal, RC_P(2, TPM_RC_VALUE), TPM_RC_SUCCESS, is_mangled},
	{"RSA exponents", TPM_CC_LoadExternal, RC_P(2, TPM_RC_VALUE), TPM_RC_BINDING, is_mangled},
	{"A policy without a name", TPM_CC_LoadExternal, RC_P(2, TPM_RC_SIZE), TPM_RC_SUCCESS,
	 is_mangled},
	{"Room", TPM_CC_NV_DefineSpace, TPM_RC_SUCCESS, RC_P(2, TPM_RC_SIZE), is_mangled},
	{"Handles of sessions", 0, TPM_RC_REFERENCE_H0, RC_H(1, TPM_RC_HANDLE), is_mangled},
	{"Handles of sessions", 0, TPM_RC_REFERENCE_H0 + 1, RC_H(2, TPM_RC_HANDLE), is_mangled},
	{"Handles of sessions", 0, TPM_RC_REFERENCE_H0 + 2, RC_H(3, TPM_RC_HANDLE), is_mangled},
	{"Handles of objects", 0, TPM_RC_REFERENCE_H0, RC_H(1, TPM_RC_VALUE), is_mangled},
	{"What clocks show", TPM_CC_ClockSet, RC_P(1, TPM_RC_VALUE), TPM_RC_SUCCESS, is_mangled},
	{"What clocks show", TPM_CC_ClockSet, TPM_RC_SUCCESS, RC_P(1, TPM_RC_VALUE), is_mangled},
	{"HMAC is MAC there", TPM_CC_HMAC, RC_H(1, TPM_RC_TYPE), RC_P(2, TPM_RC_SCHEME), NULL},
	{"HMAC is MAC there", TPM_CC_HMAC_Start, RC_H(1, TPM_RC_TYPE), RC_P(2, TPM_RC_SCHEME),
	 NULL},
	{"Tags of tickets", 0, ANY_CODE, ANY_CODE, tag_is_unknown},
};

bool difference_is_explained(const struct world *w, const struct pair *p, tpm_rc native,
			     tpm_rc other)
{
	for (size_t i = 0; i < sizeof explained / sizeof *explained; i++)
		if ((explained[i].code == 0 || explained[i].code == p->command->code) &&
		    (explained[i].native == ANY_CODE || explained[i].native == native) &&
		    (explained[i].other == ANY_CODE || explained[i].other == other) &&
		    (!explained[i].when || explained[i].when(w, p, native, other)))
			return true;
	return false;
}
