/*
 * State blobs: a TPM as bytes, for migration and snapshots.
 *
 *     magic, 8 bytes | format version, 16 bits | kind, 8 bits | records
 *
 * A record is the length of its key, 8 bits, the key, the length of its value, 32
 * bits, and the value as the store has it (state.c). The permanent blob has every
 * record of the store but what TPM2_Shutdown(STATE) saved, which is the saved blob.
 * The volatile blob has one record, "tpm/volatile": the TPM as it runs.
 *
 * A blob is a stranger's: it is read through once, every record by its type, before
 * anything is replaced. A volatile blob waits in the store until power on; the TPM
 * then goes on where it stopped, once.
 */
#include "tpm/tpm.h"

#include "crypto/mem.h"

#define BLOB_VERSION 1
#define VOLATILE_KEY "tpm/volatile"
#define MAX_BLOB_KEY (RECORD_KEY_SIZE - 1)

static const uint8_t magic[8] = {'c', 'v', 't', 'p', 'm', 'T', 'P', 'M'};

static size_t key_length(const char *key)
{
	size_t n = 0;

	while (key[n])
		n++;
	return n;
}

/* ---- saving ---- */

/* A writer that may only count. */
struct counted {
	struct writer w;
	size_t len;
	bool counting;
};

static void put(struct counted *c, const void *bytes, size_t len)
{
	c->len += len;
	if (!c->counting)
		write_bytes(&c->w, bytes, len);
}

static void put_u32(struct counted *c, uint32_t value)
{
	uint8_t bytes[4];
	struct writer w = {bytes, sizeof bytes, false};

	write_u32(&w, value);
	put(c, bytes, sizeof bytes);
}

static void put_header(struct counted *c, enum cvtpm_blob kind)
{
	const uint8_t rest[] = {0, BLOB_VERSION, (uint8_t)kind};

	put(c, magic, sizeof magic);
	put(c, rest, sizeof rest);
}

static void put_record(struct counted *c, const char *key, const uint8_t *value, size_t len)
{
	uint8_t n = (uint8_t)key_length(key);

	put(c, &n, 1);
	put(c, key, n);
	put_u32(c, (uint32_t)len);
	put(c, value, len);
}

/* The keys of the store's records of ours, in t->commit.keys. */
struct key_list {
	struct tpm *t;
	size_t count;
};

static int collect_key(void *context, const char *key, size_t value_len)
{
	struct key_list *list = context;
	size_t n = key_length(key);

	(void)value_len;
	if (n > MAX_BLOB_KEY || list->count == MAX_CHANGES)
		return CVTPM_ERR_FORMAT;
	memcpy(list->t->commit.keys[list->count++], key, n + 1);
	return 0;
}

static int put_permanent(struct tpm *t, struct counted *c)
{
	struct key_list list = {t, 0};
	size_t len;

	CVTPM_TRY(cvtpm_store_list(t->platform->store, "tpm/", collect_key, &list));
	for (size_t i = 0; i < list.count; i++) {
		const char *key = t->commit.keys[i];

		if (state_key_is(key, SAVED_KEY) || state_key_is(key, VOLATILE_KEY))
			continue;
		CVTPM_TRY(cvtpm_store_get(t->platform->store, key, t->commit.bytes, COMMIT_SIZE,
					  &len));
		put_record(c, key, t->commit.bytes, len);
	}
	return 0;
}

static int put_stored(struct tpm *t, struct counted *c, const char *key)
{
	size_t len;

	CVTPM_TRY(cvtpm_store_get(t->platform->store, key, t->commit.bytes, COMMIT_SIZE, &len));
	put_record(c, key, t->commit.bytes, len);
	return 0;
}

static int put_volatile(struct tpm *t, struct counted *c)
{
	size_t len = running_write(t, t->commit.bytes, COMMIT_SIZE);

	if (!len)
		return CVTPM_ERR_SIZE;
	put_record(c, VOLATILE_KEY, t->commit.bytes, len);
	return 0;
}

static int put_blob(struct tpm *t, enum cvtpm_blob kind, struct counted *c)
{
	int err;

	put_header(c, kind);
	if (kind == CVTPM_BLOB_PERMANENT)
		err = put_permanent(t, c);
	else if (kind == CVTPM_BLOB_SAVED)
		err = t->run.orderly == ORDERLY_STATE ? put_stored(t, c, SAVED_KEY)
						      : CVTPM_ERR_NOT_FOUND;
	else
		err = t->powered ? put_volatile(t, c) : put_stored(t, c, VOLATILE_KEY);
	cvtpm_wipe(t->commit.bytes, COMMIT_SIZE);
	return err;
}

/* What a running TPM keeps in memory until TPM2_Shutdown (Clock, the data of orderly
 * indices, the audit digest) would otherwise go back by the move: a counter would repeat
 * its values. */
static int write_what_waits(struct tpm *t)
{
	int err;

	if (!t->started || t->failed)
		return 0;
	clock_shutdown(t);
	nv_shutdown(t);
	audit_shutdown(t);
	err = state_commit(t);
	undo_forget(t);
	return err;
}

int blob_save(struct tpm *t, enum cvtpm_blob kind, uint8_t *blob, size_t *len)
{
	struct counted c = {.counting = true};
	const size_t capacity = *len;

	if (kind > CVTPM_BLOB_SAVED)
		return CVTPM_ERR_PARAM;
	CVTPM_TRY(write_what_waits(t));
	CVTPM_TRY(put_blob(t, kind, &c));
	*len = c.len;
	if (!blob)
		return 0;
	if (c.len > capacity)
		return CVTPM_ERR_SIZE;
	c = (struct counted){.w = {blob, capacity, false}};
	return put_blob(t, kind, &c);
}

