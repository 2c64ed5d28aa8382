#include "manufacture/der.h"

#include "cvtpm/err.h"

void der_start(struct der *d, uint8_t *bytes, size_t room)
{
	d->out = (struct octets){.bytes = bytes, .room = room};
	d->depth = 0;
}

int der_finish(const struct der *d)
{
	if (d->depth != 0)
		return CVTPM_ERR_PARAM;
	return octets_fit(&d->out) ? 0 : CVTPM_ERR_SIZE;
}

/* ---- identifier and length octets: X.690, 8.1.2, 8.1.3 and 10.1 ---- */

void der_begin(struct der *d, uint8_t tag)
{
	octets_put_byte(&d->out, tag);
	octets_put_byte(&d->out, 0); /* the length's first octet */
	/* Too deep counts on, never comes back to 0, and is told at the end. */
	if (d->depth < DER_DEPTH_MAX)
		d->open[d->depth] = d->out.len;
	d->depth++;
}

/* How many octets the long form takes after the first; 0 for the short form. */
static size_t long_form_octets(size_t len)
{
	size_t octets = 0;

	if (len < 0x80)
		return 0;
	for (; len != 0; len >>= 8)
		octets++;
	return octets;
}

void der_end(struct der *d)
{
	size_t at, len, more;

	if (d->depth == 0 || d->depth > DER_DEPTH_MAX) {
		d->depth = DER_DEPTH_MAX + 1;
		return;
	}
	at = d->open[--d->depth];
	len = d->out.len - at;
	more = long_form_octets(len);
	octets_open_gap(&d->out, at, more);
	if (!octets_fit(&d->out))
		return;
	d->out.bytes[at - 1] = (uint8_t)(more == 0 ? len : 0x80 | more);
	for (size_t i = 0; i < more; i++)
		d->out.bytes[at + i] = (uint8_t)(len >> 8 * (more - 1 - i));
}

void der_begin_bits(struct der *d)
{
	der_begin(d, DER_BIT_STRING);
	octets_put_byte(&d->out, 0); /* no unused bits */
}

void der_element(struct der *d, uint8_t tag, const void *contents, size_t len)
{
	der_begin(d, tag);
	octets_put(&d->out, contents, len);
	der_end(d);
}

void der_raw(struct der *d, const void *der, size_t len)
{
	octets_put(&d->out, der, len);
}

/* ---- values ---- */

void der_true(struct der *d)
{
	der_element(d, DER_BOOLEAN, &(uint8_t){0xff}, 1); /* 11.1 */
}

void der_null(struct der *d)
{
	der_element(d, DER_NULL, NULL, 0);
}

void der_uint(struct der *d, uint64_t number)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(number >> (56 - 8 * i));
	der_integer(d, bytes, sizeof bytes);
}

/* 8.3: two's complement in as few octets as will do. */
void der_integer(struct der *d, const uint8_t *number, size_t len)
{
	while (len > 0 && *number == 0) {
		number++;
		len--;
	}
	der_begin(d, DER_INTEGER);
	if (len == 0 || *number & 0x80)
		octets_put_byte(&d->out, 0);
	octets_put(&d->out, number, len);
	der_end(d);
}

/* 11.2.2: no trailing zero bits. Bit 0 is the first octet's highest. */
void der_named_bits(struct der *d, uint16_t bits)
{
	uint8_t contents[3] = {0};
	size_t len = 1;

	for (unsigned bit = 0; bit < 16; bit++) {
		if ((bits >> bit & 1) == 0)
			continue;
		len = 2 + bit / 8;
		contents[0] = (uint8_t)(7 - bit % 8);
		contents[1 + bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	}
	der_element(d, DER_BIT_STRING, contents, len);
}

/* A subidentifier in base 128, high bit set in all octets but the last: 8.19.2. */
static void put_subidentifier(struct octets *out, uint32_t number)
{
	for (unsigned shift = 28; shift > 0; shift -= 7) {
		if (number >> shift != 0)
			octets_put_byte(out, (uint8_t)(0x80 | (number >> shift & 0x7f)));
	}
	octets_put_byte(out, (uint8_t)(number & 0x7f));
}

void der_oid(struct der *d, const char *dotted)
{
	uint32_t arc = 0, first = 0;
	unsigned arcs = 0;

	der_begin(d, DER_OID);
	for (const char *c = dotted;; c++) {
		if (*c >= '0' && *c <= '9') {
			arc = arc * 10 + (uint32_t)(*c - '0');
			continue;
		}
		/* The first two arcs share a subidentifier: 8.19.4. */
		if (arcs == 0)
			first = arc;
		else
			put_subidentifier(&d->out, arcs == 1 ? first * 40 + arc : arc);
		arcs++;
		arc = 0;
		if (*c == '\0')
			break;
	}
	der_end(d);
}

void der_utf8(struct der *d, const char *text)
{
	der_element(d, DER_UTF8_STRING, text, octets_text_len(text));
}

/* ---- time ---- */

struct date {
	uint64_t year;
	unsigned month, day;
};

/* The day of the proleptic Gregorian calendar, `days` after 1970-01-01. */
static struct date date_of(uint64_t days)
{
	static const uint8_t month_days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	struct date date = {.year = 1970, .month = 1};

	for (;; date.year++) {
		bool leap = date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0);
		uint64_t year_days = leap ? 366 : 365;

		if (days >= year_days) {
			days -= year_days;
			continue;
		}
		for (unsigned m = 0; m < 12; m++, date.month++) {
			uint64_t length = month_days[m] + (leap && m == 1 ? 1u : 0u);

			if (days < length)
				break;
			days -= length;
		}
		date.day = (unsigned)days + 1;
		return date;
	}
}

static void put_decimal(struct octets *out, uint64_t number, unsigned digits)
{
	uint64_t divisor = 1;

	while (--digits > 0)
		divisor *= 10;
	for (; divisor > 0; divisor /= 10)
		octets_put_byte(out, (uint8_t)('0' + number / divisor % 10));
}

/* YYYYMMDDHHMMSSZ, or with two digits for the year. */
static void write_time(struct der *d, uint8_t tag, uint64_t seconds)
{
	struct date date = date_of(seconds / 86400);
	uint64_t second = seconds % 86400;

	der_begin(d, tag);
	put_decimal(&d->out, date.year, tag == DER_UTC_TIME ? 2 : 4);
	put_decimal(&d->out, date.month, 2);
	put_decimal(&d->out, date.day, 2);
	put_decimal(&d->out, second / 3600, 2);
	put_decimal(&d->out, second / 60 % 60, 2);
	put_decimal(&d->out, second % 60, 2);
	octets_put_byte(&d->out, 'Z');
	der_end(d);
}

void der_generalized_time(struct der *d, uint64_t seconds)
{
	write_time(d, DER_GENERALIZED_TIME, seconds);
}

void der_time(struct der *d, uint64_t seconds)
{
	const uint64_t year_2050 = 2524608000;

	write_time(d, seconds < year_2050 ? DER_UTC_TIME : DER_GENERALIZED_TIME, seconds);
}
