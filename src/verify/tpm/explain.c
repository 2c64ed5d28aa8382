/*
 * Why a quoted PCR differs from what the logs give.
 *
 * One pass replays and compares after every entry, which finds a log that goes
 * on beyond the quote. Then, for a PCR with few enough entries, single changes
 * to the log are tried: hash values being what they are, a change that gives
 * exactly the quoted value is a proof.
 */
#include "verify/tpm/log.h"

#include <stdlib.h>
#include <string.h>

/* An entry of the PCR in question. */
struct entry {
	uint8_t digest[CVTPM_TPM_DIGEST_MAX];
	uint8_t other[CVTPM_TPM_DIGEST_MAX]; /* where `altered`: what it should have been */
	bool altered;                        /* digest and data contradict each other */
	bool has_other;
	struct cvtpm_log_place where;
};

/* About 40 KB, the same for every input. */
struct work {
	struct digester d;
	const uint8_t *quoted;
	uint8_t initial[CVTPM_TPM_DIGEST_MAX];
	uint8_t value[CVTPM_TPM_DIGEST_MAX];
	size_t count; /* entries of the PCR; kept are the first CVTPM_PCR_EXPLAIN_MAX */
	struct entry entry[CVTPM_PCR_EXPLAIN_MAX];
	struct cvtpm_log_place suspect; /* first that is altered, among all */
	bool no_bank;
	bool prefix_found; /* after `prefix` entries the value was the quoted one */
	size_t prefix;
	struct cvtpm_log_place beyond; /* the entry behind them */
};

static bool is_quoted(const struct work *w, const uint8_t *value)
{
	return memcmp(value, w->quoted, w->d.hash->size) == 0;
}

/* What a contradicting entry would have put into the PCR had its other half been true: TCG, the
 * hash of the data; IMA, the listed digest. */
static int other_digest(struct work *w, const struct cvtpm_log_event *event, struct entry *entry)
{
	entry->has_other = true;
	if (!event_is_ima(event))
		return tpm_digest(w->d.hash->alg, event->data.data, event->data.len, NULL, 0,
				  entry->other);
	entry->has_other = event->bank[0].alg == w->d.hash->alg;
	memcpy(entry->other, event->template_digest, sizeof(entry->other));
	return 0;
}

static int read_entry(struct work *w, const struct cvtpm_log_event *event, bool ima_padded,
		      const struct cvtpm_log_place *where, struct entry *entry)
{
	enum cvtpm_event_data data;

	*entry = (struct entry){.where = *where};
	TRY(event_digest(&w->d, event, ima_padded, entry->digest));
	TRY(cvtpm_log_check_data(event, &data));
	entry->altered = data == CVTPM_EVENT_DATA_DIFFERS;
	return entry->altered ? other_digest(w, event, entry) : 0;
}

static int take_entry(struct work *w, const struct cvtpm_log_event *event, bool ima_padded,
		      const struct cvtpm_log_place *where)
{
	struct entry spare;
	struct entry *entry = w->count < CVTPM_PCR_EXPLAIN_MAX ? &w->entry[w->count] : &spare;
	int rc = read_entry(w, event, ima_padded, where, entry);

	if (rc == CVTPM_TPM_LOG_NO_BANK) {
		w->no_bank = true;
		return 0;
	}
	TRY(rc);
	if (w->prefix_found && w->prefix == w->count)
		w->beyond = *where;
	if (entry->altered && !w->suspect.number)
		w->suspect = *where;
	w->count++;
	TRY(log_extend(&w->d, w->value, entry->digest));
	if (!w->prefix_found && is_quoted(w, w->value)) {
		w->prefix_found = true;
		w->prefix = w->count;
	}
	return 0;
}

static void set_initial(struct work *w, uint32_t pcr)
{
	if (pcr >= 17 && pcr <= 22)
		memset(w->initial, 0xFF, sizeof(w->initial));
}

