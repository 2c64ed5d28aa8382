#include "trace/codes.h"

#include <stdio.h>

struct row {
	tpm_rc rc; /* without number */
	const char *name, *meaning;
};

#define ROW(rc, meaning)                                                                           \
	{                                                                                          \
		rc, #rc, meaning                                                                   \
	}

/* Part 2, 6.6.3. */
static const struct row rows[] = {
	ROW(TPM_RC_SUCCESS, "done"),
	ROW(TPM_RC_BAD_TAG, "the command's tag is neither TPM_ST_NO_SESSIONS nor TPM_ST_SESSIONS: "
			    "not a TPM 2.0 command, or not its beginning"),
	ROW(TPM_RC_INITIALIZE, "TPM2_Startup is wanted first, or has been sent already"),
	ROW(TPM_RC_FAILURE, "the TPM is in failure mode: TPM2_GetTestResult says why, a reset "
			    "may end it"),
	ROW(TPM_RC_SEQUENCE, "improper use of a sequence handle"),
	ROW(TPM_RC_DISABLED, "the command is disabled (TPM2_Clear: by TPM2_ClearControl)"),
	ROW(TPM_RC_EXCLUSIVE, "the audit session wants to be exclusive, and other commands came "
			      "between"),
	ROW(TPM_RC_AUTH_TYPE, "the authorisation for a handle is of a kind that this command does "
			      "not take: a policy is needed, or an HMAC"),
	ROW(TPM_RC_AUTH_MISSING, "a handle needs an authorisation and no session came for it: the "
				 "command must have tag TPM_ST_SESSIONS"),
	ROW(TPM_RC_POLICY, "a policy command failed: its precondition is contradicted or was set "
			   "before"),
	ROW(TPM_RC_PCR, "the PCR check failed: other values than the ones expected"),
	ROW(TPM_RC_PCR_CHANGED, "a PCR has changed since it was checked: begin the policy anew"),
	{RC_VER1 + 0x2D, "TPM_RC_UPGRADE", "the TPM is in field upgrade mode"},
	ROW(TPM_RC_TOO_MANY_CONTEXTS, "the context counter is at its end: flush sessions"),
	ROW(TPM_RC_AUTH_UNAVAILABLE, "the entity cannot be authorised like this: its authValue or "
				     "policy is not to be used for this (userWithAuth, AUTHREAD, "
				     "AUTHWRITE ..., or an empty policy)"),
	ROW(TPM_RC_REBOOT, "a TPM reset is needed before the TPM goes on"),
	ROW(TPM_RC_UNBALANCED, "hash and symmetric key size of a protection do not match"),
	ROW(TPM_RC_COMMAND_SIZE, "the size in the header is not the number of bytes that came"),
	ROW(TPM_RC_COMMAND_CODE, "this TPM does not have the command"),
	ROW(TPM_RC_AUTHSIZE, "authorizationSize is too small, or reaches beyond the command"),
	ROW(TPM_RC_AUTH_CONTEXT, "this command takes no sessions at all"),
	ROW(TPM_RC_NV_RANGE, "offset and size reach beyond the NV index"),
	ROW(TPM_RC_NV_SIZE, "the NV index would be larger than allowed"),
	ROW(TPM_RC_NV_LOCKED, "the NV index is locked for reading or for writing"),
	ROW(TPM_RC_NV_AUTHORIZATION, "this authority may not do that to the NV index: see its "
				     "attributes"),
	ROW(TPM_RC_NV_UNINITIALIZED, "nothing has been written to the NV index yet, or its state "
				     "was lost"),
	ROW(TPM_RC_NV_SPACE, "no room left in NV: undefine an index or evict an object"),
	ROW(TPM_RC_NV_DEFINED, "the NV index or persistent handle is in use already"),
	ROW(TPM_RC_BAD_CONTEXT, "the saved context is not valid (any more)"),
	ROW(TPM_RC_CPHASH, "the policy has a cpHash, nameHash or template already, or another"),
	ROW(TPM_RC_PARENT, "the handle is not of a key that can be a parent"),
	ROW(TPM_RC_NEEDS_TEST, "a function must be tested first: TPM2_SelfTest"),
	ROW(TPM_RC_NO_RESULT, "a computation has no result, such as the point at infinity"),
	ROW(TPM_RC_SENSITIVE, "the sensitive area did not unmarshal after its decryption: a wrong "
			      "parent or seed?"),
	ROW(TPM_RC_ASYMMETRIC, "an asymmetric algorithm that this TPM does not have, or not here"),
	ROW(TPM_RC_ATTRIBUTES, "attributes that contradict each other, the use or the parent"),
	ROW(TPM_RC_HASH, "a hash algorithm that this TPM does not have, or not here"),
	ROW(TPM_RC_VALUE, "a value that is out of range or not allowed here"),
	ROW(TPM_RC_HIERARCHY, "the hierarchy is disabled, or not the right one for this"),
	ROW(TPM_RC_KEY_SIZE, "a key size that this TPM does not have"),
	ROW(TPM_RC_MGF, "a mask generation function that this TPM does not have"),
	ROW(TPM_RC_MODE, "a mode of operation that this TPM does not have"),
	ROW(TPM_RC_TYPE, "the type is not the right one for this use"),
	ROW(TPM_RC_HANDLE, "there is nothing under this handle, or not of the right kind: is it "
			   "loaded, defined, made persistent, of this boot?"),
	ROW(TPM_RC_KDF, "a key derivation function that this TPM does not have, or not here"),
	ROW(TPM_RC_RANGE, "a value is out of its range"),
	ROW(TPM_RC_AUTH_FAIL, "the authorisation is wrong, and the failure counts against "
			      "dictionary attack: check the authValue, and for an HMAC the "
			      "nonces, names and the session's key"),
	ROW(TPM_RC_NONCE, "a nonce of the wrong size or value; a password session has none"),
	ROW(TPM_RC_PP, "physical presence has to be asserted"),
	ROW(TPM_RC_SCHEME, "a scheme that this TPM does not have, or not with this key"),
	ROW(TPM_RC_SIZE, "a structure of the wrong size, or bytes left over"),
	ROW(TPM_RC_SYMMETRIC, "a symmetric algorithm or key size that this TPM does not have, or "
			      "not here; a session that encrypts needs one"),
	ROW(TPM_RC_TAG, "the wrong tag of a structure, such as a ticket's"),
	ROW(TPM_RC_SELECTOR, "the selector of a union selects nothing"),
	ROW(TPM_RC_INSUFFICIENT, "the bytes end before the value does"),
	ROW(TPM_RC_SIGNATURE, "the signature does not verify"),
	ROW(TPM_RC_KEY, "the key is not fit for this use"),
	ROW(TPM_RC_POLICY_FAIL, "the session's policyDigest is not the entity's authPolicy, or a "
				"condition of the policy does not hold now"),
	ROW(TPM_RC_INTEGRITY, "the integrity check failed: altered, or not made under this parent "
			      "or by this TPM"),
	ROW(TPM_RC_TICKET,
	    "the ticket is not valid: altered, or of another TPM, hierarchy or boot"),
	ROW(TPM_RC_RESERVED_BITS, "a reserved bit is set"),
	ROW(TPM_RC_BAD_AUTH, "the authorisation is wrong; this entity is not protected against "
			     "dictionary attack, so that nothing is counted"),
	ROW(TPM_RC_EXPIRED, "the policy has expired"),
	ROW(TPM_RC_POLICY_CC, "the policy is for another command"),
	ROW(TPM_RC_BINDING, "public and sensitive part do not belong together"),
	ROW(TPM_RC_CURVE, "a curve that this TPM does not have"),
	ROW(TPM_RC_ECC_POINT, "the point is not on the curve"),
	ROW(TPM_RC_CONTEXT_GAP,
	    "the oldest saved session must be loaded before a new one is saved"),
	ROW(TPM_RC_OBJECT_MEMORY, "no room for another object: flush or save one"),
	ROW(TPM_RC_SESSION_MEMORY, "no room for another session: flush or save one"),
	ROW(TPM_RC_MEMORY, "no room inside the TPM: flush objects or sessions"),
	ROW(TPM_RC_SESSION_HANDLES, "no session handle left: flush sessions"),
	ROW(TPM_RC_OBJECT_HANDLES, "no object handle left: a reset is needed"),
	ROW(TPM_RC_LOCALITY, "not from this locality"),
	ROW(TPM_RC_YIELDED, "the TPM has suspended the command: send it again"),
	ROW(TPM_RC_CANCELED, "the command was cancelled; it changed nothing"),
	ROW(TPM_RC_TESTING, "the TPM tests itself: send the command again"),
	ROW(TPM_RC_NV_RATE, "NV is written too often: wait, and send the command again"),
	ROW(TPM_RC_LOCKOUT, "the TPM is in lockout after failed authorisations: wait for its "
			    "recovery time, or TPM2_DictionaryAttackLockReset"),
	ROW(TPM_RC_RETRY, "the TPM could not begin: send the command again"),
	ROW(TPM_RC_NV_UNAVAILABLE, "NV cannot be written just now"),
};

