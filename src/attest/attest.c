#include "attest/attest.h"

#include "crypto/crypto.h"
#include "cvtpm/err.h"
#include "manufacture/commands.h"
#include "manufacture/wire.h"
#include "verify/platform_certificate.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_ISSUER_CERTIFICATE   0x01C00100u
#define INDEX_PLATFORM_CERTIFICATE 0x01C08000u
#define RC_FORMAT_MASK             0x0BFu /* of a format-one code, without number and kind */
#define RC_HANDLE                  0x08Bu

/* ---- messages ---- */

__attribute__((format(printf, 3, 4))) static int fail(struct attest *a, int err, const char *format,
						      ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(a->error, sizeof a->error, format, arguments);
	va_end(arguments);
	return err;
}

/* A TPM command that failed, while doing `what`. */
static int fail_tpm(struct attest *a, int err, const char *what)
{
	const struct tpm_client *client = &a->tpm->client;

	if (a->tpm->error[0])
		return fail(a, err, "%s: %s", what, a->tpm->error);
	if (err == CVTPM_ERR_TPM)
		return fail(a, err, "%s: TPM2_%s answers 0x%03" PRIX32 "%s", what,
			    client->last->name, client->rc,
			    client->rc == TPM_RC_INITIALIZE
				    ? " (the TPM has not been started: TPM2_Startup, or `cvtpm "
				      "serve --startup clear`)"
			    : client->rc == TPM_RC_BAD_AUTH_1
				    ? " (the endorsement hierarchy has a password)"
				    : "");
	return fail(a, err, "%s: %s", what, cvtpm_strerror(err));
}

/* ---- memory ---- */

static int own(struct attest *a, const uint8_t *data, size_t len, struct cvtpm_bytes *bytes)
{
	uint8_t *copy = a->owned_count < ATTEST_OWNED_MAX ? malloc(len ? len : 1) : NULL;

	if (!copy)
		return fail(a, CVTPM_ERR_NO_MEMORY, "out of memory");
	memcpy(copy, data, len);
	a->owned[a->owned_count++] = copy;
	*bytes = (struct cvtpm_bytes){.data = copy, .len = len};
	return 0;
}

int attest_add(struct attest *a, enum cvtpm_bundle_item item, const uint8_t *data, size_t len)
{
	return own(a, data, len, &a->bundle.item[item]);
}

/* The same with the size of a TPM2B before it. */
static int own_sized(struct attest *a, const struct tpm_value *value, struct cvtpm_bytes *bytes)
{
	uint8_t sized[2 + CVTPM_MAX_BUFFER_SIZE];
	struct wire_writer w = {sized, sizeof sized};

	wire_put_sized(&w, value->bytes, value->len);
	return w.full ? fail(a, CVTPM_ERR_SIZE, "an answer of the TPM is too long")
		      : own(a, sized, w.len, bytes);
}

void attest_open(struct attest *a, struct tpm_connection *tpm)
{
	*a = (struct attest){.tpm = tpm};
}

void attest_close(struct attest *a)
{
	struct tpm_client *client = &a->tpm->client;

	if (a->ak_handle)
		(void)tpm_flush_context(client, a->ak_handle);
	if (a->ek_is_transient)
		(void)tpm_flush_context(client, a->ek_handle);
	if (a->session)
		(void)tpm_flush_context(client, a->session);
	for (size_t i = 0; i < a->owned_count; i++)
		free(a->owned[i]);
	cvtpm_wipe(a, sizeof *a);
}

/* ---- NV ---- */

static bool is_missing(const struct tpm_client *client, int err)
{
	return err == CVTPM_ERR_TPM && (client->rc & RC_FORMAT_MASK) == RC_HANDLE;
}

/* Bytes of DER without the padding that an index may have; `len` where it is no DER. */
static size_t der_size(const uint8_t *der, size_t len)
{
	size_t size = 0, count = len > 1 && der[1] >= 0x80 ? der[1] & 0x7Fu : 0;

	if (len < 2 || der[0] != 0x30 || count > 3 || len < 2 + count)
		return len;
	if (der[1] < 0x80)
		size = der[1];
	for (size_t i = 0; i < count; i++)
		size = size << 8 | der[2 + i];
	size += 2 + count;
	return size <= len ? size : len;
}

