#include "tpm_bench.h"

#include "cvtpm/platform.h"
#include "cvtpm/stores.h"

#include <limits.h>

enum { STORE_SIZE = 320 * 1024 };

struct bench bench;
_Alignas(64) struct tpm tpm;
static _Alignas(16) uint8_t store_memory[STORE_SIZE];
static struct {
	struct tpm tpm;
	uint8_t store[STORE_SIZE];
	struct bench bench;
} kept;

/* ---- the platform ---- */

static int entropy(void *context, uint8_t *out, size_t len)
{
	(void)context;
	for (size_t i = 0; i < len; i++) {
		bench.numbers = bench.numbers * 6364136223846793005u + 1442695040888963407u;
		out[i] = (uint8_t)(bench.numbers >> 56);
	}
	return 0;
}

static uint64_t clock_ms(void *context)
{
	(void)context;
	return bench.now_ms;
}

static bool cancelled(void *context)
{
	(void)context;
	return ++bench.polls > bench.patience;
}

static bool physical_presence(void *context)
{
	(void)context;
	return bench.presence;
}

static int faulty_get(struct cvtpm_store *store, const char *key, uint8_t *value, size_t capacity,
		      size_t *len)
{
	(void)store;
	return cvtpm_store_get(bench.store, key, value, capacity, len);
}

static int faulty_commit(struct cvtpm_store *store, const struct cvtpm_change *changes,
			 size_t count)
{
	(void)store;
	return bench.store_fails ? CVTPM_ERR_STORE
				 : cvtpm_store_commit(bench.store, changes, count);
}

static int faulty_list(struct cvtpm_store *store, const char *prefix,
		       int (*each)(void *context, const char *key, size_t len), void *context)
{
	(void)store;
	return cvtpm_store_list(bench.store, prefix, each, context);
}

static void faulty_close(struct cvtpm_store *store)
{
	(void)store;
}

static const struct cvtpm_store_ops faulty_ops = {faulty_get, faulty_commit, faulty_list,
						  faulty_close};
static const struct cvtpm_platform platform = {.entropy = entropy,
					       .clock_ms = clock_ms,
					       .cancelled = cancelled,
					       .physical_presence = physical_presence,
					       .store = &bench.faulty};

/* ---- the instance ---- */

struct cvtpm_tpm *bench_tpm(void)
{
	return (struct cvtpm_tpm *)(void *)&tpm;
}

void bench_begin(void)
{
	bench = (struct bench){.now_ms = 1000, .patience = UINT_MAX, .presence = true};
	bench.faulty = (struct cvtpm_store){&faulty_ops, CVTPM_STORE_MEMORY, 0};
	CHECK(cvtpm_store_memory_init(&bench.store, store_memory, sizeof store_memory) == 0);
}

int bench_create(void)
{
	const struct cvtpm_engine_config config = {.buffer_size = CVTPM_MAX_BUFFER_SIZE,
						   .memory = &tpm};
	struct cvtpm_tpm *made;
	bool is_new;
	int err = cvtpm_engine_native.create(&made, &platform, &config, &is_new);

	return err ? err : cvtpm_engine_native.power_on(made);
}

bool bench_has(TPM_HANDLE handle)
{
	return entity_check(&tpm, handle, 1) == 0;
}

void bench_keep(void)
{
	memcpy(&kept.tpm, &tpm, sizeof tpm);
	memcpy(kept.store, store_memory, sizeof store_memory);
	kept.bench = bench;
}

void bench_restore(void)
{
	memcpy(&tpm, &kept.tpm, sizeof tpm);
	memcpy(store_memory, kept.store, sizeof store_memory);
	bench = kept.bench;
}

/* ---- commands ---- */

static int on_this_stack(struct cvtpm_tpm *t, uint8_t locality, const uint8_t *command, size_t len,
			 uint8_t *answer, size_t *answer_len)
{
	return cvtpm_engine_native.execute(t, locality, command, len, answer, answer_len);
}

int (*bench_engine)(struct cvtpm_tpm *t, uint8_t locality, const uint8_t *command, size_t len,
		    uint8_t *answer, size_t *answer_len) = on_this_stack;

static uint32_t be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

tpm_rc bench_execute(const uint8_t *command, size_t len, uint8_t *answer, size_t *answer_len)
{
	tpm_rc rc;

	bench.polls = 0;
	*answer_len = CVTPM_MAX_BUFFER_SIZE;
	CHECK(bench_engine(bench_tpm(), bench.locality, command, len, answer, answer_len) == 0);
	CHECK(*answer_len >= 10 && *answer_len <= CVTPM_MAX_BUFFER_SIZE);
	CHECK(be32(answer + 2) == *answer_len);
	rc = be32(answer + 6);
	CHECK(!rc || *answer_len == 10);
	return rc;
}

