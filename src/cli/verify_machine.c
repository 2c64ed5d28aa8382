#include "cli/verify_machine.h"

#include "cli/attest.h"
#include "cli/cli.h"
#include "crypto/crypto.h"
#include "cvtpm/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_PCRS "sha256:0-15"

const char *verify_machine_usage(const struct verify_machine *m)
{
	if (m->bundle && m->tpm)
		return "--bundle and --tpm: one of them";
	if (m->challenge && !m->bundle)
		return "--challenge is made for the machine of a --bundle";
	if (m->challenge && !m->challenge_secret)
		return "--challenge needs --challenge-secret FILE, where its secret is kept";
	if (m->challenge_secret && !m->bundle)
		return "--challenge-secret is for the answer in a --bundle";
	if (m->ek && !m->tpm)
		return "--ek chooses among the EKs of a --tpm";
	if (m->pcrs.count && !m->tpm && !m->challenge)
		return "--pcrs says what a --challenge or a --tpm is to quote";
	return NULL;
}

static struct cvtpm_pcr_choice pcrs_of(const struct verify_machine *m)
{
	struct cvtpm_pcr_choice pcrs = m->pcrs;

	if (!pcrs.count)
		cvtpm_pcr_choice_parse(DEFAULT_PCRS, &pcrs);
	return pcrs;
}

/* ---- the secret of a challenge ---- */

/* Nobody else may have read it, and it is used once: whoever removes the file has it. */
static int use_up_secret(struct verify_machine *m)
{
	uint8_t data[CVTPM_CHALLENGE_MAX_FILE + 1];
	const char *path = m->challenge_secret, *why = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), result = CLI_FAULT;
	struct stat st = {0};
	ssize_t n = -1;

	if (fd < 0 || fstat(fd, &st) < 0 || (n = read(fd, data, sizeof data)) < 0)
		cli_error("cannot read the secret of a challenge from %s: %s%s", path,
			  strerror(errno),
			  errno == ENOENT ? "; it is used once: make a new challenge" : "");
	else if (!S_ISREG(st.st_mode) || (st.st_mode & 077) || st.st_uid != geteuid())
		cli_error("the secret %s may be known to others (mode %o, owner %u): make a new "
			  "challenge",
			  path, (unsigned)(st.st_mode & 07777), (unsigned)st.st_uid);
	else if (cvtpm_challenge_secret_read(&m->kept, data, (size_t)n, &why))
		cli_error("%s is not what --challenge-secret has kept: %s", path, why);
	else if (unlink(path) < 0)
		cli_error("the secret %s cannot be removed, so it could be used again: %s", path,
			  strerror(errno));
	else
		result = CLI_YES;
	if (fd >= 0)
		close(fd);
	cvtpm_wipe(data, sizeof data);
	return result;
}

/* ---- a live TPM ---- */

/* Both round trips at once: the TPM is at hand. */
static int challenge_live(struct verify_machine *m, struct attest *attest)
{
	const struct cvtpm_pcr_choice pcrs = pcrs_of(m);
	struct cvtpm_challenge challenge;
	const char *which = "";
	int err = attest_create_ak(attest);

	if (!err) {
		err = cvtpm_challenge_make(&attest->bundle, &pcrs, (int64_t)time(NULL), &challenge,
					   &m->kept, &which);
		if (err) {
			cli_error("no challenge can be made for the %s of this TPM: %s", which,
				  cvtpm_tpm_problem_text(err));
			return CLI_FAULT;
		}
		err = attest_answer(attest, &challenge);
	}
	if (!err)
		return CLI_YES;
	cli_error("%s (--identity-only judges where the EK was born, and no more)", attest->error);
	return CLI_FAULT;
}

static int gather_live(struct verify_machine *m, struct attest *attest, struct cli_files *files,
		       bool identity_only)
{
	int result;

	if (attest_read_identity(attest, m->ek)) {
		cli_error("%s", attest->error);
		return CLI_FAULT;
	}
	if (!identity_only) {
		result = challenge_live(m, attest);
		if (result != CLI_YES)
			return result;
		if (!cli_take_logs(attest, files, NULL, NULL))
			return CLI_FAULT;
	}
	return cli_encode_bundle(attest, &m->live, &m->live_len) ? CLI_YES : CLI_FAULT;
}

