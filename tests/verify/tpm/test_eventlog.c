/* Event logs: reading, replay, and what is said of a log that does not fit. */
#include "samples.h"

#include <openssl/evp.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int open_ima_sha1(struct cvtpm_log *log, const uint8_t *bytes, size_t len)
{
	return cvtpm_log_open_ima_binary(log, bytes, len, CVTPM_TPM_ALG_SHA1);
}

static const struct form {
	const char *name;
	int (*open)(struct cvtpm_log *log, const uint8_t *bytes, size_t len);
	size_t entries;
} forms[] = {
	{"agile.log", cvtpm_log_open_tcg, 19},
	{"sha1.log", cvtpm_log_open_tcg, 17},
	{"ima.ascii", cvtpm_log_open_ima_ascii, 6},
	{"ima.sha256.ascii", cvtpm_log_open_ima_ascii, 6},
	{"ima.binary", open_ima_sha1, 6},
};

struct opened {
	struct sample bytes;
	struct cvtpm_log log;
	struct cvtpm_log_set set;
};

static void open_bytes(struct opened *o, const struct form *form, struct sample bytes)
{
	*o = (struct opened){.bytes = bytes, .set.count = 1};
	o->set.log[0] = &o->log;
	assert_int_equal(form->open(&o->log, bytes.data, bytes.len), 0);
}

static const struct form *form_of(const char *name)
{
	for (size_t i = 0; i < COUNT(forms); i++) {
		if (strcmp(forms[i].name, name) == 0)
			return &forms[i];
	}
	fail_msg("no form %s", name);
	return NULL;
}

static void open_ours(struct opened *o, const char *name)
{
	open_bytes(o, form_of(name), ours(name, ""));
}

/* Reads to the end: the last result, and the number of entries. */
static int read_all(const struct cvtpm_log *log, size_t *count, struct cvtpm_log_event *last)
{
	struct cvtpm_log at = *log;
	struct cvtpm_log_event event;
	int rc;

	*count = 0;
	while ((rc = cvtpm_log_next(&at, &event)) == 0) {
		assert_int_equal(event.number, ++*count);
		if (last)
			*last = event;
	}
	return rc;
}

static void logs_of_every_format_are_read_to_the_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++) {
		struct opened o;
		size_t count;

		open_ours(&o, forms[i].name);
		assert_int_equal(read_all(&o.log, &count, NULL), CVTPM_ERR_NOT_FOUND);
		assert_int_equal(count, forms[i].entries);
		free(o.bytes.data);
	}
}

static void expect_pcrs(const char *log, const char *file, uint16_t alg)
{
	struct cvtpm_pcrs pcrs = {0};
	struct sample expected = ours(file, "");
	size_t size = cvtpm_tpm_digest_size(alg);
	struct opened o;

	open_ours(&o, log);
	assert_int_equal(cvtpm_pcrs_reset(&pcrs, alg), 0);
	assert_int_equal(cvtpm_log_replay(&o.set, &pcrs, NULL), 0);
	assert_int_equal(expected.len, 17 * size);
	for (size_t pcr = 0; pcr < 17; pcr++)
		assert_memory_equal(pcrs.bank[0].value[pcr], expected.data + pcr * size, size);
	free(expected.data);
	free(o.bytes.data);
}

static void a_tcg_log_gives_the_pcrs_of_every_bank(void **state)
{
	(void)state;
	expect_pcrs("agile.log", "agile.sha1.pcrs", CVTPM_TPM_ALG_SHA1);
	expect_pcrs("agile.log", "agile.sha256.pcrs", CVTPM_TPM_ALG_SHA256);
	expect_pcrs("agile.log", "agile.sha384.pcrs", CVTPM_TPM_ALG_SHA384);
	expect_pcrs("sha1.log", "sha1.sha1.pcrs", CVTPM_TPM_ALG_SHA1);
}

static void an_ima_list_gives_pcr_10_of_every_bank(void **state)
{
	static const char *const lists[] = {"ima.ascii", "ima.sha256.ascii", "ima.binary"};
	struct sample expected = ours("ima.pcr10", "");

	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		struct cvtpm_pcrs pcrs = {0}, padded = {0};
		struct opened o;

		open_ours(&o, lists[i]);
		assert_int_equal(cvtpm_pcrs_reset(&pcrs, CVTPM_TPM_ALG_SHA1), 0);
		assert_int_equal(cvtpm_pcrs_reset(&pcrs, CVTPM_TPM_ALG_SHA256), 0);
		padded = pcrs;
		assert_int_equal(cvtpm_log_replay(&o.set, &pcrs, NULL), 0);
		assert_memory_equal(pcrs.bank[0].value[10], expected.data, 20);
		assert_memory_equal(pcrs.bank[1].value[10], expected.data + 20, 32);
		o.set.ima_padded = true;
		assert_int_equal(cvtpm_log_replay(&o.set, &padded, NULL), 0);
		assert_memory_equal(padded.bank[0].value[10], expected.data, 20);
		assert_memory_equal(padded.bank[1].value[10], expected.data + 52, 32);
		free(o.bytes.data);
	}
	free(expected.data);
}

/* At most at the end of an entry may a log be cut, and then it has fewer entries. */
static void every_truncation_is_refused_or_shows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++) {
		struct sample s = ours(forms[i].name, "");
		size_t clean = 0;

		for (size_t len = 0; len < s.len; len++) {
			struct sample cut = sample_copy(s.data, len);
			struct cvtpm_log log;
			size_t count = 0;
			int rc = forms[i].open(&log, cut.data, cut.len);

			if (!rc)
				rc = read_all(&log, &count, NULL);
			assert_true(rc > 0 || rc == CVTPM_ERR_NOT_FOUND);
			assert_true(count < forms[i].entries);
			clean += rc == CVTPM_ERR_NOT_FOUND;
			free(cut.data);
		}
		/* An empty TCG log is none; an empty IMA list is one. */
		assert_int_equal(clean, forms[i].entries - (forms[i].open == cvtpm_log_open_tcg));
		free(s.data);
	}
}

