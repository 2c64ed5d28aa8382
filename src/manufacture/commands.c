/* Chapters 9 to 30 of Part 3; NV is in commands_nv.c. */
#include "manufacture/commands.h"

#include "crypto/mem.h"
#include "cvtpm/err.h"
#include "manufacture/wire.h"

#define ALG_SHA256 0x000Bu
#define ALG_NULL   0x0010u

#define U8    TPM_FIELD_U8
#define U16   TPM_FIELD_U16
#define U32   TPM_FIELD_U32
#define SIZED TPM_FIELD_SIZED
#define OPEN  TPM_FIELD_OPEN
#define CLOSE TPM_FIELD_CLOSE
#define BANKS TPM_FIELD_BANKS
#define BYTES TPM_FIELD_BYTES

/* Designated by place: code, name, handles, auths, answers_handle. */
static const struct tpm_command startup = {0x144, "Startup", .in = {U16}};
static const struct tpm_command shutdown = {0x145, "Shutdown", .in = {U16}};
static const struct tpm_command get_capability = {0x17A, "GetCapability", .in = {U32, U32, U32},
						  .out = {U8, U32, BYTES}};
static const struct tpm_command get_random = {0x17B, "GetRandom", .in = {U16}, .out = {SIZED}};
static const struct tpm_command create_primary = {
	0x131, "CreatePrimary", 1, 1, true,
	/* inSensitive {userAuth, data}, inPublic, outsideInfo, creationPCR */
	.in = {OPEN, SIZED, SIZED, CLOSE, SIZED, SIZED, BANKS},
	/* outPublic, creationData, creationHash, creationTicket {tag, hierarchy, digest}, name */
	.out = {SIZED, SIZED, SIZED, U16, U32, SIZED, SIZED}};
static const struct tpm_command read_public = {0x173, "ReadPublic", 1,
					       .out = {SIZED, SIZED, SIZED}};
static const struct tpm_command evict_control = {0x120, "EvictControl", 2, 1, .in = {U32}};
static const struct tpm_command flush_context = {0x165, "FlushContext", .in = {U32}};
static const struct tpm_command hierarchy_control = {0x121, "HierarchyControl", 1, 1,
						     .in = {U32, U8}};
static const struct tpm_command hierarchy_change_auth = {0x129, "HierarchyChangeAuth", 1, 1,
							 .in = {SIZED}};
static const struct tpm_command clear = {0x126, "Clear", 1, 1};
static const struct tpm_command clear_control = {0x127, "ClearControl", 1, 1, .in = {U8}};
static const struct tpm_command change_pps = {0x125, "ChangePPS", 1, 1};
static const struct tpm_command change_eps = {0x124, "ChangeEPS", 1, 1};
static const struct tpm_command pcr_extend = {
	0x182, "PCR_Extend", 1, 1, .in = {U32, U16, BYTES}}; /* count, algorithm, digest */
static const struct tpm_command pcr_read = {0x17E, "PCR_Read", .in = {BANKS}, .out = {U32, BYTES}};
static const struct tpm_command pcr_allocate = {0x12B, "PCR_Allocate", 1,
						1,     .in = {BANKS},  .out = {U8, U32, U32, U32}};
static const struct tpm_command start_auth_session = {
	0x176, "StartAuthSession", 2, 0, true,
	/* nonceCaller, encryptedSalt, sessionType, symmetric, authHash */
	.in = {SIZED, SIZED, U8, U16, U16}, .out = {SIZED}};
static const struct tpm_command policy_command_code = {0x16C, "PolicyCommandCode", 1, .in = {U32}};

/* ---- start-up and testing ---- */

int tpm_startup(struct tpm_client *client, uint16_t type)
{
	return tpm_call(client, &startup, NULL, &TPM_NUMBER(type), NULL, NULL);
}

int tpm_shutdown(struct tpm_client *client, uint16_t type)
{
	return tpm_call(client, &shutdown, NULL, &TPM_NUMBER(type), NULL, NULL);
}

/* ---- capabilities, random numbers ---- */

