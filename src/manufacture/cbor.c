#include "manufacture/cbor.h"

enum major_type { UNSIGNED = 0, BYTES = 2, TEXT = 3, ARRAY = 4, MAP = 5 };

/* Major type and argument: RFC 8949, 3, in the shortest form (4.2.1). */
static void put_head(struct octets *out, enum major_type type, uint64_t argument)
{
	unsigned first = (unsigned)type << 5, follow = 24, octets = 1;

	if (argument < 24) {
		octets_put_byte(out, (uint8_t)(first | argument));
		return;
	}
	/* 24, 25, 26, 27: one, two, four, eight octets follow. */
	for (; octets < 8 && argument >> 8 * octets != 0; octets *= 2)
		follow++;
	octets_put_byte(out, (uint8_t)(first | follow));
	while (octets-- > 0)
		octets_put_byte(out, (uint8_t)(argument >> 8 * octets));
}

void cbor_uint(struct octets *out, uint64_t number)
{
	put_head(out, UNSIGNED, number);
}

void cbor_bytes_head(struct octets *out, size_t len)
{
	put_head(out, BYTES, len);
}

void cbor_bytes(struct octets *out, const void *data, size_t len)
{
	cbor_bytes_head(out, len);
	octets_put(out, data, len);
}

void cbor_text(struct octets *out, const char *text)
{
	size_t len = octets_text_len(text);

	put_head(out, TEXT, len);
	octets_put(out, text, len);
}

void cbor_array(struct octets *out, size_t count)
{
	put_head(out, ARRAY, count);
}

void cbor_map(struct octets *out, size_t count)
{
	put_head(out, MAP, count);
}
