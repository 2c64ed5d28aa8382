/* Certificates: lengths, errors, the per-boot issuer, and facts of all kinds. */
#include "certificate_samples.h"
#include "cvtpm/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static const uint8_t serial[CVTPM_SERIAL_SIZE] = {0x42, 1, 2, 3};
static struct sample_ek ek_rsa, ek_ecc;
static uint8_t der[CVTPM_CERTIFICATE_MAX_SIZE];

static int make_keys(void **state)
{
	(void)state;
	sample_ek_begin(&ek_rsa, CVTPM_EK_RSA2048);
	sample_ek_begin(&ek_ecc, CVTPM_EK_P384);
	return 0;
}

static int end_keys(void **state)
{
	(void)state;
	sample_ek_end(&ek_rsa);
	sample_ek_end(&ek_ecc);
	return 0;
}

/* ---- an issuer whose signatures have the length that a test wants ---- */

struct fixed_issuer {
	struct cvtpm_issuer issuer;
	size_t signature_len;
	int err;               /* what sign answers */
	unsigned times_signed; /* how often it was asked */
};

static int sign_fixed(void *context, const uint8_t *tbs, size_t tbs_len, uint8_t *signature,
		      size_t *signature_len)
{
	struct fixed_issuer *fixed = context;
	/* What is signed is one whole element. */
	assert_int_equal(tbs[0], 0x30);
	assert_int_equal(tbs[1], 0x82);
	assert_int_equal((size_t)tbs[2] << 8 | tbs[3], tbs_len - 4);
	assert_true(fixed->signature_len <= *signature_len);
	memset(signature, 0x5a, fixed->signature_len);
	*signature_len = fixed->signature_len;
	fixed->times_signed++;
	return fixed->err;
}

static struct fixed_issuer fixed_issuer(struct fixed_issuer *at, size_t signature_len)
{
	static const uint8_t name[] = {0x30, 0x0d, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03,
				       0x55, 0x04, 0x03, 0x0c, 0x02, 'c',  'a'};
	static const uint8_t key_id[20] = {1, 2, 3};

	return (struct fixed_issuer){.issuer = {.context = at,
						.curve = CVTPM_P384,
						.name = name,
						.name_len = sizeof name,
						.key_id = key_id,
						.key_id_len = sizeof key_id,
						.sign = sign_fixed},
				     .signature_len = signature_len};
}

static int make_ek(const struct cvtpm_issuer *issuer, const struct cvtpm_tpm_facts *facts,
		   const struct cvtpm_certificate_evidence *evidence, uint8_t *to, size_t *len)
{
	return cvtpm_certificate_ek(issuer, &ek_rsa.key, facts, evidence, serial, &sample_times, to,
				    len);
}

/* ---- lengths ---- */

typedef int make_fn(const struct cvtpm_issuer *issuer, uint8_t *to, size_t *len);

static int make_sample_ek(const struct cvtpm_issuer *issuer, uint8_t *to, size_t *len)
{
	struct cvtpm_certificate_evidence evidence = sample_evidence(SAMPLE_CLAIMS);

	return make_ek(issuer, &sample_facts, &evidence, to, len);
}

static int make_sample_platform(const struct cvtpm_issuer *issuer, uint8_t *to, size_t *len)
{
	return cvtpm_certificate_platform(issuer, serial, &sample_platform, serial, &sample_times,
					  to, len);
}

/* Rooms from nothing to enough, each to the octet on the heap, so that
 * AddressSanitizer sees one too many. */
