/* The interpreter of wire types: layout in memory, and the response code of every kind
 * of wrong input (Part 2; Part 3, 5.7). */
#include "tpm/command.h"
#include "tpm/type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static size_t end_of(const struct field *fields)
{
	unsigned n = 0;

	while (fields[n].type)
		n++;
	return n == 0 ? 0 : field_offset(fields, n - 1) + fields[n - 1].type->size;
}

static void check_layout(const struct type *type)
{
	size_t end = end_of(type->fields);

	end = (end + type->align - 1) / type->align * type->align;
	if (end != type->size)
		fail_msg("%s: %zu bytes by its rows, %u in C", type->name, end, type->size);
}

/* The interpreter computes offsets; they must be the compiler's. */
static void structures_lie_in_memory_as_c_lays_them(void **state)
{
	(void)state;
#define NUMBER(name, ctype)
#define ALIAS(name, type)
#define BITS(name, type, mask)
#define VALUES(name, type, rc, null, ...)
#define RANGES(name, rc, null, ...)
#define BYTES(name, count)
#define BUFFER(name, max)
#define SELECT(name, min, max)
#define SIZED(name, type, member, empty)
#define LIST(name, type, member, min, max)
#define STRUCTURE(name, ...) check_layout(&type_##name);
#define UNION(name, ...)
/* clang-format off */
#include "tpm/types.def"
#include "tpm/state.def"
#include "tpm/rows_end.h"
	/* clang-format on */
	assert_int_equal(field_offset(type_TPMT_PUBLIC.fields, 5), offsetof(TPMT_PUBLIC, unique));
	assert_int_equal(field_offset(type_TPMS_ATTEST.fields, 6), offsetof(TPMS_ATTEST, attested));
	assert_int_equal(field_offset(type_TPMS_CLOCK_INFO.fields, 3),
			 offsetof(TPMS_CLOCK_INFO, safe));
}

static void parameters_lie_behind_the_handles(void **state)
{
	struct NV_Read_in in;
	struct ClockSet_in clock;
	struct GetTestResult_out out;

	(void)state;
	assert_ptr_equal(IN_FIELDS(&in), &in.size);
	assert_ptr_equal(IN_FIELDS(&clock), &clock.newTime);
	assert_ptr_equal(OUT_FIELDS(&out), &out.outData);
	assert_ptr_equal((uint8_t *)OUT_FIELDS(&out) +
				 field_offset(command_find(TPM_CC_GetTestResult)->out, 1),
			 &out.testResult);
}

static void commands_are_in_order_of_their_codes(void **state)
{
	(void)state;
	for (size_t i = 1; i < command_count; i++)
		assert_true(commands[i - 1]->code < commands[i]->code);
	for (size_t i = 0; i < command_count; i++)
		assert_ptr_equal(command_find(commands[i]->code), commands[i]);
	assert_null(command_find(0));
	assert_null(command_find(0x20000000));
}

/* Authorisation belongs to the first handles, so that sessions can be counted. */
static void handles_with_authorisation_come_first(void **state)
{
	(void)state;
	for (size_t i = 0; i < command_count; i++)
		for (unsigned n = 0; n < command_handles(commands[i]); n++)
			if (n >= command_auths(commands[i]))
				assert_int_equal(commands[i]->handles[n].role, NONE);
}

/* ---- wrong input ---- */

static tpm_rc read_hex(const struct type *type, const char *hex, bool plus)
{
	static union {
		TPM2B_PUBLIC public;
		TPML_PCR_SELECTION selection;
		TPMT_SIGNATURE signature;
		TPMS_CONTEXT context;
		uint64_t align[1024];
	} value;
	uint8_t bytes[2048] = {0};
	struct reader r = {bytes, 0};
	tpm_rc rc;

	for (; *hex; hex++) {
		unsigned digit = (unsigned)(*hex <= '9' ? *hex - '0' : (*hex | 32) - 'a' + 10);

		if (*hex == ' ')
			continue;
		bytes[r.left / 2] = (uint8_t)(bytes[r.left / 2] * 16u + digit);
		r.left++;
	}
	r.left /= 2;
	rc = type_read(type, &value, &r, plus);
	return rc ? rc : r.left ? 0xFFFF : 0;
}

