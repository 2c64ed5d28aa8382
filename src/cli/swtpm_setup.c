/* swtpm_setup: its command line. */
#include "cli/swtpm_setup.h"
#include "cli/cli.h"
#include "cli/common.h"
#include "cli/config.h"
#include "cli/plain.h"
#include "crypto/crypto.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum setup_option {
	OPTION_TPM2 = 0x100,
	OPTION_TPM_STATE,
	OPTION_CREATEEK,
	OPTION_CREATE_EK_CERT,
	OPTION_CREATE_PLATFORM_CERT,
	OPTION_LOCK_NVRAM,
	OPTION_OVERWRITE,
	OPTION_NOT_OVERWRITE,
	OPTION_RECONFIGURE,
	OPTION_PCR_BANKS,
	OPTION_VMID,
	OPTION_CONFIG,
	OPTION_KEYFILE,
	OPTION_KEYFILE_FD,
	OPTION_PWDFILE,
	OPTION_PWDFILE_FD,
	OPTION_CIPHER,
	OPTION_ECC,
	OPTION_RSA_KEYSIZE,
	OPTION_DECRYPTION,
	OPTION_ALLOW_SIGNING,
	OPTION_DISPLAY,
	OPTION_LOGFILE,
	OPTION_WRITE_EK_CERT_FILES,
	OPTION_CREATE_SPK,
	OPTION_IMPORT,
	OPTION_ENGINE,
	OPTION_TPM,
	OPTION_SWTPM_IOCTL,
	OPTION_CREATE_CONFIG_FILES,
	OPTION_PRINT_CAPABILITIES,
	OPTION_VERSION,
	OPTION_TPM12,   /* of TPM 1.2 alone */
	OPTION_PROFILE, /* of later versions of swtpm */
};

