/*
 * What the three certificate profiles have in common: RFC 5280's building
 * blocks, written with der.h, and the signature that ends each of them.
 */
#ifndef CVTPM_CERTIFICATE_PARTS_H
#define CVTPM_CERTIFICATE_PARTS_H

#include "manufacture/certificate.h"
#include "manufacture/der.h"

/* Names: X.520 */
#define OID_COMMON_NAME "2.5.4.3"
/* Algorithms: RFC 8017, RFC 5480, RFC 5758 */
#define OID_RSA_ENCRYPTION    "1.2.840.113549.1.1.1"
#define OID_EC_PUBLIC_KEY     "1.2.840.10045.2.1"
#define OID_SECP256R1         "1.2.840.10045.3.1.7"
#define OID_SECP384R1         "1.3.132.0.34"
#define OID_ECDSA_WITH_SHA256 "1.2.840.10045.4.3.2"
#define OID_ECDSA_WITH_SHA384 "1.2.840.10045.4.3.3"
/* Certificate extensions: RFC 5280, 4.2 */
#define OID_SUBJECT_DIRECTORY_ATTRIBUTES "2.5.29.9"
#define OID_SUBJECT_KEY_IDENTIFIER       "2.5.29.14"
#define OID_KEY_USAGE                    "2.5.29.15"
#define OID_SUBJECT_ALT_NAME             "2.5.29.17"
#define OID_BASIC_CONSTRAINTS            "2.5.29.19"
#define OID_CERTIFICATE_POLICIES         "2.5.29.32"
#define OID_AUTHORITY_KEY_IDENTIFIER     "2.5.29.35"
#define OID_EXT_KEY_USAGE                "2.5.29.37"
/* RFC 9999: Conceptual Message Wrapper */
#define OID_PE_CMW "1.3.6.1.5.5.7.1.35"

/* KeyUsage, RFC 5280, 4.2.1.3: named bits */
#define KEY_USAGE_KEY_ENCIPHERMENT (1u << 2)
#define KEY_USAGE_KEY_AGREEMENT    (1u << 4)
#define KEY_USAGE_KEY_CERT_SIGN    (1u << 5)

/** 0 if certificates can be made for this issuer and these times, else
 *  CVTPM_ERR_UNSUPPORTED or CVTPM_ERR_PARAM. */
int certificate_check(const struct cvtpm_issuer *issuer,
		      const struct cvtpm_certificate_times *times);

/** Begins a signed structure: SEQUENCE { to be signed, algorithm, signature }.
 *  The next element is the one that certificate_sign() signs. */
void certificate_start(struct der *d, uint8_t *bytes, size_t room);

/** The same for a certificate of a public key, up to its validity: what follows is the
 *  subject, the key and the extensions, and one der_end(). */
void certificate_start_x509(struct der *d, uint8_t *bytes, size_t room,
			    const struct cvtpm_issuer *issuer,
			    const uint8_t serial[CVTPM_SERIAL_SIZE],
			    const struct cvtpm_certificate_times *times);

/** Ends it: signs the element that has been written, appends algorithm and
 *  signature, and sets `*len` as cvtpm_certificate_ek() says. */
int certificate_sign(struct der *d, const struct cvtpm_issuer *issuer, size_t *len);

/** AlgorithmIdentifier of the issuer's signatures. */
void certificate_algorithm(struct der *d, const struct cvtpm_issuer *issuer);
/** CertificateSerialNumber, positive and of full length. */
void certificate_serial(struct der *d, const uint8_t serial[CVTPM_SERIAL_SIZE]);
/** Validity, or AttCertValidityPeriod if `attribute_certificate`. */
void certificate_validity(struct der *d, const struct cvtpm_certificate_times *times,
			  bool attribute_certificate);
/** RelativeDistinguishedName of one attribute, a UTF8String. */
void certificate_rdn(struct der *d, const char *oid, const char *text);
/** SubjectPublicKeyInfo of an elliptic curve key. */
void certificate_ec_key(struct der *d, const struct cvtpm_ecc_public *key);

/** Opens an extension; what is written until the end is its value. */
void certificate_extension_begin(struct der *d, const char *oid, bool critical);
void certificate_extension_end(struct der *d);
/** The authorityKeyIdentifier extension, which names the issuer's key. */
void certificate_authority_key(struct der *d, const struct cvtpm_issuer *issuer);
/** The id-pe-cmw extension, if there is evidence. `issued_at` goes to the claims. */
void certificate_evidence(struct der *d, const struct cvtpm_certificate_evidence *evidence,
			  uint64_t issued_at);

#endif
