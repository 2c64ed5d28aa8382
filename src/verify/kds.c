/* The KDS client: from the cache where it can be, else from the service. */
#include "cvtpm/kds.h"
#include "verify/checks.h"
#include "verify/kds_libcurl.h"
#include "verify/kds_parts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct cvtpm_kds {
	struct cvtpm_kds_options options;
	char base[CVTPM_KDS_URL_SIZE];
	char *ca_file;
	bool plain;
	int cache; /* descriptor of the folder, or -1 */
	struct kds_libcurl lib;
	CURL *curl;
};

/* ---- lines ---- */

int kds_fail(char error[CVTPM_KDS_ERROR_SIZE], int err, const char *format, ...)
{
	char raw[CVTPM_KDS_ERROR_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	escape_text(error, CVTPM_KDS_ERROR_SIZE, raw, strlen(raw));
	return err;
}

void kds_log(const struct cvtpm_kds_options *options, enum cvtpm_log_level level,
	     const char *format, ...)
{
	char raw[CVTPM_KDS_ERROR_SIZE], line[CVTPM_KDS_ERROR_SIZE];
	va_list args;

	if (!options->log)
		return;
	va_start(args, format);
	vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	escape_text(line, sizeof(line), raw, strlen(raw));
	options->log(options->context, level, line);
}

/* ---- open and close ---- */

static void use_default(unsigned *number, unsigned value)
{
	if (!*number)
		*number = value;
}

static void copy_options(struct cvtpm_kds *kds, const struct cvtpm_kds_options *options)
{
	kds->options = *options;
	kds->options.base_url = kds->base;
	kds->options.cache_dir = NULL; /* the descriptor is what counts */
	kds->options.ca_file = kds->ca_file;
	use_default(&kds->options.connect_ms, 10000);
	use_default(&kds->options.request_ms, 30000);
	use_default(&kds->options.tries, 4);
	use_default(&kds->options.wait_ms, 60000);
	use_default(&kds->options.crl_age, 86400);
}

static int load_libcurl(struct kds_libcurl *lib, char error[CVTPM_KDS_ERROR_SIZE])
{
	CVTPM_TRY(kds_libcurl_load(lib, error));
	const curl_version_info_data *info = lib->version_info(CURLVERSION_NOW);

	if ((info->features & CURL_VERSION_SSL) && (info->features & CURL_VERSION_THREADSAFE))
		return 0;
	return kds_fail(error, CVTPM_ERR_UNSUPPORTED,
			"libcurl %s was built without TLS, or is not thread-safe", info->version);
}

static int open_parts(struct cvtpm_kds *kds, const struct cvtpm_kds_options *options,
		      char error[CVTPM_KDS_ERROR_SIZE])
{
	CVTPM_TRY(kds_url_check_base(&kds->lib, options->base_url, kds->base, &kds->plain, error));
	if (options->ca_file) {
		kds->ca_file = strdup(options->ca_file);
		if (!kds->ca_file)
			return kds_fail(error, CVTPM_ERR_NO_MEMORY, "no memory for a KDS client");
	}
	copy_options(kds, options);
	if (options->cache_dir) {
		kds->cache = kds_cache_open(options->cache_dir, error);
		if (kds->cache < 0)
			return kds->cache;
	}
	kds->curl = kds->lib.easy_init();
	return kds->curl ? 0 : kds_fail(error, CVTPM_ERR_NO_MEMORY, "no memory for a KDS client");
}

int cvtpm_kds_open(const struct cvtpm_kds_options *options, struct cvtpm_kds **out,
		   char error[CVTPM_KDS_ERROR_SIZE])
{
	struct kds_libcurl lib;
	struct cvtpm_kds *kds;
	int result;

	*out = NULL;
	error[0] = 0;
	CVTPM_TRY(load_libcurl(&lib, error));
	kds = calloc(1, sizeof(*kds));
	if (!kds || lib.global_init(CURL_GLOBAL_DEFAULT)) {
		free(kds);
		return kds_fail(error, CVTPM_ERR_NO_MEMORY, "no memory for a KDS client");
	}
	kds->lib = lib;
	kds->cache = -1;
	result = open_parts(kds, options, error);
	if (result) {
		cvtpm_kds_close(kds);
		return result;
	}
	*out = kds;
	return 0;
}

void cvtpm_kds_close(struct cvtpm_kds *kds)
{
	if (!kds)
		return;
	kds->lib.easy_cleanup(kds->curl);
	kds->lib.global_cleanup();
	if (kds->cache >= 0)
		close(kds->cache);
	free(kds->ca_file);
	free(kds);
}

void cvtpm_kds_data_free(struct cvtpm_kds_data *data)
{
	free(data->data);
	*data = (struct cvtpm_kds_data){0};
}

/* ---- fetching ---- */

static int64_t now_of(const struct cvtpm_kds *kds)
{
	return kds->options.now ? kds->options.now : (int64_t)time(NULL);
}

/* A revocation list grows old, a certificate does not. */
static bool is_fresh(const struct cvtpm_kds *kds, const struct kds_ask *ask, int64_t written,
		     int64_t next_update)
{
	int64_t now = now_of(kds);

	if (ask->kind != KDS_CRL)
		return true;
	if (now >= next_update)
		return false;
	if (kds->options.offline)
		return true;
	/* Written in the future: one of the clocks was wrong, and its age is not known. */
	return written <= now && now - written < (int64_t)kds->options.crl_age;
}

/* 0; CVTPM_ERR_NOT_FOUND with *why; CVTPM_ERR_NO_MEMORY. */
static int from_cache(struct cvtpm_kds *kds, const struct kds_ask *ask, struct cvtpm_kds_data *out,
		      const char **why)
{
	int64_t written = 0, next_update = 0;
	const char *fault;

	*why = "there is no cache folder";
	if (kds->cache < 0)
		return CVTPM_ERR_NOT_FOUND;
	*why = "it is not in the cache";
	CVTPM_TRY(kds_cache_read(kds->cache, ask->url, &out->data, &out->len, &written));
	fault = kds_content_fault(ask, out->data, out->len, &next_update);
	if (!fault && is_fresh(kds, ask, written, next_update)) {
		out->from_cache = true;
		return 0;
	}
	*why = fault ? "what the cache has is damaged" : "the list in the cache is too old";
	if (fault)
		kds_log(&kds->options, CVTPM_LOG_WARN, "%s: the cache has %s: not used", ask->url,
			fault);
	cvtpm_kds_data_free(out);
	return CVTPM_ERR_NOT_FOUND;
}

static int from_service(struct cvtpm_kds *kds, const struct kds_ask *ask,
			struct cvtpm_kds_data *out, char error[CVTPM_KDS_ERROR_SIZE])
{
	int64_t next_update = 0;
	const char *fault;

	CVTPM_TRY(kds_http_get(&kds->lib, kds->curl, &kds->options, kds->plain, ask, &out->data,
			       &out->len, error));
	fault = kds_content_fault(ask, out->data, out->len, &next_update);
	if (fault) {
		cvtpm_kds_data_free(out);
		return kds_fail(
			error, CVTPM_ERR_FORMAT,
			"%s answered 200, but what came is not what was asked for (%s): check "
			"that this is the URL of a key distribution service",
			ask->url, fault);
	}
	if (kds->cache >= 0 && kds_cache_write(kds->cache, ask->url, out->data, out->len))
		kds_log(&kds->options, CVTPM_LOG_WARN,
			"cannot write the answer of %s to the cache: %s", ask->url,
			strerror(errno));
	return 0;
}

static int fetch(struct cvtpm_kds *kds, const struct kds_ask *ask, struct cvtpm_kds_data *out,
		 char error[CVTPM_KDS_ERROR_SIZE])
{
	const char *why;
	int result;

	result = from_cache(kds, ask, out, &why);
	if (result == CVTPM_ERR_NOT_FOUND && kds->options.offline)
		return kds_fail(
			error, result,
			"%s is not asked, as this is offline, and %s: fetch it once online, or "
			"give the certificates as files",
			ask->url, why);
	if (result == CVTPM_ERR_NOT_FOUND)
		result = from_service(kds, ask, out, error);
	else if (result)
		return kds_fail(error, result, "the cache cannot be read for %s: %s", ask->url,
				cvtpm_strerror(result));
	if (result)
		return result;
	memcpy(out->name, ask->url, sizeof(out->name));
	return 0;
}

int cvtpm_kds_fetch_vcek(struct cvtpm_kds *kds, const uint8_t *report, size_t len,
			 const char *product, struct cvtpm_kds_data *out,
			 char error[CVTPM_KDS_ERROR_SIZE])
{
	struct kds_ask ask;

	*out = (struct cvtpm_kds_data){0};
	error[0] = 0;
	CVTPM_TRY(kds_ask_vcek(&ask, kds->base, report, len, product, error));
	return fetch(kds, &ask, out, error);
}

int cvtpm_kds_fetch_chain(struct cvtpm_kds *kds, const char *product, bool vlek,
			  struct cvtpm_kds_data *out, char error[CVTPM_KDS_ERROR_SIZE])
{
	struct kds_ask ask;

	*out = (struct cvtpm_kds_data){0};
	error[0] = 0;
	CVTPM_TRY(kds_ask_product(&ask, KDS_CHAIN, kds->base, product, vlek, error));
	return fetch(kds, &ask, out, error);
}

int cvtpm_kds_fetch_crl(struct cvtpm_kds *kds, const char *product, bool vlek,
			struct cvtpm_kds_data *out, char error[CVTPM_KDS_ERROR_SIZE])
{
	struct kds_ask ask;

	*out = (struct cvtpm_kds_data){0};
	error[0] = 0;
	CVTPM_TRY(kds_ask_product(&ask, KDS_CRL, kds->base, product, vlek, error));
	return fetch(kds, &ask, out, error);
}
