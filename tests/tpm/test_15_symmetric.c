/* Part 3, 15: EncryptDecrypt, EncryptDecrypt2, Hash, HMAC. */
#include "crypto/hex.h"
#include "keys.h"
#include "sp800_38a.h"

/* ---- 15.2, 15.3 ---- */

#define CIPHER_USER (TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA)
#define CIPHER_KEY  (CIPHER_USER | TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT)

static uint16_t from_hex(const char *hex, uint8_t *out)
{
	assert_true(cvtpm_hex_read(hex, out, strlen(hex) / 2));
	return (uint16_t)(strlen(hex) / 2);
}

/* A key that is known from outside. */
static struct key load_cipher(struct rig *r, const char *hex, TPM_ALG_ID mode,
			      TPMA_OBJECT attributes)
{
	struct LoadExternal_in in = {
		.hierarchy = TPM_RH_NULL,
		.inPrivate = {1, {.sensitiveType = TPM_ALG_SYMCIPHER, .seedValue.size = 32}},
		.inPublic.publicArea = {.type = TPM_ALG_SYMCIPHER,
					.nameAlg = TPM_ALG_SHA256,
					.objectAttributes = attributes},
	};
	TPMT_PUBLIC *public = &in.inPublic.publicArea;
	TPM2B_SYM_KEY *key = &in.inPrivate.sensitiveArea.sensitive.sym;
	uint8_t both[64] = {0}; /* the seed, which is all zero, and the key */
	struct LoadExternal_out out;

	key->size = from_hex(hex, key->buffer);
	public->parameters.symDetail.sym = (TPMT_SYM_DEF_OBJECT){
		TPM_ALG_AES, {.aes = (uint16_t)(8 * key->size)}, {.aes = mode}};
	memcpy(both + 32, key->buffer, key->size);
	public->unique.sym = digest_of(TPM_ALG_SHA256, both, 32u + key->size);
	rig_no_sessions(r);
	OK(RIG_RUN(r, LoadExternal, &in, &out));
	return (struct key){out.handle, *public, out.name};
}

/* One the TPM makes. */
static struct key make_cipher(struct rig *r, TPM_ALG_ID mode, TPMA_OBJECT attributes)
{
	TPMT_PUBLIC t = {.type = TPM_ALG_SYMCIPHER,
			 .nameAlg = TPM_ALG_SHA256,
			 .objectAttributes = PLAIN | attributes,
			 .parameters.symDetail.sym = {TPM_ALG_AES, {.aes = 128}, {.aes = mode}}};

	return make_primary(r, TPM_RH_OWNER, &t, "");
}

/* The two commands differ in the order of their parameters. */
enum which { FIRST, SECOND, BOTH };

static tpm_rc cipher(struct rig *r, enum which c, const struct EncryptDecrypt2_in *in,
		     struct EncryptDecrypt2_out *out)
{
	struct EncryptDecrypt_in first = {.keyHandle = in->keyHandle,
					  .decrypt = in->decrypt,
					  .mode = in->mode,
					  .ivIn = in->ivIn,
					  .inData = in->inData};
	struct EncryptDecrypt_out first_out;
	tpm_rc rc;

	if (c == SECOND)
		return RIG_RUN(r, EncryptDecrypt2, in, out);
	rc = RIG_RUN(r, EncryptDecrypt, &first, &first_out);
	if (rc)
		return rc;
	out->outData = first_out.outData;
	out->ivOut = first_out.ivOut;
	return 0;
}

/* The number of a parameter. */
enum parameter { IN_DATA, MODE, IV_IN };
static tpm_rc about(enum which c, enum parameter p, tpm_rc rc)
{
	static const unsigned number[BOTH][3] = {{4, 2, 3}, {1, 3, 4}};

	return RC_P(number[c][p], rc);
}

static bool is_block_mode(TPM_ALG_ID mode)
{
	return mode == TPM_ALG_CBC || mode == TPM_ALG_ECB;
}

static struct EncryptDecrypt2_in text_of(const struct sp_vector *v, TPM_HANDLE key, bool decrypt)
{
	struct EncryptDecrypt2_in in = {.keyHandle = key, .decrypt = decrypt, .mode = TPM_ALG_NULL};

	in.ivIn.size = from_hex(v->iv, in.ivIn.buffer);
	in.inData.size = from_hex(decrypt ? v->cipher_text : SP_TEXT, in.inData.buffer);
	return in;
}