static const struct row *find(tpm_rc rc)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].rc == rc)
			return &rows[i];
	return NULL;
}

/* Software between its user and the TPM answers in the TPM's place with codes of its own. */
static const char *layer_of(uint32_t code)
{
	switch (code >> 16) {
	case 0:
		return NULL;
	case 11:
	case 12:
		return "the resource manager";
	case 10:
		return "the TCTI";
	default:
		return "other software";
	}
}

/* Part 2, 6.6.2: what the code is about, and its number. */
static tpm_rc take_number(uint32_t code, struct trace_code *out)
{
	if (code & RC_FMT1) {
		out->about = code & 0x040   ? TRACE_ABOUT_PARAMETER
			     : code & 0x800 ? TRACE_ABOUT_SESSION
					    : TRACE_ABOUT_HANDLE;
		out->number = code >> 8 & (code & 0x040 ? 15 : 7);
		if (!out->number && out->about == TRACE_ABOUT_HANDLE)
			out->about = TRACE_ABOUT_NOTHING; /* the bare code */
		return code & 0x0BF;
	}
	if (code >= TPM_RC_REFERENCE_H0 && code < TPM_RC_REFERENCE_H0 + 7) {
		out->about = TRACE_ABOUT_HANDLE;
		out->number = code - TPM_RC_REFERENCE_H0 + 1;
	} else if (code >= TPM_RC_REFERENCE_S0 && code < TPM_RC_REFERENCE_S0 + 7) {
		out->about = TRACE_ABOUT_SESSION;
		out->number = code - TPM_RC_REFERENCE_S0 + 1;
	}
	return code;
}

