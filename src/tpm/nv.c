/*
 * NV indices and persistent objects: one run of entries in t->nv.memory, in the
 * order in which they were made.
 *
 * Adding an entry moves t->nv.used, which the journal notes; what lies behind it is
 * no state. Removing marks, and nv_sweep() closes the gap after the response.
 *
 * The data of an index with TPMA_NV_ORDERLY is written to the store by TPM2_Shutdown
 * alone. That of a counter also when it begins and whenever it passes a multiple of
 * ORDERLY_COUNT + 1, so that after an unorderly end the stored value with its low
 * bits set is no less than any value that was reported (Part 3, 31.2).
 */
#include "tpm/tpm.h"

#include "crypto/mem.h"

static size_t round_up(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

/* An index's data lies behind its record. */
#define INDEX_DATA (offsetof(struct nv_entry, nv) + sizeof(struct tpm_nv_record))

size_t nv_entry_size(uint8_t type, size_t data)
{
	return round_up(type == TPM_HT_NV_INDEX
				? INDEX_DATA + data
				: offsetof(struct nv_entry, object) + sizeof(struct tpm_object));
}

/* ---- finding ---- */

struct nv_entry *nv_find(struct tpm *t, TPM_HANDLE handle)
{
	struct nv_entry *entry;

	for (size_t at = 0; at < t->nv.used; at += entry->size) {
		entry = nv_entry_at(t, at);
		if (entry->handle == handle)
			return entry;
	}
	return NULL;
}

struct nv_entry *nv_next(struct tpm *t, TPM_HANDLE from)
{
	struct nv_entry *entry, *next = NULL;

	for (size_t at = 0; at < t->nv.used; at += entry->size) {
		entry = nv_entry_at(t, at);
		if (HANDLE_TYPE(entry->handle) == HANDLE_TYPE(from) && entry->handle >= from &&
		    (!next || entry->handle < next->handle))
			next = entry;
	}
	return next;
}

size_t nv_count(struct tpm *t, uint8_t type)
{
	const struct nv_entry *entry;
	size_t count = 0;

	for (size_t at = 0; at < t->nv.used; at += entry->size) {
		entry = nv_entry_at(t, at);
		count += HANDLE_TYPE(entry->handle) == type;
	}
	return count;
}

uint8_t *nv_data(struct nv_entry *entry)
{
	return (uint8_t *)entry + INDEX_DATA;
}

/* ---- adding and removing ---- */

/* Indices leave room for the persistent objects that TPM_PT_HR_PERSISTENT_MIN promises. */
static size_t space_left(struct tpm *t, uint8_t type)
{
	size_t left = NV_MEMORY_SIZE - t->nv.used;
	size_t objects = nv_count(t, TPM_HT_PERSISTENT), reserved = 0;

	if (type == TPM_HT_NV_INDEX && objects < PERSISTENT_OBJECT_MIN)
		reserved = (PERSISTENT_OBJECT_MIN - objects) * nv_entry_size(TPM_HT_PERSISTENT, 0);
	return left > reserved ? left - reserved : 0;
}

size_t nv_room(struct tpm *t, uint8_t type, size_t data)
{
	size_t fit = space_left(t, type) / nv_entry_size(type, data);
	size_t count = nv_count(t, type);
	size_t max = type == TPM_HT_NV_INDEX ? MAX_NV_INDICES : MAX_PERSISTENT;
	size_t more = max > count ? max - count : 0;

	return fit < more ? fit : more;
}

tpm_rc nv_add(struct tpm *t, TPM_HANDLE handle, size_t data, struct nv_entry **entry)
{
	uint8_t type = HANDLE_TYPE(handle);

	if (nv_room(t, type, data) == 0)
		return TPM_RC_NV_SPACE;
	*entry = nv_entry_at(t, t->nv.used);
	memset(*entry, 0, nv_entry_size(type, data)); /* the first write erases */
	(*entry)->handle = handle;
	(*entry)->size = (uint32_t)nv_entry_size(type, data);
	SET(t, t->nv.used, t->nv.used + (*entry)->size);
	/* Undone, it is all zero: an authValue or a key does not stay behind. */
	undo_note(t, *entry, type == TPM_HT_NV_INDEX ? INDEX_DATA : (*entry)->size);
	nv_dirty(t, *entry, NV_DIRTY_RECORD | NV_DIRTY_DATA);
	return TPM_RC_SUCCESS;
}

static bool is_counter(const struct nv_entry *index)
{
	return nv_type(&index->nv.publicArea) == TPM_NT_COUNTER;
}

static bool is_index(const struct nv_entry *entry)
{
	return HANDLE_TYPE(entry->handle) == TPM_HT_NV_INDEX;
}

void nv_remove(struct tpm *t, struct nv_entry *entry)
{
	uint64_t value = is_index(entry) && is_counter(entry) ? nv_u64(entry) : 0;

	if (value > t->run.maxCounter) {
		t->run.maxCounter = value;
		t->dirty_monotone |= RECORD_RUN;
	}
	if (!is_index(entry))
		keys_forget(t, &entry->object.name);
	SET(t, entry->removing, true);
	t->nv.removing = t->nv.dirty = true;
}

void nv_dirty(struct tpm *t, struct nv_entry *entry, uint8_t what)
{
	SET(t, entry->dirty, entry->dirty | what);
	t->nv.dirty = true;
}

void nv_sweep(struct tpm *t)
{
	size_t to = 0, size;

	if (!t->nv.removing)
		return;
	for (size_t at = 0; at < t->nv.used; at += size) {
		struct nv_entry *entry = nv_entry_at(t, at);

		size = entry->size;
		if (entry->removing)
			continue;
		if (at != to)
			memmove(nv_entry_at(t, to), entry, size);
		to += size;
	}
	cvtpm_wipe(t->nv.memory + to, t->nv.used - to);
	t->nv.used = to;
	t->nv.removing = false;
}

/* ---- an index ---- */

bool nv_type_exists(unsigned type)
{
	return type == TPM_NT_ORDINARY || type == TPM_NT_COUNTER || type == TPM_NT_BITS ||
	       type == TPM_NT_EXTEND || type == TPM_NT_PIN_FAIL || type == TPM_NT_PIN_PASS;
}

bool nv_size_fits(const TPMS_NV_PUBLIC *public)
{
	switch (nv_type(public)) {
	case TPM_NT_ORDINARY:
		return public->dataSize <= (public->attributes & TPMA_NV_ORDERLY
						    ? MAX_ORDERLY_SIZE
						    : MAX_NV_INDEX_SIZE);
	case TPM_NT_EXTEND:
		return public->dataSize == hash_size(public->nameAlg);
	default:
		return public->dataSize == 8;
	}
}

void nv_name(struct tpm *t, const struct nv_entry *entry, TPM2B_NAME *name)
{
	const TPMS_NV_PUBLIC *public = &entry->nv.publicArea;
	uint8_t bytes[4 + 2 + 4 + 2 + MAX_DIGEST_SIZE + 2];
	struct cvtpm_octets part = {
		bytes, type_marshal(&type_TPMS_NV_PUBLIC, public, bytes, sizeof bytes)};
	TPM2B_DIGEST digest;

	name->size = 0;
	if (tpm_hash(t, public->nameAlg, &part, 1, &digest))
		return;
	name->buffer[0] = (uint8_t)(public->nameAlg >> 8);
	name->buffer[1] = (uint8_t) public->nameAlg;
	memcpy(name->buffer + 2, digest.buffer, digest.size);
	name->size = (uint16_t)(2 + digest.size);
}

/* Does `auth` have the authority that the two attributes say? The index itself has been
 * asked when its authorisation was checked. */
static bool may(TPM_HANDLE auth, const struct nv_entry *index, TPMA_NV owner, TPMA_NV platform)
{
	if (auth == TPM_RH_OWNER)
		return index->nv.publicArea.attributes & owner;
	if (auth == TPM_RH_PLATFORM)
		return index->nv.publicArea.attributes & platform;
	return auth == index->handle;
}

tpm_rc nv_check_read(struct tpm *t, TPM_HANDLE auth, const struct nv_entry *index)
{
	TPMA_NV attributes = index->nv.publicArea.attributes;

	(void)t;
	if (attributes & TPMA_NV_READLOCKED)
		return TPM_RC_NV_LOCKED;
	if (!may(auth, index, TPMA_NV_OWNERREAD, TPMA_NV_PPREAD))
		return TPM_RC_NV_AUTHORIZATION;
	return attributes & TPMA_NV_WRITTEN ? TPM_RC_SUCCESS : TPM_RC_NV_UNINITIALIZED;
}

tpm_rc nv_check_write(struct tpm *t, TPM_HANDLE auth, const struct nv_entry *index)
{
	(void)t;
	if (index->nv.publicArea.attributes & TPMA_NV_WRITELOCKED)
		return TPM_RC_NV_LOCKED;
	return may(auth, index, TPMA_NV_OWNERWRITE, TPMA_NV_PPWRITE) ? TPM_RC_SUCCESS
								     : TPM_RC_NV_AUTHORIZATION;
}

void nv_set_attributes(struct tpm *t, struct nv_entry *index, TPMA_NV attributes)
{
	if (index->nv.publicArea.attributes == attributes)
		return;
	SET(t, index->nv.publicArea.attributes, attributes);
	nv_dirty(t, index, NV_DIRTY_RECORD);
}

tpm_rc nv_read(struct tpm *t, struct nv_entry *index, size_t offset, size_t size, void *out)
{
	size_t data = index->nv.publicArea.dataSize;

	(void)t;
	if (offset > data || size > data - offset)
		return TPM_RC_NV_RANGE;
	memcpy(out, nv_data(index) + offset, size);
	return TPM_RC_SUCCESS;
}

static uint64_t load_u64(const uint8_t *at)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < 8; i++)
		value = value << 8 | at[i];
	return value;
}