static void is_text(const TPM2B_MAX_BUFFER *out, const char *hex)
{
	uint8_t want[SP_LEN];

	assert_int_equal(out->size, from_hex(hex, want));
	assert_memory_equal(out->buffer, want, sizeof want);
}

/* The one after it, from NULL the first; libtpms has no AES with 192 bits. */
static const struct sp_vector *next_vector(const struct rig *r, const struct sp_vector *v)
{
	v = v ? v + 1 : sp_vectors;
	if (v < sp_vectors + SP_VECTORS && v->bits == 192 && on_libtpms(r))
		v++;
	return v < sp_vectors + SP_VECTORS ? v : NULL;
}

static void ciphers_of_sp_800_38a(void **state)
{
	struct rig *r = *state;

	for (const struct sp_vector *v = NULL; (v = next_vector(r, v));) {
		struct key k = load_cipher(r, v->key, v->mode, CIPHER_KEY);

		for (enum which c = FIRST; c < BOTH; c++) {
			struct EncryptDecrypt2_in in = text_of(v, k.handle, false);
			struct EncryptDecrypt2_out out;

			OK(cipher(r, c, &in, &out));
			is_text(&out.outData, v->cipher_text);
			in = text_of(v, k.handle, true);
			in.mode = v->mode;
			OK(cipher(r, c, &in, &out));
			is_text(&out.outData, SP_TEXT);
		}
		rig_flush(r, k.handle);
	}
}

/* Table 61 of Part 3: of whole blocks. */
static TPM2B_IV next_iv(const struct sp_vector *v)
{
	TPM2B_IV iv = {.size = v->mode == TPM_ALG_ECB ? 0 : 16};
	uint8_t plain[SP_LEN], text[SP_LEN];

	from_hex(SP_TEXT, plain);
	from_hex(v->cipher_text, text);
	for (size_t i = 0; i < 16; i++)
		iv.buffer[i] = text[SP_LEN - 16 + i] ^
			       (v->mode == TPM_ALG_OFB ? plain[SP_LEN - 16 + i] : 0);
	if (v->mode == TPM_ALG_CTR) /* SP_IV_CTR and 4 */
		from_hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdff03", iv.buffer);
	return iv;
}

static void iv_out_goes_on(void **state)
{
	struct rig *r = *state;

	for (const struct sp_vector *v = NULL; (v = next_vector(r, v));) {
		struct key k = load_cipher(r, v->key, v->mode, CIPHER_KEY);
		TPM2B_IV want = next_iv(v);

		for (unsigned n = 0; n < 4; n++) {
			struct EncryptDecrypt2_in in = text_of(v, k.handle, n & 1);
			struct EncryptDecrypt2_out out;

			OK(cipher(r, (enum which)(n >> 1), &in, &out));
			assert_int_equal(out.ivOut.size, want.size);
			assert_memory_equal(out.ivOut.buffer, want.buffer, want.size);
		}
		rig_flush(r, k.handle);
	}
}

/* In parts, each with the ivOut of the one before; the last one of no whole block, where the
 * mode can do that. */
static void stream_in_parts(struct rig *r, const struct sp_vector *v, TPM_HANDLE key, bool decrypt)
{
	const uint16_t parts[] = {16, 32, is_block_mode(v->mode) ? 16 : 11};
	struct EncryptDecrypt2_in whole = text_of(v, key, decrypt), in = whole;
	uint8_t want[SP_LEN];
	uint16_t at = 0;

	from_hex(decrypt ? SP_TEXT : v->cipher_text, want);
	for (unsigned n = 0; n < 3; at = (uint16_t)(at + parts[n++])) {
		struct EncryptDecrypt2_out out;

		in.inData.size = parts[n];
		memcpy(in.inData.buffer, whole.inData.buffer + at, parts[n]);
		OK(cipher(r, n & 1 ? FIRST : SECOND, &in, &out));
		assert_int_equal(out.outData.size, parts[n]);
		assert_memory_equal(out.outData.buffer, want + at, parts[n]);
		in.ivIn = out.ivOut;
	}
	assert_int_equal(in.ivIn.size, whole.ivIn.size); /* of the cipher, not of the last part */
}

