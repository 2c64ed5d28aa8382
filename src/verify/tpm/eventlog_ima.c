/*
 * Linux' IMA measurement list (Documentation/security/IMA-templates.rst and
 * security/integrity/ima of the kernel describe it), as text and in binary.
 *
 * The list's own digest of an entry is SHA-1 whatever the TPM's banks are; what
 * went into a PCR is the hash of the fields by the bank's algorithm. So the
 * fields are hashed here, and the listed digest is only compared with them.
 */
#include "verify/tpm/log.h"

#include <string.h>

#define NAME_MAX_SIZE 255 /* TCG_EVENT_NAME_LEN_MAX */

/* The fields of each template: one text, digest first, hexadecimal fields behind the text. */
static const struct {
	const char *name;
	size_t count;
	enum cvtpm_ima_field_kind kind[CVTPM_IMA_FIELDS_MAX];
} templates[] = {
	{"ima-ng", 2, {CVTPM_IMA_DIGEST, CVTPM_IMA_TEXT}},
	{"ima-ngv2", 2, {CVTPM_IMA_DIGEST, CVTPM_IMA_TEXT}},
	{"ima-sig", 3, {CVTPM_IMA_DIGEST, CVTPM_IMA_TEXT, CVTPM_IMA_BLOB}},
	{"ima-sigv2", 3, {CVTPM_IMA_DIGEST, CVTPM_IMA_TEXT, CVTPM_IMA_BLOB}},
	{"ima-buf", 3, {CVTPM_IMA_DIGEST, CVTPM_IMA_TEXT, CVTPM_IMA_BLOB}},
	{"ima-modsig",
	 5,
	 {CVTPM_IMA_DIGEST, CVTPM_IMA_TEXT, CVTPM_IMA_BLOB, CVTPM_IMA_DIGEST, CVTPM_IMA_BLOB}},
};

#define TEMPLATES (sizeof(templates) / sizeof(templates[0]))

/* Sets the kinds of the event's fields; false: not a template known here. */
static bool find_template(struct cvtpm_log_event *event)
{
	for (size_t i = 0; i < TEMPLATES; i++) {
		if (strlen(templates[i].name) != event->template_name.len ||
		    memcmp(templates[i].name, event->template_name.data,
			   event->template_name.len) != 0)
			continue;
		event->field_count = templates[i].count;
		for (size_t k = 0; k < templates[i].count; k++)
			event->field[k].kind = templates[i].kind[k];
		return true;
	}
	return false;
}

/* The list marks a violation (a file changed while it was measured) with zeros. */
static void note_violation(struct cvtpm_log_event *event)
{
	event->violation = true;
	for (size_t i = 0; i < event->bank[0].size; i++) {
		if (event->template_digest[i])
			event->violation = false;
	}
}

/* ---- text ---- */

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_hex(const struct cvtpm_span *text)
{
	for (size_t i = 0; i < text->len; i++) {
		if (hex_value(text->data[i]) < 0)
			return false;
	}
	return text->len % 2 == 0;
}

static uint8_t hex_byte(const uint8_t *text)
{
	return (uint8_t)(hex_value(text[0]) << 4 | hex_value(text[1]));
}

/* Cuts `text` at its first space: what stands before it; `text` becomes what follows. */
static bool cut_first(struct cvtpm_span *text, struct cvtpm_span *word)
{
	const uint8_t *space = text->len ? memchr(text->data, ' ', text->len) : NULL;

	if (!space)
		return false;
	*word = (struct cvtpm_span){text->data, (size_t)(space - text->data)};
	*text = (struct cvtpm_span){space + 1, text->len - word->len - 1};
	return true;
}

/* Cuts `text` at its last space: what stands behind it; `text` becomes what precedes. */
static bool cut_last(struct cvtpm_span *text, struct cvtpm_span *word)
{
	const uint8_t *space = text->len ? memrchr(text->data, ' ', text->len) : NULL;

	if (!space)
		return false;
	word->data = space + 1;
	word->len = (size_t)(text->data + text->len - word->data);
	text->len = (size_t)(space - text->data);
	return true;
}