static int open_live(struct verify_machine *m, struct cli_files *files, bool identity_only)
{
	struct tpm_connection *tpm = malloc(sizeof *tpm);
	struct attest attest;
	int result = CLI_FAULT;

	if (!tpm) {
		cli_error("out of memory");
		return CLI_FAULT;
	}
	if (tpm_connection_open(tpm, m->tpm)) {
		cli_error("%s", tpm->error);
	} else {
		attest_open(&attest, tpm);
		result = gather_live(m, &attest, files, identity_only);
		attest_close(&attest);
		tpm_connection_close(tpm);
	}
	free(tpm);
	return result;
}

/* ---- both ---- */

int verify_machine_open(struct verify_machine *m, struct cli_files *files,
			struct cvtpm_evidence *evidence, struct cvtpm_policy *policy)
{
	int result;

	if (m->bundle) {
		if (!cli_read_large_file(files, m->bundle, CVTPM_BUNDLE_MAX_SIZE,
					 &evidence->bundle))
			return CLI_FAULT;
		if (!m->challenge_secret || m->challenge)
			return CLI_YES;
		result = use_up_secret(m);
	} else if (m->tpm) {
		result = open_live(m, files, policy->identity_only);
		evidence->bundle =
			(struct cvtpm_bytes){.data = m->live, .len = m->live_len, .name = m->tpm};
		if (policy->identity_only)
			return result;
	} else {
		return CLI_YES;
	}
	policy->asked = &m->kept;
	return result;
}

static bool write_challenge(const struct verify_machine *m, const struct cvtpm_challenge *challenge,
			    const struct cvtpm_challenge_secret *secret)
{
	uint8_t out[CVTPM_CHALLENGE_MAX_FILE];
	size_t len = sizeof out;
	bool good = !cvtpm_challenge_secret_write(secret, out, &len) &&
		    cli_write_bytes(m->challenge_secret, out, len, true);

	cvtpm_wipe(out, sizeof out);
	len = sizeof out;
	return good && !cvtpm_challenge_write(challenge, out, &len) &&
	       cli_write_bytes(m->challenge, out, len, false);
}

int verify_machine_finish(const struct verify_machine *m, const struct cvtpm_evidence *evidence,
			  int answer)
{
	const struct cvtpm_pcr_choice pcrs = pcrs_of(m);
	struct cvtpm_challenge_secret secret;
	struct cvtpm_challenge challenge;
	struct cvtpm_bundle bundle;
	const char *why = "", *which = "";
	bool good;
	int err;

	if (!m->challenge || answer == CLI_FAULT)
		return answer;
	if (answer == CLI_NO) {
		cli_error("no challenge is made for a machine that is refused");
		return answer;
	}
	if (cvtpm_bundle_read(&bundle, evidence->bundle.data, evidence->bundle.len, &why))
		return CLI_NO; /* said among the checks */
	err = cvtpm_challenge_make(&bundle, &pcrs, (int64_t)time(NULL), &challenge, &secret,
				   &which);
	if (err) {
		cli_error("no challenge can be made for the %s of this bundle: %s", which,
			  err == CVTPM_ERR_NOT_FOUND ? "it is missing"
						     : cvtpm_tpm_problem_text(err));
		return err > 0 ? CLI_NO : CLI_FAULT;
	}
	good = write_challenge(m, &challenge, &secret);
	cvtpm_wipe(&secret, sizeof secret);
	if (!good)
		return CLI_FAULT;
	cli_error("the challenge is in %s; have it answered (cvtpm attest --answer), then verify "
		  "that bundle with --challenge-secret %s",
		  m->challenge, m->challenge_secret);
	return answer;
}

void verify_machine_close(struct verify_machine *m)
{
	if (m->live) {
		cvtpm_wipe(m->live, m->live_len);
		free(m->live);
	}
	cvtpm_wipe(&m->kept, sizeof m->kept);
}
