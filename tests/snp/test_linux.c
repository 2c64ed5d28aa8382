/* The Linux providers against fakes that insist on the kernel's rules. */
#include "check.h"
#include "lab.h"

#include "cvtpm/amdsp.h"
#include "cvtpm/err.h"
#include "cvtpm/snp_providers.h"
#include "snp/certtable.h"
#include "snp/guest_request.h"
#include "snp/message.h"
#include "snp/report.h"

#include <errno.h>

static const uint8_t measurement[SNP_MEASUREMENT_SIZE] = {0x4D, 1};
static const uint8_t data[SNP_REPORT_DATA_SIZE] = {5, 5, 5};

/* A lab, whose reports the fakes hand out, and its certificate table. */
struct lab {
	char dir[64];
	struct cvtpm_amdsp_lab *lab;
	uint8_t table[SNP_CERTS_MAX_SIZE];
	size_t table_len;
};

static int open_lab(void **state)
{
	struct lab *lab = calloc(1, sizeof *lab);
	struct cvtpm_snp_provider *p;
	int err;

	make_folder(lab->dir);
	*state = lab;
	lab->table_len = sizeof lab->table;
	err = cvtpm_amdsp_lab_open(lab->dir, &lab->lab);
	if (err == 0)
		err = cvtpm_amdsp_provider_launch(lab->lab, NULL, &p);
	if (err == 0) {
		err = p->ops->certificates(p, lab->table, &lab->table_len);
		p->ops->close(p);
	}
	return err;
}

static int close_lab(void **state)
{
	struct lab *lab = *state;

	cvtpm_amdsp_lab_close(lab->lab);
	remove_folder(lab->dir);
	free(lab);
	return 0;
}

static void lab_report(struct lab *lab, uint32_t vmpl, const uint8_t *report_data, uint8_t *report)
{
	struct cvtpm_amdsp_config config = {.measurement = measurement, .vmpl = vmpl};
	struct cvtpm_snp_provider *p;

	assert_int_equal(cvtpm_amdsp_provider_launch(lab->lab, &config, &p), 0);
	assert_int_equal(p->ops->report(p, report_data, report), 0);
	p->ops->close(p);
}

/* ---- /dev/sev-guest ---- */

struct device {
	struct lab *lab;
	int open_error; /* errno of open(2) */
	bool wiped;     /* the kernel has wiped its key */
	int io_error;   /* errno of the next ioctl */
	uint32_t fw_error, vmm_error;
	uint32_t certs_needed;
	uint32_t status;   /* in the response */
	bool old_firmware; /* does not know KEY_SEL */
	unsigned opened, closed, calls;
};

static int device_open(void *context, const char *path)
{
	struct device *d = context;

	assert_string_equal(path, "/dev/sev-guest");
	if (d->open_error) {
		errno = d->open_error;
		return -1;
	}
	d->opened++;
	return 42;
}

static int device_close(void *context, int fd)
{
	assert_int_equal(fd, 42);
	((struct device *)context)->closed++;
	return 0;
}

static void *pointer(const uint8_t *at)
{
	return (void *)(uintptr_t)snp_get64(at);
}

static int device_report(struct device *d, const uint8_t *req, uint8_t *resp)
{
	memset(resp, 0, 4000);
	snp_put32(resp, d->status);
	if (d->status)
		return 0;
	for (size_t i = 0x48; i < 96; i++)
		assert_int_equal(req[i], 0);
	snp_put32(resp + 4, SNP_REPORT_SIZE);
	lab_report(d->lab, snp_get32(req + 64), req, resp + 32);
	return 0;
}

static int device_ext_report(struct device *d, uint8_t *req, uint8_t *resp, uint8_t *exitinfo2)
{
	uint8_t *certs = pointer(req + 96);
	uint32_t certs_len = snp_get32(req + 104);

	if (certs_len % 4096 != 0 || certs_len > SNP_CERTS_MAX_SIZE || (uintptr_t)certs % 4096) {
		errno = EINVAL;
		return -1;
	}
	if (d->certs_needed > certs_len) {
		snp_put32(req + 104, d->certs_needed);
		snp_put32(exitinfo2, 0);
		snp_put32(exitinfo2 + 4, SNP_VMM_INVALID_LEN);
		errno = EIO;
		return -1;
	}
	memcpy(certs, d->lab->table, d->lab->table_len);
	return device_report(d, req, resp);
}

