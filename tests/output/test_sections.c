/* The page as a library makes it: tables of the caller's, whatever bytes are in them. */
#include "cvtpm/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static char *page_of(const struct cvtpm_page_section *sections, size_t count)
{
	struct cvtpm_verification *v = calloc(1, sizeof(*v));
	char *page;

	assert_non_null(v);
	v->answer = CVTPM_ANSWER_UNKNOWN;
	page = cvtpm_verification_html(v, sections, count);
	assert_non_null(page);
	free(v);
	return page;
}

static void a_table_of_the_callers_is_on_the_page(void **state)
{
	static const char *const columns[] = {"PCR", "Value"};
	static const char *const cells[] = {"0", "00112233445566778899aabbccddeeff", "7", NULL};
	static const enum cvtpm_check_verdict verdicts[] = {CVTPM_CHECK_OK, CVTPM_CHECK_REFUSED};
	const struct cvtpm_page_section section = {
		.id = "pcrs",
		.title = "PCRs, SHA-256",
		.intro = "As quoted.",
		.columns = columns,
		.column_count = 2,
		.cells = cells,
		.row_count = 2,
		.verdicts = verdicts,
	};
	char *page = page_of(&section, 1);

	(void)state;
	assert_non_null(strstr(page, "<h2 id=\"pcrs\">PCRs, SHA-256</h2><p>As quoted.</p>"));
	assert_non_null(
		strstr(page, "<code class=\"hex\">00112233445566778899aabbccddeeff</code>"));
	assert_non_null(strstr(page, "<tr class=\"r-refused\">"));
	assert_non_null(strstr(page, "<td>7</td><td></td>"));
	free(page);
}

static void every_byte_of_a_cell_is_text(void **state)
{
	static const char *const columns[] = {"<th>", "&"};
	char bytes[256];
	const char *cells[] = {bytes, "]]><script>alert(1)</script>"};
	const struct cvtpm_page_section section = {
		.id = "log\" onclick=\"x",
		.title = "'<title>'",
		.intro = "<!-- {{details}}",
		.columns = columns,
		.column_count = 2,
		.cells = cells,
		.row_count = 1,
	};
	char *page;

	(void)state;
	for (int i = 1; i < 256; i++)
		bytes[i - 1] = (char)i;
	bytes[255] = 0;
	page = page_of(&section, 1);
	for (const char *p = page; *p; p++)
		assert_true((*p >= ' ' && *p <= '~') || *p == '\n' || *p == '\t');
	assert_null(strstr(page, "<script"));
	assert_null(strstr(page, "\" onclick"));
	assert_non_null(strstr(page, "\\x01\\x02"));
	assert_non_null(strstr(page, "\\xfe\\xff"));
	assert_non_null(strstr(page, "!&quot;#$%&amp;&#39;()*+,-./0123456789:;&lt;=&gt;?@ABC"));
	assert_non_null(strstr(page, "&lt;!-- {{details}}"));
	free(page);
}

static void a_long_table_is_folded(void **state)
{
	static const char *const columns[] = {"Event"};
	static const char *cells[100];
	struct cvtpm_page_section section = {.id = "log",
					     .title = "Event log",
					     .columns = columns,
					     .column_count = 1,
					     .cells = cells};
	char *page;

	(void)state;
	section.row_count = 100;
	page = page_of(&section, 1);
	assert_non_null(strstr(page, "<details><summary>100 rows</summary>"));
	free(page);
	section.row_count = 3;
	page = page_of(&section, 1);
	assert_null(strstr(page, "<summary>3 rows</summary>"));
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_of_the_callers_is_on_the_page),
		cmocka_unit_test(every_byte_of_a_cell_is_text),
		cmocka_unit_test(a_long_table_is_folded),
	};

	return cmocka_run_group_tests_name("sections", tests, NULL, NULL);
}
