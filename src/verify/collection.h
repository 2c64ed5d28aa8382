/*
 * A collection of RFC 9999 with a fixed set of labels, each a record of one
 * media type: read and written by the same table, so that a format reads like a
 * schema.
 */
#ifndef VERIFY_COLLECTION_H
#define VERIFY_COLLECTION_H

#include "cvtpm/evidence.h"

struct collection_label {
	const char *label;
	const char *type; /* media type */
	unsigned ind;     /* RFC 9999, 3.1: 2 endorsements, 4 evidence; 0: not given */
	size_t max;       /* bytes of its value */
	bool needed;
};

struct collection_format {
	const char *type; /* __cmwc_t */
	size_t count;
	const struct collection_label *labels; /* in the order of their encoded forms */
};

/* values[i] is that of labels[i]; data NULL: not there. CVTPM_ERR_FORMAT with `why`. */
int collection_read(const struct collection_format *format, struct cvtpm_bytes *values,
		    const uint8_t *data, size_t len, const char **why);
/* *len in: room, out: size. CVTPM_ERR_SIZE. */
int collection_write(const struct collection_format *format, const struct cvtpm_bytes *values,
		     uint8_t *out, size_t *len);

#endif