static int device_key(struct device *d, const uint8_t *req, uint8_t *resp)
{
	assert_int_equal(snp_get64(req + 8), 0x9); /* guest policy and measurement */
	memset(resp, 0, 64);
	if (d->old_firmware && snp_get32(req) != 0)
		snp_put32(resp, SNP_STATUS_INVALID_PARAMETERS);
	else
		memset(resp + 32, (int)(0x40 + snp_get32(req)), 32);
	return 0;
}

static int device_ioctl(void *context, int fd, unsigned long number, void *argument)
{
	struct device *d = context;
	uint8_t *a = argument; /* struct snp_guest_request_ioctl */

	assert_int_equal(fd, 42);
	d->calls++;
	if (a[0] == 0 || !pointer(a + 8) || !pointer(a + 16)) {
		errno = EINVAL;
		return -1;
	}
	if (d->wiped) {
		errno = ENOTTY;
		return -1;
	}
	if (d->io_error || d->fw_error || d->vmm_error) {
		if (d->fw_error || d->vmm_error || d->io_error == EBADMSG) {
			snp_put32(a + 24, d->fw_error);
			snp_put32(a + 28, d->vmm_error);
			d->wiped = true;
		}
		errno = d->io_error ? d->io_error : EIO;
		if (d->io_error == EINTR)
			d->io_error = 0;
		return -1;
	}
	snp_put64(a + 24, 0);
	switch (number) {
	case 0xC0205300:
		return device_report(d, pointer(a + 8), pointer(a + 16));
	case 0xC0205301:
		return device_key(d, pointer(a + 8), pointer(a + 16));
	case 0xC0205302:
		return device_ext_report(d, pointer(a + 8), pointer(a + 16), a + 24);
	}
	errno = ENOTTY;
	return -1;
}

static struct cvtpm_snp_provider *open_device(struct device *d, uint32_t vmpl)
{
	struct cvtpm_sev_guest_config config = {.vmpl = vmpl,
						.open = device_open,
						.ioctl = device_ioctl,
						.close = device_close,
						.context = d};
	struct cvtpm_snp_provider *p;

	assert_int_equal(cvtpm_sev_guest_open(&config, &p), 0);
	assert_string_equal(p->name, "sev-guest");
	assert_int_equal(p->isolation, CVTPM_ISOLATION_PROCESS);
	assert_false(p->lab);
	return p;
}

static void the_device_gives_reports_certificates_and_keys(void **state)
{
	struct device d = {.lab = *state};
	struct cvtpm_snp_provider *p = open_device(&d, 1);
	uint8_t report[SNP_REPORT_SIZE], key[SNP_DERIVED_KEY_SIZE], table[SNP_CERTS_MAX_SIZE];
	size_t len = 0;

	assert_int_equal(p->ops->report(p, data, report), 0);
	assert_memory_equal(snp_report_report_data(report), data, sizeof data);
	assert_int_equal(snp_report_vmpl(report), 1);

	assert_int_equal(p->ops->certificates(p, NULL, &len), CVTPM_ERR_SIZE);
	assert_int_equal(len, d.lab->table_len);
	len = sizeof table;
	assert_int_equal(p->ops->certificates(p, table, &len), 0);
	assert_int_equal(len, d.lab->table_len);
	assert_memory_equal(table, d.lab->table, len);

	assert_int_equal(p->ops->derived_key(p, key), 0);
	assert_int_equal(key[0], 0x42); /* the VCEK by name */
	d.old_firmware = true;
	assert_int_equal(p->ops->derived_key(p, key), 0);
	assert_int_equal(key[0], 0x40);

	p->ops->close(p);
	assert_int_equal(d.opened, 1);
	assert_int_equal(d.closed, 1);
}