/* ---- loading ---- */

struct blob_record {
	char key[RECORD_KEY_SIZE];
	const uint8_t *value;
	uint32_t len;
};

static int read_blob_header(struct reader *r, enum cvtpm_blob kind)
{
	uint8_t head[sizeof magic + 3];

	if (read_bytes(r, head, sizeof head) || memcmp(head, magic, sizeof magic) ||
	    head[sizeof magic] != 0 || head[sizeof magic + 1] != BLOB_VERSION ||
	    head[sizeof magic + 2] != kind)
		return CVTPM_ERR_FORMAT;
	return 0;
}

static int read_blob_record(struct reader *r, struct blob_record *record)
{
	uint8_t n;

	if (read_u8(r, &n) || n == 0 || n > MAX_BLOB_KEY || read_bytes(r, record->key, n))
		return CVTPM_ERR_FORMAT;
	record->key[n] = 0;
	if (key_length(record->key) != n || read_u32(r, &record->len) || record->len > r->left)
		return CVTPM_ERR_FORMAT;
	record->value = r->at;
	r->at += record->len;
	r->left -= record->len;
	return 0;
}

static bool key_fits(const char *key, enum cvtpm_blob kind)
{
	bool saved = state_key_is(key, SAVED_KEY), running = state_key_is(key, VOLATILE_KEY);

	return kind == CVTPM_BLOB_PERMANENT ? !saved && !running
	       : kind == CVTPM_BLOB_SAVED   ? saved
					    : running;
}

/* Turns the blob's records into the changes of a commit, each checked by its type. */
static int plan_records(struct tpm *t, enum cvtpm_blob kind, struct reader r, size_t *count)
{
	struct blob_record record;

	CVTPM_TRY(read_blob_header(&r, kind));
	while (r.left) {
		size_t n = *count;

		if (n == MAX_CHANGES)
			return CVTPM_ERR_FORMAT;
		CVTPM_TRY(read_blob_record(&r, &record));
		if (!key_fits(record.key, kind))
			return CVTPM_ERR_FORMAT;
		if (kind == CVTPM_BLOB_VOLATILE)
			CVTPM_TRY(running_check(t, record.value, record.len));
		else
			CVTPM_TRY(state_check_record(t, record.key, record.value, record.len));
		memcpy(t->commit.keys[n], record.key, sizeof record.key);
		t->commit.changes[n] =
			(struct cvtpm_change){t->commit.keys[n], record.value, record.len};
		*count = n + 1;
	}
	return *count ? 0 : CVTPM_ERR_FORMAT;
}

/* A change that removes the record `key`, unless the plan has a new one for it. */
struct removals {
	struct tpm *t;
	size_t planned, count;
};

static int plan_removal(void *context, const char *key, size_t value_len)
{
	struct removals *p = context;
	size_t n = key_length(key);

	(void)value_len;
	for (size_t i = 0; i < p->planned; i++)
		if (state_key_is(key, p->t->commit.keys[i]))
			return 0;
	if (p->count == MAX_CHANGES || n > MAX_BLOB_KEY)
		return CVTPM_ERR_FORMAT;
	memcpy(p->t->commit.keys[p->count], key, n + 1);
	p->t->commit.changes[p->count] =
		(struct cvtpm_change){p->t->commit.keys[p->count], NULL, 0};
	p->count++;
	return 0;
}

static int replace_permanent(struct tpm *t, size_t planned)
{
	struct removals removals = {t, planned, planned};
	bool is_new;

	CVTPM_TRY(cvtpm_store_list(t->platform->store, "tpm/", plan_removal, &removals));
	CVTPM_TRY(cvtpm_store_commit(t->platform->store, t->commit.changes, removals.count));
	t->nv.used = 0;
	return state_load(t, &is_new);
}

int blob_load(struct tpm *t, enum cvtpm_blob kind, const uint8_t *blob, size_t len)
{
	size_t count = 0;

	if (kind > CVTPM_BLOB_SAVED)
		return CVTPM_ERR_PARAM;
	if (len == 0) {
		if (kind == CVTPM_BLOB_PERMANENT)
			return CVTPM_ERR_STATE; /* a TPM without seeds is none */
		t->commit.changes[0] = (struct cvtpm_change){
			kind == CVTPM_BLOB_SAVED ? SAVED_KEY : VOLATILE_KEY, NULL, 0};
		return cvtpm_store_commit(t->platform->store, t->commit.changes, 1);
	}
	CVTPM_TRY(plan_records(t, kind, (struct reader){blob, len}, &count));
	if (kind == CVTPM_BLOB_PERMANENT) {
		CVTPM_TRY(state_check_whole(t, count));
		return replace_permanent(t, count);
	}
	return cvtpm_store_commit(t->platform->store, t->commit.changes, count);
}

/* ---- power on with the state of a running TPM ---- */

int blob_resume(struct tpm *t)
{
	struct cvtpm_change gone = {VOLATILE_KEY, NULL, 0};
	size_t len;
	int err = cvtpm_store_get(t->platform->store, VOLATILE_KEY, t->commit.bytes, COMMIT_SIZE,
				  &len);

	if (err == CVTPM_ERR_NOT_FOUND)
		return 0;
	if (!err)
		err = running_read(t, t->commit.bytes, len);
	cvtpm_wipe(t->commit.bytes, COMMIT_SIZE);
	if (!err)
		err = cvtpm_store_commit(t->platform->store, &gone, 1);
	return err;
}