static void streams_go_on(void **state)
{
	struct rig *r = *state;

	for (const struct sp_vector *v = NULL; (v = next_vector(r, v));) {
		struct key k = load_cipher(r, v->key, v->mode, CIPHER_KEY);

		stream_in_parts(r, v, k.handle, false);
		stream_in_parts(r, v, k.handle, true);
		rig_flush(r, k.handle);
	}
}

/* "All the bits of the IV are incremented." */
static void counters_have_128_bits(void **state)
{
	struct rig *r = *state;
	struct key k = load_cipher(r, SP_128, TPM_ALG_CTR, CIPHER_KEY);
	struct EncryptDecrypt2_in in = {
		.keyHandle = k.handle, .mode = TPM_ALG_NULL, .ivIn.size = 16, .inData.size = 48};
	struct EncryptDecrypt2_out out, next;
	TPM2B_IV zero = {.size = 16};

	memset(in.ivIn.buffer, 0xFF, 16);
	OK(cipher(r, SECOND, &in, &out));
	zero.buffer[15] = 2;
	assert_memory_equal(out.ivOut.buffer, zero.buffer, 16);
	zero.buffer[15] = 0; /* what encrypted the second of the three blocks */
	in.ivIn = zero;
	in.inData.size = 16;
	OK(cipher(r, SECOND, &in, &next));
	assert_memory_equal(out.outData.buffer + 16, next.outData.buffer, 16);
}

static void no_data_changes_nothing(void **state)
{
	struct rig *r = *state;

	for (size_t n = 0; n < SP_VECTORS; n += 3) { /* 128 bits */
		struct key k = load_cipher(r, sp_vectors[n].key, sp_vectors[n].mode, CIPHER_KEY);
		struct EncryptDecrypt2_in in = text_of(&sp_vectors[n], k.handle, false);
		struct EncryptDecrypt2_out out;

		in.inData.size = 0;
		OK(cipher(r, SECOND, &in, &out));
		assert_int_equal(out.outData.size, 0);
		assert_int_equal(out.ivOut.size, in.ivIn.size);
		assert_memory_equal(out.ivOut.buffer, in.ivIn.buffer, in.ivIn.size);
		rig_flush(r, k.handle);
	}
}

/* Whose mode it is: all pairs of the key's and the command's. */
static void modes_of_key_and_command(void **state)
{
	static const TPM_ALG_ID modes[] = {TPM_ALG_CTR, TPM_ALG_OFB, TPM_ALG_CBC,
					   TPM_ALG_CFB, TPM_ALG_ECB, TPM_ALG_NULL};
	struct rig *r = *state;

	for (size_t own = 0; own < 6; own++) {
		struct key k = load_cipher(r, SP_256, modes[own], CIPHER_KEY);

		for (size_t n = 0; n < 12; n++) {
			TPM_ALG_ID asked = modes[n / 2];
			enum which c = (enum which)(n % 2);
			TPM_ALG_ID mode = modes[own] == TPM_ALG_NULL ? asked : modes[own];
			bool fits =
				mode != TPM_ALG_NULL && (asked == TPM_ALG_NULL || asked == mode);
			struct EncryptDecrypt2_in in = {.keyHandle = k.handle,
							.mode = asked,
							.ivIn.size = mode == TPM_ALG_ECB ? 0 : 16,
							.inData.size = 32};
			struct EncryptDecrypt2_out out;

			RC(cipher(r, c, &in, &out),
			   fits ? TPM_RC_SUCCESS : about(c, MODE, TPM_RC_MODE));
		}
		rig_flush(r, k.handle);
	}
}

static void what_is_no_mode(void **state)
{
	struct rig *r = *state;
	struct key k = load_cipher(r, SP_128, TPM_ALG_NULL, CIPHER_KEY);
	struct EncryptDecrypt2_in in = {
		.keyHandle = k.handle, .mode = TPM_ALG_AES, .ivIn.size = 16, .inData.size = 16};
	struct EncryptDecrypt2_out out;

	RC(cipher(r, FIRST, &in, &out), RC_P(2, TPM_RC_MODE));
	RC(cipher(r, SECOND, &in, &out), RC_P(3, TPM_RC_MODE));
	in.mode = 0x003F; /* CMAC encrypts nothing */
	RC(cipher(r, FIRST, &in, &out), RC_P(2, TPM_RC_MODE));
	RC(cipher(r, SECOND, &in, &out), RC_P(3, TPM_RC_MODE));
	in.mode = TPM_ALG_CTR;
	in.decrypt = 2;
	RC(cipher(r, FIRST, &in, &out), RC_P(1, TPM_RC_VALUE));
	RC(cipher(r, SECOND, &in, &out), RC_P(2, TPM_RC_VALUE));
}