/* A flipped bit makes the log unreadable, or shows in the digests or the data of an entry, or is
 * in a part that nothing measures. It never reads outside. */
static void every_flipped_bit_is_survived(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++) {
		struct sample s = ours(forms[i].name, "");

		for (size_t bit = 0; bit < s.len * 8; bit++) {
			struct cvtpm_pcrs pcrs = {0};
			struct cvtpm_log_place where;
			struct cvtpm_log log;
			struct cvtpm_log_set set = {.log = {&log}, .count = 1};

			s.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(cvtpm_pcrs_reset(&pcrs, CVTPM_TPM_ALG_SHA256), 0);
			if (forms[i].open(&log, s.data, s.len) == 0 &&
			    cvtpm_log_replay(&set, &pcrs, &where) == 0)
				assert_int_equal(cvtpm_log_find_altered_data(&set, &where), 0);
			s.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		free(s.data);
	}
}

static void what_a_tcg_entry_says_is_read(void **state)
{
	struct opened o;
	struct cvtpm_log at;
	struct cvtpm_log_event event;

	(void)state;
	open_ours(&o, "agile.log");
	at = o.log;
	assert_int_equal(cvtpm_log_next(&at, &event), 0); /* the header */
	assert_false(event.extends);
	assert_int_equal(event.offset, 0);
	assert_int_equal(cvtpm_log_next(&at, &event), 0);
	assert_false(event.extends);
	assert_int_equal(event.locality, 3);
	assert_int_equal(cvtpm_log_next(&at, &event), 0);
	assert_true(event.extends);
	assert_int_equal(event.locality, -1);
	assert_string_equal(cvtpm_log_type_name(event.type), "EV_S_CRTM_VERSION");
	assert_int_equal(event.bank_count, 3);
	assert_int_equal(event.bank[2].alg, CVTPM_TPM_ALG_SHA384);
	assert_null(cvtpm_log_type_name(0x12345678));
	free(o.bytes.data);
}

static void an_entry_with_hostile_text_is_given_with_its_length(void **state)
{
	struct opened o;
	struct cvtpm_log at;
	struct cvtpm_log_event event;

	(void)state;
	open_ours(&o, "ima.ascii");
	at = o.log;
	for (int i = 0; i < 3; i++)
		assert_int_equal(cvtpm_log_next(&at, &event), 0);
	assert_int_equal(event.path.len, strlen("/usr/lib/\xc3\xa9\x1b[31m.so"));
	assert_memory_equal(event.path.data, "/usr/lib/\xc3\xa9\x1b[31m.so", event.path.len);
	free(o.bytes.data);
}

static void paths_with_spaces_and_signatures_are_told_apart(void **state)
{
	static const char *const lists[] = {"ima.ascii", "ima.binary"};

	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		struct opened o;
		struct cvtpm_log at;
		struct cvtpm_log_event event;

		open_ours(&o, lists[i]);
		at = o.log;
		assert_int_equal(cvtpm_log_next(&at, &event), 0);
		assert_int_equal(cvtpm_log_next(&at, &event), 0);
		assert_int_equal(event.path.len, strlen("/usr/bin/a file with  spaces"));
		assert_memory_equal(event.path.data, "/usr/bin/a file with  spaces",
				    event.path.len);
		assert_int_equal(event.field[2].bytes.len, 0);
		assert_int_equal(event.file_digest_name.len, 6);
		assert_int_equal(cvtpm_log_next(&at, &event), 0);
		assert_int_equal(cvtpm_log_next(&at, &event), 0);
		assert_int_equal(event.field_count, 3);
		assert_int_equal(event.field[2].bytes.len, i == 0 ? 146 : 73);
		assert_int_equal(cvtpm_log_next(&at, &event), 0);
		assert_true(event.violation);
		free(o.bytes.data);
	}
}

/* Bytes of one entry of a log, by its number. */
static void span_of(const struct opened *o, size_t number, size_t *offset, size_t *size)
{
	struct cvtpm_log at = o->log;
	struct cvtpm_log_event event;

	for (size_t i = 0; i < number; i++)
		assert_int_equal(cvtpm_log_next(&at, &event), 0);
	*offset = event.offset;
	*size = at.at - event.offset;
}

/* ---- what a malformed TCG log is refused for ---- */

static int read_changed(const char *name, size_t offset, uint8_t byte, struct cvtpm_log *log)
{
	struct sample s = ours(name, "");
	size_t count;
	int rc;

	s.data[offset] = byte;
	rc = form_of(name)->open(log, s.data, s.len);
	if (!rc)
		rc = read_all(log, &count, NULL);
	free(s.data);
	return rc;
}

/* agile.log: header event 0 (pcr, type, 20 zeros, size at 28), Spec ID data at 32: signature 16,
 * class 4, versions 3, uintnSize 1, count at 56, algorithms at 60, 64, 68, vendor size at 72.
 * The second event starts at 75: pcr, type, count at 83, algorithms at 87 (+22), 109 (+34), 143
 * (+50), size at 193, "StartupLocality" at 197, the locality at 213. */
