/*
 * Event logs against quoted PCRs. A log is only a list of claims; what makes it
 * evidence is that its replay ends in the values that the quote proves.
 */
#include "cvtpm/err.h"
#include "verify/checks.h"
#include "verify/machine.h"

#include <stdlib.h>
#include <string.h>

#define NAMED_MAX 24 /* entries that are named; more departures are counted */

static const char about_logs[] = "event log";

struct logs {
	struct cvtpm_log tcg, ima;
	struct cvtpm_log_set set;
	const char *about[2]; /* of set.log[i] */
	uint32_t judged;      /* PCRs that the logs have to explain */
	struct cvtpm_pcrs replayed;
	struct cvtpm_verification *v;
	size_t named;
};

/* ---- reading ---- */

static void refuse_log(struct logs *l, const char *about, int problem, size_t number, size_t offset)
{
	struct cvtpm_check *c = check_add(l->v, about, "event-log", "form",
					  problem > 0 ? CVTPM_CHECK_REFUSED : CVTPM_CHECK_UNKNOWN,
					  "nothing behind it can be read");

	check_expected(c, "entries to the end");
	check_found(c, "entry %zu at offset %zu: %s", number, offset,
		    cvtpm_tpm_problem_text(problem));
}

/* A binary entry begins with a little-endian PCR, so that its second byte is zero. */
int machine_open_ima(struct cvtpm_log *log, const struct cvtpm_bytes *bytes)
{
	if (bytes->len > 1 && bytes->data[1] == 0)
		return cvtpm_log_open_ima_binary(log, bytes->data, bytes->len, CVTPM_TPM_ALG_SHA1);
	return cvtpm_log_open_ima_ascii(log, bytes->data, bytes->len);
}

static bool add_log(struct logs *l, struct cvtpm_log *log, const char *about, int result,
		    uint32_t judged)
{
	if (result) {
		refuse_log(l, about, result, 1, 0);
		return false;
	}
	l->about[l->set.count] = about;
	l->set.log[l->set.count++] = log;
	l->judged |= judged;
	return true;
}

static bool open_logs(struct logs *l, const struct cvtpm_machine *m)
{
	const struct cvtpm_bytes *tcg = &m->event_log, *ima = &m->ima_log;
	bool good = true;

	if (tcg->data)
		good = add_log(l, &l->tcg, "event log",
			       cvtpm_log_open_tcg(&l->tcg, tcg->data, tcg->len), FIRMWARE_PCRS);
	if (ima->data)
		good = add_log(l, &l->ima, "IMA log", machine_open_ima(&l->ima, ima), IMA_PCRS) &&
		       good;
	return good;
}

/* Which PCRs the entries go into, and how many entries there are. */
static void count_entries(struct logs *l)
{
	for (size_t i = 0; i < l->set.count; i++) {
		struct cvtpm_log log = *l->set.log[i];
		struct cvtpm_log_event *event = calloc(1, sizeof(*event));
		struct cvtpm_check *c;

		while (event && !cvtpm_log_next(&log, event))
			if (event->extends)
				l->judged |= 1u << event->pcr;
		free(event);
		c = check_add(l->v, l->about[i], "event-log", "form", CVTPM_CHECK_OK,
			      "what the machine says that it measured");
		check_expected(c, "entries to the end");
		check_found(c, "%zu entries", log.number);
	}
}

static bool replay(struct logs *l, const struct cvtpm_quote *quote)
{
	struct cvtpm_log_place where = {0};
	int result = 0;

	for (size_t i = 0; i < quote->selection_count && !result; i++)
		if (cvtpm_tpm_digest_size(quote->selection[i].alg))
			result = cvtpm_pcrs_reset(&l->replayed, quote->selection[i].alg);
	if (!result)
		result = cvtpm_log_replay(&l->set, &l->replayed, &where);
	if (!result)
		return true;
	refuse_log(l, l->about[where.log < l->set.count ? where.log : 0], result, where.number,
		   where.offset);
	return false;
}

/* ---- one PCR ---- */