/* The padding of an index is of one kind of byte and means nothing. */
static size_t trimmed_size(const uint8_t *data, size_t len)
{
	size_t size = der_size(data, len);

	for (size_t i = size; i < len; i++)
		if (data[i] != data[size] || (data[i] != 0x00 && data[i] != 0xFF))
			return len;
	return size;
}

/* CVTPM_ERR_NOT_FOUND: there is no such index, or nothing in it. */
static int read_index(struct attest *a, uint32_t index, enum cvtpm_bundle_item item)
{
	struct tpm_client *client = &a->tpm->client;
	struct tpm_nv_public public;
	uint8_t data[UINT16_MAX];
	char what[64];
	uint32_t auth;
	int err = tpm_nv_read_public(client, index, &public);

	if (is_missing(client, err))
		return CVTPM_ERR_NOT_FOUND;
	snprintf(what, sizeof what, "cannot read NV index 0x%08" PRIX32, index);
	if (err)
		return fail_tpm(a, err, what);
	if (!(public.attributes & TPMA_NV_WRITTEN) || !public.size)
		return CVTPM_ERR_NOT_FOUND;
	auth = public.attributes & TPMA_NV_AUTHREAD    ? index
	       : public.attributes & TPMA_NV_OWNERREAD ? (uint32_t)TPM_RH_OWNER
						       : (uint32_t)TPM_RH_PLATFORM;
	err = tpm_nv_read(client, auth, index, data, public.size);
	if (err)
		return fail_tpm(a, err, what);
	if (cvtpm_is_zero(data, public.size))
		return CVTPM_ERR_NOT_FOUND;
	return attest_add(a, item, data, trimmed_size(data, public.size));
}

static int read_optional_index(struct attest *a, uint32_t index, enum cvtpm_bundle_item item)
{
	int err = read_index(a, index, item);

	return err == CVTPM_ERR_NOT_FOUND ? 0 : err;
}

/* ---- the EK ---- */

static int find_certificate(struct attest *a, enum cvtpm_ek kind)
{
	const struct cvtpm_ek_template *ek;
	int err;

	for (size_t i = 0; (ek = cvtpm_ek_template_at(i)); i++) {
		if (kind && ek->kind != kind)
			continue;
		err = read_index(a, ek->certificate_index, CVTPM_BUNDLE_EK_CERTIFICATE);
		if (err == CVTPM_ERR_NOT_FOUND)
			continue;
		a->ek = ek;
		return err;
	}
	ek = kind ? cvtpm_ek_template_of(kind) : NULL;
	if (ek)
		return fail(a, CVTPM_ERR_NOT_FOUND,
			    "the TPM at %s has no certificate of an %s EK (NV index 0x%08" PRIX32
			    "); another may be named with --ek",
			    a->tpm->address, ek->name, ek->certificate_index);
	return fail(a, CVTPM_ERR_NOT_FOUND,
		    "the TPM at %s has no EK certificate in its NV memory: it was not manufactured "
		    "with one",
		    a->tpm->address);
}

/* The persistent EK, or the same key made again. */
static int find_ek(struct attest *a)
{
	struct tpm_client *client = &a->tpm->client;
	uint8_t template[CVTPM_EK_PUBLIC_MAX_SIZE];
	struct tpm_value area;
	int err = tpm_read_public(client, a->ek->handle, &area);

	a->ek_handle = a->ek->handle;
	if (is_missing(client, err)) {
		size_t len = cvtpm_ek_template_write(a->ek, template);

		err = tpm_create_primary(client, TPM_RH_ENDORSEMENT, template, len, &a->ek_handle,
					 &area);
		a->ek_is_transient = !err;
	}
	if (err)
		return fail_tpm(a, err, "cannot have the EK");
	return own_sized(a, &area, &a->bundle.item[CVTPM_BUNDLE_EK_PUBLIC]);
}