static void malformed_tcg_logs_are_refused_by_name(void **state)
{
	struct cvtpm_log log;

	(void)state;
	assert_int_equal(read_changed("agile.log", 0, 1, &log), CVTPM_TPM_LOG_HEADER);
	assert_int_equal(read_changed("agile.log", 10, 1, &log), CVTPM_TPM_LOG_HEADER);
	assert_int_equal(read_changed("agile.log", 56, 0, &log), CVTPM_TPM_LOG_HEADER);
	assert_int_equal(read_changed("agile.log", 56, 200, &log), CVTPM_TPM_LOG_HEADER);
	assert_int_equal(read_changed("agile.log", 62, 19, &log), CVTPM_TPM_LOG_HEADER);
	assert_int_equal(read_changed("agile.log", 64, 4, &log), CVTPM_TPM_LOG_HEADER);
	assert_int_equal(read_changed("agile.log", 72, 3, &log), CVTPM_TPM_LOG_HEADER);
	assert_int_equal(read_changed("agile.log", 72, 1, &log), CVTPM_TPM_LOG_HEADER);
	assert_int_equal(read_changed("agile.log", 83, 2, &log), CVTPM_TPM_LOG_DIGESTS);
	assert_int_equal(read_changed("agile.log", 83, 255, &log), CVTPM_TPM_LOG_DIGESTS);
	assert_int_equal(read_changed("agile.log", 87, 0x12, &log), CVTPM_TPM_LOG_DIGESTS);
	assert_int_equal(read_changed("agile.log", 109, 0x04, &log), CVTPM_TPM_LOG_DIGESTS);
	assert_int_equal(read_changed("agile.log", 213, 2, &log), CVTPM_TPM_LOG_LOCALITY);
	assert_int_equal(read_changed("agile.log", 75, 1, &log), CVTPM_TPM_LOG_LOCALITY);
	assert_int_equal(read_changed("agile.log", 196, 0xFF, &log), CVTPM_TPM_LOG_TRUNCATED);
	assert_int_equal(read_changed("agile.log", 214, 24, &log), CVTPM_TPM_LOG_PCR);
	assert_int_equal(read_changed("sha1.log", 0, 24, &log), CVTPM_TPM_LOG_PCR);
}

static void a_startup_locality_after_pcr_0_or_twice_is_refused(void **state)
{
	struct sample s = ours("agile.log", "");
	const size_t event = 75, size = 214 - 75;
	struct sample more = {.data = malloc(s.len + size), .len = s.len + size};
	struct cvtpm_log log;
	size_t count;

	(void)state;
	/* At the end. */
	memcpy(more.data, s.data, s.len);
	memcpy(more.data + s.len, s.data + event, size);
	assert_int_equal(cvtpm_log_open_tcg(&log, more.data, more.len), 0);
	assert_int_equal(read_all(&log, &count, NULL), CVTPM_TPM_LOG_LOCALITY);
	assert_int_equal(count, 19);
	/* Twice at the beginning. */
	memcpy(more.data, s.data, event + size);
	memcpy(more.data + event + size, s.data + event, s.len - event);
	assert_int_equal(cvtpm_log_open_tcg(&log, more.data, more.len), 0);
	assert_int_equal(read_all(&log, &count, NULL), CVTPM_TPM_LOG_LOCALITY);
	assert_int_equal(count, 2);
	free(more.data);
	free(s.data);
}

static void a_startup_locality_alone_must_still_come_first(void **state)
{
	struct opened o;
	struct sample s = ours("agile.log", "");
	struct cvtpm_log log;
	size_t offset, size, count;

	(void)state;
	open_bytes(&o, form_of("agile.log"), sample_copy(s.data, s.len));
	span_of(&o, 2, &offset, &size);
	memmove(s.data + offset, s.data + offset + size, s.len - offset - size);
	memcpy(s.data + s.len - size, o.bytes.data + offset, size); /* from second to last */
	assert_int_equal(cvtpm_log_open_tcg(&log, s.data, s.len), 0);
	assert_int_equal(read_all(&log, &count, NULL), CVTPM_TPM_LOG_LOCALITY);
	assert_int_equal(count, 18);
	free(s.data);
	free(o.bytes.data);
}

static void each_announced_digest_comes_exactly_once(void **state)
{
	/* Two banks of one size, so that only their numbers tell them apart. */
	static const uint8_t spec[] = "Spec ID Event03\0\0\0\0\0\0\2\0\2\2\0\0\0"
				      "\x0B\0\x20\0\x12\0\x20\0";
	uint8_t bytes[32 + sizeof(spec) + 12 + 2 * 34 + 4] = {[4] = 3, [28] = sizeof(spec)};
	uint8_t *event = bytes + 32 + sizeof(spec);
	struct cvtpm_log log;
	size_t count;

	(void)state;
	memcpy(bytes + 32, spec, sizeof(spec)); /* the final zero is vendorInfoSize */
	event[0] = 8;
	event[4] = 13;
	event[8] = 2;
	event[12] = CVTPM_TPM_ALG_SHA256;
	event[46] = CVTPM_TPM_ALG_SM3_256;
	assert_int_equal(cvtpm_log_open_tcg(&log, bytes, sizeof(bytes)), 0);
	assert_int_equal(read_all(&log, &count, NULL), CVTPM_ERR_NOT_FOUND);
	assert_int_equal(count, 2);
	event[46] = CVTPM_TPM_ALG_SHA256;
	assert_int_equal(read_all(&log, &count, NULL), CVTPM_TPM_LOG_DIGESTS);
	event[12] = CVTPM_TPM_ALG_SM3_256; /* in the other order is fine */
	assert_int_equal(read_all(&log, &count, NULL), CVTPM_ERR_NOT_FOUND);
	bytes[64] = CVTPM_TPM_ALG_SHA256; /* and twice in the header is not */
	bytes[60] = CVTPM_TPM_ALG_SHA256;
	assert_int_equal(cvtpm_log_open_tcg(&log, bytes, sizeof(bytes)), CVTPM_TPM_LOG_HEADER);
}

