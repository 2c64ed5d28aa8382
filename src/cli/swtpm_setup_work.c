/* swtpm_setup: what it makes and changes. */
#include "cli/cli.h"
#include "cli/config.h"
#include "cli/files.h"
#include "cli/swtpm_setup.h"
#include "cli/tpm.h"
#include "cvtpm/ek_template.h"
#include "cvtpm/err.h"
#include "manufacture/banks.h"
#include "manufacture/commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SRK_HANDLE 0x81000001u

/* ---- a TPM that runs ---- */

/* What needs a started TPM, and the TPM. */
struct session {
	struct setup_options *options;
	struct cvtpm_instance *instance;
	struct tpm_client client;
};

static int execute(void *context, const uint8_t *command, size_t command_len, uint8_t *response,
		   size_t *response_len)
{
	return cvtpm_instance_execute(context, 0, command, command_len, response, response_len);
}

static int told(const struct session *s, const char *job, int err)
{
	if (err == CVTPM_ERR_TPM)
		cli_error("%s: TPM2_%s answered 0x%X", job, s->client.last->name, s->client.rc);
	else if (err < 0)
		cli_error("%s: %s", job, cvtpm_strerror(err));
	return err;
}

/* Opens and starts the TPM, works, and shuts it down in order. */
static int with_tpm(struct setup_options *o, struct cli_tpm *tpm,
		    int (*work)(struct session *session))
{
	const size_t size = cvtpm_instance_size(tpm->config.engine);
	void *memory = cvtpm_secret_alloc(size, &tpm->platform);
	struct session *s = calloc(1, sizeof *s);
	int err = CVTPM_ERR_NO_MEMORY;

	if (memory && s) {
		s->options = o;
		err = cvtpm_instance_open(&s->instance, memory, &tpm->platform, &tpm->config);
		if (err < 0)
			cli_error("the TPM in %s cannot be opened: %s", o->state.path,
				  cvtpm_strerror(err));
		if (err == 0) {
			tpm_client_begin(&s->client, execute, s->instance);
			err = cvtpm_instance_startup(s->instance, false);
			if (err == 0)
				err = work(s);
			cvtpm_instance_close(s->instance);
		}
	}
	free(s);
	cvtpm_secret_free(memory, size);
	return err;
}

/* ---- PCR banks ---- */

static int set_banks(struct session *s)
{
	struct tpm_pcr_bank banks[BANKS_MAX];
	size_t count = BANKS_MAX;
	bool change;

	CVTPM_TRY(told(s, "asking for the PCR banks",
		       banks_choose(&s->client, s->options->pcr_banks, banks, &count, &change)));
	if (!change)
		return 0;
	CVTPM_TRY(told(s, "changing the PCR banks", tpm_pcr_allocate(&s->client, banks, count)));
	/* It takes effect at the next reset (Part 3, 22.5): look. */
	CVTPM_TRY(told(s, "shutting down", cvtpm_instance_shutdown(s->instance)));
	CVTPM_TRY(told(s, "resetting", cvtpm_instance_reset(s->instance)));
	CVTPM_TRY(cvtpm_instance_startup(s->instance, false));
	count = BANKS_MAX;
	CVTPM_TRY(told(s, "asking for the PCR banks",
		       banks_choose(&s->client, s->options->pcr_banks, banks, &count, &change)));
	if (change)
		return told(s, "changing the PCR banks", CVTPM_ERR_STATE);
	cli_error("the PCR banks are changed");
	return 0;
}

/* ---- the storage primary key ---- */

