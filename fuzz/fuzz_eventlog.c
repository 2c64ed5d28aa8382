/*
 * Event logs of every format. The first byte chooses the format, the bank and
 * the PCR. What is read lies inside the log and in order; a PCR is explained by
 * the log that gives it; a log does not depart from itself.
 */
#include "cvtpm/err.h"
#include "cvtpm/tpm_evidence.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint16_t algs[] = {CVTPM_TPM_ALG_SHA1, CVTPM_TPM_ALG_SHA256, CVTPM_TPM_ALG_SHA384,
				CVTPM_TPM_ALG_SHA512};

static void must(bool true_always)
{
	if (!true_always)
		abort();
}

static int open_log(struct cvtpm_log *log, uint8_t how, const uint8_t *data, size_t size)
{
	switch (how & 3) {
	case 0:
		return cvtpm_log_open_ima_ascii(log, data, size);
	case 1:
		return cvtpm_log_open_ima_binary(log, data, size, algs[how >> 2 & 3]);
	default:
		return cvtpm_log_open_tcg(log, data, size);
	}
}

static void check_span(const struct cvtpm_log *log, struct cvtpm_span span)
{
	must(!span.len || (span.data >= log->bytes.data &&
			   span.data + span.len <= log->bytes.data + log->bytes.len));
}

static void check_event(const struct cvtpm_log *log, const struct cvtpm_log_event *event)
{
	enum cvtpm_event_data outcome;
	uint8_t digest[CVTPM_TPM_DIGEST_MAX];

	check_span(log, event->data);
	check_span(log, event->template_name);
	check_span(log, event->path);
	check_span(log, event->file_digest);
	check_span(log, event->file_digest_name);
	for (size_t i = 0; i < event->field_count; i++)
		check_span(log, event->field[i].bytes);
	must(!event->extends || event->pcr < CVTPM_PCR_COUNT);
	must(cvtpm_log_check_data(event, &outcome) == 0);
	for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++)
		must(cvtpm_log_event_digest(event, algs[i], false, digest) >= 0);
}

static int read_all(struct cvtpm_log log)
{
	struct cvtpm_log_event event;
	size_t number = 0, end = 0;
	int rc;

	while ((rc = cvtpm_log_next(&log, &event)) == 0) {
		must(event.number == ++number && event.offset == end && log.at > end);
		end = log.at;
		check_event(&log, &event);
	}
	must(rc > 0 || (rc == CVTPM_ERR_NOT_FOUND && end == log.bytes.len));
	must(cvtpm_log_next(&log, &event) == rc);
	return rc > 0 ? rc : 0;
}

static void explain(const struct cvtpm_log *log, uint16_t alg, uint32_t pcr, bool padded)
{
	struct cvtpm_log_set set = {.log = {log}, .count = 1, .ima_padded = padded};
	struct cvtpm_pcrs pcrs = {0};
	struct cvtpm_pcr_finding finding;
	struct cvtpm_log_place where, other;
	const uint8_t *value;

	must(cvtpm_pcrs_reset(&pcrs, alg) == 0);
	must(cvtpm_log_replay(&set, &pcrs, NULL) == 0);
	value = pcrs.bank[0].value[pcr];
	must(cvtpm_pcr_explain(&set, alg, pcr, value, &finding) == 0);
	must(finding.outcome ==
	     (pcrs.bank[0].given >> pcr & 1 ? CVTPM_PCR_MATCHES : CVTPM_PCR_NOT_LOGGED));
	pcrs.bank[0].value[pcr][1] ^= 1;
	must(cvtpm_pcr_explain(&set, alg, pcr, value, &finding) == 0);
	must(finding.outcome != CVTPM_PCR_MATCHES);
	must(cvtpm_log_find_altered_data(&set, &where) == 0);
	must(cvtpm_log_find_departure(log, log, alg, 0xFFFFFF, &where, &other) >= 0);
	must(where.number == other.number && where.offset == other.offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cvtpm_log log;

	if (size < 2 || open_log(&log, data[0], data + 2, size - 2) != 0)
		return 0;
	if (read_all(log) == 0)
		explain(&log, algs[data[0] >> 4 & 3], data[1] % CVTPM_PCR_COUNT, data[0] >> 7);
	return 0;
}
