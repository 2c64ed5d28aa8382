/*
 * What a guest does with its TPM: random numbers, PCRs, keys, signatures, a
 * quote, NV, sessions, saved contexts; 200 commands and more. Every result goes
 * to the host, which recomputes it.
 */
#include "guest.h"

#include "manufacture/commands.h"
#include "manufacture/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ALG_RSA = 0x0001,
	ALG_AES = 0x0006,
	ALG_SHA256 = 0x000B,
	ALG_NULL = 0x0010,
	ALG_RSASSA = 0x0014,
	ALG_ECDSA = 0x0018,
	ALG_ECC = 0x0023,
	ALG_CFB = 0x0043,
	ECC_P256 = 0x0003,

	/* TPMA_OBJECT: fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA */
	MADE_HERE = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 10,
	RESTRICTED = 1 << 16,
	DECRYPT = 1 << 17,
	SIGN = 1 << 18,

	TPM_ST_HASHCHECK = 0x8024,
	TPMA_NV_AUTHWRITE = 1 << 2,
	TPMA_NV_COUNTER = 1 << 4,
	NV_INDEX = 0x01800010,
	NV_COUNTER = 0x01800011,
	MEASURED_PCR = 11,
};

#define U16   TPM_FIELD_U16
#define U32   TPM_FIELD_U32
#define U64   TPM_FIELD_U64
#define SIZED TPM_FIELD_SIZED
#define BYTES TPM_FIELD_BYTES

static const struct tpm_command hash = {
	0x17D, "Hash", 0, 0, .in = {SIZED, U16, U32}, .out = {SIZED, U16, U32, SIZED}};
static const struct tpm_command sign = {
	/* digest, scheme, validation {tag, hierarchy, digest} */
	0x15D, "Sign", 1, 1, .in = {SIZED, U16, U16, U32, SIZED}, .out = {BYTES}};
static const struct tpm_command context_save = {0x162, "ContextSave", 1, 0,
						.out = {U64, U32, U32, SIZED}};
static const struct tpm_command context_load = {0x161, "ContextLoad", 0,
						0,     true,          .in = {U64, U32, U32, SIZED}};

/* ---- keys ---- */

/* TPMT_PUBLIC of an ECC P-256 key: a storage key, or one that signs what the TPM made. */
static size_t ecc_template(uint8_t *room, size_t size, uint32_t use)
{
	struct wire_writer w = {room, size};

	wire_put(&w, ALG_ECC, 2);
	wire_put(&w, ALG_SHA256, 2);
	wire_put(&w, MADE_HERE | RESTRICTED | use, 4);
	wire_put_sized(&w, NULL, 0);
	if (use == DECRYPT) {
		wire_put(&w, ALG_AES, 2);
		wire_put(&w, 128, 2);
		wire_put(&w, ALG_CFB, 2);
		wire_put(&w, ALG_NULL, 2);
	} else {
		wire_put(&w, ALG_NULL, 2);
		wire_put(&w, ALG_ECDSA, 2);
		wire_put(&w, ALG_SHA256, 2);
	}
	wire_put(&w, ECC_P256, 2);
	wire_put(&w, ALG_NULL, 2);
	wire_put_sized(&w, NULL, 0);
	wire_put_sized(&w, NULL, 0);
	return w.len;
}

static size_t rsa_template(uint8_t *room, size_t size)
{
	struct wire_writer w = {room, size};

	wire_put(&w, ALG_RSA, 2);
	wire_put(&w, ALG_SHA256, 2);
	wire_put(&w, MADE_HERE | SIGN, 4);
	wire_put_sized(&w, NULL, 0);
	wire_put(&w, ALG_NULL, 2);
	wire_put(&w, ALG_RSASSA, 2);
	wire_put(&w, ALG_SHA256, 2);
	wire_put(&w, 2048, 2);
	wire_put(&w, 0, 4);
	wire_put_sized(&w, NULL, 0);
	return w.len;
}

uint32_t guest_create_ak(struct guest_tpm *t, const char *print_as)
{
	uint8_t template[128];
	struct tpm_value public;
	uint32_t key;

	guest_check(t, "AK",
		    tpm_create_primary(&t->client, TPM_RH_OWNER, template,
				       ecc_template(template, sizeof template, SIGN), &key,
				       &public));
	if (print_as)
		guest_print(print_as, public.bytes, public.len);
	return key;
}