/* A TPM has one platform certificate, of one of its EK certificates: with another EK it would
 * look like another machine's. */
static void drop_foreign_platform_certificate(struct attest *a)
{
	struct cvtpm_bytes *platform = &a->bundle.item[CVTPM_BUNDLE_PLATFORM_CERTIFICATE];

	if (platform->data &&
	    !platform_certificate_holds(platform, &a->bundle.item[CVTPM_BUNDLE_EK_CERTIFICATE]))
		*platform = (struct cvtpm_bytes){0};
}

int attest_read_identity(struct attest *a, enum cvtpm_ek kind)
{
	CVTPM_TRY(find_certificate(a, kind));
	CVTPM_TRY(read_optional_index(a, a->ek->report_index, CVTPM_BUNDLE_INDEX_REPORT));
	CVTPM_TRY(read_optional_index(a, INDEX_ISSUER_CERTIFICATE, CVTPM_BUNDLE_ISSUER));
	CVTPM_TRY(read_optional_index(a, INDEX_PLATFORM_CERTIFICATE,
				      CVTPM_BUNDLE_PLATFORM_CERTIFICATE));
	drop_foreign_platform_certificate(a);
	return find_ek(a);
}

/* Authorises the EK's next use as auth[at]. In the low range it has a policy, PolicySecret of
 * the endorsement hierarchy; in the high range its (empty) password does, too (EK Credential
 * Profile 2.5, B.3 and B.4). */
static int authorise_ek(struct attest *a, size_t at)
{
	struct tpm_client *client = &a->tpm->client;
	int err = 0;

	memset(client->auth, 0, sizeof client->auth);
	if (!a->ek->zeros)
		return 0;
	if (!a->session)
		err = tpm_start_auth_session(client, TPM_SE_POLICY, &a->session);
	if (!err)
		err = tpm_policy_secret(client, TPM_RH_ENDORSEMENT, a->session);
	if (err)
		return fail_tpm(a, err, "the EK cannot be used");
	client->auth[at].session = a->session;
	return 0;
}

static void forget_auths(struct attest *a)
{
	memset(a->tpm->client.auth, 0, sizeof a->tpm->client.auth);
}

/* ---- the AK ---- */

/* fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, sign */
#define AK_ATTRIBUTES 0x00050472u

static size_t write_ak_template(uint8_t *out, size_t room)
{
	struct wire_writer w = {out, room};

	wire_put(&w, CVTPM_TPM_ALG_ECC, 2);
	wire_put(&w, CVTPM_TPM_ALG_SHA256, 2); /* nameAlg */
	wire_put(&w, AK_ATTRIBUTES, 4);
	wire_put_sized(&w, NULL, 0);           /* authPolicy */
	wire_put(&w, CVTPM_TPM_ALG_NULL, 2);   /* symmetric */
	wire_put(&w, CVTPM_TPM_ALG_ECDSA, 2);  /* scheme */
	wire_put(&w, CVTPM_TPM_ALG_SHA256, 2); /* and its hash */
	wire_put(&w, 3, 2);                    /* TPM_ECC_NIST_P256 */
	wire_put(&w, CVTPM_TPM_ALG_NULL, 2);   /* kdf */
	wire_put_sized(&w, NULL, 0);           /* x */
	wire_put_sized(&w, NULL, 0);           /* y */
	return w.len;
}

static int load_ak(struct attest *a)
{
	const struct cvtpm_bytes *public = &a->bundle.item[CVTPM_BUNDLE_AK];
	int err;

	CVTPM_TRY(authorise_ek(a, 0));
	err = tpm_load(&a->tpm->client, a->ek_handle, a->ak_private.data + 2, a->ak_private.len - 2,
		       public->data + 2, public->len - 2, &a->ak_handle);
	forget_auths(a);
	return err ? fail_tpm(a, err, "the AK cannot be loaded") : 0;
}