static void the_devices_refusals_are_told_apart(void **state)
{
	static const struct {
		struct device device;
		int err;
		uint32_t firmware, vmm;
		bool gone;
	} cases[] = {
		{{.fw_error = 0x16}, CVTPM_ERR_PEER, 0x16, 0, true},
		{{.vmm_error = 2}, CVTPM_ERR_PEER, 0, 2, true},
		{{.io_error = EBADMSG}, CVTPM_ERR_AUTH, 0, 0, true},
		{{.io_error = ENOMEM}, CVTPM_ERR_IO, 0, 0, false},
		{{.status = 0x27}, CVTPM_ERR_PEER, 0x27, 0, false},
		{{.wiped = true}, CVTPM_ERR_KEY_GONE, 0, 0, true},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct device d = cases[i].device;
		struct cvtpm_snp_provider *p;
		uint8_t report[SNP_REPORT_SIZE];

		d.lab = *state;
		p = open_device(&d, 0);
		assert_int_equal(p->ops->report(p, data, report), cases[i].err);
		assert_int_equal(p->status.firmware, cases[i].firmware);
		assert_int_equal(p->status.vmm, cases[i].vmm);

		d.fw_error = d.vmm_error = d.status = 0;
		d.io_error = 0;
		assert_int_equal(p->ops->report(p, data, report),
				 cases[i].gone ? CVTPM_ERR_KEY_GONE : 0);
		p->ops->close(p);
	}
}

static void a_certificate_buffer_that_is_too_small_leaves_the_device_usable(void **state)
{
	struct device d = {.lab = *state, .certs_needed = 5 * 4096};
	struct cvtpm_snp_provider *p = open_device(&d, 0);
	uint8_t report[SNP_REPORT_SIZE], table[16];
	size_t len = sizeof table;

	assert_int_equal(p->ops->certificates(p, table, &len), CVTPM_ERR_PEER);
	assert_int_equal(p->status.vmm, SNP_VMM_INVALID_LEN);
	assert_int_equal(p->ops->report(p, data, report), 0);
	p->ops->close(p);
}

static void a_signal_before_the_firmware_is_called_is_no_error(void **state)
{
	struct device d = {.lab = *state, .io_error = EINTR};
	struct cvtpm_snp_provider *p = open_device(&d, 0);
	uint8_t report[SNP_REPORT_SIZE];

	assert_int_equal(p->ops->report(p, data, report), 0);
	assert_int_equal(d.calls, 2);
	p->ops->close(p);
}

static void a_missing_device_is_not_one_that_is_forbidden(void **state)
{
	struct device d = {.lab = *state, .open_error = ENOENT};
	struct cvtpm_sev_guest_config config = {
		.open = device_open, .ioctl = device_ioctl, .close = device_close, .context = &d};
	struct cvtpm_snp_provider *p;

	assert_int_equal(cvtpm_sev_guest_open(&config, &p), CVTPM_ERR_NOT_FOUND);
	d.open_error = EACCES;
	assert_int_equal(cvtpm_sev_guest_open(&config, &p), CVTPM_ERR_IO);
	assert_int_equal(errno, EACCES);
	assert_null(p);
}

/* ---- configfs-tsm ---- */

/* One entry of the tree, with the kernel's rules. */
struct tree {
	struct lab *lab;
	const char *provider;
	long floor;
	bool exists;
	char entry[256];
	long generation;
	uint8_t inblob[64];
	bool has_inblob;
	unsigned privlevel;
	unsigned made, removed;

	int mkdir_error, outblob_error;
	bool somebody_writes;      /* just after our inblob */
	bool somebody_writes_late; /* just after our outblob was read */
	size_t outblob_len;
	bool other_data;
};

static int tree_mkdir(void *context, const char *path)
{
	struct tree *t = context;

	if (t->mkdir_error) {
		errno = t->mkdir_error;
		return -1;
	}
	assert_false(t->exists);
	assert_int_equal(strncmp(path, "/sys/kernel/config/tsm/report/", 30), 0);
	assert_null(strchr(path + 30, '/'));
	snprintf(t->entry, sizeof t->entry, "%s", path);
	t->exists = true;
	t->generation = 0;
	t->privlevel = 0;
	t->has_inblob = false;
	t->made++;
	return 0;
}

static int tree_rmdir(void *context, const char *path)
{
	struct tree *t = context;

	assert_true(t->exists);
	assert_string_equal(path, t->entry);
	t->exists = false;
	t->removed++;
	errno = 0; /* must not hide the error before it */
	return 0;
}

/* The attribute's name, after the checks that every access has. */
static const char *attribute(struct tree *t, const char *path)
{
	size_t len = strlen(t->entry);

	assert_true(t->exists);
	assert_int_equal(strncmp(path, t->entry, len), 0);
	assert_int_equal(path[len], '/');
	return path + len + 1;
}

static long give(uint8_t *out, size_t room, const void *value, size_t len)
{
	if (len > room)
		len = room;
	memcpy(out, value, len);
	return (long)len;
}