static void a_separator_after_an_error_describes_itself_in_words(void **state)
{
	static const char words[] = "video failed";
	uint8_t bytes[32 + sizeof(words)] = {[0] = 5, [4] = 4, [28] = sizeof(words)};
	struct cvtpm_log log;
	struct cvtpm_log_event event;
	enum cvtpm_event_data outcome;

	(void)state;
	memcpy(bytes + 32, words, sizeof(words));
	assert_int_equal(EVP_Digest("\1\0\0", 4, bytes + 8, NULL, EVP_sha1(), NULL), 1);
	assert_int_equal(cvtpm_log_open_tcg(&log, bytes, sizeof(bytes)), 0);
	assert_int_equal(cvtpm_log_next(&log, &event), 0);
	assert_int_equal(cvtpm_log_check_data(&event, &outcome), 0);
	assert_int_equal(outcome, CVTPM_EVENT_DATA_NOT_HASHED);
	bytes[8] ^= 1;
	assert_int_equal(cvtpm_log_check_data(&event, &outcome), 0);
	assert_int_equal(outcome, CVTPM_EVENT_DATA_DIFFERS);
}

static void a_second_log_cannot_set_the_locality_again(void **state)
{
	struct opened o;
	struct cvtpm_pcrs pcrs = {0};
	struct cvtpm_log_place where;

	(void)state;
	open_ours(&o, "agile.log");
	o.set.log[1] = &o.log;
	o.set.count = 2;
	assert_int_equal(cvtpm_pcrs_reset(&pcrs, CVTPM_TPM_ALG_SHA256), 0);
	assert_int_equal(cvtpm_log_replay(&o.set, &pcrs, &where), CVTPM_TPM_LOG_LOCALITY);
	assert_int_equal(where.log, 1);
	free(o.bytes.data);
}

/* ---- malformed IMA lists ---- */

static int read_text(const char *text)
{
	struct sample s = sample_copy((const uint8_t *)text, strlen(text));
	struct cvtpm_log log;
	size_t count;
	int rc = cvtpm_log_open_ima_ascii(&log, s.data, s.len);

	if (!rc)
		rc = read_all(&log, &count, NULL);
	free(s.data);
	return rc;
}

#define SHA1_TEXT "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void malformed_ima_lines_are_refused_by_name(void **state)
{
	(void)state;
	assert_int_equal(read_text(""), CVTPM_ERR_NOT_FOUND);
	assert_int_equal(read_text("10 " SHA1_TEXT " ima-ng sha1:00 /f\n"), CVTPM_ERR_NOT_FOUND);
	assert_int_equal(read_text(" 9 " SHA1_TEXT " ima-ng sha1:00 /f\n"), CVTPM_ERR_NOT_FOUND);
	assert_int_equal(read_text("10 " SHA1_TEXT " ima-ng sha1:00 /f"), CVTPM_TPM_LOG_TRUNCATED);
	assert_int_equal(read_text("\n"), CVTPM_TPM_IMA_LINE);
	assert_int_equal(read_text("24 " SHA1_TEXT " ima-ng sha1:00 /f\n"), CVTPM_TPM_LOG_PCR);
	assert_int_equal(read_text("1a " SHA1_TEXT " ima-ng sha1:00 /f\n"), CVTPM_TPM_IMA_LINE);
	assert_int_equal(read_text("100 " SHA1_TEXT " ima-ng sha1:00 /f\n"), CVTPM_TPM_IMA_LINE);
	assert_int_equal(read_text("10 " SHA1_TEXT "a ima-ng sha1:0 /f\n"), CVTPM_TPM_IMA_LINE);
	assert_int_equal(read_text("10 " SHA1_TEXT " ima-ng sha1:0 /f\n"), CVTPM_TPM_IMA_LINE);
	assert_int_equal(read_text("10 " SHA1_TEXT " ima-ng sha1:0G /f\n"), CVTPM_TPM_IMA_LINE);
	assert_int_equal(read_text("10 " SHA1_TEXT " ima-ng sha1 /f\n"), CVTPM_TPM_IMA_LINE);
	assert_int_equal(read_text("10 " SHA1_TEXT " ima-ng sha1:00\n"), CVTPM_TPM_IMA_LINE);
	assert_int_equal(read_text("10 " SHA1_TEXT " ima-sig sha1:00 /f\n"), CVTPM_TPM_IMA_LINE);
	assert_int_equal(read_text("10 " SHA1_TEXT " ima-sig sha1:00 /f 0x\n"), CVTPM_TPM_IMA_LINE);
	assert_int_equal(read_text("10 " SHA1_TEXT " ima-odd sha1:00 /f\n"),
			 CVTPM_TPM_IMA_TEMPLATE);
	assert_int_equal(read_text("10 " SHA1_TEXT " ima sha1 /f\n"), CVTPM_TPM_IMA_TEMPLATE);
}

/* ima.binary: pcr 0, digest 4, name length 24, "ima-ng" 28, data length 34, first field's length
 * 38, "sha256:\0" 42. */