static int start(struct work *w)
{
	memcpy(w->value, w->initial, sizeof(w->value));
	w->prefix_found = is_quoted(w, w->value);
	w->prefix = 0;
	return 0;
}

static int walk(struct work *w, const struct cvtpm_log_set *set, uint32_t pcr,
		struct cvtpm_log_place *where)
{
	struct set_reader reader;
	struct cvtpm_log_event event;
	int rc;

	set_initial(w, pcr);
	start(w);
	set_open(&reader, set);
	while ((rc = set_next(&reader, &event, where)) == 0) {
		if (event.locality > 0 && pcr == 0) {
			w->initial[w->d.hash->size - 1] = (uint8_t)event.locality;
			start(w);
		}
		if (event.extends && event.pcr == pcr)
			TRY(take_entry(w, &event, set->ima_padded, where));
	}
	return rc == CVTPM_ERR_NOT_FOUND ? 0 : rc;
}

/* ---- single changes ---- */

enum change { TAKE_OUT, EXCHANGE, REPLACE, REPLACE_ALL };

/* The digest in place `i` of the log, were it changed at place `at`; NULL: none. */
static const uint8_t *changed_digest(const struct work *w, enum change change, size_t at, size_t i)
{
	const struct entry *entry = &w->entry[i];

	switch (change) {
	case TAKE_OUT:
		return i == at ? NULL : entry->digest;
	case EXCHANGE:
		if (i == at || i == at + 1)
			return i == at ? w->entry[i + 1].digest : w->entry[i - 1].digest;
		return entry->digest;
	case REPLACE:
		return i == at ? entry->other : entry->digest;
	default:
		return entry->has_other ? entry->other : entry->digest;
	}
}

/* Whether the log, changed at place `at`, gives the quoted value. `before` is the value before
 * that entry. */
static int try_change(struct work *w, enum change change, size_t at, const uint8_t *before,
		      bool *gives)
{
	uint8_t value[CVTPM_TPM_DIGEST_MAX];

	memcpy(value, before, sizeof(value));
	for (size_t i = at; i < w->count; i++) {
		const uint8_t *digest = changed_digest(w, change, at, i);

		if (digest)
			TRY(log_extend(&w->d, value, digest));
	}
	*gives = is_quoted(w, value);
	return 0;
}

static bool is_possible(const struct work *w, enum change change, size_t at)
{
	switch (change) {
	case TAKE_OUT:
		return true;
	case EXCHANGE:
		return at + 1 < w->count;
	case REPLACE:
		return w->entry[at].has_other;
	default:
		/* From the first entry that contradicts itself; the values before are right. */
		return w->entry[at].has_other && w->entry[at].where.number == w->suspect.number &&
		       w->entry[at].where.log == w->suspect.log;
	}
}

static const struct {
	enum change change;
	enum cvtpm_pcr_outcome outcome;
} changes[] = {
	{REPLACE, CVTPM_PCR_ENTRY_ALTERED},
	{REPLACE_ALL, CVTPM_PCR_ENTRY_ALTERED},
	{TAKE_OUT, CVTPM_PCR_ENTRY_ADDED},
	{EXCHANGE, CVTPM_PCR_ENTRIES_SWAPPED},
};

static int try_changes(struct work *w, struct cvtpm_pcr_finding *finding)
{
	for (size_t k = 0; k < sizeof(changes) / sizeof(changes[0]); k++) {
		uint8_t before[CVTPM_TPM_DIGEST_MAX];

		memcpy(before, w->initial, sizeof(before));
		for (size_t at = 0; at < w->count; at++) {
			bool gives = false;

			if (is_possible(w, changes[k].change, at))
				TRY(try_change(w, changes[k].change, at, before, &gives));
			if (gives) {
				finding->outcome = changes[k].outcome;
				finding->where = w->entry[at].where;
				return 0;
			}
			TRY(log_extend(&w->d, before, w->entry[at].digest));
		}
	}
	return 0;
}