static void store_u64(uint8_t *at, uint64_t value)
{
	for (unsigned i = 0; i < 8; i++)
		at[i] = (uint8_t)(value >> 8 * (7 - i));
}

uint64_t nv_u64(struct nv_entry *index)
{
	return index->nv.publicArea.attributes & TPMA_NV_WRITTEN ? load_u64(nv_data(index)) : 0;
}

/* May the store wait for TPM2_Shutdown? */
static bool is_deferred(struct nv_entry *index, bool begins)
{
	if (!(index->nv.publicArea.attributes & TPMA_NV_ORDERLY))
		return false;
	return !is_counter(index) || (!begins && (load_u64(nv_data(index)) & ORDERLY_COUNT) != 0);
}

/* What an index holds where nothing was written yet: as memories of the two kinds do in the
 * reference implementation. */
static void erase(struct nv_entry *index)
{
	int byte = index->nv.publicArea.attributes & TPMA_NV_ORDERLY ? 0x00 : 0xFF;

	memset(nv_data(index), byte, index->nv.publicArea.dataSize);
}

void nv_write(struct tpm *t, struct nv_entry *index, size_t offset, size_t size, const void *data)
{
	TPMA_NV attributes = index->nv.publicArea.attributes;
	bool begins = !(attributes & TPMA_NV_WRITTEN);

	if (!begins && memcmp(nv_data(index) + offset, data, size) == 0)
		return; /* Part 3, 31.7: only what differs is written to the store */
	if (begins)     /* while it is not written, what it holds is no state */
		erase(index);
	else
		undo_note(t, nv_data(index) + offset, size);
	memcpy(nv_data(index) + offset, data, size);
	nv_set_attributes(t, index, attributes | TPMA_NV_WRITTEN);
	if (!is_deferred(index, begins))
		nv_dirty(t, index, NV_DIRTY_DATA);
}