static const struct argp_option options[] = {
	{0, 0, 0, 0, "The TPM:", 1},
	{"tpm2", OPTION_TPM2, 0, 0, "a TPM 2.0: the only one that there is, and to be said", 1},
	{"tpm-state", OPTION_TPM_STATE, "DIR", 0, "where it is kept: in DIR/cvtpm", 1},
	{"tpmstate", 0, 0, OPTION_ALIAS, 0, 1},
	{"keyfile", OPTION_KEYFILE, "FILE", 0, "encrypt the state under this key: digits", 1},
	{"keyfile-fd", OPTION_KEYFILE_FD, "N", 0, "the same from a descriptor", 1},
	{"pwdfile", OPTION_PWDFILE, "FILE", 0, "under a key made from this passphrase", 1},
	{"pwdfile-fd", OPTION_PWDFILE_FD, "N", 0, "the same from a descriptor", 1},
	{"cipher", OPTION_CIPHER, "aes-128-cbc|aes-256-cbc", 0,
	 "how long the key is; what encrypts is AES-256-GCM in any case", 1},
	{0, 0, 0, 0,
	 "What is made (EKs, their certificates, a platform certificate, all of them "
	 "locked, always are):",
	 2},
	{"createek", OPTION_CREATEEK, 0, 0, "endorsement keys", 2},
	{"create-ek-cert", OPTION_CREATE_EK_CERT, 0, 0, "EK certificates", 2},
	{"create-platform-cert", OPTION_CREATE_PLATFORM_CERT, 0, 0, "a platform certificate", 2},
	{"lock-nvram", OPTION_LOCK_NVRAM, 0, 0, "lock them", 2},
	{"decryption", OPTION_DECRYPTION, 0, 0, "an EK that decrypts", 2},
	{"rsa-keysize", OPTION_RSA_KEYSIZE, "2048|3072|max", 0, "of the RSA EK (default: 2048)", 2},
	{"create-spk", OPTION_CREATE_SPK, 0, 0,
	 "a storage primary key at 0x81000001: RSA 2048, with --ecc P-384", 2},
	{"ecc", OPTION_ECC, 0, 0, "see --create-spk", 2},
	{"pcr-banks", OPTION_PCR_BANKS, "LIST|-", 0,
	 "active PCR banks: sha1,sha256,sha384,sha512, or - for all (default: of the "
	 "configuration file, or sha256,sha384)",
	 2},
	{"vmid", OPTION_VMID, "ID", 0, "the machine's name, for the platform certificate", 2},
	{"config", OPTION_CONFIG, "FILE", 0,
	 "the configuration file: of it active_pcr_banks counts (default: swtpm_setup.conf of "
	 "$XDG_CONFIG_HOME, ~/.config or /etc)",
	 2},
	{"overwrite", OPTION_OVERWRITE, 0, 0, "replace the TPM that is there", 3},
	{"not-overwrite", OPTION_NOT_OVERWRITE, 0, 0, "where there is one, do nothing", 3},
	{"reconfigure", OPTION_RECONFIGURE, 0, 0, "change the PCR banks of the one that is there",
	 3},
	{"import", OPTION_IMPORT, "FILE", 0,
	 "make none, but take over the one that swtpm keeps in FILE: its tpm2-00.permall, or what "
	 "its control channel gave (swtpm_ioctl --save permanent)",
	 3},
	{"write-ek-cert-files", OPTION_WRITE_EK_CERT_FILES, "DIR", 0,
	 "write the EK certificates to DIR/ek-TYPE.crt", 3},
	{"display", OPTION_DISPLAY, 0, 0, "say at the end what there is", 3},
	{"engine", OPTION_ENGINE, "NAME", 0, "which TPM engine to use (default: " SWTPM_ENGINE ")",
	 3},
	{"logfile", OPTION_LOGFILE, "FILE", 0, "log to FILE, too", 3},
	{"runas", 'r', "USER", 0, "become USER first", 3},
	{"tpm", OPTION_TPM, "PROGRAM", 0, "has no effect: this program makes the TPM itself", 3},
	{"swtpm_ioctl", OPTION_SWTPM_IOCTL, "PROGRAM", OPTION_HIDDEN, 0, 3}, /* has no effect */
	{"create-config-files", OPTION_CREATE_CONFIG_FILES, "skip-if-exist|overwrite|root",
	 OPTION_ARG_OPTIONAL, "none are needed: succeeds", 4},
	{"print-capabilities", OPTION_PRINT_CAPABILITIES, 0, 0, "what this program can do, as JSON",
	 4},
	{"version", OPTION_VERSION, 0, 0, "which version this is", 4},
	{0, 'h', 0, OPTION_HIDDEN, 0, 4},
	{"allow-signing", OPTION_ALLOW_SIGNING, 0, OPTION_HIDDEN, 0, 4},
	{"take-ownership", OPTION_TPM12, 0, OPTION_HIDDEN, 0, 4},
	{"ownerpass", OPTION_TPM12, "P", OPTION_HIDDEN, 0, 4},
	{"owner-well-known", OPTION_TPM12, 0, OPTION_HIDDEN, 0, 4},
	{"srkpass", OPTION_TPM12, "P", OPTION_HIDDEN, 0, 4},
	{"srk-well-known", OPTION_TPM12, 0, OPTION_HIDDEN, 0, 4},
	{"tcsd-system-ps-file", OPTION_TPM12, "FILE", OPTION_HIDDEN, 0, 4},
	{"profile", OPTION_PROFILE, "P", OPTION_HIDDEN, 0, 4},
	{"profile-name", OPTION_PROFILE, "P", OPTION_HIDDEN, 0, 4},
	{"profile-file", OPTION_PROFILE, "P", OPTION_HIDDEN, 0, 4},
	{"profile-file-fd", OPTION_PROFILE, "P", OPTION_HIDDEN, 0, 4},
	{"print-profiles", OPTION_PROFILE, 0, OPTION_HIDDEN, 0, 4},
	{0}};

/* It becomes a UTF8String. */
static bool is_utf8_text(const char *text)
{
	json_t *string = json_string(text);
	bool good = string != NULL;

	json_decref(string);
	for (; *text; text++)
		good = good && (unsigned char)*text >= ' ' && *text != 0x7F;
	return good;
}

static void parse_rsa_keysize(struct argp_state *state, const char *text, struct setup_options *o)
{
	if (strcmp(text, "3072") == 0 || strcmp(text, "max") == 0)
		o->rsa_bits = 3072;
	else if (strcmp(text, "2048") == 0)
		o->rsa_bits = 2048;
	else
		argp_error(state, "--rsa-keysize=%s: write 2048, 3072 or max", text);
}

/* "skip-if-exist", perhaps as an argument of its own. */
static void parse_config_files(struct argp_state *state, const char *text, struct setup_options *o)
{
	bool skip = false, overwrite = false, root = false;
	char copy[WORDS_SIZE];
	const struct word words[] = {{"skip-if-exist", NULL, &skip},
				     {"overwrite", NULL, &overwrite},
				     {"root", NULL, &root},
				     {0}};

	if (!text && state->next < state->argc && state->argv[state->next][0] != '-')
		text = state->argv[state->next++];
	if (text)
		words_parse(state, "--create-config-files", text, copy, words);
	o->create_config_files = true;
}

