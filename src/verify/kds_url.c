/* What is asked of a key distribution service, as URLs (AMD 57230, chapter 4). */
#include "crypto/crypto.h"
#include "verify/checks.h"
#include "verify/kds_libcurl.h"
#include "verify/kds_parts.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TURIN_HWID_SIZE 8
#define BASE_MAX        200 /* leaves room for the longest path and query */

/* ---- the base ---- */

static bool is_loopback(const char *host)
{
	struct in_addr four;
	struct in6_addr six;

	if (inet_pton(AF_INET, host, &four) == 1)
		return (ntohl(four.s_addr) >> 24) == 127;
	return !strcmp(host, "[::1]") ||
	       (inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six));
}

static bool has_part(const struct kds_libcurl *lib, CURLU *url, CURLUPart part)
{
	char *text = NULL;
	bool has = lib->url_get(url, part, &text, 0) == CURLUE_OK;

	lib->free(text);
	return has;
}

/* NULL: usable; else why not. */
static const char *base_fault(const struct kds_libcurl *lib, CURLU *url, bool *plain)
{
	static const CURLUPart unwanted[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY,
					     CURLUPART_FRAGMENT};
	const char *fault = NULL;
	char *scheme = NULL, *host = NULL;

	for (size_t i = 0; i < sizeof(unwanted) / sizeof(unwanted[0]); i++)
		if (has_part(lib, url, unwanted[i]))
			return "a user, a query or a fragment has no place in it";
	if (lib->url_get(url, CURLUPART_SCHEME, &scheme, 0) ||
	    lib->url_get(url, CURLUPART_HOST, &host, 0))
		fault = "it has no scheme or no host";
	else if (!strcasecmp(scheme, "http"))
		fault = is_loopback(host) ? NULL : "http is for loopback addresses only, use https";
	else if (strcasecmp(scheme, "https") != 0)
		fault = "only https is spoken";
	*plain = scheme && !strcasecmp(scheme, "http");
	lib->free(scheme);
	lib->free(host);
	return fault;
}

static bool is_plain_text(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~' || strchr("\"<>\\^`{|}", *text))
			return false;
	return true;
}

int kds_url_check_base(const struct kds_libcurl *lib, const char *text,
		       char base[CVTPM_KDS_URL_SIZE], bool *plain, char error[CVTPM_KDS_ERROR_SIZE])
{
	const char *fault = NULL;
	size_t len = text ? strlen(text) : 0;
	CURLU *url;

	if (!len || len > BASE_MAX || !is_plain_text(text))
		return kds_fail(error, CVTPM_ERR_PARAM,
				"%s%.*s is not the URL of a key distribution service: name one "
				"like " CVTPM_KDS_AMD,
				len ? "" : "(nothing)", BASE_MAX, text ? text : "");
	url = lib->url();
	if (!url)
		return kds_fail(error, CVTPM_ERR_NO_MEMORY, "no memory for a URL");
	if (lib->url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME))
		fault = "it is not a URL";
	else
		fault = base_fault(lib, url, plain);
	lib->url_cleanup(url);
	if (fault)
		return kds_fail(error, CVTPM_ERR_PARAM,
				"%s cannot be used as key distribution service: %s", text, fault);
	while (text[len - 1] == '/')
		len--;
	memcpy(base, text, len);
	base[len] = 0;
	return 0;
}

/* ---- products ---- */

/* Bergamo's and Siena's keys are Genoa's. */
static const struct {
	const char *name;
	enum cvtpm_product product;
} products[] = {
	{"Milan", CVTPM_PRODUCT_MILAN}, {"Genoa", CVTPM_PRODUCT_GENOA},
	{"Siena", CVTPM_PRODUCT_GENOA}, {"Bergamo", CVTPM_PRODUCT_GENOA},
	{"Turin", CVTPM_PRODUCT_TURIN},
};

static int find_product(const char *name, enum cvtpm_product *product,
			char error[CVTPM_KDS_ERROR_SIZE])
{
	for (size_t i = 0; name && i < sizeof(products) / sizeof(products[0]); i++) {
		if (!strcasecmp(name, products[i].name)) {
			*product = products[i].product;
			return 0;
		}
	}
	return kds_fail(error, CVTPM_ERR_PARAM,
			"product '%.40s' is not known: Milan, Genoa, Siena, Bergamo or Turin",
			name ? name : "");
}

static int put_url(struct kds_ask *ask, char error[CVTPM_KDS_ERROR_SIZE], int len)
{
	if (len > 0 && len < CVTPM_KDS_URL_SIZE)
		return 0;
	ask->url[0] = 0;
	return kds_fail(error, CVTPM_ERR_SIZE, "the URL to ask is too long");
}

int kds_ask_product(struct kds_ask *ask, enum kds_kind kind, const char *base, const char *product,
		    bool vlek, char error[CVTPM_KDS_ERROR_SIZE])
{
	*ask = (struct kds_ask){.kind = kind, .vlek = vlek};
	CVTPM_TRY(find_product(product, &ask->product, error));
	return put_url(ask, error,
		       snprintf(ask->url, sizeof(ask->url), "%s/%s/v1/%s/%s", base,
				vlek ? "vlek" : "vcek", product_name(ask->product),
				kind == KDS_CRL ? "crl" : "cert_chain"));
}

/* ---- the VCEK of a report ---- */

