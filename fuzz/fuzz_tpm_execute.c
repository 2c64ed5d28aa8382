/*
 * Commands of a hostile guest, made by the tables of the native engine.
 *
 * An input is a run of steps, each with bytes of its own, so that a change in one
 * leaves the others what they were: `operation | length | bytes`. Most steps are a
 * command, whose handles, parameters and sessions are drawn from the step's bytes by
 * its row in commands.def: values that the types allow, now and then others, and what
 * earlier answers held (keys, contexts, tickets, signatures). HMACs are right, unless
 * the step says otherwise: the harness looks up authValues and session keys in the TPM.
 * The other steps are what a platform does: reset, kill, time, locality, _TPM_Hash_Data,
 * a store that fails.
 *
 * After each command: the answer is well-formed by the table, and its HMACs are right;
 * an error has changed not a bit of the transactional state; nothing of the command is
 * left in its frame or in the journal; failure mode was not reached; and after a kill
 * what was acknowledged is there again.
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
#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { STORE_SIZE = 320 * 1024, MAX_STEPS = 48, KEPT = 64, KEPT_SIZE = 4096 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the bench ---- */

/* Values that answers held, to be sent again. */
struct kept {
	const struct type *type;
	_Alignas(8) uint8_t value[KEPT_SIZE];
};

static _Alignas(64) struct tpm tpm;
static _Alignas(16) uint8_t store_memory[STORE_SIZE];
static struct bench {
	struct cvtpm_store *store, faulty;
	uint64_t now_ms, entropy;
	bool store_fails;
	unsigned polls; /* of `cancelled` in this command */
	uint8_t locality;
	size_t kept_count;
	struct kept kept[KEPT];
} bench;
static struct {
	struct tpm tpm;
	uint8_t store[STORE_SIZE];
	struct bench bench;
} start; /* each input begins with these */
static struct tpm before;

static struct cvtpm_tpm *handle_of_tpm(void)
{
	return (struct cvtpm_tpm *)(void *)&tpm;
}

/* Numbers that are the same in every run. */
static int entropy(void *context, uint8_t *out, size_t len)
{
	(void)context;
	for (size_t i = 0; i < len; i++) {
		bench.entropy = bench.entropy * 6364136223846793005u + 1442695040888963407u;
		out[i] = (uint8_t)(bench.entropy >> 56);
	}
	return 0;
}

static uint64_t clock_ms(void *context)
{
	(void)context;
	return bench.now_ms;
}