/* TCG TPM v2.0 Provisioning Guidance, 7.5.1; `unique` full of zeros. */
static size_t srk_template(bool ecc, uint8_t out[512])
{
	static const uint8_t rsa[] = {0x00, 0x01, 0x00, 0x0B, 0x00, 0x03, 0x04, 0x72, 0x00,
				      0x00, 0x00, 0x06, 0x00, 0x80, 0x00, 0x43, 0x00, 0x10,
				      0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00};
	static const uint8_t p384[] = {0x00, 0x23, 0x00, 0x0C, 0x00, 0x03, 0x04, 0x72,
				       0x00, 0x00, 0x00, 0x06, 0x01, 0x00, 0x00, 0x43,
				       0x00, 0x10, 0x00, 0x04, 0x00, 0x10, 0x00, 0x30};

	memset(out, 0, 512);
	if (!ecc) {
		memcpy(out, rsa, sizeof rsa);
		return sizeof rsa + 256;
	}
	memcpy(out, p384, sizeof p384);
	out[sizeof p384 + 48 + 1] = 0x30; /* the size of y */
	return sizeof p384 + 48 + 2 + 48;
}

static int make_srk(struct session *s)
{
	uint8_t template[512];
	const size_t len = srk_template(s->options->ecc, template);
	struct tpm_value public;
	uint32_t handle;

	CVTPM_TRY(told(
		s, "making the storage primary key",
		tpm_create_primary(&s->client, TPM_RH_OWNER, template, len, &handle, &public)));
	CVTPM_TRY(told(s, "making the storage primary key persistent",
		       tpm_evict_control(&s->client, TPM_RH_OWNER, handle, SRK_HANDLE)));
	return told(s, "making the storage primary key", tpm_flush_context(&s->client, handle));
}

/* ---- a TPM of swtpm's ---- */

static int load(struct cli_tpm *tpm, const uint8_t *state, size_t len)
{
	const size_t size = cvtpm_instance_size(tpm->config.engine);
	void *memory = cvtpm_secret_alloc(size, &tpm->platform);
	struct cvtpm_instance *instance;
	int err = CVTPM_ERR_NO_MEMORY;

	tpm->config.leave_off = true;
	if (memory)
		err = cvtpm_instance_open(&instance, memory, &tpm->platform, &tpm->config);
	if (err == 0) {
		err = cvtpm_instance_load_state(instance, CVTPM_BLOB_PERMANENT, state, len);
		cvtpm_instance_close(instance);
	}
	tpm->config.leave_off = false;
	cvtpm_secret_free(memory, size);
	return err;
}

/* In place of the TPM that was just made, which nobody has used. */
static int import_state(struct setup_options *o, struct cli_tpm *tpm)
{
	struct cli_files files = {0};
	const uint8_t *payload;
	struct cvtpm_bytes bytes;
	int err = CVTPM_ERR_FORMAT;
	size_t len;

	if (!cli_read_file(&files, o->import, &bytes))
		return CVTPM_ERR_IO;
	const char *why = swtpm_foreign_open(bytes.data, bytes.len, &payload, &len);

	if (!why)
		err = load(tpm, payload, len);
	if (why || err < 0)
		cli_error("--import: %s is not taken: %s", o->import,
			  why ? why : cvtpm_strerror(err));
	cli_free_files(&files);
	return err;
}

/* ---- what there is ---- */

/* "rsa2048" and "secp384r1", as swtpm_setup names them. */
static const char *key_name(enum cvtpm_ek kind)
{
	switch (kind) {
	case CVTPM_EK_RSA2048:
		return "rsa2048";
	case CVTPM_EK_RSA3072:
		return "rsa3072";
	case CVTPM_EK_P256:
		return "secp256r1";
	case CVTPM_EK_P384:
		return "secp384r1";
	}
	return "?";
}

