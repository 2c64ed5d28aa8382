#include "manufacture/record.h"

#include "cvtpm/err.h"
#include "manufacture/wire.h"

enum { FLAG_EVIDENCE = 1 << 0, FLAG_LAB = 1 << 1, FLAGS = FLAG_EVIDENCE | FLAG_LAB };

static void write_ek(struct wire_writer *w, const struct record_ek *made)
{
	wire_put(w, made->ek->kind, 2);
	wire_put_sized(w, made->name, made->name_len);
	wire_put(w, made->certificate_len, 2);
	wire_put_bytes(w, made->certificate_digest, sizeof made->certificate_digest);
}

size_t record_write(const struct record *record, uint8_t *out, size_t room)
{
	struct wire_writer w = {out, room};

	wire_put(&w, RECORD_VERSION, 2);
	wire_put(&w, (record->evidence ? FLAG_EVIDENCE : 0u) | (record->lab ? FLAG_LAB : 0u), 1);
	wire_put(&w, record->made, 8);
	wire_put_bytes(&w, record->measurement, sizeof record->measurement);
	wire_put(&w, record->count, 2);
	for (size_t i = 0; i < record->count; i++)
		write_ek(&w, &record->eks[i]);
	return w.full ? 0 : w.len;
}

/* The next `len` bytes into `to`; nothing when they are missing, which `r` remembers. */
static void take_into(struct wire_reader *r, uint8_t *to, size_t len)
{
	const uint8_t *bytes = wire_take_bytes(r, len);

	if (bytes)
		memcpy(to, bytes, len);
}

static int read_ek(struct wire_reader *r, struct record_ek *made)
{
	made->ek = cvtpm_ek_template_of((enum cvtpm_ek)wire_take(r, 2));
	made->name_len = (size_t)wire_take(r, 2);
	if (!made->ek || made->name_len > sizeof made->name)
		return CVTPM_ERR_FORMAT;
	take_into(r, made->name, made->name_len);
	made->certificate_len = (uint16_t)wire_take(r, 2);
	take_into(r, made->certificate_digest, sizeof made->certificate_digest);
	return r->bad ? CVTPM_ERR_FORMAT : 0;
}

int record_read(struct record *record, const uint8_t *bytes, size_t len)
{
	struct wire_reader r = {bytes, len};
	uint64_t flags;

	*record = (struct record){0};
	if (wire_take(&r, 2) != RECORD_VERSION)
		return CVTPM_ERR_FORMAT;
	flags = wire_take(&r, 1);
	if (flags & ~(uint64_t)FLAGS)
		return CVTPM_ERR_FORMAT;
	record->evidence = flags & FLAG_EVIDENCE;
	record->lab = flags & FLAG_LAB;
	record->made = wire_take(&r, 8);
	take_into(&r, record->measurement, sizeof record->measurement);
	record->count = (size_t)wire_take(&r, 2);
	if (record->count > CVTPM_EK_COUNT)
		return CVTPM_ERR_FORMAT;
	for (size_t i = 0; i < record->count; i++)
		CVTPM_TRY(read_ek(&r, &record->eks[i]));
	return wire_ended(&r) ? 0 : CVTPM_ERR_FORMAT;
}
