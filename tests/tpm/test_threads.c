/*
 * Two TPMs in two threads have nothing in common: each gives what one alone gives. Built with
 * ThreadSanitizer, which sees what they touch.
 */
#include "rig.h"
#include "tpm/spec.h"

#include <pthread.h>
#include <string.h>

#define ROUNDS 100
#define INDEX  0x01500001u

struct life {
	struct rig *r;
	uint8_t value; /* what this TPM alone extends with and writes */
	TPM_HANDLE rsa, ecc;

	/* what it gave */
	TPM2B_DIGEST random[ROUNDS], policy;
	TPML_DIGEST pcrs;
	TPM2B_MAX_NV_BUFFER nv;
	unsigned failures; /* asserts belong to the main thread */
};

#define DO(l, command, in, out) ((l)->failures += RIG_RUN((l)->r, command, (in), (out)) != 0)

static void flush(struct life *l, TPM_HANDLE handle)
{
	struct FlushContext_in in = {.flushHandle = handle};

	DO(l, FlushContext, &in, NULL);
}

static TPM2B_DIGEST digest_to_sign(void)
{
	TPM2B_DIGEST digest = {.size = 32};

	memset(digest.buffer, 0x5A, digest.size);
	return digest;
}

static TPM_HANDLE make_key(struct life *l, TPMT_PUBLIC template)
{
	struct CreatePrimary_in in = {.primaryHandle = TPM_RH_OWNER,
				      .inSensitive.size = 4,
				      .inPublic.publicArea = template};
	struct CreatePrimary_out out;

	DO(l, CreatePrimary, &in, &out);
	return out.handle;
}

static TPMT_PUBLIC rsa_template(void)
{
	TPMT_PUBLIC t = rig_signing_template();

	t.type = TPM_ALG_RSA;
	memset(&t.parameters, 0, sizeof t.parameters);
	memset(&t.unique, 0, sizeof t.unique);
	t.parameters.rsaDetail.symmetric.algorithm = TPM_ALG_NULL;
	t.parameters.rsaDetail.scheme.scheme = TPM_ALG_NULL;
	t.parameters.rsaDetail.keyBits = 2048;
	return t;
}

/* A signature that the TPM itself verifies. */
static void sign_and_verify(struct life *l, TPM_HANDLE key, TPM_ALG_ID scheme)
{
	struct Sign_in sign = {.keyHandle = key,
			       .digest = digest_to_sign(),
			       .inScheme = {scheme, {.any.hashAlg = TPM_ALG_SHA256}},
			       .validation = {.tag = TPM_ST_HASHCHECK, .hierarchy = TPM_RH_NULL}};
	struct VerifySignature_in verify = {.keyHandle = key, .digest = sign.digest};
	struct Sign_out made;

	DO(l, Sign, &sign, &made);
	verify.signature = made.signature;
	rig_no_sessions(l->r);
	DO(l, VerifySignature, &verify, NULL);
}

static struct client_session start(struct life *l, TPM_SE type)
{
	struct StartAuthSession_in in = {.tpmKey = TPM_RH_NULL,
					 .bind = TPM_RH_OWNER,
					 .nonceCaller.size = 32,
					 .sessionType = type,
					 .symmetric = {TPM_ALG_AES, {.aes = 128}, {TPM_ALG_CFB}},
					 .authHash = TPM_ALG_SHA256};
	struct client_session s = {.authHash = in.authHash, .symmetric = in.symmetric};
	struct StartAuthSession_out out;

	DO(l, StartAuthSession, &in, &out);
	s.handle = out.handle;
	s.nonceTPM = out.nonceTPM;
	s.nonceCaller = in.nonceCaller;
	l->failures += client_session_key(&s, (struct cvtpm_octets){"", 0},
					  (struct cvtpm_octets){NULL, 0}) != 0;
	return s;
}

/* Random bytes that come encrypted by a session whose HMACs both sides check. */
static void get_random(struct life *l, TPM2B_DIGEST *random)
{
	struct GetRandom_in in = {.bytesRequested = 32};
	struct client_session s = start(l, TPM_SE_HMAC);
	struct GetRandom_out out;

	s.attributes = TPMA_SESSION_ENCRYPT | TPMA_SESSION_CONTINUESESSION;
	rig_sessions(l->r, &s, 1);
	DO(l, GetRandom, &in, &out);
	*random = out.randomBytes;
	flush(l, s.handle);
}

