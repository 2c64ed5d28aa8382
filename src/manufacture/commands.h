/*
 * The commands that the owner of a TPM uses, and those with which tests attack
 * it, as typed functions. Names are the specification's; each returns what
 * tpm_call() returns, with the response code in client->rc. Numbers (handles,
 * algorithms, attributes) are the specification's.
 */
#ifndef CVTPM_MANUFACTURE_COMMANDS_H
#define CVTPM_MANUFACTURE_COMMANDS_H

#include "manufacture/client.h"

/* Part 2, 7.4: permanent handles. */
enum {
	TPM_RH_OWNER = 0x40000001,
	TPM_RH_NULL = 0x40000007,
	TPM_RH_LOCKOUT = 0x4000000A,
	TPM_RH_ENDORSEMENT = 0x4000000B,
	TPM_RH_PLATFORM = 0x4000000C,
	TPM_RH_PLATFORM_NV = 0x4000000D,
};

/* TPM_SU, as TPM2_Startup and TPM2_Shutdown take it. */
enum { TPM_SU_CLEAR = 0x0000, TPM_SU_STATE = 0x0001 };

/* TPM_SE */
enum { TPM_SE_HMAC = 0x00, TPM_SE_POLICY = 0x01 };

/* TPM_CAP, and properties of TPM_CAP_TPM_PROPERTIES. */
enum {
	TPM_CAP_HANDLES = 1,
	TPM_CAP_PCRS = 5,
	TPM_CAP_TPM_PROPERTIES = 6,

	TPM_PT_FAMILY_INDICATOR = 0x100,
	TPM_PT_LEVEL = 0x101,
	TPM_PT_REVISION = 0x102,
	TPM_PT_MANUFACTURER = 0x105,
	TPM_PT_VENDOR_STRING_1 = 0x106,
	TPM_PT_FIRMWARE_VERSION_1 = 0x10B,
	TPM_PT_NV_INDEX_MAX = 0x117,
	TPM_PT_NV_BUFFER_MAX = 0x12C,
};

/* Response codes that decide something here (Part 2, 6.6). */
enum {
	TPM_RC_INITIALIZE = 0x100,
	TPM_RC_FAILURE = 0x101,
	TPM_RC_HANDLE_1 = 0x18B, /* TPM_RC_HANDLE, of handle 1: there is no such object */
	TPM_RC_BAD_AUTH_1 = 0x9A2,
	TPM_RC_CANCELED = 0x909,
};

/* TPMA_NV (Part 2, 13.4) */
enum {
	TPMA_NV_PPWRITE = 1 << 0,
	TPMA_NV_POLICY_DELETE = 1 << 10,
	TPMA_NV_WRITELOCKED = 1 << 11,
	TPMA_NV_WRITEDEFINE = 1 << 13,
	TPMA_NV_WRITE_STCLEAR = 1 << 14,
	TPMA_NV_PPREAD = 1 << 16,
	TPMA_NV_OWNERREAD = 1 << 17,
	TPMA_NV_AUTHREAD = 1 << 18,
	TPMA_NV_NO_DA = 1 << 25,
	TPMA_NV_WRITTEN = 1 << 29,
	TPMA_NV_PLATFORMCREATE = 1 << 30,
};

/* TPMS_NV_PUBLIC */
struct tpm_nv_public {
	uint32_t index;
	uint16_t name_alg;
	uint32_t attributes;
	const uint8_t *policy; /* in answers: inside client->response */
	size_t policy_len;
	uint16_t size;
};

/* ---- start-up (9) ---- */

int tpm_startup(struct tpm_client *client, uint16_t type);
int tpm_shutdown(struct tpm_client *client, uint16_t type);

/* ---- capabilities, random numbers (30, 16) ---- */

/** One property of TPM_CAP_TPM_PROPERTIES. CVTPM_ERR_NOT_FOUND: the TPM does not have it. */
int tpm_get_property(struct tpm_client *client, uint32_t property, uint32_t *value);
/** The banks of PCRs, implemented ones all, with the registers that each has.
 *  `*count` in: room, out: how many. CVTPM_ERR_SIZE: more than there is room for. */
int tpm_get_pcr_banks(struct tpm_client *client, struct tpm_pcr_bank *banks, size_t *count);
int tpm_get_random(struct tpm_client *client, uint16_t size, struct tpm_value *random);

/* ---- objects and hierarchies (12, 24, 28) ---- */

/** A primary key with an empty password from `template` (a TPMT_PUBLIC). `public_area`:
 *  the contents of its TPM2B_PUBLIC, inside client->response. */
int tpm_create_primary(struct tpm_client *client, uint32_t hierarchy, const uint8_t *template,
		       size_t template_len, uint32_t *handle, struct tpm_value *public_area);
