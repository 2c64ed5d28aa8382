/*
 * State of the native engine that somebody made up: blobs for migration, and records of
 * a store that nobody seals.
 *
 *     kind | then either a blob as it is, or changes of a good one: offset (16 bits),
 *     what to do, a byte
 *
 * What is refused has changed nothing: the TPM that was there starts again. What is taken
 * is a TPM, however odd: it starts, every command gets a well-formed answer, and it can be
 * saved and taken again.
 */
#include "tpm_bench.h"

enum { BLOB_SIZE = 64 * 1024, RECORD = 3 };

static struct {
	size_t len;
	uint8_t bytes[BLOB_SIZE];
} good[3]; /* by enum cvtpm_blob */

/* ---- a TPM with something of everything ---- */

static void save(enum cvtpm_blob kind)
{
	good[kind].len = BLOB_SIZE;
	CHECK(cvtpm_engine_native.save_state(bench_tpm(), kind, good[kind].bytes,
					     &good[kind].len) == 0);
}

static void make_objects(void)
{
	struct HashSequenceStart_in hash = {.hashAlg = TPM_ALG_SHA256};
	struct EvictControl_in evict = {.auth = TPM_RH_OWNER, .persistentHandle = PERSISTENT_FIRST};
	struct EC_Ephemeral_in ephemeral = {.curveID = TPM_ECC_NIST_P256};
	TPM2B_PUBLIC template = bench_template(TPM_ALG_ECC, BENCH_STORAGE);

	CHECK(bench_run(TPM_CC_EC_Ephemeral, &ephemeral, NULL) == 0);
	evict.objectHandle = bench_primary(TPM_RH_OWNER, &template, NULL);
	CHECK(bench_run(TPM_CC_EvictControl, &evict, NULL) == 0);
	template = bench_template(TPM_ALG_KEYEDHASH, TPMA_OBJECT_SIGN);
	bench_primary(TPM_RH_OWNER, &template, NULL);
	template = bench_template(TPM_ALG_RSA, TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT);
	bench_primary(TPM_RH_OWNER, &template, NULL);
	CHECK(bench_run(TPM_CC_HashSequenceStart, &hash, NULL) == 0);
	hash.hashAlg = TPM_ALG_NULL;
	CHECK(bench_run(TPM_CC_HashSequenceStart, &hash, NULL) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct NV_Increment_in increment = {.authHandle = TPM_RH_OWNER, .nvIndex = 0x01500001};
	struct Shutdown_in shutdown = {.shutdownType = TPM_SU_STATE};

	(void)argc;
	(void)argv;
	bench_begin();
	CHECK(bench_create() == 0);
	CHECK(bench_startup(TPM_SU_CLEAR) == 0);
	make_objects();
	bench_session(TPM_SE_HMAC, TPM_RH_OWNER, TPM_ALG_AES);
	bench_session(TPM_SE_POLICY, TPM_RH_OWNER, TPM_ALG_AES);
	bench_define(0x01500000, TPM_NT_ORDINARY, TPMA_NV_NO_DA, 40);
	bench_define(0x01500001, TPM_NT_COUNTER, TPMA_NV_NO_DA, 8);
	bench_define(0x01500002, TPM_NT_EXTEND, TPMA_NV_NO_DA, 32);
	CHECK(bench_run(TPM_CC_NV_Increment, &increment, NULL) == 0);
	save(CVTPM_BLOB_VOLATILE);
	CHECK(bench_run(TPM_CC_Shutdown, &shutdown, NULL) == 0);
	save(CVTPM_BLOB_SAVED);
	save(CVTPM_BLOB_PERMANENT);
	bench.patience = 4;
	bench_keep();
	return 0;
}

/* ---- what was taken is used ---- */

static void use_object(TPM_HANDLE handle)
{
	struct ReadPublic_in public = {.objectHandle = handle};
	struct ContextSave_in context = {.saveHandle = handle};
	struct HMAC_in hmac = {.handle_ = handle, .hashAlg = TPM_ALG_NULL};
	struct ECDH_KeyGen_in ecdh = {.keyHandle = handle};
	struct SequenceUpdate_in update = {.sequenceHandle = handle, .buffer = {4, {1}}};
	struct EventSequenceComplete_in event = {.pcrHandle = 3, .sequenceHandle = handle};
	struct SequenceComplete_in complete = {.sequenceHandle = handle, .hierarchy = TPM_RH_OWNER};
	static struct Create_in create_in;

	bench_run(TPM_CC_ReadPublic, &public, NULL);
	bench_run(TPM_CC_HMAC, &hmac, NULL);
	bench_run(TPM_CC_ECDH_KeyGen, &ecdh, NULL);
	memset(&create_in, 0, sizeof create_in);
	create_in.parentHandle = handle;
	create_in.inSensitive = (TPM2B_SENSITIVE_CREATE){1, {.data = {4, {1}}}};
	create_in.inPublic.size = 1;
	create_in.inPublic.publicArea.type = TPM_ALG_KEYEDHASH;
	create_in.inPublic.publicArea.nameAlg = TPM_ALG_SHA256;
	create_in.inPublic.publicArea.objectAttributes = TPMA_OBJECT_USERWITHAUTH;
	create_in.inPublic.publicArea.parameters.keyedHashDetail.scheme.scheme = TPM_ALG_NULL;
	bench_run(TPM_CC_Create, &create_in, NULL);
	bench_run(TPM_CC_ContextSave, &context, NULL);
	bench_run(TPM_CC_SequenceUpdate, &update, NULL);
	bench_run(TPM_CC_EventSequenceComplete, &event, NULL);
	bench_run(TPM_CC_SequenceComplete, &complete, NULL);
}

static void use_index(TPM_HANDLE index)
{
	struct NV_ReadPublic_in public = {.nvIndex = index};
	struct NV_Read_in read = {.authHandle = TPM_RH_OWNER, .nvIndex = index, .size = 8};
	struct NV_Write_in write = {.authHandle = TPM_RH_OWNER, .nvIndex = index, .data = {8, {1}}};
	struct NV_Increment_in increment = {.authHandle = TPM_RH_OWNER, .nvIndex = index};
	struct NV_Extend_in extend = {
		.authHandle = TPM_RH_OWNER, .nvIndex = index, .data = {8, {1}}};
	struct NV_UndefineSpace_in undefine = {.authHandle = TPM_RH_OWNER, .nvIndex = index};

	bench_run(TPM_CC_NV_ReadPublic, &public, NULL);
	bench_run(TPM_CC_NV_Write, &write, NULL);
	bench_run(TPM_CC_NV_Increment, &increment, NULL);
	bench_run(TPM_CC_NV_Extend, &extend, NULL);
	bench_run(TPM_CC_NV_Read, &read, NULL);
	bench_run(TPM_CC_NV_UndefineSpace, &undefine, NULL);
}

static void use_sessions(void)
{
	for (uint32_t n = 0; n < 3; n++) {
		struct PolicyGetDigest_in digest = {.policySession = POLICY_SESSION_FIRST + n};
		struct PolicyCommandCode_in code = {.policySession = POLICY_SESSION_FIRST + n,
						    .code = TPM_CC_GetRandom};
		struct ContextSave_in save_hmac = {.saveHandle = HMAC_SESSION_FIRST + n};
		struct FlushContext_in flush = {.flushHandle = POLICY_SESSION_FIRST + n};

		bench_run(TPM_CC_PolicyGetDigest, &digest, NULL);
		bench_run(TPM_CC_PolicyCommandCode, &code, NULL);
		bench_run(TPM_CC_ContextSave, &save_hmac, NULL);
		bench_run(TPM_CC_FlushContext, &flush, NULL);
	}
}

static void use_everything(void)
{
	static const TPM_CAP capabilities[] = {TPM_CAP_HANDLES, TPM_CAP_PCRS,
					       TPM_CAP_TPM_PROPERTIES, TPM_CAP_PCR_PROPERTIES,
					       TPM_CAP_PP_COMMANDS};
	struct PCR_Read_in pcrs = {.pcrSelectionIn = {1, {{TPM_ALG_SHA256, {3, {0xFF, 0xFF, 1}}}}}};
	struct PCR_Event_in event = {.pcrHandle = 5, .eventData = {3, {1}}};
	struct HierarchyChangeAuth_in change = {.authHandle = TPM_RH_OWNER};
	struct Clear_in clear = {.authHandle = TPM_RH_PLATFORM};

	for (size_t i = 0; i < sizeof capabilities / sizeof *capabilities; i++) {
		struct GetCapability_in in = {.capability = capabilities[i],
					      .property = i == 2 ? TPM_PT_PERMANENT : 0,
					      .propertyCount = 100};

		bench_run(TPM_CC_GetCapability, &in, NULL);
	}
	for (uint32_t n = 0; n < 5; n++)
		use_object(TRANSIENT_FIRST + n);
	use_object(PERSISTENT_FIRST);
	use_sessions();
	for (TPM_HANDLE index = 0x01500000; index < 0x01500003; index++)
		use_index(index);
	bench_run(TPM_CC_PCR_Read, &pcrs, NULL);
	bench_run(TPM_CC_PCR_Event, &event, NULL);
	bench_run(TPM_CC_HierarchyChangeAuth, &change, NULL);
	bench_run(TPM_CC_Clear, &clear, NULL);
}

/* ---- the input ---- */

/* The blob or record as the input changes it; its new length. */
static size_t change(uint8_t *bytes, size_t len, const uint8_t *data, size_t size)
{
	for (; size >= 4 && len; data += 4, size -= 4) {
		size_t at = ((size_t)data[0] << 8 | data[1]) % len;

		switch (data[2] & 3) {
		case 0:
			bytes[at] = data[3];
			break;
		case 1:
			bytes[at] ^= data[3];
			break;
		case 2: /* so much less */
			len = data[3] == 0 ? at : len;
			break;
		default:
			memmove(bytes + at, bytes + at + data[3] % (len - at),
				len - at - data[3] % (len - at));
			len -= data[3] % (len - at);
		}
	}
	return len;
}

static int pick_key(void *context, const char *key, size_t value_len)
{
	struct {
		unsigned skip;
		char key[RECORD_KEY_SIZE];
	} *pick = context;

	(void)value_len;
	if (pick->skip-- || strlen(key) >= sizeof pick->key)
		return 0;
	strcpy(pick->key, key);
	return 1;
}

/* One record of the store is another; the process begins on it. */
static int replace_record(const uint8_t *data, size_t size)
{
	static uint8_t value[COMMIT_SIZE];
	struct {
		unsigned skip;
		char key[RECORD_KEY_SIZE];
	} pick = {data[0] % 16u, ""};
	struct cvtpm_change put = {pick.key, value, 0};

	cvtpm_engine_native.destroy(bench_tpm());
	cvtpm_store_list(bench.store, "tpm/", pick_key, &pick);
	if (!pick.key[0])
		return CVTPM_ERR_NOT_FOUND;
	CHECK(cvtpm_store_get(bench.store, pick.key, value, sizeof value, &put.value_len) == 0);
	put.value_len = change(value, put.value_len, data + 1, size - 1);
	CHECK(cvtpm_store_commit(bench.store, &put, 1) == 0);
	return bench_create();
}

static int load_blob(enum cvtpm_blob kind, const uint8_t *data, size_t size)
{
	static uint8_t blob[BLOB_SIZE];
	size_t len = size < sizeof blob ? size : sizeof blob;
	int err;

	if (data[0] & 1) {
		memcpy(blob, data, len);
	} else {
		memcpy(blob, good[kind].bytes, good[kind].len);
		len = change(blob, good[kind].len, data + 1, size - 1);
	}
	if (!len) /* means that there is none */
		return CVTPM_ERR_NOT_FOUND;
	cvtpm_engine_native.power_off(bench_tpm());
	err = cvtpm_engine_native.load_state(bench_tpm(), kind, blob, len);
	if (err) {
		CHECK(err == CVTPM_ERR_FORMAT || err == CVTPM_ERR_STORE);
		CHECK(cvtpm_engine_native.power_on(bench_tpm()) == 0);
		CHECK(bench_startup(TPM_SU_STATE) == 0);
		return err;
	}
	CHECK(cvtpm_engine_native.power_on(bench_tpm()) == 0);
	return 0;
}

static void save_and_load_again(void)
{
	static uint8_t blob[2 * BLOB_SIZE];
	size_t len = sizeof blob;

	if (tpm.failed ||
	    cvtpm_engine_native.save_state(bench_tpm(), CVTPM_BLOB_VOLATILE, blob, &len))
		return;
	cvtpm_engine_native.power_off(bench_tpm());
	CHECK(cvtpm_engine_native.load_state(bench_tpm(), CVTPM_BLOB_VOLATILE, blob, len) == 0);
	CHECK(cvtpm_engine_native.power_on(bench_tpm()) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned kind;
	int err;

	if (size < 3)
		return 0;
	bench_restore();
	kind = data[0] % 4;
	err = kind == RECORD ? replace_record(data + 1, size - 1)
			     : load_blob((enum cvtpm_blob)kind, data + 1, size - 1);
	if (err)
		return 0;
	if (bench_startup(TPM_SU_STATE))
		bench_startup(TPM_SU_CLEAR);
	save_and_load_again();
	use_everything();
	return 0;
}