/* "sha256:<hex>", or nothing where `may_be_empty`. */
static bool split_digest(const struct cvtpm_span *field, struct cvtpm_span *name,
			 struct cvtpm_span *digest)
{
	const uint8_t *colon = field->len ? memrchr(field->data, ':', field->len) : NULL;

	if (!colon || colon == field->data)
		return false;
	*name = (struct cvtpm_span){field->data, (size_t)(colon - field->data)};
	*digest = (struct cvtpm_span){colon + 1, field->len - name->len - 1};
	return true;
}

static bool field_is_good(enum cvtpm_ima_field_kind kind, const struct cvtpm_span *field)
{
	struct cvtpm_span name, digest;

	switch (kind) {
	case CVTPM_IMA_DIGEST:
		if (!field->len)
			return true; /* d-modsig of a file without one */
		return split_digest(field, &name, &digest) && digest.len && is_hex(&digest) &&
		       digest.len <= (size_t)2 * CVTPM_TPM_DIGEST_MAX;
	case CVTPM_IMA_TEXT:
		return field->len && !memchr(field->data, 0, field->len);
	default:
		return is_hex(field);
	}
}

/* Paths may hold spaces; the other fields cannot. So the fields behind the path are cut off
 * from the end. (A path with a line feed is not to be had from this form of the list.) */
static bool split_fields(struct cvtpm_span rest, struct cvtpm_log_event *event)
{
	if (!cut_first(&rest, &event->field[0].bytes) || !event->field[0].bytes.len)
		return false;
	for (size_t i = event->field_count - 1; i > 1; i--) {
		if (!cut_last(&rest, &event->field[i].bytes))
			return false;
	}
	event->field[1].bytes = rest;
	for (size_t i = 0; i < event->field_count; i++) {
		if (!field_is_good(event->field[i].kind, &event->field[i].bytes))
			return false;
	}
	event->path = rest;
	return split_digest(&event->field[0].bytes, &event->file_digest_name, &event->file_digest);
}

/* "%2d" of the PCR. */
static bool read_pcr(struct cvtpm_span *line, uint32_t *pcr)
{
	struct cvtpm_span word;

	if (line->len && line->data[0] == ' ')
		*line = (struct cvtpm_span){line->data + 1, line->len - 1};
	if (!cut_first(line, &word) || word.len < 1 || word.len > 2)
		return false;
	*pcr = 0;
	for (size_t i = 0; i < word.len; i++) {
		if (word.data[i] < '0' || word.data[i] > '9')
			return false;
		*pcr = *pcr * 10 + (uint32_t)(word.data[i] - '0');
	}
	return true;
}

static bool read_line(struct log_reader *r, struct cvtpm_span *line)
{
	const uint8_t *end = r->left ? memchr(r->at, '\n', r->left) : NULL;

	if (!end)
		return false;
	*line = (struct cvtpm_span){r->at, (size_t)(end - r->at)};
	log_take_bytes(r, line->len + 1);
	return true;
}

int ima_read_ascii(const struct cvtpm_log *log, struct log_reader *r, struct cvtpm_log_event *event)
{
	struct cvtpm_span line, digest;

	if (!read_line(r, &line))
		return CVTPM_TPM_LOG_TRUNCATED;
	event->data = line;
	event->bank_count = 1;
	event->bank[0].alg = log->bank[0].alg;
	event->bank[0].size = log->bank[0].size;
	if (!read_pcr(&line, &event->pcr) || !cut_first(&line, &digest) || !is_hex(&digest) ||
	    digest.len != (size_t)2 * log->bank[0].size || !cut_first(&line, &event->template_name))
		return CVTPM_TPM_IMA_LINE;
	if (event->pcr >= CVTPM_PCR_COUNT)
		return CVTPM_TPM_LOG_PCR;
	for (size_t i = 0; i < log->bank[0].size; i++)
		event->template_digest[i] = hex_byte(digest.data + 2 * i);
	note_violation(event);
	if (!find_template(event))
		return CVTPM_TPM_IMA_TEMPLATE;
	return split_fields(line, event) ? 0 : CVTPM_TPM_IMA_LINE;
}

