/*
 * What swtpm keeps: a TPM's permanent state in a file of its own, or as its
 * control channel gives it.
 *
 *     version 1, least version 1, header size 2, flags 2, total size 4    big-endian
 *     tag 2, size 4, bytes                                                one or more
 *
 * The bytes of a part "data" are the engine's; in what the control channel gives,
 * that part is inside a part "migration data". Encrypted ones are not taken.
 *
 * Facts: files of swtpm 0.7.1, and its src/swtpm/swtpm_nvstore.c and tlv.h.
 */
#include "cli/cli.h"
#include "cli/swtpm.h"
#include "host/frame.h"

#include <string.h>

#define HEADER_SIZE 10
#define PART_SIZE   6

#define FLAG_ENCRYPTED           0x01u
#define FLAG_MIGRATION_ENCRYPTED 0x02u
#define FLAG_MIGRATION_DATA      0x04u

#define TAG_DATA           1
#define TAG_MIGRATION_DATA 4

static unsigned get_u16(const uint8_t *in)
{
	return (unsigned)in[0] << 8 | in[1];
}

/* Finds the part `tag` among `*len` bytes at `*in`, and makes these its bytes. */
static bool part_open(unsigned tag, const uint8_t **in, size_t *len)
{
	const uint8_t *at = *in;
	size_t left = *len;

	while (left >= PART_SIZE) {
		const size_t size = frame_get_u32(at + 2);

		if (size > left - PART_SIZE)
			return false;
		if (get_u16(at) == tag) {
			*in = at + PART_SIZE;
			*len = size;
			return true;
		}
		at += PART_SIZE + size;
		left -= PART_SIZE + size;
	}
	return false;
}

const char *swtpm_foreign_open(const uint8_t *in, size_t len, const uint8_t **payload,
			       size_t *payload_len)
{
	if (len < HEADER_SIZE || in[1] > 2 || get_u16(in + 2) < HEADER_SIZE ||
	    get_u16(in + 2) > len || frame_get_u32(in + 6) != len)
		return "it is no state of swtpm's, or it is cut off";
	const unsigned flags = get_u16(in + 4);

	if (flags & (FLAG_ENCRYPTED | FLAG_MIGRATION_ENCRYPTED))
		return "it is encrypted: start swtpm with its key and without a migration key, "
		       "send INIT, and take what `swtpm_ioctl --save permanent FILE` writes";
	*payload = in + get_u16(in + 2);
	*payload_len = len - get_u16(in + 2);
	if ((flags & FLAG_MIGRATION_DATA) && !part_open(TAG_MIGRATION_DATA, payload, payload_len))
		return "it has no migration data";
	if (!part_open(TAG_DATA, payload, payload_len) || *payload_len == 0)
		return "it has no data";
	return NULL;
}