static void try_every_room(make_fn *make, size_t signature_len)
{
	struct fixed_issuer fixed = fixed_issuer(&fixed, signature_len);
	size_t needed = sizeof der;

	assert_int_equal(make(&fixed.issuer, der, &needed), 0);
	for (size_t room = 0; room <= needed; room++) {
		uint8_t *exact = room == 0 ? NULL : malloc(room);
		size_t len = room;
		unsigned before = fixed.times_signed;
		int err = make(&fixed.issuer, exact, &len);

		assert_int_equal(err, room < needed ? CVTPM_ERR_SIZE : 0);
		/* Exact when it was signed, else with the longest signature. */
		if (fixed.times_signed != before)
			assert_int_equal(len, needed);
		else
			assert_int_equal(len, needed + 104 - signature_len);
		if (room == needed)
			assert_memory_equal(exact, der, needed);
		free(exact);
	}
}

static void too_little_room_is_told_with_the_length_needed(void **state)
{
	(void)state;
	try_every_room(make_sample_ek, 104);
	try_every_room(make_sample_ek, 102);
	try_every_room(make_sample_platform, 104);
	try_every_room(make_sample_platform, 101);
}

static void the_record_of_an_rsa_2048_ek_leaves_room_in_2048_octets(void **state)
{
	(void)state;
	static struct cvtpm_boot_issuer boot;
	static struct cvtpm_drbg drbg;
	struct cvtpm_certificate_evidence evidence = sample_evidence(SAMPLE_RECORD);
	struct cvtpm_tpm_facts facts = sample_facts;
	size_t len = sizeof der;

	/* The longest that a TPM can say of itself. */
	memcpy(facts.vendor_string, "SIXTEEN LETTERS!", sizeof facts.vendor_string);
	memcpy(facts.family, "2.00", sizeof facts.family);
	facts.level = facts.revision = UINT32_MAX;
	assert_int_equal(cvtpm_drbg_begin(&drbg, sample_entropy, NULL), 0);
	assert_int_equal(cvtpm_boot_issuer_begin(&boot, &drbg, &sample_times), 0);
	assert_int_equal(make_ek(&boot.issuer, &facts, &evidence, der, &len), 0);
	assert_true(len <= 2048);
	cvtpm_boot_issuer_end(&boot);
	cvtpm_drbg_end(&drbg);
}

/* ---- serial numbers ---- */

static X509 *parse(const uint8_t *bytes, size_t len)
{
	const uint8_t *p = bytes;
	X509 *x = d2i_X509(NULL, &p, (long)len);

	assert_non_null(x);
	assert_ptr_equal(p, bytes + len);
	return x;
}

static void every_serial_is_positive_and_of_full_length(void **state)
{
	(void)state;
	struct fixed_issuer fixed = fixed_issuer(&fixed, 104);
	uint8_t random[CVTPM_SERIAL_SIZE];

	for (unsigned first = 0; first < 256; first++) {
		size_t len = sizeof der;
		uint8_t expected = (uint8_t)(first & 0x7f ? first & 0x7f : 1);
		const ASN1_INTEGER *number;
		X509 *x;

		memset(random, 0x80, sizeof random);
		random[0] = (uint8_t)first;
		assert_int_equal(cvtpm_certificate_ek(&fixed.issuer, &ek_ecc.key, &sample_facts,
						      NULL, random, &sample_times, der, &len),
				 0);
		x = parse(der, len);
		number = X509_get0_serialNumber(x);
		assert_int_equal(ASN1_STRING_type(number), V_ASN1_INTEGER); /* not negative */
		assert_int_equal(ASN1_STRING_length(number), CVTPM_SERIAL_SIZE);
		assert_int_equal(ASN1_STRING_get0_data(number)[0], expected);
		assert_memory_equal(ASN1_STRING_get0_data(number) + 1, random + 1, 15);
		X509_free(x);
	}
}

/* ---- what is refused ---- */

static int make_with(const struct cvtpm_issuer *issuer, const struct cvtpm_ek_key *key,
		     const struct cvtpm_tpm_facts *facts, uint64_t not_before, uint64_t not_after)
{
	struct cvtpm_certificate_times times = {not_before, not_after};
	size_t len = sizeof der;

	return cvtpm_certificate_ek(issuer, key, facts, NULL, serial, &times, der, &len);
}