static void malformed_binary_ima_entries_are_refused_by_name(void **state)
{
	struct cvtpm_log log;

	(void)state;
	assert_int_equal(read_changed("ima.binary", 0, 24, &log), CVTPM_TPM_LOG_PCR);
	assert_int_equal(read_changed("ima.binary", 24, 0, &log), CVTPM_TPM_IMA_LINE);
	assert_int_equal(read_changed("ima.binary", 27, 1, &log), CVTPM_TPM_LOG_TRUNCATED);
	assert_int_equal(read_changed("ima.binary", 37, 1, &log), CVTPM_TPM_LOG_TRUNCATED);
	assert_int_equal(read_changed("ima.binary", 38, 200, &log), CVTPM_TPM_IMA_LINE);
	assert_int_equal(read_changed("ima.binary", 48, '-', &log), CVTPM_TPM_IMA_LINE);
	/* Another template: its fields are not read, its digest still is of its data. */
	assert_int_equal(read_changed("ima.binary", 33, 'x', &log), CVTPM_ERR_NOT_FOUND);
}

/* ---- data beside digests ---- */

static void no_data_is_altered_in_good_logs(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++) {
		struct opened o;
		struct cvtpm_log_place where;

		open_ours(&o, forms[i].name);
		assert_int_equal(cvtpm_log_find_altered_data(&o.set, &where), 0);
		assert_int_equal(where.number, 0);
		free(o.bytes.data);
	}
}

/* Where the data of entry `number` starts. */
static size_t data_offset(const struct opened *o, size_t number, struct cvtpm_log_event *event)
{
	struct cvtpm_log at = o->log;

	for (size_t i = 0; i < number; i++)
		assert_int_equal(cvtpm_log_next(&at, event), 0);
	return (size_t)(event->data.data - o->bytes.data);
}

static void altered_data_names_its_entry(void **state)
{
	/* Entries whose digest is of the data; 5 is a boot variable, measured by its value. */
	static const size_t hashed[] = {3, 4, 5, 7, 8, 15};

	(void)state;
	for (size_t i = 0; i < COUNT(hashed); i++) {
		struct opened o;
		struct cvtpm_log_place where;
		struct cvtpm_log_event event;
		size_t at;

		open_ours(&o, "agile.log");
		at = data_offset(&o, hashed[i], &event) + event.data.len - 1;
		o.bytes.data[at] ^= 0x40;
		assert_int_equal(cvtpm_log_find_altered_data(&o.set, &where), 0);
		assert_int_equal(where.number, hashed[i]);
		assert_int_equal(where.offset, event.offset);
		free(o.bytes.data);
	}
}

static void a_remark_is_not_judged_by_its_digest(void **state)
{
	struct opened o;
	struct cvtpm_log_event event;
	enum cvtpm_event_data outcome;

	(void)state;
	open_ours(&o, "agile.log");
	data_offset(&o, 6, &event); /* the path of a driver */
	assert_int_equal(cvtpm_log_check_data(&event, &outcome), 0);
	assert_int_equal(outcome, CVTPM_EVENT_DATA_NOT_HASHED);
	free(o.bytes.data);
}

static void an_altered_ima_path_names_its_entry(void **state)
{
	static const char *const lists[] = {"ima.ascii", "ima.binary"};

	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		struct opened o;
		struct cvtpm_log_place where;
		struct cvtpm_log_event event;

		open_ours(&o, lists[i]);
		data_offset(&o, 4, &event);
		o.bytes.data[event.path.data - o.bytes.data + 1] = 'X';
		assert_int_equal(cvtpm_log_find_altered_data(&o.set, &where), 0);
		assert_int_equal(where.number, 4);
		free(o.bytes.data);
	}
}

/* ---- explanations ---- */

/* The value that the untouched log gives. */
static void quoted_value(const char *name, uint16_t alg, uint32_t pcr, uint8_t *value)
{
	struct cvtpm_pcrs pcrs = {0};
	struct opened o;

	open_ours(&o, name);
	assert_int_equal(cvtpm_pcrs_reset(&pcrs, alg), 0);
	assert_int_equal(cvtpm_log_replay(&o.set, &pcrs, NULL), 0);
	memcpy(value, pcrs.bank[0].value[pcr], 64);
	free(o.bytes.data);
}

static struct cvtpm_pcr_finding explain(const struct cvtpm_log_set *set, uint16_t alg, uint32_t pcr,
					const uint8_t *quoted)
{
	struct cvtpm_pcr_finding finding;

	assert_int_equal(cvtpm_pcr_explain(set, alg, pcr, quoted, &finding), 0);
	return finding;
}

static void every_pcr_of_a_good_log_matches(void **state)
{
	static const uint16_t algs[] = {CVTPM_TPM_ALG_SHA1, CVTPM_TPM_ALG_SHA256,
					CVTPM_TPM_ALG_SHA384};
	struct opened o;

	(void)state;
	open_ours(&o, "agile.log");
	for (size_t i = 0; i < COUNT(algs); i++) {
		for (uint32_t pcr = 0; pcr < CVTPM_PCR_COUNT; pcr++) {
			uint8_t quoted[64];
			struct cvtpm_pcr_finding finding;

			quoted_value("agile.log", algs[i], pcr, quoted);
			finding = explain(&o.set, algs[i], pcr, quoted);
			assert_int_equal(finding.outcome, CVTPM_PCR_MATCHES);
			assert_int_equal(finding.where.number, 0);
			assert_memory_equal(finding.replayed, quoted, finding.size);
		}
	}
	free(o.bytes.data);
}

static void a_bank_that_is_not_logged_cannot_be_told(void **state)
{
	struct opened o;
	uint8_t quoted[64] = {0};
	struct cvtpm_pcrs pcrs = {0};

	(void)state;
	open_ours(&o, "sha1.log");
	assert_int_equal(explain(&o.set, CVTPM_TPM_ALG_SHA256, 7, quoted).outcome,
			 CVTPM_PCR_NOT_LOGGED);
	assert_int_equal(cvtpm_pcrs_reset(&pcrs, CVTPM_TPM_ALG_SHA256), 0);
	assert_int_equal(cvtpm_log_replay(&o.set, &pcrs, NULL), 0);
	assert_int_equal(pcrs.bank[0].given & 0x3FF, 0); /* PCRs 0 to 9 are touched */
	assert_int_equal(pcrs.bank[0].given >> 10, 0x3FFF);
	free(o.bytes.data);
}