/** `public_area` as above. */
int tpm_read_public(struct tpm_client *client, uint32_t handle, struct tpm_value *public_area);
/** Makes a loaded object persistent, or, with `object` == `persistent`, removes it. */
int tpm_evict_control(struct tpm_client *client, uint32_t auth, uint32_t object,
		      uint32_t persistent);
int tpm_flush_context(struct tpm_client *client, uint32_t handle);
int tpm_hierarchy_control(struct tpm_client *client, uint32_t auth, uint32_t enable, bool on);
int tpm_hierarchy_change_auth(struct tpm_client *client, uint32_t hierarchy, const uint8_t *value,
			      size_t len);
int tpm_clear(struct tpm_client *client, uint32_t auth);
/** Whether TPM2_Clear is switched off; on again by platform authority alone. */
int tpm_clear_control(struct tpm_client *client, uint32_t auth, bool disable);
int tpm_change_pps(struct tpm_client *client);
int tpm_change_eps(struct tpm_client *client);

/* ---- PCRs (22) ---- */

int tpm_pcr_extend(struct tpm_client *client, uint32_t pcr, uint16_t hash, const uint8_t *digest,
		   size_t digest_len);
/** One register. CVTPM_ERR_NOT_FOUND: the bank is not allocated. */
int tpm_pcr_read(struct tpm_client *client, uint32_t pcr, uint16_t hash, struct tpm_value *digest);
/** Takes effect at the next reset. CVTPM_ERR_SIZE: the TPM says that they do not fit. */
int tpm_pcr_allocate(struct tpm_client *client, const struct tpm_pcr_bank *banks, size_t count);

/* ---- NV (31) ---- */

/** With an empty password. */
int tpm_nv_define_space(struct tpm_client *client, uint32_t auth,
			const struct tpm_nv_public *public);
int tpm_nv_undefine_space(struct tpm_client *client, uint32_t auth, uint32_t index);
int tpm_nv_undefine_space_special(struct tpm_client *client, uint32_t index);
int tpm_nv_read_public(struct tpm_client *client, uint32_t index, struct tpm_nv_public *public);
/** Any number of bytes from the start of the index, in chunks of TPM_PT_NV_BUFFER_MAX. */
int tpm_nv_write(struct tpm_client *client, uint32_t auth, uint32_t index, const uint8_t *data,
		 size_t len);
int tpm_nv_read(struct tpm_client *client, uint32_t auth, uint32_t index, uint8_t *data,
		size_t len);
int tpm_nv_increment(struct tpm_client *client, uint32_t auth, uint32_t index);
int tpm_nv_extend(struct tpm_client *client, uint32_t auth, uint32_t index, const uint8_t *data,
		  size_t len);
int tpm_nv_set_bits(struct tpm_client *client, uint32_t auth, uint32_t index, uint64_t bits);
int tpm_nv_write_lock(struct tpm_client *client, uint32_t auth, uint32_t index);
int tpm_nv_global_write_lock(struct tpm_client *client, uint32_t auth);
int tpm_nv_read_lock(struct tpm_client *client, uint32_t auth, uint32_t index);
int tpm_nv_change_auth(struct tpm_client *client, uint32_t index, const uint8_t *value, size_t len);

/* ---- sessions (11, 23), for commands that ask for one ---- */

/** An unsalted, unbound session with SHA-256. */
int tpm_start_auth_session(struct tpm_client *client, uint8_t type, uint32_t *session);
int tpm_policy_command_code(struct tpm_client *client, uint32_t session, uint32_t code);
/** Proves knowledge of `entity`'s authorisation value (client->auth[0]) to the session. */
int tpm_policy_secret(struct tpm_client *client, uint32_t entity, uint32_t session);

/* ---- attestation (12, 18); areas without their size fields, as everywhere here ---- */

/** A child key with an empty password; nothing stays loaded. */
int tpm_create(struct tpm_client *client, uint32_t parent, const uint8_t *template,
	       size_t template_len, struct tpm_value *private_area, struct tpm_value *public_area);
int tpm_load(struct tpm_client *client, uint32_t parent, const uint8_t *private_area,
	     size_t private_len, const uint8_t *public_area, size_t public_len, uint32_t *handle);
/** `object` is authorised by client->auth[0], `key` (the EK) by client->auth[1]. */
int tpm_activate_credential(struct tpm_client *client, uint32_t object, uint32_t key,
			    const uint8_t *id_object, size_t id_object_len,
			    const uint8_t *encrypted_secret, size_t encrypted_secret_len,
			    struct tpm_value *secret);
/** `quoted` is a TPMS_ATTEST, `signature` a TPMT_SIGNATURE by the key's own scheme. */
int tpm_quote(struct tpm_client *client, uint32_t key, const uint8_t *qualifying_data,
	      size_t qualifying_len, const struct tpm_pcr_bank *banks, size_t bank_count,
	      struct tpm_value *quoted, struct tpm_value *signature);

#endif
