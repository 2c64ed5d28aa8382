/* What the files of the simulated AMD-SP share. */
#ifndef CVTPM_AMDSP_INTERNAL_H
#define CVTPM_AMDSP_INTERNAL_H

#include "cvtpm/amdsp.h"
#include "snp/report.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

#define AMDSP_ROOT_SIZE 48

/* A chip: what makes one different from another. */
struct chip {
	enum cvtpm_amdsp_product product;
	uint8_t id[SNP_REPORT_CHIP_ID_SIZE]; /* a Turin: 8 bytes, then zeros */
	uint8_t tcb[8];                      /* TCB_VERSION in the product's layout */
};

struct cvtpm_amdsp_lab {
	char *dir;
	struct chip chip;
	EVP_PKEY *vcek;
	uint8_t root[AMDSP_ROOT_SIZE]; /* what derived keys come from */
	uint8_t *table;                /* GHCB certificate table: VCEK, ASK, ARK */
	size_t table_len;
};

/* ---- chain.c: keys and certificates in AMD's shape ---- */

enum { CHAIN_VCEK, CHAIN_ASK, CHAIN_ARK, CHAIN_SIZE };

struct chain {
	EVP_PKEY *key[CHAIN_SIZE];
	X509 *certificate[CHAIN_SIZE];
};

/* Makes keys and certificates for `chip`. CVTPM_ERR_CRYPTO; lab_chain_free() in any case. */
int lab_chain_make(const struct chip *chip, struct chain *chain);
void lab_chain_free(struct chain *chain);

/* The bytes that AMD calls HWID: how many of chip->id. */
size_t chip_hwid_size(const struct chip *chip);
enum snp_product chip_snp_product(const struct chip *chip);
struct snp_fms chip_fms(const struct chip *chip);

/* ---- files.c: a folder of small files ---- */

/* Makes `dir` and its parents, 0700, and opens it: a descriptor, or CVTPM_ERR_IO. */
int lab_folder_open(const char *dir);

/* Replaces file `name` in one step, mode 0600. CVTPM_ERR_IO. */
int lab_folder_write(int folder, const char *name, const void *data, size_t len);

/* Reads a file of at most `room` bytes. CVTPM_ERR_NOT_FOUND, CVTPM_ERR_SIZE, CVTPM_ERR_IO. */
int lab_folder_read(int folder, const char *name, uint8_t *out, size_t room, size_t *len);

#endif
