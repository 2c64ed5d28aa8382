#include "manufacture/octets.h"

#include "crypto/mem.h"

/* Counts `len` octets; true when they fit, at the offset that was the end. */
static bool octets_claim(struct octets *out, size_t len)
{
	out->len = len > SIZE_MAX - out->len ? SIZE_MAX : out->len + len;
	return octets_fit(out);
}

void octets_put(struct octets *out, const void *data, size_t len)
{
	size_t at = out->len;

	if (len != 0 && octets_claim(out, len))
		memcpy(out->bytes + at, data, len);
}

void octets_put_byte(struct octets *out, uint8_t byte)
{
	octets_put(out, &byte, 1);
}

void octets_open_gap(struct octets *out, size_t at, size_t len)
{
	size_t end = out->len;

	if (len != 0 && octets_claim(out, len))
		memmove(out->bytes + at + len, out->bytes + at, end - at);
}

bool octets_fit(const struct octets *out)
{
	return out->len <= out->room;
}

size_t octets_text_len(const char *text)
{
	size_t len = 0;

	while (text[len] != '\0')
		len++;
	return len;
}
