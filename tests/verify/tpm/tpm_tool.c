/*
 * The library on a command line, for tests beside a real TPM and real tools:
 *
 *   tpm_tool credential EK.pub AK.pub SECRET-HEX BLOB
 *       makes a credential; BLOB is what tpm2_activatecredential reads
 *   tpm_tool quote AK.pub EK.pub MESSAGE SIGNATURE NONCE-HEX BANK:PCR,PCR... VALUES
 *       verifies a quote; VALUES are the PCRs one after the other, as tpm2_pcrread -o writes them
 *   tpm_tool replay FORMAT LOG BANK
 *       prints "PCR VALUE" for PCRs 0 to 23
 *   tpm_tool explain FORMAT LOG BANK PCR QUOTED-HEX
 *       prints the outcome and the number of the named entry
 *
 * FORMAT is tcg, ima or ima-binary; keys are TPM2B_PUBLIC. Exit 0, or 1 with the problem on a line.
 */
#include "cvtpm/err.h"
#include "cvtpm/tpm_evidence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct file {
	uint8_t data[65536];
	size_t len;
};

static struct file files[4];

static void fail(const char *what, int problem)
{
	printf("%s: %s\n", what, cvtpm_tpm_problem_id(problem));
	exit(1);
}

static void check(const char *what, int problem)
{
	if (problem)
		fail(what, problem);
}

static struct file *read_file(const char *path, struct file *file)
{
	FILE *f = fopen(path, "rb");

	if (!f) {
		perror(path);
		exit(2);
	}
	file->len = fread(file->data, 1, sizeof(file->data), f);
	fclose(f);
	return file;
}

static size_t read_hex(const char *text, uint8_t *out, size_t room)
{
	size_t len = 0;
	unsigned byte;

	for (; sscanf(text, "%2x", &byte) == 1 && len < room; text += 2)
		out[len++] = (uint8_t)byte;
	return len;
}

static void print_hex(const uint8_t *bytes, size_t len)
{
	while (len--)
		printf("%02x", *bytes++);
	putchar('\n');
}

static uint16_t bank_of(const char *name)
{
	static const uint16_t algs[] = {CVTPM_TPM_ALG_SHA1, CVTPM_TPM_ALG_SHA256,
					CVTPM_TPM_ALG_SHA384, CVTPM_TPM_ALG_SHA512};

	for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
		if (strcmp(cvtpm_tpm_hash_name(algs[i]), name) == 0)
			return algs[i];
	}
	exit(2);
}

static struct cvtpm_tpm_public read_key(const char *path)
{
	struct file *file = read_file(path, &files[0]);
	struct cvtpm_tpm_public key;

	check(path, cvtpm_tpm2b_public_read(file->data, file->len, &key));
	return key;
}

static int credential(char **arg)
{
	static const uint8_t head[8] = {0xBA, 0xDC, 0xC0, 0xDE, 0, 0, 0, 1};
	struct cvtpm_tpm_public ek = read_key(arg[0]), ak = read_key(arg[1]);
	struct cvtpm_credential made;
	uint8_t secret[64];
	size_t len = read_hex(arg[2], secret, sizeof(secret));
	FILE *f = fopen(arg[3], "wb");

	check("credential", cvtpm_credential_make(&ek, ak.name, ak.name_len, secret, len, &made));
	if (!f || fwrite(head, sizeof(head), 1, f) != 1 ||
	    fwrite(made.id_object, made.id_object_len, 1, f) != 1 ||
	    fwrite(made.secret, made.secret_len, 1, f) != 1 || fclose(f) != 0)
		return 2;
	return 0;
}

/* "sha256:0,1,2" and the values in that order. */
static void read_pcrs(char *selection, const struct file *values, struct cvtpm_pcrs *pcrs)
{
	char *list = strchr(selection, ':');
	size_t at = 0, size;
	uint16_t alg;

	if (!list)
		exit(2);
	*list++ = 0;
	alg = bank_of(selection);
	size = cvtpm_tpm_digest_size(alg);
	for (char *word = strtok(list, ","); word; word = strtok(NULL, ",")) {
		if (at + size > values->len ||
		    cvtpm_pcrs_set(pcrs, alg, (uint32_t)atoi(word), values->data + at, size) != 0)
			exit(2);
		at += size;
	}
}