/* A copy of the log without some entry. */
static struct sample without(const char *name, size_t number)
{
	struct opened o;
	size_t offset, size;

	open_ours(&o, name);
	span_of(&o, number, &offset, &size);
	memmove(o.bytes.data + offset, o.bytes.data + offset + size, o.bytes.len - offset - size);
	o.bytes.len -= size;
	return o.bytes;
}

/* A copy in which entry `number` stands twice in a row. */
static struct sample doubled(const char *name, size_t number)
{
	struct opened o;
	size_t offset, size;

	open_ours(&o, name);
	span_of(&o, number, &offset, &size);
	o.bytes.data = realloc(o.bytes.data, o.bytes.len + size);
	memmove(o.bytes.data + offset + size, o.bytes.data + offset, o.bytes.len - offset);
	o.bytes.len += size;
	return o.bytes;
}

static struct cvtpm_pcr_finding explain_changed(const char *name, struct sample changed,
						uint16_t alg, uint32_t pcr)
{
	struct opened o;
	uint8_t quoted[64];
	struct cvtpm_pcr_finding finding;

	quoted_value(name, alg, pcr, quoted);
	open_bytes(&o, form_of(name), changed);
	finding = explain(&o.set, alg, pcr, quoted);
	free(changed.data);
	return finding;
}

/* PCR 4 has entries 7, 12 and 16; PCR 8 has 17 and 19. */
static void a_log_that_goes_on_names_the_first_entry_beyond_the_quote(void **state)
{
	struct cvtpm_pcr_finding finding;
	struct sample longer = doubled("agile.log", 19);

	(void)state;
	finding = explain_changed("agile.log", longer, CVTPM_TPM_ALG_SHA256, 8);
	assert_int_equal(finding.outcome, CVTPM_PCR_LOG_GOES_ON);
	assert_int_equal(finding.where.number, 20);
	assert_int_equal(finding.matching, 2);
	assert_int_equal(finding.entries, 3);
}

static void entries_for_an_untouched_pcr_go_beyond_the_quote_from_the_first(void **state)
{
	struct opened o;
	uint8_t zeros[64] = {0};
	struct cvtpm_pcr_finding finding;

	(void)state;
	open_ours(&o, "agile.log");
	finding = explain(&o.set, CVTPM_TPM_ALG_SHA256, 8, zeros);
	assert_int_equal(finding.outcome, CVTPM_PCR_LOG_GOES_ON);
	assert_int_equal(finding.where.number, 17);
	assert_int_equal(finding.matching, 0);
	free(o.bytes.data);
}

static void an_added_entry_is_named(void **state)
{
	struct cvtpm_pcr_finding finding;

	(void)state;
	finding = explain_changed("agile.log", doubled("agile.log", 7), CVTPM_TPM_ALG_SHA384, 4);
	assert_int_equal(finding.outcome, CVTPM_PCR_ENTRY_ADDED);
	assert_true(finding.where.number == 7 || finding.where.number == 8); /* they are equal */
}

static void an_entry_whose_digest_was_altered_is_named(void **state)
{
	struct sample s = ours("agile.log", "");
	struct opened o;
	struct cvtpm_log_event event;
	struct cvtpm_pcr_finding finding;

	(void)state;
	open_bytes(&o, form_of("agile.log"), sample_copy(s.data, s.len));
	data_offset(&o, 12, &event); /* separator of PCR 4, in the middle */
	s.data[event.bank[1].digest - o.bytes.data] ^= 1;
	free(o.bytes.data);
	finding = explain_changed("agile.log", s, CVTPM_TPM_ALG_SHA256, 4);
	assert_int_equal(finding.outcome, CVTPM_PCR_ENTRY_ALTERED);
	assert_int_equal(finding.where.number, 12);
}

static void several_altered_digests_name_the_first(void **state)
{
	struct sample s = ours("agile.log", "");
	struct opened o;
	struct cvtpm_log_event event;
	struct cvtpm_pcr_finding finding;

	(void)state;
	open_bytes(&o, form_of("agile.log"), sample_copy(s.data, s.len));
	data_offset(&o, 12, &event);
	s.data[event.bank[1].digest - o.bytes.data] ^= 1;
	data_offset(&o, 7, &event);
	s.data[event.bank[1].digest - o.bytes.data] ^= 1;
	free(o.bytes.data);
	finding = explain_changed("agile.log", s, CVTPM_TPM_ALG_SHA256, 4);
	assert_int_equal(finding.outcome, CVTPM_PCR_ENTRY_ALTERED);
	assert_int_equal(finding.where.number, 7);
}

static void exchanged_entries_are_named(void **state)
{
	struct opened o;
	size_t a, a_size, b, b_size;
	struct sample s = ours("ima.binary", "");
	struct cvtpm_pcr_finding finding;

	(void)state;
	open_bytes(&o, form_of("ima.binary"), sample_copy(s.data, s.len));
	span_of(&o, 3, &a, &a_size);
	span_of(&o, 4, &b, &b_size);
	memcpy(s.data + a, o.bytes.data + b, b_size);
	memcpy(s.data + a + b_size, o.bytes.data + a, a_size);
	free(o.bytes.data);
	finding = explain_changed("ima.binary", s, CVTPM_TPM_ALG_SHA256, 10);
	assert_int_equal(finding.outcome, CVTPM_PCR_ENTRIES_SWAPPED);
	assert_int_equal(finding.where.number, 3);
}

