/* Single commands: what the host has composed, and a stream whose answers are noted. */
#include "guest.h"

#include "cvtpm/err.h"
#include "manufacture/commands.h"
#include "manufacture/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TPMA_NV_AUTHWRITE  (1u << 2)
#define TPMA_NV_COUNTER    (1u << 4)
#define RC_NV_DEFINED      0x14Cu
#define ALG_SHA256         0x000Bu
#define INDEX_COUNTER      0x01800021u
#define INDEX_LAST_WRITTEN 0x01800022u

static size_t parse_hex(const char *text, uint8_t *bytes, size_t room)
{
	size_t len = 0;
	unsigned byte;

	for (; len < room && sscanf(text, "%2x", &byte) == 1 && text[1]; text += 2)
		bytes[len++] = (uint8_t)byte;
	return *text ? 0 : len;
}

int guest_send(int argc, char **argv)
{
	static struct guest_tpm tpm;

	if (argc < 2) {
		fprintf(stderr, "usage: guest send DEVICE HEX ...\n");
		return 2;
	}
	guest_tpm_open(&tpm, argv[0]);
	for (int i = 1; i < argc; i++) {
		struct tpm_client *c = &tpm.client;
		const size_t len = parse_hex(argv[i], c->command, sizeof c->command);
		size_t got = sizeof c->response;

		guest_check(&tpm, "send", c->execute(&tpm, c->command, len, c->response, &got));
		guest_print("response", c->response, got);
	}
	return 0;
}

static void define(struct guest_tpm *t, uint32_t index, uint32_t attributes)
{
	const struct tpm_nv_public public = {.index = index,
					     .name_alg = ALG_SHA256,
					     .attributes = attributes | TPMA_NV_AUTHWRITE |
							   TPMA_NV_AUTHREAD | TPMA_NV_NO_DA,
					     .size = 8};
	const int err = tpm_nv_define_space(&t->client, TPM_RH_OWNER, &public);

	if (err < 0 && t->client.rc != RC_NV_DEFINED)
		guest_check(t, "NV define", err);
}

static uint64_t read_number(struct guest_tpm *t, uint32_t index)
{
	uint8_t bytes[8];

	guest_check(t, "NV read", tpm_nv_read(&t->client, index, index, bytes, sizeof bytes));
	return wire_take(&(struct wire_reader){bytes, sizeof bytes}, 8);
}

/* Increments a counter and writes its value to another index, over and over, and
 * prints each number when the TPM has acknowledged both. */
int guest_count(int argc, char **argv)
{
	static struct guest_tpm tpm;

	if (argc != 1) {
		fprintf(stderr, "usage: guest count DEVICE\n");
		return 2;
	}
	guest_tpm_open(&tpm, argv[0]);
	setlinebuf(stdout);
	define(&tpm, INDEX_COUNTER, TPMA_NV_COUNTER);
	define(&tpm, INDEX_LAST_WRITTEN, 0);
	for (;;) {
		uint8_t bytes[8];
		struct wire_writer w = {bytes, sizeof bytes};

		guest_check(&tpm, "NV increment",
			    tpm_nv_increment(&tpm.client, INDEX_COUNTER, INDEX_COUNTER));
		const uint64_t number = read_number(&tpm, INDEX_COUNTER);

		printf("counted %llu\n", (unsigned long long)number);
		wire_put(&w, number, 8);
		guest_check(&tpm, "NV write",
			    tpm_nv_write(&tpm.client, INDEX_LAST_WRITTEN, INDEX_LAST_WRITTEN, bytes,
					 sizeof bytes));
		printf("written %llu\n", (unsigned long long)number);
	}
}

/* Where counting has got to. */
int guest_counted(int argc, char **argv)
{
	static struct guest_tpm tpm;

	if (argc != 1) {
		fprintf(stderr, "usage: guest counted DEVICE\n");
		return 2;
	}
	guest_tpm_open(&tpm, argv[0]);
	printf("counted %llu\n", (unsigned long long)read_number(&tpm, INDEX_COUNTER));
	printf("written %llu\n", (unsigned long long)read_number(&tpm, INDEX_LAST_WRITTEN));
	return 0;
}