static long tree_read(void *context, const char *path, uint8_t *out, size_t room)
{
	struct tree *t = context;
	const char *name = attribute(t, path);
	char text[32];

	if (strcmp(name, "provider") == 0) {
		snprintf(text, sizeof text, "%s\n", t->provider);
		return give(out, room, text, strlen(text));
	}
	if (strcmp(name, "generation") == 0) {
		snprintf(text, sizeof text, "%ld\n", t->generation);
		return give(out, room, text, strlen(text));
	}
	if (strcmp(name, "privlevel_floor") == 0) {
		snprintf(text, sizeof text, "%ld\n", t->floor);
		return give(out, room, text, strlen(text));
	}
	if (!t->has_inblob || t->outblob_error) {
		errno = t->outblob_error ? t->outblob_error : EINVAL;
		return -1;
	}
	if (strcmp(name, "auxblob") == 0)
		return give(out, room, t->lab->table, t->lab->table_len);
	if (strcmp(name, "outblob") == 0) {
		uint8_t report[SNP_REPORT_SIZE + 64] = {0};

		lab_report(t->lab, t->privlevel, t->inblob, report);
		if (t->other_data)
			report[SNP_REPORT_REPORT_DATA] ^= 1;
		if (t->somebody_writes_late)
			t->generation++;
		return give(out, room, report, t->outblob_len ? t->outblob_len : SNP_REPORT_SIZE);
	}
	errno = ENOENT;
	return -1;
}

static int tree_write(void *context, const char *path, const uint8_t *value, size_t len)
{
	struct tree *t = context;
	const char *name = attribute(t, path);

	if (strcmp(name, "privlevel") == 0) {
		assert_int_equal(len, 2);
		assert_int_equal(value[1], '\n');
		t->privlevel = (unsigned)(value[0] - '0');
		if (t->privlevel < t->floor || t->privlevel > 3) {
			errno = EINVAL;
			return -1;
		}
	} else if (strcmp(name, "inblob") == 0 && len == 64) {
		memcpy(t->inblob, value, len);
		t->has_inblob = true;
		if (t->somebody_writes)
			t->generation++;
	} else {
		errno = EINVAL;
		return -1;
	}
	t->generation++;
	return 0;
}

static int open_tree(struct tree *t, uint32_t vmpl, struct cvtpm_snp_provider **p)
{
	struct cvtpm_configfs_tsm_config config = {.vmpl = vmpl,
						   .mkdir = tree_mkdir,
						   .rmdir = tree_rmdir,
						   .read = tree_read,
						   .write = tree_write,
						   .context = t};

	if (!t->provider)
		t->provider = "sev_guest";
	return cvtpm_configfs_tsm_open(&config, p);
}

static void configfs_gives_reports_and_certificates(void **state)
{
	struct tree t = {.lab = *state};
	struct cvtpm_snp_provider *p;
	uint8_t report[SNP_REPORT_SIZE], table[SNP_CERTS_MAX_SIZE];
	size_t len = sizeof table;

	assert_int_equal(open_tree(&t, 0, &p), 0);
	assert_string_equal(p->name, "configfs-tsm");
	assert_int_equal(p->isolation, CVTPM_ISOLATION_PROCESS);
	assert_null(p->ops->derived_key);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(p->ops->report(p, data, report), 0);
		assert_memory_equal(snp_report_report_data(report), data, sizeof data);
	}
	assert_int_equal(p->ops->certificates(p, table, &len), 0);
	assert_int_equal(len, t.lab->table_len);
	assert_memory_equal(table, t.lab->table, len);
	len = 1;
	assert_int_equal(p->ops->certificates(p, table, &len), CVTPM_ERR_SIZE);
	assert_int_equal(len, t.lab->table_len);
	p->ops->close(p);
	assert_false(t.exists);
	assert_int_equal(t.made, t.removed);
}

