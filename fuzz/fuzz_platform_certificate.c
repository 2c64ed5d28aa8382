/*
 * Hostile platform certificates. The first two bytes are the length of the EK
 * certificate in front, which may be its holder and its issuer.
 */
#include "verify/platform_certificate.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cvtpm_verification *v = calloc(1, sizeof(*v));
	struct cert_list list = {.count = 0};
	const char *why = "";
	size_t len;

	if (v && size >= 2 && (len = (size_t)(data[0] << 8 | data[1])) <= size - 2) {
		const struct cvtpm_bytes ek = {.data = data + 2, .len = len};
		const struct cvtpm_bytes platform = {.data = data + 2 + len, .len = size - 2 - len};

		(void)certs_add(&list, &ek, &why);
		platform_certificate_check(&platform, list.count ? list.certs[0] : NULL, &list,
					   1764547200, v);
		(void)platform_certificate_holds(&platform, &ek);
		free(cvtpm_verification_text(v));
	}
	certs_free(&list);
	free(v);
	return 0;
}
