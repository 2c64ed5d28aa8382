/*
 * Keys, issuers and facts for the tests of certificates. Keys and issuers are
 * OpenSSL's, so that what is certified was not made by the code under test.
 */
#ifndef CVTPM_TESTS_CERTIFICATE_SAMPLES_H
#define CVTPM_TESTS_CERTIFICATE_SAMPLES_H

#include "manufacture/certificate.h"

#include <openssl/evp.h>

/* An EK outside any TPM. */
struct sample_ek {
	EVP_PKEY *pkey;
	struct cvtpm_ek_key key;
	uint8_t modulus[512];
};

/* A fresh EK of this kind; ended with sample_ek_end(). */
void sample_ek_begin(struct sample_ek *ek, enum cvtpm_ek kind);
void sample_ek_end(struct sample_ek *ek);

/* A certification authority of OpenSSL's with a key on this curve. */
struct sample_ca {
	EVP_PKEY *pkey;
	struct cvtpm_issuer issuer;
	uint8_t name[256], key_id[20], certificate[1024];
};

void sample_ca_begin(struct sample_ca *ca, enum cvtpm_curve curve);
void sample_ca_end(struct sample_ca *ca);

/* What libtpms answers about itself. */
extern const struct cvtpm_tpm_facts sample_facts;
extern const struct cvtpm_platform_facts sample_platform;
/* 2026-11-24 02:00:00 UTC, for ever. */
extern const struct cvtpm_certificate_times sample_times;

/* A report of the right size; its content is nobody's business here. */
extern uint8_t sample_report[SNP_REPORT_SIZE];
/* The size of a real table: ARK, ASK and VCEK of a Milan processor. */
extern uint8_t sample_table[4928];

enum sample_evidence { SAMPLE_NONE, SAMPLE_RECORD, SAMPLE_CLAIMS, SAMPLE_TABLE, SAMPLE_ALL };
/* Also fills sample_report and sample_table. */
struct cvtpm_certificate_evidence sample_evidence(enum sample_evidence which);

/* Entropy of the kernel, for cvtpm_drbg_begin(). */
int sample_entropy(void *context, uint8_t *out, size_t len);

#endif
