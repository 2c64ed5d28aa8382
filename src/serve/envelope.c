#include "serve/envelope.h"

#include "crypto/crypto.h"
#include "cvtpm/err.h"
#include "host/frame.h"

#include <string.h>

#define ENGINE_NAME_SIZE 16

static const uint8_t magic[8] = {'c', 'v', 't', 'p', 'm', 'S', 'T', 'A'};

static void put_header(uint8_t header[ENVELOPE_HEADER_SIZE], uint32_t version, size_t len,
		       enum cvtpm_blob kind, const char *engine)
{
	const size_t name_len = strlen(engine);

	memset(header, 0, ENVELOPE_HEADER_SIZE);
	memcpy(header, magic, sizeof magic);
	frame_put_u32(header + 8, version);
	frame_put_u32(header + 12, (uint32_t)kind);
	memcpy(header + 16, engine, name_len < ENGINE_NAME_SIZE ? name_len : ENGINE_NAME_SIZE);
	frame_put_u32(header + 32, (uint32_t)len);
}

int envelope_close(uint8_t *out, size_t len, enum cvtpm_blob kind, const char *engine)
{
	put_header(out, ENVELOPE_VERSION, len, kind, engine);
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
	if (frame_get_u32(in + 8) == ENVELOPE_VERSION_SEALED)
		return refuse(CVTPM_ERR_AUTH, "it is encrypted, and there is no migration key",
			      why);
	if (frame_get_u32(in + 8) != ENVELOPE_VERSION)
		return refuse(CVTPM_ERR_UNSUPPORTED, "it is of another version of cvtpm", why);
	const size_t inside = len - ENVELOPE_OVERHEAD;

	if (frame_get_u32(in + 32) != inside)
		return refuse(CVTPM_ERR_FORMAT, "it is cut off, or longer than it says", why);
	if (cvtpm_hash(CVTPM_SHA256, in, ENVELOPE_HEADER_SIZE + inside, digest) < 0)
		return refuse(CVTPM_ERR_CRYPTO, "its digest cannot be computed", why);
	if (!cvtpm_equal(digest, in + ENVELOPE_HEADER_SIZE + inside, sizeof digest))
		return refuse(CVTPM_ERR_AUTH, "it was altered: its digest does not match", why);
	put_header(header, ENVELOPE_VERSION, inside, kind, engine);
	if (memcmp(header, in, sizeof header) != 0)
		return refuse(CVTPM_ERR_FORMAT, "it is another kind of state, or another engine's",
			      why);
	*payload = in + ENVELOPE_HEADER_SIZE;
	*payload_len = inside;
	*why = "";
	return 0;
}

/* ---- sealed ---- */

/* The salt makes the key new for each blob, so that the IV may stand still. */
static int blob_key(const uint8_t key[ENVELOPE_KEY_SIZE], const uint8_t salt[ENVELOPE_SALT_SIZE],
		    uint8_t out[32])
{
	static const char label[] = "cvtpm state blob";

	return cvtpm_hkdf(CVTPM_SHA256, key, ENVELOPE_KEY_SIZE, salt, ENVELOPE_SALT_SIZE,
			  (const uint8_t *)label, sizeof label - 1, out, 32);
}

int envelope_seal(uint8_t *out, size_t len, enum cvtpm_blob kind, const char *engine,
		  const uint8_t key[ENVELOPE_KEY_SIZE], const struct cvtpm_platform *platform)
{
	static const uint8_t iv[12];
	uint8_t *salt = out + ENVELOPE_HEADER_SIZE, *payload = out + ENVELOPE_SEALED_BEFORE;
	uint8_t once[32];

	CVTPM_TRY(platform->entropy(platform->context, salt, ENVELOPE_SALT_SIZE));
	put_header(out, ENVELOPE_VERSION_SEALED, len, kind, engine);
	int err = blob_key(key, salt, once);

	if (err == 0)
		err = cvtpm_aes256gcm_seal(once, iv, out, ENVELOPE_HEADER_SIZE, payload, len,
					   payload, payload + len);
	cvtpm_wipe(once, sizeof once);
	return err;
}

int envelope_unseal(uint8_t *in, size_t len, enum cvtpm_blob kind, const char *engine,
		    const uint8_t key[ENVELOPE_KEY_SIZE], const uint8_t **payload,
		    size_t *payload_len, const char **why)
{
	static const uint8_t iv[12];
	uint8_t header[ENVELOPE_HEADER_SIZE], once[32];
	uint8_t *sealed = in + ENVELOPE_SEALED_BEFORE;

	if (len < ENVELOPE_OVERHEAD || memcmp(in, magic, sizeof magic) != 0)
		return refuse(CVTPM_ERR_FORMAT, "it is not a state blob of cvtpm", why);
	if (frame_get_u32(in + 8) == ENVELOPE_VERSION)
		return refuse(CVTPM_ERR_AUTH,
			      "it is not encrypted, and this TPM takes what is encrypted under its "
			      "migration key alone",
			      why);
	if (frame_get_u32(in + 8) != ENVELOPE_VERSION_SEALED)
		return refuse(CVTPM_ERR_UNSUPPORTED, "it is of another version of cvtpm", why);
	if (len < ENVELOPE_SEALED_OVERHEAD ||
	    frame_get_u32(in + 32) != len - ENVELOPE_SEALED_OVERHEAD)
		return refuse(CVTPM_ERR_FORMAT, "it is cut off, or longer than it says", why);
	const size_t inside = len - ENVELOPE_SEALED_OVERHEAD;

	put_header(header, ENVELOPE_VERSION_SEALED, inside, kind, engine);
	if (memcmp(header, in, sizeof header) != 0)
		return refuse(CVTPM_ERR_FORMAT, "it is another kind of state, or another engine's",
			      why);
	int err = blob_key(key, in + ENVELOPE_HEADER_SIZE, once);

	if (err == 0)
		err = cvtpm_aes256gcm_open(once, iv, header, sizeof header, sealed, inside,
					   sealed + inside, sealed);
	cvtpm_wipe(once, sizeof once);
	if (err < 0)
		return refuse(err, "it was altered, or the migration key is another one", why);
	*payload = sealed;
	*payload_len = inside;
	*why = "";
	return 0;
}