tpm_rc bench_run(TPM_CC code, const void *in, union command_out *out)
{
	static uint8_t bytes[CVTPM_MAX_BUFFER_SIZE], answer[CVTPM_MAX_BUFFER_SIZE];
	static union command_out scratch;
	const struct command *c = command_find(code);
	const unsigned count = command_auths(c);
	struct client_session sessions[MAX_SESSION_NUM];
	size_t len;
	tpm_rc rc;

	memset(sessions, 0, sizeof sessions);
	for (unsigned n = 0; n < count; n++)
		sessions[n].handle = TPM_RS_PW;
	len = command_encode(c, in, sessions, count, NULL, bytes, sizeof bytes);
	CHECK(len);
	rc = bench_execute(bytes, len, answer, &len);
	out = out ? out : &scratch;
	memset(out, 0, sizeof *out);
	CHECK(response_decode(c, answer, len, sessions, count, out) == rc);
	return rc;
}

tpm_rc bench_startup(TPM_SU type)
{
	struct Startup_in in = {.startupType = type};

	return bench_run(TPM_CC_Startup, &in, NULL);
}

/* ---- something of everything ---- */

TPM2B_PUBLIC bench_template(TPM_ALG_ID type, TPMA_OBJECT attributes)
{
	static const TPMT_SYM_DEF_OBJECT aes = {TPM_ALG_AES, {.aes = 128}, {TPM_ALG_CFB}};
	static const TPMT_SYM_DEF_OBJECT none = {.algorithm = TPM_ALG_NULL};
	const bool storage = (attributes & TPMA_OBJECT_RESTRICTED) != 0;
	TPM2B_PUBLIC template;
	TPMT_PUBLIC *public = &template.publicArea;

	memset(&template, 0, sizeof template);
	template.size = 1;
	public->type = type;
	public->nameAlg = TPM_ALG_SHA256;
	public->objectAttributes = attributes | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA |
				   TPMA_OBJECT_SENSITIVEDATAORIGIN;
	switch (type) {
	case TPM_ALG_ECC:
		public
		->parameters.eccDetail = (TPMS_ECC_PARMS){.symmetric = storage ? aes : none,
							  .scheme.scheme = TPM_ALG_NULL,
							  .curveID = TPM_ECC_NIST_P256,
							  .kdf.scheme = TPM_ALG_NULL};
		break;
	case TPM_ALG_RSA:
		public
		->parameters.rsaDetail = (TPMS_RSA_PARMS){.symmetric = storage ? aes : none,
							  .scheme.scheme = TPM_ALG_NULL,
							  .keyBits = 2048};
		break;
	case TPM_ALG_KEYEDHASH:
		public
		->parameters.keyedHashDetail.scheme.scheme = TPM_ALG_HMAC;
		public->parameters.keyedHashDetail.scheme.details.hmac.hashAlg = TPM_ALG_SHA256;
		break;
	default:
		public
		->parameters.symDetail.sym = aes;
		public->parameters.symDetail.sym.mode.aes = TPM_ALG_NULL;
	}
	return template;
}

TPM_HANDLE bench_primary(TPM_HANDLE hierarchy, const TPM2B_PUBLIC *template, union command_out *out)
{
	static struct CreatePrimary_in in;
	static union command_out scratch;

	memset(&in, 0, sizeof in);
	in.primaryHandle = hierarchy;
	in.inSensitive.size = 1;
	in.inPublic = *template;
	out = out ? out : &scratch;
	CHECK(bench_run(TPM_CC_CreatePrimary, &in, out) == 0);
	return out->handle;
}

void bench_session(TPM_SE type, TPM_HANDLE bind, TPM_ALG_ID symmetric)
{
	struct StartAuthSession_in in = {.tpmKey = TPM_RH_NULL,
					 .bind = bind,
					 .nonceCaller.size = 16,
					 .sessionType = type,
					 .symmetric = {symmetric, {.aes = 128}, {TPM_ALG_CFB}},
					 .authHash = TPM_ALG_SHA256};

	if (symmetric == TPM_ALG_XOR)
		in.symmetric.keyBits.exclusiveOr = TPM_ALG_SHA256;
	CHECK(bench_run(TPM_CC_StartAuthSession, &in, NULL) == 0);
}

void bench_define(TPM_HANDLE index, unsigned type, TPMA_NV attributes, uint16_t size)
{
	struct NV_DefineSpace_in in = {
		.authHandle = TPM_RH_OWNER,
		.publicInfo = {1,
			       {index,
				TPM_ALG_SHA256,
				attributes | TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE |
					(uint32_t)type << TPMA_NV_TPM_NT_SHIFT,
				{.size = 0},
				size}},
	};

	CHECK(bench_run(TPM_CC_NV_DefineSpace, &in, NULL) == 0);
}