static bool version_is_known(const struct snp_report *report)
{
	return report->version >= 2 && report->version <= 5;
}

int cvtpm_kds_read_report(const uint8_t *bytes, size_t len, const char **product, bool *vlek)
{
	struct snp_report report;
	enum cvtpm_product which;

	if (len != SNP_REPORT_SIZE)
		return CVTPM_ERR_FORMAT;
	report_read(&report, bytes);
	if (!version_is_known(&report))
		return CVTPM_ERR_FORMAT;
	which = report_product(&report);
	*product = which == CVTPM_PRODUCT_UNKNOWN ? NULL : product_name(which);
	*vlek = report_signing_key(&report) == SIGNING_KEY_VLEK;
	return 0;
}

/* The product that the report names, and the caller, where both do, alike. */
static int settle_product(struct kds_ask *ask, const struct snp_report *report, const char *product,
			  char error[CVTPM_KDS_ERROR_SIZE])
{
	enum cvtpm_product told = report_product(report);

	ask->product = told;
	if (product)
		CVTPM_TRY(find_product(product, &ask->product, error));
	if (told != CVTPM_PRODUCT_UNKNOWN && told != ask->product)
		return kds_fail(error, CVTPM_ERR_PARAM, "the report is of a %s, not of a %s",
				product_name(told), product);
	if (ask->product != CVTPM_PRODUCT_UNKNOWN)
		return 0;
	if (report->version < 3)
		return kds_fail(
			error, CVTPM_ERR_PARAM,
			"a report of version 2 does not say of which product it is: name it "
			"(Milan, Genoa or Turin)");
	return kds_fail(error, CVTPM_ERR_PARAM,
			"the report is of a product that is not known here (family 0x%02x, model "
			"0x%02x): name the product whose keys it has",
			report->family, report->model);
}

static int take_chip(struct kds_ask *ask, const struct snp_report *report,
		     char error[CVTPM_KDS_ERROR_SIZE])
{
	ask->hwid_len = ask->product == CVTPM_PRODUCT_TURIN ? TURIN_HWID_SIZE : sizeof(ask->hwid);
	if (cvtpm_is_zero(report->chip_id, 64))
		return kds_fail(
			error, CVTPM_ERR_FORMAT,
			"the report's CHIP_ID is masked (all zero), so that its VCEK cannot "
			"be asked for: give the certificate itself");
	if (!cvtpm_is_zero(report->chip_id + ask->hwid_len, 64 - ask->hwid_len))
		return kds_fail(error, CVTPM_ERR_FORMAT,
				"the report's CHIP_ID is longer than that of a %s",
				product_name(ask->product));
	memcpy(ask->hwid, report->chip_id, ask->hwid_len);
	ask->tcb = tcb_read(report->reported_tcb, ask->product);
	if (!ask->tcb.reserved_clear)
		return kds_fail(error, CVTPM_ERR_FORMAT,
				"the report's REPORTED_TCB has parts that a %s does not have",
				product_name(ask->product));
	return 0;
}

static int check_signer(const struct snp_report *report, char error[CVTPM_KDS_ERROR_SIZE])
{
	switch (report_signing_key(report)) {
	case SIGNING_KEY_VCEK:
		return 0;
	case SIGNING_KEY_VLEK:
		return kds_fail(error, CVTPM_ERR_UNSUPPORTED,
				"the report is signed by a VLEK, which is given to cloud providers "
				"only: take its certificate from the machine's certificate table");
	default:
		return kds_fail(error, CVTPM_ERR_UNSUPPORTED,
				"the report is not signed by a key that a service has (SIGNING_KEY "
				"%u)",
				report_signing_key(report));
	}
}

int kds_ask_vcek(struct kds_ask *ask, const char *base, const uint8_t *bytes, size_t len,
		 const char *product, char error[CVTPM_KDS_ERROR_SIZE])
{
	char hwid[2 * sizeof(ask->hwid) + 1], fmc[16] = "";
	struct snp_report report;
	const uint8_t *spl = ask->tcb.part;

	*ask = (struct kds_ask){.kind = KDS_VCEK};
	if (len != SNP_REPORT_SIZE)
		return kds_fail(error, CVTPM_ERR_FORMAT, "a report has %d bytes, not %zu",
				SNP_REPORT_SIZE, len);
	report_read(&report, bytes);
	if (!version_is_known(&report))
		return kds_fail(error, CVTPM_ERR_FORMAT,
				"the report is of version %u; 2 to 5 are known", report.version);
	CVTPM_TRY(check_signer(&report, error));
	CVTPM_TRY(settle_product(ask, &report, product, error));
	CVTPM_TRY(take_chip(ask, &report, error));

	hex_text(hwid, ask->hwid, ask->hwid_len);
	if (ask->product == CVTPM_PRODUCT_TURIN)
		snprintf(fmc, sizeof(fmc), "fmcSPL=%u&", spl[TCB_FMC]);
	return put_url(ask, error,
		       snprintf(ask->url, sizeof(ask->url),
				"%s/vcek/v1/%s/%s?%sblSPL=%u&teeSPL=%u&snpSPL=%u&ucodeSPL=%u", base,
				product_name(ask->product), hwid, fmc, spl[TCB_BOOT_LOADER],
				spl[TCB_TEE], spl[TCB_SNP], spl[TCB_MICROCODE]));
}
