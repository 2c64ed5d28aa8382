/*
 * cvtpm attest: the machine's side. Gathers what its TPM has to show into one
 * file for a remote verifier, and answers a challenge of that verifier's.
 */
#include "attest/attest.h"
#include "cli/attest.h"
#include "cli/cli.h"
#include "cli/files.h"
#include "crypto/crypto.h"
#include "cvtpm/err.h"
#include "verify/certs.h"

#include <argp.h>
#include <errno.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILES_MAX    32
#define DEFAULT_PCRS "sha256:0-15"
#define FIRMWARE_LOG "/sys/kernel/security/tpm0/binary_bios_measurements"
#define IMA_LOG      "/sys/kernel/security/ima/ascii_runtime_measurements"

struct arguments {
	const char *output, *tpm, *ak, *answer, *event_log, *ima_log;
	const char *certs[FILES_MAX];
	size_t cert_count;
	enum cvtpm_ek ek;
	struct cvtpm_pcr_choice pcrs;
	int several;
};

enum attest_option {
	OPTION_TPM = 1,
	OPTION_EK,
	OPTION_AK,
	OPTION_ANSWER,
	OPTION_PCRS,
	OPTION_EVENT_LOG,
	OPTION_IMA_LOG,
	OPTION_CERTS,
};

static const struct argp_option options[] = {
	{"output", 'o', "FILE", 0, "the bundle to write", 1},
	{"tpm", OPTION_TPM, "ADDRESS", 0,
	 "unix:PATH, tcp:HOST:PORT, mssim:HOST:PORT or device:PATH (default: /dev/tpmrm0, then "
	 "/dev/tpm0)",
	 1},
	{"ek", OPTION_EK, "NAME", 0,
	 "which endorsement key: rsa2048, p256, p384, rsa3072 (default: the first with a "
	 "certificate)",
	 1},
	{"ak", OPTION_AK, "FILE", 0,
	 "the attestation key: loaded from FILE, or made and kept there; only this TPM can use it",
	 1},
	{"answer", OPTION_ANSWER, "FILE", 0,
	 "a challenge of `cvtpm verify --challenge`, which was made for the AK of --ak", 1},
	{"pcrs", OPTION_PCRS, "LIST", 0,
	 "without a challenge: PCRs to show, as sha256:0-7,10+sha384:0 (default: " DEFAULT_PCRS ")",
	 2},
	{"event-log", OPTION_EVENT_LOG, "FILE", 0,
	 "the firmware's event log (default, with this machine's own TPM: " FIRMWARE_LOG
	 ", where it can be read)",
	 2},
	{"ima-log", OPTION_IMA_LOG, "FILE", 0,
	 "the kernel's list of IMA measurements (default, likewise: " IMA_LOG ")", 2},
	{"certs", OPTION_CERTS, "FILE...", 0,
	 "VCEK or VLEK, ASK or ASVK, for verifiers that have them not: DER, PEM, or a certificate "
	 "table",
	 2},
	{0},
};

static const char doc[] =
	"Gathers what a remote verifier needs of this machine's TPM into one file, a bundle; with "
	"--answer, proves to that verifier that the TPM is here and now.\v"
	"Example, two round trips with a verifier (V):\n"
	"  cvtpm attest --ak ak -o b1\n"
	"  V: cvtpm verify --bundle b1 --challenge c1 --challenge-secret s1 \\\n"
	"       --measurement 7f1c...\n"
	"  cvtpm attest --ak ak --answer c1 -o b2\n"
	"  V: cvtpm verify --bundle b2 --challenge-secret s1 --measurement 7f1c...\n"
	"\n"
	"Exit status: 0 written, 1 the challenge is for another key, 2 wrong usage or a fault.";

/* ---- arguments ---- */

bool cli_parse_ek(const char *name, enum cvtpm_ek *kind)
{
	const struct cvtpm_ek_template *ek;

	for (size_t i = 0; (ek = cvtpm_ek_template_at(i)); i++) {
		if (!strcmp(ek->option, name)) {
			*kind = ek->kind;
			return true;
		}
	}
	return false;
}