static void a_missing_entry_is_not_blamed_on_another(void **state)
{
	struct cvtpm_pcr_finding finding;

	(void)state;
	finding = explain_changed("agile.log", without("agile.log", 7), CVTPM_TPM_ALG_SHA256, 4);
	assert_int_equal(finding.outcome, CVTPM_PCR_LOG_INCOMPLETE);
	assert_int_equal(finding.where.number, 0);
	finding = explain_changed("ima.ascii", without("ima.ascii", 2), CVTPM_TPM_ALG_SHA256, 10);
	assert_int_equal(finding.outcome, CVTPM_PCR_LOG_INCOMPLETE);
	assert_int_equal(finding.where.number, 0);
}

static void altered_ima_fields_are_proven_by_the_listed_digest_or_suspected(void **state)
{
	struct cvtpm_pcr_finding finding;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct sample s = ours("ima.ascii", "");
		uint8_t *at = memmem(s.data, s.len, "/usr/bin/signed", 15);

		at[9] = 'S';
		finding = explain_changed("ima.ascii", s,
					  i ? CVTPM_TPM_ALG_SHA256 : CVTPM_TPM_ALG_SHA1, 10);
		assert_int_equal(finding.outcome,
				 i ? CVTPM_PCR_ENTRY_SUSPECTED : CVTPM_PCR_ENTRY_ALTERED);
		assert_int_equal(finding.where.number, 4);
	}
}

static void the_startup_locality_is_part_of_pcr_0(void **state)
{
	struct sample s = ours("agile.log", "");
	struct cvtpm_pcr_finding finding;

	(void)state;
	s.data[213] = 4;
	finding = explain_changed("agile.log", s, CVTPM_TPM_ALG_SHA256, 0);
	assert_int_equal(finding.outcome, CVTPM_PCR_LOG_INCOMPLETE);
	finding = explain_changed("agile.log", ours("agile.log", ""), CVTPM_TPM_ALG_SHA256, 0);
	assert_int_equal(finding.outcome, CVTPM_PCR_MATCHES);
}

static void two_logs_explain_their_pcrs_together(void **state)
{
	struct opened firmware, ima;
	struct sample expected = ours("ima.pcr10", "");
	uint8_t quoted[64];
	struct cvtpm_pcr_finding finding;

	(void)state;
	open_ours(&firmware, "agile.log");
	open_ours(&ima, "ima.ascii");
	firmware.set.log[1] = &ima.log;
	firmware.set.count = 2;
	quoted_value("agile.log", CVTPM_TPM_ALG_SHA256, 7, quoted);
	assert_int_equal(explain(&firmware.set, CVTPM_TPM_ALG_SHA256, 7, quoted).outcome,
			 CVTPM_PCR_MATCHES);
	finding = explain(&firmware.set, CVTPM_TPM_ALG_SHA256, 10, expected.data + 20);
	assert_int_equal(finding.outcome, CVTPM_PCR_MATCHES);
	memset(quoted, 0, sizeof(quoted));
	finding = explain(&firmware.set, CVTPM_TPM_ALG_SHA256, 10, quoted);
	assert_int_equal(finding.outcome, CVTPM_PCR_LOG_GOES_ON);
	assert_int_equal(finding.where.log, 1);
	assert_int_equal(finding.where.number, 1);
	free(expected.data);
	free(firmware.bytes.data);
	free(ima.bytes.data);
}

static void a_malformed_log_is_reported_with_its_place(void **state)
{
	struct opened o;
	struct cvtpm_pcr_finding finding;
	uint8_t quoted[64] = {0};
	size_t offset, size;

	(void)state;
	open_ours(&o, "agile.log");
	span_of(&o, 6, &offset, &size);
	o.bytes.data[offset] = 99;
	assert_int_equal(cvtpm_pcr_explain(&o.set, CVTPM_TPM_ALG_SHA256, 7, quoted, &finding),
			 CVTPM_TPM_LOG_PCR);
	assert_int_equal(finding.where.number, 6);
	assert_int_equal(finding.where.offset, offset);
	free(o.bytes.data);
}

/* More entries than single changes are tried for: prefixes are still found. */
static void long_logs_are_explained_as_far_as_is_honest(void **state)
{
	enum { ENTRIES = CVTPM_PCR_EXPLAIN_MAX + 44 };
	static const char line[] = "10 " SHA1_TEXT " ima-ng sha1:00 /f\n";
	const size_t size = sizeof(line) - 1;
	struct sample s = {.data = malloc(size * ENTRIES), .len = size * ENTRIES};
	struct cvtpm_pcrs pcrs = {0};
	struct opened o;
	struct cvtpm_pcr_finding finding;

	(void)state;
	for (size_t i = 0; i < ENTRIES; i++)
		memcpy(s.data + i * size, line, size);
	s.len -= size;
	open_bytes(&o, form_of("ima.ascii"), s);
	assert_int_equal(cvtpm_pcrs_reset(&pcrs, CVTPM_TPM_ALG_SHA256), 0);
	assert_int_equal(cvtpm_log_replay(&o.set, &pcrs, NULL), 0);
	s.len += size;
	open_bytes(&o, form_of("ima.ascii"), s);
	finding = explain(&o.set, CVTPM_TPM_ALG_SHA256, 10, pcrs.bank[0].value[10]);
	assert_int_equal(finding.outcome, CVTPM_PCR_LOG_GOES_ON);
	assert_int_equal(finding.where.number, ENTRIES);
	pcrs.bank[0].value[10][0] ^= 1;
	finding = explain(&o.set, CVTPM_TPM_ALG_SHA256, 10, pcrs.bank[0].value[10]);
	assert_int_equal(finding.outcome, CVTPM_PCR_ENTRY_SUSPECTED); /* listed digests are wrong */
	assert_int_equal(finding.where.number, 1);
	assert_int_equal(finding.entries, ENTRIES);
	free(s.data);
}