static int judge(struct work *w, struct cvtpm_pcr_finding *finding)
{
	finding->entries = w->count;
	finding->size = w->d.hash->size;
	memcpy(finding->replayed, w->value, sizeof(finding->replayed));
	finding->outcome = CVTPM_PCR_NOT_LOGGED;
	if (w->no_bank)
		return 0;
	finding->outcome = CVTPM_PCR_MATCHES;
	if (is_quoted(w, w->value))
		return 0;
	if (w->prefix_found) {
		finding->outcome = CVTPM_PCR_LOG_GOES_ON;
		finding->matching = w->prefix;
		finding->where = w->beyond;
		return 0;
	}
	finding->where = w->suspect;
	finding->outcome = w->suspect.number ? CVTPM_PCR_ENTRY_SUSPECTED : CVTPM_PCR_LOG_INCOMPLETE;
	return w->count <= CVTPM_PCR_EXPLAIN_MAX ? try_changes(w, finding) : 0;
}

int cvtpm_pcr_explain(const struct cvtpm_log_set *set, uint16_t alg, uint32_t pcr,
		      const uint8_t *quoted, struct cvtpm_pcr_finding *finding)
{
	struct work *w;
	struct cvtpm_log_place where = {0};
	int rc;

	*finding = (struct cvtpm_pcr_finding){.outcome = CVTPM_PCR_NOT_LOGGED};
	if (pcr >= CVTPM_PCR_COUNT)
		return CVTPM_ERR_PARAM;
	w = calloc(1, sizeof(*w));
	if (!w)
		return CVTPM_ERR_NO_MEMORY;
	w->quoted = quoted;
	rc = digester_init(&w->d, alg);
	if (!rc)
		rc = walk(w, set, pcr, &where);
	if (!rc)
		rc = judge(w, finding);
	else
		finding->where = where;
	digester_free(&w->d);
	free(w);
	return rc;
}

static const struct {
	const char *id, *text;
} outcomes[] = {
	[CVTPM_PCR_MATCHES] = {"matches", "the log gives the quoted value"},
	[CVTPM_PCR_NOT_LOGGED] = {"not-logged", "the log holds no digests of this bank"},
	[CVTPM_PCR_LOG_GOES_ON] = {"log-goes-on",
				   "the entries before this one give the quoted value: it was "
				   "logged after the quote was made, or added to the log"},
	[CVTPM_PCR_ENTRY_ADDED] = {"entry-added", "without this entry the log gives the quoted "
						  "value: the TPM was never told of it"},
	[CVTPM_PCR_ENTRY_ALTERED] = {"entry-altered",
				     "this entry contradicts itself, and with its other half the "
				     "log gives the quoted value: it was altered"},
	[CVTPM_PCR_ENTRIES_SWAPPED] =
		{"entries-swapped", "with this entry and the next one of the same PCR exchanged, "
				    "the log gives the quoted value"},
	[CVTPM_PCR_ENTRY_SUSPECTED] = {"entry-suspected",
				       "the first entry whose digest does not belong to its data; "
				       "it alone does not explain the quoted value"},
	[CVTPM_PCR_LOG_INCOMPLETE] = {"log-incomplete",
				      "no single entry explains it: entries are missing from the "
				      "log, or several were changed"},
};

static bool is_outcome(enum cvtpm_pcr_outcome outcome)
{
	return (size_t)outcome < sizeof(outcomes) / sizeof(outcomes[0]);
}

const char *cvtpm_pcr_outcome_id(enum cvtpm_pcr_outcome outcome)
{
	return is_outcome(outcome) ? outcomes[outcome].id : "unknown";
}

const char *cvtpm_pcr_outcome_text(enum cvtpm_pcr_outcome outcome)
{
	return is_outcome(outcome) ? outcomes[outcome].text : "unknown";
}
