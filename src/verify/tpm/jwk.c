/* The RSA key of a JSON Web Key Set (RFC 7517, RFC 7518 6.3.1). */
#include "verify/tpm/internal.h"

#include <jansson.h>
#include <string.h>

static int base64url_value(char c)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

/* base64url without padding (RFC 7515, 2), one encoding for each value. */
static bool base64url_decode(const char *text, size_t len, uint8_t *out, size_t room,
			     size_t *out_len)
{
	uint32_t bits = 0;
	unsigned count = 0;

	*out_len = 0;
	for (size_t i = 0; i < len; i++) {
		int value = base64url_value(text[i]);

		if (value < 0)
			return false;
		bits = (bits << 6 | (uint32_t)value) & 0xFFFF;
		count += 6;
		if (count < 8)
			continue;
		count -= 8;
		if (*out_len == room)
			return false;
		out[(*out_len)++] = (uint8_t)(bits >> count);
	}
	return count < 6 && !(bits & ((1u << count) - 1));
}

static bool decode_member(const json_t *jwk, const char *name, uint8_t *out, size_t room,
			  size_t *len)
{
	const json_t *member = json_object_get(jwk, name);

	return json_is_string(member) &&
	       base64url_decode(json_string_value(member), json_string_length(member), out, room,
				len);
}

static bool member_is(const json_t *jwk, const char *name, const char *value)
{
	const char *text = json_string_value(json_object_get(jwk, name));

	return text && strcmp(text, value) == 0;
}

static int read_key(const json_t *jwk, struct cvtpm_tpm_key *out)
{
	static const uint8_t f4[3] = {1, 0, 1};
	uint8_t e[8];
	size_t e_len;

	if (!member_is(jwk, "kty", "RSA") || !decode_member(jwk, "e", e, sizeof(e), &e_len) ||
	    e_len != sizeof(f4) || memcmp(e, f4, sizeof(f4)) != 0 ||
	    !decode_member(jwk, "n", out->n, sizeof(out->n), &out->size))
		return CVTPM_TPM_JWK;
	if (out->size < 256)
		return CVTPM_TPM_KEY_WEAK;
	if (!(out->n[0] & 0x80) || !(out->n[out->size - 1] & 1))
		return CVTPM_TPM_JWK;
	out->type = CVTPM_TPM_ALG_RSA;
	return 0;
}

static const json_t *find_key(const json_t *set, const char *kid)
{
	const json_t *keys = json_object_get(set, "keys");
	const json_t *found = NULL;

	for (size_t i = 0; i < json_array_size(keys); i++) {
		const json_t *jwk = json_array_get(keys, i);

		if (!member_is(jwk, "kid", kid))
			continue;
		if (found)
			return NULL;
		found = jwk;
	}
	return found;
}

int cvtpm_tpm_key_from_jwk(const char *json, size_t len, const char *kid, struct cvtpm_tpm_key *out)
{
	json_t *set = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *jwk = find_key(set, kid);
	int rc;

	*out = (struct cvtpm_tpm_key){0};
	rc = jwk ? read_key(jwk, out) : CVTPM_TPM_JWK;
	json_decref(set);
	if (rc)
		*out = (struct cvtpm_tpm_key){0};
	return rc;
}
