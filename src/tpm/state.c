/*
 * The engine's records in the store.
 *
 *     tpm/hierarchy/0 ... 4    tpm_hierarchy, by enum hierarchy_index
 *     tpm/settings             tpm_settings
 *     tpm/lockout              tpm_lockout
 *     tpm/run                  tpm_run; there is a TPM if there is this
 *     tpm/presence             tpm_command_set, of TPM2_PP_Commands; none is an empty set
 *     tpm/audit                tpm_audit; none: as of a new TPM
 *     tpm/saved                tpm_saved, for a resume or restart
 *     tpm/nv/01c00002          tpm_nv_record, by index
 *     tpm/data/01c00002        the index's data
 *     tpm/object/81010001      tpm_object, by persistent handle
 *
 * Each is a format version, 16 bits, and then the value as type.c writes it. tpm/saved has
 * version 2, which ends in the ephemeral keys (tpm_saved_2); in 1 there were none.
 */
#include "tpm/tpm.h"

#include "crypto/mem.h"

#define FORMAT_VERSION 1
#define SAVED_VERSION  2

/* ---- the fixed records ---- */

static const struct fixed_record {
	const char *key;
	const struct type *type;
	size_t offset; /* in struct tpm */
	uint32_t bit;
} fixed_records[] = {
	{"tpm/hierarchy/0", &type_tpm_hierarchy, offsetof(struct tpm, hierarchy[0]),
	 RECORD_HIERARCHY << 0},
	{"tpm/hierarchy/1", &type_tpm_hierarchy, offsetof(struct tpm, hierarchy[1]),
	 RECORD_HIERARCHY << 1},
	{"tpm/hierarchy/2", &type_tpm_hierarchy, offsetof(struct tpm, hierarchy[2]),
	 RECORD_HIERARCHY << 2},
	{"tpm/hierarchy/3", &type_tpm_hierarchy, offsetof(struct tpm, hierarchy[3]),
	 RECORD_HIERARCHY << 3},
	{"tpm/hierarchy/4", &type_tpm_hierarchy, offsetof(struct tpm, hierarchy[4]),
	 RECORD_HIERARCHY << 4},
	{"tpm/settings", &type_tpm_settings, offsetof(struct tpm, settings), RECORD_SETTINGS},
	{"tpm/lockout", &type_tpm_lockout, offsetof(struct tpm, lockout), RECORD_LOCKOUT},
	{"tpm/run", &type_tpm_run, offsetof(struct tpm, run), RECORD_RUN},
	{"tpm/presence", &type_tpm_command_set, offsetof(struct tpm, pp_commands), RECORD_PRESENCE},
	{"tpm/audit", &type_tpm_audit, offsetof(struct tpm, audit), RECORD_AUDIT},
};
#define FIXED_RECORDS (sizeof fixed_records / sizeof *fixed_records)

/* Written when they are first changed: without one, all of its value is zero, but for what
 * audit_loaded() sees to. */
#define OPTIONAL_RECORDS (RECORD_PRESENCE | RECORD_AUDIT)

/* ---- keys ---- */

static const char *const entry_prefixes[] = {"tpm/nv/", "tpm/data/", "tpm/object/"};
enum entry_key { KEY_NV, KEY_DATA, KEY_OBJECT };

static const char *entry_key(char key[RECORD_KEY_SIZE], enum entry_key kind, TPM_HANDLE handle)
{
	static const char digits[] = "0123456789abcdef";
	const char *prefix = entry_prefixes[kind];
	size_t n = 0;

	while (*prefix)
		key[n++] = *prefix++;
	for (unsigned i = 0; i < 8; i++)
		key[n++] = digits[handle >> (28 - 4 * i) & 15];
	key[n] = 0;
	return key;
}

/* The handle at the end of a key that begins with the prefix of `kind`, or 0. */
static TPM_HANDLE key_handle(const char *key, enum entry_key kind)
{
	const char *prefix = entry_prefixes[kind];
	TPM_HANDLE handle = 0;
	unsigned n = 0;

	while (*prefix)
		if (*key++ != *prefix++)
			return 0;
	for (; *key; key++, n++) {
		if (*key >= '0' && *key <= '9')
			handle = handle << 4 | (uint32_t)(*key - '0');
		else if (*key >= 'a' && *key <= 'f')
			handle = handle << 4 | (uint32_t)(*key - 'a' + 10);
		else
			return 0;
	}
	return n == 8 ? handle : 0;
}

