/* Part 3, 14: RSA_Encrypt, RSA_Decrypt, ECDH_KeyGen, ECDH_ZGen, ECC_Parameters. */
#include "keys.h"

#include <stdio.h>

#define USER (TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA)

static TPMT_RSA_DECRYPT padding(TPM_ALG_ID scheme, TPM_ALG_ID hash)
{
	return (TPMT_RSA_DECRYPT){scheme, {.oaep.hashAlg = hash}};
}

static struct RSA_Encrypt_in encrypt_in(TPM_HANDLE key, TPM_ALG_ID scheme, TPM_ALG_ID hash)
{
	struct RSA_Encrypt_in in = {.keyHandle = key, .inScheme = padding(scheme, hash)};

	in.message.size = sizeof VECTOR_MESSAGE - 1;
	memcpy(in.message.buffer, VECTOR_MESSAGE, in.message.size);
	return in;
}

static tpm_rc encrypt(struct rig *r, struct RSA_Encrypt_in *in, struct RSA_Encrypt_out *out)
{
	rig_no_sessions(r);
	return RIG_RUN(r, RSA_Encrypt, in, out);
}

static tpm_rc decrypt(struct rig *r, TPM_HANDLE key, TPMT_RSA_DECRYPT scheme, const char *label,
		      const uint8_t *cipher, size_t len, struct RSA_Decrypt_out *out)
{
	struct RSA_Decrypt_in in = {.keyHandle = key, .inScheme = scheme, .label.size = 0};

	in.cipherText.size = (uint16_t)len;
	memcpy(in.cipherText.buffer, cipher, len);
	if (label) {
		in.label.size = (uint16_t)(strlen(label) + 1);
		memcpy(in.label.buffer, label, in.label.size);
	}
	return RIG_RUN(r, RSA_Decrypt, &in, out);
}

static void is_message(const struct RSA_Decrypt_out *out)
{
	assert_int_equal(out->message.size, sizeof VECTOR_MESSAGE - 1);
	assert_memory_equal(out->message.buffer, VECTOR_MESSAGE, out->message.size);
}

/* Table 43: the key's scheme, the command's, and what comes of both. */
static void padding_is_selected_by_table_43(void **state)
{
	static const struct {
		TPM_ALG_ID own, own_hash, in, in_hash;
		tpm_rc rc;
		TPM_ALG_ID used;
	} rows[] = {
		{TPM_ALG_NULL, 0, TPM_ALG_NULL, 0, 0, TPM_ALG_NULL},
		{TPM_ALG_NULL, 0, TPM_ALG_RSAES, 0, 0, TPM_ALG_RSAES},
		{TPM_ALG_NULL, 0, TPM_ALG_OAEP, TPM_ALG_SHA256, 0, TPM_ALG_OAEP},
		{TPM_ALG_RSAES, 0, TPM_ALG_NULL, 0, 0, TPM_ALG_RSAES},
		{TPM_ALG_RSAES, 0, TPM_ALG_RSAES, 0, 0, TPM_ALG_RSAES},
		{TPM_ALG_RSAES, 0, TPM_ALG_OAEP, TPM_ALG_SHA256, RC_P(2, TPM_RC_SCHEME), 0},
		{TPM_ALG_OAEP, TPM_ALG_SHA256, TPM_ALG_NULL, 0, 0, TPM_ALG_OAEP},
		{TPM_ALG_OAEP, TPM_ALG_SHA256, TPM_ALG_RSAES, 0, RC_P(2, TPM_RC_SCHEME), 0},
		{TPM_ALG_OAEP, TPM_ALG_SHA256, TPM_ALG_OAEP, TPM_ALG_SHA256, 0, TPM_ALG_OAEP},
		{TPM_ALG_OAEP, TPM_ALG_SHA256, TPM_ALG_OAEP, TPM_ALG_SHA384, RC_P(2, TPM_RC_SCHEME),
		 0},
	};
	struct rig *r = *state;
	struct key raw = load_rsa(r, TPMA_OBJECT_DECRYPT | USER, TPM_ALG_NULL, 0, true);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct key k = load_rsa(r, TPMA_OBJECT_DECRYPT | USER, rows[i].own,
					rows[i].own_hash, true);
		struct RSA_Encrypt_in in = encrypt_in(k.handle, rows[i].in, rows[i].in_hash);
		struct RSA_Encrypt_out out;
		struct RSA_Decrypt_out plain;

		RC(encrypt(r, &in, &out), rows[i].rc);
		if (!rows[i].rc) {
			assert_int_equal(out.outData.size, 256);
			OK(decrypt(r, raw.handle, padding(rows[i].used, TPM_ALG_SHA256), NULL,
				   out.outData.buffer, 256, &plain));
			if (rows[i].used != TPM_ALG_NULL)
				is_message(&plain);
		}
		RC(decrypt(r, k.handle, in.inScheme, NULL, out.outData.buffer, 256, &plain),
		   rows[i].rc ? rows[i].rc : 0);
		rig_flush(r, k.handle);
	}
}

