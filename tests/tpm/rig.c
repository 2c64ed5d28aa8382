#include "rig.h"

#include "crypto/crypto.h"
#include "cvtpm/stores.h"
#include "tpm/spec.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ---- the platform ---- */

static int entropy(void *context, uint8_t *out, size_t len)
{
	const struct rig *r = context;

	if (r->fail_entropy)
		return CVTPM_ERR_ENTROPY;
	return getrandom(out, len, 0) == (ssize_t)len ? 0 : CVTPM_ERR_ENTROPY;
}

static uint64_t clock_ms(void *context)
{
	return ((struct rig *)context)->now_ms;
}

static void log_line(void *context, enum cvtpm_log_level level, const char *line)
{
	struct rig *r = context;

	(void)level;
	snprintf(r->log, sizeof r->log, "%s", line);
}

static bool cancelled(void *context)
{
	return ((struct rig *)context)->cancelled;
}

static bool physical_presence(void *context)
{
	return ((struct rig *)context)->presence;
}

/* ---- a store that fails on request ---- */

static struct rig *rig_of(struct cvtpm_store *store)
{
	return (struct rig *)(void *)((char *)store - offsetof(struct rig, faulty));
}

static int faulty_get(struct cvtpm_store *store, const char *key, uint8_t *value, size_t capacity,
		      size_t *value_len)
{
	return cvtpm_store_get(rig_of(store)->store, key, value, capacity, value_len);
}

static int faulty_commit(struct cvtpm_store *store, const struct cvtpm_change *changes,
			 size_t count)
{
	struct rig *r = rig_of(store);
	int err;

	if (r->fail_commits) {
		if (r->fail_commits != ~0u)
			r->fail_commits--;
		return CVTPM_ERR_STORE;
	}
	err = cvtpm_store_commit(r->store, changes, count);
	r->commits += err == 0;
	return err;
}

static int faulty_list(struct cvtpm_store *store, const char *prefix,
		       int (*each)(void *context, const char *key, size_t value_len), void *context)
{
	return cvtpm_store_list(rig_of(store)->store, prefix, each, context);
}

static void faulty_close(struct cvtpm_store *store)
{
	(void)store;
}

static const struct cvtpm_store_ops faulty_ops = {faulty_get, faulty_commit, faulty_list,
						  faulty_close};

/* ---- life ---- */

static void make_instance(struct rig *r)
{
	struct cvtpm_engine_config config = {.buffer_size = 4096, .memory = r->memory};

	assert_int_equal(r->engine->create(&r->tpm, &r->platform, &config, &r->is_new), 0);
	assert_int_equal(r->engine->power_on(r->tpm), 0);
}

/* The file that a variable of the environment names; NULL: none. */
static FILE *open_file(const char *variable)
{
	FILE *file;

	if (!getenv(variable))
		return NULL;
	file = fopen(getenv(variable), "a");
	assert_non_null(file);
	setvbuf(file, NULL, _IOLBF, 0); /* whole lines, whoever else writes there */
	return file;
}

static void tell_bytes(FILE *file, const char *mark, const uint8_t *bytes, size_t len)
{
	fputs(mark, file);
	for (size_t i = 0; i < len; i++)
		fprintf(file, "%02x", bytes[i]);
	fputc('\n', file);
}

struct rig *rig_new_off(const struct cvtpm_engine *engine)
{
	struct rig *r = calloc(1, sizeof *r);
	/* The native engine's records are as large as its memory for them; libtpms' are whole
	 * states, and in a commit the old and the new one are there at once. */
	size_t store_size = engine->size ? 512 * 1024 : CVTPM_STORE_MEMORY_DEFAULT_SIZE;

	assert_non_null(r);
	r->store_memory = malloc(store_size);
	assert_non_null(r->store_memory);
	r->engine = engine;
	r->now_ms = 1000;
	assert_int_equal(cvtpm_store_memory_init(&r->store, r->store_memory, store_size), 0);
	r->faulty = (struct cvtpm_store){&faulty_ops, CVTPM_STORE_MEMORY, 0};
	r->platform = (struct cvtpm_platform){.context = r,
					      .entropy = entropy,
					      .clock_ms = clock_ms,
					      .log = log_line,
					      .cancelled = cancelled,
					      .physical_presence = physical_presence,
					      .store = &r->faulty};
	if (engine->size) {
		r->memory = aligned_alloc(64, (engine->size() + 63) / 64 * 64);
		assert_non_null(r->memory);
	}
	r->codes = open_file("CVTPM_TEST_CODES");
	r->trace = open_file("CVTPM_TEST_TRACE");
	make_instance(r);
	return r;
}