static error_t parse(int key, char *value, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key = cli_several(state, key, value, &a->several)) {
	case 'o':
		a->output = value;
		return 0;
	case OPTION_TPM:
		a->tpm = value;
		return 0;
	case OPTION_EK:
		if (!cli_parse_ek(value, &a->ek))
			argp_error(state, "--ek %s: there are rsa2048, p256, p384 and rsa3072",
				   value);
		return 0;
	case OPTION_AK:
		a->ak = value;
		return 0;
	case OPTION_ANSWER:
		a->answer = value;
		return 0;
	case OPTION_PCRS:
		if (!cvtpm_pcr_choice_parse(value, &a->pcrs))
			argp_error(state, "--pcrs %s: write it as sha256:0-7,10+sha384:0", value);
		return 0;
	case OPTION_EVENT_LOG:
		a->event_log = value;
		return 0;
	case OPTION_IMA_LOG:
		a->ima_log = value;
		return 0;
	case OPTION_CERTS:
		if (a->cert_count == FILES_MAX)
			argp_error(state, "more than %d files; put several certificates into one",
				   FILES_MAX);
		a->certs[a->cert_count++] = value;
		a->several = key;
		return 0;
	case ARGP_KEY_END:
		if (!a->output)
			argp_error(state, "no file to write: give -o FILE");
		if (a->answer && !a->ak)
			argp_error(state, "--answer needs --ak: the file that was written with the "
					  "first bundle");
		if (a->answer && a->pcrs.count)
			argp_error(state, "--pcrs: the challenge says which PCRs");
		if (!a->pcrs.count)
			cvtpm_pcr_choice_parse(DEFAULT_PCRS, &a->pcrs);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- the parts of the bundle ---- */

/* CLI_NO where a rule refuses, else a fault. */
static int say(const struct attest *attest, int err)
{
	cli_error("%s", attest->error[0] ? attest->error : cvtpm_strerror(err));
	return err == CVTPM_ERR_POLICY ? CLI_NO : CLI_FAULT;
}

static int take_certificates(struct attest *attest, struct cli_files *files,
			     const struct arguments *a)
{
	struct cert_list list = {.count = 0};
	BIO *pem = BIO_new(BIO_s_mem());
	int result = pem ? CLI_YES : CLI_FAULT;

	for (size_t i = 0; i < a->cert_count && result == CLI_YES; i++) {
		struct cvtpm_bytes bytes;
		const char *why = "";

		if (!cli_read_file(files, a->certs[i], &bytes)) {
			result = CLI_FAULT;
		} else if (certs_add(&list, &bytes, &why)) {
			cli_error("%s: %s", a->certs[i], why);
			result = CLI_FAULT;
		}
	}
	for (size_t i = 0; i < list.count && result == CLI_YES; i++)
		if (PEM_write_bio_X509(pem, list.certs[i]) != 1)
			result = CLI_FAULT;
	if (result == CLI_YES && list.count) {
		char *data;
		long len = BIO_get_mem_data(pem, &data);

		if (attest_add(attest, CVTPM_BUNDLE_CERTIFICATES, (const uint8_t *)data,
			       (size_t)len))
			result = CLI_FAULT;
	}
	BIO_free(pem);
	certs_free(&list);
	return result;
}

/* A log that was named must be there; the machine's own is taken where it can be. An empty one
 * says nothing. */
static bool take_log(struct attest *attest, struct cli_files *files, const char *named,
		     const char *usual, enum cvtpm_bundle_item item)
{
	const char *path = named ? named : usual;
	struct cvtpm_bytes bytes;

	if (!named && (!tpm_connection_is_local(attest->tpm) || access(usual, R_OK) < 0))
		return true;
	if (!cli_read_large_file(files, path, CVTPM_LOG_MAX_SIZE, &bytes))
		return false;
	if (bytes.len > CVTPM_LOG_MAX_SIZE) {
		cli_error("%s is larger than %zu MiB", path, CVTPM_LOG_MAX_SIZE >> 20);
		return false;
	}
	if (bytes.len)
		attest->bundle.item[item] = bytes;
	return true;
}

bool cli_take_logs(struct attest *attest, struct cli_files *files, const char *event_log,
		   const char *ima_log)
{
	return take_log(attest, files, event_log, FIRMWARE_LOG, CVTPM_BUNDLE_EVENT_LOG) &&
	       take_log(attest, files, ima_log, IMA_LOG, CVTPM_BUNDLE_IMA_LOG);
}

static int save_ak(const struct attest *attest, const char *path)
{
	const struct cvtpm_ak_file ak = attest_ak_file(attest);
	uint8_t out[8192];
	size_t len = sizeof out;

	if (cvtpm_ak_file_write(&ak, out, &len)) {
		cli_error("the AK is too large to be kept");
		return CLI_FAULT;
	}
	return cli_write_bytes(path, out, len, true) ? CLI_YES : CLI_FAULT;
}

static int open_ak(struct attest *attest, struct cli_files *files, const struct arguments *a)
{
	struct cvtpm_bytes file;
	int err, result;

	if (a->ak && (a->answer || access(a->ak, F_OK) == 0)) {
		if (!cli_read_file(files, a->ak, &file))
			return CLI_FAULT;
		err = attest_load_ak(attest, file.data, file.len);
		if (!err)
			return CLI_YES;
		result = err == CVTPM_ERR_POLICY ? CLI_NO : CLI_FAULT;
		cli_error("%s: %s", a->ak, attest->error);
		return result;
	}
	err = attest_create_ak(attest);
	if (err)
		return say(attest, err);
	return a->ak ? save_ak(attest, a->ak) : CLI_YES;
}

static int answer(struct attest *attest, struct cli_files *files, const char *path)
{
	struct cvtpm_challenge challenge;
	struct cvtpm_bytes file;
	const char *why = "";
	int err;

	if (!cli_read_file(files, path, &file))
		return CLI_FAULT;
	if (cvtpm_challenge_read(&challenge, file.data, file.len, &why)) {
		cli_error("%s is not a challenge of `cvtpm verify --challenge`: %s", path, why);
		return CLI_FAULT;
	}
	err = attest_answer(attest, &challenge);
	return err ? say(attest, err) : CLI_YES;
}

static int gather(struct attest *attest, struct cli_files *files, const struct arguments *a)
{
	int err = attest_read_identity(attest, a->ek), result;

	if (err)
		return say(attest, err);
	result = take_certificates(attest, files, a);
	if (result == CLI_YES)
		result = open_ak(attest, files, a);
	if (result != CLI_YES)
		return result;
	if (a->answer) {
		result = answer(attest, files, a->answer);
		if (result != CLI_YES)
			return result;
	} else {
		err = attest_read_pcrs(attest, &a->pcrs);
		if (err)
			return say(attest, err);
	}
	/* Last, so that the logs hold all that was quoted. */
	return cli_take_logs(attest, files, a->event_log, a->ima_log) ? CLI_YES : CLI_FAULT;
}

bool cli_encode_bundle(const struct attest *attest, uint8_t **data, size_t *len)
{
	*len = 0;
	(void)cvtpm_bundle_write(&attest->bundle, NULL, len);
	*data = malloc(*len);
	if (*data && !cvtpm_bundle_write(&attest->bundle, *data, len))
		return true;
	cli_error("out of memory");
	return false;
}

static int write_bundle(const struct attest *attest, const char *path)
{
	uint8_t *data;
	size_t len;
	bool good =
		cli_encode_bundle(attest, &data, &len) && cli_write_bytes(path, data, len, false);

	if (data) {
		cvtpm_wipe(data, len);
		free(data);
	}
	return good ? CLI_YES : CLI_FAULT;
}

static int run(const struct arguments *a)
{
	struct tpm_connection *tpm = malloc(sizeof *tpm);
	struct cli_files files = {.count = 0};
	struct attest attest;
	int result;

	if (!tpm) {
		cli_error("out of memory");
		return CLI_FAULT;
	}
	if (tpm_connection_open(tpm, a->tpm)) {
		cli_error("%s", tpm->error);
		free(tpm);
		return CLI_FAULT;
	}
	attest_open(&attest, tpm);
	result = gather(&attest, &files, a);
	if (result == CLI_YES)
		result = write_bundle(&attest, a->output);
	attest_close(&attest);
	tpm_connection_close(tpm);
	free(tpm);
	cli_free_files(&files);
	return result;
}

int cmd_attest(int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse, .doc = doc};
	struct arguments a = {0};

	argp_err_exit_status = CLI_FAULT;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &a))
		return CLI_FAULT;
	return run(&a);
}
