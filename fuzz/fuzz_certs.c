/*
 * Certificates and revocation lists in every form that they come in: the first
 * byte says whether the rest is a certificate table, as it stands behind a report and
 * in a collection, or the content of a file, whose form is found out.
 */
#include "verify/certs.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cert_list list = {.count = 0};
	struct cvtpm_bytes bytes;
	const char *why = NULL;
	int result;

	if (size < 1)
		return 0;
	bytes = (struct cvtpm_bytes){.data = data + 1, .len = size - 1};
	result = data[0] & 1 ? certs_add_table(&list, bytes.data, bytes.len, &why)
			     : certs_add(&list, &bytes, &why);
	if (result && !why)
		abort(); /* a person would be told nothing */
	if (list.count > CERTS_MAX || list.crl_count > CERT_CRLS_MAX)
		abort();
	for (size_t i = 0; i < list.crl_count; i++)
		if (list.crls[i].data < bytes.data || list.crls[i].len > bytes.len ||
		    (size_t)(list.crls[i].data - bytes.data) > bytes.len - list.crls[i].len)
			abort(); /* outside what was given */
	certs_free(&list);
	return 0;
}