static void wrong_facts_are_refused_and_nothing_is_signed(void **state)
{
	(void)state;
	struct fixed_issuer fixed = fixed_issuer(&fixed, 104);
	const struct cvtpm_issuer *issuer = &fixed.issuer;
	struct cvtpm_ek_key key = ek_rsa.key;
	struct cvtpm_tpm_facts facts = sample_facts;
	uint8_t small[256] = {0};

	key.kind = CVTPM_EK_RSA3072;
	assert_int_equal(make_with(issuer, &key, &facts, 0, 0), CVTPM_ERR_PARAM);
	key = ek_rsa.key;
	key.modulus_len = 255;
	assert_int_equal(make_with(issuer, &key, &facts, 0, 0), CVTPM_ERR_PARAM);
	key = ek_rsa.key;
	key.modulus = small;
	assert_int_equal(make_with(issuer, &key, &facts, 0, 0), CVTPM_ERR_PARAM);
	key = ek_ecc.key;
	key.kind = CVTPM_EK_P256;
	assert_int_equal(make_with(issuer, &key, &facts, 0, 0), CVTPM_ERR_PARAM);
	key.kind = (enum cvtpm_ek)0;
	assert_int_equal(make_with(issuer, &key, &facts, 0, 0), CVTPM_ERR_PARAM);

	memcpy(facts.vendor_string, "", 1);
	assert_int_equal(make_with(issuer, &ek_rsa.key, &facts, 0, 0), CVTPM_ERR_PARAM);
	memcpy(facts.vendor_string, "a\nb", 4);
	assert_int_equal(make_with(issuer, &ek_rsa.key, &facts, 0, 0), CVTPM_ERR_PARAM);
	memcpy(facts.vendor_string, "a\x80", 3);
	assert_int_equal(make_with(issuer, &ek_rsa.key, &facts, 0, 0), CVTPM_ERR_PARAM);

	assert_int_equal(make_with(issuer, &ek_rsa.key, &sample_facts, 2, 1), CVTPM_ERR_PARAM);
	assert_int_equal(make_with(issuer, &ek_rsa.key, &sample_facts, 1, 253402300800),
			 CVTPM_ERR_PARAM);
	assert_int_equal(make_with(issuer, &ek_rsa.key, &sample_facts, UINT64_MAX, 0),
			 CVTPM_ERR_PARAM);
	fixed.issuer.curve = CVTPM_P521;
	assert_int_equal(make_with(issuer, &ek_rsa.key, &sample_facts, 0, 0),
			 CVTPM_ERR_UNSUPPORTED);
	assert_int_equal(fixed.times_signed, 0);
}

static void claims_without_their_texts_are_refused(void **state)
{
	(void)state;
	struct fixed_issuer fixed = fixed_issuer(&fixed, 104);
	struct cvtpm_certificate_evidence evidence = sample_evidence(SAMPLE_CLAIMS);
	size_t len = sizeof der;

	evidence.software = NULL;
	assert_int_equal(make_ek(&fixed.issuer, &sample_facts, &evidence, der, &len),
			 CVTPM_ERR_PARAM);
	evidence = sample_evidence(SAMPLE_CLAIMS);
	evidence.sealing = NULL;
	assert_int_equal(make_ek(&fixed.issuer, &sample_facts, &evidence, der, &len),
			 CVTPM_ERR_PARAM);
	evidence.claims = false; /* a record needs none of them */
	assert_int_equal(make_ek(&fixed.issuer, &sample_facts, &evidence, der, &len), 0);
}

static void a_platform_without_a_name_is_refused(void **state)
{
	(void)state;
	struct fixed_issuer fixed = fixed_issuer(&fixed, 104);
	const char *const empty[] = {NULL, ""};

	for (size_t i = 0; i < 2; i++) {
		struct cvtpm_platform_facts facts[3] = {sample_platform, sample_platform,
							sample_platform};

		facts[0].manufacturer = empty[i];
		facts[1].model = empty[i];
		facts[2].version = empty[i];
		for (size_t j = 0; j < 3; j++) {
			size_t len = sizeof der;

			assert_int_equal(cvtpm_certificate_platform(&fixed.issuer, serial,
								    &facts[j], serial,
								    &sample_times, der, &len),
					 CVTPM_ERR_PARAM);
		}
	}
}