/* ---- beside a log that is known to be good ---- */

static void a_reference_shows_where_a_log_departs(void **state)
{
	struct opened good, other;
	struct cvtpm_log_place where, in_reference;

	(void)state;
	open_ours(&good, "agile.log");
	open_ours(&other, "agile.log");
	assert_int_equal(cvtpm_log_find_departure(&other.log, &good.log, CVTPM_TPM_ALG_SHA256,
						  0xFFFFFF, &where, &in_reference),
			 0);
	assert_int_equal(where.number, 0);
	assert_int_equal(in_reference.number, 0);
	free(other.bytes.data);

	open_bytes(&other, form_of("agile.log"), without("agile.log", 7));
	assert_int_equal(cvtpm_log_find_departure(&other.log, &good.log, CVTPM_TPM_ALG_SHA256,
						  0xFFFFFF, &where, &in_reference),
			 0);
	assert_int_equal(where.number, 7);
	assert_int_equal(in_reference.number, 7);
	/* Not among these PCRs. */
	assert_int_equal(cvtpm_log_find_departure(&other.log, &good.log, CVTPM_TPM_ALG_SHA256,
						  0x300, &where, &in_reference),
			 0);
	assert_int_equal(where.number, 0);
	free(other.bytes.data);

	open_bytes(&other, form_of("agile.log"), without("agile.log", 19));
	assert_int_equal(cvtpm_log_find_departure(&other.log, &good.log, CVTPM_TPM_ALG_SHA256,
						  0xFFFFFF, &where, &in_reference),
			 0);
	assert_int_equal(where.number, 0);
	assert_int_equal(in_reference.number, 19);
	free(other.bytes.data);
	free(good.bytes.data);
}

static void a_log_that_is_too_large_is_refused_unread(void **state)
{
	static const uint8_t byte;
	struct cvtpm_log log;

	(void)state;
	assert_int_equal(cvtpm_log_open_tcg(&log, &byte, CVTPM_LOG_MAX_SIZE + 1),
			 CVTPM_TPM_LOG_TOO_LARGE);
	assert_int_equal(cvtpm_log_open_ima_ascii(&log, &byte, CVTPM_LOG_MAX_SIZE + 1),
			 CVTPM_TPM_LOG_TOO_LARGE);
	assert_int_equal(open_ima_sha1(&log, &byte, CVTPM_LOG_MAX_SIZE + 1),
			 CVTPM_TPM_LOG_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logs_of_every_format_are_read_to_the_end),
		cmocka_unit_test(a_tcg_log_gives_the_pcrs_of_every_bank),
		cmocka_unit_test(an_ima_list_gives_pcr_10_of_every_bank),
		cmocka_unit_test(every_truncation_is_refused_or_shows),
		cmocka_unit_test(every_flipped_bit_is_survived),
		cmocka_unit_test(what_a_tcg_entry_says_is_read),
		cmocka_unit_test(an_entry_with_hostile_text_is_given_with_its_length),
		cmocka_unit_test(paths_with_spaces_and_signatures_are_told_apart),
		cmocka_unit_test(malformed_tcg_logs_are_refused_by_name),
		cmocka_unit_test(a_startup_locality_after_pcr_0_or_twice_is_refused),
		cmocka_unit_test(a_startup_locality_alone_must_still_come_first),
		cmocka_unit_test(each_announced_digest_comes_exactly_once),
		cmocka_unit_test(a_separator_after_an_error_describes_itself_in_words),
		cmocka_unit_test(a_second_log_cannot_set_the_locality_again),
		cmocka_unit_test(malformed_ima_lines_are_refused_by_name),
		cmocka_unit_test(malformed_binary_ima_entries_are_refused_by_name),
		cmocka_unit_test(no_data_is_altered_in_good_logs),
		cmocka_unit_test(altered_data_names_its_entry),
		cmocka_unit_test(a_remark_is_not_judged_by_its_digest),
		cmocka_unit_test(an_altered_ima_path_names_its_entry),
		cmocka_unit_test(every_pcr_of_a_good_log_matches),
		cmocka_unit_test(a_bank_that_is_not_logged_cannot_be_told),
		cmocka_unit_test(a_log_that_goes_on_names_the_first_entry_beyond_the_quote),
		cmocka_unit_test(entries_for_an_untouched_pcr_go_beyond_the_quote_from_the_first),
		cmocka_unit_test(an_added_entry_is_named),
		cmocka_unit_test(an_entry_whose_digest_was_altered_is_named),
		cmocka_unit_test(several_altered_digests_name_the_first),
		cmocka_unit_test(exchanged_entries_are_named),
		cmocka_unit_test(a_missing_entry_is_not_blamed_on_another),
		cmocka_unit_test(altered_ima_fields_are_proven_by_the_listed_digest_or_suspected),
		cmocka_unit_test(the_startup_locality_is_part_of_pcr_0),
		cmocka_unit_test(two_logs_explain_their_pcrs_together),
		cmocka_unit_test(a_malformed_log_is_reported_with_its_place),
		cmocka_unit_test(long_logs_are_explained_as_far_as_is_honest),
		cmocka_unit_test(a_reference_shows_where_a_log_departs),
		cmocka_unit_test(a_log_that_is_too_large_is_refused_unread),
	};

	return cmocka_run_group_tests_name("event log", tests, NULL, NULL);
}