/* Asks for one kind of capability; leaves the reader at the first entry of its list. */
static int begin_capability(struct tpm_client *client, uint32_t capability, uint32_t property,
			    uint32_t wanted, struct wire_reader *list, size_t *count)
{
	struct tpm_value out[3]; /* moreData, capability, capabilityData */
	const struct tpm_value in[] = {TPM_NUMBER(capability), TPM_NUMBER(property),
				       TPM_NUMBER(wanted)};

	CVTPM_TRY(tpm_call(client, &get_capability, NULL, in, NULL, out));
	if (out[1].number != capability)
		return CVTPM_ERR_FORMAT;
	*list = (struct wire_reader){out[2].bytes, out[2].len};
	*count = (size_t)wire_take(list, 4);
	return list->bad ? CVTPM_ERR_FORMAT : 0;
}

int tpm_get_property(struct tpm_client *client, uint32_t property, uint32_t *value)
{
	struct wire_reader list;
	size_t count;

	CVTPM_TRY(begin_capability(client, TPM_CAP_TPM_PROPERTIES, property, 1, &list, &count));
	if (count == 0)
		return CVTPM_ERR_NOT_FOUND;
	/* The answer begins at the next property that there is. */
	if (wire_take(&list, 4) != property)
		return list.bad ? CVTPM_ERR_FORMAT : CVTPM_ERR_NOT_FOUND;
	*value = (uint32_t)wire_take(&list, 4);
	return list.bad ? CVTPM_ERR_FORMAT : 0;
}

/* One TPMS_PCR_SELECTION. */
static void take_bank(struct wire_reader *r, struct tpm_pcr_bank *bank)
{
	size_t bytes;

	bank->hash = (uint16_t)wire_take(r, 2);
	bank->pcrs = 0;
	bytes = (size_t)wire_take(r, 1);
	for (size_t i = 0; i < bytes; i++) {
		uint32_t byte = (uint32_t)wire_take(r, 1);

		if (i < sizeof bank->pcrs)
			bank->pcrs |= byte << 8 * i;
	}
}

int tpm_get_pcr_banks(struct tpm_client *client, struct tpm_pcr_bank *banks, size_t *count)
{
	struct wire_reader list;
	size_t found;

	CVTPM_TRY(begin_capability(client, TPM_CAP_PCRS, 0, 1, &list, &found));
	if (found > *count)
		return CVTPM_ERR_SIZE;
	for (size_t i = 0; i < found; i++)
		take_bank(&list, &banks[i]);
	*count = found;
	return wire_ended(&list) ? 0 : CVTPM_ERR_FORMAT;
}

int tpm_get_random(struct tpm_client *client, uint16_t size, struct tpm_value *random)
{
	return tpm_call(client, &get_random, NULL, &TPM_NUMBER(size), NULL, random);
}

/* ---- objects and hierarchies ---- */

int tpm_create_primary(struct tpm_client *client, uint32_t hierarchy, const uint8_t *template,
		       size_t template_len, uint32_t *handle, struct tpm_value *public_area)
{
	struct tpm_value out[7];
	const struct tpm_value in[] = {TPM_BYTES(NULL, 0), TPM_BYTES(NULL, 0),
				       TPM_BYTES(template, template_len), TPM_BYTES(NULL, 0),
				       TPM_BANKS(NULL, 0)};

	CVTPM_TRY(tpm_call(client, &create_primary, &hierarchy, in, handle, out));
	*public_area = out[0];
	return 0;
}

int tpm_read_public(struct tpm_client *client, uint32_t handle, struct tpm_value *public_area)
{
	struct tpm_value out[3]; /* outPublic, name, qualifiedName */

	CVTPM_TRY(tpm_call(client, &read_public, &handle, NULL, NULL, out));
	*public_area = out[0];
	return 0;
}

int tpm_evict_control(struct tpm_client *client, uint32_t auth, uint32_t object,
		      uint32_t persistent)
{
	const uint32_t handles[] = {auth, object};

	return tpm_call(client, &evict_control, handles, &TPM_NUMBER(persistent), NULL, NULL);
}

int tpm_flush_context(struct tpm_client *client, uint32_t handle)
{
	return tpm_call(client, &flush_context, NULL, &TPM_NUMBER(handle), NULL, NULL);
}

