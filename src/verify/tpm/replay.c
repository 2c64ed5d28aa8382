/* PCR values from event logs, and where two logs part. */
#include "verify/tpm/log.h"

#include <string.h>

static void apply_locality(struct cvtpm_pcrs *pcrs, int locality)
{
	for (size_t i = 0; i < pcrs->count; i++) {
		struct cvtpm_bank_values *bank = &pcrs->bank[i];

		bank->value[0][cvtpm_tpm_digest_size(bank->alg) - 1] = (uint8_t)locality;
	}
}

static int extend_bank(struct digester *d, struct cvtpm_bank_values *bank,
		       const struct cvtpm_log_event *event, bool ima_padded)
{
	uint8_t digest[CVTPM_TPM_DIGEST_MAX];
	int rc;

	if (!(bank->given >> event->pcr & 1))
		return 0;
	rc = event_digest(d, event, ima_padded, digest);
	if (rc == CVTPM_TPM_LOG_NO_BANK) {
		bank->given &= ~(1u << event->pcr); /* what it would be nobody can tell */
		return 0;
	}
	TRY(rc);
	return log_extend(d, bank->value[event->pcr], digest);
}

static int replay(const struct cvtpm_log_set *set, struct cvtpm_pcrs *pcrs,
		  struct digester *digesters, struct cvtpm_log_place *where)
{
	struct set_reader reader;
	struct cvtpm_log_event event;
	int rc;

	set_open(&reader, set);
	while ((rc = set_next(&reader, &event, where)) == 0) {
		if (event.locality >= 0)
			apply_locality(pcrs, event.locality);
		for (size_t i = 0; event.extends && i < pcrs->count; i++)
			TRY(extend_bank(&digesters[i], &pcrs->bank[i], &event, set->ima_padded));
	}
	return rc == CVTPM_ERR_NOT_FOUND ? 0 : rc;
}

int cvtpm_log_replay(const struct cvtpm_log_set *set, struct cvtpm_pcrs *pcrs,
		     struct cvtpm_log_place *where)
{
	struct digester digesters[CVTPM_PCR_BANKS_MAX] = {0};
	struct cvtpm_log_place place = {0};
	int rc = 0;

	for (size_t i = 0; !rc && i < pcrs->count; i++)
		rc = digester_init(&digesters[i], pcrs->bank[i].alg);
	if (!rc)
		rc = replay(set, pcrs, digesters, &place);
	for (size_t i = 0; i < CVTPM_PCR_BANKS_MAX; i++)
		digester_free(&digesters[i]);
	if (where)
		*where = rc ? place : (struct cvtpm_log_place){0};
	return rc;
}

int cvtpm_log_find_altered_data(const struct cvtpm_log_set *set, struct cvtpm_log_place *where)
{
	struct set_reader reader;
	struct cvtpm_log_event event;
	enum cvtpm_event_data outcome;
	int rc;

	*where = (struct cvtpm_log_place){0};
	set_open(&reader, set);
	while ((rc = set_next(&reader, &event, where)) == 0) {
		TRY(cvtpm_log_check_data(&event, &outcome));
		if (outcome == CVTPM_EVENT_DATA_DIFFERS)
			return 0;
	}
	if (rc != CVTPM_ERR_NOT_FOUND)
		return rc;
	*where = (struct cvtpm_log_place){0};
	return 0;
}

/* The next entry that matters; CVTPM_ERR_NOT_FOUND at the end. */
static int next_extending(struct cvtpm_log *log, uint32_t mask, struct cvtpm_log_event *event)
{
	do {
		TRY(cvtpm_log_next(log, event));
	} while (!event->extends || !(mask >> event->pcr & 1));
	return 0;
}

static struct cvtpm_log_place place_of(const struct cvtpm_log *log,
				       const struct cvtpm_log_event *event, int rc)
{
	if (rc == CVTPM_ERR_NOT_FOUND)
		return (struct cvtpm_log_place){0};
	if (rc)
		return (struct cvtpm_log_place){.number = log->number + 1, .offset = log->at};
	return (struct cvtpm_log_place){.number = event->number, .offset = event->offset};
}

static int same_event(struct digester *d, const struct cvtpm_log_event *a,
		      const struct cvtpm_log_event *b, bool *same)
{
	uint8_t digest[2][CVTPM_TPM_DIGEST_MAX];

	TRY(event_digest(d, a, false, digest[0]));
	TRY(event_digest(d, b, false, digest[1]));
	*same = a->pcr == b->pcr && a->type == b->type &&
		memcmp(digest[0], digest[1], d->hash->size) == 0;
	return 0;
}

static int find_departure(struct digester *d, struct cvtpm_log log, struct cvtpm_log reference,
			  uint32_t mask, struct cvtpm_log_place *where,
			  struct cvtpm_log_place *in_reference)
{
	struct cvtpm_log_event event, good;
	bool same = true;

	while (same) {
		int rc = next_extending(&log, mask, &event);
		int good_rc = next_extending(&reference, mask, &good);

		*where = place_of(&log, &event, rc);
		*in_reference = place_of(&reference, &good, good_rc);
		if (rc && rc != CVTPM_ERR_NOT_FOUND)
			return rc;
		if (good_rc && good_rc != CVTPM_ERR_NOT_FOUND)
			return good_rc;
		if (rc || good_rc)
			return 0;
		TRY(same_event(d, &event, &good, &same));
	}
	return 0;
}

int cvtpm_log_find_departure(const struct cvtpm_log *log, const struct cvtpm_log *reference,
			     uint16_t alg, uint32_t mask, struct cvtpm_log_place *where,
			     struct cvtpm_log_place *in_reference)
{
	struct digester d;
	int rc = digester_init(&d, alg);

	*where = *in_reference = (struct cvtpm_log_place){0};
	if (!rc)
		rc = find_departure(&d, *log, *reference, mask, where, in_reference);
	digester_free(&d);
	return rc;
}
