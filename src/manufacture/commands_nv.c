/* Chapter 31 of Part 3: non-volatile storage. */
#include "manufacture/commands.h"

#include "crypto/mem.h"
#include "cvtpm/err.h"

#define U16   TPM_FIELD_U16
#define U32   TPM_FIELD_U32
#define U64   TPM_FIELD_U64
#define SIZED TPM_FIELD_SIZED
#define OPEN  TPM_FIELD_OPEN
#define CLOSE TPM_FIELD_CLOSE

/* TPM2B_NV_PUBLIC: nvIndex, nameAlg, attributes, authPolicy, dataSize */
#define NV_PUBLIC OPEN, U32, U16, U32, SIZED, U16, CLOSE

static const struct tpm_command nv_define_space = {0x12A, "NV_DefineSpace", 1, 1,
						   .in = {SIZED, NV_PUBLIC}};
static const struct tpm_command nv_undefine_space = {0x122, "NV_UndefineSpace", 2, 1};
static const struct tpm_command nv_undefine_space_special = {0x11F, "NV_UndefineSpaceSpecial", 2,
							     2};
static const struct tpm_command nv_read_public = {0x169, "NV_ReadPublic", 1,
						  .out = {NV_PUBLIC, SIZED}};
static const struct tpm_command nv_write = {0x137, "NV_Write", 2, 1, .in = {SIZED, U16}};
static const struct tpm_command nv_read = {0x14E, "NV_Read",        2,
					   1,     .in = {U16, U16}, .out = {SIZED}};
static const struct tpm_command nv_increment = {0x134, "NV_Increment", 2, 1};
static const struct tpm_command nv_extend = {0x136, "NV_Extend", 2, 1, .in = {SIZED}};
static const struct tpm_command nv_set_bits = {0x135, "NV_SetBits", 2, 1, .in = {U64}};
static const struct tpm_command nv_write_lock = {0x138, "NV_WriteLock", 2, 1};
static const struct tpm_command nv_global_write_lock = {0x132, "NV_GlobalWriteLock", 1, 1};
static const struct tpm_command nv_read_lock = {0x14F, "NV_ReadLock", 2, 1};
static const struct tpm_command nv_change_auth = {0x13B, "NV_ChangeAuth", 1, 1, .in = {SIZED}};

int tpm_nv_define_space(struct tpm_client *client, uint32_t auth,
			const struct tpm_nv_public *public)
{
	const struct tpm_value in[] = {TPM_BYTES(NULL, 0),
				       TPM_NUMBER(public->index),
				       TPM_NUMBER(public->name_alg),
				       TPM_NUMBER(public->attributes),
				       TPM_BYTES(public->policy, public->policy_len),
				       TPM_NUMBER(public->size)};

	return tpm_call(client, &nv_define_space, &auth, in, NULL, NULL);
}

/* A command over an authorisation's handle and an index. */
static int call_index(struct tpm_client *client, const struct tpm_command *command, uint32_t auth,
		      uint32_t index, const struct tpm_value *in, struct tpm_value *out)
{
	const uint32_t handles[] = {auth, index};

	return tpm_call(client, command, handles, in, NULL, out);
}

int tpm_nv_undefine_space(struct tpm_client *client, uint32_t auth, uint32_t index)
{
	return call_index(client, &nv_undefine_space, auth, index, NULL, NULL);
}

int tpm_nv_undefine_space_special(struct tpm_client *client, uint32_t index)
{
	return call_index(client, &nv_undefine_space_special, index, TPM_RH_PLATFORM, NULL, NULL);
}

int tpm_nv_read_public(struct tpm_client *client, uint32_t index, struct tpm_nv_public *public)
{
	struct tpm_value out[6]; /* the fields of NV_PUBLIC, nvName */

	CVTPM_TRY(tpm_call(client, &nv_read_public, &index, NULL, NULL, out));
	*public = (struct tpm_nv_public){
		.index = (uint32_t)out[0].number,
		.name_alg = (uint16_t)out[1].number,
		.attributes = (uint32_t)out[2].number,
		.policy = out[3].bytes,
		.policy_len = out[3].len,
		.size = (uint16_t)out[4].number,
	};
	return public->index == index ? 0 : CVTPM_ERR_FORMAT;
}

/* The most that one command may carry, which is asked once. */
static int get_chunk_size(struct tpm_client *client, size_t *size)
{
	if (client->nv_buffer_max == 0) {
		uint32_t max;

		CVTPM_TRY(tpm_get_property(client, TPM_PT_NV_BUFFER_MAX, &max));
		if (max == 0)
			return CVTPM_ERR_FORMAT;
		client->nv_buffer_max = max;
	}
	*size = client->nv_buffer_max;
	return 0;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

int tpm_nv_write(struct tpm_client *client, uint32_t auth, uint32_t index, const uint8_t *data,
		 size_t len)
{
	size_t chunk, n;

	if (len > UINT16_MAX)
		return CVTPM_ERR_PARAM;
	CVTPM_TRY(get_chunk_size(client, &chunk));
	for (size_t at = 0; at < len; at += n) {
		n = smaller(chunk, len - at);
		const struct tpm_value in[] = {TPM_BYTES(data + at, n), TPM_NUMBER(at)};

		CVTPM_TRY(call_index(client, &nv_write, auth, index, in, NULL));
	}
	return 0;
}

int tpm_nv_read(struct tpm_client *client, uint32_t auth, uint32_t index, uint8_t *data, size_t len)
{
	size_t chunk, n;

	if (len > UINT16_MAX)
		return CVTPM_ERR_PARAM;
	CVTPM_TRY(get_chunk_size(client, &chunk));
	for (size_t at = 0; at < len; at += n) {
		struct tpm_value out[1];

		n = smaller(chunk, len - at);
		const struct tpm_value in[] = {TPM_NUMBER(n), TPM_NUMBER(at)};

		CVTPM_TRY(call_index(client, &nv_read, auth, index, in, out));
		if (out[0].len != n)
			return CVTPM_ERR_FORMAT;
		memcpy(data + at, out[0].bytes, n);
	}
	return 0;
}

int tpm_nv_increment(struct tpm_client *client, uint32_t auth, uint32_t index)
{
	return call_index(client, &nv_increment, auth, index, NULL, NULL);
}

int tpm_nv_extend(struct tpm_client *client, uint32_t auth, uint32_t index, const uint8_t *data,
		  size_t len)
{
	return call_index(client, &nv_extend, auth, index, &TPM_BYTES(data, len), NULL);
}

int tpm_nv_set_bits(struct tpm_client *client, uint32_t auth, uint32_t index, uint64_t bits)
{
	return call_index(client, &nv_set_bits, auth, index, &TPM_NUMBER(bits), NULL);
}

int tpm_nv_write_lock(struct tpm_client *client, uint32_t auth, uint32_t index)
{
	return call_index(client, &nv_write_lock, auth, index, NULL, NULL);
}

int tpm_nv_global_write_lock(struct tpm_client *client, uint32_t auth)
{
	return tpm_call(client, &nv_global_write_lock, &auth, NULL, NULL, NULL);
}

int tpm_nv_read_lock(struct tpm_client *client, uint32_t auth, uint32_t index)
{
	return call_index(client, &nv_read_lock, auth, index, NULL, NULL);
}

int tpm_nv_change_auth(struct tpm_client *client, uint32_t index, const uint8_t *value, size_t len)
{
	return tpm_call(client, &nv_change_auth, &index, &TPM_BYTES(value, len), NULL, NULL);
}