/* What others encrypt, this decrypts. */
static void decrypts_what_openssl_encrypted(void **state)
{
	struct rig *r = *state;
	struct key k = load_rsa(r, TPMA_OBJECT_DECRYPT | USER, TPM_ALG_NULL, 0, true);
	struct RSA_Decrypt_out out;

	OK(decrypt(r, k.handle, padding(TPM_ALG_RSAES, 0), NULL, vector_rsaes, 256, &out));
	is_message(&out);
	OK(decrypt(r, k.handle, padding(TPM_ALG_OAEP, TPM_ALG_SHA256), "label", vector_oaep, 256,
		   &out));
	is_message(&out);
}

/* 14.3: anything that is wrong with the padding is TPM_RC_VALUE. */
static void decrypt_refuses_wrong_padding(void **state)
{
	struct rig *r = *state;
	struct key k = load_rsa(r, TPMA_OBJECT_DECRYPT | USER, TPM_ALG_NULL, 0, true);
	tpm_rc rc = on_libtpms(r) ? TPM_RC_FAILURE : TPM_RC_VALUE; /* OpenSSL's error, there */
	TPMT_RSA_DECRYPT oaep = padding(TPM_ALG_OAEP, TPM_ALG_SHA256);
	struct RSA_Decrypt_out out;
	uint8_t cipher[256];

	RC(decrypt(r, k.handle, oaep, "labe", vector_oaep, 256, &out), rc);
	RC(decrypt(r, k.handle, oaep, NULL, vector_oaep, 256, &out), rc);
	RC(decrypt(r, k.handle, padding(TPM_ALG_OAEP, TPM_ALG_SHA1), "label", vector_oaep, 256,
		   &out),
	   rc);
	RC(decrypt(r, k.handle, padding(TPM_ALG_RSAES, 0), NULL, vector_oaep, 256, &out), rc);
	memcpy(cipher, vector_oaep, sizeof cipher);
	cipher[100] ^= 1;
	RC(decrypt(r, k.handle, oaep, "label", cipher, 256, &out), rc);
}

/* 14.3: the ciphertext is as long as the modulus, and less. */
static void decrypt_wants_a_number_below_the_modulus(void **state)
{
	struct rig *r = *state;
	struct key k = load_rsa(r, TPMA_OBJECT_DECRYPT | USER, TPM_ALG_NULL, 0, true);
	struct RSA_Decrypt_out out;

	RC(decrypt(r, k.handle, padding(TPM_ALG_NULL, 0), NULL, vector_oaep, 255, &out),
	   TPM_RC_SIZE);
	RC(decrypt(r, k.handle, padding(TPM_ALG_NULL, 0), NULL, vector_oaep, 0, &out), TPM_RC_SIZE);
	if (!on_libtpms(r)) {
		RC(decrypt(r, k.handle, padding(TPM_ALG_NULL, 0), NULL, vector_n, 256, &out),
		   TPM_RC_SIZE);
		RC(decrypt(r, k.handle, padding(TPM_ALG_RSAES, 0), NULL, vector_n, 256, &out),
		   TPM_RC_SIZE);
	}
}

