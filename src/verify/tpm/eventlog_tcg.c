/*
 * The firmware's log (TCG PC Client Platform Firmware Profile, event logging):
 * crypto-agile, or the older form with SHA-1 alone.
 */
#include "verify/tpm/log.h"

#include <string.h>

#define SPEC_ID     "Spec ID Event03"
#define LOCALITY_ID "StartupLocality"
#define ID_SIZE     16 /* of both signatures, final zero byte included */

/* How the digest of an event type comes from its data. */
enum hashing {
	OF_SOMETHING_ELSE, /* code, a file: the data only describes it */
	OF_DATA,
	OF_SEPARATOR, /* of the data, but of the number 1 after an error */
	OF_VARIABLE,  /* of the data, or of the variable's value inside it, as EDK II does */
};

static const struct {
	uint32_t type;
	enum hashing hashing;
	const char *name;
} types[] = {
	{0x00000000, OF_SOMETHING_ELSE, "EV_PREBOOT_CERT"},
	{0x00000001, OF_SOMETHING_ELSE, "EV_POST_CODE"},
	{0x00000003, OF_SOMETHING_ELSE, "EV_NO_ACTION"},
	{0x00000004, OF_SEPARATOR, "EV_SEPARATOR"},
	{0x00000005, OF_DATA, "EV_ACTION"},
	{0x00000006, OF_SOMETHING_ELSE, "EV_EVENT_TAG"}, /* Linux tags what it loads with it */
	{0x00000007, OF_SOMETHING_ELSE, "EV_S_CRTM_CONTENTS"},
	{0x00000008, OF_DATA, "EV_S_CRTM_VERSION"},
	{0x00000009, OF_SOMETHING_ELSE, "EV_CPU_MICROCODE"},
	{0x0000000A, OF_SOMETHING_ELSE, "EV_PLATFORM_CONFIG_FLAGS"},
	{0x0000000B, OF_SOMETHING_ELSE, "EV_TABLE_OF_DEVICES"},
	{0x0000000C, OF_SOMETHING_ELSE, "EV_COMPACT_HASH"},
	{0x0000000D, OF_SOMETHING_ELSE, "EV_IPL"},
	{0x0000000E, OF_SOMETHING_ELSE, "EV_IPL_PARTITION_DATA"},
	{0x0000000F, OF_SOMETHING_ELSE, "EV_NONHOST_CODE"},
	{0x00000010, OF_SOMETHING_ELSE, "EV_NONHOST_CONFIG"},
	{0x00000011, OF_SOMETHING_ELSE, "EV_NONHOST_INFO"},
	{0x00000012, OF_DATA, "EV_OMIT_BOOT_DEVICE_EVENTS"},
	{0x00000013, OF_SOMETHING_ELSE, "EV_POST_CODE2"},
	{0x80000001, OF_DATA, "EV_EFI_VARIABLE_DRIVER_CONFIG"},
	{0x80000002, OF_VARIABLE, "EV_EFI_VARIABLE_BOOT"},
	{0x80000003, OF_SOMETHING_ELSE, "EV_EFI_BOOT_SERVICES_APPLICATION"},
	{0x80000004, OF_SOMETHING_ELSE, "EV_EFI_BOOT_SERVICES_DRIVER"},
	{0x80000005, OF_SOMETHING_ELSE, "EV_EFI_RUNTIME_SERVICES_DRIVER"},
	{0x80000006, OF_DATA, "EV_EFI_GPT_EVENT"},
	{0x80000007, OF_DATA, "EV_EFI_ACTION"},
	{0x80000008, OF_SOMETHING_ELSE, "EV_EFI_PLATFORM_FIRMWARE_BLOB"},
	{0x80000009, OF_SOMETHING_ELSE, "EV_EFI_HANDOFF_TABLES"},
	{0x8000000A, OF_SOMETHING_ELSE, "EV_EFI_PLATFORM_FIRMWARE_BLOB2"},
	{0x8000000B, OF_SOMETHING_ELSE, "EV_EFI_HANDOFF_TABLES2"},
	{0x8000000C, OF_DATA, "EV_EFI_VARIABLE_BOOT2"},
	{0x8000000D, OF_SOMETHING_ELSE, "EV_EFI_GPT_EVENT2"},
	{0x80000010, OF_SOMETHING_ELSE, "EV_EFI_HCRTM_EVENT"},
	{0x800000E0, OF_DATA, "EV_EFI_VARIABLE_AUTHORITY"},
	{0x800000E1, OF_SOMETHING_ELSE, "EV_EFI_SPDM_FIRMWARE_BLOB"},
	{0x800000E2, OF_SOMETHING_ELSE, "EV_EFI_SPDM_FIRMWARE_CONFIG"},
	{0x800000E3, OF_SOMETHING_ELSE, "EV_EFI_SPDM_DEVICE_POLICY"},
	{0x800000E4, OF_SOMETHING_ELSE, "EV_EFI_SPDM_DEVICE_AUTHORITY"},
};

