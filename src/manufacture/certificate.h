/*
 * The certificates that manufacture makes, as pure functions from facts to DER.
 *
 * Freestanding; no TPM, no store and no parsing here. Profiles: TCG EK
 * Credential Profile 2.x for the EK certificate, RFC 5755 and TCG Platform
 * Attribute Credential Profile for the platform certificate, RFC 5280 for the
 * per-boot issuer's, RFC 9999 for the extension that carries the report.
 */
#ifndef CVTPM_CERTIFICATE_H
#define CVTPM_CERTIFICATE_H

#include "crypto/crypto.h"
#include "cvtpm/instance.h"

#include <stddef.h>
#include <stdint.h>

/* Room enough for an EK certificate with report, claims and the certificate
 * table of any known processor inside (such tables take about 5 KB). */
#define CVTPM_CERTIFICATE_MAX_SIZE 12288

/* What the TPM says of itself (TPM2_GetCapability), for the subjectAltName and
 * the TPM specification attribute. Strings are NUL-terminated printable ASCII. */
struct cvtpm_tpm_facts {
	uint32_t manufacturer;     /* TPM_PT_MANUFACTURER */
	char vendor_string[17];    /* TPM_PT_VENDOR_STRING_1..4, joined: tpmModel */
	uint32_t firmware_version; /* TPM_PT_FIRMWARE_VERSION_1 */
	char family[5];            /* TPM_PT_FAMILY_INDICATOR, "2.0" */
	uint32_t level;            /* TPM_PT_LEVEL */
	uint32_t revision;         /* TPM_PT_REVISION, e.g. 159 */
	uint32_t nv_index_max;     /* TPM_PT_NV_INDEX_MAX, bytes */
};

/* The public key of an EK. Exactly one of the two parts is used, by `kind`. */
struct cvtpm_ek_key {
	enum cvtpm_ek kind;
	const uint8_t *modulus; /* RSA: big-endian, modulus_len bytes, exponent 65537 */
	size_t modulus_len;
	struct cvtpm_ecc_public ecc;
};

/* Evidence for the id-pe-cmw extension. `report` NULL: the certificate has no
 * such extension. With `table` or `claims` given the CMW is a collection, else
 * a record (docs/decisions.md, certificate). */
struct cvtpm_certificate_evidence {
	const uint8_t *report; /* SNP_REPORT_SIZE bytes */
	const uint8_t *table;  /* GHCB certificate table, or NULL */
	size_t table_len;
	bool claims; /* write the claims below */
	enum cvtpm_isolation isolation;
	const char *sealing;                     /* "memory", "plain", "sealed", "sealed-snp" */
	uint64_t rollback_floor;                 /* store generation at manufacture */
	const char *software, *software_version; /* EAT swname, swversion; iat is not_before */
};

#define CVTPM_SERIAL_SIZE 16

struct cvtpm_certificate_times {
	uint64_t not_before; /* seconds since 1970-01-01 UTC */
	uint64_t not_after;  /* 0: 99991231235959Z */
};

/** The EK certificate. `serial` is random; the top bit is cleared and a zero top
 *  byte set to 1, so that it is positive and of full length. `evidence` may be
 *  NULL. `*der_len` in: room, out: length.
 *
 *  CVTPM_ERR_SIZE: not enough room; `*der_len` is the length needed, exact if at
 *  least the part that is signed did fit, else with the longest signature that
 *  the issuer's curve can give (an ECDSA signature varies by a few bytes).
 *  CVTPM_ERR_PARAM: a key that is not of its kind, times in the wrong order or
 *  after the year 9999, facts that are empty or not printable, claims without
 *  their texts. CVTPM_ERR_UNSUPPORTED: an issuer with another curve than P-256
 *  and P-384. Otherwise the errors of issuer->sign. */
int cvtpm_certificate_ek(const struct cvtpm_issuer *issuer, const struct cvtpm_ek_key *key,
			 const struct cvtpm_tpm_facts *facts,
			 const struct cvtpm_certificate_evidence *evidence,
			 const uint8_t serial[CVTPM_SERIAL_SIZE],
			 const struct cvtpm_certificate_times *times, uint8_t *der,
			 size_t *der_len);

/* What a platform certificate says. Strings NUL-terminated UTF-8. */
struct cvtpm_platform_facts {
	const char *manufacturer; /* "cvtpm" */
	const char *model;        /* e.g. "SEV-SNP confidential virtual machine" */
	const char *version;
	const char *serial;  /* hex of the report's REPORT_ID, or NULL */
	const char *machine; /* without one, what stands in its place as serial number, or NULL */
};

/** The platform certificate (attribute certificate, version 2): its holder is
 *  the EK certificate `ek_serial` of the same issuer. Both serials are made
 *  positive as above. Texts may not be empty. Errors as above. */
int cvtpm_certificate_platform(const struct cvtpm_issuer *issuer,
			       const uint8_t ek_serial[CVTPM_SERIAL_SIZE],
			       const struct cvtpm_platform_facts *facts,
			       const uint8_t serial[CVTPM_SERIAL_SIZE],
			       const struct cvtpm_certificate_times *times, uint8_t *der,
			       size_t *der_len);

/* The per-boot issuer: a P-384 key, its self-signed CA certificate (CA:TRUE,
 * pathlen 0) and an issuer that signs with it. Begin, sign, end (which wipes
 * the key). `issuer.context` points into the struct: do not move it. */
struct cvtpm_boot_issuer {
	struct cvtpm_issuer issuer;
	struct cvtpm_ecc_key key;
	struct cvtpm_drbg *drbg;
	uint8_t name[128];
	uint8_t key_id[20];
	uint8_t certificate[1024];
};

/** Makes the key and its certificate. `drbg` must live until the end. On an
 *  error nothing of the key is left. Errors: those of the DRBG and of key
 *  generation; CVTPM_ERR_PARAM for wrong times. */
int cvtpm_boot_issuer_begin(struct cvtpm_boot_issuer *boot, struct cvtpm_drbg *drbg,
			    const struct cvtpm_certificate_times *times);
/** Wipes the key; from now on the issuer's sign answers CVTPM_ERR_STATE. Its
 *  name and certificate stay. */
void cvtpm_boot_issuer_end(struct cvtpm_boot_issuer *boot);

#endif
