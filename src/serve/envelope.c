#include "serve/envelope.h"

#include "crypto/crypto.h"
#include "cvtpm/err.h"
#include "serve/frame.h"

#include <string.h>

#define ENGINE_NAME_SIZE 16

static const uint8_t magic[8] = {'c', 'v', 't', 'p', 'm', 'S', 'T', 'A'};

static void put_header(uint8_t header[ENVELOPE_HEADER_SIZE], size_t len, enum cvtpm_blob kind,
		       const char *engine)
{
	const size_t name_len = strlen(engine);

	memset(header, 0, ENVELOPE_HEADER_SIZE);
	memcpy(header, magic, sizeof magic);
	frame_put_u32(header + 8, ENVELOPE_VERSION);
	frame_put_u32(header + 12, (uint32_t)kind);
	memcpy(header + 16, engine, name_len < ENGINE_NAME_SIZE ? name_len : ENGINE_NAME_SIZE);
	frame_put_u32(header + 32, (uint32_t)len);
}

int envelope_close(uint8_t *out, size_t len, enum cvtpm_blob kind, const char *engine)
{
	put_header(out, len, kind, engine);
	return cvtpm_hash(CVTPM_SHA256, out, ENVELOPE_HEADER_SIZE + len,
			  out + ENVELOPE_HEADER_SIZE + len);
}

static int refuse(int err, const char *text, const char **why)
{
	*why = text;
	return err;
}

int envelope_open(const uint8_t *in, size_t len, enum cvtpm_blob kind, const char *engine,
		  const uint8_t **payload, size_t *payload_len, const char **why)
{
	uint8_t header[ENVELOPE_HEADER_SIZE], digest[ENVELOPE_DIGEST_SIZE];

	if (len < ENVELOPE_OVERHEAD || memcmp(in, magic, sizeof magic) != 0)
		return refuse(CVTPM_ERR_FORMAT, "it is not a state blob of cvtpm", why);
	if (frame_get_u32(in + 8) != ENVELOPE_VERSION)
		return refuse(CVTPM_ERR_UNSUPPORTED, "it is of another version of cvtpm", why);
	const size_t inside = len - ENVELOPE_OVERHEAD;

	if (frame_get_u32(in + 32) != inside)
		return refuse(CVTPM_ERR_FORMAT, "it is cut off, or longer than it says", why);
	if (cvtpm_hash(CVTPM_SHA256, in, ENVELOPE_HEADER_SIZE + inside, digest) < 0)
		return refuse(CVTPM_ERR_CRYPTO, "its digest cannot be computed", why);
	if (!cvtpm_equal(digest, in + ENVELOPE_HEADER_SIZE + inside, sizeof digest))
		return refuse(CVTPM_ERR_AUTH, "it was altered: its digest does not match", why);
	put_header(header, inside, kind, engine);
	if (memcmp(header, in, sizeof header) != 0)
		return refuse(CVTPM_ERR_FORMAT, "it is another kind of state, or another engine's",
			      why);
	*payload = in + ENVELOPE_HEADER_SIZE;
	*payload_len = inside;
	*why = "";
	return 0;
}
