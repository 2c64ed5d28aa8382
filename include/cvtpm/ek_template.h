/*
 * The endorsement keys that cvtpm makes, and how one is recognised.
 *
 * An EK is made by TPM2_CreatePrimary under TPM_RH_ENDORSEMENT from a template
 * of the TCG EK Credential Profile 2.5 (L-1 and L-2 of the low range, H-3 and
 * H-6 of the high range), so that anybody can make the same key again from the
 * same seed. This file knows the templates and the places that belong to each.
 *
 * A report says nothing of the 64 bytes that it binds but their value. The
 * digest of a public area therefore vouches for an EK only if that area could
 * not have been chosen freely: cvtpm_ek_template_match() is that check, and a
 * verifier takes no EK without it.
 *
 * Freestanding, no state.
 */
#ifndef CVTPM_EK_TEMPLATE_H
#define CVTPM_EK_TEMPLATE_H

#include "cvtpm/instance.h"

#include <stddef.h>
#include <stdint.h>

/* The largest TPM2B_PUBLIC of an EK, size field included (RSA 3072). */
#define CVTPM_EK_PUBLIC_MAX_SIZE 460

/* The largest name of an EK: nameAlg and digest. */
#define CVTPM_EK_NAME_MAX_SIZE (2 + 48)

#define CVTPM_EK_COUNT 4

struct cvtpm_ek_template {
	enum cvtpm_ek kind;
	const char *name;           /* for people: "RSA 2048" */
	const char *option;         /* for command lines: "rsa2048" */
	const char *id;             /* in the EK Credential Profile: "L-1" */
	uint16_t type;              /* TPM_ALG_RSA 0x0001 or TPM_ALG_ECC 0x0023 */
	uint16_t name_alg;          /* TPM_ALG_SHA256 0x000B or TPM_ALG_SHA384 0x000C */
	uint16_t aes_bits;          /* of the symmetric algorithm for children */
	uint16_t detail;            /* RSA: bits of the modulus; ECC: TPM_ECC_CURVE */
	uint16_t size;              /* bytes of the modulus, or of a coordinate */
	bool zeros;                 /* unique is full of zeros in the template (low range) */
	uint32_t certificate_index; /* NV index of the EK certificate */
	uint32_t report_index;      /* NV index of the report bound to that certificate */
	uint32_t handle;            /* persistent handle of the EK */
};

/** The template at place `i`, 0 to CVTPM_EK_COUNT - 1, in ascending order of certificate
 *  index; NULL beyond. */
const struct cvtpm_ek_template *cvtpm_ek_template_at(size_t i);

/** The template of one EK; NULL if `kind` is not exactly one bit of enum cvtpm_ek. */
const struct cvtpm_ek_template *cvtpm_ek_template_of(enum cvtpm_ek kind);

/** Writes the template as TPMT_PUBLIC (without a size field), as inPublic of
 *  TPM2_CreatePrimary wants it; returns its length. */
size_t cvtpm_ek_template_write(const struct cvtpm_ek_template *ek,
			       uint8_t out[CVTPM_EK_PUBLIC_MAX_SIZE]);

/** Bytes of the TPM2B_PUBLIC (size field included) of an EK made from `ek`. */
size_t cvtpm_ek_public_size(const struct cvtpm_ek_template *ek);

/** The template from which the key with this public area was made: `tpm2b_public`
 *  are `len` bytes from anywhere, a TPM2B_PUBLIC with its size field. NULL unless
 *  they equal a template in every byte but those of `unique`, whose parts have
 *  exactly the length of the key, and nothing follows. */
const struct cvtpm_ek_template *cvtpm_ek_template_match(const uint8_t *tpm2b_public, size_t len);

/** The key inside a public area that cvtpm_ek_template_match() has accepted: RSA the
 *  modulus, ECC the x coordinate; ek->size bytes, big-endian. */
const uint8_t *cvtpm_ek_public_key(const struct cvtpm_ek_template *ek, const uint8_t *tpm2b_public);

/** The y coordinate of an ECC key, likewise. */
const uint8_t *cvtpm_ek_public_y(const struct cvtpm_ek_template *ek, const uint8_t *tpm2b_public);

/** The name of the key (nameAlg and digest of the TPMT_PUBLIC) with an accepted public
 *  area; `*name_len` becomes its length. CVTPM_ERR_CRYPTO. */
int cvtpm_ek_name(const struct cvtpm_ek_template *ek, const uint8_t *tpm2b_public,
		  uint8_t name[CVTPM_EK_NAME_MAX_SIZE], size_t *name_len);

#endif
