/*
 * The world around tpm.c, played by a process: an AMD-SP of the lab, a guest's
 * memory, and a guest that starts its TPM and reads its EK certificate, which
 * carries the report, through SVSM calls, as Linux makes them.
 *
 *     example-svsm DIR      makes a lab in DIR and writes ek.der there
 *
 * and then, as somebody would do who trusts that lab:
 *
 *     cvtpm verify --ek-cert DIR/ek.der --certs DIR/certs.pem --lab-root DIR/ark.pem \
 *                  --measurement $(cat DIR/measurement)
 */
#include "tpm.h"

#include "cvtpm/amdsp.h"
#include "cvtpm/err.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define GUEST_SIZE 0x10000u /* from physical address 0 on */
#define CALL_PAGE  0x1000u  /* where this guest puts its vTPM requests */

struct machine {
	uint8_t guest[GUEST_SIZE];
	uint8_t secrets[CVTPM_AMDSP_SECRETS_SIZE];
	uint8_t request_page[SNP_PAGE_SIZE], response_page[SNP_PAGE_SIZE];
	uint8_t certs[SNP_CERTS_MAX_SIZE];
	struct cvtpm_amdsp *sp;
	struct svsm_tpm tpm;
};

/* ---- the SVSM's part ---- */

static int entropy(void *context, uint8_t *out, size_t len)
{
	(void)context;
	for (size_t done = 0; done < len;) {
		ssize_t got = getrandom(out + done, len - done, 0);

		if (got < 0)
			return CVTPM_ERR_ENTROPY;
		done += (size_t)got;
	}
	return 0;
}