static void an_entry_is_removed_after_every_failure(void **state)
{
	static const struct {
		struct tree tree;
		int err;
	} cases[] = {
		{{.somebody_writes = true}, CVTPM_ERR_BUSY},
		{{.somebody_writes_late = true}, CVTPM_ERR_BUSY},
		{{.outblob_error = EWOULDBLOCK}, CVTPM_ERR_BUSY},
		{{.outblob_error = EIO}, CVTPM_ERR_IO},
		{{.outblob_error = ENXIO}, CVTPM_ERR_NOT_FOUND},
		{{.outblob_len = SNP_REPORT_SIZE - 1}, CVTPM_ERR_FORMAT},
		{{.outblob_len = SNP_REPORT_SIZE + 1}, CVTPM_ERR_FORMAT},
		{{.other_data = true}, CVTPM_ERR_FORMAT},
		{{.floor = 1}, CVTPM_ERR_POLICY},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct tree t = cases[i].tree;
		struct cvtpm_snp_provider *p;
		uint8_t report[SNP_REPORT_SIZE], untouched[SNP_REPORT_SIZE];

		t.lab = *state;
		memset(report, 0x66, sizeof report);
		memcpy(untouched, report, sizeof report);
		assert_int_equal(open_tree(&t, 0, &p), 0);
		errno = 0;
		assert_int_equal(p->ops->report(p, data, report), cases[i].err);
		if (cases[i].err == CVTPM_ERR_IO)
			assert_int_equal(errno, EIO);
		assert_memory_equal(report, untouched, sizeof report);
		assert_false(t.exists);
		assert_int_equal(t.made, t.removed);
		p->ops->close(p);
	}
}

static void a_lower_level_is_asked_for_by_number(void **state)
{
	struct tree t = {.lab = *state, .floor = 2};
	struct cvtpm_snp_provider *p;
	uint8_t report[SNP_REPORT_SIZE];

	assert_int_equal(open_tree(&t, 2, &p), 0);
	assert_int_equal(p->ops->report(p, data, report), 0);
	assert_int_equal(snp_report_vmpl(report), 2);
	p->ops->close(p);
	assert_int_equal(open_tree(&t, 4, &p), CVTPM_ERR_PARAM);
}

static void another_tee_is_not_taken_for_snp(void **state)
{
	struct tree t = {.lab = *state, .provider = "tdx_guest"};
	struct cvtpm_snp_provider *p;

	assert_int_equal(open_tree(&t, 0, &p), CVTPM_ERR_UNSUPPORTED);
	assert_null(p);
	assert_false(t.exists);
	t.mkdir_error = ENOENT;
	assert_int_equal(open_tree(&t, 0, &p), CVTPM_ERR_NOT_FOUND);
	t.mkdir_error = EPERM;
	assert_int_equal(open_tree(&t, 0, &p), CVTPM_ERR_IO);
	assert_int_equal(errno, EPERM);
}

/* The real file functions, on a plain folder: an entry is made, found to be
 * without attributes, and removed. */
static void a_folder_that_is_not_configfs_is_no_provider(void **state)
{
	struct lab *lab = *state;
	struct cvtpm_configfs_tsm_config config = {.path = lab->dir};
	struct cvtpm_snp_provider *p;
	char missing[80];

	assert_int_equal(cvtpm_configfs_tsm_open(&config, &p), CVTPM_ERR_NOT_FOUND);
	snprintf(missing, sizeof missing, "%s/none", lab->dir);
	config.path = missing;
	assert_int_equal(cvtpm_configfs_tsm_open(&config, &p), CVTPM_ERR_NOT_FOUND);
}

/* On a machine without SEV-SNP nothing is found; on one with it, something that
 * says what it is. */
static void detection_gives_a_provider_or_says_why_not(void **state)
{
	struct cvtpm_snp_provider *p;
	int err = cvtpm_snp_provider_detect(&p);

	(void)state;
	if (err == 0) {
		assert_false(p->lab);
		p->ops->close(p);
	} else {
		assert_null(p);
		assert_true(err == CVTPM_ERR_NOT_FOUND || err == CVTPM_ERR_IO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_device_gives_reports_certificates_and_keys),
		cmocka_unit_test(the_devices_refusals_are_told_apart),
		cmocka_unit_test(a_certificate_buffer_that_is_too_small_leaves_the_device_usable),
		cmocka_unit_test(a_signal_before_the_firmware_is_called_is_no_error),
		cmocka_unit_test(a_missing_device_is_not_one_that_is_forbidden),
		cmocka_unit_test(configfs_gives_reports_and_certificates),
		cmocka_unit_test(an_entry_is_removed_after_every_failure),
		cmocka_unit_test(a_lower_level_is_asked_for_by_number),
		cmocka_unit_test(another_tee_is_not_taken_for_snp),
		cmocka_unit_test(a_folder_that_is_not_configfs_is_no_provider),
		cmocka_unit_test(detection_gives_a_provider_or_says_why_not),
	};

	return cmocka_run_group_tests_name("snp-linux", tests, open_lab, close_lab);
}