/* Table 61: an iv of a block, none for ECB; whole blocks of data where the mode wants them. */
static void sizes_of_iv_and_data(void **state)
{
	struct rig *r = *state;
	struct EncryptDecrypt2_out out;

	for (size_t n = 0; n < SP_VECTORS; n += 3) {
		const struct sp_vector *v = &sp_vectors[n];
		struct key k = load_cipher(r, v->key, v->mode, CIPHER_KEY);

		for (enum which c = FIRST; c < BOTH; c++)
			for (uint16_t size = 0; size <= 33; size++) {
				struct EncryptDecrypt2_in in = text_of(v, k.handle, size & 1);
				bool fits = size == in.ivIn.size;

				in.ivIn.size = size > 16 ? 16 : size;
				in.inData.size = 32;
				if (size <= 16)
					RC(cipher(r, c, &in, &out),
					   fits ? TPM_RC_SUCCESS : about(c, IV_IN, TPM_RC_SIZE));
				in = text_of(v, k.handle, size & 1);
				in.inData.size = size;
				fits = !is_block_mode(v->mode) || size % 16 == 0;
				RC(cipher(r, c, &in, &out),
				   fits ? TPM_RC_SUCCESS : about(c, IN_DATA, TPM_RC_SIZE));
			}
		rig_flush(r, k.handle);
	}
}

/* As much as TPM_PT_INPUT_BUFFER says, and no more. */
static void data_of_1024_bytes(void **state)
{
	struct rig *r = *state;
	struct key k = load_cipher(r, SP_256, TPM_ALG_CBC, CIPHER_KEY);
	struct EncryptDecrypt2_in half, in = {.keyHandle = k.handle,
					      .mode = TPM_ALG_NULL,
					      .ivIn.size = 16,
					      .inData.size = 1024};
	struct EncryptDecrypt2_out out, half_out;

	memset(in.inData.buffer, 0xA5, 1024);
	for (enum which c = FIRST; c < BOTH; c++) {
		in.decrypt = false;
		OK(cipher(r, c, &in, &out));
		assert_int_equal(out.outData.size, 1024);
		half = in;
		half.inData.size = 512;
		for (size_t at = 0; at < 1024; at += 512) {
			OK(cipher(r, c, &half, &half_out));
			assert_memory_equal(out.outData.buffer + at, half_out.outData.buffer, 512);
			half.ivIn = half_out.ivOut;
		}
		in.decrypt = true;
		in.inData = out.outData;
		OK(cipher(r, c, &in, &out));
		for (size_t i = 0; i < 1024; i++)
			assert_int_equal(out.outData.buffer[i], 0xA5);
		in.inData = out.outData;
	}
}

/* `sign` encrypts, `decrypt` decrypts; a restricted key does neither. */
static void keys_that_may(void **state)
{
	static const struct {
		TPMA_OBJECT attributes;
		bool encrypts, decrypts;
	} keys[] = {
		{TPMA_OBJECT_SIGN, true, false},
		{TPMA_OBJECT_DECRYPT, false, true},
		{TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT, true, true},
		{TPMA_OBJECT_SIGN | TPMA_OBJECT_RESTRICTED, false, false},
		{TPMA_OBJECT_DECRYPT | TPMA_OBJECT_RESTRICTED, false, false},
	};
	struct rig *r = *state;

	for (size_t n = 0; n < sizeof keys / sizeof *keys; n++) {
		struct key k = make_cipher(r, TPM_ALG_CFB, keys[n].attributes);
		struct EncryptDecrypt2_in in = {.keyHandle = k.handle,
						.mode = TPM_ALG_CFB,
						.ivIn.size = 16,
						.inData.size = 5};
		struct EncryptDecrypt2_out out;

		for (enum which c = FIRST; c < BOTH; c++) {
			in.decrypt = false;
			RC(cipher(r, c, &in, &out),
			   keys[n].encrypts ? TPM_RC_SUCCESS : RC_H(1, TPM_RC_ATTRIBUTES));
			in.decrypt = true;
			RC(cipher(r, c, &in, &out),
			   keys[n].decrypts ? TPM_RC_SUCCESS : RC_H(1, TPM_RC_ATTRIBUTES));
		}
		rig_flush(r, k.handle);
	}
}