static void an_issuer_that_refuses_to_sign_is_heard(void **state)
{
	(void)state;
	struct fixed_issuer fixed = fixed_issuer(&fixed, 104);
	size_t len = sizeof der;

	fixed.err = CVTPM_ERR_POLICY;
	assert_int_equal(make_sample_ek(&fixed.issuer, der, &len), CVTPM_ERR_POLICY);
	len = sizeof der;
	assert_int_equal(make_sample_platform(&fixed.issuer, der, &len), CVTPM_ERR_POLICY);
}

/* ---- the per-boot issuer ---- */

static void an_ended_issuer_has_no_key_and_does_not_sign(void **state)
{
	(void)state;
	static struct cvtpm_boot_issuer boot;
	static struct cvtpm_drbg drbg;
	static const struct cvtpm_ecc_key wiped;
	size_t len = sizeof der;

	assert_int_equal(cvtpm_drbg_begin(&drbg, sample_entropy, NULL), 0);
	assert_int_equal(cvtpm_boot_issuer_begin(&boot, &drbg, &sample_times), 0);
	assert_int_equal(make_sample_ek(&boot.issuer, der, &len), 0);
	cvtpm_boot_issuer_end(&boot);
	assert_memory_equal(&boot.key, &wiped, sizeof wiped);
	len = sizeof der;
	assert_int_equal(make_sample_ek(&boot.issuer, der, &len), CVTPM_ERR_STATE);
	X509_free(parse(boot.certificate, boot.issuer.certificate_len));
	cvtpm_drbg_end(&drbg);
}

static void an_issuer_that_cannot_begin_leaves_no_key(void **state)
{
	(void)state;
	static struct cvtpm_boot_issuer boot;
	static struct cvtpm_drbg drbg;
	static const struct cvtpm_ecc_key wiped;
	const struct cvtpm_certificate_times backwards = {2, 1};

	assert_int_equal(cvtpm_drbg_begin(&drbg, sample_entropy, NULL), 0);
	assert_int_equal(cvtpm_boot_issuer_begin(&boot, &drbg, &backwards), CVTPM_ERR_PARAM);
	assert_memory_equal(&boot.key, &wiped, sizeof wiped);
	assert_int_equal(make_sample_ek(&boot.issuer, der, &(size_t){sizeof der}), CVTPM_ERR_STATE);
	cvtpm_drbg_end(&drbg);
}

static void two_boots_have_two_issuers(void **state)
{
	(void)state;
	static struct cvtpm_boot_issuer a, b;
	static struct cvtpm_drbg drbg;

	assert_int_equal(cvtpm_drbg_begin(&drbg, sample_entropy, NULL), 0);
	assert_int_equal(cvtpm_boot_issuer_begin(&a, &drbg, &sample_times), 0);
	assert_int_equal(cvtpm_boot_issuer_begin(&b, &drbg, &sample_times), 0);
	assert_int_equal(a.issuer.name_len, b.issuer.name_len);
	assert_memory_not_equal(a.name, b.name, a.issuer.name_len);
	assert_memory_not_equal(a.key_id, b.key_id, sizeof a.key_id);
	cvtpm_boot_issuer_end(&a);
	cvtpm_boot_issuer_end(&b);
	cvtpm_drbg_end(&drbg);
}

/* ---- facts of all kinds ---- */

static uint32_t random_state;

/* xorshift32: the same facts in each run. */
static uint32_t any(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % below;
}

/* A number with any count of significant bits up to `bits`. */
static uint64_t any_number(unsigned bits)
{
	uint64_t number = (uint64_t)any(UINT32_MAX) << 32 | any(UINT32_MAX);

	return number >> (64 - bits) >> any(bits);
}

