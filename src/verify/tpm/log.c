/* What event logs of all formats have in common. */
#include "verify/tpm/log.h"

#include <string.h>

int cvtpm_log_next(struct cvtpm_log *log, struct cvtpm_log_event *event)
{
	struct log_reader r = {log->bytes.data + log->at, log->bytes.len - log->at, false};
	struct cvtpm_log next = *log;
	int rc;

	if (!r.left)
		return CVTPM_ERR_NOT_FOUND;
	*event = (struct cvtpm_log_event){
		.format = log->format,
		.number = log->number + 1,
		.offset = log->at,
		.locality = -1,
		.extends = true,
	};
	switch (log->format) {
	case CVTPM_LOG_IMA_ASCII:
		rc = ima_read_ascii(log, &r, event);
		break;
	case CVTPM_LOG_IMA_BINARY:
		rc = ima_read_binary(log, &r, event);
		break;
	default:
		rc = tcg_read(&next, &r, event);
		break;
	}
	TRY(rc);
	next.at = log->bytes.len - r.left;
	next.number++;
	*log = next;
	return 0;
}

static int logged_digest(const struct cvtpm_log_event *event, const struct tpm_hash *hash,
			 uint8_t *digest)
{
	for (size_t i = 0; i < event->bank_count; i++) {
		if (event->bank[i].alg == hash->alg) {
			memcpy(digest, event->bank[i].digest, hash->size);
			return 0;
		}
	}
	return CVTPM_TPM_LOG_NO_BANK;
}

/* Linux before 5.8 hashed with SHA-1 alone, and filled up the other banks' digests. */
static int padded_digest(const struct cvtpm_log_event *event, uint8_t *digest)
{
	struct digester sha1;
	int rc = digester_init(&sha1, CVTPM_TPM_ALG_SHA1);

	memset(digest, 0, CVTPM_TPM_DIGEST_MAX);
	if (!rc)
		rc = ima_hash_template(&sha1, event, digest);
	digester_free(&sha1);
	return rc;
}

int event_digest(struct digester *d, const struct cvtpm_log_event *event, bool ima_padded,
		 uint8_t digest[CVTPM_TPM_DIGEST_MAX])
{
	if (!event_is_ima(event))
		return logged_digest(event, d->hash, digest);
	if (event->violation) {
		memset(digest, 0xFF, CVTPM_TPM_DIGEST_MAX);
		return 0;
	}
	if (ima_padded && d->hash->alg != CVTPM_TPM_ALG_SHA1)
		return padded_digest(event, digest);
	return ima_hash_template(d, event, digest);
}

int cvtpm_log_event_digest(const struct cvtpm_log_event *event, uint16_t alg, bool ima_padded,
			   uint8_t digest[CVTPM_TPM_DIGEST_MAX])
{
	struct digester d;
	int rc = digester_init(&d, alg);

	if (!rc)
		rc = event_digest(&d, event, ima_padded, digest);
	digester_free(&d);
	return rc;
}

int cvtpm_log_check_data(const struct cvtpm_log_event *event, enum cvtpm_event_data *outcome)
{
	*outcome = CVTPM_EVENT_DATA_NOT_HASHED;
	return event_is_ima(event) ? ima_check_data(event, outcome)
				   : tcg_check_data(event, outcome);
}

int log_extend(struct digester *d, uint8_t value[CVTPM_TPM_DIGEST_MAX],
	       const uint8_t digest[CVTPM_TPM_DIGEST_MAX])
{
	TRY(digester_start(d));
	TRY(digester_add(d, value, d->hash->size));
	TRY(digester_add(d, digest, d->hash->size));
	return digester_end(d, value);
}

/* ---- several logs one after the other ---- */

static void set_enter(struct set_reader *r)
{
	if (r->index < r->set->count)
		r->log = *r->set->log[r->index];
}

void set_open(struct set_reader *r, const struct cvtpm_log_set *set)
{
	*r = (struct set_reader){.set = set};
	set_enter(r);
}

int set_next(struct set_reader *r, struct cvtpm_log_event *event, struct cvtpm_log_place *where)
{
	int rc = CVTPM_ERR_NOT_FOUND;

	while (r->index < r->set->count) {
		rc = cvtpm_log_next(&r->log, event);
		if (rc != CVTPM_ERR_NOT_FOUND)
			break;
		r->index++;
		set_enter(r);
	}
	if (r->index == r->set->count)
		return CVTPM_ERR_NOT_FOUND;
	*where = (struct cvtpm_log_place){.log = r->index,
					  .number = r->log.number + (rc ? 1 : 0),
					  .offset = rc ? r->log.at : event->offset};
	TRY(rc);
	/* Each log checks this for itself; here, for a second log of the same PCR. */
	if (event->locality >= 0 && r->pcr0_extended)
		return CVTPM_TPM_LOG_LOCALITY;
	r->pcr0_extended |= event->extends && event->pcr == 0;
	return 0;
}
