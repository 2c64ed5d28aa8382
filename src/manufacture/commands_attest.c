/* What attestation needs of Part 3: child keys (12), policies (23), quotes (18). */
#include "manufacture/commands.h"

#include "cvtpm/err.h"

#define ALG_NULL 0x0010u

#define U16   TPM_FIELD_U16
#define U32   TPM_FIELD_U32
#define SIZED TPM_FIELD_SIZED
#define OPEN  TPM_FIELD_OPEN
#define CLOSE TPM_FIELD_CLOSE
#define BANKS TPM_FIELD_BANKS
#define BYTES TPM_FIELD_BYTES

static const struct tpm_command create = {
	0x153, "Create", 1, 1,
	/* inSensitive {userAuth, data}, inPublic, outsideInfo, creationPCR */
	.in = {OPEN, SIZED, SIZED, CLOSE, SIZED, SIZED, BANKS},
	/* outPrivate, outPublic, creationData, creationHash, ticket {tag, hierarchy, digest} */
	.out = {SIZED, SIZED, SIZED, SIZED, U16, U32, SIZED}};
static const struct tpm_command load = {0x157,         "Load", 1, 1, true, .in = {SIZED, SIZED},
					.out = {SIZED}};
static const struct tpm_command activate_credential = {0x147, "ActivateCredential", 2,
						       2,     .in = {SIZED, SIZED}, .out = {SIZED}};
static const struct tpm_command policy_secret = {
	0x151, "PolicySecret", 2, 1,
	/* nonceTPM, cpHashA, policyRef, expiration */
	.in = {SIZED, SIZED, SIZED, U32},
	/* timeout, policyTicket {tag, hierarchy, digest} */
	.out = {SIZED, U16, U32, SIZED}};
static const struct tpm_command quote = {0x158, "Quote", 1, 1,
					 /* qualifyingData, inScheme {scheme}, PCRselect */
					 .in = {SIZED, U16, BANKS}, .out = {SIZED, BYTES}};

int tpm_create(struct tpm_client *client, uint32_t parent, const uint8_t *template,
	       size_t template_len, struct tpm_value *private_area, struct tpm_value *public_area)
{
	struct tpm_value out[7];
	const struct tpm_value in[] = {TPM_BYTES(NULL, 0), TPM_BYTES(NULL, 0),
				       TPM_BYTES(template, template_len), TPM_BYTES(NULL, 0),
				       TPM_BANKS(NULL, 0)};

	CVTPM_TRY(tpm_call(client, &create, &parent, in, NULL, out));
	*private_area = out[0];
	*public_area = out[1];
	return 0;
}

int tpm_load(struct tpm_client *client, uint32_t parent, const uint8_t *private_area,
	     size_t private_len, const uint8_t *public_area, size_t public_len, uint32_t *handle)
{
	struct tpm_value out[1]; /* name */
	const struct tpm_value in[] = {TPM_BYTES(private_area, private_len),
				       TPM_BYTES(public_area, public_len)};

	return tpm_call(client, &load, &parent, in, handle, out);
}

int tpm_activate_credential(struct tpm_client *client, uint32_t object, uint32_t key,
			    const uint8_t *id_object, size_t id_object_len,
			    const uint8_t *encrypted_secret, size_t encrypted_secret_len,
			    struct tpm_value *secret)
{
	const uint32_t handles[] = {object, key};
	const struct tpm_value in[] = {TPM_BYTES(id_object, id_object_len),
				       TPM_BYTES(encrypted_secret, encrypted_secret_len)};

	return tpm_call(client, &activate_credential, handles, in, NULL, secret);
}

int tpm_policy_secret(struct tpm_client *client, uint32_t entity, uint32_t session)
{
	struct tpm_value out[4];
	const uint32_t handles[] = {entity, session};
	const struct tpm_value in[] = {TPM_BYTES(NULL, 0), TPM_BYTES(NULL, 0), TPM_BYTES(NULL, 0),
				       TPM_NUMBER(0)};

	return tpm_call(client, &policy_secret, handles, in, NULL, out);
}

int tpm_quote(struct tpm_client *client, uint32_t key, const uint8_t *qualifying_data,
	      size_t qualifying_len, const struct tpm_pcr_bank *banks, size_t bank_count,
	      struct tpm_value *quoted, struct tpm_value *signature)
{
	struct tpm_value out[2];
	const struct tpm_value in[] = {TPM_BYTES(qualifying_data, qualifying_len),
				       TPM_NUMBER(ALG_NULL), TPM_BANKS(banks, bank_count)};

	CVTPM_TRY(tpm_call(client, &quote, &key, in, NULL, out));
	*quoted = out[0];
	*signature = out[1];
	return 0;
}
