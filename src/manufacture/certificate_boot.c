/*
 * The per-boot issuer: a key that is made, signs, and is gone. Its certificate
 * is that of an RFC 5280 certification authority that signs itself.
 */
#include "manufacture/certificate_parts.h"

#include "crypto/mem.h"
#include "cvtpm/err.h"

/* Short, because it has to fit into EK certificates that have little room left. */
#define NAME_PREFIX "cvtpm per-boot "

/* ---- the issuer ---- */

/* It vouches for nothing, so it need not look at anything. */
static int approve_anything(void *context, const uint8_t *ek_public, size_t ek_public_len,
			    const uint8_t *report, const uint8_t *table, size_t table_len)
{
	(void)context, (void)ek_public, (void)ek_public_len;
	(void)report, (void)table, (void)table_len;
	return 0;
}

/* Ecdsa-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER } */
static int sign_with_boot_key(void *context, const uint8_t *tbs, size_t tbs_len, uint8_t *signature,
			      size_t *signature_len)
{
	struct cvtpm_boot_issuer *boot = context;
	struct cvtpm_ecdsa_signature ecdsa;
	size_t size = cvtpm_curve_size(CVTPM_P384);
	uint8_t digest[CVTPM_HASH_MAX_SIZE];
	struct der d;

	if (boot->drbg == NULL)
		return CVTPM_ERR_STATE;
	CVTPM_TRY(cvtpm_hash(CVTPM_SHA384, tbs, tbs_len, digest));
	CVTPM_TRY(cvtpm_ecdsa_sign(&boot->key, boot->drbg, digest, cvtpm_hash_size(CVTPM_SHA384),
				   &ecdsa));
	der_start(&d, signature, *signature_len);
	der_begin(&d, DER_SEQUENCE);
	der_integer(&d, ecdsa.r, size);
	der_integer(&d, ecdsa.s, size);
	der_end(&d);
	*signature_len = d.out.len;
	return der_finish(&d);
}

/* ---- its name and key identifier ---- */

/* RFC 7093, 2, method 1: the first 160 bits of SHA-256 over the public key. */
static int make_key_id(const struct cvtpm_ecc_public *key, uint8_t key_id[20])
{
	size_t size = cvtpm_curve_size(key->curve);
	uint8_t digest[CVTPM_HASH_MAX_SIZE];
	const struct cvtpm_octets parts[] = {{"\x04", 1}, {key->x, size}, {key->y, size}};

	CVTPM_TRY(cvtpm_hash_parts(CVTPM_SHA256, parts, sizeof parts / sizeof *parts, digest));
	memcpy(key_id, digest, 20);
	return 0;
}

/* CN=cvtpm per-boot and the first 32 bits of the key identifier, so that the
 * issuers of two boots differ by name. */
static int make_name(struct cvtpm_boot_issuer *boot)
{
	char common_name[sizeof NAME_PREFIX + 8] = NAME_PREFIX;
	char *digits = common_name + sizeof NAME_PREFIX - 1;
	struct der d;

	for (unsigned i = 0; i < 8; i++)
		digits[i] = "0123456789abcdef"[boot->key_id[i / 2] >> (i % 2 ? 0 : 4) & 15];
	der_start(&d, boot->name, sizeof boot->name);
	der_begin(&d, DER_SEQUENCE);
	certificate_rdn(&d, OID_COMMON_NAME, common_name);
	der_end(&d);
	boot->issuer.name_len = d.out.len;
	return der_finish(&d);
}

/* ---- its certificate ---- */

static void write_basic_constraints(struct der *d)
{
	certificate_extension_begin(d, OID_BASIC_CONSTRAINTS, true);
	der_begin(d, DER_SEQUENCE);
	der_true(d);    /* cA */
	der_uint(d, 0); /* pathLenConstraint */
	der_end(d);
	certificate_extension_end(d);
}

static void write_key_usage(struct der *d)
{
	certificate_extension_begin(d, OID_KEY_USAGE, true);
	der_named_bits(d, KEY_USAGE_KEY_CERT_SIGN);
	certificate_extension_end(d);
}

static void write_subject_key(struct der *d, const struct cvtpm_issuer *issuer)
{
	certificate_extension_begin(d, OID_SUBJECT_KEY_IDENTIFIER, false);
	der_element(d, DER_OCTET_STRING, issuer->key_id, issuer->key_id_len);
	certificate_extension_end(d);
}

static int make_certificate(struct cvtpm_boot_issuer *boot,
			    const struct cvtpm_certificate_times *times)
{
	const struct cvtpm_issuer *issuer = &boot->issuer;
	uint8_t serial[CVTPM_SERIAL_SIZE];
	struct der d;

	CVTPM_TRY(cvtpm_drbg_bytes(boot->drbg, serial, sizeof serial));
	certificate_start_x509(&d, boot->certificate, sizeof boot->certificate, issuer, serial,
			       times);
	der_raw(&d, issuer->name, issuer->name_len); /* subject: the issuer itself */
	certificate_ec_key(&d, &boot->key.public);
	der_begin(&d, DER_CONTEXT(3));
	der_begin(&d, DER_SEQUENCE); /* Extensions */
	write_basic_constraints(&d);
	write_key_usage(&d);
	write_subject_key(&d, issuer);
	der_end(&d);
	der_end(&d);
	der_end(&d);
	return certificate_sign(&d, issuer, &boot->issuer.certificate_len);
}

/* ---- begin and end ---- */

static int begin(struct cvtpm_boot_issuer *boot, const struct cvtpm_certificate_times *times)
{
	CVTPM_TRY(certificate_check(&boot->issuer, times));
	CVTPM_TRY(cvtpm_ecc_generate(CVTPM_P384, boot->drbg, &boot->key));
	CVTPM_TRY(make_key_id(&boot->key.public, boot->key_id));
	CVTPM_TRY(make_name(boot));
	return make_certificate(boot, times);
}

int cvtpm_boot_issuer_begin(struct cvtpm_boot_issuer *boot, struct cvtpm_drbg *drbg,
			    const struct cvtpm_certificate_times *times)
{
	int err;

	*boot = (struct cvtpm_boot_issuer){
		.drbg = drbg,
		.issuer = {.context = boot,
			   .curve = CVTPM_P384,
			   .name = boot->name,
			   .key_id = boot->key_id,
			   .key_id_len = sizeof boot->key_id,
			   .certificate = boot->certificate,
			   .approve = approve_anything,
			   .sign = sign_with_boot_key},
	};
	err = begin(boot, times);
	if (err < 0)
		cvtpm_boot_issuer_end(boot);
	return err;
}

void cvtpm_boot_issuer_end(struct cvtpm_boot_issuer *boot)
{
	cvtpm_wipe(&boot->key, sizeof boot->key);
	boot->drbg = NULL;
}