/* 14.3: an unrestricted decryption key, RSA. */
static void decrypt_wants_the_right_key(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC ecc =
		template_ecc(PLAIN | TPMA_OBJECT_DECRYPT, TPM_ECC_NIST_P256, TPM_ALG_NULL, 0);
	struct key e = make_primary(r, TPM_RH_OWNER, &ecc, "");
	struct key s = load_rsa(r, TPMA_OBJECT_SIGN | USER, TPM_ALG_NULL, 0, true);
	struct key d = load_rsa(r, TPMA_OBJECT_DECRYPT | USER, TPM_ALG_NULL, 0, true);
	struct key p;
	struct RSA_Decrypt_in in = {.keyHandle = d.handle,
				    .inScheme.scheme = TPM_ALG_NULL,
				    .cipherText.size = 256,
				    .label = {1, {'x'}}};
	struct RSA_Decrypt_out out;

	RC(decrypt(r, e.handle, padding(TPM_ALG_NULL, 0), NULL, vector_oaep, 256, &out),
	   RC_H(1, TPM_RC_KEY));
	RC(decrypt(r, s.handle, padding(TPM_ALG_NULL, 0), NULL, vector_oaep, 256, &out),
	   RC_H(1, TPM_RC_ATTRIBUTES));
	rig_flush(r, e.handle);
	p = load_rsa(r, TPMA_OBJECT_DECRYPT | USER, TPM_ALG_NULL, 0, false);
	RC(decrypt(r, p.handle, padding(TPM_ALG_NULL, 0), NULL, vector_oaep, 256, &out),
	   TPM_RC_AUTH_UNAVAILABLE);
	RC(RIG_RUN(r, RSA_Decrypt, &in, &out), RC_P(3, TPM_RC_VALUE)); /* no NUL */
}

/* 14.2, Table 44, to the byte; numbers must be less than the modulus. */
static void encrypt_keeps_to_the_message_sizes(void **state)
{
	static const struct {
		TPM_ALG_ID scheme, hash;
		uint16_t max;
	} rows[] = {
		{TPM_ALG_OAEP, TPM_ALG_SHA1, 256 - 2 * 20 - 2},
		{TPM_ALG_OAEP, TPM_ALG_SHA256, 256 - 2 * 32 - 2},
		{TPM_ALG_OAEP, TPM_ALG_SHA512, 256 - 2 * 64 - 2},
		{TPM_ALG_RSAES, 0, 256 - 11},
		{TPM_ALG_NULL, 0, 256},
	};
	struct rig *r = *state;
	struct key k = load_rsa(r, TPMA_OBJECT_DECRYPT, TPM_ALG_NULL, 0, false);
	struct RSA_Encrypt_out out;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct RSA_Encrypt_in in = encrypt_in(k.handle, rows[i].scheme, rows[i].hash);

		memset(in.message.buffer, 0x55, sizeof in.message.buffer);
		in.message.size = rows[i].max;
		OK(encrypt(r, &in, &out));
		in.message.size++;
		RC(encrypt(r, &in, &out),
		   on_libtpms(r) && rows[i].scheme != TPM_ALG_NULL ? TPM_RC_FAILURE : TPM_RC_VALUE);
		in.message.size = 0;
		OK(encrypt(r, &in, &out));
	}
}

static void encrypt_without_padding_is_rsaep(void **state)
{
	struct rig *r = *state;
	struct key k = load_rsa(r, TPMA_OBJECT_DECRYPT | USER, TPM_ALG_NULL, 0, true);
	struct RSA_Encrypt_in in = encrypt_in(k.handle, TPM_ALG_NULL, 0);
	struct RSA_Encrypt_out out;
	struct RSA_Decrypt_out plain;

	in.message.size = 300; /* leading zeros do not count */
	memset(in.message.buffer, 0, 300);
	in.message.buffer[299] = 7;
	OK(encrypt(r, &in, &out));
	OK(decrypt(r, k.handle, padding(TPM_ALG_NULL, 0), NULL, out.outData.buffer, 256, &plain));
	assert_int_equal(plain.message.size, 256); /* as long as the modulus */
	assert_int_equal(plain.message.buffer[255], 7);
	assert_int_equal(plain.message.buffer[0], 0);
	in.message.size = 256;
	memcpy(in.message.buffer, vector_n, 256);
	RC(encrypt(r, &in, &out), on_libtpms(r) ? TPM_RC_FAILURE : TPM_RC_VALUE);
	in.message.buffer[255]--;
	OK(encrypt(r, &in, &out));
}