struct rig *rig_new(const struct cvtpm_engine *engine)
{
	struct rig *r = rig_new_off(engine);

	assert_int_equal(rig_startup(r, TPM_SU_CLEAR), 0);
	return r;
}

void rig_not_recorded(struct rig *r)
{
	if (r->codes)
		fclose(r->codes);
	r->codes = NULL;
}

void rig_free(struct rig *r)
{
	if (!r)
		return;
	r->engine->destroy(r->tpm);
	cvtpm_store_close(r->store);
	rig_not_recorded(r);
	if (r->trace)
		fclose(r->trace);
	free(r->store_memory);
	free(r->memory);
	free(r);
}

tpm_rc rig_startup(struct rig *r, TPM_SU type)
{
	struct Startup_in in = {.startupType = type};

	return RIG_RUN(r, Startup, &in, NULL);
}

void rig_reset(struct rig *r)
{
	assert_int_equal(r->engine->power_on(r->tpm), 0);
	assert_int_equal(rig_startup(r, TPM_SU_CLEAR), 0);
}

void rig_kill(struct rig *r)
{
	r->engine->destroy(r->tpm);
	make_instance(r);
}

/* ---- commands ---- */

TPM2B_AUTH rig_auth(const char *password)
{
	TPM2B_AUTH auth = {.size = (uint16_t)strlen(password)};

	memcpy(auth.buffer, password, auth.size);
	return auth;
}

void rig_password(struct rig *r, unsigned n, const char *password)
{
	r->sessions[n] = (struct client_session){.handle = TPM_RS_PW,
						 .auth = rig_auth(password),
						 .attributes = TPMA_SESSION_CONTINUESESSION};
	r->session_count = n + 1 > r->session_count ? n + 1 : r->session_count;
	r->given = true;
}

void rig_sessions(struct rig *r, const struct client_session *sessions, unsigned count)
{
	memcpy(r->sessions, sessions, count * sizeof *sessions);
	r->session_count = count;
	r->given = true;
}

void rig_no_sessions(struct rig *r)
{
	r->session_count = 0;
	r->given = true;
}

void rig_name(struct rig *r, unsigned n, const TPM2B_NAME *name)
{
	r->names[n] = *name;
	r->named = true;
}