uint32_t guest_create_storage_key(struct guest_tpm *t)
{
	uint8_t template[128];
	struct tpm_value public;
	uint32_t key;

	guest_check(t, "storage key",
		    tpm_create_primary(&t->client, TPM_RH_OWNER, template,
				       ecc_template(template, sizeof template, DECRYPT), &key,
				       &public));
	return key;
}

/* Create and Load below the storage key, a signature, all printed. */
static void create_and_sign(struct guest_tpm *t, uint32_t parent)
{
	uint8_t template[128], private_area[1024], public_area[1024];
	static const uint8_t digest[32] = {0x51, 0x67};
	const struct tpm_value in[] = {TPM_BYTES(digest, sizeof digest), TPM_NUMBER(ALG_NULL),
				       TPM_NUMBER(TPM_ST_HASHCHECK), TPM_NUMBER(TPM_RH_NULL),
				       TPM_BYTES(NULL, 0)};
	struct tpm_value private, public, signature;
	uint32_t key;

	guest_check(t, "create",
		    tpm_create(&t->client, parent, template,
			       rsa_template(template, sizeof template), &private, &public));
	if (private.len > sizeof private_area || public.len > sizeof public_area)
		guest_tpm_fail(t, "create: too large an answer", -1);
	memcpy(private_area, private.bytes, private.len);
	memcpy(public_area, public.bytes, public.len);
	guest_print("rsa_public", public_area, public.len);
	guest_check(t, "load",
		    tpm_load(&t->client, parent, private_area, private.len, public_area, public.len,
			     &key));
	guest_check(t, "sign", tpm_call(&t->client, &sign, &key, in, NULL, &signature));
	guest_print("rsa_digest", digest, sizeof digest);
	guest_print("rsa_signature", signature.bytes, signature.len);
	guest_check(t, "flush", tpm_flush_context(&t->client, key));
}

/* ---- the rest ---- */

static void print_pcr(struct guest_tpm *t, const char *name, uint32_t pcr)
{
	struct tpm_value digest;

	guest_check(t, name, tpm_pcr_read(&t->client, pcr, ALG_SHA256, &digest));
	guest_print(name, digest.bytes, digest.len);
}

static void random_and_hash(struct guest_tpm *t)
{
	static const char message[] = "what a guest hashes";
	const struct tpm_value in[] = {TPM_BYTES((const uint8_t *)message, sizeof message - 1),
				       TPM_NUMBER(ALG_SHA256), TPM_NUMBER(TPM_RH_NULL)};
	struct tpm_value random, out[4];

	for (unsigned i = 0; i < 2; i++) {
		guest_check(t, "random", tpm_get_random(&t->client, 32, &random));
		guest_print("random", random.bytes, random.len);
	}
	guest_check(t, "hash", tpm_call(&t->client, &hash, NULL, in, NULL, out));
	guest_print("hashed", message, sizeof message - 1);
	guest_print("hash", out[0].bytes, out[0].len);
}

static void define(struct guest_tpm *t, uint32_t index, uint32_t attributes, uint16_t size)
{
	const struct tpm_nv_public public = {.index = index,
					     .name_alg = ALG_SHA256,
					     .attributes = attributes | TPMA_NV_AUTHWRITE |
							   TPMA_NV_AUTHREAD | TPMA_NV_NO_DA,
					     .size = size};

	guest_check(t, "NV define", tpm_nv_define_space(&t->client, TPM_RH_OWNER, &public));
}

static void use_nv(struct guest_tpm *t)
{
	uint8_t data[48], back[48];

	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 5);
	define(t, NV_INDEX, 0, sizeof data);
	guest_check(t, "NV write", tpm_nv_write(&t->client, NV_INDEX, NV_INDEX, data, sizeof data));
	guest_check(t, "NV read", tpm_nv_read(&t->client, NV_INDEX, NV_INDEX, back, sizeof back));
	guest_print("nv", back, sizeof back);

	define(t, NV_COUNTER, TPMA_NV_COUNTER, 8);
	for (unsigned i = 0; i < 2; i++) {
		guest_check(t, "NV increment",
			    tpm_nv_increment(&t->client, NV_COUNTER, NV_COUNTER));
		guest_check(t, "NV read counter",
			    tpm_nv_read(&t->client, NV_COUNTER, NV_COUNTER, back, 8));
		guest_print("nv_counter", back, 8);
	}
	guest_check(t, "NV undefine", tpm_nv_undefine_space(&t->client, TPM_RH_OWNER, NV_COUNTER));
	guest_check(t, "NV undefine", tpm_nv_undefine_space(&t->client, TPM_RH_OWNER, NV_INDEX));
}