void trace_code(uint32_t code, struct trace_code *out)
{
	const uint32_t own = code & 0xFFFF;

	*out = (struct trace_code){.meaning = "", .layer = layer_of(code)};
	const struct row *row = own <= 0xFFF ? find(take_number(own, out)) : NULL;

	if (row) {
		snprintf(out->name, sizeof out->name, "%s", row->name);
		out->meaning = row->meaning;
	} else if (own <= 0xFFF && !(own & RC_FMT1) && out->about == TRACE_ABOUT_HANDLE) {
		snprintf(out->name, sizeof out->name, "TPM_RC_REFERENCE_H%u", out->number - 1);
		out->meaning =
			"the object or session of this handle is not loaded: load it, or use "
			"the handle that it has now";
	} else if (own <= 0xFFF && !(own & RC_FMT1) && out->about == TRACE_ABOUT_SESSION) {
		snprintf(out->name, sizeof out->name, "TPM_RC_REFERENCE_S%u", out->number - 1);
		out->meaning = "this session is not loaded: it was flushed, or ended without "
			       "continueSession";
	} else {
		snprintf(out->name, sizeof out->name, "0x%x", code);
		if (own <= 0xFFF && !(own & RC_FMT1) && own & 0x400)
			out->meaning = "a code of the TPM's vendor";
	}
}

void trace_code_about(const struct trace_code *code, const struct command *command, char *text,
		      size_t size)
{
	static const char *const what[] = {"", "parameter", "handle", "session"};
	const char *name = NULL;

	text[0] = 0;
	if (code->about == TRACE_ABOUT_NOTHING)
		return;
	if (command && code->about == TRACE_ABOUT_HANDLE && code->number &&
	    code->number <= command_handles(command))
		name = command->handles[code->number - 1].name;
	for (unsigned n = 0; command && code->about == TRACE_ABOUT_PARAMETER && n < code->number &&
			     command->in[n].type;
	     n++)
		name = n + 1 == code->number ? command->in[n].name : NULL;
	if (!code->number)
		snprintf(text, size, "a %s", what[code->about]);
	else
		snprintf(text, size, name ? "%s %u (%s)" : "%s %u", what[code->about], code->number,
			 name);
}