static int quote(char **arg)
{
	struct cvtpm_tpm_public ak = read_key(arg[0]), ek = read_key(arg[1]);
	struct file *message = read_file(arg[2], &files[1]);
	struct file *bytes = read_file(arg[3], &files[2]);
	struct cvtpm_pcrs pcrs = {0};
	struct cvtpm_tpm_signature signature;
	struct cvtpm_quote q;
	enum cvtpm_ak_place place;
	uint8_t nonce[64];
	size_t nonce_len = read_hex(arg[4], nonce, sizeof(nonce));

	if (cvtpm_ak_broken_rule(&ak)) {
		printf("AK: %s\n", cvtpm_ak_broken_rule(&ak)->attribute);
		return 1;
	}
	read_pcrs(arg[5], read_file(arg[6], &files[3]), &pcrs);
	check("signature", cvtpm_tpm_signature_read(bytes->data, bytes->len, &signature));
	check("signature",
	      cvtpm_tpm_check_signature_by(&ak, &signature, message->data, message->len));
	check("quote", cvtpm_quote_read(message->data, message->len, &q));
	check("nonce", cvtpm_quote_check_nonce(&q, nonce, nonce_len));
	check("signer", cvtpm_quote_check_signer(&q, &ak, &ek, &place));
	check("covers", cvtpm_quote_check_covers(&q, pcrs.bank[0].alg, pcrs.bank[0].given));
	check("PCRs", cvtpm_quote_check_pcrs(&q, signature.hash, &pcrs));
	printf("%s\n", cvtpm_ak_place_text(place));
	return 0;
}

static void open_log(struct cvtpm_log *log, const char *format, const char *path)
{
	struct file *file = read_file(path, &files[0]);
	int rc;

	if (strcmp(format, "tcg") == 0)
		rc = cvtpm_log_open_tcg(log, file->data, file->len);
	else if (strcmp(format, "ima") == 0)
		rc = cvtpm_log_open_ima_ascii(log, file->data, file->len);
	else
		rc = cvtpm_log_open_ima_binary(log, file->data, file->len, CVTPM_TPM_ALG_SHA1);
	check("log", rc);
}

static int replay(char **arg)
{
	struct cvtpm_log log;
	struct cvtpm_log_set set = {.log = {&log}, .count = 1};
	struct cvtpm_pcrs pcrs = {0};
	uint16_t alg = bank_of(arg[2]);

	open_log(&log, arg[0], arg[1]);
	if (cvtpm_pcrs_reset(&pcrs, alg))
		return 2;
	check("replay", cvtpm_log_replay(&set, &pcrs, NULL));
	for (unsigned pcr = 0; pcr < CVTPM_PCR_COUNT; pcr++) {
		printf("%u ", pcr);
		print_hex(pcrs.bank[0].value[pcr], cvtpm_tpm_digest_size(alg));
	}
	return 0;
}

static int explain(char **arg)
{
	struct cvtpm_log log;
	struct cvtpm_log_set set = {.log = {&log}, .count = 1};
	struct cvtpm_pcr_finding finding;
	uint8_t quoted[64] = {0};

	read_hex(arg[4], quoted, sizeof(quoted));
	open_log(&log, arg[0], arg[1]);
	check("explain",
	      cvtpm_pcr_explain(&set, bank_of(arg[2]), (uint32_t)atoi(arg[3]), quoted, &finding));
	printf("%s %zu\n", cvtpm_pcr_outcome_id(finding.outcome), finding.where.number);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int count;
		int (*run)(char **arg);
	} commands[] = {
		{"credential", 4, credential},
		{"quote", 7, quote},
		{"replay", 3, replay},
		{"explain", 5, explain},
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (argc == commands[i].count + 2 && strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argv + 2);
	}
	return 2;
}