/* The IMA list may have grown since the quote was made; kernels before 5.8 pad digests. */
static int explain(const struct logs *l, uint16_t alg, uint32_t pcr, const uint8_t *quoted,
		   struct cvtpm_pcr_finding *finding)
{
	struct cvtpm_log_set padded = l->set;
	struct cvtpm_pcr_finding other;
	int result = cvtpm_pcr_explain(&l->set, alg, pcr, quoted, finding);

	padded.ima_padded = true;
	if (result || !(IMA_PCRS >> pcr & 1) || finding->outcome == CVTPM_PCR_MATCHES ||
	    finding->outcome == CVTPM_PCR_LOG_GOES_ON)
		return result;
	result = cvtpm_pcr_explain(&padded, alg, pcr, quoted, &other);
	if (!result &&
	    (other.outcome == CVTPM_PCR_MATCHES || other.outcome == CVTPM_PCR_LOG_GOES_ON))
		*finding = other;
	return result;
}

static bool is_explained(uint32_t pcr, const struct cvtpm_pcr_finding *finding)
{
	return finding->outcome == CVTPM_PCR_MATCHES ||
	       (finding->outcome == CVTPM_PCR_LOG_GOES_ON && (IMA_PCRS >> pcr & 1));
}

static void name_entry(struct logs *l, uint16_t alg, uint32_t pcr, const uint8_t *quoted,
		       const struct cvtpm_pcr_finding *f)
{
	char text[2 * CVTPM_TPM_DIGEST_MAX + 1];
	struct cvtpm_check *c;

	if (l->named++ >= NAMED_MAX)
		return;
	c = check_add(l->v, l->about[f->where.log < l->set.count ? f->where.log : 0],
		      "event-log-entry", "first entry that departs", CVTPM_CHECK_REFUSED,
		      "what is logged is not what was measured");
	hex_text(text, quoted, cvtpm_tpm_digest_size(alg));
	check_expected(c, "PCR %u (%s) %s, as quoted", pcr, cvtpm_tpm_hash_name(alg), text);
	if (f->where.number)
		check_found(c, "entry %zu at offset %zu: %s", f->where.number, f->where.offset,
			    cvtpm_pcr_outcome_text(f->outcome));
	else
		check_found(c, "%s", cvtpm_pcr_outcome_text(f->outcome));
}

/* ---- one bank ---- */

struct tally {
	uint32_t explained, departing, unlogged, foreign;
};

static void judge_pcr(struct logs *l, uint16_t alg, uint32_t pcr, const uint8_t *quoted,
		      struct tally *t)
{
	const struct cvtpm_bank_values *bank = cvtpm_pcrs_bank(&l->replayed, alg);
	struct cvtpm_pcr_finding finding;
	bool same = bank && (bank->given >> pcr & 1) &&
		    !memcmp(bank->value[pcr], quoted, cvtpm_tpm_digest_size(alg));
	uint32_t bit = 1u << pcr;

	if (same) {
		t->explained |= l->judged & bit;
		return;
	}
	if (!(l->judged & bit)) {
		t->foreign |= bit;
		return;
	}
	if (explain(l, alg, pcr, quoted, &finding)) {
		t->unlogged |= bit;
		return;
	}
	if (finding.outcome == CVTPM_PCR_NOT_LOGGED) {
		t->unlogged |= bit;
	} else if (is_explained(pcr, &finding)) {
		t->explained |= bit;
	} else {
		t->departing |= bit;
		name_entry(l, alg, pcr, quoted, &finding);
	}
}

/* True: this bank was judged, either way. */
static bool judge_bank(struct logs *l, const struct cvtpm_pcr_selection *selection,
		       struct quoted_pcrs *quoted)
{
	const struct cvtpm_bank_values *bank = cvtpm_pcrs_bank(&quoted->values, selection->alg);
	const char *name = cvtpm_tpm_hash_name(selection->alg);
	char list[PCR_LIST_SIZE], rest[PCR_LIST_SIZE];
	struct tally t = {0};
	struct cvtpm_check *c;

