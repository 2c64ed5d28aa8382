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
#include "cvtpm/engine.h"
#include "cvtpm/err.h"
#include "cvtpm/platform.h"
#include "cvtpm/stores.h"
#include "tpm/encode.h"
#include "tpm/tpm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "not so: %s (line %d)\n", #condition, __LINE__);           \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

enum { STORE_SIZE = 320 * 1024, BLOB_SIZE = 64 * 1024, RECORD = 3 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Alignas(64) struct tpm tpm;
static _Alignas(16) uint8_t store_memory[STORE_SIZE];
static struct cvtpm_store *store;
static uint64_t now_ms, numbers;
static struct {
	struct tpm tpm;
	uint8_t store[STORE_SIZE];
	struct {
		size_t len;
		uint8_t bytes[BLOB_SIZE];
	} blob[3];
} good;

static int entropy(void *context, uint8_t *out, size_t len)
{
	(void)context;
	for (size_t i = 0; i < len; i++) {
		numbers = numbers * 6364136223846793005u + 1442695040888963407u;
		out[i] = (uint8_t)(numbers >> 56);
	}
	return 0;
}

static uint64_t clock_ms(void *context)
{
	(void)context;
	return now_ms++;
}

static struct cvtpm_platform platform = {.entropy = entropy, .clock_ms = clock_ms};

static struct cvtpm_tpm *instance(void)
{
	return (struct cvtpm_tpm *)(void *)&tpm;
}

static int create(void)
{
	const struct cvtpm_engine_config config = {.buffer_size = CVTPM_MAX_BUFFER_SIZE,
						   .memory = &tpm};
	struct cvtpm_tpm *made;
	bool is_new;
	int err = cvtpm_engine_native.create(&made, &platform, &config, &is_new);

	return err ? err : cvtpm_engine_native.power_on(made);
}

/* Runs a command with empty passwords; its response code. */
static tpm_rc run(TPM_CC code, const void *in, union command_out *out)
{
	static uint8_t bytes[CVTPM_MAX_BUFFER_SIZE], answer[CVTPM_MAX_BUFFER_SIZE];
	static union command_out scratch;
	const struct command *c = command_find(code);
	struct client_session sessions[MAX_SESSION_NUM];
	size_t len = sizeof answer;
	tpm_rc rc;

	memset(sessions, 0, sizeof sessions);
	for (unsigned n = 0; n < command_auths(c); n++)
		sessions[n].handle = TPM_RS_PW;
	len = command_encode(c, in, sessions, command_auths(c), NULL, bytes, sizeof bytes);
	CHECK(len);
	CHECK(cvtpm_engine_native.execute(instance(), 0, bytes, len, answer, &len) == 0);
	out = out ? out : &scratch;
	memset(out, 0, sizeof *out);
	rc = response_decode(c, answer, len, sessions, command_auths(c), out);
	CHECK(rc != ENCODE_HMAC);
	return rc;
}

static tpm_rc startup_as(TPM_SU type)
{
	struct Startup_in in = {.startupType = type};

	return run(TPM_CC_Startup, &in, NULL);
}

/* ---- a TPM with something of everything ---- */

static TPM_HANDLE make_primary(bool storage)
{
	static struct CreatePrimary_in in;
	static union command_out out;
	TPMT_PUBLIC *public = &in.inPublic.publicArea;

	memset(&in, 0, sizeof in);
	in.primaryHandle = TPM_RH_OWNER;
	in.inSensitive.size = in.inPublic.size = 1;
	public->type = storage ? TPM_ALG_ECC : TPM_ALG_KEYEDHASH;
	public->nameAlg = TPM_ALG_SHA256;
	public->objectAttributes = TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_SENSITIVEDATAORIGIN;
	if (storage) {
		public->objectAttributes |= TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT |
					    TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT;
		public->parameters.eccDetail =
			(TPMS_ECC_PARMS){.symmetric = {TPM_ALG_AES, {.aes = 128}, {TPM_ALG_CFB}},
					 .scheme.scheme = TPM_ALG_NULL,
					 .curveID = TPM_ECC_NIST_P256,
					 .kdf.scheme = TPM_ALG_NULL};
	} else {
		public->objectAttributes |= TPMA_OBJECT_SIGN;
		public->parameters.keyedHashDetail.scheme.scheme = TPM_ALG_HMAC;
		public->parameters.keyedHashDetail.scheme.details.hmac.hashAlg = TPM_ALG_SHA256;
	}
	CHECK(run(TPM_CC_CreatePrimary, &in, &out) == 0);
	return out.handle;
}

static void define(TPM_HANDLE index, unsigned type, uint16_t size)
{
	struct NV_DefineSpace_in in = {
		.authHandle = TPM_RH_OWNER,
		.publicInfo = {1,
			       {index,
				TPM_ALG_SHA256,
				TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE | TPMA_NV_NO_DA |
					(uint32_t)type << TPMA_NV_TPM_NT_SHIFT,
				{.size = 0},
				size}},
	};
	struct NV_Increment_in increment = {.authHandle = TPM_RH_OWNER, .nvIndex = index};

	CHECK(run(TPM_CC_NV_DefineSpace, &in, NULL) == 0);
	if (type == TPM_NT_COUNTER)
		CHECK(run(TPM_CC_NV_Increment, &increment, NULL) == 0);
}

static void make_session(TPM_SE type)
{
	struct StartAuthSession_in in = {.tpmKey = TPM_RH_NULL,
					 .bind = TPM_RH_OWNER,
					 .nonceCaller.size = 16,
					 .sessionType = type,
					 .symmetric = {TPM_ALG_AES, {.aes = 128}, {TPM_ALG_CFB}},
					 .authHash = TPM_ALG_SHA256};

	CHECK(run(TPM_CC_StartAuthSession, &in, NULL) == 0);
}

static void save(enum cvtpm_blob kind)
{
	good.blob[kind].len = BLOB_SIZE;
	CHECK(cvtpm_engine_native.save_state(instance(), kind, good.blob[kind].bytes,
					     &good.blob[kind].len) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct HashSequenceStart_in hash = {.hashAlg = TPM_ALG_SHA256};
	struct EvictControl_in evict = {.auth = TPM_RH_OWNER, .persistentHandle = PERSISTENT_FIRST};
	struct Shutdown_in shutdown = {.shutdownType = TPM_SU_STATE};

	(void)argc;
	(void)argv;
	CHECK(cvtpm_store_memory_init(&store, store_memory, sizeof store_memory) == 0);
	platform.store = store;
	CHECK(create() == 0);
	CHECK(startup_as(TPM_SU_CLEAR) == 0);
	evict.objectHandle = make_primary(true);
	make_primary(false);
	CHECK(run(TPM_CC_EvictControl, &evict, NULL) == 0);
	CHECK(run(TPM_CC_HashSequenceStart, &hash, NULL) == 0);
	hash.hashAlg = TPM_ALG_NULL;
	CHECK(run(TPM_CC_HashSequenceStart, &hash, NULL) == 0);
	make_session(TPM_SE_HMAC);
	make_session(TPM_SE_POLICY);
	define(0x01500000, TPM_NT_ORDINARY, 40);
	define(0x01500001, TPM_NT_COUNTER, 8);
	define(0x01500002, TPM_NT_EXTEND, 32);
	save(CVTPM_BLOB_VOLATILE);
	CHECK(run(TPM_CC_Shutdown, &shutdown, NULL) == 0);
	save(CVTPM_BLOB_SAVED);
	save(CVTPM_BLOB_PERMANENT);
	good.tpm = tpm;
	memcpy(good.store, store_memory, sizeof store_memory);
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

	run(TPM_CC_ReadPublic, &public, NULL);
	run(TPM_CC_HMAC, &hmac, NULL);
	run(TPM_CC_ECDH_KeyGen, &ecdh, NULL);
	memset(&create_in, 0, sizeof create_in);
	create_in.parentHandle = handle;
	create_in.inSensitive = (TPM2B_SENSITIVE_CREATE){1, {.data = {4, {1}}}};
	create_in.inPublic.size = 1;
	create_in.inPublic.publicArea.type = TPM_ALG_KEYEDHASH;
	create_in.inPublic.publicArea.nameAlg = TPM_ALG_SHA256;
	create_in.inPublic.publicArea.objectAttributes = TPMA_OBJECT_USERWITHAUTH;
	create_in.inPublic.publicArea.parameters.keyedHashDetail.scheme.scheme = TPM_ALG_NULL;
	run(TPM_CC_Create, &create_in, NULL);
	run(TPM_CC_ContextSave, &context, NULL);
	run(TPM_CC_SequenceUpdate, &update, NULL);
	run(TPM_CC_EventSequenceComplete, &event, NULL);
	run(TPM_CC_SequenceComplete, &complete, NULL);
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

	run(TPM_CC_NV_ReadPublic, &public, NULL);
	run(TPM_CC_NV_Write, &write, NULL);
	run(TPM_CC_NV_Increment, &increment, NULL);
	run(TPM_CC_NV_Extend, &extend, NULL);
	run(TPM_CC_NV_Read, &read, NULL);
	run(TPM_CC_NV_UndefineSpace, &undefine, NULL);
}

static void use_sessions(void)
{
	for (uint32_t n = 0; n < 3; n++) {
		struct PolicyGetDigest_in digest = {.policySession = POLICY_SESSION_FIRST + n};
		struct PolicyCommandCode_in code = {.policySession = POLICY_SESSION_FIRST + n,
						    .code = TPM_CC_GetRandom};
		struct ContextSave_in save_hmac = {.saveHandle = HMAC_SESSION_FIRST + n};
		struct FlushContext_in flush = {.flushHandle = POLICY_SESSION_FIRST + n};

		run(TPM_CC_PolicyGetDigest, &digest, NULL);
		run(TPM_CC_PolicyCommandCode, &code, NULL);
		run(TPM_CC_ContextSave, &save_hmac, NULL);
		run(TPM_CC_FlushContext, &flush, NULL);
	}
}

static void use_everything(void)
{
	static const TPM_CAP capabilities[] = {TPM_CAP_HANDLES, TPM_CAP_PCRS,
					       TPM_CAP_TPM_PROPERTIES, TPM_CAP_PCR_PROPERTIES};
	struct PCR_Read_in pcrs = {.pcrSelectionIn = {1, {{TPM_ALG_SHA256, {3, {0xFF, 0xFF, 1}}}}}};
	struct PCR_Event_in event = {.pcrHandle = 5, .eventData = {3, {1}}};
	struct HierarchyChangeAuth_in change = {.authHandle = TPM_RH_OWNER};
	struct Clear_in clear = {.authHandle = TPM_RH_PLATFORM};

	for (size_t i = 0; i < sizeof capabilities / sizeof *capabilities; i++) {
		struct GetCapability_in in = {.capability = capabilities[i],
					      .property = i == 2 ? TPM_PT_PERMANENT : 0,
					      .propertyCount = 100};

		run(TPM_CC_GetCapability, &in, NULL);
	}
	for (uint32_t n = 0; n < 4; n++)
		use_object(TRANSIENT_FIRST + n);
	use_object(PERSISTENT_FIRST);
	use_sessions();
	for (TPM_HANDLE index = 0x01500000; index < 0x01500003; index++)
		use_index(index);
	run(TPM_CC_PCR_Read, &pcrs, NULL);
	run(TPM_CC_PCR_Event, &event, NULL);
	run(TPM_CC_HierarchyChangeAuth, &change, NULL);
	run(TPM_CC_Clear, &clear, NULL);
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

	cvtpm_engine_native.destroy(instance());
	cvtpm_store_list(store, "tpm/", pick_key, &pick);
	if (!pick.key[0])
		return CVTPM_ERR_NOT_FOUND;
	CHECK(cvtpm_store_get(store, pick.key, value, sizeof value, &put.value_len) == 0);
	put.value_len = change(value, put.value_len, data + 1, size - 1);
	CHECK(cvtpm_store_commit(store, &put, 1) == 0);
	return create();
}

static int load_blob(enum cvtpm_blob kind, const uint8_t *data, size_t size)
{
	static uint8_t blob[BLOB_SIZE];
	size_t len = size < sizeof blob ? size : sizeof blob;
	int err;

	if (data[0] & 1) {
		memcpy(blob, data, len);
	} else {
		memcpy(blob, good.blob[kind].bytes, good.blob[kind].len);
		len = change(blob, good.blob[kind].len, data + 1, size - 1);
	}
	if (!len) /* means that there is none */
		return CVTPM_ERR_NOT_FOUND;
	cvtpm_engine_native.power_off(instance());
	err = cvtpm_engine_native.load_state(instance(), kind, blob, len);
	if (err) {
		CHECK(err == CVTPM_ERR_FORMAT || err == CVTPM_ERR_STORE);
		CHECK(cvtpm_engine_native.power_on(instance()) == 0);
		CHECK(startup_as(TPM_SU_STATE) == 0);
		return err;
	}
	CHECK(cvtpm_engine_native.power_on(instance()) == 0);
	return 0;
}

static void save_and_load_again(void)
{
	static uint8_t blob[2 * BLOB_SIZE];
	size_t len = sizeof blob;

	if (tpm.failed ||
	    cvtpm_engine_native.save_state(instance(), CVTPM_BLOB_VOLATILE, blob, &len))
		return;
	cvtpm_engine_native.power_off(instance());
	CHECK(cvtpm_engine_native.load_state(instance(), CVTPM_BLOB_VOLATILE, blob, len) == 0);
	CHECK(cvtpm_engine_native.power_on(instance()) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned kind;
	int err;

	if (size < 3)
		return 0;
	memcpy(&tpm, &good.tpm, sizeof tpm);
	memcpy(store_memory, good.store, sizeof store_memory);
	now_ms = 1000;
	numbers = 1;
	kind = data[0] % 4;
	err = kind == RECORD ? replace_record(data + 1, size - 1)
			     : load_blob((enum cvtpm_blob)kind, data + 1, size - 1);
	if (err)
		return 0;
	if (startup_as(TPM_SU_STATE))
		startup_as(TPM_SU_CLEAR);
	save_and_load_again();
	use_everything();
	return 0;
}