static int write_certificate(struct session *s, const struct cvtpm_ek_template *ek)
{
	uint8_t der[CVTPM_MAX_BUFFER_SIZE];
	struct tpm_nv_public public;
	char path[PATH_MAX + 64];

	CVTPM_TRY(told(s, "reading an EK certificate",
		       tpm_nv_read_public(&s->client, ek->certificate_index, &public)));
	if (public.size > sizeof der)
		return told(s, "reading an EK certificate", CVTPM_ERR_SIZE);
	CVTPM_TRY(told(
		s, "reading an EK certificate",
		tpm_nv_read(&s->client, TPM_RH_PLATFORM, ek->certificate_index, der, public.size)));
	snprintf(path, sizeof path, "%s/ek-%s.crt", s->options->cert_dir, key_name(ek->kind));
	if (!cli_write_bytes(path, der, public.size, false))
		return CVTPM_ERR_IO;
	cli_error("the EK certificate is written to %s", path);
	return 0;
}

static int for_each_ek(struct session *s,
		       int (*each)(struct session *s, const struct cvtpm_ek_template *ek))
{
	struct cvtpm_instance_info info;

	cvtpm_instance_get_info(s->instance, &info);
	for (size_t i = 0; i < CVTPM_EK_COUNT; i++)
		if (info.eks & (unsigned)cvtpm_ek_template_at(i)->kind)
			CVTPM_TRY(each(s, cvtpm_ek_template_at(i)));
	return 0;
}

static int display_ek(struct session *s, const struct cvtpm_ek_template *ek)
{
	(void)s;
	printf("EK %s: key 0x%08X, certificate 0x%08X\n", ek->name, (unsigned)ek->handle,
	       (unsigned)ek->certificate_index);
	return 0;
}

static int display(struct session *s)
{
	static const struct {
		uint16_t hash;
		const char *name;
	} names[] = {{0x04, "sha1"}, {0x0B, "sha256"}, {0x0C, "sha384"}, {0x0D, "sha512"}};
	struct tpm_pcr_bank banks[BANKS_MAX];
	size_t count = BANKS_MAX;

	CVTPM_TRY(for_each_ek(s, display_ek));
	CVTPM_TRY(
		told(s, "asking for the PCR banks", tpm_get_pcr_banks(&s->client, banks, &count)));
	printf("active PCR banks:");
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < sizeof names / sizeof names[0]; j++)
			if (banks[i].hash == names[j].hash && banks[i].pcrs)
				printf(" %s", names[j].name);
	printf("\n");
	return 0;
}

static int finish(struct session *s)
{
	if (s->options->create_spk)
		CVTPM_TRY(make_srk(s));
	if (s->options->cert_dir)
		CVTPM_TRY(for_each_ek(s, write_certificate));
	return s->options->display ? display(s) : 0;
}

static int reconfigure(struct session *s)
{
	CVTPM_TRY(set_banks(s));
	return finish(s);
}

/* ---- the folder ---- */

static const char *const our_files[] = {"data.mdb", "data.mdb.new", "lock"};

/* Removes a state folder; one that is not there, or holds something else, stays. */
static int remove_folder(const char *path)
{
	char file[PATH_MAX + 64];

	for (size_t i = 0; i < sizeof our_files / sizeof our_files[0]; i++) {
		snprintf(file, sizeof file, "%s/%s", path, our_files[i]);
		if (unlink(file) < 0 && errno != ENOENT && errno != ENOTDIR)
			break;
	}
	if (rmdir(path) == 0 || errno == ENOENT)
		return 0;
	cli_error("cannot remove %s: %s", path, strerror(errno));
	return CLI_FAULT;
}

/* Holds the old TPM, so that nobody starts it any more; what is damaged may be replaced. */
static int hold(const struct swtpm_state *where, struct cvtpm_store **store)
{
	char message[CVTPM_STORE_MESSAGE_SIZE] = "";
	const int err = cvtpm_store_lmdb_open(store, where->path, 0, message);

	if (err < 0)
		*store = NULL;
	if (err != CVTPM_ERR_BUSY)
		return 0;
	cli_error("%s", message);
	return CLI_FAULT;
}

/* ---- making one ---- */