int attest_create_ak(struct attest *a)
{
	uint8_t template[64];
	size_t len = write_ak_template(template, sizeof template);
	struct tpm_value private_area, public_area;
	int err;

	CVTPM_TRY(authorise_ek(a, 0));
	err = tpm_create(&a->tpm->client, a->ek_handle, template, len, &private_area, &public_area);
	forget_auths(a);
	if (err)
		return fail_tpm(a, err, "no AK can be made");
	CVTPM_TRY(own_sized(a, &public_area, &a->bundle.item[CVTPM_BUNDLE_AK]));
	CVTPM_TRY(own_sized(a, &private_area, &a->ak_private));
	return load_ak(a);
}

static bool same_bytes(const struct cvtpm_bytes *a, const struct cvtpm_bytes *b)
{
	return a->len == b->len && !memcmp(a->data, b->data, a->len);
}

static bool is_tpm2b(const struct cvtpm_bytes *bytes)
{
	const uint8_t *body;
	size_t len;

	return cvtpm_tpm2b_unwrap(bytes->data, bytes->len, &body, &len) == 0;
}

int attest_load_ak(struct attest *a, const uint8_t *file, size_t len)
{
	const char *why = NULL;
	struct cvtpm_ak_file ak;

	if (cvtpm_ak_file_read(&ak, file, len, &why) || !is_tpm2b(&ak.public_area) ||
	    !is_tpm2b(&ak.private_area))
		return fail(a, CVTPM_ERR_FORMAT, "it is not the file of an AK: %s",
			    why ? why : "a size that does not fit");
	if (!same_bytes(&ak.ek_public, &a->bundle.item[CVTPM_BUNDLE_EK_PUBLIC]))
		return fail(a, CVTPM_ERR_POLICY,
			    "its AK was made below another EK: by another TPM, before this one was "
			    "made anew, or with another --ek");
	CVTPM_TRY(attest_add(a, CVTPM_BUNDLE_AK, ak.public_area.data, ak.public_area.len));
	CVTPM_TRY(own(a, ak.private_area.data, ak.private_area.len, &a->ak_private));
	return load_ak(a);
}

struct cvtpm_ak_file attest_ak_file(const struct attest *a)
{
	return (struct cvtpm_ak_file){.public_area = a->bundle.item[CVTPM_BUNDLE_AK],
				      .private_area = a->ak_private,
				      .ek_public = a->bundle.item[CVTPM_BUNDLE_EK_PUBLIC]};
}

/* ---- PCRs ---- */

static int read_pcrs(struct attest *a, const struct cvtpm_pcr_choice *choice,
		     struct cvtpm_pcrs *pcrs)
{
	struct tpm_value digest;
	int err;

	memset(pcrs, 0, sizeof *pcrs);
	for (size_t i = 0; i < choice->count; i++) {
		const struct cvtpm_pcr_selection *bank = &choice->bank[i];

		for (uint32_t pcr = 0; pcr < CVTPM_PCR_COUNT; pcr++) {
			if (!(bank->mask >> pcr & 1))
				continue;
			err = tpm_pcr_read(&a->tpm->client, pcr, bank->alg, &digest);
			if (err == CVTPM_ERR_NOT_FOUND)
				return fail(a, err,
					    "the TPM has no PCR %" PRIu32 " in a bank %s; choose "
					    "others with --pcrs",
					    pcr, cvtpm_tpm_hash_name(bank->alg));
			if (err)
				return fail_tpm(a, err, "PCRs cannot be read");
			if (cvtpm_pcrs_set(pcrs, bank->alg, pcr, digest.bytes, digest.len))
				return fail(a, CVTPM_ERR_FORMAT,
					    "a PCR of the bank %s has %zu bytes",
					    cvtpm_tpm_hash_name(bank->alg), digest.len);
		}
	}
	return 0;
}

static int add_pcrs(struct attest *a, const struct cvtpm_pcrs *pcrs)
{
	uint8_t encoded[CVTPM_PCRS_ENCODED_MAX_SIZE];
	size_t len = sizeof encoded;

	CVTPM_TRY(cvtpm_pcrs_encode(pcrs, encoded, &len));
	return attest_add(a, CVTPM_BUNDLE_PCRS, encoded, len);
}