#define TYPES (sizeof(types) / sizeof(types[0]))

const char *cvtpm_log_type_name(uint32_t type)
{
	for (size_t i = 0; i < TYPES; i++) {
		if (types[i].type == type)
			return types[i].name;
	}
	return NULL;
}

static enum hashing hashing_of(uint32_t type)
{
	for (size_t i = 0; i < TYPES; i++) {
		if (types[i].type == type)
			return types[i].hashing;
	}
	return OF_SOMETHING_ELSE;
}

static bool begins_with(const struct cvtpm_span *data, const char *id)
{
	return data->len >= ID_SIZE && memcmp(data->data, id, ID_SIZE) == 0;
}

/* ---- entries ---- */

/* TCG_PCClientPCREvent up to its data. */
static void read_sha1_digest(struct log_reader *r, struct cvtpm_log_event *event)
{
	event->bank[0].alg = CVTPM_TPM_ALG_SHA1;
	event->bank[0].size = 20;
	event->bank[0].digest = log_take_bytes(r, 20);
	event->bank_count = 1;
}

static size_t announced_size(const struct cvtpm_log *log, uint16_t alg)
{
	for (size_t i = 0; i < log->bank_count; i++) {
		if (log->bank[i].alg == alg)
			return log->bank[i].size;
	}
	return 0;
}

static bool has_bank(const struct cvtpm_log_event *event, uint16_t alg)
{
	for (size_t i = 0; i < event->bank_count; i++) {
		if (event->bank[i].alg == alg)
			return true;
	}
	return false;
}

/* TPML_DIGEST_VALUES: each announced algorithm once, in any order. */
static int read_digests(const struct cvtpm_log *log, struct log_reader *r,
			struct cvtpm_log_event *event)
{
	uint64_t count = log_take(r, 4);

	if (r->bad)
		return CVTPM_TPM_LOG_TRUNCATED;
	if (count != log->bank_count)
		return CVTPM_TPM_LOG_DIGESTS;
	for (size_t i = 0; i < count; i++) {
		uint16_t alg = (uint16_t)log_take(r, 2);
		size_t size = announced_size(log, alg);

		if (r->bad)
			return CVTPM_TPM_LOG_TRUNCATED;
		if (!size || has_bank(event, alg))
			return CVTPM_TPM_LOG_DIGESTS;
		event->bank[i].alg = alg;
		event->bank[i].size = (uint16_t)size;
		event->bank[i].digest = log_take_bytes(r, size);
		event->bank_count = i + 1;
	}
	return 0;
}

/* A StartupLocality event gives PCR 0 its first value, so it comes before all others of it. */
static int check_locality(struct cvtpm_log *log, struct cvtpm_log_event *event)
{
	uint8_t locality;

	if (!begins_with(&event->data, LOCALITY_ID))
		return 0;
	if (event->data.len != ID_SIZE + 1 || event->pcr != 0 || log->pcr0_extended ||
	    log->locality_seen)
		return CVTPM_TPM_LOG_LOCALITY;
	locality = event->data.data[ID_SIZE];
	if (locality != 0 && locality != 3 && locality != 4)
		return CVTPM_TPM_LOG_LOCALITY;
	log->locality_seen = true;
	event->locality = locality;
	return 0;
}

int tcg_read(struct cvtpm_log *log, struct log_reader *r, struct cvtpm_log_event *event)
{
	event->pcr = (uint32_t)log_take(r, 4);
	event->type = (uint32_t)log_take(r, 4);
	/* The header of an agile log has the old form. */
	if (log->format == CVTPM_LOG_TCG_SHA1 || log->at == 0)
		read_sha1_digest(r, event);
	else
		TRY(read_digests(log, r, event));
	event->data = log_take_sized(r);
	if (r->bad)
		return CVTPM_TPM_LOG_TRUNCATED;
	event->extends = event->type != CVTPM_EVENT_NO_ACTION;
	if (!event->extends)
		return check_locality(log, event);
	if (event->pcr >= CVTPM_PCR_COUNT)
		return CVTPM_TPM_LOG_PCR;
	log->pcr0_extended |= event->pcr == 0;
	return 0;
}

/* ---- the header ---- */

static int read_bank(struct cvtpm_log *log, struct log_reader *r)
{
	uint16_t alg = (uint16_t)log_take(r, 2);
	uint16_t size = (uint16_t)log_take(r, 2);
	size_t known = cvtpm_tpm_digest_size(alg);

	if (r->bad || announced_size(log, alg))
		return CVTPM_TPM_LOG_HEADER;
	if (size == 0 || size > CVTPM_TPM_DIGEST_MAX || (known && known != size))
		return CVTPM_TPM_LOG_HEADER;
	log->bank[log->bank_count].alg = alg;
	log->bank[log->bank_count++].size = size;
	return 0;
}