/* The four ways to name a key, as one --key. */
static void settle_key(struct argp_state *state, struct setup_options *o)
{
	const char *const names[] = {"file", "fd", "pwdfile", "pwdfd"};
	const char *const values[] = {o->keyfile, o->keyfile_fd, o->pwdfile, o->pwdfile_fd};
	const char *const named[] = {"--keyfile", "--keyfile-fd", "--pwdfile", "--pwdfile-fd"};
	char text[WORDS_SIZE];
	size_t which = 4;

	for (size_t i = 0; i < 4; i++) {
		if (values[i] && which < 4)
			argp_error(state, "%s and %s exclude each other", named[which], named[i]);
		if (values[i])
			which = i;
	}
	if (which == 4 && o->cipher)
		argp_error(state, "--cipher needs a key: --keyfile, --pwdfile, or one of their "
				  "-fd forms");
	if (which == 4)
		return;
	if (strchr(values[which], ','))
		argp_error(state, "%s: '%s': no commas, please", named[which], values[which]);
	snprintf(text, sizeof text, "%s=%s%s%s", names[which], values[which],
		 o->cipher ? ",mode=" : "", o->cipher ? o->cipher : "");
	swtpm_key_parse(state, named[which], text, &o->key);
}

static void check_options(struct argp_state *state, struct setup_options *o)
{
	if (o->print_capabilities || o->create_config_files)
		return;
	if (!o->tpm2)
		argp_error(state, "--tpm2 is missing: there is no TPM 1.2 here");
	if (!o->state.dir)
		argp_error(state, "--tpm-state is missing: where shall the TPM be kept?");
	if (o->overwrite && o->not_overwrite)
		argp_error(state, "--overwrite and --not-overwrite exclude each other");
	if (o->import &&
	    (o->reconfigure || o->create_spk || o->pcr_banks || o->vmid || o->rsa_bits))
		argp_error(state, "--import takes a TPM over as it is: nothing else is made or "
				  "changed");
	if (o->reconfigure && (o->overwrite || o->create_spk || o->vmid || o->rsa_bits))
		argp_error(state, "--reconfigure changes the PCR banks and nothing else");
	if (o->ecc && !o->create_spk)
		argp_error(state, "--ecc needs --create-spk: EKs of both kinds are always made");
	settle_key(state, o);
}