static void encrypt_wants_the_right_key(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC ecc =
		template_ecc(PLAIN | TPMA_OBJECT_DECRYPT, TPM_ECC_NIST_P256, TPM_ALG_NULL, 0);
	struct key e = make_primary(r, TPM_RH_OWNER, &ecc, "");
	struct key s = load_rsa(r, TPMA_OBJECT_SIGN, TPM_ALG_NULL, 0, false);
	struct key d = load_rsa(r, TPMA_OBJECT_DECRYPT, TPM_ALG_NULL, 0, false);
	struct RSA_Encrypt_in in = encrypt_in(e.handle, TPM_ALG_NULL, 0);
	struct RSA_Encrypt_out out;

	RC(encrypt(r, &in, &out), RC_H(1, TPM_RC_KEY));
	in.keyHandle = s.handle;
	RC(encrypt(r, &in, &out), RC_H(1, TPM_RC_ATTRIBUTES));
	in.keyHandle = d.handle;
	in.label = data_of("no NUL");
	RC(encrypt(r, &in, &out), RC_P(3, TPM_RC_VALUE)); /* also where no label is used */
	in.inScheme = padding(TPM_ALG_RSASSA, TPM_ALG_SHA256);
	RC(encrypt(r, &in, &out), RC_P(2, TPM_RC_VALUE));
}

/* 14.4, 14.5: two ways to one secret, on every curve. */
static void ecdh_agrees(void **state)
{
	static const TPMI_ECC_CURVE curves[] = {TPM_ECC_NIST_P256, TPM_ECC_NIST_P384,
						TPM_ECC_NIST_P521};
	struct rig *r = *state;

	for (size_t i = 0; i < 3; i++) {
		TPMT_PUBLIC t = template_ecc(PLAIN | TPMA_OBJECT_DECRYPT, curves[i],
					     i ? TPM_ALG_NULL : TPM_ALG_ECDH, TPM_ALG_SHA256);
		struct key k = make_primary(r, TPM_RH_OWNER, &t, "");
		struct ECDH_KeyGen_in gen_in = {.keyHandle = k.handle};
		struct ECDH_ZGen_in z_in = {.keyHandle = k.handle};
		struct ECDH_KeyGen_out gen;
		struct ECDH_ZGen_out z;

		rig_no_sessions(r);
		OK(RIG_RUN(r, ECDH_KeyGen, &gen_in, &gen));
		assert_int_equal(gen.pubPoint.point.x.size,
				 cvtpm_curve_size((enum cvtpm_curve)curves[i]));
		z_in.inPoint = gen.pubPoint;
		OK(RIG_RUN(r, ECDH_ZGen, &z_in, &z));
		assert_int_equal(z.outPoint.point.x.size, gen.zPoint.point.x.size);
		assert_memory_equal(z.outPoint.point.x.buffer, gen.zPoint.point.x.buffer,
				    z.outPoint.point.x.size);
		assert_memory_equal(z.outPoint.point.y.buffer, gen.zPoint.point.y.buffer,
				    z.outPoint.point.y.size);
		z_in.inPoint.point.y.buffer[5] ^= 1;
		RC(RIG_RUN(r, ECDH_ZGen, &z_in, &z), RC_P(1, TPM_RC_ECC_POINT));
		rig_flush(r, k.handle);
	}
}