static char *any_text(char *text, size_t longest)
{
	size_t len = 1 + any((uint32_t)longest);

	for (size_t i = 0; i < len; i++)
		text[i] = (char)(' ' + any(95));
	text[len] = '\0';
	return text;
}

/* A Name of any length, encoded by OpenSSL. */
static size_t any_name(uint8_t *to, size_t room)
{
	X509_NAME *name = X509_NAME_new();
	unsigned parts = 1 + any(6);
	char text[65];
	int len;

	for (unsigned i = 0; i < parts; i++)
		assert_int_equal(
			X509_NAME_add_entry_by_NID(name, NID_organizationalUnitName, MBSTRING_UTF8,
						   (uint8_t *)any_text(text, 64), -1, -1, 0),
			1);
	len = i2d_X509_NAME(name, NULL);
	assert_true(len > 0 && (size_t)len <= room);
	i2d_X509_NAME(name, &to);
	X509_NAME_free(name);
	return (size_t)len;
}

static int compare_time(const ASN1_TIME *time, uint64_t seconds)
{
	return ASN1_TIME_cmp_time_t(time, (time_t)seconds);
}

/* Elements follow each other without a gap, with lengths as short as they can
 * be, all the way down. OpenSSL has no attribute certificates, but it has this. */
static void check_elements(const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;

	while (p < end) {
		const uint8_t *start = p;
		long contents;
		int number, class;
		int form = ASN1_get_object(&p, &contents, &number, &class, end - p);

		assert_true(form == 0 || form == V_ASN1_CONSTRUCTED);
		assert_int_equal(ASN1_object_size(form != 0, (int)contents, number),
				 p - start + contents);
		if (form == V_ASN1_CONSTRUCTED)
			check_elements(p, (size_t)contents);
		p += contents;
	}
	assert_ptr_equal(p, end);
}

/* OpenSSL reads what was written, finds the facts, and writes the same bytes. */
static void check_with_openssl(const uint8_t *bytes, size_t len, const struct cvtpm_issuer *issuer,
			       const struct cvtpm_certificate_times *times, EVP_PKEY *key)
{
	X509 *x = parse(bytes, len);
	uint8_t *again = NULL, *name = NULL;

	check_elements(bytes, len);
	assert_int_equal(i2d_X509_NAME(X509_get_issuer_name(x), &name), issuer->name_len);
	assert_memory_equal(name, issuer->name, issuer->name_len);
	assert_int_equal(compare_time(X509_get0_notBefore(x), times->not_before), 0);
	assert_int_equal(compare_time(X509_get0_notAfter(x),
				      times->not_after ? times->not_after : 253402300799),
			 0);
	assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(x), key), 1);
	/* Decodes all extensions that OpenSSL knows. */
	assert_int_equal(X509_get_extension_flags(x) & EXFLAG_INVALID, 0);
	assert_int_equal(X509_check_ca(x), 0);
	assert_true(X509_get_ext_count(x) >= 6);
	/* Encoded again from the structure, not from a copy of what was read. */
	assert_int_equal(i2d_re_X509_tbs(x, &again), 4 + (bytes[6] << 8 | bytes[7]));
	assert_memory_equal(again, bytes + 4, 4u + ((size_t)bytes[6] << 8 | bytes[7]));
	OPENSSL_free(again);
	OPENSSL_free(name);
	X509_free(x);
}