static uint64_t clock_ms(void *context)
{
	struct timespec now;

	(void)context;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void log_line(void *context, enum cvtpm_log_level level, const char *line)
{
	(void)context;
	if (level <= CVTPM_LOG_INFO)
		printf("svsm: %s\n", line);
}

/* All of the guest's memory is its own here. An SVSM asks its page tables. */
static bool is_own(void *context, uint64_t address, size_t len)
{
	(void)context;
	return address <= GUEST_SIZE && len <= GUEST_SIZE - address;
}

static bool copy_in(void *context, uint64_t address, uint8_t *to, size_t len)
{
	struct machine *m = context;

	if (!is_own(m, address, len))
		return false;
	memcpy(to, m->guest + address, len);
	return true;
}

static bool copy_out(void *context, uint64_t address, const uint8_t *from, size_t len)
{
	struct machine *m = context;

	if (!is_own(m, address, len))
		return false;
	memcpy(m->guest + address, from, len);
	return true;
}

static int start(struct machine *m)
{
	const struct svsm_host host = {
		.context = m,
		.entropy = entropy,
		.clock_ms = clock_ms,
		.log = log_line,
		.guest = {m, is_own, copy_in, copy_out},
		.secrets = m->secrets,
		.transport = {.context = m->sp,
			      .exchange = cvtpm_amdsp_request,
			      .exchange_extended = cvtpm_amdsp_request_extended},
		.request_page = m->request_page,
		.response_page = m->response_page,
		.certs = m->certs,
		.certs_size = sizeof m->certs,
		.lab = true,
	};

	cvtpm_amdsp_secrets(m->sp, m->secrets);
	return svsm_tpm_start(&m->tpm, &host);
}

/* ---- the guest's part ---- */

static void put32(uint8_t *out, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get32(const uint8_t *in)
{
	return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

/* One TPM command through SVSM_VTPM_CMD (AMD 58019, chapter 8): its page is a platform
 * command (8 is TPM_SEND_COMMAND), locality, size, command; the answer is size, response.
 * The response, or NULL where the TPM or the SVSM refused. */
static const uint8_t *send_command(struct machine *m, const uint8_t *command, uint32_t len)
{
	const uint32_t send = 8;
	struct cvtpm_svsm_registers regs = {
		.rax = (uint64_t)SVSM_PROTOCOL_VTPM << 32 | 1,
		.rcx = CALL_PAGE,
	};
	uint8_t *page = m->guest + CALL_PAGE;

	memcpy(page, &send, 4);
	page[4] = 0;
	memcpy(page + 5, &len, 4);
	memcpy(page + 9, command, len);
	cvtpm_svsm_call(&m->tpm.svsm, &regs);
	if (regs.rax != SVSM_SUCCESS || get32(page + 4 + 6) != 0) {
		fprintf(stderr, "command %X: SVSM result %llX, response code %X\n",
			get32(command + 6), (unsigned long long)regs.rax, get32(page + 4 + 6));
		return NULL;
	}
	return page + 4;
}

static bool startup(struct machine *m)
{
	/* TPM2_Startup(TPM_SU_CLEAR) */
	static const uint8_t command[] = {0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0};

	return send_command(m, command, sizeof command) != NULL;
}

/* TPM2_NV_ReadPublic: the index's dataSize, the last two bytes of its TPM2B_NV_PUBLIC; 0: none. */
static uint16_t nv_size(struct machine *m, uint32_t index)
{
	uint8_t command[14] = {0x80, 0x01, 0, 0, 0, 14, 0, 0, 0x01, 0x69};
	const uint8_t *response;
	const uint8_t *end;

	put32(command + 10, index);
	response = send_command(m, command, sizeof command);
	if (!response)
		return 0;
	end = response + 12 + (response[10] << 8 | response[11]);
	return (uint16_t)(end[-2] << 8 | end[-1]);
}

/* TPM2_NV_Read in pieces, with the index's own empty password, into a file. */
static bool read_index(struct machine *m, uint32_t index, const char *folder, const char *name)
{
	enum { PIECE = 1024, AT_INDEX = 10, AT_SIZE = 31, AT_OFFSET = 33 };
	uint8_t command[35] = {0x80, 0x02,     0, 0, 0, 35,   0, 0, 0x01,
			       0x4E, [18] = 0, 0, 0, 9, 0x40, 0, 0, 0x09};
	uint16_t size = nv_size(m, index);
	char path[4096];
	FILE *file;
	bool good = size > 0;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "wb");
	if (!file) {
		perror(path);
		return false;
	}
	put32(command + AT_INDEX, index);
	put32(command + AT_INDEX + 4, index);
	for (uint16_t at = 0; good && at < size;) {
		uint16_t piece = size - at < PIECE ? (uint16_t)(size - at) : (uint16_t)PIECE;
		const uint8_t *response;

		command[AT_SIZE] = (uint8_t)(piece >> 8), command[AT_SIZE + 1] = (uint8_t)piece;
		command[AT_OFFSET] = (uint8_t)(at >> 8), command[AT_OFFSET + 1] = (uint8_t)at;
		response = send_command(m, command, sizeof command);
		good = response && fwrite(response + 16, 1, piece, file) == piece;
		at = (uint16_t)(at + piece);
	}
	good = fclose(file) == 0 && good;
	printf("guest: index %08X: %u bytes %s %s\n", index, size, good ? "to" : "NOT READ to",
	       path);
	return good;
}

/* The whole life of a machine. 0: it went well. */
static int live(struct machine *m, const char *folder)
{
	bool good;
	int err = start(m);

	if (err < 0) {
		fprintf(stderr, "no TPM: %s\n", cvtpm_strerror(err));
		return 1;
	}
	printf("svsm: one TPM takes %zu bytes, all of them fixed\n", sizeof m->tpm);
	good = startup(m) && read_index(m, 0x01C0000A, folder, "ek.der");
	svsm_tpm_stop(&m->tpm);
	return good ? 0 : 1;
}

int main(int argc, char **argv)
{
	static _Alignas(SNP_PAGE_SIZE) struct machine machine;
	struct cvtpm_amdsp_lab *lab;
	int err;

	if (argc != 2) {
		fprintf(stderr, "usage: %s DIR\n", argv[0]);
		return 2;
	}
	err = cvtpm_amdsp_lab_open(argv[1], &lab);
	if (err < 0) {
		fprintf(stderr, "no lab in %s: %s\n", argv[1], cvtpm_strerror(err));
		return 2;
	}
	err = cvtpm_amdsp_launch(lab, NULL, &machine.sp);
	if (err < 0)
		fprintf(stderr, "no launch: %s\n", cvtpm_strerror(err));
	else
		err = live(&machine, argv[1]);
	cvtpm_amdsp_destroy(machine.sp);
	cvtpm_amdsp_lab_close(lab);
	return err == 0 ? 0 : 1;
}