/* ---- writing ---- */

/* A commit being put together: the changes, their keys and their bytes. */
struct builder {
	struct tpm *t;
	size_t count;
	struct writer w;
	bool full;
};

static struct cvtpm_change *add_change(struct builder *b, const char *key)
{
	struct cvtpm_change *change;

	if (b->count == MAX_CHANGES) {
		b->full = true;
		return NULL;
	}
	change = &b->t->commit.changes[b->count++];
	*change = (struct cvtpm_change){key, NULL, 0};
	return change;
}

/* A record of `type`, or of `size` bytes as they are where `type` is NULL. */
static void add_record(struct builder *b, const char *key, const struct type *type,
		       const void *value, size_t size)
{
	struct cvtpm_change *change = add_change(b, key);

	if (!change)
		return;
	change->value = b->w.at;
	write_u16(&b->w, type == &type_tpm_saved_2 ? SAVED_VERSION : FORMAT_VERSION);
	if (type)
		type_write(type, value, &b->w);
	else
		write_bytes(&b->w, value, size);
	change->value_len = (size_t)(b->w.at - change->value);
}

static const char *next_key(struct builder *b, enum entry_key kind, TPM_HANDLE handle)
{
	size_t n = b->count < MAX_CHANGES ? b->count : MAX_CHANGES - 1;

	return entry_key(b->t->commit.keys[n], kind, handle);
}

static void add_entry(struct builder *b, struct nv_entry *entry, uint8_t what)
{
	bool index = HANDLE_TYPE(entry->handle) == TPM_HT_NV_INDEX;

	if (entry->removing) {
		add_change(b, next_key(b, index ? KEY_NV : KEY_OBJECT, entry->handle));
		if (index)
			add_change(b, next_key(b, KEY_DATA, entry->handle));
		return;
	}
	if (!index) {
		add_record(b, next_key(b, KEY_OBJECT, entry->handle), &type_tpm_object,
			   &entry->object, 0);
		return;
	}
	if (what & NV_DIRTY_RECORD)
		add_record(b, next_key(b, KEY_NV, entry->handle), &type_tpm_nv_record, &entry->nv,
			   0);
	if (what & NV_DIRTY_DATA)
		add_record(b, next_key(b, KEY_DATA, entry->handle), NULL, nv_data(entry),
			   entry->nv.publicArea.dataSize);
}

static void add_saved(struct builder *b)
{
	struct tpm_saved_2 *saved = &b->t->commit.check.saved;

	saved->rest.pcrs = b->t->pcrs;
	saved->rest.pcrBanks = b->t->pcr_banks;
	saved->rest.contexts = b->t->contexts;
	saved->rest.startupLocality = b->t->startup_locality;
	saved->ephemerals = b->t->ephemerals;
	add_record(b, SAVED_KEY, &type_tpm_saved_2, saved, 0);
	cvtpm_wipe(saved, sizeof *saved);
}

static void add_fixed(struct builder *b, uint32_t dirty)
{
	for (size_t i = 0; i < FIXED_RECORDS; i++)
		if (dirty & fixed_records[i].bit)
			add_record(b, fixed_records[i].key, fixed_records[i].type,
				   (const uint8_t *)b->t + fixed_records[i].offset, 0);
	if (dirty & RECORD_SAVED)
		add_saved(b);
}

static void add_entries(struct builder *b)
{
	struct nv_entry *entry;

	for (size_t at = 0; at < b->t->nv.used; at += entry->size) {
		entry = nv_entry_at(b->t, at);
		if (entry->removing || entry->dirty || entry->monotone)
			add_entry(b, entry, entry->dirty | entry->monotone);
	}
}

static void mark_clean(struct tpm *t)
{
	struct nv_entry *entry;

	t->dirty = t->dirty_monotone = 0;
	for (size_t at = 0; t->nv.dirty && at < t->nv.used; at += entry->size) {
		entry = nv_entry_at(t, at);
		entry->dirty = entry->monotone = 0;
	}
	t->nv.dirty = false;
}

