/* The lab's folder: a chip that is made once and kept. */
#include "amdsp/internal.h"

#include "crypto/crypto.h"
#include "crypto/hex.h"
#include "cvtpm/err.h"
#include "snp/certtable.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* The chip's file is written last: where it is, the lab is complete. */
static const char chip_file[] = "chip";
static const char *const key_files[] = {
	[CHAIN_VCEK] = "vcek.key", [CHAIN_ASK] = "ask.key", [CHAIN_ARK] = "ark.key"};
static const char *const product_names[] = {[CVTPM_AMDSP_MILAN] = "Milan",
					    [CVTPM_AMDSP_GENOA] = "Genoa",
					    [CVTPM_AMDSP_TURIN] = "Turin"};

enum { PRODUCTS = 3, FILE_MAX = 65536 };

__attribute__((format(printf, 3, 4))) static void say(const struct cvtpm_amdsp_lab_options *options,
						      enum cvtpm_log_level level,
						      const char *format, ...)
{
	char line[512];
	va_list arguments;

	if (!options || !options->log)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	options->log(options->log_context, level, line);
}

/* ---- the chip's file ---- */

static bool read_hex(const char *hex, uint8_t *bytes, size_t len)
{
	return strlen(hex) == 2 * len && cvtpm_hex_read(hex, bytes, len);
}

static int chip_write(int folder, const struct chip *chip)
{
	char id[2 * sizeof chip->id + 1], tcb[2 * sizeof chip->tcb + 1], text[512];
	int n;

	cvtpm_hex_write(id, chip->id, sizeof chip->id);
	cvtpm_hex_write(tcb, chip->tcb, sizeof chip->tcb);
	n = snprintf(text, sizeof text, "cvtpm lab chip 1\nproduct %s\nchip-id %s\ntcb %s\n",
		     product_names[chip->product], id, tcb);
	return lab_folder_write(folder, chip_file, text, (size_t)n);
}

static int chip_read(int folder, struct chip *chip)
{
	char text[1024], product[16], id[192], tcb[32];
	size_t len;

	CVTPM_TRY(lab_folder_read(folder, chip_file, (uint8_t *)text, sizeof text - 1, &len));
	text[len] = '\0';
	if (sscanf(text, "cvtpm lab chip 1\nproduct %15s\nchip-id %191s\ntcb %31s", product, id,
		   tcb) != 3)
		return CVTPM_ERR_FORMAT;
	if (!read_hex(id, chip->id, sizeof chip->id) || !read_hex(tcb, chip->tcb, sizeof chip->tcb))
		return CVTPM_ERR_FORMAT;
	for (int i = 0; i < PRODUCTS; i++)
		if (strcmp(product, product_names[i]) == 0) {
			chip->product = (enum cvtpm_amdsp_product)i;
			return 0;
		}
	return CVTPM_ERR_FORMAT;
}

static int chip_make(enum cvtpm_amdsp_product product, struct chip *chip)
{
	const struct snp_tcb tcb = {.fmc = product == CVTPM_AMDSP_TURIN,
				    .boot_loader = 4,
				    .tee = 0,
				    .snp = 24,
				    .microcode = 0xDB};
	size_t hwid;

	*chip = (struct chip){.product = product};
	hwid = chip_hwid_size(chip);
	if (getrandom(chip->id, hwid, 0) != (ssize_t)hwid)
		return CVTPM_ERR_ENTROPY;
	snp_tcb_write(chip_snp_product(chip), tcb, chip->tcb);
	return 0;
}

/* ---- PEM files ---- */

static int write_bio(int folder, const char *name, BIO *bio)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);

	return lab_folder_write(folder, name, data, (size_t)len);
}

static int write_key(int folder, const char *name, EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	int err = CVTPM_ERR_CRYPTO;

	if (bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL))
		err = write_bio(folder, name, bio);
	BIO_free(bio);
	return err;
}

static int write_certificates(int folder, const char *name, X509 *const *certs, size_t count)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int err = bio ? 0 : CVTPM_ERR_NO_MEMORY;

	for (size_t i = 0; err == 0 && i < count; i++)
		if (!PEM_write_bio_X509(bio, certs[i]))
			err = CVTPM_ERR_CRYPTO;
	if (err == 0)
		err = write_bio(folder, name, bio);
	BIO_free(bio);
	return err;
}

/* ---- making ---- */

static int write_lab(int folder, const struct chip *chip, const struct chain *chain)
{
	for (int i = 0; i < CHAIN_SIZE; i++)
		CVTPM_TRY(write_key(folder, key_files[i], chain->key[i]));
	CVTPM_TRY(write_certificates(folder, "ark.pem", &chain->certificate[CHAIN_ARK], 1));
	CVTPM_TRY(write_certificates(folder, "certs.pem", chain->certificate, CHAIN_SIZE));
	return chip_write(folder, chip);
}