static void what_is_no_cipher(void **state)
{
	struct rig *r = *state;
	struct key hmac = make_hmac(r, CIPHER_USER | TPMA_OBJECT_SIGN, TPM_ALG_SHA256, "secret");
	struct HashSequenceStart_in start = {.hashAlg = TPM_ALG_SHA256};
	struct HashSequenceStart_out sequence;
	TPMT_PUBLIC ecc = rig_signing_template();
	struct key e = make_primary(r, TPM_RH_OWNER, &ecc, "");
	struct EncryptDecrypt2_in in = {
		.mode = TPM_ALG_CFB, .ivIn.size = 16, .inData.size = 5, .decrypt = false};
	struct EncryptDecrypt2_out out;

	rig_no_sessions(r);
	OK(RIG_RUN(r, HashSequenceStart, &start, &sequence));
	for (enum which c = FIRST; c < BOTH; c++) {
		in.keyHandle = hmac.handle;
		RC(cipher(r, c, &in, &out), RC_H(1, TPM_RC_KEY));
		in.keyHandle = e.handle;
		RC(cipher(r, c, &in, &out), RC_H(1, TPM_RC_KEY));
		in.keyHandle = sequence.handle;
		RC(cipher(r, c, &in, &out), RC_H(1, TPM_RC_KEY));
	}
}

/* What the TPM makes is a key of the mode's, whatever the mode. */
static void keys_of_the_tpms_own(void **state)
{
	struct rig *r = *state;

	for (size_t n = 0; n < SP_VECTORS; n += 3) {
		const struct sp_vector *v = &sp_vectors[n];
		struct key k = make_cipher(r, v->mode, TPMA_OBJECT_SIGN | TPMA_OBJECT_DECRYPT);
		struct EncryptDecrypt2_in in = text_of(v, k.handle, false);
		struct EncryptDecrypt2_out out;

		assert_int_equal(k.public.parameters.symDetail.sym.mode.aes, v->mode);
		OK(cipher(r, SECOND, &in, &out));
		assert_memory_not_equal(out.outData.buffer, in.inData.buffer, SP_LEN);
		in.inData = out.outData;
		in.decrypt = true;
		OK(cipher(r, FIRST, &in, &out));
		is_text(&out.outData, SP_TEXT);
		rig_flush(r, k.handle);
	}
}

/* 15.3 is there so that a session may hide inData; 15.2 begins with no sized buffer. */
static void a_session_hides_the_data(void **state)
{
	struct rig *r = *state;
	struct key k = load_cipher(r, SP_128, TPM_ALG_CBC, CIPHER_KEY);
	struct EncryptDecrypt2_in in = text_of(&sp_vectors[3], k.handle, false);
	struct EncryptDecrypt_in first = {.keyHandle = k.handle, .mode = TPM_ALG_NULL};
	struct client_session s = bound_session(r, TPM_SE_HMAC, TPM_RH_OWNER, "");
	struct EncryptDecrypt2_out out;

	rig_fresh_nonce(r, &s);
	s.attributes |= TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT;
	s.with_auth = true;
	rig_name(r, 0, &k.name);
	rig_sessions(r, &s, 1);
	OK(RIG_RUN(r, EncryptDecrypt2, &in, &out));
	is_text(&out.outData, sp_vectors[3].cipher_text);
	for (size_t i = 0; i + 8 < r->command_len; i++)
		assert_memory_not_equal(r->command + i, in.inData.buffer, 8);

	s = bound_session(r, TPM_SE_HMAC, TPM_RH_OWNER, "");
	rig_fresh_nonce(r, &s);
	s.attributes |= TPMA_SESSION_DECRYPT;
	s.with_auth = true;
	rig_name(r, 0, &k.name);
	rig_sessions(r, &s, 1);
	RC(RIG_RUN(r, EncryptDecrypt, &first, NULL), RC_S(1, TPM_RC_ATTRIBUTES));
}