int state_commit(struct tpm *t)
{
	struct builder b = {t, 0, {t->commit.bytes, COMMIT_SIZE, false}, false};
	int err;

	if (!(t->dirty | t->dirty_monotone) && !t->nv.dirty)
		return 0;
	add_fixed(&b, t->dirty | t->dirty_monotone);
	if (t->nv.dirty)
		add_entries(&b);
	if (b.full || b.w.overflow)
		err = CVTPM_ERR_STORE;
	else
		err = b.count ? cvtpm_store_commit(t->platform->store, t->commit.changes, b.count)
			      : 0;
	cvtpm_wipe(t->commit.bytes, (size_t)(b.w.at - t->commit.bytes));
	t->store_failed = err != 0;
	if (!err)
		mark_clean(t);
	return err;
}

/* ---- reading ---- */

/* Is there that format version of a record of `type`? Of an older one `type` is what it had. */
static bool version_exists(const struct type **type, uint16_t version)
{
	if (*type != &type_tpm_saved_2)
		return version == FORMAT_VERSION;
	if (version == FORMAT_VERSION)
		*type = &type_tpm_saved;
	return version == FORMAT_VERSION || version == SAVED_VERSION;
}

/* Reads a record of `type`, or `size` bytes where `type` is NULL. */
static int get_record(struct tpm *t, const char *key, const struct type *type, void *value,
		      size_t size)
{
	struct reader r = {t->commit.bytes, 0};
	uint16_t version;
	int err = cvtpm_store_get(t->platform->store, key, t->commit.bytes, COMMIT_SIZE, &r.left);
	size_t len = r.left;

	if (err)
		return err == CVTPM_ERR_SIZE ? CVTPM_ERR_FORMAT : err;
	if (read_u16(&r, &version) || !version_exists(&type, version))
		err = CVTPM_ERR_FORMAT;
	else if (type ? type_read(type, value, &r, true) : read_bytes(&r, value, size))
		err = CVTPM_ERR_FORMAT;
	else if (r.left)
		err = CVTPM_ERR_FORMAT;
	cvtpm_wipe(t->commit.bytes, len);
	return err;
}

/* Handles of the entries of one kind, collected while the store lists its keys. */
struct handle_list {
	enum entry_key kind;
	size_t count;
	TPM_HANDLE handles[MAX_NV_INDICES + MAX_PERSISTENT];
};

static int collect_handle(void *context, const char *key, size_t value_len)
{
	struct handle_list *list = context;
	TPM_HANDLE handle = key_handle(key, list->kind);

	(void)value_len;
	if (!handle || list->count == sizeof list->handles / sizeof *list->handles)
		return CVTPM_ERR_FORMAT;
	list->handles[list->count++] = handle;
	return 0;
}

/* Code that uses an index relies on this, so no record may say otherwise. */
static bool index_is_possible(const struct tpm_nv_record *record, TPM_HANDLE handle)
{
	return record->publicArea.nvIndex == handle && HANDLE_TYPE(handle) == TPM_HT_NV_INDEX &&
	       nv_type_exists(nv_type(&record->publicArea)) && nv_size_fits(&record->publicArea);
}

static int load_index(struct tpm *t, TPM_HANDLE handle)
{
	struct tpm_nv_record record;
	struct nv_entry *entry;
	char key[RECORD_KEY_SIZE];

	CVTPM_TRY(get_record(t, entry_key(key, KEY_NV, handle), &type_tpm_nv_record, &record, 0));
	if (!index_is_possible(&record, handle) ||
	    nv_add(t, handle, record.publicArea.dataSize, &entry))
		return CVTPM_ERR_FORMAT;
	entry->nv = record;
	return get_record(t, entry_key(key, KEY_DATA, handle), NULL, nv_data(entry),
			  record.publicArea.dataSize);
}

static int load_object(struct tpm *t, TPM_HANDLE handle)
{
	struct nv_entry *entry;
	char key[RECORD_KEY_SIZE];

	if (HANDLE_TYPE(handle) != TPM_HT_PERSISTENT || nv_add(t, handle, 0, &entry))
		return CVTPM_ERR_FORMAT;
	return get_record(t, entry_key(key, KEY_OBJECT, handle), &type_tpm_object, &entry->object,
			  0);
}

static int load_entries(struct tpm *t, enum entry_key kind,
			int (*load)(struct tpm *t, TPM_HANDLE handle))
{
	struct handle_list list = {.kind = kind};

	CVTPM_TRY(
		cvtpm_store_list(t->platform->store, entry_prefixes[kind], collect_handle, &list));
	for (size_t i = 0; i < list.count; i++)
		CVTPM_TRY(load(t, list.handles[i]));
	return 0;
}

