/* Asking over HTTP, through libcurl: bounded in size and time, with patience. */
#include "verify/checks.h"
#include "verify/kds_libcurl.h"
#include "verify/kds_parts.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST_WAIT_MS 1000u
#define HTTP_OK       200
#define HTTP_MISSING  404
#define HTTP_TOO_MANY 429

/* An answer while it comes in. */
struct answer {
	uint8_t *data;
	size_t len;
	bool too_large, no_memory;
	CURLcode code;
	long status;
	curl_off_t retry_after; /* seconds; 0: not said */
	char text[CURL_ERROR_SIZE];
};

static size_t take(char *bytes, size_t size, size_t count, void *context)
{
	struct answer *answer = context;
	size_t len = size * count;
	uint8_t *more;

	if (len > CVTPM_KDS_MAX_SIZE - answer->len) {
		answer->too_large = true;
		return 0;
	}
	if (!len)
		return 0;
	more = realloc(answer->data, answer->len + len);
	if (!more) {
		answer->no_memory = true;
		return 0;
	}
	answer->data = more;
	memcpy(answer->data + answer->len, bytes, len);
	answer->len += len;
	return len;
}

static void drop(struct answer *answer)
{
	free(answer->data);
	*answer = (struct answer){0};
}

/* Every rule of the transport; false: libcurl does not take one of them. */
static bool set_rules(const struct kds_libcurl *lib, CURL *curl, const struct cvtpm_kds_options *o,
		      bool plain, const struct kds_ask *ask, struct answer *answer)
{
	CURLcode bad = CURLE_OK;

#define SET(option, value) (bad = bad ? bad : lib->easy_setopt(curl, option, value))
	lib->easy_reset(curl);
	SET(CURLOPT_URL, ask->url);
	SET(CURLOPT_PROTOCOLS_STR, plain ? "http" : "https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_HTTPGET, 1L);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_USERAGENT, "cvtpm");
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (o->ca_file) {
		SET(CURLOPT_CAINFO, o->ca_file);
		SET(CURLOPT_CAPATH, NULL); /* the system's are not wanted then */
	}
	if (plain)
		SET(CURLOPT_NOPROXY, "*"); /* loopback is not behind a proxy */
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_ms);
	SET(CURLOPT_TIMEOUT_MS, (long)o->request_ms);
	SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)CVTPM_KDS_MAX_SIZE);
	SET(CURLOPT_WRITEFUNCTION, take);
	SET(CURLOPT_WRITEDATA, answer);
	SET(CURLOPT_ERRORBUFFER, answer->text);
#undef SET
	return bad == CURLE_OK;
}

static int ask_once(const struct kds_libcurl *lib, CURL *curl,
		    const struct cvtpm_kds_options *options, bool plain, const struct kds_ask *ask,
		    struct answer *answer, char error[CVTPM_KDS_ERROR_SIZE])
{
	*answer = (struct answer){0};
	if (!set_rules(lib, curl, options, plain, ask, answer))
		return kds_fail(error, CVTPM_ERR_UNSUPPORTED,
				"libcurl does not take the rules of the connection to %s",
				ask->url);
	answer->code = lib->easy_perform(curl);
	lib->easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
	lib->easy_getinfo(curl, CURLINFO_RETRY_AFTER, &answer->retry_after);
	return 0;
}

/* ---- what an answer means ---- */

/* Worth asking again: too many requests, the service's own trouble, a connection that broke. */
static bool is_passing(const struct answer *answer)
{
	switch (answer->code) {
	case CURLE_OK:
		return answer->status == HTTP_TOO_MANY ||
		       (answer->status >= 500 && answer->status <= 599);
	case CURLE_COULDNT_CONNECT:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return true;
	default:
		return false;
	}
}

static int explain_code(const struct kds_libcurl *lib, const struct answer *a,
			const struct cvtpm_kds_options *options, const struct kds_ask *ask,
			char error[CVTPM_KDS_ERROR_SIZE])
{
	const char *text = a->text[0] ? a->text : lib->easy_strerror(a->code);

	if (a->no_memory || a->code == CURLE_OUT_OF_MEMORY)
		return kds_fail(error, CVTPM_ERR_NO_MEMORY, "no memory for the answer to %s",
				ask->url);
	if (a->too_large || a->code == CURLE_FILESIZE_EXCEEDED)
		return kds_fail(error, CVTPM_ERR_SIZE,
				"%s: the answer is larger than %zu bytes; this is no key "
				"distribution service",
				ask->url, CVTPM_KDS_MAX_SIZE);
	switch (a->code) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR: /* also: signed by a CA of the right name with another key */
		return kds_fail(error, CVTPM_ERR_AUTH,
				"%s: no TLS connection that can be trusted (%s): check host, clock "
				"and the CAs that are trusted",
				ask->url, text);
	case CURLE_SSL_CACERT_BADFILE:
		return kds_fail(error, CVTPM_ERR_IO, "cannot read CA certificates for TLS from %s",
				options->ca_file ? options->ca_file : "the system");
	case CURLE_OPERATION_TIMEDOUT:
		return kds_fail(error, CVTPM_ERR_IO,
				"%s: no answer in time (%s): check the network, or give the "
				"certificates as files",
				ask->url, text);
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
		return kds_fail(error, CVTPM_ERR_IO,
				"%s: the answer was cut off (%s): try again, or give the "
				"certificates as files",
				ask->url, text);
	default:
		return kds_fail(error, CVTPM_ERR_IO,
				"%s: not reached (%s): check the network, or give the certificates "
				"as files",
				ask->url, text);
	}
}