static void ecdh_wants_the_right_key(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t = template_ecc(PLAIN | TPMA_OBJECT_SIGN, TPM_ECC_NIST_P256, TPM_ALG_NULL, 0);
	struct key sign = make_primary(r, TPM_RH_OWNER, &t, ""), rsa, parent;
	TPMT_PUBLIC storage = rig_storage_template();
	struct ECDH_KeyGen_in gen_in;
	struct ECDH_ZGen_in in = {.keyHandle = sign.handle,
				  .inPoint.point = sign.public.unique.ecc};
	struct ECDH_ZGen_out out;

	RC(RIG_RUN(r, ECDH_ZGen, &in, &out), RC_H(1, TPM_RC_ATTRIBUTES));
	parent = make_primary(r, TPM_RH_OWNER, &storage, "");
	in.keyHandle = parent.handle; /* restricted */
	RC(RIG_RUN(r, ECDH_ZGen, &in, &out), RC_H(1, TPM_RC_ATTRIBUTES));
	rsa = load_rsa(r, TPMA_OBJECT_DECRYPT | USER, TPM_ALG_NULL, 0, true);
	in.keyHandle = rsa.handle;
	RC(RIG_RUN(r, ECDH_ZGen, &in, &out), RC_H(1, TPM_RC_KEY));
	gen_in.keyHandle = rsa.handle;
	rig_no_sessions(r);
	RC(RIG_RUN(r, ECDH_KeyGen, &gen_in, NULL), RC_H(1, TPM_RC_KEY));
	gen_in.keyHandle = sign.handle; /* any ECC key will do */
	rig_no_sessions(r);
	OK(RIG_RUN(r, ECDH_KeyGen, &gen_in, NULL));
}

/* 14.4: the point of a key without a name is not looked at when it is loaded, nor its size
 * where there is a private key. */
static void ecdh_wants_a_point_of_the_curve(void **state)
{
	struct rig *r = *state;
	struct LoadExternal_in load = {
		.hierarchy = TPM_RH_NULL,
		.inPublic.publicArea = template_ecc(TPMA_OBJECT_DECRYPT | TPMA_OBJECT_USERWITHAUTH,
						    TPM_ECC_NIST_P256, TPM_ALG_NULL, 0)};
	TPMT_PUBLIC *public = &load.inPublic.publicArea;
	TPMT_SENSITIVE *private = &load.inPrivate.sensitiveArea;
	struct LoadExternal_out out;

	public->nameAlg = TPM_ALG_NULL;
	public->unique.ecc = (TPMS_ECC_POINT){{32, {1}}, {32, {1}}};
	private->sensitiveType = TPM_ALG_ECC;
	private->sensitive.ecc = (TPM2B_ECC_PARAMETER){1, {9}};
	for (uint16_t i = 0; i < 2; i++) {
		struct ECDH_KeyGen_in in;

		load.inPrivate.size = i;
		public->unique.ecc.x.size = 32 + i;
		rig_no_sessions(r);
		OK(RIG_RUN(r, LoadExternal, &load, &out));
		in.keyHandle = out.handle;
		rig_no_sessions(r);
		RC(RIG_RUN(r, ECDH_KeyGen, &in, NULL), RC_H(1, TPM_RC_KEY));
	}
}

/* 14.5: shorter and longer ways to write the same numbers, and numbers that are none. */
static void ecdh_reads_points_of_any_length(void **state)
{
	struct rig *r = *state;
	TPMT_PUBLIC t =
		template_ecc(PLAIN | TPMA_OBJECT_DECRYPT, TPM_ECC_NIST_P256, TPM_ALG_NULL, 0);
	struct key k = make_primary(r, TPM_RH_OWNER, &t, "");
	struct ECDH_ZGen_in in = {.keyHandle = k.handle, .inPoint.point = k.public.unique.ecc};
	TPM2B_ECC_PARAMETER *x = &in.inPoint.point.x;
	struct ECDH_ZGen_out a, b;

	OK(RIG_RUN(r, ECDH_ZGen, &in, &a));
	memmove(x->buffer + 2, x->buffer, x->size);
	x->buffer[0] = x->buffer[1] = 0;
	x->size = (uint16_t)(x->size + 2);
	OK(RIG_RUN(r, ECDH_ZGen, &in, &b));
	assert_memory_equal(&a.outPoint.point.x.buffer, &b.outPoint.point.x.buffer, 32);
	x->buffer[0] = 1;
	RC(RIG_RUN(r, ECDH_ZGen, &in, &a), RC_P(1, TPM_RC_ECC_POINT));
	in.inPoint.point.x.size = in.inPoint.point.y.size = 0;
	RC(RIG_RUN(r, ECDH_ZGen, &in, &a), RC_P(1, TPM_RC_ECC_POINT));
}

