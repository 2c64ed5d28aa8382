/*
 * Hostile answers of a key distribution service, or a damaged cache: whatever
 * comes, it must not be taken for the VCEK of a chip that was never made.
 * The first byte says what was asked for.
 */
#include "verify/kds_libcurl.h"
#include "verify/kds_parts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct kds_libcurl lib;
	struct kds_ask ask = {.hwid_len = 64};
	char error[CVTPM_KDS_ERROR_SIZE], base[CVTPM_KDS_URL_SIZE], *text;
	const char *fault;
	int64_t next_update = 0;
	bool plain;

	if (size < 1)
		return 0;
	if (!lib.url && kds_libcurl_load(&lib, error) < 0)
		abort(); /* nothing would be tested */
	ask.product = data[0] & 4 ? CVTPM_PRODUCT_TURIN : CVTPM_PRODUCT_MILAN;
	switch (data[0] & 3) {
	case 0:
		ask.kind = KDS_VCEK;
		break;
	case 1:
		ask.kind = KDS_CHAIN;
		break;
	case 2:
		ask.kind = KDS_CRL;
		break;
	default: /* an address from a command line or a file */
		text = strndup((const char *)data + 1, size - 1);
		if (text && kds_url_check_base(&lib, text, base, &plain, error) == 0 &&
		    strncasecmp(base, "http", 4) != 0)
			abort();
		free(text);
		if (size - 1 >= SNP_REPORT_SIZE)
			(void)kds_ask_vcek(&ask, "https://kds.example", data + 1, SNP_REPORT_SIZE,
					   NULL, error);
		return 0;
	}
	fault = kds_content_fault(&ask, data + 1, size - 1, &next_update);
	if (!fault && ask.kind == KDS_VCEK)
		abort(); /* the hwid that was asked for is all zero */
	return 0;
}