/* TCG_EfiSpecIdEvent. */
static int read_header(struct cvtpm_log *log, const struct cvtpm_log_event *event)
{
	static const uint8_t zeros[20];
	struct log_reader r = {event->data.data, event->data.len, false};
	uint64_t count;

	if (event->pcr != 0 || memcmp(event->bank[0].digest, zeros, sizeof(zeros)) != 0)
		return CVTPM_TPM_LOG_HEADER;
	log_take_bytes(&r, ID_SIZE);
	log_take(&r, 4); /* platformClass */
	log_take(&r, 3); /* specVersionMinor, specVersionMajor, specErrata */
	log_take(&r, 1); /* uintnSize */
	count = log_take(&r, 4);
	if (r.bad || count == 0 || count > CVTPM_LOG_BANKS_MAX)
		return CVTPM_TPM_LOG_HEADER;
	for (log->bank_count = 0; log->bank_count < count;)
		TRY(read_bank(log, &r));
	log_take_bytes(&r, (size_t)log_take(&r, 1)); /* vendorInfo */
	return r.bad || r.left ? CVTPM_TPM_LOG_HEADER : 0;
}

int cvtpm_log_open_tcg(struct cvtpm_log *log, const uint8_t *bytes, size_t len)
{
	struct log_reader r = {bytes, len, false};
	struct cvtpm_log_event first = {0};

	*log = (struct cvtpm_log){.format = CVTPM_LOG_TCG_SHA1, .bytes = {bytes, len}};
	if (len > CVTPM_LOG_MAX_SIZE)
		return CVTPM_TPM_LOG_TOO_LARGE;
	TRY(tcg_read(&(struct cvtpm_log){.format = CVTPM_LOG_TCG_SHA1}, &r, &first));
	if (first.type == CVTPM_EVENT_NO_ACTION && begins_with(&first.data, SPEC_ID)) {
		log->format = CVTPM_LOG_TCG_AGILE;
		return read_header(log, &first);
	}
	log->bank_count = 1;
	log->bank[0].alg = CVTPM_TPM_ALG_SHA1;
	log->bank[0].size = 20;
	return 0;
}

/* ---- digests and data ---- */

/* Every digest of an algorithm known here is that of `data`. *known becomes false where no
 * digest could be judged. */
static int all_digests_are_of(const struct cvtpm_log_event *event, struct cvtpm_span data,
			      bool *equal, bool *known)
{
	uint8_t digest[CVTPM_TPM_DIGEST_MAX];

	*equal = true;
	*known = false;
	for (size_t i = 0; i < event->bank_count; i++) {
		if (!tpm_hash_of(event->bank[i].alg))
			continue;
		*known = true;
		TRY(tpm_digest(event->bank[i].alg, data.data, data.len, NULL, 0, digest));
		if (memcmp(digest, event->bank[i].digest, event->bank[i].size) != 0)
			*equal = false;
	}
	return 0;
}

/* The value inside UEFI_VARIABLE_DATA; NULL where the data is no such structure. */
static struct cvtpm_span variable_value(const struct cvtpm_span *data)
{
	struct log_reader r = {data->data, data->len, false};
	struct cvtpm_span value = {0};
	uint64_t name_len, value_len;

	log_take_bytes(&r, 16); /* VariableName */
	name_len = log_take(&r, 8);
	value_len = log_take(&r, 8);
	if (r.bad || name_len > r.left / 2)
		return value;
	log_take_bytes(&r, (size_t)name_len * 2);
	if (value_len != r.left)
		return value;
	return (struct cvtpm_span){r.at, r.left};
}

int tcg_check_data(const struct cvtpm_log_event *event, enum cvtpm_event_data *outcome)
{
	static const uint8_t error[4] = {1, 0, 0, 0};
	enum hashing hashing = hashing_of(event->type);
	struct cvtpm_span value;
	bool equal, known;

	if (hashing == OF_SOMETHING_ELSE || !event->extends)
		return 0;
	TRY(all_digests_are_of(event, event->data, &equal, &known));
	if (!known)
		return 0;
	*outcome = equal ? CVTPM_EVENT_DATA_MATCHES : CVTPM_EVENT_DATA_DIFFERS;
	if (equal || hashing == OF_DATA)
		return 0;
	value = variable_value(&event->data);
	if (hashing == OF_SEPARATOR)
		value = (struct cvtpm_span){error, sizeof(error)};
	else if (!value.data)
		return 0;
	TRY(all_digests_are_of(event, value, &equal, &known));
	/* After an error the data tells what happened, in words that nothing measures. */
	if (equal)
		*outcome = hashing == OF_SEPARATOR ? CVTPM_EVENT_DATA_NOT_HASHED
						   : CVTPM_EVENT_DATA_MATCHES;
	return 0;
}