static void same_number(const TPM2B_ECC_PARAMETER *got, const char *hex)
{
	uint8_t want[MAX_ECC_KEY_BYTES], padded[MAX_ECC_KEY_BYTES] = {0};
	size_t len = strlen(hex) / 2;

	for (size_t i = 0; i < len; i++) {
		unsigned byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		want[i] = (uint8_t)byte;
	}
	assert_true(got->size <= len); /* leading zeros may be left out */
	memcpy(padded + len - got->size, got->buffer, got->size);
	assert_memory_equal(padded, want, len);
}

/* 14.6, with the numbers of FIPS 186-4, D.1.2.3. */
static void ecc_parameters_of_p256(void **state)
{
	struct rig *r = *state;
	struct ECC_Parameters_in in = {.curveID = TPM_ECC_NIST_P256};
	struct ECC_Parameters_out out;
	const TPMS_ALGORITHM_DETAIL_ECC *p = &out.parameters;

	OK(RIG_RUN(r, ECC_Parameters, &in, &out));
	assert_int_equal(p->curveID, TPM_ECC_NIST_P256);
	assert_int_equal(p->keySize, 256);
	assert_int_equal(p->kdf.scheme, TPM_ALG_KDF1_SP800_56A);
	assert_int_equal(p->kdf.details.kdf1_sp800_56a.hashAlg, TPM_ALG_SHA256);
	assert_int_equal(p->sign.scheme, TPM_ALG_NULL);
	same_number(&p->p, "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
	same_number(&p->a, "ffffffff00000001000000000000000000000000fffffffffffffffffffffffc");
	same_number(&p->b, "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b");
	same_number(&p->gX, "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296");
	same_number(&p->gY, "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5");
	same_number(&p->n, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
	same_number(&p->h, "01");
}

static void ecc_parameters_of_the_others(void **state)
{
	struct rig *r = *state;
	struct ECC_Parameters_in in = {.curveID = TPM_ECC_NIST_P384};
	struct ECC_Parameters_out out;

	OK(RIG_RUN(r, ECC_Parameters, &in, &out));
	assert_int_equal(out.parameters.keySize, 384);
	assert_int_equal(out.parameters.kdf.details.kdf1_sp800_56a.hashAlg, TPM_ALG_SHA384);
	in.curveID = TPM_ECC_NIST_P521;
	OK(RIG_RUN(r, ECC_Parameters, &in, &out));
	assert_int_equal(out.parameters.keySize, 521);
	in.curveID = 0x0007;
	RC(RIG_RUN(r, ECC_Parameters, &in, &out), RC_P(1, TPM_RC_CURVE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(padding_is_selected_by_table_43),
		TEST(decrypts_what_openssl_encrypted),
		TEST(decrypt_refuses_wrong_padding),
		TEST(decrypt_wants_a_number_below_the_modulus),
		TEST(decrypt_wants_the_right_key),
		TEST(encrypt_keeps_to_the_message_sizes),
		TEST(encrypt_without_padding_is_rsaep),
		TEST(encrypt_wants_the_right_key),
		TEST(ecdh_agrees),
		TEST(ecdh_wants_the_right_key),
		TEST(ecdh_wants_a_point_of_the_curve),
		TEST(ecdh_reads_points_of_any_length),
		TEST(ecc_parameters_of_p256),
		TEST(ecc_parameters_of_the_others),
	};

	return cmocka_run_group_tests_name("Part 3, 14", tests, NULL, NULL);
}
