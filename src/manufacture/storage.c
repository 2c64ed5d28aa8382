/* The owner's side of a store: its record, and all records at once. */
#include "crypto/mem.h"
#include "cvtpm/err.h"
#include "manufacture/owner.h"

static bool begins_with(const char *key, const char *prefix)
{
	while (*prefix && *key == *prefix) {
		key++;
		prefix++;
	}
	return *prefix == 0;
}

static int count_one(void *context, const char *key, size_t value_len)
{
	struct storage_count *count = context;

	(void)value_len;
	count->all++;
	count->foreign += !begins_with(key, "owner/");
	return 0;
}

int storage_count(struct cvtpm_store *store, struct storage_count *count)
{
	*count = (struct storage_count){0};
	return cvtpm_store_list(store, "", count_one, count);
}

static int collect(void *context, const char *key, size_t value_len)
{
	struct cvtpm_instance *o = context;
	size_t i = o->work.copy.count, len = 0;

	while (key[len])
		len++;
	if (i == COPY_MAX_RECORDS || len >= sizeof o->work.copy.keys[i])
		return CVTPM_ERR_SIZE;
	memcpy(o->work.copy.keys[i], key, len + 1);
	o->work.copy.changes[i] = (struct cvtpm_change){o->work.copy.keys[i], NULL, value_len};
	o->work.copy.count++;
	return 0;
}

int storage_empty(struct cvtpm_instance *o)
{
	o->work.copy.count = 0;
	CVTPM_TRY(cvtpm_store_list(o->platform.store, "", collect, o));
	if (o->work.copy.count == 0)
		return 0;
	return cvtpm_store_commit(o->platform.store, o->work.copy.changes, o->work.copy.count);
}

/* Reads each collected record from `from` into the copy's bytes. */
static int fetch_collected(struct cvtpm_instance *o, struct cvtpm_store *from, size_t *used)
{
	for (size_t i = 0; i < o->work.copy.count; i++) {
		struct cvtpm_change *change = &o->work.copy.changes[i];
		uint8_t *value = o->work.copy.bytes + *used;

		CVTPM_TRY(cvtpm_store_get(from, change->key, value,
					  sizeof o->work.copy.bytes - *used, &change->value_len));
		change->value = value;
		*used += change->value_len;
	}
	return 0;
}

int storage_copy(struct cvtpm_instance *o, struct cvtpm_store *from, struct cvtpm_store *to)
{
	size_t used = 0, len;

	o->work.copy.count = 0;
	CVTPM_TRY(cvtpm_store_list(from, "", collect, o));
	CVTPM_TRY(fetch_collected(o, from, &used));
	if (o->work.copy.count == COPY_MAX_RECORDS)
		return CVTPM_ERR_SIZE;
	len = record_write(&o->record, o->work.copy.bytes + used, sizeof o->work.copy.bytes - used);
	if (len == 0)
		return CVTPM_ERR_SIZE;
	o->work.copy.changes[o->work.copy.count++] =
		(struct cvtpm_change){RECORD_KEY, o->work.copy.bytes + used, len};
	return cvtpm_store_commit(to, o->work.copy.changes, o->work.copy.count);
}

int storage_load_record(struct cvtpm_instance *o)
{
	uint8_t bytes[RECORD_MAX_SIZE];
	size_t len;
	int err;

	err = cvtpm_store_get(o->platform.store, RECORD_KEY, bytes, sizeof bytes, &len);
	if (err == CVTPM_ERR_NOT_FOUND)
		return err;
	if (err == 0)
		err = record_read(&o->record, bytes, len);
	if (err < 0)
		return owner_log_failure(o, CVTPM_LOG_ERROR, "reading from the store the record",
					 RECORD_KEY, err);
	return 0;
}

int storage_save_record(struct cvtpm_instance *o)
{
	uint8_t bytes[RECORD_MAX_SIZE];
	const struct cvtpm_change change = {RECORD_KEY, bytes,
					    record_write(&o->record, bytes, sizeof bytes)};

	if (change.value_len == 0)
		return CVTPM_ERR_SIZE;
	return cvtpm_store_commit(o->platform.store, &change, 1);
}
