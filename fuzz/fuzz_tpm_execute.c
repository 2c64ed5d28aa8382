/*
 * Commands of a hostile guest, made by the tables of the native engine.
 *
 * An input is a run of steps, each with bytes of its own, so that a change in one
 * leaves the others what they were: `operation | length | bytes`. Most steps are a
 * command, whose handles, parameters and sessions are drawn from the step's bytes by
 * its row in commands.def: values that the types allow, now and then others, and what
 * earlier answers held (keys, contexts, tickets, signatures). HMACs are right, unless
 * the step says otherwise: the harness looks up authValues and session keys in the TPM.
 * The other steps are what a platform does: reset, kill, time, locality and physical presence,
 * _TPM_Hash_Data, a store that fails.
 *
 * After each command: the answer is well-formed by the table, and its HMACs are right;
 * an error has changed not a bit of the transactional state; nothing of the command is
 * left in its frame or in the journal; failure mode was not reached; and after a kill
 * what was acknowledged is there again.
 */
#include "tpm_bench.h"
#include "tpm_steps.h"
#include "tpm_values.h"

static struct tpm before;
static struct kept first_values; /* each input begins with these */
static unsigned long_ones;       /* commands of this input that take long: one is sent */

/* ---- sessions ---- */

/* What an honest client would know of the session, looked up in the TPM. `entity`: what
 * it authorises, or TPM_RH_UNASSIGNED. */
static struct client_session client_of(struct feed *f, TPM_HANDLE entity)
{
	static const TPMA_SESSION attributes[] = {0,
						  TPMA_SESSION_DECRYPT,
						  TPMA_SESSION_ENCRYPT,
						  TPMA_SESSION_AUDIT,
						  TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT,
						  TPMA_SESSION_AUDIT | TPMA_SESSION_AUDITEXCLUSIVE,
						  TPMA_SESSION_AUDIT | TPMA_SESSION_AUDITRESET,
						  TPMA_SESSION_AUDIT | TPMA_SESSION_ENCRYPT};
	struct client_session c = {.handle = TPM_RS_PW, .authHash = TPM_ALG_SHA256};
	uint8_t which = draw(f), how = draw(f);
	const struct tpm_session *s = NULL;
	TPM2B_NAME name;

	if (entity != TPM_RH_UNASSIGNED && bench_has(entity))
		c.auth = *entity_auth(&tpm, entity);
	if (entity == TPM_RH_UNASSIGNED || which & 3)
		s = session_get(&tpm, (which & 4 ? POLICY_SESSION_FIRST : HMAC_SESSION_FIRST) +
					      (which >> 3) % 8);
	c.attributes = how & 0x40 ? 0 : TPMA_SESSION_CONTINUESESSION;
	if (!s)
		return c;
	c.handle = s->handle;
	if (entity == TPM_RH_UNASSIGNED) /* no use without any */
		c.attributes |= attributes[1 + how % 7];
	else if (how & 8)
		c.attributes |= attributes[how % 8];
	c.authHash = s->authHash;
	c.symmetric = s->symmetric;
	c.sessionKey = s->sessionKey;
	c.nonceTPM = s->nonceTPM;
	c.nonceCaller.size = (uint16_t)(how & 0x30);
	c.with_auth =
		s->type == TPM_SE_HMAC || (s->bits & (SESSION_AUTHVALUE | SESSION_PASSWORD)) != 0;
	c.password = s->bits & SESSION_PASSWORD && entity != TPM_RH_UNASSIGNED;
	if (entity == TPM_RH_UNASSIGNED || !bench_has(entity)) {
		c.with_auth = false;
	} else if (s->bits & SESSION_BOUND && s->type == TPM_SE_HMAC) {
		entity_name(&tpm, entity, &name);
		c.with_auth = !(EQUAL_2B(name, s->boundName) && EQUAL_2B(c.auth, s->boundAuth));
	}
	return c;
}

static unsigned make_sessions(const struct command *c, const union command_in *in, struct feed *f,
			      struct client_session sessions[MAX_SESSION_NUM])
{
	uint8_t b = draw(f);
	unsigned auths = command_auths(c), count = 0;

	while (count < auths) {
		sessions[count] = client_of(f, in->handle[count]);
		count++;
	}
	if (b < 0xC0)
		return count;
	for (unsigned more = 1 + (b & 1); more && count < MAX_SESSION_NUM; more--)
		sessions[count++] = client_of(f, TPM_RH_UNASSIGNED);
	return b == 0xFF ? b % (count + 1) : count;
}