int tpm_hierarchy_control(struct tpm_client *client, uint32_t auth, uint32_t enable, bool on)
{
	const struct tpm_value in[] = {TPM_NUMBER(enable), TPM_NUMBER(on)};

	return tpm_call(client, &hierarchy_control, &auth, in, NULL, NULL);
}

int tpm_hierarchy_change_auth(struct tpm_client *client, uint32_t hierarchy, const uint8_t *value,
			      size_t len)
{
	return tpm_call(client, &hierarchy_change_auth, &hierarchy, &TPM_BYTES(value, len), NULL,
			NULL);
}

int tpm_clear(struct tpm_client *client, uint32_t auth)
{
	return tpm_call(client, &clear, &auth, NULL, NULL, NULL);
}

int tpm_clear_control(struct tpm_client *client, uint32_t auth, bool disable)
{
	return tpm_call(client, &clear_control, &auth, &TPM_NUMBER(disable), NULL, NULL);
}

int tpm_change_pps(struct tpm_client *client)
{
	return tpm_call(client, &change_pps, &(uint32_t){TPM_RH_PLATFORM}, NULL, NULL, NULL);
}

int tpm_change_eps(struct tpm_client *client)
{
	return tpm_call(client, &change_eps, &(uint32_t){TPM_RH_PLATFORM}, NULL, NULL, NULL);
}

/* ---- PCRs ---- */

int tpm_pcr_extend(struct tpm_client *client, uint32_t pcr, uint16_t hash, const uint8_t *digest,
		   size_t digest_len)
{
	const struct tpm_value in[] = {TPM_NUMBER(1), TPM_NUMBER(hash),
				       TPM_BYTES(digest, digest_len)};

	return tpm_call(client, &pcr_extend, &pcr, in, NULL, NULL);
}

int tpm_pcr_read(struct tpm_client *client, uint32_t pcr, uint16_t hash, struct tpm_value *digest)
{
	const struct tpm_pcr_bank wanted = {hash, 1u << pcr};
	struct tpm_pcr_bank bank;
	struct tpm_value out[2]; /* pcrUpdateCounter; pcrSelectionOut and pcrValues */
	struct wire_reader r;

	CVTPM_TRY(tpm_call(client, &pcr_read, NULL, &TPM_BANKS(&wanted, 1), NULL, out));
	r = (struct wire_reader){out[1].bytes, out[1].len};
	for (size_t left = (size_t)wire_take(&r, 4); left && !r.bad; left--)
		take_bank(&r, &bank);
	if (wire_take(&r, 4) != 1)
		return r.bad ? CVTPM_ERR_FORMAT : CVTPM_ERR_NOT_FOUND;
	digest->bytes = wire_take_sized(&r, &digest->len);
	return wire_ended(&r) ? 0 : CVTPM_ERR_FORMAT;
}

int tpm_pcr_allocate(struct tpm_client *client, const struct tpm_pcr_bank *banks, size_t count)
{
	const uint32_t platform = TPM_RH_PLATFORM;
	struct tpm_value out[4]; /* allocationSuccess, maxPCR, sizeNeeded, sizeAvailable */

	CVTPM_TRY(tpm_call(client, &pcr_allocate, &platform, &TPM_BANKS(banks, count), NULL, out));
	return out[0].number == 1 ? 0 : CVTPM_ERR_SIZE;
}

/* ---- sessions ---- */

int tpm_start_auth_session(struct tpm_client *client, uint8_t type, uint32_t *session)
{
	static const uint8_t nonce[16]; /* nothing rests on it: no HMAC is computed here */
	const uint32_t handles[] = {TPM_RH_NULL, TPM_RH_NULL}; /* tpmKey, bind */
	const struct tpm_value in[] = {TPM_BYTES(nonce, sizeof nonce), TPM_BYTES(NULL, 0),
				       TPM_NUMBER(type), TPM_NUMBER(ALG_NULL),
				       TPM_NUMBER(ALG_SHA256)};
	struct tpm_value out[1];

	return tpm_call(client, &start_auth_session, handles, in, session, out);
}

int tpm_policy_command_code(struct tpm_client *client, uint32_t session, uint32_t code)
{
	return tpm_call(client, &policy_command_code, &session, &TPM_NUMBER(code), NULL, NULL);
}
