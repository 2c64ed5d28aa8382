/* What our configuration of wolfCrypt must hold beyond today's seam. */
#include "crypto/wolf.h"

#include <wolfssl/wolfcrypt/cmac.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void cmac_gives_the_answer_of_rfc_4493(void **state)
{
	static const uint8_t key[16] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
					0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c};
	static const uint8_t expected[16] = {0xbb, 0x1d, 0x69, 0x29, 0xe9, 0x59, 0x37, 0x28,
					     0x7f, 0xa3, 0x7d, 0x12, 0x9b, 0x75, 0x67, 0x46};
	uint8_t tag[16];
	word32 len = sizeof tag;

	(void)state;
	assert_int_equal(wc_AesCmacGenerate(tag, &len, (const uint8_t *)"", 0, key, sizeof key), 0);
	assert_memory_equal(tag, expected, sizeof tag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cmac_gives_the_answer_of_rfc_4493),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