bool state_key_is(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

/* The type of a record by its key: NULL for data and for a key that is none of ours. */
static const struct type *record_type(const char *key)
{
	for (size_t i = 0; i < FIXED_RECORDS; i++)
		if (state_key_is(key, fixed_records[i].key))
			return fixed_records[i].type;
	if (state_key_is(key, SAVED_KEY))
		return &type_tpm_saved_2;
	if (key_handle(key, KEY_NV))
		return &type_tpm_nv_record;
	if (key_handle(key, KEY_OBJECT))
		return &type_tpm_object;
	return NULL;
}

int state_check_record(struct tpm *t, const char *key, const uint8_t *value, size_t len)
{
	struct reader r = {value, len};
	const struct type *type = record_type(key);
	uint16_t version;
	int err = 0;

	if (read_u16(&r, &version) || !version_exists(&type, version))
		return CVTPM_ERR_FORMAT;
	if (key_handle(key, KEY_DATA))
		return r.left <= MAX_NV_INDEX_SIZE ? 0 : CVTPM_ERR_FORMAT;
	if (!type)
		return CVTPM_ERR_FORMAT;
	if (type_read(type, &t->commit.check, &r, true) || r.left)
		err = CVTPM_ERR_FORMAT;
	else if (type == &type_tpm_nv_record &&
		 !index_is_possible(&t->commit.check.nv, key_handle(key, KEY_NV)))
		err = CVTPM_ERR_FORMAT;
	else if (type == &type_tpm_object &&
		 HANDLE_TYPE(key_handle(key, KEY_OBJECT)) != TPM_HT_PERSISTENT)
		err = CVTPM_ERR_FORMAT;
	cvtpm_wipe(&t->commit.check, sizeof t->commit.check);
	return err;
}

/* ---- a whole TPM (blob.c) ---- */

static const struct cvtpm_change *find_change(struct tpm *t, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++)
		if (state_key_is(t->commit.changes[i].key, key))
			return &t->commit.changes[i];
	return NULL;
}

/* The size of data that the record of an index speaks of. */
static size_t data_size_of(struct tpm *t, const struct cvtpm_change *change)
{
	struct reader r = {change->value + 2, change->value_len - 2}; /* behind the version */
	size_t size;

	type_read(&type_tpm_nv_record, &t->commit.check.nv, &r, true); /* it was checked */
	size = t->commit.check.nv.publicArea.dataSize;
	cvtpm_wipe(&t->commit.check, sizeof t->commit.check);
	return size;
}

/* An index and its data are there together, and of one size; adds what memory they take. */
static int check_partner(struct tpm *t, size_t count, const struct cvtpm_change *change,
			 size_t *indices, size_t *objects, size_t *memory)
{
	TPM_HANDLE index = key_handle(change->key, KEY_NV);
	TPM_HANDLE data = key_handle(change->key, KEY_DATA);
	const struct cvtpm_change *partner;
	char key[RECORD_KEY_SIZE];
	size_t size = 0;

	if (data)
		return find_change(t, count, entry_key(key, KEY_NV, data)) ? 0 : CVTPM_ERR_FORMAT;
	if (index) {
		partner = find_change(t, count, entry_key(key, KEY_DATA, index));
		size = data_size_of(t, change);
		if (!partner || partner->value_len != 2 + size)
			return CVTPM_ERR_FORMAT;
		*memory += nv_entry_size(TPM_HT_NV_INDEX, size);
		++*indices;
	} else if (key_handle(change->key, KEY_OBJECT)) {
		*memory += nv_entry_size(TPM_HT_PERSISTENT, 0);
		++*objects;
	}
	return 0;
}

int state_check_whole(struct tpm *t, size_t count)
{
	size_t indices = 0, objects = 0, memory = 0;

	for (size_t i = 0; i < FIXED_RECORDS; i++)
		if (!(fixed_records[i].bit & OPTIONAL_RECORDS) &&
		    !find_change(t, count, fixed_records[i].key))
			return CVTPM_ERR_FORMAT;
	for (size_t i = 0; i < count; i++) {
		const struct cvtpm_change *change = &t->commit.changes[i];

		if (find_change(t, count, change->key) != change) /* twice */
			return CVTPM_ERR_FORMAT;
		CVTPM_TRY(check_partner(t, count, change, &indices, &objects, &memory));
	}
	if (objects < PERSISTENT_OBJECT_MIN) /* as nv_add() will see it */
		memory += (PERSISTENT_OBJECT_MIN - objects) * nv_entry_size(TPM_HT_PERSISTENT, 0);
	return indices <= MAX_NV_INDICES && objects <= MAX_PERSISTENT && memory <= NV_MEMORY_SIZE
		       ? 0
		       : CVTPM_ERR_FORMAT;
}