/* ---- counters and PIN indices ---- */

uint64_t nv_counter_start(struct tpm *t)
{
	uint64_t highest = t->run.maxCounter;
	struct nv_entry *entry;

	for (size_t at = 0; at < t->nv.used; at += entry->size) {
		entry = nv_entry_at(t, at);
		if (is_index(entry) && is_counter(entry) && nv_u64(entry) > highest)
			highest = nv_u64(entry);
	}
	return highest;
}

bool nv_is_pin(const struct nv_entry *index)
{
	unsigned type = nv_type(&index->nv.publicArea);

	return type == TPM_NT_PIN_FAIL || type == TPM_NT_PIN_PASS;
}

/* Not undone: nobody gets a try back. */
static void set_pin_count(struct tpm *t, struct nv_entry *index, uint32_t count)
{
	store_u64(nv_data(index), (uint64_t)count << 32 | (uint32_t)nv_u64(index));
	index->monotone |= NV_DIRTY_DATA;
	t->nv.dirty = true;
}

static uint32_t pin_count(struct nv_entry *index)
{
	return (uint32_t)(nv_u64(index) >> 32);
}

tpm_rc nv_pin_before(struct tpm *t, struct nv_entry *index)
{
	if (pin_count(index) >= (uint32_t)nv_u64(index)) /* nor if it is not written */
		return TPM_RC_AUTH_UNAVAILABLE;
	if (nv_type(&index->nv.publicArea) == TPM_NT_PIN_PASS)
		return TPM_RC_SUCCESS;
	set_pin_count(t, index, pin_count(index) + 1);
	return state_commit(t) ? TPM_RC_NV_UNAVAILABLE : TPM_RC_SUCCESS;
}

