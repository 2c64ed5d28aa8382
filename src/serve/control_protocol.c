#include "serve/control_protocol.h"

#include "host/frame.h"

enum control_shape {
	SHAPE_PLAIN,    /* the number alone */
	SHAPE_FLAGS,    /* and a u32 */
	SHAPE_VALUE,    /* and a u32 */
	SHAPE_LOCALITY, /* and a u8, perhaps padded */
	SHAPE_HASH,     /* and a u32, and so many bytes */
	SHAPE_GET_BLOB, /* flags, type, offset */
	SHAPE_SET_BLOB, /* flags, type, length, bytes */
	SHAPE_INFO,     /* flags u64, offset u32, padding u32 */
};

/* Bytes behind the number, without those that are taken as they come. */
static const size_t shape_size[] = {
	[SHAPE_PLAIN] = 0, [SHAPE_FLAGS] = 4,     [SHAPE_VALUE] = 4,     [SHAPE_LOCALITY] = 1,
	[SHAPE_HASH] = 4,  [SHAPE_GET_BLOB] = 12, [SHAPE_SET_BLOB] = 12, [SHAPE_INFO] = 16,
};

static const struct control_row {
	enum control_shape shape;
	const char *name;
} control_rows[] = {
	[CONTROL_GET_CAPABILITY] = {SHAPE_PLAIN, "GET_CAPABILITY"},
	[CONTROL_INIT] = {SHAPE_FLAGS, "INIT"},
	[CONTROL_SHUTDOWN] = {SHAPE_PLAIN, "SHUTDOWN"},
	[CONTROL_GET_TPMESTABLISHED] = {SHAPE_PLAIN, "GET_TPMESTABLISHED"},
	[CONTROL_SET_LOCALITY] = {SHAPE_LOCALITY, "SET_LOCALITY"},
	[CONTROL_HASH_START] = {SHAPE_PLAIN, "HASH_START"},
	[CONTROL_HASH_DATA] = {SHAPE_HASH, "HASH_DATA"},
	[CONTROL_HASH_END] = {SHAPE_PLAIN, "HASH_END"},
	[CONTROL_CANCEL_TPM_CMD] = {SHAPE_PLAIN, "CANCEL_TPM_CMD"},
	[CONTROL_STORE_VOLATILE] = {SHAPE_PLAIN, "STORE_VOLATILE"},
	[CONTROL_RESET_TPMESTABLISHED] = {SHAPE_LOCALITY, "RESET_TPMESTABLISHED"},
	[CONTROL_GET_STATEBLOB] = {SHAPE_GET_BLOB, "GET_STATEBLOB"},
	[CONTROL_SET_STATEBLOB] = {SHAPE_SET_BLOB, "SET_STATEBLOB"},
	[CONTROL_STOP] = {SHAPE_PLAIN, "STOP"},
	[CONTROL_GET_CONFIG] = {SHAPE_PLAIN, "GET_CONFIG"},
	[CONTROL_SET_DATAFD] = {SHAPE_PLAIN, "SET_DATAFD"},
	[CONTROL_SET_BUFFERSIZE] = {SHAPE_VALUE, "SET_BUFFERSIZE"},
	[CONTROL_GET_INFO] = {SHAPE_INFO, "GET_INFO"},
	[CONTROL_LOCK_STORAGE] = {SHAPE_VALUE, "LOCK_STORAGE"},
};

static const struct control_row *control_find(uint32_t number)
{
	if (number == 0 || number >= sizeof control_rows / sizeof control_rows[0])
		return NULL;
	return &control_rows[number];
}

const char *control_name(uint32_t number)
{
	const struct control_row *row = control_find(number);

	return row ? row->name : "?";
}

static enum control_kind check_stream(const struct control_request *request, uint32_t max)
{
	return request->stream > max ? CONTROL_TOO_BIG : CONTROL_WHOLE;
}

/* One byte, or four. Whoever waits for an answer has sent all of its request, so
 * that one byte, or four, with nothing behind are what they seem; with more behind,
 * control_padding tells. */
static enum control_kind look_locality(const uint8_t *in, size_t len,
				       struct control_request *request)
{
	const size_t more = len - 5;

	request->locality = in[4];
	if (more == 0) {
		request->may_pad = true;
		return CONTROL_WHOLE;
	}
	if (more < CONTROL_PADDING)
		return CONTROL_MORE;
	if (more == CONTROL_PADDING || control_padding(in + 5, more) == CONTROL_PADDING)
		request->used += CONTROL_PADDING;
	return CONTROL_WHOLE;
}

enum control_kind control_look(const uint8_t *in, size_t len, struct control_request *request)
{
	if (len < 4)
		return CONTROL_MORE;
	const uint32_t number = frame_get_u32(in);
	const struct control_row *row = control_find(number);

	if (!row)
		return CONTROL_UNKNOWN;
	const size_t size = 4 + shape_size[row->shape];

	if (len < size)
		return CONTROL_MORE;
	*request = (struct control_request){.number = (enum control_number)number, .used = size};
	switch (row->shape) {
	case SHAPE_PLAIN:
		break;
	case SHAPE_FLAGS:
		request->flags = frame_get_u32(in + 4);
		break;
	case SHAPE_VALUE:
		request->value = frame_get_u32(in + 4);
		break;
	case SHAPE_LOCALITY:
		return look_locality(in, len, request);
	case SHAPE_HASH:
		request->stream = frame_get_u32(in + 4);
		return check_stream(request, CONTROL_HASH_DATA_MAX);
	case SHAPE_GET_BLOB:
		request->flags = frame_get_u32(in + 4);
		request->type = frame_get_u32(in + 8);
		request->value = frame_get_u32(in + 12);
		break;
	case SHAPE_SET_BLOB:
		request->flags = frame_get_u32(in + 4);
		request->type = frame_get_u32(in + 8);
		request->stream = frame_get_u32(in + 12);
		return check_stream(request, CONTROL_BLOB_MAX);
	case SHAPE_INFO:
		request->flags = frame_get_u32(in + 8); /* the upper half has no meaning */
		request->value = frame_get_u32(in + 12);
		break;
	}
	return CONTROL_WHOLE;
}

/* Without padding a command number stands here: small, and not zero. */
int control_padding(const uint8_t *in, size_t len)
{
	if (len < 4)
		return -1;
	return frame_get_u32(in) >> 8 != 0 || in[3] == 0 ? CONTROL_PADDING : 0;
}
