#include "manufacture/certificate_parts.h"

#include "crypto/mem.h"
#include "cvtpm/err.h"

/* The longest SEQUENCE { r, s } of ECDSA: each an INTEGER with a leading zero. */
static size_t longest_signature(const struct cvtpm_issuer *issuer)
{
	return issuer->curve == CVTPM_P384 ? 2 + 2 * (2 + 49) : 2 + 2 * (2 + 33);
}

static uint64_t not_after(const struct cvtpm_certificate_times *times)
{
	return times->not_after != 0 ? times->not_after : DER_TIME_MAX;
}

int certificate_check(const struct cvtpm_issuer *issuer,
		      const struct cvtpm_certificate_times *times)
{
	if (issuer->curve != CVTPM_P256 && issuer->curve != CVTPM_P384)
		return CVTPM_ERR_UNSUPPORTED;
	if (times->not_before > not_after(times) || not_after(times) > DER_TIME_MAX)
		return CVTPM_ERR_PARAM;
	return 0;
}

/* ---- the frame: Certificate and AttributeCertificate are alike ---- */

/* The outer SEQUENCE is still open, with one octet kept for its length. */
#define TBS_OFFSET 2

void certificate_start(struct der *d, uint8_t *bytes, size_t room)
{
	der_start(d, bytes, room);
	der_begin(d, DER_SEQUENCE);
}

int certificate_sign(struct der *d, const struct cvtpm_issuer *issuer, size_t *len)
{
	uint8_t signature[CVTPM_SIGNATURE_MAX_SIZE] = {0};
	size_t signature_len = sizeof signature;

	/* What does not fit cannot be signed, only measured. */
	if (!octets_fit(&d->out))
		signature_len = longest_signature(issuer);
	else
		CVTPM_TRY(issuer->sign(issuer->context, d->out.bytes + TBS_OFFSET,
				       d->out.len - TBS_OFFSET, signature, &signature_len));
	certificate_algorithm(d, issuer);
	der_begin_bits(d);
	der_raw(d, signature, signature_len);
	der_end(d);
	der_end(d);
	*len = d->out.len;
	return der_finish(d);
}

/* ---- fields ---- */

/* RFC 5758, 3.2: no parameters. */
void certificate_algorithm(struct der *d, const struct cvtpm_issuer *issuer)
{
	der_begin(d, DER_SEQUENCE);
	der_oid(d, issuer->curve == CVTPM_P384 ? OID_ECDSA_WITH_SHA384 : OID_ECDSA_WITH_SHA256);
	der_end(d);
}

void certificate_serial(struct der *d, const uint8_t serial[CVTPM_SERIAL_SIZE])
{
	uint8_t positive[CVTPM_SERIAL_SIZE];

	memcpy(positive, serial, sizeof positive);
	positive[0] &= 0x7f;
	if (positive[0] == 0)
		positive[0] = 1;
	der_integer(d, positive, sizeof positive);
}

/* RFC 5280, 4.1.2.5; RFC 5755, 4.2.6 has GeneralizedTime only. */
void certificate_validity(struct der *d, const struct cvtpm_certificate_times *times,
			  bool attribute_certificate)
{
	void (*write)(struct der *, uint64_t) =
		attribute_certificate ? der_generalized_time : der_time;

	der_begin(d, DER_SEQUENCE);
	write(d, times->not_before);
	write(d, not_after(times));
	der_end(d);
}

void certificate_start_x509(struct der *d, uint8_t *bytes, size_t room,
			    const struct cvtpm_issuer *issuer,
			    const uint8_t serial[CVTPM_SERIAL_SIZE],
			    const struct cvtpm_certificate_times *times)
{
	certificate_start(d, bytes, room);
	der_begin(d, DER_SEQUENCE); /* TBSCertificate */
	der_begin(d, DER_CONTEXT(0));
	der_uint(d, 2); /* version v3 */
	der_end(d);
	certificate_serial(d, serial);
	certificate_algorithm(d, issuer);
	der_raw(d, issuer->name, issuer->name_len);
	certificate_validity(d, times, false);
}

void certificate_rdn(struct der *d, const char *oid, const char *text)
{
	der_begin(d, DER_SET); /* RelativeDistinguishedName */
	der_begin(d, DER_SEQUENCE);
	der_oid(d, oid);
	der_utf8(d, text);
	der_end(d);
	der_end(d);
}

/* RFC 5480, 2: named curve, uncompressed point. */
void certificate_ec_key(struct der *d, const struct cvtpm_ecc_public *key)
{
	size_t size = cvtpm_curve_size(key->curve);

	der_begin(d, DER_SEQUENCE); /* SubjectPublicKeyInfo */
	der_begin(d, DER_SEQUENCE); /* algorithm */
	der_oid(d, OID_EC_PUBLIC_KEY);
	der_oid(d, key->curve == CVTPM_P384 ? OID_SECP384R1 : OID_SECP256R1);
	der_end(d);
	der_begin_bits(d); /* subjectPublicKey */
	der_raw(d, &(uint8_t){0x04}, 1);
	der_raw(d, key->x, size);
	der_raw(d, key->y, size);
	der_end(d);
	der_end(d);
}

/* ---- extensions ---- */

void certificate_extension_begin(struct der *d, const char *oid, bool critical)
{
	der_begin(d, DER_SEQUENCE); /* Extension */
	der_oid(d, oid);
	if (critical)
		der_true(d);
	der_begin(d, DER_OCTET_STRING); /* extnValue */
}

void certificate_extension_end(struct der *d)
{
	der_end(d);
	der_end(d);
}

/* RFC 5280, 4.2.1.1: not critical. */
void certificate_authority_key(struct der *d, const struct cvtpm_issuer *issuer)
{
	certificate_extension_begin(d, OID_AUTHORITY_KEY_IDENTIFIER, false);
	der_begin(d, DER_SEQUENCE);
	der_element(d, DER_CONTEXT_PRIMITIVE(0), issuer->key_id, issuer->key_id_len);
	der_end(d);
	certificate_extension_end(d);
}