/* Does the command change the secret that its answer is signed with? */
static bool changes_auth(const struct command *c)
{
	switch (c->code) {
	case TPM_CC_HierarchyChangeAuth:
	case TPM_CC_NV_ChangeAuth:
	case TPM_CC_NV_UndefineSpaceSpecial:
	case TPM_CC_NV_UndefineSpace:
	case TPM_CC_Clear:
	case TPM_CC_ChangeEPS:
	case TPM_CC_ChangePPS:
	case TPM_CC_PolicyPassword: /* of a session that signs this very answer */
	case TPM_CC_PolicyAuthValue:
	case TPM_CC_PolicyRestart:
		return true;
	default:
		return false;
	}
}

/* ---- what must hold ---- */

static bool all_zero(const void *at, size_t len)
{
	const uint8_t *p = at;

	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

static void check_quiet(void)
{
	const struct frame *f = &tpm.frame;

	CHECK(all_zero(&f->sensitive, sizeof f->sensitive));
	CHECK(all_zero(f->names, sizeof f->names));
	CHECK(all_zero(f->sessions, sizeof f->sessions));
	CHECK(all_zero(&f->cp_hash, sizeof f->cp_hash));
	CHECK(all_zero(&f->audit_cp_hash, sizeof f->audit_cp_hash));
	CHECK(all_zero(&f->command_audit_cp_hash, sizeof f->command_audit_cp_hash));
	CHECK(all_zero(&f->in, sizeof f->in));
	CHECK(all_zero(&f->out, sizeof f->out));
	CHECK(all_zero(&f->scratch, sizeof f->scratch));
	CHECK(all_zero(f->plain, sizeof f->plain));
	CHECK(tpm.journal.used == 0 && !tpm.journal.overflow);
	CHECK(all_zero(tpm.journal.bytes, sizeof tpm.journal.bytes));
	CHECK(!tpm.failed);
}

/* PIN counts are monotone, the rest of NV is not. */
static void check_nv_unchanged(void)
{
	struct nv_entry *entry, *was;

	CHECK(tpm.nv.used == before.nv.used);
	for (size_t at = 0; at < tpm.nv.used; at += entry->size) {
		size_t len;

		entry = nv_entry_at(&tpm, at);
		was = nv_entry_at(&before, at);
		CHECK(entry->size == was->size && entry->handle == was->handle);
		CHECK(entry->removing == was->removing && entry->dirty == was->dirty);
		len = entry->size - offsetof(struct nv_entry, nv);
		if (HANDLE_TYPE(entry->handle) == TPM_HT_NV_INDEX && nv_is_pin(entry))
			len = sizeof entry->nv;
		else if (HANDLE_TYPE(entry->handle) == TPM_HT_NV_INDEX &&
			 !(was->nv.publicArea.attributes & TPMA_NV_WRITTEN))
			len = sizeof entry->nv; /* what is not written is no state */
		CHECK(memcmp(&entry->nv, &was->nv, len) == 0);
	}
}

static void check_unchanged(void)
{
	const size_t from = offsetof(struct tpm, hierarchy);

	CHECK(memcmp((uint8_t *)&tpm + from, (uint8_t *)&before + from,
		     offsetof(struct tpm, objects) - from) == 0);
	CHECK(memcmp(tpm.objects, before.objects, sizeof tpm.objects) == 0);
	CHECK(tpm.dirty == before.dirty);
	check_nv_unchanged();
}

static tpm_rc execute(const uint8_t *command, size_t len, uint8_t *answer, size_t *answer_len)
{
	tpm_rc rc;

	memcpy(&before, &tpm, offsetof(struct tpm, rsa_keys));
	before.nv.used = tpm.nv.used;
	memcpy(before.nv.memory, tpm.nv.memory, tpm.nv.used);
	rc = bench_execute(command, len, answer, answer_len);
	CHECK(rc != TPM_RC_FAILURE);
	check_quiet();
	if (rc)
		check_unchanged();
	return rc;
}

/* ---- the steps ---- */

/* Changes bytes of a command that was right. */
static size_t spoil(uint8_t *bytes, size_t len, struct feed *f)
{
	for (unsigned n = draw(f) % 4u + 1; n; n--) {
		size_t at = draw_number(f, 2) % len;

		bytes[at] ^= (uint8_t)(1 << draw(f) % 8);
	}
	return draw(f) == 0xFF ? draw_number(f, 2) % (len + 1) : len;
}

static void run(const struct command *c, union command_in *in, struct client_session *sessions,
		unsigned count, struct feed *f)
{
	static uint8_t bytes[CVTPM_MAX_BUFFER_SIZE], answer[CVTPM_MAX_BUFFER_SIZE];
	static union command_out out;
	TPM2B_NAME names[MAX_HANDLE_NUM];
	size_t len, answer_len;
	uint8_t wrong = draw(f);
	tpm_rc rc;

	memset(names, 0, sizeof names);
	for (unsigned n = 0; n < command_handles(c); n++)
		if (bench_has(in->handle[n]))
			entity_name(&tpm, in->handle[n], &names[n]);
	len = command_encode(c, in, sessions, count, names, bytes, sizeof bytes);
	if (!len)
		return;
	if (wrong >= 0xD0) {
		execute(bytes, spoil(bytes, len, f), answer, &answer_len);
		return;
	}
	if (execute(bytes, len, answer, &answer_len))
		return;
	memset(&out, 0, sizeof out);
	rc = response_decode(c, answer, answer_len, sessions, count, &out);
	CHECK(rc != ENCODE_MALFORMED || changes_auth(c));
	CHECK(rc != ENCODE_HMAC || changes_auth(c));
	if (rc)
		return;
	keep_in(c, in);
	keep_out(c, &out);
}

/* Most of the time of a run would go to primes and known answers. */
static bool takes_long(const struct command *c, const union command_in *in)
{
	return c->code == TPM_CC_SelfTest || c->code == TPM_CC_IncrementalSelfTest ||
	       (c->code == TPM_CC_CreatePrimary &&
		in->CreatePrimary.inPublic.publicArea.type == TPM_ALG_RSA) ||
	       (c->code == TPM_CC_Create && in->Create.inPublic.publicArea.type == TPM_ALG_RSA);
}

static void step_command(struct feed *f)
{
	static union command_in in;
	const struct command *c = commands[draw(f) % command_count];
	struct client_session sessions[MAX_SESSION_NUM];
	const struct command_handle *h = c->handles;
	unsigned count;

	memset(&in, 0, sizeof in);
	for (unsigned n = 0; h[n].type; n++)
		in.handle[n] = make_entity(h[n].type, f, h[n].plus);
	count = make_sessions(c, &in, f, sessions);
	make_fields(c->in, IN_FIELDS(&in), f, false);
	if (!takes_long(c, &in) || !long_ones++)
		run(c, &in, sessions, count, f);
}

static void send_startup(TPM_SU type)
{
	const uint8_t bytes[] = {0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, (uint8_t)type};
	static uint8_t answer[CVTPM_MAX_BUFFER_SIZE];
	size_t len;

	if (bench.locality != 3) /* from others it is refused */
		bench.locality = 0;
	if (execute(bytes, sizeof bytes, answer, &len) && type == TPM_SU_STATE)
		send_startup(TPM_SU_CLEAR);
}

/* The process ends without a word. What it acknowledged is there again. */
static void step_kill(struct feed *f)
{
	static struct tpm_hierarchy hierarchy[H_NULL];
	static struct tpm_settings settings;
	static struct tpm_audit audit;
	size_t indices_before = nv_count(&tpm, TPM_HT_NV_INDEX);
	size_t objects_before = nv_count(&tpm, TPM_HT_PERSISTENT);
	struct tpm_lockout lockout = tpm.lockout;
	const tpm_command_set pp_commands = tpm.pp_commands;
	bool saved = !tpm.dirty && !tpm.dirty_monotone && !tpm.nv.dirty;

	memcpy(hierarchy, tpm.hierarchy, sizeof hierarchy);
	settings = tpm.settings;
	audit = tpm.audit;
	cvtpm_engine_native.destroy(bench_tpm());
	CHECK(bench_create() == 0);
	if (saved) {
		CHECK(memcmp(&lockout, &tpm.lockout, sizeof lockout) == 0);
		CHECK(nv_count(&tpm, TPM_HT_NV_INDEX) == indices_before);
		CHECK(nv_count(&tpm, TPM_HT_PERSISTENT) == objects_before);
		for (size_t i = 0; i < H_NULL; i++) {
			CHECK(EQUAL_2B(hierarchy[i].seed, tpm.hierarchy[i].seed));
			CHECK(EQUAL_2B(hierarchy[i].proof, tpm.hierarchy[i].proof));
		}
		CHECK(EQUAL_2B(hierarchy[H_OWNER].authValue, tpm.hierarchy[H_OWNER].authValue));
		CHECK(EQUAL_2B(hierarchy[H_LOCKOUT].authValue, tpm.hierarchy[H_LOCKOUT].authValue));
		CHECK(settings.disableClear == tpm.settings.disableClear);
		CHECK(memcmp(&pp_commands, &tpm.pp_commands, sizeof pp_commands) == 0);
		CHECK(audit.hashAlg == tpm.audit.hashAlg && audit.counter == tpm.audit.counter);
		CHECK(memcmp(&audit.commands, &tpm.audit.commands, sizeof audit.commands) == 0);
	}
	send_startup(draw(f) & 1 ? TPM_SU_STATE : TPM_SU_CLEAR);
}

/* Paused, copied out, put back, and on it goes. */
static void step_migrate(void)
{
	static uint8_t blob[64 * 1024];
	struct cvtpm_tpm *t = bench_tpm();
	size_t len = sizeof blob;

	CHECK(cvtpm_engine_native.save_state(t, CVTPM_BLOB_VOLATILE, blob, &len) == 0);
	cvtpm_engine_native.power_off(t);
	CHECK(cvtpm_engine_native.load_state(t, CVTPM_BLOB_VOLATILE, blob, len) == 0);
	CHECK(cvtpm_engine_native.power_on(t) == 0);
	CHECK(tpm.started);
}

static void step_hash(struct feed *f)
{
	uint8_t bytes[32];

	draw_bytes(f, bytes, sizeof bytes);
	switch (draw(f) % 3) {
	case 0:
		cvtpm_engine_native.hash_start(bench_tpm());
		break;
	case 1:
		cvtpm_engine_native.hash_data(bench_tpm(), bytes, sizeof bytes);
		break;
	default:
		cvtpm_engine_native.hash_end(bench_tpm());
	}
}

static void step(uint8_t operation, struct feed *f)
{
	static const uint8_t localities[] = {0, 3, 4, 1, 2, 32};

	if (operation < 0xE0 || operation >= 0xF9) {
		step_command(f);
	} else if (operation < 0xE3) {
		step_kill(f);
	} else if (operation < 0xE6) {
		CHECK(cvtpm_engine_native.power_on(bench_tpm()) == 0);
		send_startup(draw(f) & 1 ? TPM_SU_STATE : TPM_SU_CLEAR);
	} else if (operation < 0xE9) {
		bench.now_ms += draw_number(f, 1 + draw(f) % 6u);
	} else if (operation < 0xED) {
		const uint8_t b = draw(f);

		bench.locality = localities[b % COUNT(localities)];
		bench.presence = b < 0x80;
	} else if (operation < 0xF0) {
		step_hash(f);
	} else if (operation < 0xF4) {
		step_migrate();
	} else {
		bench.store_fails = true;
		step_command(f);
		bench.store_fails = false;
	}
}

/* ---- the TPM that every input begins with ---- */

/* Its template is kept, too. */
static void make_primary(TPM_HANDLE hierarchy, TPM_ALG_ID type, TPMA_OBJECT attributes)
{
	static union command_out out;
	const TPM2B_PUBLIC template = bench_template(type, attributes);

	keep(&type_TPM2B_PUBLIC, &template);
	bench_primary(hierarchy, &template, &out);
	keep_out(command_find(TPM_CC_CreatePrimary), &out);
}

static void make_indices(void)
{
	const TPMA_NV both = TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE;

	bench_define(indices[0], TPM_NT_ORDINARY, both, 40);
	bench_define(indices[1], TPM_NT_COUNTER, both, 8);
	bench_define(indices[2], TPM_NT_BITS, both, 8);
	bench_define(indices[3], TPM_NT_EXTEND, both, 32);
	bench_define(indices[4], TPM_NT_PIN_FAIL, TPMA_NV_AUTHREAD | TPMA_NV_NO_DA, 8);
	bench_define(indices[5], TPM_NT_PIN_PASS, TPMA_NV_AUTHREAD, 8);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	bench_begin();
	CHECK(bench_create() == 0);
	CHECK(bench_startup(TPM_SU_CLEAR) == 0);
	/* RSA first: its templates take the longest, and the last that are kept are sent most */
	make_primary(TPM_RH_OWNER, TPM_ALG_RSA, TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT);
	make_primary(TPM_RH_ENDORSEMENT, TPM_ALG_RSA, BENCH_STORAGE);
	make_primary(TPM_RH_OWNER, TPM_ALG_ECC, BENCH_STORAGE);
	make_primary(TPM_RH_ENDORSEMENT, TPM_ALG_ECC, TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT);
	make_primary(TPM_RH_OWNER, TPM_ALG_KEYEDHASH, TPMA_OBJECT_SIGN);
	make_primary(TPM_RH_NULL, TPM_ALG_SYMCIPHER, TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT);
	bench_session(TPM_SE_HMAC, TPM_RH_NULL, TPM_ALG_NULL);
	bench_session(TPM_SE_HMAC, TPM_RH_OWNER, TPM_ALG_AES);
	bench_session(TPM_SE_HMAC, TPM_RH_NULL, TPM_ALG_XOR);
	bench_session(TPM_SE_POLICY, TPM_RH_NULL, TPM_ALG_NULL);
	bench_session(TPM_SE_TRIAL, TPM_RH_NULL, TPM_ALG_NULL);
	make_indices();
	bench.patience = 20; /* what takes long is not what is looked for here */
	bench_keep();
	first_values = kept_values;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed input = {data, size}, own;
	uint8_t operation;

	bench_restore();
	kept_values = first_values;
	long_ones = 0;
	for (unsigned n = 0; n < MAX_STEPS && next_step(&input, &operation, &own); n++)
		step(operation, &own);
	return 0;
}
