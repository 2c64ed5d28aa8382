/*
 * cvtpm verify --keylime: the ek_check_script of a Keylime tenant.
 *
 * The tenant starts it without arguments, with AGENT_UUID, EK (PEM), EK_TPM (base64
 * of TPM2B_PUBLIC) and EK_CERT (base64 of DER) in the environment, takes exit status
 * 0 for a yes and everything else for a no, and shows what was printed. So: status 0
 * is for a yes alone, and whatever happens, one line of ASCII is printed.
 *
 * That holds for crashes too: the work is done by a child process, and the parent,
 * which allocates nothing and looks at no evidence, prints its line, or says what
 * became of it.
 */
#include "cli/keylime.h"
#include "cli/cli.h"
#include "crypto/hex.h"
#include "cvtpm/err.h"
#include "host/whole.h"
#include "snp/report.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECONDS     300 /* longer than the patience of all requests to a KDS together */
#define SECONDS_MAX 86400
#define VALUE_MAX   65536 /* of a variable; the largest EK certificate is far below */
#define LINE_HEAD   "cvtpm: "

/* ---- the child: one line, one exit status ---- */

__attribute__((format(printf, 2, 3))) static int say(int status, const char *format, ...)
{
	char line[KEYLIME_LINE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	dprintf(STDOUT_FILENO, LINE_HEAD "%s\n", line);
	return status;
}

struct agent {
	const char *uuid;
	BIO *ek_pem;
	uint8_t ek_tpm[VALUE_MAX], certificate[VALUE_MAX];
	size_t ek_tpm_len, certificate_len;
};

static const char *variable(const char *name, int *status)
{
	const char *value = getenv(name);

	if (value && strlen(value) > VALUE_MAX)
		*status = say(CLI_NO, "refused: %s is larger than %d bytes", name, VALUE_MAX);
	else if (!value)
		*status =
			say(CLI_FAULT,
			    "fault: the environment has no %s: this is Keylime's ek_check_script, "
			    "to be run by keylime_tenant",
			    name);
	else
		return value;
	return NULL;
}

/* Base64 as the tenant writes it: one line, padded, nothing else in it. */
static bool decode(const char *name, uint8_t *out, size_t *out_len, int *status)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *text = variable(name, status);
	size_t len, used;

	if (!text)
		return false;
	len = strlen(text);
	used = strspn(text, digits);
	if (len == 0) {
		*status = say(CLI_NO, "refused: %s is empty: the agent sent none", name);
		return false;
	}
	if (len % 4 || len - used > 2 || strspn(text + used, "=") != len - used) {
		*status = say(CLI_NO, "refused: %s is not base64", name);
		return false;
	}
	EVP_DecodeBlock(out, (const unsigned char *)text, (int)len); /* never more than it takes */
	*out_len = len / 4 * 3 - (len - used);
	return true;
}

static bool agent_read(struct agent *agent, int *status)
{
	const char *pem;

	agent->uuid = variable("AGENT_UUID", status);
	if (!agent->uuid)
		return false;
	if (!keylime_uuid_is_plain(agent->uuid)) {
		*status =
			say(CLI_NO, "refused: AGENT_UUID is not 1 to 128 letters, digits, '-', '_' "
				    "and '.'");
		return false;
	}
	pem = variable("EK", status);
	if (!pem)
		return false;
	agent->ek_pem = BIO_new_mem_buf(pem, -1);
	return agent->ek_pem && decode("EK_TPM", agent->ek_tpm, &agent->ek_tpm_len, status) &&
	       decode("EK_CERT", agent->certificate, &agent->certificate_len, status);
}

/* EK and EK_TPM are the same key in two forms, and the verifier compares EK_TPM with the
 * certificate: so EK must be the certificate's key. */
static bool keys_are_one(const struct agent *agent)
{
	const unsigned char *der = agent->certificate;
	X509 *cert = d2i_X509(NULL, &der, (long)agent->certificate_len);
	EVP_PKEY *key = PEM_read_bio_PUBKEY(agent->ek_pem, NULL, NULL, NULL);
	bool same = cert && key && EVP_PKEY_eq(X509_get0_pubkey(cert), key) == 1;

	EVP_PKEY_free(key);
	X509_free(cert);
	return same;
}