static void follow_policy(struct life *l)
{
	struct client_session s = start(l, TPM_SE_POLICY);
	struct PolicyCommandCode_in code = {.policySession = s.handle, .code = TPM_CC_NV_Write};
	struct PolicyPCR_in pcr = {.policySession = s.handle, .pcrs.count = 1};
	struct PolicyGetDigest_in get = {.policySession = s.handle};
	struct PolicyGetDigest_out out;

	pcr.pcrs.pcrSelections[0] =
		(TPMS_PCR_SELECTION){TPM_ALG_SHA256, {.size = 3, .bytes = {0, 0, 1}}};
	DO(l, PolicyCommandCode, &code, NULL);
	DO(l, PolicyPCR, &pcr, NULL);
	DO(l, PolicyGetDigest, &get, &out);
	l->policy = out.policyDigest;
	flush(l, s.handle);
}

static void write_and_read(struct life *l)
{
	struct NV_Write_in write = {
		.authHandle = INDEX, .nvIndex = INDEX, .data.size = 64, .offset = 0};
	struct NV_Read_in read = {.authHandle = INDEX, .nvIndex = INDEX, .size = 64};
	struct NV_Read_out out;

	memset(write.data.buffer, l->value, write.data.size);
	rig_password(l->r, 0, "index");
	DO(l, NV_Write, &write, NULL);
	rig_password(l->r, 0, "index");
	DO(l, NV_Read, &read, &out);
	l->nv = out.data;
}

static void save_and_load(struct life *l)
{
	struct ContextSave_in save = {.saveHandle = l->ecc};
	struct ContextSave_out saved;
	struct ContextLoad_in load;
	struct ContextLoad_out loaded;

	DO(l, ContextSave, &save, &saved);
	load.context = saved.context;
	DO(l, ContextLoad, &load, &loaded);
	flush(l, loaded.handle);
}

static void *live(void *argument)
{
	struct life *l = argument;
	struct PCR_Extend_in extend = {.pcrHandle = 16, .digests.count = 1};
	struct PCR_Read_in read = {.pcrSelectionIn.count = 1};
	struct PCR_Read_out pcrs;

	extend.digests.digests[0].hashAlg = TPM_ALG_SHA256;
	memset(&extend.digests.digests[0].digest, l->value, 32);
	flush(l, make_key(l, rig_storage_template()));
	l->rsa = make_key(l, rsa_template());
	l->ecc = make_key(l, rig_signing_template());
	for (int i = 0; i < ROUNDS; i++) {
		sign_and_verify(l, l->rsa, TPM_ALG_RSASSA);
		sign_and_verify(l, l->ecc, TPM_ALG_ECDSA);
		DO(l, PCR_Extend, &extend, NULL);
		get_random(l, &l->random[i]);
		follow_policy(l);
		write_and_read(l);
		save_and_load(l);
	}
	read.pcrSelectionIn.pcrSelections[0] =
		(TPMS_PCR_SELECTION){TPM_ALG_SHA256, {.size = 3, .bytes = {0, 0, 1}}};
	DO(l, PCR_Read, &read, &pcrs);
	l->pcrs = pcrs.pcrValues;
	return NULL;
}

static struct life begin_life(uint8_t value)
{
	struct life l = {.r = rig_new(&cvtpm_engine_native), .value = value};

	rig_define(l.r, INDEX, TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_NO_DA, 64, "index");
	return l;
}

static void two_instances_in_two_threads_share_nothing(void **state)
{
	struct life both[2] = {begin_life(0x11), begin_life(0x22)}, alone = begin_life(0x11);
	pthread_t threads[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, live, &both[i]), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	live(&alone);
	assert_int_equal(both[0].failures + both[1].failures + alone.failures, 0);
	assert_int_equal(both[0].pcrs.count, 1);
	assert_memory_equal(&both[0].pcrs.digests[0], &alone.pcrs.digests[0], 34);
	assert_memory_not_equal(&both[0].pcrs.digests[0], &both[1].pcrs.digests[0], 34);
	assert_memory_equal(&both[0].policy, &alone.policy, 34);
	assert_memory_not_equal(&both[0].policy, &both[1].policy, 34);
	for (int i = 0; i < ROUNDS; i++)
		assert_memory_not_equal(both[0].random[i].buffer, both[1].random[i].buffer, 32);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(both[i].nv.size, 64);
		assert_int_equal(both[i].nv.buffer[63], both[i].value);
		rig_free(both[i].r);
	}
	rig_free(alone.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_instances_in_two_threads_share_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
