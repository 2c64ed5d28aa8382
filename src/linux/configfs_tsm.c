/*
 * The provider over configfs-tsm (Linux, Documentation/ABI/testing/configfs-tsm-report).
 *
 * A report is an entry of its own: mkdir, write privlevel and inblob, read
 * outblob and auxblob, rmdir. `generation` counts the writes to an entry; one
 * that is not ours shows in it, before and after the reading.
 */
#include "cvtpm/err.h"
#include "cvtpm/snp_providers.h"
#include "snp/certtable.h"
#include "snp/report.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

struct configfs_tsm {
	struct cvtpm_snp_provider provider; /* first */
	struct cvtpm_configfs_tsm_config config;
	char root[PATH_MAX / 2];
	uint8_t certs[SNP_CERTS_MAX_SIZE];
};

/* An entry while it exists. */
struct entry {
	const struct configfs_tsm *tsm;
	char path[PATH_MAX];
	long generation; /* what it must be now */
};

/* ---- the real file system ---- */

static int system_mkdir(void *context, const char *path)
{
	(void)context;
	return mkdir(path, 0700);
}

static int system_rmdir(void *context, const char *path)
{
	(void)context;
	return rmdir(path);
}

static long system_read(void *context, const char *path, uint8_t *out, size_t room)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 0;

	(void)context;
	if (file < 0)
		return -1;
	while (len < room && (n = read(file, out + len, room - len)) > 0)
		len += (size_t)n;

	int because = errno;
	close(file);
	errno = because;
	return n < 0 ? -1 : (long)len;
}

/* In one write: an attribute takes its value whole. */
static int system_write(void *context, const char *path, const uint8_t *data, size_t len)
{
	int file = open(path, O_WRONLY | O_CLOEXEC), result;

	(void)context;
	if (file < 0)
		return -1;
	result = write(file, data, len) == (ssize_t)len ? 0 : -1;
	/* A binary attribute reports its error at close. */
	if (close(file) != 0)
		result = -1;
	return result;
}

/* ---- attributes ---- */

static struct configfs_tsm *of(struct cvtpm_snp_provider *provider)
{
	return (struct configfs_tsm *)provider;
}

/* errno of a failed call, as an error of ours. */
static int failed(void)
{
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return CVTPM_ERR_NOT_FOUND;
	case EBUSY:
	case EWOULDBLOCK:
		return CVTPM_ERR_BUSY;
	default:
		return CVTPM_ERR_IO;
	}
}

static bool attribute_path(const struct entry *entry, const char *name, char path[PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, "%s/%s", entry->path, name);

	return n > 0 && n < PATH_MAX;
}

/* Bytes read, or an error; a value that fills `room` may have been cut. */
static long attribute_read(const struct entry *entry, const char *name, uint8_t *out, size_t room)
{
	const struct cvtpm_configfs_tsm_config *c = &entry->tsm->config;
	char path[PATH_MAX];
	long n;

	if (!attribute_path(entry, name, path))
		return CVTPM_ERR_SIZE;
	n = c->read(c->context, path, out, room);
	return n < 0 ? failed() : n;
}

static int attribute_write(struct entry *entry, const char *name, const uint8_t *data, size_t len)
{
	const struct cvtpm_configfs_tsm_config *c = &entry->tsm->config;
	char path[PATH_MAX];

	if (!attribute_path(entry, name, path))
		return CVTPM_ERR_SIZE;
	if (c->write(c->context, path, data, len) != 0)
		return failed();
	entry->generation++;
	return 0;
}

static int attribute_number(const struct entry *entry, const char *name, long *number)
{
	char text[32], *end;
	long n = attribute_read(entry, name, (uint8_t *)text, sizeof text - 1);

	if (n < 0)
		return (int)n;
	text[n] = '\0';
	errno = 0;
	*number = strtol(text, &end, 10);
	return errno || end == text || (*end && *end != '\n') ? CVTPM_ERR_FORMAT : 0;
}

/* Fails when somebody else has written to the entry. */
static int check_generation(const struct entry *entry)
{
	long now;

	CVTPM_TRY(attribute_number(entry, "generation", &now));
	return now == entry->generation ? 0 : CVTPM_ERR_BUSY;
}

/* ---- one report ---- */

static int set_request(struct entry *entry, const uint8_t report_data[SNP_REPORT_DATA_SIZE])
{
	uint32_t vmpl = entry->tsm->config.vmpl;
	uint8_t level[2] = {(uint8_t)('0' + vmpl), '\n'};
	long floor;

	CVTPM_TRY(attribute_number(entry, "generation", &entry->generation));
	CVTPM_TRY(attribute_number(entry, "privlevel_floor", &floor));
	if (floor < 0 || vmpl < (unsigned long)floor)
		return CVTPM_ERR_POLICY;
	CVTPM_TRY(attribute_write(entry, "privlevel", level, sizeof level));
	return attribute_write(entry, "inblob", report_data, SNP_REPORT_DATA_SIZE);
}

static int read_outblob(const struct entry *entry, const uint8_t report_data[SNP_REPORT_DATA_SIZE],
			uint8_t report[SNP_REPORT_SIZE])
{
	uint8_t blob[SNP_REPORT_SIZE + 1];
	long n = attribute_read(entry, "outblob", blob, sizeof blob);

	if (n < 0)
		return (int)n;
	if (n != SNP_REPORT_SIZE)
		return CVTPM_ERR_FORMAT;
	if (snp_report_check(blob, SNP_REPORT_SIZE) != 0)
		return CVTPM_ERR_UNSUPPORTED;
	if (memcmp(snp_report_report_data(blob), report_data, SNP_REPORT_DATA_SIZE) != 0 ||
	    snp_report_vmpl(blob) != entry->tsm->config.vmpl)
		return CVTPM_ERR_FORMAT;
	memcpy(report, blob, SNP_REPORT_SIZE);
	return 0;
}