static void each_kind_of_wrong_value_has_its_code(void **state)
{
	static const struct {
		const struct type *type;
		const char *hex;
		bool plus;
		tpm_rc rc;
	} cases[] = {
		{&type_UINT16, "01", false, TPM_RC_INSUFFICIENT},
		{&type_UINT16, "0102", false, 0},
		{&type_TPMI_YES_NO, "02", false, TPM_RC_VALUE},
		{&type_TPMI_YES_NO, "01", false, 0},
		{&type_TPMI_ALG_HASH, "0001", false, TPM_RC_HASH},
		{&type_TPMI_ALG_HASH, "0010", false, TPM_RC_HASH},
		{&type_TPMI_ALG_HASH, "0010", true, 0},
		{&type_TPMI_ALG_HASH, "000B", false, 0},
		{&type_TPMI_ALG_PUBLIC, "0002", false, TPM_RC_TYPE},
		{&type_TPMI_ALG_KDF, "0006", false, TPM_RC_KDF},
		{&type_TPMI_ECC_CURVE, "0099", false, TPM_RC_CURVE},
		{&type_TPMI_ALG_SIG_SCHEME, "0006", true, TPM_RC_SCHEME},
		{&type_TPM_SU, "0002", false, TPM_RC_VALUE},
		{&type_TPMA_OBJECT, "00000001", false, TPM_RC_RESERVED_BITS},
		{&type_TPMA_SESSION, "18", false, TPM_RC_RESERVED_BITS},
		{&type_TPMA_NV, "00000100", false, TPM_RC_RESERVED_BITS},
		{&type_TPMI_DH_OBJECT, "40000007", false, TPM_RC_VALUE},
		{&type_TPMI_DH_OBJECT, "40000007", true, 0},
		{&type_TPMI_DH_OBJECT, "8000000F", false, 0},
		{&type_TPMI_DH_OBJECT, "80000010", false, TPM_RC_VALUE},
		{&type_TPMI_DH_OBJECT, "01000000", false, TPM_RC_VALUE},
		{&type_TPMI_DH_PCR, "00000018", false, TPM_RC_VALUE},
		{&type_TPM2B_DIGEST, "0041", false, TPM_RC_SIZE},
		{&type_TPM2B_DIGEST, "0002 01", false, TPM_RC_INSUFFICIENT},
		{&type_TPM2B_DIGEST, "0000", false, 0},
		{&type_TPML_PCR_SELECTION, "00000005", false, TPM_RC_SIZE},
		{&type_TPML_PCR_SELECTION, "00000001 000B 02 0000", false, TPM_RC_VALUE},
		{&type_TPML_PCR_SELECTION, "00000001 000B 04 00000000", false, TPM_RC_VALUE},
		{&type_TPML_PCR_SELECTION, "00000001 000B 03 000000", false, 0},
		{&type_TPML_DIGEST_OR, "00000001 0000", false, TPM_RC_SIZE},
		{&type_TPMT_TK_CREATION, "8022 40000007 0000", false, TPM_RC_TAG},
		{&type_TPMT_TK_CREATION, "8021 40000007 0000", false, 0},
		{&type_TPMT_TK_CREATION, "8021 4000000A 0000", false, TPM_RC_VALUE},
		{&type_TPMT_SYM_DEF, "0006 0081 0043", false, TPM_RC_VALUE},
		{&type_TPMT_SYM_DEF, "0006 0080 0001", false, TPM_RC_MODE},
		{&type_TPMT_SYM_DEF_OBJECT, "0006 0080 003F", false, TPM_RC_MODE},
		{&type_TPMT_SYM_DEF_OBJECT, "0006 0080 0044", false, 0},
		{&type_TPMT_SYM_DEF_OBJECT, "0006 0080 0045", false, TPM_RC_MODE},
		{&type_TPMI_ALG_CIPHER_MODE, "0040", false, 0},
		{&type_TPMI_ALG_CIPHER_MODE, "003F", true, TPM_RC_MODE},
		{&type_TPMI_ALG_CIPHER_MODE, "0010", false, TPM_RC_MODE},
		{&type_TPMI_ALG_CIPHER_MODE, "0010", true, 0},
		{&type_TPMT_SYM_DEF, "0001", false, TPM_RC_SYMMETRIC},
		{&type_TPMT_SYM_DEF, "0010", false, TPM_RC_SYMMETRIC},
		{&type_TPMT_SYM_DEF, "0010", true, 0},
		{&type_TPMT_SYM_DEF_OBJECT, "000A 000B", true, TPM_RC_SYMMETRIC},
		{&type_TPM2B_SENSITIVE_CREATE, "0000", false, TPM_RC_SIZE},
		{&type_TPM2B_SENSITIVE_CREATE, "0004 0000 0000", false, 0},
		{&type_TPM2B_SENSITIVE_CREATE, "0005 0000 0000 00", false, TPM_RC_SIZE},
		{&type_TPM2B_SENSITIVE_CREATE, "0003 0000 00", false, TPM_RC_INSUFFICIENT},
		{&type_TPM2B_SENSITIVE_CREATE, "0003 0000 0000", false, TPM_RC_SIZE},
		{&type_TPM2B_SENSITIVE_CREATE, "0005 0000 0000", false, TPM_RC_SIZE},
		{&type_TPM2B_SENSITIVE, "0000", false, 0},
		{&type_TPMT_SIGNATURE, "0018 000B 0001 01 0001 01", false, 0},
		{&type_TPMT_SIGNATURE, "0010", false, TPM_RC_SCHEME},
		{&type_TPMS_ATTEST, "FF544348", false, TPM_RC_VALUE},
		{&type_TPMT_RSA_SCHEME, "0018 000B", true, TPM_RC_VALUE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tpm_rc rc = read_hex(cases[i].type, cases[i].hex, cases[i].plus);

		if (rc != cases[i].rc)
			fail_msg("%s %s: 0x%x, not 0x%x", cases[i].type->name, cases[i].hex, rc,
				 cases[i].rc);
	}
}

/* A selector that the union does not have can only come by a hole in the rows. */
static void a_union_is_never_read_without_its_selector(void **state)
{
	(void)state;
	assert_int_equal(read_hex(&type_TPMU_HA, "00", false), TPM_RC_FAILURE);
}

/* Nor written; what does not fit its type is not written either. */
static void what_cannot_be_read_is_not_written(void **state)
{
	uint8_t bytes[256];
	TPM2B_DIGEST digest = {.size = sizeof digest.buffer + 1};
	TPML_DIGEST_OR list = {.count = 9};
	TPMT_HA hash = {.hashAlg = TPM_ALG_RSA};
	TPMS_PCR_SELECTION selection = {TPM_ALG_SHA256, {.size = PCR_SELECT_MAX + 1}};

	(void)state;
	assert_int_equal(type_marshal(&type_TPMU_HA, &hash.digest, bytes, sizeof bytes), 0);
	assert_int_equal(type_marshal(&type_TPM2B_DIGEST, &digest, bytes, sizeof bytes), 0);
	assert_int_equal(type_marshal(&type_TPML_DIGEST_OR, &list, bytes, sizeof bytes), 0);
	assert_int_equal(type_marshal(&type_TPMT_HA, &hash, bytes, sizeof bytes), 0);
	assert_int_equal(type_marshal(&type_TPMS_PCR_SELECTION, &selection, bytes, sizeof bytes),
			 0);
	assert_int_equal(read_hex(&type_TPMS_CAPABILITY_DATA, "00000100", false), TPM_RC_SELECTOR);
}

static void what_is_written_reads_back(void **state)
{
	static const TPMT_PUBLIC public = {
		.type = TPM_ALG_ECC,
		.nameAlg = TPM_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_SIGN,
		.authPolicy = {2, {7, 8}},
		.parameters.eccDetail = {{TPM_ALG_NULL, {0}, {0}},
					 {TPM_ALG_ECDSA, {.ecdsa = {TPM_ALG_SHA384}}},
					 TPM_ECC_NIST_P384,
					 {TPM_ALG_NULL, {{0}}}},
		.unique.ecc = {{1, {9}}, {2, {1, 2}}},
	};
	TPMT_PUBLIC again;
	uint8_t bytes[256];
	size_t len = type_marshal(&type_TPMT_PUBLIC, &public, bytes, sizeof bytes);
	struct reader r = {bytes, len};

	(void)state;
	assert_int_equal(len, 2 + 2 + 4 + 4 + 2 + 4 + 2 + 2 + 3 + 4);
	assert_int_equal(type_read(&type_TPMT_PUBLIC, &again, &r, false), 0);
	assert_int_equal(r.left, 0);
	assert_int_equal(again.unique.ecc.y.buffer[1], 2);
	for (size_t i = 0; i < len; i++) { /* any shorter room is an overflow, never a crash */
		uint8_t room[256];

		assert_int_equal(type_marshal(&type_TPMT_PUBLIC, &public, room, i), 0);
		r = (struct reader){bytes, i};
		assert_int_equal(type_read(&type_TPMT_PUBLIC, &again, &r, false),
				 TPM_RC_INSUFFICIENT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(structures_lie_in_memory_as_c_lays_them),
		cmocka_unit_test(parameters_lie_behind_the_handles),
		cmocka_unit_test(commands_are_in_order_of_their_codes),
		cmocka_unit_test(handles_with_authorisation_come_first),
		cmocka_unit_test(each_kind_of_wrong_value_has_its_code),
		cmocka_unit_test(a_union_is_never_read_without_its_selector),
		cmocka_unit_test(what_cannot_be_read_is_not_written),
		cmocka_unit_test(what_is_written_reads_back),
	};

	return cmocka_run_group_tests_name("tpm types", tests, NULL, NULL);
}