static int explain_redirect(const struct kds_libcurl *lib, CURL *curl, const struct answer *a,
			    const struct kds_ask *ask, char error[CVTPM_KDS_ERROR_SIZE])
{
	char where[200] = "nowhere";
	char *url = NULL;

	lib->easy_getinfo(curl, CURLINFO_REDIRECT_URL, &url);
	if (url)
		escape_text(where, sizeof(where), url, strlen(url));
	return kds_fail(error, CVTPM_ERR_PEER,
			"%s answered %ld, a redirect to %s, which is not followed: name that "
			"service itself if it is the one you mean",
			ask->url, a->status, where);
}

static int explain_status(const struct kds_libcurl *lib, CURL *curl, const struct answer *a,
			  const struct kds_ask *ask, unsigned tries,
			  char error[CVTPM_KDS_ERROR_SIZE])
{
	if (a->status >= 300 && a->status <= 399)
		return explain_redirect(lib, curl, a, ask, error);
	if (a->status == HTTP_MISSING)
		return kds_fail(error, CVTPM_ERR_NOT_FOUND, "%s answered 404, not known there: %s",
				ask->url,
				ask->kind == KDS_VCEK ? "check that the product is right"
						      : "check the URL of the service");
	if (a->status == HTTP_TOO_MANY && a->retry_after > 0)
		return kds_fail(error, CVTPM_ERR_BUSY,
				"%s answered 429, too many requests (request %u), and wants to be "
				"left alone for %lld s: try again then, and use a cache folder",
				ask->url, tries, (long long)a->retry_after);
	if (a->status == HTTP_TOO_MANY)
		return kds_fail(
			error, CVTPM_ERR_BUSY,
			"%s answered 429, too many requests, %u times: try again later, and "
			"use a cache folder",
			ask->url, tries);
	if (a->status >= 500)
		return kds_fail(
			error, CVTPM_ERR_PEER,
			"%s answered %ld, its own trouble, %u times: try again later, or give "
			"the certificates as files",
			ask->url, a->status, tries);
	return kds_fail(error, CVTPM_ERR_PEER,
			"%s answered %ld: check that this is the URL of a key distribution service",
			ask->url, a->status);
}

/* ---- asking until there is an answer ---- */

static int wait_ms(const struct cvtpm_kds_options *options, unsigned ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	if (options->wait)
		return options->wait(options->context, ms);
	return nanosleep(&left, NULL); /* a signal: the user does not want to wait */
}

/* How long to wait after the `tries`-th request, or more than is left of the
 * patience: then there is no use in asking again. */
static unsigned pause_after(const struct answer *answer, unsigned tries, unsigned left)
{
	uint64_t ms = (uint64_t)FIRST_WAIT_MS << (tries < 16 ? tries - 1 : 15);

	if (answer->code == CURLE_OK && answer->retry_after > 0) {
		if (answer->retry_after > left / 1000)
			return left + 1; /* before it is multiplied: any number may come */
		ms = (uint64_t)answer->retry_after * 1000;
	}
	return ms > left ? left + 1 : (unsigned)ms;
}

int kds_http_get(const struct kds_libcurl *lib, void *curl, const struct cvtpm_kds_options *options,
		 bool plain, const struct kds_ask *ask, uint8_t **data, size_t *len,
		 char error[CVTPM_KDS_ERROR_SIZE])
{
	unsigned left = options->wait_ms;
	struct answer answer;

	for (unsigned tries = 1;; tries++) {
		unsigned pause;
		int result;

		CVTPM_TRY(ask_once(lib, curl, options, plain, ask, &answer, error));
		if (answer.code == CURLE_OK && answer.status == HTTP_OK) {
			*data = answer.data;
			*len = answer.len;
			return 0;
		}
		pause = pause_after(&answer, tries, left);
		if (!is_passing(&answer) || tries >= options->tries || pause > left) {
			result = answer.code == CURLE_OK
					 ? explain_status(lib, curl, &answer, ask, tries, error)
					 : explain_code(lib, &answer, options, ask, error);
			drop(&answer);
			return result;
		}
		if (answer.code == CURLE_OK)
			kds_log(options, CVTPM_LOG_INFO, "%s answered %ld, waiting %u s", ask->url,
				answer.status, (pause + 999) / 1000);
		else
			kds_log(options, CVTPM_LOG_INFO, "%s: %s, waiting %u s", ask->url,
				lib->easy_strerror(answer.code), (pause + 999) / 1000);
		drop(&answer);
		left -= pause;
		if (wait_ms(options, pause))
			return kds_fail(error, CVTPM_ERR_BUSY,
					"%s: gave up while waiting to ask again", ask->url);
	}
}
