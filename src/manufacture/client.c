#include "manufacture/client.h"

#include "crypto/mem.h"
#include "cvtpm/err.h"
#include "manufacture/wire.h"

#define TPM_ST_NO_SESSIONS 0x8001u
#define TPM_ST_SESSIONS    0x8002u
#define TPM_RS_PW          0x40000009u
#define HEADER_SIZE        10u
#define CONTINUE_SESSION   0x01u
#define PCR_SELECT_SIZE    3u

void tpm_client_begin(struct tpm_client *client,
		      int (*execute)(void *context, const uint8_t *command, size_t command_len,
				     uint8_t *response, size_t *response_len),
		      void *context)
{
	memset(client, 0, sizeof *client);
	client->execute = execute;
	client->context = context;
}

static size_t number_size(uint8_t kind)
{
	switch (kind) {
	case TPM_FIELD_U8:
		return 1;
	case TPM_FIELD_U16:
		return 2;
	case TPM_FIELD_U32:
		return 4;
	case TPM_FIELD_U64:
		return 8;
	default:
		return 0;
	}
}

/* ---- the command ---- */

/* Puts a number of `size` bytes where room was left for it. */
static void put_at(struct wire_writer *w, size_t at, uint64_t number, size_t size)
{
	struct wire_writer gap = {w->bytes + at, size};

	if (!w->full)
		wire_put(&gap, number, size);
}

static void put_banks(struct wire_writer *w, const struct tpm_value *value)
{
	wire_put(w, value->len, 4);
	for (size_t i = 0; i < value->len; i++) {
		wire_put(w, value->banks[i].hash, 2);
		wire_put(w, PCR_SELECT_SIZE, 1);
		for (size_t byte = 0; byte < PCR_SELECT_SIZE; byte++)
			wire_put(w, value->banks[i].pcrs >> 8 * byte, 1);
	}
}

static void put_fields(struct wire_writer *w, const uint8_t *kinds, const struct tpm_value *value)
{
	size_t opened = 0;

	for (; *kinds != TPM_FIELD_END; kinds++) {
		switch (*kinds) {
		case TPM_FIELD_OPEN:
			opened = w->len;
			wire_put(w, 0, 2);
			continue;
		case TPM_FIELD_CLOSE:
			put_at(w, opened, w->len - opened - 2, 2);
			continue;
		case TPM_FIELD_SIZED:
			wire_put_sized(w, value->bytes, value->len);
			break;
		case TPM_FIELD_BYTES:
			wire_put_bytes(w, value->bytes, value->len);
			break;
		case TPM_FIELD_BANKS:
			put_banks(w, value);
			break;
		default:
			wire_put(w, value->number, number_size(*kinds));
			break;
		}
		value++;
	}
}

/* The authorisation area (Part 1, 18.6): its size, and a TPMS_AUTH_COMMAND each. */
static void put_auths(struct wire_writer *w, const struct tpm_client *client, size_t count)
{
	size_t at = w->len;

	wire_put(w, 0, 4);
	for (size_t i = 0; i < count; i++) {
		const struct tpm_auth *auth = &client->auth[i];

		wire_put(w, auth->session ? auth->session : TPM_RS_PW, 4);
		wire_put_sized(w, NULL, 0); /* nonce */
		wire_put(w, CONTINUE_SESSION, 1);
		wire_put_sized(w, auth->value, auth->len);
	}
	put_at(w, at, w->len - at - 4, 4);
}

static size_t put_command(struct tpm_client *client, const struct tpm_command *command,
			  const uint32_t *handles, const struct tpm_value *in)
{
	struct wire_writer w = {client->command, sizeof client->command};

	wire_put(&w, command->auths ? TPM_ST_SESSIONS : TPM_ST_NO_SESSIONS, 2);
	wire_put(&w, 0, 4);
	wire_put(&w, command->code, 4);
	for (size_t i = 0; i < command->handles; i++)
		wire_put(&w, handles[i], 4);
	if (command->auths)
		put_auths(&w, client, command->auths);
	put_fields(&w, command->in, in);
	put_at(&w, 2, w.len, 4);
	return w.full ? 0 : w.len;
}

/* ---- the response ---- */

static void take_fields(struct wire_reader *r, const uint8_t *kinds, struct tpm_value *value)
{
	struct wire_reader outer = {0};

	for (; *kinds != TPM_FIELD_END; kinds++) {
		switch (*kinds) {
		case TPM_FIELD_OPEN: {
			size_t len;
			const uint8_t *bytes = wire_take_sized(r, &len);

			outer = *r;
			*r = (struct wire_reader){bytes, len, r->bad};
			continue;
		}
		case TPM_FIELD_CLOSE:
			outer.bad |= !wire_ended(r);
			*r = outer;
			continue;
		case TPM_FIELD_SIZED:
			value->bytes = wire_take_sized(r, &value->len);
			break;
		case TPM_FIELD_BYTES:
			value->len = r->left;
			value->bytes = wire_take_bytes(r, r->left);
			break;
		default:
			value->number = wire_take(r, number_size(*kinds));
			break;
		}
		value++;
	}
}

/* The session area: a TPMS_AUTH_RESPONSE for each session, and nothing else. */
static bool auths_are_well_formed(struct wire_reader *r, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t len;

		wire_take_sized(r, &len); /* nonce */
		wire_take(r, 1);          /* attributes */
		wire_take_sized(r, &len); /* HMAC */
	}
	return wire_ended(r);
}

static int take_response(struct tpm_client *client, const struct tpm_command *command, size_t len,
			 uint32_t *handle, struct tpm_value *out)
{
	struct wire_reader r = {client->response, len}, parameters;
	uint64_t tag = wire_take(&r, 2), size = wire_take(&r, 4), rc = wire_take(&r, 4);
	uint32_t answered;

	if (r.bad || size != len)
		return CVTPM_ERR_FORMAT;
	client->rc = (uint32_t)rc;
	if (rc != 0)
		return tag == TPM_ST_NO_SESSIONS && len == HEADER_SIZE ? CVTPM_ERR_TPM
								       : CVTPM_ERR_FORMAT;
	if (tag != (command->auths ? TPM_ST_SESSIONS : TPM_ST_NO_SESSIONS))
		return CVTPM_ERR_FORMAT;

	answered = command->answers_handle ? (uint32_t)wire_take(&r, 4) : 0;
	parameters = r;
	if (command->auths) {
		size_t parameters_len = (size_t)wire_take(&r, 4);

		parameters = (struct wire_reader){r.bytes, parameters_len};
		wire_take_bytes(&r, parameters_len);
		if (!auths_are_well_formed(&r, command->auths))
			return CVTPM_ERR_FORMAT;
	}
	take_fields(&parameters, command->out, out);
	if (!wire_ended(&parameters))
		return CVTPM_ERR_FORMAT;
	if (handle)
		*handle = answered;
	return 0;
}

int tpm_call(struct tpm_client *client, const struct tpm_command *command, const uint32_t *handles,
	     const struct tpm_value *in, uint32_t *handle, struct tpm_value *out)
{
	size_t response_len = sizeof client->response;
	size_t len = put_command(client, command, handles, in);

	client->last = command;
	client->rc = 0;
	if (len == 0)
		return CVTPM_ERR_SIZE;
	CVTPM_TRY(client->execute(client->context, client->command, len, client->response,
				  &response_len));
	if (response_len > sizeof client->response)
		return CVTPM_ERR_FORMAT;
	return take_response(client, command, response_len, handle, out);
}
