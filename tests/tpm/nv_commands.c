#include "nv_commands.h"

tpm_rc define_as(struct rig *r, TPM_HANDLE auth, const TPMS_NV_PUBLIC *public, const char *password)
{
	struct NV_DefineSpace_in in = {
		.authHandle = auth, .auth = rig_auth(password), .publicInfo.nvPublic = *public};

	return RIG_RUN(r, NV_DefineSpace, &in, NULL);
}

TPMS_NV_PUBLIC public_of(TPMA_NV attributes, uint16_t size)
{
	return (TPMS_NV_PUBLIC){INDEX, TPM_ALG_SHA256, attributes, {.size = 0}, size};
}

tpm_rc define(struct rig *r, TPMA_NV attributes, uint16_t size)
{
	TPMS_NV_PUBLIC public = public_of(attributes, size);

	return define_as(r, attributes & TPMA_NV_PLATFORMCREATE ? TPM_RH_PLATFORM : TPM_RH_OWNER,
			 &public, "");
}

tpm_rc write_as(struct rig *r, TPM_HANDLE auth, const void *data, uint16_t size, uint16_t offset)
{
	struct NV_Write_in in = {
		.authHandle = auth, .nvIndex = INDEX, .data.size = size, .offset = offset};

	memcpy(in.data.buffer, data, size);
	return RIG_RUN(r, NV_Write, &in, NULL);
}

tpm_rc write_nv(struct rig *r, const void *data, uint16_t size, uint16_t offset)
{
	return write_as(r, TPM_RH_OWNER, data, size, offset);
}

tpm_rc read_as(struct rig *r, TPM_HANDLE auth, uint16_t size, uint16_t offset,
	       struct NV_Read_out *out)
{
	struct NV_Read_in in = {
		.authHandle = auth, .nvIndex = INDEX, .size = size, .offset = offset};

	return RIG_RUN(r, NV_Read, &in, out);
}

void holds(struct rig *r, const void *data, uint16_t size)
{
	struct NV_Read_out out;

	OK(read_as(r, TPM_RH_OWNER, size, 0, &out));
	assert_int_equal(out.data.size, size);
	assert_memory_equal(out.data.buffer, data, size);
}

uint64_t value_of(struct rig *r)
{
	struct NV_Read_out out;
	uint64_t value = 0;

	OK(read_as(r, TPM_RH_OWNER, 8, 0, &out));
	for (unsigned i = 0; i < 8; i++)
		value = value << 8 | out.data.buffer[i];
	return value;
}

tpm_rc increment(struct rig *r, TPM_HANDLE index)
{
	struct NV_Increment_in in = {.authHandle = TPM_RH_OWNER, .nvIndex = index};

	return RIG_RUN(r, NV_Increment, &in, NULL);
}

tpm_rc undefine(struct rig *r, TPM_HANDLE auth, TPM_HANDLE index)
{
	struct NV_UndefineSpace_in in = {.authHandle = auth, .nvIndex = index};

	return RIG_RUN(r, NV_UndefineSpace, &in, NULL);
}

tpm_rc write_lock(struct rig *r, TPM_HANDLE auth)
{
	struct NV_WriteLock_in in = {.authHandle = auth, .nvIndex = INDEX};

	return RIG_RUN(r, NV_WriteLock, &in, NULL);
}

tpm_rc read_lock(struct rig *r, TPM_HANDLE auth)
{
	struct NV_ReadLock_in in = {.authHandle = auth, .nvIndex = INDEX};

	return RIG_RUN(r, NV_ReadLock, &in, NULL);
}

tpm_rc extend(struct rig *r, const char *text)
{
	struct NV_Extend_in in = {.authHandle = TPM_RH_OWNER, .nvIndex = INDEX};

	in.data.size = (uint16_t)strlen(text);
	memcpy(in.data.buffer, text, in.data.size);
	return RIG_RUN(r, NV_Extend, &in, NULL);
}

tpm_rc set_bits(struct rig *r, uint64_t bits)
{
	struct NV_SetBits_in in = {.authHandle = TPM_RH_OWNER, .nvIndex = INDEX, .bits = bits};

	return RIG_RUN(r, NV_SetBits, &in, NULL);
}

struct NV_ReadPublic_out public_now(struct rig *r)
{
	struct NV_ReadPublic_in in = {.nvIndex = INDEX};
	struct NV_ReadPublic_out out;

	OK(RIG_RUN(r, NV_ReadPublic, &in, &out));
	return out;
}

TPMA_NV attributes_now(struct rig *r)
{
	return public_now(r).nvPublic.nvPublic.attributes;
}

tpm_rc shut_down(struct rig *r, TPM_SU type)
{
	struct Shutdown_in in = {.shutdownType = type};

	return RIG_RUN(r, Shutdown, &in, NULL);
}

/* Power off and on, orderly or not, and TPM2_Startup. */
void cycle(struct rig *r, bool shutdown, TPM_SU shut, TPM_SU start)
{
	if (shutdown)
		OK(shut_down(r, shut));
	OK(r->engine->power_on(r->tpm));
	OK(rig_startup(r, start));
}

/* The policy PolicyCommandCode(code), and a session that fulfils it. */
TPM2B_DIGEST command_policy(struct rig *r, TPM_CC code)
{
	struct client_session s = rig_session(r, TPM_SE_TRIAL);
	struct PolicyCommandCode_in in = {.policySession = s.handle, .code = code};
	TPM2B_DIGEST digest;

	OK(RIG_RUN(r, PolicyCommandCode, &in, NULL));
	digest = policy_digest(r, s.handle);
	rig_flush(r, s.handle);
	return digest;
}

struct client_session command_session(struct rig *r, TPM_CC code)
{
	struct client_session s = rig_session(r, TPM_SE_POLICY);
	struct PolicyCommandCode_in in = {.policySession = s.handle, .code = code};

	OK(RIG_RUN(r, PolicyCommandCode, &in, NULL));
	return s;
}

tpm_rc undefine_special(struct rig *r, const struct client_session *policy)
{
	struct client_session s[2] = {
		*policy, {.handle = TPM_RS_PW, .attributes = TPMA_SESSION_CONTINUESESSION}};
	struct NV_UndefineSpaceSpecial_in in = {.nvIndex = INDEX, .platform = TPM_RH_PLATFORM};

	rig_sessions(r, s, 2);
	return RIG_RUN(r, NV_UndefineSpaceSpecial, &in, NULL);
}
