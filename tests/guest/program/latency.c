/* How long single commands take, as a process of the guest sees it. */
#include "guest.h"

#include "manufacture/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ALG_SHA256 0x000Bu
#define WARM_UP    20

static void pcr_read(struct guest_tpm *t, uint32_t key)
{
	struct tpm_value digest;

	(void)key;
	guest_check(t, "PCR_Read", tpm_pcr_read(&t->client, 0, ALG_SHA256, &digest));
}

static void quote(struct guest_tpm *t, uint32_t key)
{
	static const uint8_t nonce[20] = {1};
	static const struct tpm_pcr_bank bank = {ALG_SHA256, 0xFF};
	struct tpm_value quoted, signature;

	guest_check(t, "Quote",
		    tpm_quote(&t->client, key, nonce, sizeof nonce, &bank, 1, &quoted, &signature));
}

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int guest_latency(int argc, char **argv)
{
	static struct guest_tpm tpm;
	const bool quotes = argc == 3 && strcmp(argv[1], "quote") == 0;
	void (*const run)(struct guest_tpm *, uint32_t) = quotes ? quote : pcr_read;

	if (argc != 3) {
		fprintf(stderr, "usage: guest latency DEVICE pcr-read|quote COUNT\n");
		return 2;
	}
	guest_tpm_open(&tpm, argv[0]);
	const uint32_t key = quotes ? guest_create_ak(&tpm, NULL) : 0;

	for (int i = -WARM_UP; i < atoi(argv[2]); i++) {
		const long long begin = now_ns();

		run(&tpm, key);
		if (i >= 0)
			printf("ns %lld\n", now_ns() - begin);
	}
	if (key)
		guest_check(&tpm, "flush", tpm_flush_context(&tpm.client, key));
	return 0;
}
