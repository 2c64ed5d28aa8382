#include "serve/mssim_protocol.h"

#include "host/frame.h"

enum mssim_shape {
	SHAPE_PLAIN,   /* the number alone */
	SHAPE_VALUE,   /* and a u32 */
	SHAPE_COMMAND, /* locality u8, size u32, bytes */
	SHAPE_STREAM,  /* size u32, bytes that are taken as they come */
};

struct mssim_row {
	enum mssim_number number;
	unsigned ports;
	enum mssim_shape shape;
	const char *name;
};

#define T MSSIM_COMMAND_PORT
#define P MSSIM_PLATFORM_PORT

static const struct mssim_row mssim_rows[] = {
	{MSSIM_SIGNAL_POWER_ON, P, SHAPE_PLAIN, "SIGNAL_POWER_ON"},
	{MSSIM_SIGNAL_POWER_OFF, P, SHAPE_PLAIN, "SIGNAL_POWER_OFF"},
	{MSSIM_SIGNAL_PHYS_PRES_ON, P, SHAPE_PLAIN, "SIGNAL_PHYS_PRES_ON"},
	{MSSIM_SIGNAL_PHYS_PRES_OFF, P, SHAPE_PLAIN, "SIGNAL_PHYS_PRES_OFF"},
	{MSSIM_SIGNAL_HASH_START, T, SHAPE_PLAIN, "SIGNAL_HASH_START"},
	{MSSIM_SIGNAL_HASH_DATA, T, SHAPE_STREAM, "SIGNAL_HASH_DATA"},
	{MSSIM_SIGNAL_HASH_END, T, SHAPE_PLAIN, "SIGNAL_HASH_END"},
	{MSSIM_SEND_COMMAND, T, SHAPE_COMMAND, "SEND_COMMAND"},
	{MSSIM_SIGNAL_CANCEL_ON, P, SHAPE_PLAIN, "SIGNAL_CANCEL_ON"},
	{MSSIM_SIGNAL_CANCEL_OFF, P, SHAPE_PLAIN, "SIGNAL_CANCEL_OFF"},
	{MSSIM_SIGNAL_NV_ON, P, SHAPE_PLAIN, "SIGNAL_NV_ON"},
	{MSSIM_SIGNAL_NV_OFF, P, SHAPE_PLAIN, "SIGNAL_NV_OFF"},
	{MSSIM_SIGNAL_KEY_CACHE_ON, P, SHAPE_PLAIN, "SIGNAL_KEY_CACHE_ON"},
	{MSSIM_SIGNAL_KEY_CACHE_OFF, P, SHAPE_PLAIN, "SIGNAL_KEY_CACHE_OFF"},
	{MSSIM_REMOTE_HANDSHAKE, T, SHAPE_VALUE, "REMOTE_HANDSHAKE"},
	{MSSIM_SET_ALTERNATIVE_RESULT, T, SHAPE_VALUE, "SET_ALTERNATIVE_RESULT"},
	{MSSIM_SIGNAL_RESET, P, SHAPE_PLAIN, "SIGNAL_RESET"},
	{MSSIM_SIGNAL_RESTART, P, SHAPE_PLAIN, "SIGNAL_RESTART"},
	{MSSIM_SESSION_END, T | P, SHAPE_PLAIN, "SESSION_END"},
	{MSSIM_STOP, T | P, SHAPE_PLAIN, "STOP"},
	{MSSIM_GET_COMMAND_RESPONSE_SIZES, P, SHAPE_PLAIN, "GET_COMMAND_RESPONSE_SIZES"},
	{MSSIM_ACT_GET_SIGNALED, P, SHAPE_VALUE, "ACT_GET_SIGNALED"},
	{MSSIM_TEST_FAILURE_MODE, P, SHAPE_PLAIN, "TEST_FAILURE_MODE"},
	{MSSIM_SET_FW_HASH, P, SHAPE_VALUE, "SET_FW_HASH"},
	{MSSIM_SET_FW_SVN, P, SHAPE_VALUE, "SET_FW_SVN"},
};

static const struct mssim_row *mssim_find(uint32_t number)
{
	for (size_t i = 0; i < sizeof mssim_rows / sizeof mssim_rows[0]; i++)
		if (mssim_rows[i].number == number)
			return &mssim_rows[i];
	return NULL;
}

const char *mssim_name(uint32_t number)
{
	const struct mssim_row *row = mssim_find(number);

	return row ? row->name : "?";
}

bool mssim_ends_what_is_loaded(uint32_t number)
{
	return number == MSSIM_SIGNAL_POWER_ON || number == MSSIM_SIGNAL_POWER_OFF ||
	       number == MSSIM_SIGNAL_RESET || number == MSSIM_SIGNAL_RESTART;
}

static enum mssim_kind look_command(const uint8_t *in, size_t len, size_t max_command,
				    struct mssim_request *request)
{
	if (len < MSSIM_COMMAND_PREFIX)
		return MSSIM_MORE;
	const size_t size = frame_get_u32(in + 5);

	if (size > max_command)
		return MSSIM_TOO_BIG;
	if (len - MSSIM_COMMAND_PREFIX < size)
		return MSSIM_MORE;
	request->locality = in[4];
	request->data = in + MSSIM_COMMAND_PREFIX;
	request->data_len = size;
	request->used = MSSIM_COMMAND_PREFIX + size;
	return MSSIM_WHOLE;
}

static enum mssim_kind look_value(const uint8_t *in, size_t len, struct mssim_request *request)
{
	if (len < 8)
		return MSSIM_MORE;
	request->value = frame_get_u32(in + 4);
	request->used = 8;
	return MSSIM_WHOLE;
}

enum mssim_kind mssim_look(enum mssim_port port, const uint8_t *in, size_t len, size_t max_command,
			   struct mssim_request *request)
{
	if (len < 4)
		return MSSIM_MORE;
	const struct mssim_row *row = mssim_find(frame_get_u32(in));

	if (!row || !(row->ports & (unsigned)port))
		return MSSIM_UNKNOWN;
	*request = (struct mssim_request){.number = row->number, .used = 4};

	switch (row->shape) {
	case SHAPE_COMMAND:
		return look_command(in, len, max_command, request);
	case SHAPE_VALUE:
		return look_value(in, len, request);
	case SHAPE_STREAM:
		if (look_value(in, len, request) == MSSIM_MORE)
			return MSSIM_MORE;
		return request->value > MSSIM_HASH_DATA_MAX ? MSSIM_TOO_BIG : MSSIM_WHOLE;
	case SHAPE_PLAIN:
		break;
	}
	return MSSIM_WHOLE;
}