int attest_read_pcrs(struct attest *a, const struct cvtpm_pcr_choice *choice)
{
	struct cvtpm_pcrs pcrs;

	CVTPM_TRY(read_pcrs(a, choice, &pcrs));
	return add_pcrs(a, &pcrs);
}

/* ---- the answer ---- */

static bool is_name(const struct cvtpm_name *name, const struct cvtpm_bytes *area)
{
	struct cvtpm_tpm_public public;

	return !cvtpm_tpm2b_public_read(area->data, area->len, &public) &&
	       public.name_len == name->len && !memcmp(public.name, name->bytes, name->len);
}

static int activate(struct attest *a, const struct cvtpm_credential *credential)
{
	const uint8_t *id, *encrypted;
	size_t id_len, encrypted_len;
	struct tpm_value secret;
	int err;

	if (cvtpm_tpm2b_unwrap(credential->id_object, credential->id_object_len, &id, &id_len) ||
	    cvtpm_tpm2b_unwrap(credential->secret, credential->secret_len, &encrypted,
			       &encrypted_len))
		return fail(a, CVTPM_ERR_FORMAT, "the challenge is damaged");
	CVTPM_TRY(authorise_ek(a, 1));
	err = tpm_activate_credential(&a->tpm->client, a->ak_handle, a->ek_handle, id, id_len,
				      encrypted, encrypted_len, &secret);
	forget_auths(a);
	if (err)
		return fail_tpm(a, err, "the TPM cannot open the challenge");
	err = attest_add(a, CVTPM_BUNDLE_SECRET, secret.bytes, secret.len);
	cvtpm_wipe(a->tpm->client.response, sizeof a->tpm->client.response);
	return err;
}

/* PCRs may be extended while we work: the values must be the same before and after. */
#define QUOTE_TRIES 8

static int quote(struct attest *a, const struct cvtpm_challenge *challenge)
{
	struct tpm_pcr_bank banks[CVTPM_PCR_BANKS_MAX];
	struct cvtpm_pcrs before, after;
	struct tpm_value quoted, signature;

	for (size_t i = 0; i < challenge->pcrs.count; i++)
		banks[i] = (struct tpm_pcr_bank){challenge->pcrs.bank[i].alg,
						 challenge->pcrs.bank[i].mask};
	CVTPM_TRY(read_pcrs(a, &challenge->pcrs, &after));
	for (unsigned i = 0; i < QUOTE_TRIES; i++) {
		int err;

		before = after;
		err = tpm_quote(&a->tpm->client, a->ak_handle, challenge->nonce,
				sizeof challenge->nonce, banks, challenge->pcrs.count, &quoted,
				&signature);
		if (err)
			return fail_tpm(a, err, "the TPM does not quote");
		CVTPM_TRY(attest_add(a, CVTPM_BUNDLE_QUOTE, quoted.bytes, quoted.len));
		CVTPM_TRY(attest_add(a, CVTPM_BUNDLE_SIGNATURE, signature.bytes, signature.len));
		CVTPM_TRY(read_pcrs(a, &challenge->pcrs, &after));
		if (!memcmp(&before, &after, sizeof before))
			return add_pcrs(a, &after);
	}
	return fail(a, CVTPM_ERR_BUSY, "PCRs are being extended all the time; try again later");
}

int attest_answer(struct attest *a, const struct cvtpm_challenge *challenge)
{
	if (!is_name(&challenge->ek, &a->bundle.item[CVTPM_BUNDLE_EK_PUBLIC]))
		return fail(
			a, CVTPM_ERR_POLICY,
			"the challenge was made for another EK: another TPM's, or another --ek");
	if (!is_name(&challenge->ak, &a->bundle.item[CVTPM_BUNDLE_AK]))
		return fail(a, CVTPM_ERR_POLICY,
			    "the challenge was made for another AK; give the file that was written "
			    "with the first bundle (--ak)");
	CVTPM_TRY(activate(a, &challenge->credential));
	return quote(a, challenge);
}