static int make_lab(int folder, enum cvtpm_amdsp_product product)
{
	struct chip chip;
	struct chain chain;
	int err;

	if (fchmod(folder, 0700) != 0)
		return CVTPM_ERR_IO;
	CVTPM_TRY(chip_make(product, &chip));
	err = lab_chain_make(&chip, &chain);
	if (err == 0)
		err = write_lab(folder, &chip, &chain);
	lab_chain_free(&chain);
	return err;
}

static bool is_made(int folder)
{
	return faccessat(folder, chip_file, F_OK, 0) == 0;
}

/* Makes the lab unless somebody has; one process at a time. */
static int make_once(int folder, const struct cvtpm_amdsp_lab_options *options, const char *dir)
{
	enum cvtpm_amdsp_product product = options ? options->product : CVTPM_AMDSP_MILAN;
	int err = 0, lock;

	if (is_made(folder))
		return 0;
	if ((unsigned)product >= PRODUCTS)
		return CVTPM_ERR_PARAM;
	lock = openat(folder, ".lock", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (lock < 0 || flock(lock, LOCK_EX) != 0) {
		err = CVTPM_ERR_IO;
	} else if (!is_made(folder)) {
		say(options, CVTPM_LOG_INFO, "making a LAB %s chip's keys, once: a few seconds",
		    product_names[product]);
		err = make_lab(folder, product);
		if (err == 0)
			say(options, CVTPM_LOG_INFO, "made a LAB %s chip (simulated AMD-SP) in %s",
			    product_names[product], dir);
	}
	if (lock >= 0) {
		int because = errno;

		close(lock);
		errno = because;
	}
	return err;
}

/* ---- loading ---- */

static int load_key(struct cvtpm_amdsp_lab *lab, int folder)
{
	uint8_t pem[4096];
	size_t len;
	BIGNUM *d = NULL;
	BIO *bio;
	bool ok = false;

	CVTPM_TRY(lab_folder_read(folder, key_files[CHAIN_VCEK], pem, sizeof pem, &len));
	bio = BIO_new_mem_buf(pem, (int)len);
	lab->vcek = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	cvtpm_wipe(pem, sizeof pem);

	if (lab->vcek && EVP_PKEY_get_bn_param(lab->vcek, OSSL_PKEY_PARAM_PRIV_KEY, &d))
		ok = BN_bn2binpad(d, lab->root, sizeof lab->root) == sizeof lab->root;
	BN_clear_free(d);
	return ok ? 0 : CVTPM_ERR_FORMAT;
}

/* The certificate table out of VCEK, ASK and ARK, whose VCEK must be the key's. */
static int make_table(struct cvtpm_amdsp_lab *lab, X509 *const certs[CHAIN_SIZE])
{
	const uint8_t *const guids[CHAIN_SIZE] = {[CHAIN_VCEK] = snp_guid_vcek,
						  [CHAIN_ASK] = snp_guid_ask,
						  [CHAIN_ARK] = snp_guid_ark};
	struct snp_certtable_entry entries[CHAIN_SIZE] = {0};
	uint8_t *der[CHAIN_SIZE] = {0};
	int err = 0;

	if (X509_check_private_key(certs[CHAIN_VCEK], lab->vcek) != 1)
		return CVTPM_ERR_FORMAT;
	for (int i = 0; i < CHAIN_SIZE; i++) {
		int len = i2d_X509(certs[i], &der[i]);

		if (len <= 0)
			err = CVTPM_ERR_CRYPTO;
		entries[i] =
			(struct snp_certtable_entry){guids[i], der[i], len > 0 ? (size_t)len : 0};
	}
	if (err == 0)
		err = snp_certtable_write(entries, CHAIN_SIZE, lab->table, &lab->table_len);
	for (int i = 0; i < CHAIN_SIZE; i++)
		OPENSSL_free(der[i]);
	return err;
}

static int load_certificates(struct cvtpm_amdsp_lab *lab, int folder)
{
	X509 *certs[CHAIN_SIZE] = {0};
	uint8_t *pem = malloc(FILE_MAX);
	size_t len = 0;
	BIO *bio = NULL;
	int err;

	lab->table = malloc(SNP_CERTS_MAX_SIZE);
	lab->table_len = SNP_CERTS_MAX_SIZE;
	err = pem && lab->table ? lab_folder_read(folder, "certs.pem", pem, FILE_MAX, &len)
				: CVTPM_ERR_NO_MEMORY;
	if (err == 0 && !(bio = BIO_new_mem_buf(pem, (int)len)))
		err = CVTPM_ERR_NO_MEMORY;
	for (int i = 0; err == 0 && i < CHAIN_SIZE; i++)
		if (!(certs[i] = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
			err = CVTPM_ERR_FORMAT;
	if (err == 0)
		err = make_table(lab, certs);
	for (int i = 0; i < CHAIN_SIZE; i++)
		X509_free(certs[i]);
	BIO_free(bio);
	free(pem);
	return err;
}

static int load_lab(struct cvtpm_amdsp_lab *lab, int folder)
{
	int err = chip_read(folder, &lab->chip);

	if (err == 0)
		err = load_key(lab, folder);
	if (err == 0)
		err = load_certificates(lab, folder);
	/* The chip's file is there: whatever else is missing was lost. */
	return err == CVTPM_ERR_NOT_FOUND || err == CVTPM_ERR_SIZE ? CVTPM_ERR_FORMAT : err;
}

/* Keys in a folder where others can put files are not the lab's own. */
static int check_folder(int folder)
{
	struct stat st;

	if (fstat(folder, &st) != 0)
		return CVTPM_ERR_IO;
	if (st.st_uid != geteuid() || (st.st_mode & 022) != 0)
		return CVTPM_ERR_POLICY;
	return 0;
}

/* ---- the public functions ---- */

int cvtpm_amdsp_default_dir(char *dir, size_t size)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n;

	if (state && state[0] == '/')
		n = snprintf(dir, size, "%s/cvtpm/lab", state);
	else if (home && home[0])
		n = snprintf(dir, size, "%s/.local/state/cvtpm/lab", home);
	else
		return CVTPM_ERR_NOT_FOUND;
	return n < 0 || (size_t)n >= size ? CVTPM_ERR_SIZE : 0;
}

static void explain(const struct cvtpm_amdsp_lab_options *options, const char *dir, int err)
{
	int because = errno;

	if (err == CVTPM_ERR_IO)
		say(options, CVTPM_LOG_ERROR, "lab folder %s cannot be used: %s; name another one",
		    dir, strerror(because));
	else if (err == CVTPM_ERR_POLICY)
		say(options, CVTPM_LOG_ERROR,
		    "lab folder %s: others own it or may write to it; use one of your own with "
		    "mode 0700",
		    dir);
	else if (err == CVTPM_ERR_FORMAT)
		say(options, CVTPM_LOG_ERROR,
		    "lab folder %s: a file is damaged or missing; remove the folder to have the "
		    "lab made again",
		    dir);
	else if (err < 0)
		say(options, CVTPM_LOG_ERROR, "lab folder %s: %s", dir, cvtpm_strerror(err));
	errno = because;
}

static int open_in(const char *dir, const struct cvtpm_amdsp_lab_options *options,
		   struct cvtpm_amdsp_lab *lab)
{
	int folder = lab_folder_open(dir), err;

	if (folder < 0)
		return folder;
	err = check_folder(folder);
	if (err == 0)
		err = make_once(folder, options, dir);
	if (err == 0)
		err = load_lab(lab, folder);

	int because = errno;
	close(folder);
	errno = because;
	return err;
}

int cvtpm_amdsp_lab_open_with(const char *dir, const struct cvtpm_amdsp_lab_options *options,
			      struct cvtpm_amdsp_lab **lab)
{
	char standard[4096];
	int err;

	*lab = NULL;
	if (!dir) {
		CVTPM_TRY(cvtpm_amdsp_default_dir(standard, sizeof standard));
		dir = standard;
	}
	*lab = calloc(1, sizeof **lab);
	if (!*lab || !((*lab)->dir = strdup(dir)))
		err = CVTPM_ERR_NO_MEMORY;
	else
		err = open_in(dir, options, *lab);
	if (err == 0)
		return 0;

	explain(options, dir, err);
	int because = errno;
	cvtpm_amdsp_lab_close(*lab);
	errno = because;
	*lab = NULL;
	return err;
}

int cvtpm_amdsp_lab_open(const char *dir, struct cvtpm_amdsp_lab **lab)
{
	return cvtpm_amdsp_lab_open_with(dir, NULL, lab);
}

void cvtpm_amdsp_lab_close(struct cvtpm_amdsp_lab *lab)
{
	if (!lab)
		return;
	EVP_PKEY_free(lab->vcek);
	free(lab->table);
	free(lab->dir);
	cvtpm_wipe(lab, sizeof *lab);
	free(lab);
}

const char *cvtpm_amdsp_lab_dir(const struct cvtpm_amdsp_lab *lab)
{
	return lab->dir;
}