static uint32_t u32_at(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

tpm_rc rig_raw(struct rig *r, const void *bytes, size_t len)
{
	tpm_rc rc;

	memmove(r->command, bytes, len);
	r->command_len = len;
	r->response_len = sizeof r->response;
	assert_int_equal(r->engine->execute(r->tpm, r->locality, r->command, len, r->response,
					    &r->response_len),
			 0);
	assert_true(r->response_len >= 10);
	rc = u32_at(r->response + 6);
	if (r->codes && len >= 10)
		fprintf(r->codes, "%08x %08x\n", u32_at(r->command + 6), rc);
	if (r->trace) {
		tell_bytes(r->trace, "> ", r->command, r->command_len);
		tell_bytes(r->trace, "< ", r->response, r->response_len);
	}
	return rc;
}

tpm_rc rig_run(struct rig *r, const struct command *command, const void *in, void *out)
{
	union command_out scratch;
	static const union command_in nothing;
	unsigned auths = command_auths(command);
	tpm_rc rc;

	for (unsigned n = r->given ? auths : 0; n < auths; n++)
		rig_password(r, n, "");
	r->command_len = command_encode(command, in ? in : &nothing, r->sessions, r->session_count,
					r->named ? r->names : NULL, r->command, sizeof r->command);
	assert_true(r->command_len > 0);
	rig_raw(r, r->command, r->command_len);
	memset(&scratch, 0, sizeof scratch);
	rc = response_decode(command, r->response, r->response_len, r->sessions, r->session_count,
			     &scratch);
	if (out)
		memcpy(out, &scratch, command->out_size);
	r->session_count = 0;
	r->given = r->named = false;
	return rc;
}

/* ---- short cuts ---- */

void rig_fresh_nonce(struct rig *r, struct client_session *s)
{
	(void)r;
	s->nonceCaller.size = s->nonceTPM.size;
	assert_int_equal(getrandom(s->nonceCaller.buffer, s->nonceCaller.size, 0),
			 s->nonceCaller.size);
}

struct client_session rig_session(struct rig *r, TPM_SE type)
{
	struct client_session s = {.attributes = TPMA_SESSION_CONTINUESESSION,
				   .authHash = TPM_ALG_SHA256,
				   .symmetric.algorithm = TPM_ALG_NULL,
				   .with_auth = type == TPM_SE_HMAC};
	struct StartAuthSession_in in = {.tpmKey = TPM_RH_NULL,
					 .bind = TPM_RH_NULL,
					 .nonceCaller.size = 32,
					 .sessionType = type,
					 .symmetric.algorithm = TPM_ALG_NULL,
					 .authHash = TPM_ALG_SHA256};
	struct StartAuthSession_out out;

	assert_int_equal(RIG_RUN(r, StartAuthSession, &in, &out), 0);
	s.handle = out.handle;
	s.nonceTPM = out.nonceTPM;
	rig_fresh_nonce(r, &s);
	return s;
}

TPMT_PUBLIC rig_storage_template(void)
{
	return (TPMT_PUBLIC){
		.type = TPM_ALG_ECC,
		.nameAlg = TPM_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
				    TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
				    TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
		.parameters.eccDetail = {.symmetric = {TPM_ALG_AES, {.aes = 128}, {TPM_ALG_CFB}},
					 .scheme.scheme = TPM_ALG_NULL,
					 .curveID = TPM_ECC_NIST_P256,
					 .kdf.scheme = TPM_ALG_NULL},
	};
}

TPMT_PUBLIC rig_signing_template(void)
{
	TPMT_PUBLIC t = rig_storage_template();

	t.objectAttributes &= ~(uint32_t)(TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT);
	t.objectAttributes |= TPMA_OBJECT_SIGN;
	t.parameters.eccDetail.symmetric.algorithm = TPM_ALG_NULL;
	t.parameters.eccDetail.scheme.scheme = TPM_ALG_ECDSA;
	t.parameters.eccDetail.scheme.details.ecdsa.hashAlg = TPM_ALG_SHA256;
	return t;
}

TPM_HANDLE rig_primary_ecc(struct rig *r, TPM_HANDLE hierarchy, TPMA_OBJECT attributes,
			   TPM_ALG_ID scheme)
{
	struct CreatePrimary_in in = {.primaryHandle = hierarchy,
				      .inSensitive.size = 4,
				      .inPublic.publicArea = rig_storage_template()};
	struct CreatePrimary_out out;
	TPMS_ECC_PARMS *ecc = &in.inPublic.publicArea.parameters.eccDetail;

	in.inPublic.publicArea.objectAttributes = attributes;
	ecc->scheme.scheme = scheme;
	if (scheme != TPM_ALG_NULL)
		ecc->scheme.details.any.hashAlg = TPM_ALG_SHA256;
	if (!(attributes & TPMA_OBJECT_RESTRICTED) || !(attributes & TPMA_OBJECT_DECRYPT))
		ecc->symmetric.algorithm = TPM_ALG_NULL;
	assert_int_equal(RIG_RUN(r, CreatePrimary, &in, &out), 0);
	return out.handle;
}

void rig_define(struct rig *r, TPM_HANDLE index, TPMA_NV attributes, uint16_t size,
		const char *password)
{
	struct NV_DefineSpace_in in = {
		.authHandle = attributes & TPMA_NV_PLATFORMCREATE ? TPM_RH_PLATFORM : TPM_RH_OWNER,
		.auth = rig_auth(password),
		.publicInfo.nvPublic = {index, TPM_ALG_SHA256, attributes, {.size = 0}, size},
	};

	assert_int_equal(RIG_RUN(r, NV_DefineSpace, &in, NULL), 0);
}

void rig_flush(struct rig *r, TPM_HANDLE handle)
{
	struct FlushContext_in in = {.flushHandle = handle};

	assert_int_equal(RIG_RUN(r, FlushContext, &in, NULL), 0);
}

void rig_extend_pcr(struct rig *r, TPMI_DH_PCR pcr)
{
	struct PCR_Extend_in in = {.pcrHandle = pcr, .digests.count = 1};

	in.digests.digests[0].hashAlg = TPM_ALG_SHA256;
	in.digests.digests[0].digest.sha256.bytes[0] = 1;
	assert_int_equal(RIG_RUN(r, PCR_Extend, &in, NULL), 0);
}

TPM2B_DIGEST rig_read_pcr(struct rig *r, TPMI_DH_PCR pcr)
{
	struct PCR_Read_in in = {.pcrSelectionIn.count = 1};
	struct PCR_Read_out out;

	in.pcrSelectionIn.pcrSelections[0].hash = TPM_ALG_SHA256;
	in.pcrSelectionIn.pcrSelections[0].pcrSelect.size = 3;
	in.pcrSelectionIn.pcrSelections[0].pcrSelect.bytes[pcr / 8] = (uint8_t)(1 << pcr % 8);
	assert_int_equal(RIG_RUN(r, PCR_Read, &in, &out), 0);
	assert_int_equal(out.pcrValues.count, 1);
	return out.pcrValues.digests[0];
}