/* ---- the key distribution service ---- */

struct fetched {
	struct cvtpm_kds_data vcek, chain, crl;
	char error[CVTPM_KDS_ERROR_SIZE]; /* of the first that failed */
};

static void fetch(const struct keylime_config *config, const struct cvtpm_report_facts *report,
		  struct fetched *f)
{
	char error[CVTPM_KDS_ERROR_SIZE];
	const char *product = NULL;
	struct cvtpm_kds *kds;
	bool vlek = false;
	int failed;

	if (cvtpm_kds_open(&config->kds, &kds, f->error))
		return;
	failed = cvtpm_kds_read_report(report->bytes, sizeof report->bytes, &product, &vlek);
	if (!product)
		product = config->kds_product;
	if (failed || !product) {
		snprintf(f->error, sizeof f->error,
			 "the report does not say which product made it: set \"product\" of "
			 "\"kds\"");
	} else {
		if (!vlek)
			cvtpm_kds_fetch_vcek(kds, report->bytes, sizeof report->bytes, product,
					     &f->vcek, f->error);
		if (cvtpm_kds_fetch_chain(kds, product, vlek, &f->chain, error) && !*f->error)
			memcpy(f->error, error, sizeof error);
		if (cvtpm_kds_fetch_crl(kds, product, vlek, &f->crl, error) && !*f->error)
			memcpy(f->error, error, sizeof error);
	}
	cvtpm_kds_close(kds);
}

static void add_fetched(struct cvtpm_bytes *list, size_t *count, const struct cvtpm_kds_data *data)
{
	if (data->data)
		list[(*count)++] = (struct cvtpm_bytes){.data = data->data, .len = data->len};
}

/* Asks for what is missing, once, and judges again. Evidence that is refused as it stands
 * asks nobody for anything. */
static int judge(struct keylime_config *config, struct cvtpm_evidence *evidence,
		 struct cvtpm_verification *v, struct fetched *f)
{
	CVTPM_TRY(cvtpm_verify_evidence(evidence, config->policy, v));
	if (!config->kds.base_url || v->answer == CVTPM_ANSWER_NO || !v->facts.report_count)
		return 0;
	fetch(config, &v->facts.reports[0], f);
	add_fetched(config->certs, &evidence->certificate_count, &f->vcek);
	add_fetched(config->certs, &evidence->certificate_count, &f->chain);
	add_fetched(config->crls, &evidence->crl_count, &f->crl);
	return cvtpm_verify_evidence(evidence, config->policy, v);
}

/* ---- the answer ---- */

static int pinned(const struct keylime_config *config, const struct agent *agent,
		  const struct cvtpm_verification *v, const char *summary)
{
	const uint8_t *report = v->facts.reports[0].bytes;
	char line[KEYLIME_LINE_SIZE], report_id[2 * SNP_REPORT_ID_SIZE + 1];

	if (!*config->pins)
		return say(CLI_YES, "%s", summary);
	if (v->facts.report_count != 1)
		return say(CLI_NO, "refused: not one report to compare with the pin");
	switch (keylime_pin_compare(config->pins, agent->uuid, report, line)) {
	case KEYLIME_PIN_KEPT:
		return say(CLI_YES, "%s; as pinned", summary);
	case KEYLIME_PIN_BROKEN:
		return say(CLI_NO, "refused: %s", line);
	case KEYLIME_PIN_FAULT:
		return say(CLI_FAULT, "fault: %s", line);
	case KEYLIME_PIN_MISSING:
		break;
	}
	switch (config->first_contact) {
	case KEYLIME_ACCEPT:
		return say(CLI_YES, "%s; not pinned", summary);
	case KEYLIME_RECORD:
		if (!keylime_pin_record(config->pins, agent->uuid, report, line))
			return say(CLI_FAULT, "fault: %s", line);
		return say(CLI_YES, "%s; pinned from now on", summary);
	case KEYLIME_REFUSE:
		break;
	}
	cvtpm_hex_write(report_id, report + SNP_REPORT_REPORT_ID, SNP_REPORT_ID_SIZE);
	return say(CLI_NO,
		   "refused: %s has no pin; if its REPORT_ID, %s, is known to be right, pin it in "
		   "%s/%s.json",
		   agent->uuid, report_id, config->pins, agent->uuid);
}

