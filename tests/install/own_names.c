/*
 * A program that links the installed archive and has functions with names that the engine
 * has inside. They are the program's own: none of them is called, and none is in the way.
 */
#include <cvtpm/engine.h>
#include <cvtpm/platform.h>
#include <cvtpm/store.h>
#include <cvtpm/stores.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void startup(void);
void number_add(void);
void entity_name(void);
void tpm_hash(void);
void session_get(void);
void type_read(void);
void commands(void);
void octets_fit(void);

#define OWN(name)                                                                                  \
	void name(void)                                                                            \
	{                                                                                          \
		fprintf(stderr, "%s of the program was called\n", #name);                          \
		abort();                                                                           \
	}
OWN(startup)
OWN(number_add)
OWN(entity_name)
OWN(tpm_hash)
OWN(session_get)
OWN(type_read)
OWN(commands)
OWN(octets_fit)
#if WOLFSSL_INSIDE /* a shared library would take the program's */
void wc_Sha256Update(void);
void sp_2048_mul_16(void);
OWN(wc_Sha256Update)
OWN(sp_2048_mul_16)
#endif

static int entropy(void *context, uint8_t *out, size_t len)
{
	static uint8_t n;

	(void)context;
	while (len--)
		*out++ = (uint8_t)(n = (uint8_t)(n * 5 + 1));
	return 0;
}

static uint64_t clock_ms(void *context)
{
	(void)context;
	return 1;
}

static int send(struct cvtpm_tpm *tpm, const uint8_t *command, size_t len)
{
	uint8_t response[CVTPM_MAX_BUFFER_SIZE];
	size_t response_len = sizeof response;

	if (cvtpm_engine_native.execute(tpm, 0, command, len, response, &response_len))
		return -1;
	return memcmp(response + 6, (const uint8_t[4]){0}, 4) ? -1 : 0;
}

int main(void)
{
	static const uint8_t startup_clear[] = {0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0};
	static const uint8_t get_random[] = {0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x7B, 0, 16};
	static _Alignas(16) uint8_t room[512 * 1024];
	struct cvtpm_platform platform = {.entropy = entropy, .clock_ms = clock_ms};
	struct cvtpm_engine_config config = {.memory = malloc(cvtpm_engine_native.size())};
	struct cvtpm_tpm *tpm;
	bool is_new;

	if (!config.memory || cvtpm_store_memory_init(&platform.store, room, sizeof room) ||
	    cvtpm_engine_native.create(&tpm, &platform, &config, &is_new) ||
	    cvtpm_engine_native.power_on(tpm) || send(tpm, startup_clear, sizeof startup_clear) ||
	    send(tpm, get_random, sizeof get_random))
		return 1;
	cvtpm_engine_native.destroy(tpm);
	free(config.memory);
	puts("a TPM answers");
	return 0;
}
