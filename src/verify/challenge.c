/* Challenges: how one is made, and the three small files around it. */
#include "crypto/crypto.h"
#include "cvtpm/bundle.h"
#include "cvtpm/err.h"
#include "verify/collection.h"
#include "verify/pcrs_cbor.h"

#include <openssl/rand.h>
#include <string.h>

/* ---- making one ---- */

static int read_public(const struct cvtpm_bundle *bundle, enum cvtpm_bundle_item item,
		       const char *name, struct cvtpm_tpm_public *public, const char **which)
{
	const struct cvtpm_bytes *bytes = &bundle->item[item];

	*which = name;
	if (!bytes->data)
		return CVTPM_ERR_NOT_FOUND;
	return cvtpm_tpm2b_public_read(bytes->data, bytes->len, public);
}

static struct cvtpm_name name_of(const struct cvtpm_tpm_public *public)
{
	struct cvtpm_name name = {.len = public->name_len};

	memcpy(name.bytes, public->name, public->name_len);
	return name;
}

int cvtpm_challenge_make(const struct cvtpm_bundle *bundle, const struct cvtpm_pcr_choice *pcrs,
			 int64_t now, struct cvtpm_challenge *challenge,
			 struct cvtpm_challenge_secret *secret, const char **which)
{
	struct cvtpm_tpm_public ek, ak;

	int result = read_public(bundle, CVTPM_BUNDLE_AK, "ak", &ak, which);

	if (!result)
		result = read_public(bundle, CVTPM_BUNDLE_EK_PUBLIC, "ek-public", &ek, which);
	if (result)
		return result;
	*secret = (struct cvtpm_challenge_secret){
		.ak = name_of(&ak), .ek = name_of(&ek), .pcrs = *pcrs, .made_at = now};
	if (RAND_bytes(secret->nonce, sizeof(secret->nonce)) != 1 ||
	    RAND_priv_bytes(secret->secret, sizeof(secret->secret)) != 1)
		return CVTPM_ERR_ENTROPY;
	*challenge = (struct cvtpm_challenge){.ak = secret->ak, .ek = secret->ek, .pcrs = *pcrs};
	memcpy(challenge->nonce, secret->nonce, sizeof(challenge->nonce));
	return cvtpm_credential_make(&ek, ak.name, ak.name_len, secret->secret,
				     sizeof(secret->secret), &challenge->credential);
}

/* ---- what the files share ---- */

static struct cvtpm_bytes bytes_of(const uint8_t *data, size_t len)
{
	return (struct cvtpm_bytes){.data = data, .len = len};
}

static struct cvtpm_bytes bytes_of_name(const struct cvtpm_name *name)
{
	return bytes_of(name->bytes, name->len);
}

static void take_name(struct cvtpm_name *name, const struct cvtpm_bytes *bytes)
{
	name->len = bytes->len; /* the schema's maximum is that of the array */
	memcpy(name->bytes, bytes->data, bytes->len);
}

/* Copies a value that must have exactly `len` bytes. */
static bool take_exactly(uint8_t *out, size_t len, const struct cvtpm_bytes *bytes,
			 const char **why)
{
	if (bytes->len != len) {
		*why = "a value of another length";
		return false;
	}
	memcpy(out, bytes->data, len);
	return true;
}

#define TYPE_NAME   "application/x.tpm-name"
#define TYPE_OCTETS "application/octet-stream"
#define TYPE_CHOICE "application/x.tpm-pcr-choice+cbor"

/* ---- the challenge ---- */

enum { C_AK, C_EK, C_PCRS, C_NONCE, C_CREDENTIAL, C_ENCRYPTED_SECRET, C_ITEMS };

