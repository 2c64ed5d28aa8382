/*
 * AMD's key distribution service (KDS, AMD 57230, chapter 4), or one that
 * behaves like it: where a verifier gets the certificate of the key that signed
 * a report, that certificate's chain, and revocation lists.
 *
 *	GET /vcek/v1/PRODUCT/HWID?blSPL=..&..  the VCEK of one chip at one TCB, DER
 *	GET /{vcek|vlek}/v1/PRODUCT/cert_chain ASK or ASVK, then ARK, PEM
 *	GET /{vcek|vlek}/v1/PRODUCT/crl        the ARK's revocation list, DER
 *
 * PRODUCT is Milan, Genoa (also for Bergamo and Siena) or Turin. VLEKs are given
 * to cloud providers only: their chain can be fetched, they cannot.
 *
 * Nothing is fetched from a host that the caller did not name. What is fetched is
 * not trusted: it is evidence for cvtpm_verify_evidence(), which judges it like
 * any other. Here it is only checked to be what was asked for, so that rubbish
 * never enters the cache.
 *
 * Transport. HTTPS with verification always on, TLS 1.2 or newer; http:// only for
 * an address of the loopback network (127.0.0.0/8, ::1). Redirects are not
 * followed. Size and time of an answer are bounded. Answers 429 and 5xx, and
 * connections that break, are asked again: after what Retry-After says, else
 * after 1 s, 2 s, 4 s and so on, until `tries` or `wait_ms` is used up. Proxies are
 * taken from the environment (https_proxy, no_proxy) as by other programs; the
 * TLS connection goes through them to the named host.
 *
 * Cache. A folder (0700, the caller's own) with a file (0600) for each answer,
 * named by the SHA-256 of its URL and written whole or not at all. Certificates stay
 * for good: the certificate of a chip at a TCB does not change. A revocation list
 * is fetched anew when `crl_age` has passed, or its nextUpdate; offline it serves
 * until its nextUpdate. A damaged file is as good as none. Any number of processes may
 * share a folder.
 *
 * Each failure leaves one line of ASCII: what was asked of whom, what came, and
 * what to do. A client is used by one thread at a time; different ones by
 * several. No global state of ours; curl_global_init() is called once for
 * each open, which needs a libcurl whose global functions are thread-safe.
 *
 * Hosted (libcurl, which is loaded when a client is made; OpenSSL 3).
 */
#ifndef CVTPM_KDS_H
#define CVTPM_KDS_H

#include "cvtpm/platform.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CVTPM_KDS_AMD        "https://kdsintf.amd.com"
#define CVTPM_KDS_URL_SIZE   512
#define CVTPM_KDS_ERROR_SIZE 1024
#define CVTPM_KDS_MAX_SIZE   ((size_t)1 << 20) /* larger answers are refused */

/* Zero in a number means its default. */
struct cvtpm_kds_options {
	/* Whom to ask: "https://HOST[:PORT][/PATH]". There is no default: name
	 * CVTPM_KDS_AMD for AMD's. Offline too, as the cache knows answers by URL. */
	const char *base_url;
	const char *ca_file;   /* PEM: the only CAs to trust for TLS; NULL: the system's */
	const char *cache_dir; /* made if it is not there, its parent is not; NULL: no cache */
	bool offline;          /* ask nobody: the cache or nothing */

	unsigned connect_ms; /* until connected, name look-up included; 10,000 */
	unsigned request_ms; /* one request as a whole; 30,000 */
	unsigned tries;      /* requests for one thing; 4 */
	unsigned wait_ms;    /* all waiting between those; 60,000 */
	uint32_t crl_age;    /* seconds; 86,400 */
	int64_t now;         /* seconds since 1970-01-01 UTC for what expires; 0: the clock's */

	/* Told what happens: "... answered 429, waiting 10 s". May be NULL. */
	void (*log)(void *context, enum cvtpm_log_level level, const char *line);
	/* Waits; nonzero: give up, as the user does not want to wait. NULL: sleeps. */
	int (*wait)(void *context, unsigned ms);
	void *context;
};

struct cvtpm_kds;

/* An answer. `name` is its URL, for messages. */
struct cvtpm_kds_data {
	uint8_t *data; /* to be freed with cvtpm_kds_data_free() */
	size_t len;
	bool from_cache;
	char name[CVTPM_KDS_URL_SIZE];
};

/** Makes a client; copies the options. `error` has a line unless 0 is returned.
 *  CVTPM_ERR_PARAM: base_url is missing, malformed, or neither https nor http to
 *  loopback; CVTPM_ERR_POLICY: others may enter the cache folder, or it is another
 *  user's; CVTPM_ERR_IO: it cannot be made or opened; CVTPM_ERR_UNSUPPORTED: there
 *  is no libcurl, or it has no HTTPS or is not thread-safe; CVTPM_ERR_NO_MEMORY. */
int cvtpm_kds_open(const struct cvtpm_kds_options *options, struct cvtpm_kds **kds,
		   char error[CVTPM_KDS_ERROR_SIZE]);

/** NULL is allowed. */
void cvtpm_kds_close(struct cvtpm_kds *kds);

/*
 * Each of the following fills *out and returns 0, or clears it, leaves a line in
 * `error` and returns one of
 *     CVTPM_ERR_NOT_FOUND    404; offline and not in the cache
 *     CVTPM_ERR_BUSY         429, and longer than we wait; or wait() gave up
 *     CVTPM_ERR_PEER         another status; a redirect
 *     CVTPM_ERR_AUTH         no TLS, or the host's certificate does not verify
 *     CVTPM_ERR_IO           not reached, cut off, too slow
 *     CVTPM_ERR_SIZE         too large an answer, or too long a URL
 *     CVTPM_ERR_FORMAT       the answer is not what was asked for; the report is
 *                            not one that a VCEK could be asked for
 *     CVTPM_ERR_PARAM        no such product, or the report contradicts it
 *     CVTPM_ERR_UNSUPPORTED  the report is signed by a VLEK or by nothing
 *     CVTPM_ERR_NO_MEMORY
 */

/** The VCEK of `report` (SNP_REPORT_SIZE bytes): by its CHIP_ID and REPORTED_TCB.
 *  `product` may be NULL for reports of version 3 and later, which tell; version 2
 *  does not, and only the caller can know. */
int cvtpm_kds_fetch_vcek(struct cvtpm_kds *kds, const uint8_t *report, size_t len,
			 const char *product, struct cvtpm_kds_data *out,
			 char error[CVTPM_KDS_ERROR_SIZE]);

/** ASK and ARK of a product, or with `vlek` ASVK and ARK. */
int cvtpm_kds_fetch_chain(struct cvtpm_kds *kds, const char *product, bool vlek,
			  struct cvtpm_kds_data *out, char error[CVTPM_KDS_ERROR_SIZE]);

/** The revocation list of a product's ARK. */
int cvtpm_kds_fetch_crl(struct cvtpm_kds *kds, const char *product, bool vlek,
			struct cvtpm_kds_data *out, char error[CVTPM_KDS_ERROR_SIZE]);

/** What a report says of itself: `product` is "Milan", "Genoa" or "Turin", or NULL where it does
 *  not tell; `vlek` that the chain to ask for is the VLEK's. CVTPM_ERR_FORMAT: not a
 *  report of a known version. */
int cvtpm_kds_read_report(const uint8_t *report, size_t len, const char **product, bool *vlek);

void cvtpm_kds_data_free(struct cvtpm_kds_data *data);

#endif