/* ---- a new TPM ---- */

static tpm_rc new_hierarchies(struct tpm *t)
{
	static const TPM_HANDLE handles[] = {TPM_RH_OWNER, TPM_RH_ENDORSEMENT, TPM_RH_PLATFORM,
					     TPM_RH_NULL};

	for (size_t i = 0; i < HIERARCHIES; i++) {
		t->hierarchy[i].enabled = 1;
		t->hierarchy[i].policyAlg = TPM_ALG_NULL;
	}
	for (size_t i = 0; i < sizeof handles / sizeof *handles; i++) {
		TRY(hierarchy_new_seed(t, handles[i]));
		TRY(hierarchy_new_proof(t, handles[i]));
	}
	return TPM_RC_SUCCESS;
}

static int state_make(struct tpm *t)
{
	if (new_hierarchies(t))
		return CVTPM_ERR_ENTROPY;
	lockout_defaults(&t->lockout);
	pcr_default_allocation(&t->settings.allocation);
	t->settings.phEnableNV = 1;
	t->run.orderly = ORDERLY_CLEAR; /* nothing was lost yet */
	t->run.clockSafe = 1;
	audit_loaded(t);
	t->dirty = RECORD_SAVED - 1; /* all records below it */
	undo_forget(t);
	return state_commit(t);
}

static int load_fixed(struct tpm *t, const struct fixed_record *record)
{
	uint8_t *value = (uint8_t *)t + record->offset;
	int err = get_record(t, record->key, record->type, value, 0);

	if (err != CVTPM_ERR_NOT_FOUND)
		return err;
	if (!(record->bit & OPTIONAL_RECORDS))
		return CVTPM_ERR_FORMAT;
	memset(value, 0, record->type->size);
	return 0;
}

int state_load(struct tpm *t, bool *is_new)
{
	int err = get_record(t, "tpm/run", &type_tpm_run, &t->run, 0);

	*is_new = err == CVTPM_ERR_NOT_FOUND;
	if (*is_new)
		return state_make(t);
	for (size_t i = 0; i < FIXED_RECORDS; i++)
		CVTPM_TRY(load_fixed(t, &fixed_records[i]));
	audit_loaded(t);
	CVTPM_TRY(load_entries(t, KEY_NV, load_index));
	CVTPM_TRY(load_entries(t, KEY_OBJECT, load_object));
	undo_forget(t);
	mark_clean(t);
	return 0;
}

/* ---- TPM2_Shutdown(STATE) ---- */

/* The locks of indices are not written when they are set, unless for good: they are now. */
tpm_rc state_save_volatile(struct tpm *t)
{
	struct nv_entry *entry;

	DIRTY(t, RECORD_SAVED);
	for (size_t at = 0; at < t->nv.used; at += entry->size) {
		entry = nv_entry_at(t, at);
		if (HANDLE_TYPE(entry->handle) == TPM_HT_NV_INDEX)
			nv_dirty(t, entry, NV_DIRTY_RECORD);
	}
	return TPM_RC_SUCCESS;
}

/* It may have been taken away since (blob.c): then only a reset is left. */
bool state_is_saved(struct tpm *t)
{
	size_t len;

	return cvtpm_store_get(t->platform->store, SAVED_KEY, NULL, 0, &len) != CVTPM_ERR_NOT_FOUND;
}

tpm_rc state_restore_volatile(struct tpm *t)
{
	struct tpm_saved_2 *saved = &t->commit.check.saved;

	TRY(ephemeral_reset(t));
	saved->ephemerals = t->ephemerals; /* where a release without them has saved */
	if (get_record(t, SAVED_KEY, &type_tpm_saved_2, saved, 0))
		return tpm_fail(t, "the state that TPM2_Shutdown saved cannot be read");
	t->pcrs = saved->rest.pcrs;
	t->pcr_banks = saved->rest.pcrBanks;
	t->contexts = saved->rest.contexts;
	t->startup_locality = saved->rest.startupLocality;
	t->ephemerals = saved->ephemerals;
	cvtpm_wipe(saved, sizeof *saved);
	return TPM_RC_SUCCESS;
}