static const struct collection_label challenge_labels[C_ITEMS] = {
	[C_AK] = {"ak", TYPE_NAME, 0, CVTPM_TPM_NAME_MAX, true},
	[C_EK] = {"ek", TYPE_NAME, 0, CVTPM_TPM_NAME_MAX, true},
	[C_PCRS] = {"pcrs", TYPE_CHOICE, 0, PCR_CHOICE_MAX_SIZE, true},
	[C_NONCE] = {"nonce", TYPE_OCTETS, 0, CVTPM_CHALLENGE_SIZE, true},
	[C_CREDENTIAL] = {"credential", "application/x.tpm2b-id-object", 0,
			  sizeof(((struct cvtpm_credential *)0)->id_object), true},
	[C_ENCRYPTED_SECRET] = {"encrypted-secret", "application/x.tpm2b-encrypted-secret", 0,
				sizeof(((struct cvtpm_credential *)0)->secret), true},
};
static const struct collection_format challenge_format = {
	"urn:uuid:c20491e1-acd2-4ca8-ade0-250f0956c2a9", C_ITEMS, challenge_labels};

int cvtpm_challenge_write(const struct cvtpm_challenge *c, uint8_t *out, size_t *len)
{
	uint8_t pcrs[PCR_CHOICE_MAX_SIZE];
	size_t pcrs_len = sizeof(pcrs);

	CVTPM_TRY(pcr_choice_encode(&c->pcrs, pcrs, &pcrs_len));
	const struct cvtpm_bytes values[C_ITEMS] = {
		[C_EK] = bytes_of_name(&c->ek),
		[C_AK] = bytes_of_name(&c->ak),
		[C_PCRS] = bytes_of(pcrs, pcrs_len),
		[C_NONCE] = bytes_of(c->nonce, sizeof(c->nonce)),
		[C_CREDENTIAL] = bytes_of(c->credential.id_object, c->credential.id_object_len),
		[C_ENCRYPTED_SECRET] = bytes_of(c->credential.secret, c->credential.secret_len),
	};

	return collection_write(&challenge_format, values, out, len);
}

int cvtpm_challenge_read(struct cvtpm_challenge *c, const uint8_t *data, size_t len,
			 const char **why)
{
	struct cvtpm_bytes v[C_ITEMS];

	*c = (struct cvtpm_challenge){0};
	CVTPM_TRY(collection_read(&challenge_format, v, data, len, why));
	CVTPM_TRY(pcr_choice_decode(&c->pcrs, v[C_PCRS].data, v[C_PCRS].len, why));
	if (!take_exactly(c->nonce, sizeof(c->nonce), &v[C_NONCE], why))
		return CVTPM_ERR_FORMAT;
	take_name(&c->ek, &v[C_EK]);
	take_name(&c->ak, &v[C_AK]);
	c->credential.id_object_len = v[C_CREDENTIAL].len;
	memcpy(c->credential.id_object, v[C_CREDENTIAL].data, v[C_CREDENTIAL].len);
	c->credential.secret_len = v[C_ENCRYPTED_SECRET].len;
	memcpy(c->credential.secret, v[C_ENCRYPTED_SECRET].data, v[C_ENCRYPTED_SECRET].len);
	return 0;
}

/* ---- what the verifier keeps ---- */

enum { S_AK, S_EK, S_PCRS, S_NONCE, S_SECRET, S_MADE_AT, S_ITEMS };

static const struct collection_label secret_labels[S_ITEMS] = {
	[S_AK] = {"ak", TYPE_NAME, 0, CVTPM_TPM_NAME_MAX, true},
	[S_EK] = {"ek", TYPE_NAME, 0, CVTPM_TPM_NAME_MAX, true},
	[S_PCRS] = {"pcrs", TYPE_CHOICE, 0, PCR_CHOICE_MAX_SIZE, true},
	[S_NONCE] = {"nonce", TYPE_OCTETS, 0, CVTPM_CHALLENGE_SIZE, true},
	[S_SECRET] = {"secret", TYPE_OCTETS, 0, CVTPM_CHALLENGE_SIZE, true},
	[S_MADE_AT] = {"made-at", TYPE_OCTETS, 0, 8, true},
};
static const struct collection_format secret_format = {
	"urn:uuid:a925c730-9712-4029-b0c6-bb6e04891bb4", S_ITEMS, secret_labels};

