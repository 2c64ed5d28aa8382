/*
 * The stream protocols' parsers on hostile bytes, cut at any place: byte 0
 * chooses the protocol. What a parser calls whole must lie within the input,
 * and no shorter prefix may have been called whole before.
 */
#include "host/frame.h"
#include "serve/control_protocol.h"
#include "serve/envelope.h"
#include "serve/mssim_protocol.h"

#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void raw(const uint8_t *in, size_t len)
{
	size_t command = 0, before = 0;

	if (frame_look(in, len, 4096, &command) != FRAME_WHOLE)
		return;
	CHECK(command >= FRAME_HEADER_SIZE && command <= 4096 && command <= len);
	CHECK(frame_look(in, command - 1, 4096, &before) == FRAME_MORE);
}

static void mssim(enum mssim_port port, const uint8_t *in, size_t len)
{
	struct mssim_request request, before;

	if (mssim_look(port, in, len, 4096, &request) != MSSIM_WHOLE)
		return;
	CHECK(request.used >= 4 && request.used <= len);
	CHECK(request.data_len <= 4096);
	CHECK(request.data_len == 0 || request.data + request.data_len == in + request.used);
	CHECK(mssim_look(port, in, request.used - 1, 4096, &before) == MSSIM_MORE);
	CHECK(mssim_name(request.number)[0] != '?');
}

/* It decrypts in place; no input can guess the tag. */
static void sealed(const uint8_t *in, size_t len)
{
	static const uint8_t key[ENVELOPE_KEY_SIZE];
	uint8_t *copy = malloc(len ? len : 1);
	const uint8_t *payload;
	size_t payload_len;
	const char *why;

	CHECK(copy);
	if (len)
		memcpy(copy, in, len);
	CHECK(envelope_unseal(copy, len, CVTPM_BLOB_PERMANENT, "libtpms", key, &payload,
			      &payload_len, &why) < 0);
	free(copy);
}

static void control(const uint8_t *in, size_t len)
{
	struct control_request request, before;
	const uint8_t *payload;
	size_t payload_len;
	const char *why;

	if (envelope_open(in, len, CVTPM_BLOB_PERMANENT, "libtpms", &payload, &payload_len, &why) ==
	    0)
		CHECK(payload_len + ENVELOPE_OVERHEAD == len);
	sealed(in, len);
	if (control_look(in, len, &request) != CONTROL_WHOLE)
		return;
	CHECK(request.used >= 4 && request.used <= len);
	CHECK(request.stream <= CONTROL_BLOB_MAX);
	CHECK(control_name(request.number)[0] != '?');
	/* A locality is whole at its first byte already. */
	if (request.number != CONTROL_SET_LOCALITY &&
	    request.number != CONTROL_RESET_TPMESTABLISHED)
		CHECK(control_look(in, request.used - 1, &before) == CONTROL_MORE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] >= 0xC0) /* the seeds of the others are below */
		control(data + 1, size - 1);
	else if (data[0] % 3 == 0)
		raw(data + 1, size - 1);
	else
		mssim(data[0] % 3 == 1 ? MSSIM_COMMAND_PORT : MSSIM_PLATFORM_PORT, data + 1,
		      size - 1);
	return 0;
}
