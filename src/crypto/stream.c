/* The deterministic stream: HMAC_DRBG of SP 800-90A, 10.1.2, with SHA-256. */
#include "crypto/kdf.h"
#include "crypto/mem.h"
#include "cvtpm/err.h"

#define ALG CVTPM_SHA256

/* HMAC_DRBG_Update, 10.1.2.2, with the data in parts. */
static int update(struct cvtpm_stream *s, const struct cvtpm_octets *parts, size_t count)
{
	const uint8_t rounds = count ? 2 : 1;
	struct cvtpm_hmac hmac;
	int err = 0;

	for (uint8_t round = 0; !err && round < rounds; round++) {
		err = cvtpm_hmac_begin(&hmac, ALG, s->key, sizeof s->key);
		if (!err)
			err = cvtpm_hmac_update(&hmac, s->v, sizeof s->v);
		if (!err)
			err = cvtpm_hmac_update(&hmac, &round, 1);
		for (size_t i = 0; !err && i < count; i++)
			err = cvtpm_hmac_update(&hmac, parts[i].at, parts[i].len);
		if (!err)
			err = cvtpm_hmac_end(&hmac, s->key);
		if (!err)
			err = cvtpm_hmac_begin(&hmac, ALG, s->key, sizeof s->key);
		if (!err)
			err = cvtpm_hmac_update(&hmac, s->v, sizeof s->v);
		if (!err)
			err = cvtpm_hmac_end(&hmac, s->v);
	}
	cvtpm_wipe(&hmac, sizeof hmac);
	return err;
}

/* HMAC_DRBG_Generate, 10.1.2.5: one request for a block. */
static int next_block(struct cvtpm_stream *s)
{
	struct cvtpm_hmac keyed, hmac;
	int err = cvtpm_hmac_begin(&keyed, ALG, s->key, sizeof s->key);

	for (size_t done = 0; !err && done < sizeof s->block; done += sizeof s->v) {
		hmac = keyed;
		err = cvtpm_hmac_update(&hmac, s->v, sizeof s->v);
		if (!err)
			err = cvtpm_hmac_end(&hmac, s->v);
		if (!err)
			memcpy(s->block + done, s->v, sizeof s->v);
	}
	cvtpm_wipe(&keyed, sizeof keyed);
	cvtpm_wipe(&hmac, sizeof hmac);
	s->used = 0;
	return err ? err : update(s, NULL, 0);
}

int cvtpm_stream_begin(struct cvtpm_stream *stream, unsigned version, struct cvtpm_octets seed,
		       struct cvtpm_octets label, struct cvtpm_octets context)
{
	const uint8_t head[4] = {0, (uint8_t)version, (uint8_t)(label.len >> 8),
				 (uint8_t)label.len};
	const struct cvtpm_octets parts[] = {seed, {head, sizeof head}, label, context};

	memset(stream, 0, sizeof *stream);
	if (version != CVTPM_STREAM_VERSION)
		return CVTPM_ERR_UNSUPPORTED;
	if (label.len > UINT16_MAX)
		return CVTPM_ERR_SIZE;
	memset(stream->v, 1, sizeof stream->v);
	stream->used = sizeof stream->block;
	return update(stream, parts, sizeof parts / sizeof *parts);
}

int cvtpm_stream_bytes(struct cvtpm_stream *stream, uint8_t *out, size_t len)
{
	for (size_t part; len; out += part, len -= part) {
		if (stream->used == sizeof stream->block)
			CVTPM_TRY(next_block(stream));
		part = sizeof stream->block - stream->used;
		if (part > len)
			part = len;
		memcpy(out, stream->block + stream->used, part);
		stream->used += (uint32_t)part;
	}
	return 0;
}

static int from_stream(void *stream, uint8_t *out, size_t len)
{
	return cvtpm_stream_bytes(stream, out, len);
}

struct cvtpm_source cvtpm_stream_source(struct cvtpm_stream *stream)
{
	return (struct cvtpm_source){from_stream, stream};
}