static uint16_t alg_of_size(size_t size)
{
	static const uint16_t algs[] = {CVTPM_TPM_ALG_SHA1, CVTPM_TPM_ALG_SHA256,
					CVTPM_TPM_ALG_SHA384, CVTPM_TPM_ALG_SHA512};

	for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
		if (cvtpm_tpm_digest_size(algs[i]) == size)
			return algs[i];
	}
	return 0;
}

int cvtpm_log_open_ima_ascii(struct cvtpm_log *log, const uint8_t *bytes, size_t len)
{
	struct log_reader r = {bytes, len, false};
	struct cvtpm_span line, digest;
	uint32_t pcr;

	*log = (struct cvtpm_log){.format = CVTPM_LOG_IMA_ASCII, .bytes = {bytes, len}};
	if (len > CVTPM_LOG_MAX_SIZE)
		return CVTPM_TPM_LOG_TOO_LARGE;
	if (!len)
		return 0;
	if (!read_line(&r, &line))
		return CVTPM_TPM_LOG_TRUNCATED;
	if (!read_pcr(&line, &pcr) || !cut_first(&line, &digest) || !alg_of_size(digest.len / 2))
		return CVTPM_TPM_IMA_LINE;
	log->bank_count = 1;
	log->bank[0].alg = alg_of_size(digest.len / 2);
	log->bank[0].size = (uint16_t)(digest.len / 2);
	return 0;
}

/* ---- binary ---- */

/* A text ends in a zero byte, its only one; a digest has one behind its name's colon. */
static bool note_binary_field(struct cvtpm_log_event *event, size_t i)
{
	const struct cvtpm_span *field = &event->field[i].bytes;
	const uint8_t *zero = field->len ? memchr(field->data, 0, field->len) : NULL;
	size_t before = zero ? (size_t)(zero - field->data) : 0;

	switch (event->field[i].kind) {
	case CVTPM_IMA_TEXT:
		if (!before || before != field->len - 1)
			return false;
		event->path = (struct cvtpm_span){field->data, before};
		return true;
	case CVTPM_IMA_DIGEST:
		if (i > 0 && !field->len)
			return true;
		if (before < 2 || field->data[before - 1] != ':' || before + 1 == field->len ||
		    field->len - before - 1 > CVTPM_TPM_DIGEST_MAX)
			return false;
		if (i == 0) {
			event->file_digest_name = (struct cvtpm_span){field->data, before - 1};
			event->file_digest = (struct cvtpm_span){zero + 1, field->len - before - 1};
		}
		return true;
	default:
		return true;
	}
}

static int read_binary_fields(struct cvtpm_log_event *event)
{
	struct log_reader r = {event->data.data, event->data.len, false};

	for (size_t i = 0; i < event->field_count; i++) {
		event->field[i].bytes = log_take_sized(&r);
		if (r.bad || !note_binary_field(event, i))
			return CVTPM_TPM_IMA_LINE;
	}
	return r.left ? CVTPM_TPM_IMA_LINE : 0;
}

int ima_read_binary(const struct cvtpm_log *log, struct log_reader *r,
		    struct cvtpm_log_event *event)
{
	static const uint8_t old[] = "ima"; /* has no length of its fields */

