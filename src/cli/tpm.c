#include "cli/tpm.h"

#include "cli/cli.h"
#include "crypto/crypto.h"
#include "crypto/hex.h"
#include "cvtpm/err.h"
#include "cvtpm/serve.h"
#include "cvtpm/snp_providers.h"
#include "cvtpm/stores.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- the platform's callbacks ---- */

static int platform_entropy(void *context, uint8_t *out, size_t len)
{
	(void)context;
	while (len > 0) {
		const ssize_t n = getrandom(out, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return CVTPM_ERR_ENTROPY;
		out += n;
		len -= (size_t)n;
	}
	return 0;
}

static uint64_t platform_clock_ms(void *context)
{
	struct timespec ts;

	(void)context;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static uint64_t platform_time_of_day(void *context)
{
	(void)context;
	return (uint64_t)time(NULL);
}

static void platform_log(void *context, enum cvtpm_log_level level, const char *line)
{
	const struct cli_tpm *tpm = context;

	switch (level) {
	case CVTPM_LOG_INFO:
		if (tpm->errors_only)
			break;
		/* fall through */
	case CVTPM_LOG_ERROR:
		cli_error("%s", line);
		break;
	case CVTPM_LOG_WARN:
		cli_error("warning: %s", line);
		break;
	case CVTPM_LOG_DEBUG:
		break;
	}
}

static bool platform_cancelled(void *context)
{
	struct cli_tpm *tpm = context;

	return atomic_load(&tpm->cancelled);
}

static bool platform_physical_presence(void *context)
{
	struct cli_tpm *tpm = context;

	return atomic_load(&tpm->physical_presence);
}

/* ---- where reports come from ---- */

static int open_lab(struct cli_tpm *tpm, const char *dir)
{
	const struct cvtpm_amdsp_lab_options options = {.log = platform_log, .log_context = tpm};
	int err = cvtpm_amdsp_lab_open_with(dir, &options, &tpm->lab);

	if (err == CVTPM_ERR_NOT_FOUND && !dir)
		cli_error("neither HOME nor XDG_STATE_HOME says where the lab is: name its folder "
			  "with --lab-dir");
	if (err < 0) /* the lab has said why */
		return CLI_FAULT;
	err = cvtpm_amdsp_provider_launch(tpm->lab, NULL, &tpm->provider);
	if (err == 0)
		return 0;
	cli_error("the lab's simulated AMD-SP in %s cannot be started: %s%s%s; name another folder "
		  "with --lab-dir",
		  cvtpm_amdsp_lab_dir(tpm->lab), cvtpm_strerror(err),
		  err == CVTPM_ERR_IO ? ": " : "", err == CVTPM_ERR_IO ? strerror(errno) : "");
	return CLI_FAULT;
}

static int open_device(struct cli_tpm *tpm)
{
	const int err = cvtpm_snp_provider_detect(&tpm->provider);

	if (err == 0 || err == CVTPM_ERR_NOT_FOUND)
		return 0;
	cli_error(
		"this is a SEV-SNP guest, but its reports cannot be had: %s%s%s; run as root or be "
		"given access to the device",
		cvtpm_strerror(err), err == CVTPM_ERR_IO ? ": " : "",
		err == CVTPM_ERR_IO ? strerror(errno) : "");
	return CLI_FAULT;
}

/* Says what evidence there will be; decides by the state's kind. */
static void settle_evidence(struct cli_tpm *tpm, bool exportable)
{
	const enum cvtpm_store_kind kind = tpm->platform.store->kind;
	const bool readable = kind == CVTPM_STORE_PLAIN || kind == CVTPM_STORE_SEALED;

	if (exportable) {
		cli_error("this TPM carries no TEE evidence, so that its control channel may save "
			  "and move it; with --evidence it cannot be exported");
		return;
	}
	if (!tpm->provider) {
		cli_error("no SEV-SNP device and no --lab: this TPM carries no TEE evidence");
		return;
	}
	if (tpm->provider->lab) {
		cli_error(
			"LAB: reports come from a simulated AMD-SP (%s) and prove nothing outside "
			"this laboratory",
			cvtpm_amdsp_lab_dir(tpm->lab));
	} else if (readable) {
		cli_error("this TPM carries no TEE evidence: its state can be read from outside "
			  "the guest; "
			  "use --seal snp, or no --state");
		return;
	} else if (tpm->provider->isolation == CVTPM_ISOLATION_PROCESS) {
		cli_error("reports come from %s: this TPM is as trustworthy as root in this guest, "
			  "no more",
			  tpm->provider->name);
	}
	tpm->config.provider = tpm->provider;
}

/* ---- where the state is ---- */

/* 32 bytes, or 64 hexadecimal digits with or without a line feed. */
static bool key_decode(const uint8_t *text, size_t len, uint8_t key[CVTPM_STORE_KEY_SIZE])
{
	if (len == CVTPM_STORE_KEY_SIZE) {
		memcpy(key, text, len);
		return true;
	}
	if (len == 2 * CVTPM_STORE_KEY_SIZE + 1 && text[len - 1] == '\n')
		len--;
	if (len != 2 * CVTPM_STORE_KEY_SIZE)
		return false;
	return cvtpm_hex_read((const char *)text, key, CVTPM_STORE_KEY_SIZE);
}

static int key_from_file(const char *path, uint8_t key[CVTPM_STORE_KEY_SIZE])
{
	uint8_t text[2 * CVTPM_STORE_KEY_SIZE + 2];
	struct stat st;
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || (n = read(fd, text, sizeof text)) < 0) {
		cli_error("the key file %s cannot be read: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return CLI_FAULT;
	}
	close(fd);
	const bool decoded = key_decode(text, (size_t)n, key);

	cvtpm_wipe(text, sizeof text);
	if (st.st_mode & 077) {
		cli_error("others may read the key file %s (mode %o): chmod 600 it", path,
			  (unsigned)(st.st_mode & 07777));
		return CLI_FAULT;
	}
	if (!decoded) {
		cli_error("the key file %s must hold 32 bytes or 64 hexadecimal digits: make one "
			  "with "
			  "`head -c 32 /dev/urandom`",
			  path);
		return CLI_FAULT;
	}
	return 0;
}

static int key_from_snp(struct cli_tpm *tpm, uint8_t key[CVTPM_STORE_KEY_SIZE])
{
	int err = CVTPM_ERR_NOT_FOUND;

	if (tpm->provider)
		err = tpm->provider->ops->derived_key
			      ? tpm->provider->ops->derived_key(tpm->provider, key)
			      : CVTPM_ERR_UNSUPPORTED;
	if (err == 0)
		return 0;
	if (!tpm->provider)
		cli_error(
			"--seal snp: this is no SEV-SNP guest: use --seal file:PATH, or --lab for "
			"tests");
	else if (err == CVTPM_ERR_UNSUPPORTED)
		cli_error("--seal snp: %s derives no keys: use --seal file:PATH",
			  tpm->provider->name);
	else
		cli_error("--seal snp: no key from the AMD-SP by %s: %s (AMD-SP status 0x%X, "
			  "hypervisor 0x%X)",
			  tpm->provider->name, cvtpm_strerror(err),
			  (unsigned)tpm->provider->status.firmware,
			  (unsigned)tpm->provider->status.vmm);
	return CLI_FAULT;
}

static int seal_store(struct cli_tpm *tpm, const struct tpm_options *options)
{
	const bool snp = !options->key && strcmp(options->seal, "snp") == 0;
	uint8_t key[CVTPM_STORE_KEY_SIZE];
	char message[CVTPM_STORE_MESSAGE_SIZE];
	struct cvtpm_store *sealed;

	if (options->key)
		memcpy(key, options->key, sizeof key);
	else if ((snp ? key_from_snp(tpm, key)
		      : key_from_file(options->seal + strlen("file:"), key)) != 0)
		return CLI_FAULT;
	const int err = cvtpm_store_sealed_open(&sealed, tpm->platform.store, key,
						snp ? CVTPM_STORE_SEALED_SNP : CVTPM_STORE_SEALED,
						platform_entropy, NULL, message);

	cvtpm_wipe(key, sizeof key);
	if (err < 0) {
		cli_error("%s: %s", options->state, message[0] ? message : cvtpm_strerror(err));
		return CLI_FAULT;
	}
	tpm->platform.store = sealed;
	return 0;
}

static int open_store(struct cli_tpm *tpm, const struct tpm_options *options, unsigned flags)
{
	char message[CVTPM_STORE_MESSAGE_SIZE] = "";
	int err;

	if (options->state)
		err = cvtpm_store_lmdb_open(&tpm->platform.store, options->state, flags, message);
	else
		err = cvtpm_store_memory_open(&tpm->platform.store, 0, message);
	if (err < 0) {
		tpm->platform.store = NULL;
		cli_error("%s%s%s", message[0] ? message : cvtpm_strerror(err),
			  err == CVTPM_ERR_NOT_FOUND && !options->no_evidence
				  ? "; make a TPM there with `cvtpm manufacture --state "
				  : "",
			  err == CVTPM_ERR_NOT_FOUND && !options->no_evidence ? "DIR`" : "");
		return CLI_FAULT;
	}
	if (message[0])
		cli_error("warning: %s", message);
	if (options->state)
		cvtpm_store_lmdb_log(tpm->platform.store, platform_log, tpm);
	if (options->seal || options->key)
		return seal_store(tpm, options);
	if (!options->state)
		return 0;
	err = cvtpm_store_is_sealed(tpm->platform.store);
	if (err < 0) {
		cli_error("the state in %s cannot be read: %s", options->state,
			  cvtpm_strerror(err));
		return CLI_FAULT;
	}
	if (err == 1) {
		cli_error("the state in %s is sealed: say %s, as when it was made", options->state,
			  options->no_evidence ? "--key ... (swtpm_setup: --keyfile or --pwdfile)"
					       : "--seal file:PATH or --seal snp");
		return CLI_FAULT;
	}
	return 0;
}

/* ---- who signs ---- */

static void ca_line(void *context, enum cvtpm_log_level level, const char *line)
{
	struct cli_tpm *tpm = context;

	tpm->ca_has_spoken = true;
	platform_log(tpm, level, line);
}

static int open_ca(struct cli_tpm *tpm, const char *dir)
{
	const struct cvtpm_ca_log log = {.line = ca_line, .context = tpm};
	const int err = cvtpm_ca_open(dir, &log, &tpm->ca);

	if (err < 0) {
		if (!tpm->ca_has_spoken)
			cli_error("the CA in %s cannot be used: %s", dir, cvtpm_strerror(err));
		return CLI_FAULT;
	}
	tpm->config.issuer = cvtpm_ca_issuer(tpm->ca);
	return 0;
}

void cli_tpm_begin(struct cli_tpm *tpm, const struct tpm_options *options)
{
	*tpm = (struct cli_tpm){
		.platform = {.context = tpm,
			     .entropy = platform_entropy,
			     .clock_ms = platform_clock_ms,
			     .time_of_day = platform_time_of_day,
			     .log = platform_log,
			     .cancelled = platform_cancelled,
			     .physical_presence = platform_physical_presence},
		.config = {.engine = options->engine,
			   .eks = options->eks,
			   .pcr_banks = options->pcr_banks,
			   .random_platform_auth = options->random_platform_auth},
	};
	tpm->errors_only = options->errors_only;
	umask(077);
	cvtpm_harden_process(&tpm->platform);
}

int cli_tpm_open_parts(struct cli_tpm *tpm, const struct tpm_options *options, unsigned store_flags)
{
	if (!options->no_evidence &&
	    (options->lab ? open_lab(tpm, options->lab_dir) : open_device(tpm)))
		return CLI_FAULT;
	if (open_store(tpm, options, store_flags))
		return CLI_FAULT;
	if (!options->no_evidence)
		settle_evidence(tpm, options->exportable);
	return options->ca ? open_ca(tpm, options->ca) : 0;
}

int cli_tpm_open(struct cli_tpm *tpm, const struct tpm_options *options, unsigned store_flags)
{
	cli_tpm_begin(tpm, options);
	return cli_tpm_open_parts(tpm, options, store_flags);
}

void cli_tpm_close(struct cli_tpm *tpm)
{
	cvtpm_store_close(tpm->platform.store);
	if (tpm->provider)
		tpm->provider->ops->close(tpm->provider);
	cvtpm_amdsp_lab_close(tpm->lab);
	cvtpm_ca_close(tpm->ca);
}

/* Everything is made in memory, and comes into the folder with one commit. */
int cli_tpm_manufacture(struct cli_tpm *tpm)
{
	const size_t size = cvtpm_instance_size(tpm->config.engine);
	char message[CVTPM_STORE_MESSAGE_SIZE];
	struct cvtpm_store *scratch;
	void *memory = cvtpm_secret_alloc(size, &tpm->platform);

	if (!memory)
		return CVTPM_ERR_NO_MEMORY;
	int err = cvtpm_store_memory_open(&scratch, 0, message);

	if (err == 0) {
		err = cvtpm_instance_manufacture(memory, &tpm->platform, scratch, &tpm->config);
		cvtpm_store_close(scratch);
	}
	cvtpm_secret_free(memory, size);
	return err;
}