static void no_facts_make_a_certificate_that_openssl_cannot_read(void **state)
{
	(void)state;
	static uint8_t table[6000];
	struct fixed_issuer fixed = fixed_issuer(&fixed, 104);
	uint8_t name[1024], key_id[64] = {9}, number[CVTPM_SERIAL_SIZE];
	char sealing[65], software[65], version[65];

	random_state = 2463534242;
	for (unsigned round = 0; round < 3000; round++) {
		struct cvtpm_tpm_facts facts = {
			.manufacturer = (uint32_t)any_number(32),
			.firmware_version = (uint32_t)any_number(32),
			.level = (uint32_t)any_number(32),
			.revision = (uint32_t)any_number(32),
		};
		struct cvtpm_certificate_evidence evidence =
			sample_evidence((enum sample_evidence)any(5));
		struct cvtpm_certificate_times times = {.not_before = any(UINT32_MAX)};
		const struct sample_ek *ek = any(2) ? &ek_rsa : &ek_ecc;
		size_t len = sizeof der;

		any_text(facts.vendor_string, sizeof facts.vendor_string - 1);
		any_text(facts.family, sizeof facts.family - 1);
		evidence.isolation = (enum cvtpm_isolation)any(2);
		evidence.sealing = any_text(sealing, 64);
		evidence.software = any_text(software, 64);
		evidence.software_version = any_text(version, 64);
		evidence.rollback_floor = any_number(64);
		if (evidence.table != NULL) {
			evidence.table = table;
			evidence.table_len = 1 + any(sizeof table - 1);
		}
		if (any(2))
			times.not_after = times.not_before + any_number(37);
		for (size_t i = 0; i < sizeof number; i++)
			number[i] = (uint8_t)any(256);
		fixed.issuer.name = name;
		fixed.issuer.name_len = any_name(name, sizeof name);
		fixed.issuer.key_id = key_id;
		fixed.issuer.key_id_len = 1 + any(sizeof key_id);
		fixed.signature_len = 8 + any(97);

		assert_int_equal(cvtpm_certificate_ek(&fixed.issuer, &ek->key, &facts, &evidence,
						      number, &times, der, &len),
				 0);
		check_with_openssl(der, len, &fixed.issuer, &times, ek->pkey);
	}
}

static void no_facts_make_a_platform_certificate_that_is_not_der(void **state)
{
	(void)state;
	struct fixed_issuer fixed = fixed_issuer(&fixed, 104);
	uint8_t name[1024];
	char manufacturer[301], model[301], version[301], number[301];

	random_state = 123456789;
	for (unsigned round = 0; round < 3000; round++) {
		struct cvtpm_platform_facts facts = {
			.manufacturer = any_text(manufacturer, 300),
			.model = any_text(model, 300),
			.version = any_text(version, 300),
			.serial = any(2) ? any_text(number, 300) : NULL,
		};
		struct cvtpm_certificate_times times = {.not_before = any(UINT32_MAX)};
		size_t len = sizeof der;

		fixed.issuer.name = name;
		fixed.issuer.name_len = any_name(name, sizeof name);
		fixed.signature_len = 8 + any(97);
		assert_int_equal(cvtpm_certificate_platform(&fixed.issuer, serial, &facts, serial,
							    &times, der, &len),
				 0);
		check_elements(der, len);
		assert_non_null(memmem(der, len, facts.model, strlen(facts.model)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(too_little_room_is_told_with_the_length_needed),
		cmocka_unit_test(the_record_of_an_rsa_2048_ek_leaves_room_in_2048_octets),
		cmocka_unit_test(every_serial_is_positive_and_of_full_length),
		cmocka_unit_test(wrong_facts_are_refused_and_nothing_is_signed),
		cmocka_unit_test(claims_without_their_texts_are_refused),
		cmocka_unit_test(a_platform_without_a_name_is_refused),
		cmocka_unit_test(an_issuer_that_refuses_to_sign_is_heard),
		cmocka_unit_test(an_ended_issuer_has_no_key_and_does_not_sign),
		cmocka_unit_test(an_issuer_that_cannot_begin_leaves_no_key),
		cmocka_unit_test(two_boots_have_two_issuers),
		cmocka_unit_test(no_facts_make_a_certificate_that_openssl_cannot_read),
		cmocka_unit_test(no_facts_make_a_platform_certificate_that_is_not_der),
	};

	return cmocka_run_group_tests(tests, make_keys, end_keys);
}