static const struct plain_option plain[] = {
	FLAG(OPTION_TPM2, struct setup_options, tpm2),
	FLAG(OPTION_CREATE_EK_CERT, struct setup_options, wants_certificate),
	FLAG(OPTION_CREATE_PLATFORM_CERT, struct setup_options, wants_certificate),
	FLAG(OPTION_OVERWRITE, struct setup_options, overwrite),
	FLAG(OPTION_NOT_OVERWRITE, struct setup_options, not_overwrite),
	FLAG(OPTION_RECONFIGURE, struct setup_options, reconfigure),
	TEXT(OPTION_CONFIG, struct setup_options, config),
	TEXT(OPTION_KEYFILE, struct setup_options, keyfile),
	TEXT(OPTION_KEYFILE_FD, struct setup_options, keyfile_fd),
	TEXT(OPTION_PWDFILE, struct setup_options, pwdfile),
	TEXT(OPTION_PWDFILE_FD, struct setup_options, pwdfile_fd),
	TEXT(OPTION_CIPHER, struct setup_options, cipher),
	FLAG(OPTION_ECC, struct setup_options, ecc),
	FLAG(OPTION_DISPLAY, struct setup_options, display),
	TEXT(OPTION_LOGFILE, struct setup_options, log.file),
	TEXT('r', struct setup_options, runas),
	TEXT(OPTION_WRITE_EK_CERT_FILES, struct setup_options, cert_dir),
	FLAG(OPTION_CREATE_SPK, struct setup_options, create_spk),
	TEXT(OPTION_IMPORT, struct setup_options, import),
	TEXT(OPTION_TPM, struct setup_options, other_tpm),
	FLAG(OPTION_PRINT_CAPABILITIES, struct setup_options, print_capabilities),
	{0},
};

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct setup_options *o = state->input;

	if (plain_take(state, options, plain, key, text))
		return 0;
	switch (key) {
	case OPTION_TPM_STATE:
		swtpm_state_parse_uri(state, "--tpm-state", text, &o->state);
		return 0;
	case OPTION_CREATEEK:
	case OPTION_LOCK_NVRAM:
	case OPTION_DECRYPTION:
	case OPTION_SWTPM_IOCTL:
		return 0;
	case OPTION_PCR_BANKS:
		if (!setup_parse_banks(text, &o->pcr_banks))
			argp_error(state,
				   "--pcr-banks=%s: not a list of sha1, sha256, sha384, sha512",
				   text);
		return 0;
	case OPTION_VMID:
		if (strlen(text) == 0 || strlen(text) > SETUP_VMID_MAX || !is_utf8_text(text))
			argp_error(state,
				   "--vmid: write 1 to %d bytes of UTF-8 without control "
				   "characters",
				   SETUP_VMID_MAX);
		o->vmid = text;
		return 0;
	case OPTION_RSA_KEYSIZE:
		parse_rsa_keysize(state, text, o);
		return 0;
	case OPTION_ALLOW_SIGNING:
		argp_error(state, "--allow-signing is not offered: such a key is no EK of the "
				  "TCG's profile");
		return 0;
	case OPTION_ENGINE:
		o->engine = swtpm_engine(state, text);
		return 0;
	case OPTION_CREATE_CONFIG_FILES:
		parse_config_files(state, text, o);
		return 0;
	case OPTION_VERSION:
		printf("TPM emulator setup of cvtpm, version %s\n", CVTPM_VERSION);
		exit(CLI_YES);
	case OPTION_TPM12:
		argp_error(state, "there is no TPM 1.2 here, and the passwords and options of one "
				  "have no use");
		return 0;
	case OPTION_PROFILE:
		argp_error(state, "profiles are not offered");
		return 0;
	case 'h':
		argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is not expected: options only", text);
		return 0;
	case ARGP_KEY_END:
		check_options(state, o);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp setup_argp = {
	options,
	parse,
	NULL,
	"Makes a persistent TPM 2.0 for `swtpm socket`, with the command line of swtpm_setup.\v"
	"Examples:\n"
	"  swtpm_setup --tpm2 --tpm-state /tmp/vm7 --create-ek-cert \\\n"
	"    --create-platform-cert --lock-nvram\n"
	"  swtpm_setup --tpm2 --tpm-state /tmp/vm7 --pcr-banks sha256,sha384 \\\n"
	"    --reconfigure\n"
	"  swtpm_setup --tpm2 --tpm-state /tmp/vm7 --import /tmp/vm7/tpm2-00.permall\n"
	"\n"
	"Exit status: 0 made, or there with --not-overwrite; 1 refused because there is a TPM; "
	"2 wrong usage or a fault.",
	NULL,
	NULL,
	NULL};

static int say_capabilities(void)
{
	printf("{ \"type\": \"swtpm_setup\", \"features\": [ \"tpm-2.0\", \"cmdarg-keyfile-fd\", "
	       "\"cmdarg-pwdfile-fd\", \"cmdarg-write-ek-cert-files\", "
	       "\"cmdarg-create-config-files\", \"cmdarg-reconfigure-pcr-banks\", "
	       "\"tpm2-rsa-keysize-2048\", \"tpm2-rsa-keysize-3072\" ], \"version\": \"%s\" }\n",
	       CVTPM_VERSION);
	return CLI_YES;
}

static int run(struct setup_options *o)
{
	uint8_t key[CVTPM_STORE_KEY_SIZE];

	if (o->print_capabilities)
		return say_capabilities();
	if (o->create_config_files) {
		cli_error("no configuration files are needed, and none are made");
		return CLI_YES;
	}
	if ((o->runas && swtpm_become(o->runas) != 0) || swtpm_log_begin(&o->log) != 0 ||
	    swtpm_state_check(&o->state, o->import != NULL) != 0 || setup_read_config(o) != 0)
		return CLI_FAULT;
	if (o->key.given && swtpm_key_load(&o->key, key) != 0)
		return CLI_FAULT;
	if (o->other_tpm)
		cli_error("--tpm %s is not run: the TPM is made by this program, for the swtpm "
			  "beside it",
			  o->other_tpm);
	const int status = o->reconfigure ? setup_reconfigure(o, o->key.given ? key : NULL)
					  : setup_make(o, o->key.given ? key : NULL);

	cvtpm_wipe(key, sizeof key);
	return status;
}

int cmd_swtpm_setup(int argc, char **argv)
{
	struct setup_options o = {
		.engine = cvtpm_engine_find(SWTPM_ENGINE),
		.log = {.option = "--logfile", .fd = -1, .out = -1, .also = -1, .level = 1}};

	argp_parse(&setup_argp, argc, argv, 0, NULL, &o);
	return run(&o);
}