static void use_sessions(struct guest_tpm *t)
{
	uint32_t session;

	guest_check(t, "policy session",
		    tpm_start_auth_session(&t->client, TPM_SE_POLICY, &session));
	guest_check(t, "PolicySecret", tpm_policy_secret(&t->client, TPM_RH_OWNER, session));
	guest_check(t, "PolicyCommandCode", tpm_policy_command_code(&t->client, session, 0x14E));
	guest_check(t, "flush", tpm_flush_context(&t->client, session));
	guest_check(t, "HMAC session", tpm_start_auth_session(&t->client, TPM_SE_HMAC, &session));
	guest_check(t, "flush", tpm_flush_context(&t->client, session));
}

/* Saves the key's context, flushes the key and loads it again; its new handle. */
static uint32_t swap_out(struct guest_tpm *t, uint32_t key)
{
	struct tpm_value out[4];
	uint8_t blob[2048];

	guest_check(t, "ContextSave", tpm_call(&t->client, &context_save, &key, NULL, NULL, out));
	if (out[3].len > sizeof blob)
		guest_tpm_fail(t, "ContextSave: too large an answer", -1);
	memcpy(blob, out[3].bytes, out[3].len);
	out[3].bytes = blob;
	guest_check(t, "flush", tpm_flush_context(&t->client, key));
	guest_check(t, "ContextLoad", tpm_call(&t->client, &context_load, NULL, out, &key, NULL));
	return key;
}

void guest_quote(struct guest_tpm *t, uint32_t ak, const uint8_t *nonce, size_t len)
{
	static const struct tpm_pcr_bank bank = {ALG_SHA256, 0x0CFF}; /* 0 to 7, 10, 11 */
	struct tpm_value quoted, signature;

	guest_check(t, "quote",
		    tpm_quote(&t->client, ak, nonce, len, &bank, 1, &quoted, &signature));
	guest_print("quoted", quoted.bytes, quoted.len);
	guest_print("quote_signature", signature.bytes, signature.len);
	for (uint32_t pcr = 0; pcr < 24; pcr++) {
		char name[16];

		snprintf(name, sizeof name, "pcr%u", pcr);
		if (bank.pcrs >> pcr & 1)
			print_pcr(t, name, pcr);
	}
}

static void measure(struct guest_tpm *t, unsigned rounds)
{
	uint8_t digest[32] = {0};
	struct tpm_value value;

	print_pcr(t, "measured_before", MEASURED_PCR);
	for (unsigned i = 0; i < rounds; i++) {
		memset(digest, (int)(i & 0xFF), sizeof digest);
		guest_check(t, "extend",
			    tpm_pcr_extend(&t->client, MEASURED_PCR, ALG_SHA256, digest,
					   sizeof digest));
		guest_check(t, "read", tpm_pcr_read(&t->client, MEASURED_PCR, ALG_SHA256, &value));
		guest_check(t, "random", tpm_get_random(&t->client, 16, &value));
	}
	printf("measurements %u\n", rounds);
	print_pcr(t, "measured_after", MEASURED_PCR);
}

int guest_workload(int argc, char **argv)
{
	static struct guest_tpm tpm;

	if (argc != 3) {
		fprintf(stderr, "usage: guest workload DEVICE ROUNDS NONCE\n");
		return 2;
	}
	guest_tpm_open(&tpm, argv[0]);
	random_and_hash(&tpm);
	measure(&tpm, (unsigned)atoi(argv[1]));
	use_nv(&tpm);
	use_sessions(&tpm);

	const uint32_t parent = guest_create_storage_key(&tpm);

	create_and_sign(&tpm, parent);
	guest_check(&tpm, "flush", tpm_flush_context(&tpm.client, parent));

	const uint32_t ak = swap_out(&tpm, guest_create_ak(&tpm, "ak_public"));

	guest_quote(&tpm, ak, (const uint8_t *)argv[2], strlen(argv[2]));
	guest_check(&tpm, "flush", tpm_flush_context(&tpm.client, ak));
	printf("commands %u\n", tpm.commands);
	return 0;
}
