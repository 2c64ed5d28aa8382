/* What the files of the KDS client share. */
#ifndef VERIFY_KDS_PARTS_H
#define VERIFY_KDS_PARTS_H

#include "cvtpm/err.h"
#include "cvtpm/kds.h"
#include "verify/chain.h"

/* The one line that a failure leaves; returns `err`. Any byte may be in the
 * arguments: what is not printable ASCII is escaped. */
__attribute__((format(printf, 3, 4))) int kds_fail(char error[CVTPM_KDS_ERROR_SIZE], int err,
						   const char *format, ...);
/* The same for the caller's log. */
__attribute__((format(printf, 3, 4))) void kds_log(const struct cvtpm_kds_options *options,
						   enum cvtpm_log_level level, const char *format,
						   ...);

/* ---- kds_url.c: what is asked ---- */

enum kds_kind { KDS_VCEK, KDS_CHAIN, KDS_CRL };

/* One thing to be fetched, and what tells it from others. */
struct kds_ask {
	enum kds_kind kind;
	bool vlek;
	enum cvtpm_product product;
	uint8_t hwid[64]; /* VCEK only, as the two below */
	size_t hwid_len;
	struct tcb tcb;
	char url[CVTPM_KDS_URL_SIZE];
};

struct kds_libcurl;

/* A base URL that may be used, without the final slashes. `plain`: http. */
int kds_url_check_base(const struct kds_libcurl *lib, const char *url,
		       char base[CVTPM_KDS_URL_SIZE], bool *plain,
		       char error[CVTPM_KDS_ERROR_SIZE]);
int kds_ask_vcek(struct kds_ask *ask, const char *base, const uint8_t *report, size_t len,
		 const char *product, char error[CVTPM_KDS_ERROR_SIZE]);
/* KDS_CHAIN, KDS_CRL */
int kds_ask_product(struct kds_ask *ask, enum kds_kind kind, const char *base, const char *product,
		    bool vlek, char error[CVTPM_KDS_ERROR_SIZE]);

/* ---- kds_content.c: whether an answer is what was asked for ---- */

/* NULL: it is; else what is wrong with it, constant text. *next_update (seconds since 1970) is
 * set for lists. */
const char *kds_content_fault(const struct kds_ask *ask, const uint8_t *data, size_t len,
			      int64_t *next_update);

/* ---- kds_http.c: asking ---- */

/* GETs the URL, with retries. *data is to be freed with free(). */
int kds_http_get(const struct kds_libcurl *lib, void *curl, const struct cvtpm_kds_options *options,
		 bool plain, const struct kds_ask *ask, uint8_t **data, size_t *len,
		 char error[CVTPM_KDS_ERROR_SIZE]);

/* ---- kds_cache.c ---- */

/* A descriptor of the folder, or a negative error. */
int kds_cache_open(const char *dir, char error[CVTPM_KDS_ERROR_SIZE]);
/* What the folder has for the URL, with the time when it was written. CVTPM_ERR_NOT_FOUND:
 * nothing, or nothing that is fit to be used. */
int kds_cache_read(int dir, const char *url, uint8_t **data, size_t *len, int64_t *written);
int kds_cache_write(int dir, const char *url, const uint8_t *data, size_t len);

#endif