/* `certs` NULL: the table is not wanted. */
static int use_entry(struct entry *entry, const uint8_t report_data[SNP_REPORT_DATA_SIZE],
		     uint8_t report[SNP_REPORT_SIZE], uint8_t *certs, size_t *certs_len)
{
	uint8_t found[SNP_REPORT_SIZE];
	long n = 0;

	CVTPM_TRY(set_request(entry, report_data));
	CVTPM_TRY(check_generation(entry));
	CVTPM_TRY(read_outblob(entry, report_data, found));
	if (certs) {
		n = attribute_read(entry, "auxblob", certs, *certs_len);
		if (n < 0)
			return (int)n;
		*certs_len = (size_t)n;
	}
	CVTPM_TRY(check_generation(entry));
	memcpy(report, found, sizeof found);
	return 0;
}

static int get_report(struct configfs_tsm *tsm, const uint8_t report_data[SNP_REPORT_DATA_SIZE],
		      uint8_t report[SNP_REPORT_SIZE], uint8_t *certs, size_t *certs_len)
{
	const struct cvtpm_configfs_tsm_config *c = &tsm->config;
	struct entry entry = {.tsm = tsm};
	uint32_t random;
	int err, because, n;

	if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
		return CVTPM_ERR_ENTROPY;
	n = snprintf(entry.path, sizeof entry.path, "%s/cvtpm-%ld-%08x", tsm->root, (long)getpid(),
		     (unsigned)random);
	if (n < 0 || (size_t)n >= sizeof entry.path)
		return CVTPM_ERR_SIZE;
	if (c->mkdir(c->context, entry.path) != 0)
		return failed();

	err = use_entry(&entry, report_data, report, certs, certs_len);
	because = errno;
	c->rmdir(c->context, entry.path);
	errno = because;
	return err;
}

/* ---- the provider ---- */

static int configfs_tsm_report(struct cvtpm_snp_provider *provider,
			       const uint8_t report_data[SNP_REPORT_DATA_SIZE],
			       uint8_t report[SNP_REPORT_SIZE])
{
	return get_report(of(provider), report_data, report, NULL, NULL);
}

static int configfs_tsm_certificates(struct cvtpm_snp_provider *provider, uint8_t *table,
				     size_t *len)
{
	static const uint8_t zeros[SNP_REPORT_DATA_SIZE];
	struct configfs_tsm *tsm = of(provider);
	uint8_t report[SNP_REPORT_SIZE];
	size_t found = sizeof tsm->certs;
	struct snp_certtable parsed;

	CVTPM_TRY(get_report(tsm, zeros, report, tsm->certs, &found));
	CVTPM_TRY(snp_certtable_begin(&parsed, tsm->certs, found));
	if (parsed.used > *len) {
		*len = parsed.used;
		return CVTPM_ERR_SIZE;
	}
	if (parsed.used > 0)
		memcpy(table, tsm->certs, parsed.used);
	*len = parsed.used;
	return 0;
}

static void configfs_tsm_close(struct cvtpm_snp_provider *provider)
{
	free(provider);
}

static const struct cvtpm_snp_provider_ops ops = {
	.report = configfs_tsm_report,
	.certificates = configfs_tsm_certificates,
	.close = configfs_tsm_close,
};

/* Makes an entry to ask who answers reports here. */
static int check_provider(const struct configfs_tsm *tsm)
{
	const struct cvtpm_configfs_tsm_config *c = &tsm->config;
	struct entry entry = {.tsm = tsm};
	uint8_t name[32] = {0};
	long n;

	snprintf(entry.path, sizeof entry.path, "%s/cvtpm-%ld", tsm->root, (long)getpid());
	if (c->mkdir(c->context, entry.path) != 0)
		return failed();
	n = attribute_read(&entry, "provider", name, sizeof name - 1);

	int because = errno;
	c->rmdir(c->context, entry.path);
	errno = because;
	if (n < 0)
		return (int)n;
	name[strcspn((char *)name, "\n")] = '\0';
	return strcmp((char *)name, "sev_guest") == 0 ? 0 : CVTPM_ERR_UNSUPPORTED;
}

int cvtpm_configfs_tsm_open(const struct cvtpm_configfs_tsm_config *config,
			    struct cvtpm_snp_provider **provider)
{
	const char *path = config && config->path ? config->path : "/sys/kernel/config/tsm/report";
	struct configfs_tsm *tsm;
	int err;

	*provider = NULL;
	if (config && config->vmpl > 3)
		return CVTPM_ERR_PARAM;
	tsm = calloc(1, sizeof *tsm);
	if (!tsm)
		return CVTPM_ERR_NO_MEMORY;
	if (config)
		tsm->config = *config;
	if (!tsm->config.mkdir) {
		tsm->config.mkdir = system_mkdir;
		tsm->config.rmdir = system_rmdir;
		tsm->config.read = system_read;
		tsm->config.write = system_write;
	}
	tsm->config.path = NULL; /* the caller's */
	tsm->provider = (struct cvtpm_snp_provider){
		.ops = &ops, .name = "configfs-tsm", .isolation = CVTPM_ISOLATION_PROCESS};

	if (strlen(path) >= sizeof tsm->root) {
		err = CVTPM_ERR_SIZE;
	} else {
		strcpy(tsm->root, path);
		err = check_provider(tsm);
	}
	if (err < 0) {
		int because = errno;

		free(tsm);
		errno = because;
		return err;
	}
	*provider = &tsm->provider;
	return 0;
}
