/*
 * The owner's record: what it made, kept where no guest can write.
 *
 * NVRAM belongs to whoever has the TPM's authorities. What the owner vouched
 * for at manufacture is therefore written down beside the TPM's own state,
 * under the key "owner/record", and every later decision (does this EK
 * certificate get a report? may this key be made persistent again?) compares
 * with the record.
 *
 * On the wire: big-endian, in the order of write_fields() in record.c, which
 * begins with RECORD_VERSION. A record of another version is refused.
 */
#ifndef CVTPM_MANUFACTURE_RECORD_H
#define CVTPM_MANUFACTURE_RECORD_H

#include "cvtpm/ek_template.h"
#include "cvtpm/snp.h"

#define RECORD_KEY      "owner/record"
#define RECORD_VERSION  1
#define RECORD_MAX_SIZE 1024

#define CERTIFICATE_DIGEST_SIZE 64 /* SHA-512: it is REPORT_DATA of the ek-cert report, too */

/* One EK and the certificate that was made for it. */
struct record_ek {
	const struct cvtpm_ek_template *ek;
	uint8_t name[CVTPM_EK_NAME_MAX_SIZE]; /* the key's name */
	size_t name_len;
	uint16_t certificate_len;
	uint8_t certificate_digest[CERTIFICATE_DIGEST_SIZE];
};

struct record {
	bool evidence; /* reports were made; never changes afterwards */
	bool lab;      /* and they were the simulated AMD-SP's */
	uint64_t made; /* seconds since 1970-01-01 UTC, 0 where there was no calendar */
	uint8_t measurement[SNP_MEASUREMENT_SIZE]; /* of the guest that made it; zeros without
						      evidence */
	size_t count;
	struct record_ek eks[CVTPM_EK_COUNT];
};

/** Writes `record` to `out`; its length, or 0 when there is not enough room. */
size_t record_write(const struct record *record, uint8_t *out, size_t room);

/** CVTPM_ERR_FORMAT: not a record, or of another version. */
int record_read(struct record *record, const uint8_t *bytes, size_t len);

#endif