static bool waits_for_its_test(struct rig *r, TPM_ALG_ID alg)
{
	struct IncrementalSelfTest_in in = {.toTest.count = 0};
	struct IncrementalSelfTest_out out;

	rig_no_sessions(r);
	OK(RIG_RUN(r, IncrementalSelfTest, &in, &out));
	for (uint32_t i = 0; i < out.toDoList.count; i++)
		if (out.toDoList.algorithms[i] == alg)
			return true;
	return false;
}

/* 10.1 */
static void modes_are_tested_before_use(void **state)
{
	struct rig *r = *state;

	if (on_libtpms(r)) /* tests all at once */
		return;
	for (size_t n = 0; n < SP_VECTORS; n += 3) {
		const struct sp_vector *v = &sp_vectors[n];
		struct EncryptDecrypt2_in in;
		struct EncryptDecrypt2_out out;

		rig_reset(r);
		in = text_of(v, load_cipher(r, v->key, v->mode, CIPHER_KEY).handle, false);
		assert_true(waits_for_its_test(r, v->mode));
		OK(cipher(r, SECOND, &in, &out));
		assert_false(waits_for_its_test(r, v->mode));
	}
}

/* ---- 15.4, 15.5 ---- */

static tpm_rc run_hash(struct rig *r, const char *text, TPM_ALG_ID alg, TPM_HANDLE hierarchy,
		       struct Hash_out *out)
{
	struct Hash_in in = {.hashAlg = alg, .hierarchy = hierarchy};

	buffer_set(&in.data, text);
	rig_no_sessions(r);
	return RIG_RUN(r, Hash, &in, out);
}

/* 15.4: every hash there is. */
static void hash_is_the_hash(void **state)
{
	static const TPM_ALG_ID algs[] = {TPM_ALG_SHA1, TPM_ALG_SHA256, TPM_ALG_SHA384,
					  TPM_ALG_SHA512};
	struct rig *r = *state;
	struct Hash_out out;

	for (size_t i = 0; i < 4; i++) {
		TPM2B_DIGEST want = digest_of(algs[i], "abc", 3);

		OK(run_hash(r, "abc", algs[i], TPM_RH_NULL, &out));
		assert_int_equal(out.outHash.size, want.size);
		assert_memory_equal(out.outHash.buffer, want.buffer, want.size);
	}
	OK(run_hash(r, "", TPM_ALG_SHA256, TPM_RH_NULL, &out));
	RC(run_hash(r, "abc", TPM_ALG_NULL, TPM_RH_NULL, &out), RC_P(2, TPM_RC_HASH));
	RC(run_hash(r, "abc", 0x00FF, TPM_RH_NULL, &out), RC_P(2, TPM_RC_HASH));
	RC(run_hash(r, "abc", TPM_ALG_SHA256, TPM_RH_LOCKOUT, &out), RC_P(3, TPM_RC_VALUE));
}

static void no_ticket(const TPMT_TK_HASHCHECK *ticket)
{
	assert_int_equal(ticket->tag, TPM_ST_HASHCHECK);
	assert_int_equal(ticket->hierarchy, TPM_RH_NULL);
	assert_int_equal(ticket->digest.size, 0);
}

/* 15.4: a ticket, unless nobody wants one, or the data begins as an attestation does. */
static void hash_gives_a_ticket_for_what_is_safe(void **state)
{
	struct rig *r = *state;
	struct Hash_out out, other;

	OK(run_hash(r, "\xffTCH...", TPM_ALG_SHA256, TPM_RH_OWNER, &out));
	assert_int_equal(out.validation.tag, TPM_ST_HASHCHECK);
	assert_int_equal(out.validation.hierarchy, TPM_RH_OWNER);
	assert_true(out.validation.digest.size > 0);
	OK(run_hash(r, "\xffTCH...", TPM_ALG_SHA256, TPM_RH_PLATFORM, &other));
	assert_memory_not_equal(out.validation.digest.buffer, other.validation.digest.buffer, 32);
	OK(run_hash(r, "\xffTCG...", TPM_ALG_SHA256, TPM_RH_OWNER, &out));
	no_ticket(&out.validation);
	OK(run_hash(r, "\xffTCG", TPM_ALG_SHA256, TPM_RH_OWNER, &out));
	no_ticket(&out.validation);
	OK(run_hash(r, "\xffTC", TPM_ALG_SHA256, TPM_RH_OWNER, &out)); /* cannot be one */
	assert_true(out.validation.digest.size > 0);
	OK(run_hash(r, "abc", TPM_ALG_SHA256, TPM_RH_NULL, &out));
	no_ticket(&out.validation);
}

