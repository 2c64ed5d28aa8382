/*
 * The certificate table that a host puts beside reports (GHCB specification,
 * AMD 56421, 4.1.8.1): 24-byte entries of GUID, offset and length, ended by an
 * entry of zeros, then the blobs. Offsets count from the start of the table.
 *
 * The 16 bytes of a GUID stand in the order in which it is printed. (The
 * services manifest of the SVSM protocol has another order.)
 *
 * The host writes the table: nothing in it is trusted, and it must have been
 * copied out of shared memory before it is read.
 */
#ifndef CVTPM_SNP_CERTTABLE_H
#define CVTPM_SNP_CERTTABLE_H

#include <stddef.h>
#include <stdint.h>

#define SNP_GUID_SIZE            16
#define SNP_CERTTABLE_ENTRY_SIZE 24

extern const uint8_t snp_guid_vcek[SNP_GUID_SIZE]; /* 63da758d-e664-4564-adc5-f4b93be8accd */
extern const uint8_t snp_guid_vlek[SNP_GUID_SIZE]; /* a8074bc2-a25a-483e-aae6-39c045a0b8a1 */
extern const uint8_t snp_guid_ask[SNP_GUID_SIZE];  /* 4ab7b379-bbac-4fe4-a02f-05aef327c782 */
extern const uint8_t snp_guid_ark[SNP_GUID_SIZE];  /* c0b406a4-a803-4952-9743-3fb6014cd0ae */
extern const uint8_t snp_guid_crl[SNP_GUID_SIZE];  /* 92f81bc3-5811-4d3d-97ff-d19f88dc67ea */

/* One entry; `data` points into the table, or, for the writer, at the caller's bytes. */
struct snp_certtable_entry {
	const uint8_t *guid; /* SNP_GUID_SIZE bytes */
	const uint8_t *data; /* DER */
	size_t len;
};

/* A table that snp_certtable_begin() has found good. Points into the caller's bytes. */
struct snp_certtable {
	const uint8_t *bytes;
	size_t count; /* entries */
	size_t used;  /* bytes from the start to the end of the last blob, padding not counted */
};

/** Checks `len` bytes: there is an end entry, no blob is empty, reaches over the
 *  end or into the entries, no GUID comes twice. An empty table (len 0, or an end
 *  entry at once) is good and has `used` 0. CVTPM_ERR_FORMAT. */
int snp_certtable_begin(struct snp_certtable *table, const uint8_t *bytes, size_t len);

/** Entry `index`, below table->count. */
struct snp_certtable_entry snp_certtable_at(const struct snp_certtable *table, size_t index);

/** The entry with this GUID. CVTPM_ERR_NOT_FOUND. */
int snp_certtable_find(const struct snp_certtable *table, const uint8_t guid[SNP_GUID_SIZE],
		       struct snp_certtable_entry *entry);

/** Copies a table from `len` bytes that snp_certtable_begin() checks, without what is behind
 *  it. `*out_len` in: room at `out`, out: length of the table. CVTPM_ERR_FORMAT;
 *  CVTPM_ERR_SIZE: too little room, and `*out_len` is what is needed. */
int snp_certtable_copy(const uint8_t *bytes, size_t len, uint8_t *out, size_t *out_len);

/** Writes a table of `count` entries; `*len` in: room at `out`, out: length written.
 *  CVTPM_ERR_SIZE: too little room, and `*len` is what is needed. */
int snp_certtable_write(const struct snp_certtable_entry *entries, size_t count, uint8_t *out,
			size_t *len);

#endif