static int answer(const struct keylime_config *config, const struct agent *agent,
		  const struct cvtpm_verification *v, const struct fetched *f)
{
	char *summary = cvtpm_verification_summary(v);
	int status;

	if (!summary)
		return say(CLI_FAULT, "fault: out of memory");
	summary[strcspn(summary, "\n")] = '\0';
	if (v->answer == CVTPM_ANSWER_YES)
		status = pinned(config, agent, v, summary);
	else if (v->answer == CVTPM_ANSWER_UNKNOWN && !v->facts.report_count)
		status = say(CLI_UNKNOWN,
			     "verdict: could not tell: the EK certificate carries no attestation "
			     "report: a TPM without evidence, or none of cvtpm's");
	else if (v->answer == CVTPM_ANSWER_UNKNOWN && *f->error)
		status = say(CLI_UNKNOWN, "%.1000s; %s", summary, f->error);
	else
		status = say(v->answer == CVTPM_ANSWER_NO ? CLI_NO : CLI_UNKNOWN, "%s", summary);
	free(summary);
	return status;
}

static int check(struct keylime_config *config, struct agent *agent, struct cvtpm_verification *v)
{
	const char *path = getenv("CVTPM_KEYLIME_CONF");
	struct cvtpm_evidence evidence = {.certificates = config->certs, .crls = config->crls};
	char line[KEYLIME_LINE_SIZE];
	struct fetched f = {0};
	int status = CLI_FAULT;

	if (!agent_read(agent, &status))
		return status;
	if (!keylime_config_open(config, path ? path : KEYLIME_CONF, line))
		return say(CLI_FAULT, "fault: %s", line);
	evidence.certificate_count = config->cert_count;
	evidence.crl_count = config->crl_count;
	evidence.ek_certificate =
		(struct cvtpm_bytes){agent->certificate, agent->certificate_len, "EK_CERT"};
	evidence.ek_public = (struct cvtpm_bytes){agent->ek_tpm, agent->ek_tpm_len, "EK_TPM"};

	if (judge(config, &evidence, v, &f))
		status = say(CLI_FAULT,
			     "fault: the verifier failed: out of memory, or a lab root of "
			     "the policy is not one certificate");
	else if (v->answer == CVTPM_ANSWER_YES && !keys_are_one(agent))
		status = say(CLI_NO, "refused: EK and EK_CERT are not the same key");
	else
		status = answer(config, agent, v, &f);
	cvtpm_kds_data_free(&f.vcek);
	cvtpm_kds_data_free(&f.chain);
	cvtpm_kds_data_free(&f.crl);
	return status;
}

static int child(void)
{
	struct keylime_config *config = calloc(1, sizeof *config);
	struct agent *agent = calloc(1, sizeof *agent);
	struct cvtpm_verification *v = calloc(1, sizeof *v);
	int status = config && agent && v ? check(config, agent, v)
					  : say(CLI_FAULT, "fault: out of memory");

	if (config)
		keylime_config_close(config);
	if (agent)
		BIO_free(agent->ek_pem);
	free(config);
	free(agent);
	free(v);
	return status;
}

/* ---- the parent: no allocation, no evidence ---- */

struct words {
	char text[KEYLIME_LINE_SIZE];
	size_t len;
	bool whole; /* a line feed has come */
};

