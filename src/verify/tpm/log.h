/* Event logs, inside: the reader of each format, and the digests of an entry. */
#ifndef VERIFY_TPM_LOG_H
#define VERIFY_TPM_LOG_H

#include "verify/tpm/internal.h"

/* Little-endian bytes with a cursor, as both kinds of binary log are written. */
struct log_reader {
	const uint8_t *at;
	size_t left;
	bool bad; /* something was missing */
};

static inline const uint8_t *log_take_bytes(struct log_reader *r, size_t len)
{
	const uint8_t *bytes = r->at;

	if (r->bad || len > r->left) {
		r->bad = true;
		return NULL;
	}
	r->at += len;
	r->left -= len;
	return bytes;
}

static inline uint64_t log_take(struct log_reader *r, size_t size)
{
	const uint8_t *bytes = log_take_bytes(r, size);
	uint64_t number = 0;

	for (size_t i = size; bytes && i-- > 0;)
		number = number << 8 | bytes[i];
	return number;
}

/* A 32-bit length and as many bytes. */
static inline struct cvtpm_span log_take_sized(struct log_reader *r)
{
	size_t len = (size_t)log_take(r, 4);
	const uint8_t *bytes = log_take_bytes(r, len);

	return (struct cvtpm_span){bytes, bytes ? len : 0};
}

/* Read one entry at `r`, advancing it; log->number is still that of the entry before. */
int tcg_read(struct cvtpm_log *log, struct log_reader *r, struct cvtpm_log_event *event);
int ima_read_ascii(const struct cvtpm_log *log, struct log_reader *r,
		   struct cvtpm_log_event *event);
int ima_read_binary(const struct cvtpm_log *log, struct log_reader *r,
		    struct cvtpm_log_event *event);

/* Hash of what an IMA template digest is of. */
int ima_hash_template(struct digester *d, const struct cvtpm_log_event *event,
		      uint8_t digest[CVTPM_TPM_DIGEST_MAX]);

/* Compare an entry's digests with its data. */
int tcg_check_data(const struct cvtpm_log_event *event, enum cvtpm_event_data *outcome);
int ima_check_data(const struct cvtpm_log_event *event, enum cvtpm_event_data *outcome);

/* cvtpm_log_event_digest() with a digester at hand, for long logs. */
int event_digest(struct digester *d, const struct cvtpm_log_event *event, bool ima_padded,
		 uint8_t digest[CVTPM_TPM_DIGEST_MAX]);

static inline bool event_is_ima(const struct cvtpm_log_event *event)
{
	return event->format == CVTPM_LOG_IMA_ASCII || event->format == CVTPM_LOG_IMA_BINARY;
}

/* Walks through all logs of a set. */
struct set_reader {
	const struct cvtpm_log_set *set;
	size_t index;
	struct cvtpm_log log;
	bool pcr0_extended;
};

void set_open(struct set_reader *r, const struct cvtpm_log_set *set);
/* As cvtpm_log_next(); *where is of the entry, or of the bad one. */
int set_next(struct set_reader *r, struct cvtpm_log_event *event, struct cvtpm_log_place *where);

/* value = H(value || digest), as TPM2_PCR_Extend. */
int log_extend(struct digester *d, uint8_t value[CVTPM_TPM_DIGEST_MAX],
	       const uint8_t digest[CVTPM_TPM_DIGEST_MAX]);

#endif