	event->bank_count = 1;
	event->bank[0].alg = log->bank[0].alg;
	event->bank[0].size = log->bank[0].size;
	event->pcr = (uint32_t)log_take(r, 4);
	event->bank[0].digest = log_take_bytes(r, log->bank[0].size);
	event->template_name = log_take_sized(r);
	if (r->bad)
		return CVTPM_TPM_LOG_TRUNCATED;
	if (event->pcr >= CVTPM_PCR_COUNT)
		return CVTPM_TPM_LOG_PCR;
	if (!event->template_name.len || event->template_name.len > NAME_MAX_SIZE)
		return CVTPM_TPM_IMA_LINE;
	if (event->template_name.len == sizeof(old) - 1 &&
	    memcmp(event->template_name.data, old, sizeof(old) - 1) == 0)
		return CVTPM_TPM_IMA_TEMPLATE;
	event->data = log_take_sized(r);
	if (r->bad)
		return CVTPM_TPM_LOG_TRUNCATED;
	memcpy(event->template_digest, event->bank[0].digest, log->bank[0].size);
	note_violation(event);
	return find_template(event) ? read_binary_fields(event) : 0;
}

int cvtpm_log_open_ima_binary(struct cvtpm_log *log, const uint8_t *bytes, size_t len, uint16_t alg)
{
	size_t size = cvtpm_tpm_digest_size(alg);

	*log = (struct cvtpm_log){.format = CVTPM_LOG_IMA_BINARY, .bytes = {bytes, len}};
	if (!size)
		return CVTPM_ERR_PARAM;
	if (len > CVTPM_LOG_MAX_SIZE)
		return CVTPM_TPM_LOG_TOO_LARGE;
	log->bank_count = 1;
	log->bank[0].alg = alg;
	log->bank[0].size = (uint16_t)size;
	return 0;
}

/* ---- digests ---- */

static int add_length(struct digester *d, size_t len)
{
	uint8_t bytes[4];

	for (unsigned i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(len >> 8 * i);
	return digester_add(d, bytes, sizeof(bytes));
}

static int add_hex(struct digester *d, const struct cvtpm_span *hex)
{
	uint8_t bytes[256];

	for (size_t at = 0; at < hex->len;) {
		size_t n = 0;

		for (; n < sizeof(bytes) && at < hex->len; at += 2)
			bytes[n++] = hex_byte(hex->data + at);
		TRY(digester_add(d, bytes, n));
	}
	return 0;
}

/* A field of the text as the kernel had it: behind its length. */
static int add_field(struct digester *d, enum cvtpm_ima_field_kind kind,
		     const struct cvtpm_span *field)
{
	struct cvtpm_span name, digest;

	if (kind == CVTPM_IMA_BLOB) {
		TRY(add_length(d, field->len / 2));
		return add_hex(d, field);
	}
	if (kind == CVTPM_IMA_TEXT) {
		TRY(add_length(d, field->len + 1));
		TRY(digester_add(d, field->data, field->len));
		return digester_add(d, "", 1);
	}
	if (!split_digest(field, &name, &digest))
		return add_length(d, 0);
	TRY(add_length(d, name.len + 2 + digest.len / 2));
	TRY(digester_add(d, name.data, name.len + 1)); /* and the colon */
	TRY(digester_add(d, "", 1));
	return add_hex(d, &digest);
}

int ima_hash_template(struct digester *d, const struct cvtpm_log_event *event,
		      uint8_t digest[CVTPM_TPM_DIGEST_MAX])
{
	TRY(digester_start(d));
	if (event->format == CVTPM_LOG_IMA_BINARY)
		TRY(digester_add(d, event->data.data, event->data.len));
	for (size_t i = 0; event->format == CVTPM_LOG_IMA_ASCII && i < event->field_count; i++)
		TRY(add_field(d, event->field[i].kind, &event->field[i].bytes));
	return digester_end(d, digest);
}

int ima_check_data(const struct cvtpm_log_event *event, enum cvtpm_event_data *outcome)
{
	uint8_t digest[CVTPM_TPM_DIGEST_MAX];

	if (event->violation)
		return 0;
	TRY(cvtpm_log_event_digest(event, event->bank[0].alg, false, digest));
	*outcome = memcmp(digest, event->template_digest, event->bank[0].size) == 0
			   ? CVTPM_EVENT_DATA_MATCHES
			   : CVTPM_EVENT_DATA_DIFFERS;
	return 0;
}