	for (uint32_t pcr = 0; bank && pcr < CVTPM_PCR_COUNT; pcr++)
		if (selection->mask >> pcr & 1)
			judge_pcr(l, selection->alg, pcr, bank->value[pcr], &t);
	c = check_add(l->v, about_logs, "event-log-pcrs", "replay against the quote",
		      t.departing                  ? CVTPM_CHECK_REFUSED
		      : !t.explained || t.unlogged ? CVTPM_CHECK_NOT_CHECKED
						   : CVTPM_CHECK_OK,
		      "the quote proves what the logs say");
	check_expected(c, "%s PCRs that follow from the logs", name);
	if (t.departing)
		check_found(c, "%s do not", pcr_list_text(list, t.departing));
	else if (t.unlogged)
		check_found(c, "the logs do not tell for %s", pcr_list_text(list, t.unlogged));
	else
		check_found(c, "%s do", t.explained ? pcr_list_text(list, t.explained) : "none");
	if (t.foreign) {
		c = check_add(l->v, about_logs, "event-log-beyond", "PCRs that no log speaks of",
			      CVTPM_CHECK_WARNING, "something was measured that is not explained");
		check_expected(c, "none");
		check_found(c, "%s %s", name, pcr_list_text(rest, t.foreign));
	}
	quoted->explained |= t.explained;
	return t.departing || (t.explained && !t.unlogged);
}

/* Data beside a digest that is not of it: measured, but described falsely. */
static void check_data(struct logs *l)
{
	struct cvtpm_log_place where = {0};
	int result = cvtpm_log_find_altered_data(&l->set, &where);
	bool good = !result && !where.number;
	struct cvtpm_check *c = check_add(l->v, where.number ? l->about[where.log] : about_logs,
					  "event-log-data", "data of the entries",
					  result         ? CVTPM_CHECK_UNKNOWN
					  : where.number ? CVTPM_CHECK_REFUSED
							 : CVTPM_CHECK_OK,
					  "an entry may be measured and yet described falsely");

	check_expected(c, "data that its digest is of");
	if (good)
		check_found(c, "so, where the type of the entry has it");
	else if (result)
		check_found(c, "%s", cvtpm_tpm_problem_text(result));
	else
		check_found(c, "entry %zu at offset %zu: other data", where.number, where.offset);
}

static void judge_logs(struct logs *l, struct quoted_pcrs *quoted)
{
	bool any = false;
	struct cvtpm_check *c;

	count_entries(l);
	if (!replay(l, &quoted->quote))
		return;
	for (size_t i = 0; i < quoted->quote.selection_count; i++)
		if (quoted->quote.selection[i].mask)
			any = judge_bank(l, &quoted->quote.selection[i], quoted) || any;
	if (!any) {
		c = check_add(l->v, about_logs, "event-log-banks", "a bank that both have",
			      CVTPM_CHECK_UNKNOWN, "a log is proven by quoted PCRs alone");
		check_expected(c, "PCRs in the quote that the logs explain");
		check_found(c, "none");
	}
	check_data(l);
}

void machine_check_logs(const struct cvtpm_machine *machine, struct quoted_pcrs *quoted,
			struct cvtpm_verification *v)
{
	struct logs *l;
	struct cvtpm_check *c;

	if (!machine->event_log.data && !machine->ima_log.data) {
		c = check_add(v, about_logs, "event-log", "event logs", CVTPM_CHECK_NOT_CHECKED,
			      "they say what the PCRs consist of");
		check_found(c, "none were given");
		return;
	}
	if (!quoted->proven) {
		c = check_add(v, about_logs, "event-log", "event logs", CVTPM_CHECK_UNKNOWN,
			      "a log is proven by quoted PCRs alone");
		check_expected(c, "PCR values that a quote proves");
		check_found(c, "none");
		return;
	}
	l = calloc(1, sizeof(*l));
	if (!l) {
		c = check_add(v, about_logs, "event-log", "event logs", CVTPM_CHECK_UNKNOWN,
			      "could not be judged here");
		check_found(c, "out of memory");
		return;
	}
	l->v = v;
	if (open_logs(l, machine))
		judge_logs(l, quoted);
	free(l);
}