static struct tpm_options options_for(const struct setup_options *o, const char *folder,
				      const uint8_t *key)
{
	const unsigned rsa = o->rsa_bits == 3072 ? CVTPM_EK_RSA3072 : CVTPM_EK_RSA2048;

	return (struct tpm_options){.engine = o->engine,
				    .state = folder,
				    .key = key,
				    .eks = rsa | CVTPM_EK_P256 | CVTPM_EK_P384,
				    .pcr_banks = o->pcr_banks,
				    .no_evidence = true,
				    .errors_only = o->import != NULL};
}

static int make_in(struct setup_options *o, const char *folder, const uint8_t *key)
{
	const struct tpm_options options = options_for(o, folder, key);
	struct cli_tpm tpm = {0};
	int status = CLI_FAULT;

	if (cli_tpm_open(&tpm, &options, CVTPM_STORE_CREATE) == 0) {
		tpm.config.machine = o->vmid;
		const int err = cli_tpm_manufacture(&tpm);

		if (err < 0)
			cli_error("nothing was made in %s: %s", o->state.dir, cvtpm_strerror(err));
		else if ((!o->import || import_state(o, &tpm) == 0) &&
			 (!(o->create_spk || o->cert_dir || o->display) ||
			  with_tpm(o, &tpm, finish) == 0))
			status = CLI_YES;
	}
	cli_tpm_close(&tpm);
	return status;
}

/* Beside the old one, which goes when the new one is whole. */
static int make_beside(struct setup_options *o, const uint8_t *key)
{
	char folder[sizeof o->state.path + 8];

	snprintf(folder, sizeof folder, "%s.new", o->state.path);
	if (remove_folder(folder) != 0)
		return CLI_FAULT;
	if (make_in(o, folder, key) != CLI_YES) {
		(void)remove_folder(folder);
		return CLI_FAULT;
	}
	if (remove_folder(o->state.path) != 0)
		return CLI_FAULT;
	if (rename(folder, o->state.path) == 0)
		return CLI_YES;
	cli_error("cannot rename %s to %s: %s", folder, o->state.path, strerror(errno));
	return CLI_FAULT;
}

static int replace(struct setup_options *o, const uint8_t *key)
{
	struct cvtpm_store *old;

	if (hold(&o->state, &old) != 0)
		return CLI_FAULT;
	const int status = make_beside(o, key);

	cvtpm_store_close(old);
	return status;
}

int setup_make(struct setup_options *o, const uint8_t *key)
{
	const bool exists = swtpm_state_exists(&o->state);
	int status;

	if (exists && o->not_overwrite) {
		cli_error("%s holds a TPM already, and it stays", o->state.dir);
		return CLI_YES;
	}
	if (exists && !o->overwrite) {
		cli_error("%s holds a TPM already: say --overwrite to replace it, --not-overwrite "
			  "to keep it, --reconfigure to change its PCR banks",
			  o->state.dir);
		return CLI_NO;
	}
	if (exists)
		status = replace(o, key);
	else if (o->import)
		status = make_beside(o, key);
	else
		status = make_in(o, o->state.path, key);
	if (status == CLI_YES)
		cli_error("%s %s", o->import ? "the TPM is taken over into" : "a TPM is made in",
			  o->state.dir);
	return status;
}

int setup_reconfigure(struct setup_options *o, const uint8_t *key)
{
	const struct tpm_options options = options_for(o, o->state.path, key);
	struct cli_tpm tpm = {0};
	int status = CLI_FAULT;

	if (!o->pcr_banks) {
		cli_error("--reconfigure: which PCR banks? Say --pcr-banks");
		return CLI_FAULT;
	}
	if (!swtpm_state_exists(&o->state)) {
		cli_error("--reconfigure: %s holds no TPM yet", o->state.dir);
		return CLI_FAULT;
	}
	if (cli_tpm_open(&tpm, &options, 0) == 0 && with_tpm(o, &tpm, reconfigure) == 0)
		status = CLI_YES;
	cli_tpm_close(&tpm);
	return status;
}
