#include "snp/certtable.h"

#include "crypto/mem.h"
#include "cvtpm/err.h"
#include "snp/le.h"

#include <stdbool.h>

const uint8_t snp_guid_vcek[SNP_GUID_SIZE] = {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64,
					      0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd};
const uint8_t snp_guid_vlek[SNP_GUID_SIZE] = {0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e,
					      0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8, 0xa1};
const uint8_t snp_guid_ask[SNP_GUID_SIZE] = {0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4,
					     0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82};
const uint8_t snp_guid_ark[SNP_GUID_SIZE] = {0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52,
					     0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0, 0xae};
const uint8_t snp_guid_crl[SNP_GUID_SIZE] = {0x92, 0xf8, 0x1b, 0xc3, 0x58, 0x11, 0x4d, 0x3d,
					     0x97, 0xff, 0xd1, 0x9f, 0x88, 0xdc, 0x67, 0xea};

enum { OFFSET_AT = 16, LENGTH_AT = 20 };

static bool is_end(const uint8_t *entry)
{
	static const uint8_t zeros[SNP_CERTTABLE_ENTRY_SIZE];

	return memcmp(entry, zeros, sizeof zeros) == 0;
}

/* Counts the entries; false when no end entry comes within `len` bytes. */
static bool count_entries(const uint8_t *bytes, size_t len, size_t *count)
{
	for (*count = 0; len >= SNP_CERTTABLE_ENTRY_SIZE; ++*count) {
		if (is_end(bytes))
			return true;
		bytes += SNP_CERTTABLE_ENTRY_SIZE;
		len -= SNP_CERTTABLE_ENTRY_SIZE;
	}
	return false;
}

int snp_certtable_begin(struct snp_certtable *table, const uint8_t *bytes, size_t len)
{
	size_t count, header;

	*table = (struct snp_certtable){.bytes = bytes};
	if (len == 0)
		return 0;
	if (!count_entries(bytes, len, &count))
		return CVTPM_ERR_FORMAT;
	header = (count + 1) * SNP_CERTTABLE_ENTRY_SIZE;

	for (size_t i = 0; i < count; i++) {
		const uint8_t *entry = bytes + i * SNP_CERTTABLE_ENTRY_SIZE;
		size_t offset = snp_get32(entry + OFFSET_AT), size = snp_get32(entry + LENGTH_AT);

		if (size == 0 || offset < header || offset > len || size > len - offset)
			return CVTPM_ERR_FORMAT;
		for (size_t j = 0; j < i; j++)
			if (memcmp(entry, bytes + j * SNP_CERTTABLE_ENTRY_SIZE, SNP_GUID_SIZE) == 0)
				return CVTPM_ERR_FORMAT;
		if (offset + size > table->used)
			table->used = offset + size;
	}
	table->count = count;
	return 0;
}

struct snp_certtable_entry snp_certtable_at(const struct snp_certtable *table, size_t index)
{
	const uint8_t *entry = table->bytes + index * SNP_CERTTABLE_ENTRY_SIZE;

	return (struct snp_certtable_entry){.guid = entry,
					    .data = table->bytes + snp_get32(entry + OFFSET_AT),
					    .len = snp_get32(entry + LENGTH_AT)};
}

int snp_certtable_find(const struct snp_certtable *table, const uint8_t guid[SNP_GUID_SIZE],
		       struct snp_certtable_entry *entry)
{
	for (size_t i = 0; i < table->count; i++) {
		*entry = snp_certtable_at(table, i);
		if (memcmp(entry->guid, guid, SNP_GUID_SIZE) == 0)
			return 0;
	}
	return CVTPM_ERR_NOT_FOUND;
}

int snp_certtable_copy(const uint8_t *bytes, size_t len, uint8_t *out, size_t *out_len)
{
	const size_t room = *out_len;
	struct snp_certtable table;

	CVTPM_TRY(snp_certtable_begin(&table, bytes, len));
	*out_len = table.used;
	if (table.used > room)
		return CVTPM_ERR_SIZE;
	if (table.used > 0)
		memcpy(out, bytes, table.used);
	return 0;
}

int snp_certtable_write(const struct snp_certtable_entry *entries, size_t count, uint8_t *out,
			size_t *len)
{
	size_t at = (count + 1) * SNP_CERTTABLE_ENTRY_SIZE, need = at;

	for (size_t i = 0; i < count; i++)
		need += entries[i].len;
	if (need > UINT32_MAX)
		return CVTPM_ERR_SIZE;
	if (need > *len) {
		*len = need;
		return CVTPM_ERR_SIZE;
	}

	memset(out, 0, at);
	for (size_t i = 0; i < count; i++) {
		uint8_t *entry = out + i * SNP_CERTTABLE_ENTRY_SIZE;

		memcpy(entry, entries[i].guid, SNP_GUID_SIZE);
		snp_put32(entry + OFFSET_AT, (uint32_t)at);
		snp_put32(entry + LENGTH_AT, (uint32_t)entries[i].len);
		memcpy(out + at, entries[i].data, entries[i].len);
		at += entries[i].len;
	}
	*len = at;
	return 0;
}