/* What takes long is not what is looked for here. */
static bool cancelled(void *context)
{
	(void)context;
	return ++bench.polls > 4;
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
static const struct cvtpm_platform platform = {
	.entropy = entropy, .clock_ms = clock_ms, .cancelled = cancelled, .store = &bench.faulty};

static void create(void)
{
	const struct cvtpm_engine_config config = {.buffer_size = CVTPM_MAX_BUFFER_SIZE,
						   .memory = &tpm};
	struct cvtpm_tpm *made;
	bool is_new;

	CHECK(cvtpm_engine_native.create(&made, &platform, &config, &is_new) == 0);
	CHECK(cvtpm_engine_native.power_on(made) == 0);
}

/* ---- a step's bytes; past the end there are zeros ---- */

struct feed {
	const uint8_t *at;
	size_t left;
};

static uint8_t draw(struct feed *f)
{
	if (!f->left)
		return 0;
	f->left--;
	return *f->at++;
}

static uint64_t draw_number(struct feed *f, size_t bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | draw(f);
	return value;
}

static void draw_bytes(struct feed *f, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = draw(f);
}

/* ---- values by their types ---- */

static void make_value(const struct type *type, void *to, struct feed *f, bool plus);

static const TPM_HANDLE indices[] = {0x01500000, 0x01500001, 0x01500002, 0x01500003,
				     0x01500004, 0x01500005, 0x01500006, 0x01C00002};

static TPM_HANDLE make_handle(struct feed *f)
{
	static const TPM_HANDLE permanent[] = {TPM_RH_OWNER,   TPM_RH_ENDORSEMENT, TPM_RH_PLATFORM,
					       TPM_RH_LOCKOUT, TPM_RH_NULL,        TPM_RS_PW};
	uint8_t which = draw(f), n = which >> 3;

	switch (which & 7) {
	case 0:
		return permanent[n % COUNT(permanent)];
	case 1:
	case 2:
		return TRANSIENT_FIRST + n % 8;
	case 3:
		return HMAC_SESSION_FIRST + n % 8;
	case 4:
		return POLICY_SESSION_FIRST + n % 8;
	case 5:
		return indices[n % COUNT(indices)];
	case 6:
		return (n & 1 ? PLATFORM_PERSISTENT : PERSISTENT_FIRST) + n / 2 % 4;
	default:
		return n < 24 ? n : (TPM_HANDLE)draw_number(f, 4);
	}
}

/* A handle that the type allows, if one comes up in a few draws. */
static TPM_HANDLE make_ranged(const struct type *type, struct feed *f, bool plus)
{
	TPM_HANDLE handle = make_handle(f);

	if (plus && handle == TPM_RS_PW)
		return type->null;
	for (uint32_t i = 0; i < type->max; i++)
		if (handle >= type->values[2 * i] && handle <= type->values[2 * i + 1])
			return handle;
	if (draw(f) == 0xFF)
		return handle;
	/* the kind of the first range, the same number */
	handle = type->values[0] + (HANDLE_INDEX(handle) & 7);
	return handle <= type->values[1] ? handle : type->values[0];
}

static void store_number(void *to, size_t size, uint64_t value)
{
	uint8_t v8 = (uint8_t)value;
	uint16_t v16 = (uint16_t)value;
	uint32_t v32 = (uint32_t)value;

	memcpy(to,
	       size == 1   ? (void *)&v8
	       : size == 2 ? (void *)&v16
	       : size == 4 ? (void *)&v32
			   : (void *)&value,
	       size);
}

static uint64_t load_number(const void *from, size_t size)
{
	uint64_t v64;
	uint32_t v32;
	uint16_t v16;

	switch (size) {
	case 1:
		return *(const uint8_t *)from;
	case 2:
		memcpy(&v16, from, 2);
		return v16;
	case 4:
		memcpy(&v32, from, 4);
		return v32;
	default:
		memcpy(&v64, from, 8);
		return v64;
	}
}

/* Small numbers, mostly; sometimes all of its bytes. */
static uint64_t make_number(const struct type *type, struct feed *f)
{
	uint8_t b = draw(f);

	return b < 0xE0   ? b
	       : b < 0xF0 ? (uint64_t)b << 8 * (type->size - 1)
			  : draw_number(f, type->size);
}

static uint64_t make_bits(const struct type *type, struct feed *f)
{
	static const uint32_t object[] = {
		TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT,
		TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_SIGN,
		TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_FIXEDTPM |
			TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
		TPMA_OBJECT_USERWITHAUTH,
	};
	uint8_t b = draw(f);

	if (type_resolve(type) == &type_TPMA_OBJECT && b < 0xC0)
		return object[b % COUNT(object)] ^ (b < 0x80 ? 0u : 1u << draw(f) % 20);
	if (type_resolve(type) == &type_TPMA_NV && b < 0xC0)
		return (TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_OWNERREAD |
			TPMA_NV_OWNERWRITE | (uint32_t)(b & 15) << 4) ^
		       (b < 0x80 ? 0u : 1u << draw(f) % 32);
	return draw_number(f, type->size) & (b < 0xFA ? type->max : UINT64_MAX);
}

static void make_buffer(const struct type *type, uint8_t *to, struct feed *f)
{
	static const uint8_t sizes[] = {0, 0, 0, 32, 32, 20, 48, 64, 16, 8, 1, 4};
	uint8_t b = draw(f);
	size_t size = b < 0xC0   ? sizes[b % COUNT(sizes)]
		      : b < 0xE0 ? (size_t)(b & 31) * type->max / 31
				 : draw_number(f, 2) % (type->max + 1u);

	size = size > type->max ? type->max : size;
	store_number(to, 2, size);
	draw_bytes(f, to + 2, size);
}

static const struct type_case *case_of(const struct type *type, uint64_t selector)
{
	for (uint32_t i = 0; i < type->max; i++)
		if (type->cases[i].selector == selector)
			return &type->cases[i];
	return NULL;
}

static void make_fields(const struct field *fields, uint8_t *record, struct feed *f, bool plus)
{
	for (unsigned n = 0; fields[n].type; n++) {
		const struct field *field = &fields[n], *by = &fields[field->selector];
		uint8_t *to = record + field_offset(fields, n);
		const struct type_case *c;

		if (field->kind != FIELD_SELECTED) {
			make_value(field->type, to, f,
				   field->kind == FIELD_PLUS ||
					   (field->kind == FIELD_INHERIT && plus));
			continue;
		}
		c = case_of(field->type, load_number(record + field_offset(fields, field->selector),
						     by->type->size));
		if (c && c->type && c->selector != SELECT_NEVER)
			make_value(c->type, to, f, false);
	}
}

/* Something of this type that an answer held; false: there is none, or the step does
 * not want it. */
static bool take_kept(const struct type *type, void *to, struct feed *f)
{
	const size_t n = bench.kept_count < KEPT ? bench.kept_count : KEPT;
	uint8_t b = draw(f);
	size_t skip = b & 15;

	if (b & 0x40)
		return false;
	for (size_t i = 0; i < 2 * n; i++) {
		const struct kept *k = &bench.kept[(bench.kept_count - 1 - i % n) % KEPT];

		if (k->type != type || skip--)
			continue;
		memcpy(to, k->value, type->size);
		return true;
	}
	return false;
}

static size_t element_offset(const struct type *type, size_t size_of_count)
{
	const size_t align = type->element->align;

	return (size_of_count + align - 1) / align * align;
}

static void make_list(const struct type *type, uint8_t *to, struct feed *f)
{
	uint8_t b = draw(f);
	uint32_t count = b < 0xF0 ? type->min + b % 3u : draw(f);

	count = count > type->max ? type->max : count;
	store_number(to, 4, count);
	for (uint32_t i = 0; i < count; i++)
		make_value(type->element, to + element_offset(type, 4) + i * type->element->size, f,
			   false);
}

static void make_value(const struct type *type, void *to, struct feed *f, bool plus)
{
	const struct type *t = type_resolve(type);
	uint8_t b;

	if (type == &type_TPM_CC) {
		store_number(to, 4, commands[draw(f) % command_count]->code);
		return;
	}
	if (type == &type_TPM_HANDLE) {
		store_number(to, 4, make_handle(f));
		return;
	}
	switch (t->kind) {
	case TYPE_NUMBER:
		store_number(to, t->size, make_number(t, f));
		break;
	case TYPE_BITS:
		store_number(to, t->size, make_bits(t, f));
		break;
	case TYPE_VALUES:
		b = draw(f);
		if (plus && t->null != NO_NULL && (b & 0x81) == 1)
			store_number(to, t->size, t->null);
		else
			store_number(to, t->size,
				     b == 0xFF ? draw_number(f, t->size) : t->values[b % t->max]);
		break;
	case TYPE_RANGES:
		store_number(to, t->size, make_ranged(t, f, plus));
		break;
	case TYPE_BYTES:
		draw_bytes(f, to, t->max);
		break;
	case TYPE_BUFFER:
		if (!take_kept(t, to, f))
			make_buffer(t, to, f);
		break;
	case TYPE_SELECT:
		*(uint8_t *)to = (uint8_t)t->max;
		draw_bytes(f, (uint8_t *)to + 1, t->max);
		break;
	case TYPE_SIZED:
		if (take_kept(t, to, f))
			break;
		store_number(to, 2, t->empty_allowed && draw(f) == 1 ? 0 : 1);
		make_value(t->element, (uint8_t *)to + element_offset(t, 2), f, plus);
		break;
	case TYPE_LIST:
		make_list(t, to, f);
		break;
	case TYPE_STRUCTURE:
		if (!take_kept(t, to, f))
			make_fields(t->fields, to, f, plus);
		break;
	default:
		break;
	}
}

static void keep(const struct type *type, const void *value)
{
	struct kept *k = &bench.kept[bench.kept_count % KEPT];

	type = type_resolve(type);
	if (type->size > KEPT_SIZE ||
	    (type->kind != TYPE_BUFFER && type->kind != TYPE_SIZED && type->kind != TYPE_STRUCTURE))
		return;
	k->type = type;
	memcpy(k->value, value, type->size);
	bench.kept_count++;
}

static void keep_out(const struct command *c, union command_out *out)
{
	const uint8_t *record = OUT_FIELDS(out);

	for (unsigned n = 0; c->out[n].type; n++)
		keep(c->out[n].type, record + field_offset(c->out, n));
}

/* ---- sessions ---- */

static bool is_there(TPM_HANDLE handle)
{
	return entity_check(&tpm, handle, 1) == 0;
}

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

	if (entity != TPM_RH_UNASSIGNED && is_there(entity))
		c.auth = *entity_auth(&tpm, entity);
	if (entity == TPM_RH_UNASSIGNED || which & 3)
		s = session_get(&tpm, (which & 4 ? POLICY_SESSION_FIRST : HMAC_SESSION_FIRST) +
					      (which >> 3) % 8);
	c.attributes = how & 0x40 ? 0 : TPMA_SESSION_CONTINUESESSION;
	if (!s)
		return c;
	c.handle = s->handle;
	c.attributes |= attributes[entity == TPM_RH_UNASSIGNED ? 1 + how % 7 : how % 8];
	c.authHash = s->authHash;
	c.symmetric = s->symmetric;
	c.sessionKey = s->sessionKey;
	c.nonceTPM = s->nonceTPM;
	c.nonceCaller.size = (uint16_t)(how & 0x30);
	c.with_auth =
		s->type == TPM_SE_HMAC || (s->bits & (SESSION_AUTHVALUE | SESSION_PASSWORD)) != 0;
	c.password = s->bits & SESSION_PASSWORD && entity != TPM_RH_UNASSIGNED;
	if (entity == TPM_RH_UNASSIGNED || !is_there(entity)) {
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
	if (b < 0x60)
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

static tpm_rc check_answer(const uint8_t *answer, size_t len)
{
	tpm_rc rc;

	CHECK(len >= 10 && len <= CVTPM_MAX_BUFFER_SIZE);
	CHECK(len == ((size_t)answer[2] << 24 | (size_t)answer[3] << 16 | (size_t)answer[4] << 8 |
		      answer[5]));
	rc = (tpm_rc)answer[6] << 24 | (tpm_rc)answer[7] << 16 | (tpm_rc)answer[8] << 8 | answer[9];
	CHECK(!rc || len == 10);
	CHECK(rc != TPM_RC_FAILURE);
	return rc;
}

static tpm_rc execute(const uint8_t *command, size_t len, uint8_t *answer, size_t *answer_len)
{
	tpm_rc rc;

	memcpy(&before, &tpm, offsetof(struct tpm, rsa_keys));
	before.nv.used = tpm.nv.used;
	memcpy(before.nv.memory, tpm.nv.memory, tpm.nv.used);
	bench.polls = 0;
	*answer_len = CVTPM_MAX_BUFFER_SIZE;
	CHECK(cvtpm_engine_native.execute(handle_of_tpm(), bench.locality, command, len, answer,
					  answer_len) == 0);
	rc = check_answer(answer, *answer_len);
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

static void run(const struct command *c, const union command_in *in,
		struct client_session *sessions, unsigned count, struct feed *f)
{
	static uint8_t bytes[CVTPM_MAX_BUFFER_SIZE], answer[CVTPM_MAX_BUFFER_SIZE];
	static union command_out out;
	TPM2B_NAME names[MAX_HANDLE_NUM];
	size_t len, answer_len;
	uint8_t wrong = draw(f);
	tpm_rc rc;

	memset(names, 0, sizeof names);
	for (unsigned n = 0; n < command_handles(c); n++)
		if (is_there(in->handle[n]))
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
	if (!rc)
		keep_out(c, &out);
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
		make_value(h[n].type, &in.handle[n], f, h[n].plus);
	count = make_sessions(c, &in, f, sessions);
	make_fields(c->in, IN_FIELDS(&in), f, false);
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
	size_t indices_before = nv_count(&tpm, TPM_HT_NV_INDEX);
	size_t objects_before = nv_count(&tpm, TPM_HT_PERSISTENT);
	struct tpm_lockout lockout = tpm.lockout;
	bool saved = !tpm.dirty && !tpm.dirty_monotone && !tpm.nv.dirty;

	memcpy(hierarchy, tpm.hierarchy, sizeof hierarchy);
	settings = tpm.settings;
	cvtpm_engine_native.destroy(handle_of_tpm());
	create();
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
	}
	send_startup(draw(f) & 1 ? TPM_SU_STATE : TPM_SU_CLEAR);
}

/* Paused, copied out, put back, and on it goes. */
static void step_migrate(void)
{
	static uint8_t blob[64 * 1024];
	struct cvtpm_tpm *t = handle_of_tpm();
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
		cvtpm_engine_native.hash_start(handle_of_tpm());
		break;
	case 1:
		cvtpm_engine_native.hash_data(handle_of_tpm(), bytes, sizeof bytes);
		break;
	default:
		cvtpm_engine_native.hash_end(handle_of_tpm());
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
		CHECK(cvtpm_engine_native.power_on(handle_of_tpm()) == 0);
		send_startup(draw(f) & 1 ? TPM_SU_STATE : TPM_SU_CLEAR);
	} else if (operation < 0xE9) {
		bench.now_ms += draw_number(f, 1 + draw(f) % 6u);
	} else if (operation < 0xED) {
		bench.locality = localities[draw(f) % COUNT(localities)];
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

static void must(TPM_CC code, const void *in, union command_out *out)
{
	const struct command *c = command_find(code);
	struct client_session sessions[MAX_SESSION_NUM];
	static uint8_t bytes[CVTPM_MAX_BUFFER_SIZE], answer[CVTPM_MAX_BUFFER_SIZE];
	size_t len;

	memset(sessions, 0, sizeof sessions);
	for (unsigned n = 0; n < command_auths(c); n++)
		sessions[n].handle = TPM_RS_PW;
	len = command_encode(c, in, sessions, command_auths(c), NULL, bytes, sizeof bytes);
	CHECK(len);
	CHECK(execute(bytes, len, answer, &len) == 0);
	memset(out, 0, sizeof *out);
	CHECK(response_decode(c, answer, len, sessions, command_auths(c), out) == 0);
	keep_out(c, out);
}

static void make_primary(TPM_HANDLE hierarchy, TPM_ALG_ID type, TPMA_OBJECT attributes)
{
	static struct CreatePrimary_in in;
	static union command_out out;
	TPMT_PUBLIC *public = &in.inPublic.publicArea;

	memset(&in, 0, sizeof in);
	in.primaryHandle = hierarchy;
	in.inSensitive.size = in.inPublic.size = 1;
	public->type = type;
	public->nameAlg = TPM_ALG_SHA256;
	public->objectAttributes = attributes | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA |
				   TPMA_OBJECT_SENSITIVEDATAORIGIN;
	if (type == TPM_ALG_ECC) {
		TPMS_ECC_PARMS *ecc = &public->parameters.eccDetail;

		ecc->symmetric.algorithm = TPM_ALG_NULL;
		ecc->scheme.scheme = TPM_ALG_NULL;
		ecc->kdf.scheme = TPM_ALG_NULL;
		ecc->curveID = TPM_ECC_NIST_P256;
		if (attributes & TPMA_OBJECT_RESTRICTED)
			ecc->symmetric =
				(TPMT_SYM_DEF_OBJECT){TPM_ALG_AES, {.aes = 128}, {TPM_ALG_CFB}};
	} else if (type == TPM_ALG_KEYEDHASH) {
		public->parameters.keyedHashDetail.scheme.scheme = TPM_ALG_HMAC;
		public->parameters.keyedHashDetail.scheme.details.hmac.hashAlg = TPM_ALG_SHA256;
	} else {
		public->parameters.symDetail.sym =
			(TPMT_SYM_DEF_OBJECT){TPM_ALG_AES, {.aes = 128}, {TPM_ALG_NULL}};
	}
	keep(&type_TPM2B_PUBLIC, &in.inPublic); /* a template, too */
	must(TPM_CC_CreatePrimary, &in, &out);
}

static void make_session(TPM_SE type, TPM_ALG_ID symmetric)
{
	static union command_out out;
	struct StartAuthSession_in in = {.tpmKey = TPM_RH_NULL,
					 .bind = symmetric == TPM_ALG_AES ? TPM_RH_OWNER
									  : TPM_RH_NULL,
					 .nonceCaller.size = 16,
					 .sessionType = type,
					 .symmetric = {symmetric, {.aes = 128}, {TPM_ALG_CFB}},
					 .authHash = TPM_ALG_SHA256};

	if (symmetric == TPM_ALG_XOR)
		in.symmetric.keyBits.exclusiveOr = TPM_ALG_SHA256;
	must(TPM_CC_StartAuthSession, &in, &out);
}

static void make_indices(void)
{
	static const struct {
		unsigned type;
		uint16_t size;
	} kinds[] = {{TPM_NT_ORDINARY, 40}, {TPM_NT_COUNTER, 8},  {TPM_NT_BITS, 8},
		     {TPM_NT_EXTEND, 32},   {TPM_NT_PIN_FAIL, 8}, {TPM_NT_PIN_PASS, 8}};
	static union command_out out;

	for (size_t i = 0; i < COUNT(kinds); i++) {
		bool pin_fail = kinds[i].type == TPM_NT_PIN_FAIL, pin = kinds[i].size == 8 && i > 3;
		struct NV_DefineSpace_in in = {
			.authHandle = TPM_RH_OWNER,
			.publicInfo = {1,
				       {indices[i],
					TPM_ALG_SHA256,
					TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE |
						(pin ? 0u : (unsigned)TPMA_NV_AUTHWRITE) |
						(pin_fail ? (unsigned)TPMA_NV_NO_DA : 0u) |
						(uint32_t)kinds[i].type << 4,
					{.size = 0},
					kinds[i].size}},
		};

		must(TPM_CC_NV_DefineSpace, &in, &out);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	bench.now_ms = 1000;
	CHECK(cvtpm_store_memory_init(&bench.store, store_memory, sizeof store_memory) == 0);
	bench.faulty = (struct cvtpm_store){&faulty_ops, CVTPM_STORE_MEMORY, 0};
	create();
	send_startup(TPM_SU_CLEAR);
	make_primary(TPM_RH_OWNER, TPM_ALG_ECC,
		     TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_RESTRICTED |
			     TPMA_OBJECT_DECRYPT);
	make_primary(TPM_RH_ENDORSEMENT, TPM_ALG_ECC, TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT);
	make_primary(TPM_RH_OWNER, TPM_ALG_KEYEDHASH, TPMA_OBJECT_SIGN);
	make_primary(TPM_RH_NULL, TPM_ALG_SYMCIPHER, TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT);
	make_session(TPM_SE_HMAC, TPM_ALG_NULL);
	make_session(TPM_SE_HMAC, TPM_ALG_AES);
	make_session(TPM_SE_HMAC, TPM_ALG_XOR);
	make_session(TPM_SE_POLICY, TPM_ALG_NULL);
	make_session(TPM_SE_TRIAL, TPM_ALG_NULL);
	make_indices();
	start.tpm = tpm;
	memcpy(start.store, store_memory, sizeof store_memory);
	start.bench = bench;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed f = {data, size};

	memcpy(&tpm, &start.tpm, sizeof tpm);
	memcpy(store_memory, start.store, sizeof store_memory);
	bench = start.bench;
	for (unsigned n = 0; n < MAX_STEPS && f.left; n++) {
		uint8_t operation = draw(&f), len = draw(&f);
		struct feed own = {f.at, len < f.left ? len : f.left};

		f.at += own.left;
		f.left -= own.left;
		step(operation, &own);
	}
	return 0;
}