void nv_pin_right(struct tpm *t, struct nv_entry *index)
{
	bool pass = nv_type(&index->nv.publicArea) == TPM_NT_PIN_PASS;

	set_pin_count(t, index, pass ? pin_count(index) + 1 : 0);
}

/* ---- start and end ---- */

/* Part 3, 9.3: locks that do not outlive the run, data that does not. */
static TPMA_NV attributes_at_startup(const struct nv_entry *index, enum startup_kind kind)
{
	TPMA_NV attributes = index->nv.publicArea.attributes & ~TPMA_NV_READLOCKED;

	if (!is_counter(index) && (attributes & TPMA_NV_CLEAR_STCLEAR ||
				   (attributes & TPMA_NV_ORDERLY && kind == STARTUP_RESET)))
		attributes &= ~TPMA_NV_WRITTEN;
	if (!(attributes & TPMA_NV_WRITTEN) || !(attributes & TPMA_NV_WRITEDEFINE))
		attributes &= ~TPMA_NV_WRITELOCKED;
	return attributes;
}

tpm_rc nv_startup(struct tpm *t, enum startup_kind kind, bool orderly)
{
	struct nv_entry *entry;

	for (size_t at = 0; at < t->nv.used && kind != STARTUP_RESUME; at += entry->size) {
		entry = nv_entry_at(t, at);
		if (!is_index(entry))
			continue;
		nv_set_attributes(t, entry, attributes_at_startup(entry, kind));
		if (!orderly && is_counter(entry) &&
		    entry->nv.publicArea.attributes & TPMA_NV_ORDERLY && nv_u64(entry)) {
			undo_note(t, nv_data(entry), 8);
			store_u64(nv_data(entry), nv_u64(entry) | ORDERLY_COUNT);
		}
	}
	return TPM_RC_SUCCESS;
}

void nv_shutdown(struct tpm *t)
{
	struct nv_entry *entry;

	for (size_t at = 0; at < t->nv.used; at += entry->size) {
		entry = nv_entry_at(t, at);
		if (is_index(entry) && entry->nv.publicArea.attributes & TPMA_NV_ORDERLY)
			nv_dirty(t, entry, NV_DIRTY_DATA);
	}
}

size_t nv_orderly_size(struct tpm *t)
{
	const struct nv_entry *entry;
	size_t size = 0;

	for (size_t at = 0; at < t->nv.used; at += entry->size) {
		entry = nv_entry_at(t, at);
		if (is_index(entry) && entry->nv.publicArea.attributes & TPMA_NV_ORDERLY)
			size += entry->nv.publicArea.dataSize;
	}
	return size;
}