int cvtpm_challenge_secret_write(const struct cvtpm_challenge_secret *s, uint8_t *out, size_t *len)
{
	uint8_t pcrs[PCR_CHOICE_MAX_SIZE], made_at[8];
	size_t pcrs_len = sizeof(pcrs);

	CVTPM_TRY(pcr_choice_encode(&s->pcrs, pcrs, &pcrs_len));
	for (size_t i = 0; i < sizeof(made_at); i++)
		made_at[i] = (uint8_t)((uint64_t)s->made_at >> 8 * (7 - i));
	const struct cvtpm_bytes values[S_ITEMS] = {
		[S_AK] = bytes_of_name(&s->ak),
		[S_EK] = bytes_of_name(&s->ek),
		[S_PCRS] = bytes_of(pcrs, pcrs_len),
		[S_NONCE] = bytes_of(s->nonce, sizeof(s->nonce)),
		[S_SECRET] = bytes_of(s->secret, sizeof(s->secret)),
		[S_MADE_AT] = bytes_of(made_at, sizeof(made_at)),
	};

	return collection_write(&secret_format, values, out, len);
}

int cvtpm_challenge_secret_read(struct cvtpm_challenge_secret *s, const uint8_t *data, size_t len,
				const char **why)
{
	struct cvtpm_bytes v[S_ITEMS];
	uint8_t made_at[8];
	uint64_t time = 0;

	*s = (struct cvtpm_challenge_secret){0};
	CVTPM_TRY(collection_read(&secret_format, v, data, len, why));
	CVTPM_TRY(pcr_choice_decode(&s->pcrs, v[S_PCRS].data, v[S_PCRS].len, why));
	if (!take_exactly(s->nonce, sizeof(s->nonce), &v[S_NONCE], why) ||
	    !take_exactly(s->secret, sizeof(s->secret), &v[S_SECRET], why) ||
	    !take_exactly(made_at, sizeof(made_at), &v[S_MADE_AT], why)) {
		cvtpm_wipe(s, sizeof(*s));
		return CVTPM_ERR_FORMAT;
	}
	for (size_t i = 0; i < sizeof(made_at); i++)
		time = time << 8 | made_at[i];
	s->made_at = (int64_t)time;
	take_name(&s->ak, &v[S_AK]);
	take_name(&s->ek, &v[S_EK]);
	return 0;
}

/* ---- the machine's AK ---- */

enum { A_PUBLIC, A_PRIVATE, A_EK_PUBLIC, A_ITEMS };

static const struct collection_label ak_labels[A_ITEMS] = {
	[A_PUBLIC] = {"public", "application/x.tpm2b-public", 0, 1024, true},
	[A_PRIVATE] = {"private", "application/x.tpm2b-private", 0, 2048, true},
	[A_EK_PUBLIC] = {"ek-public", "application/x.tpm2b-public", 0, 1024, true},
};
static const struct collection_format ak_format = {"urn:uuid:2146b78f-1345-4f2f-992e-9d0e777f21aa",
						   A_ITEMS, ak_labels};

int cvtpm_ak_file_write(const struct cvtpm_ak_file *ak, uint8_t *out, size_t *len)
{
	const struct cvtpm_bytes values[A_ITEMS] = {ak->public_area, ak->private_area,
						    ak->ek_public};

	return collection_write(&ak_format, values, out, len);
}

int cvtpm_ak_file_read(struct cvtpm_ak_file *ak, const uint8_t *data, size_t len, const char **why)
{
	struct cvtpm_bytes v[A_ITEMS];

	CVTPM_TRY(collection_read(&ak_format, v, data, len, why));
	*ak = (struct cvtpm_ak_file){v[A_PUBLIC], v[A_PRIVATE], v[A_EK_PUBLIC]};
	return 0;
}