static tpm_rc run_hmac(struct rig *r, TPM_HANDLE key, TPM_ALG_ID alg, const char *text,
		       struct HMAC_out *out)
{
	struct HMAC_in in = {.handle_ = key, .hashAlg = alg};

	buffer_set(&in.buffer, text);
	return RIG_RUN(r, HMAC, &in, out);
}

#define HMAC_KEY (TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_SIGN)

/* RFC 4231, test case 2. */
static void hmac_of_rfc_4231(void **state)
{
	static const uint8_t want[32] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e,
					 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
					 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83,
					 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43};
	struct rig *r = *state;
	struct key k = make_hmac(r, HMAC_KEY, TPM_ALG_SHA256, "Jefe");
	struct HMAC_out out;

	OK(run_hmac(r, k.handle, TPM_ALG_NULL, "what do ya want for nothing?", &out));
	assert_int_equal(out.outHMAC.size, sizeof want);
	assert_memory_equal(out.outHMAC.buffer, want, sizeof want);
}

/* Table 76: which hash. */
static void hmac_hash_is_the_keys_or_the_commands(void **state)
{
	struct rig *r = *state;
	struct key fixed = make_hmac(r, HMAC_KEY, TPM_ALG_SHA256, "secret");
	struct key open = make_hmac(r, HMAC_KEY | TPMA_OBJECT_DECRYPT, TPM_ALG_NULL, "secret");
	struct HMAC_out out;

	OK(run_hmac(r, fixed.handle, TPM_ALG_SHA256, "x", &out));
	RC(run_hmac(r, fixed.handle, TPM_ALG_SHA384, "x", &out), RC_P(2, TPM_RC_VALUE));
	OK(run_hmac(r, open.handle, TPM_ALG_SHA384, "x", &out));
	assert_int_equal(out.outHMAC.size, 48);
	RC(run_hmac(r, open.handle, TPM_ALG_NULL, "x", &out), RC_P(2, TPM_RC_VALUE));
	RC(run_hmac(r, open.handle, TPM_ALG_AES, "x", &out),
	   RC_P(2, on_libtpms(r) ? TPM_RC_SYMMETRIC : TPM_RC_HASH));
}

/* 15.5: an unrestricted keyedHash object that signs. */
static void hmac_wants_the_right_key(void **state)
{
	struct rig *r = *state;
	struct key restricted =
		make_hmac(r, HMAC_KEY | TPMA_OBJECT_RESTRICTED, TPM_ALG_SHA256, "secret");
	struct key sealed =
		make_hmac(r, HMAC_KEY & ~(uint32_t)TPMA_OBJECT_SIGN, TPM_ALG_NULL, "data");
	TPMT_PUBLIC ecc = rig_signing_template();
	struct key e;
	struct HMAC_out out;

	RC(run_hmac(r, restricted.handle, TPM_ALG_NULL, "x", &out), RC_H(1, TPM_RC_ATTRIBUTES));
	RC(run_hmac(r, sealed.handle, TPM_ALG_SHA256, "x", &out), RC_H(1, TPM_RC_KEY));
	rig_flush(r, sealed.handle);
	e = make_primary(r, TPM_RH_OWNER, &ecc, "");
	RC(run_hmac(r, e.handle, TPM_ALG_SHA256, "x", &out), RC_H(1, TPM_RC_TYPE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hash_is_the_hash),
		TEST(hash_gives_a_ticket_for_what_is_safe),
		TEST(hmac_of_rfc_4231),
		TEST(hmac_hash_is_the_keys_or_the_commands),
		TEST(hmac_wants_the_right_key),
		TEST(ciphers_of_sp_800_38a),
		TEST(iv_out_goes_on),
		TEST(streams_go_on),
		TEST(counters_have_128_bits),
		TEST(no_data_changes_nothing),
		TEST(modes_of_key_and_command),
		TEST(what_is_no_mode),
		TEST(sizes_of_iv_and_data),
		TEST(data_of_1024_bytes),
		TEST(keys_that_may),
		TEST(what_is_no_cipher),
		TEST(keys_of_the_tpms_own),
		TEST(a_session_hides_the_data),
		TEST(modes_are_tested_before_use),
	};

	return cmocka_run_group_tests_name("Part 3, 15", tests, NULL, NULL);
}
