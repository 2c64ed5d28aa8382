#include "verify/kds_libcurl.h"

#include "cvtpm/err.h"
#include "verify/kds_parts.h"

#include <dlfcn.h>
#include <string.h>

#define SONAME "libcurl.so.4" /* of every release since 2006 */

/* ISO C knows no conversion between the two kinds of pointer; POSIX has them alike. */
static bool find(void *library, const char *name, void *function)
{
	void *const symbol = dlsym(library, name);

	memcpy(function, &symbol, sizeof symbol);
	return symbol;
}

int kds_libcurl_load(struct kds_libcurl *lib, char error[CVTPM_KDS_ERROR_SIZE])
{
	void *const library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
	bool whole = true;

	if (!library)
		return kds_fail(error, CVTPM_ERR_UNSUPPORTED,
				"a key distribution service is asked through libcurl, and %s: "
				"install it (Debian: libcurl4), or give the certificates as files",
				dlerror());
#define FIND(name) whole = find(library, "curl_" #name, &lib->name) && whole;
	KDS_LIBCURL_FUNCTIONS(FIND)
#undef FIND
	if (whole)
		return 0;
	return kds_fail(error, CVTPM_ERR_UNSUPPORTED,
			SONAME " lacks functions that are needed: install libcurl 7.85 or later");
}