static void listen_to(struct words *words, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len && !words->whole; i++) {
		const unsigned char c = (unsigned char)bytes[i];

		words->whole = c == '\n';
		if (!words->whole && words->len < sizeof words->text - 1)
			words->text[words->len++] = c >= ' ' && c <= '~' ? (char)c : '?';
	}
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What the child says until it says no more; false: not in time. */
static bool hear(int fd, struct words *words, long seconds)
{
	const int64_t end = now_ms() + seconds * 1000;
	char bytes[1024];

	for (;;) {
		struct pollfd poller = {.fd = fd, .events = POLLIN};
		const int64_t left = end - now_ms();
		ssize_t n;

		if (left <= 0)
			return false;
		if (poll(&poller, 1, (int)left) <= 0)
			continue;
		n = read(fd, bytes, sizeof bytes);
		if (n > 0)
			listen_to(words, bytes, (size_t)n);
		else if (n == 0 || errno != EINTR)
			return true;
	}
}

/* The one line. Where it cannot be printed, nothing is a yes. */
__attribute__((format(printf, 2, 3))) static int finish(int status, const char *format, ...)
{
	char line[KEYLIME_LINE_SIZE + 256];
	size_t len;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof line - 1, format, arguments);
	va_end(arguments);
	len = strlen(line);
	line[len++] = '\n';
	return write_whole(STDOUT_FILENO, line, len) ? status : CLI_FAULT;
}

static int conclude(const struct words *words, int status)
{
	const bool line = words->whole && !strncmp(words->text, LINE_HEAD, strlen(LINE_HEAD));

	if (WIFSIGNALED(status))
		return finish(CLI_FAULT,
			      LINE_HEAD "fault: the check was ended by signal %d; refused",
			      WTERMSIG(status));
	if (!WIFEXITED(status) || !line || WEXITSTATUS(status) > CLI_UNKNOWN)
		return finish(CLI_FAULT,
			      LINE_HEAD "fault: the check failed (status %d); refused: %s",
			      WEXITSTATUS(status), words->len ? words->text : "it said nothing");
	return finish(WEXITSTATUS(status), "%s", words->text);
}

static bool read_seconds(long *seconds)
{
	const char *text = getenv("CVTPM_KEYLIME_SECONDS");
	char *end;

	*seconds = SECONDS;
	if (!text)
		return true;
	*seconds = strtol(text, &end, 10);
	return *text && !*end && *seconds > 0 && *seconds <= SECONDS_MAX;
}

/* In the child: stdout is the pipe, and what else is said belongs to it too: the first
 * line counts. stdin is nobody's. */
static void become_child(const int pipe_fd[2])
{
	const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(nothing, STDERR_FILENO) < 0 ||
	    dup2(pipe_fd[1], STDOUT_FILENO) < 0)
		_exit(CLI_FAULT);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	close(nothing);
}

int cmd_keylime(int argc, char **argv)
{
	struct words words = {.len = 0};
	int pipe_fd[2], status = 0;
	long seconds;
	bool heard;
	pid_t pid;

	(void)argv;
	/* A pipe must not become descriptor 1, or the child would answer itself. */
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    (fd == STDOUT_FILENO || open("/dev/null", O_RDWR) != fd))
			return CLI_FAULT;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	if (argc > 1)
		return finish(CLI_FAULT, LINE_HEAD
			      "fault: --keylime takes nothing else: the configuration is a file");
	if (!read_seconds(&seconds))
		return finish(CLI_FAULT, LINE_HEAD "fault: CVTPM_KEYLIME_SECONDS is not 1 to %d",
			      SECONDS_MAX);
	if (pipe2(pipe_fd, O_CLOEXEC) || (pid = fork()) < 0)
		return finish(CLI_FAULT, LINE_HEAD "fault: no process for the check: %s; refused",
			      strerror(errno));
	if (pid == 0) {
		become_child(pipe_fd);
		exit(child());
	}
	close(pipe_fd[1]);
	heard = hear(pipe_fd[0], &words, seconds);
	if (!heard)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return finish(CLI_FAULT, LINE_HEAD "fault: the check is lost; refused");
	if (!heard)
		return finish(CLI_FAULT, LINE_HEAD "fault: no answer after %ld s; refused",
			      seconds);
	return conclude(&words, status);
}
