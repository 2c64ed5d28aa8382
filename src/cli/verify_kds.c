#include "cli/verify_kds.h"

#include "cli/cli.h"
#include "cvtpm/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_SIZE 4096

enum thing { THING_NONE, THING_LEAF, THING_CHAIN, THING_CRL };

const char *verify_kds_usage(const struct verify_kds *k)
{
	bool on = k->url || k->offline;

	if (k->cache_dir && !on)
		return "--cache is for --kds or --offline";
	if (k->ca_file && (!k->url || k->offline))
		return "--kds-ca says whom to trust for a --kds that is asked";
	if (k->product && !on)
		return "--product says whose keys to ask for, with --kds or --offline";
	if (k->crl && !on)
		return "--crl kds needs --kds URL or --offline (a file of that name: ./kds)";
	return NULL;
}

/* ---- the client ---- */

static void say(void *context, enum cvtpm_log_level level, const char *line)
{
	(void)context;
	(void)level;
	cli_error("%s", line);
}

static bool make_folder(const char *path)
{
	if (!mkdir(path, 0700) || errno == EEXIST)
		return true;
	cli_error("cannot make the folder %s: %s; name another one with --cache", path,
		  strerror(errno));
	return false;
}

/* $XDG_CACHE_HOME/cvtpm/kds, else ~/.cache/cvtpm/kds. */
static bool find_cache(char path[PATH_SIZE])
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int len;

	if (base && *base == '/') {
		len = snprintf(path, PATH_SIZE - 16, "%s", base);
	} else if (home && *home == '/') {
		len = snprintf(path, PATH_SIZE - 16, "%s/.cache", home);
	} else {
		cli_error("there is no folder for a cache, as neither XDG_CACHE_HOME nor HOME is "
			  "set: name one with --cache");
		return false;
	}
	if (len >= PATH_SIZE - 16) {
		cli_error("the path of the cache is too long: name another one with --cache");
		return false;
	}
	if (!make_folder(path))
		return false;
	strcat(path, "/cvtpm");
	if (!make_folder(path))
		return false;
	strcat(path, "/kds");
	return true;
}

static int open_client(struct verify_kds *k)
{
	struct cvtpm_kds_options options = {.base_url = k->url,
					    .ca_file = k->ca_file,
					    .cache_dir = k->cache_dir,
					    .offline = k->offline,
					    .log = say};
	char path[PATH_SIZE], error[CVTPM_KDS_ERROR_SIZE];

	if (!k->url || !strcmp(k->url, "amd"))
		options.base_url = CVTPM_KDS_AMD;
	if (!options.cache_dir) {
		if (!find_cache(path))
			return CLI_FAULT;
		options.cache_dir = path;
	}
	if (!cvtpm_kds_open(&options, &k->client, error))
		return CLI_YES;
	cli_error("%s", error);
	return CLI_FAULT;
}

/* ---- what is missing ---- */

static const struct cvtpm_check *find_check(const struct cvtpm_verification *v, const char *about,
					    const char *id)
{
	for (size_t i = 0; i < v->count; i++)
		if (!strcmp(v->checks[i].about, about) && !strcmp(v->checks[i].id, id))
			return &v->checks[i];
	return NULL;
}

static bool is_ok(const struct cvtpm_check *check)
{
	return check && check->verdict == CVTPM_CHECK_OK;
}

/* A certificate that was given and does not verify is as good as none: machines often have that
 * of a firmware before the present one. */
static enum thing find_missing(const struct verify_kds *k, const struct cvtpm_verification *v,
			       const char *about, bool require_crl, unsigned tried)
{
	const struct cvtpm_check *signature = find_check(v, about, "signature");
	const struct cvtpm_check *revocation = find_check(v, about, "revocation");

	if (!signature)
		return THING_NONE; /* malformed: it is said already */
	if (!is_ok(signature))
		return tried & 1u << THING_LEAF ? THING_NONE : THING_LEAF;
	if (!is_ok(find_check(v, about, "chain")) && !(tried & 1u << THING_CHAIN))
		return THING_CHAIN;
	if (!revocation || revocation->verdict == CVTPM_CHECK_REFUSED || tried & 1u << THING_CRL)
		return THING_NONE;
	return k->crl || (require_crl && !is_ok(revocation)) ? THING_CRL : THING_NONE;
}

/* ---- getting it ---- */

/* Version 2 does not tell its product; a certificate that came with it may. */
static const char *product_of(const struct verify_kds *k, const struct cvtpm_report_facts *report,
			      const char *told)
{
	if (k->product)
		return k->product;
	if (told)
		return told;
	return strcmp(report->product, "unknown") ? report->product : NULL;
}

static void keep_reason(struct verify_kds *k, const char *what, int result,
			const char error[CVTPM_KDS_ERROR_SIZE], bool has_product)
{
	char *reason = k->reason[k->reason_count];

	snprintf(reason, CVTPM_KDS_ERROR_SIZE, "%s: %.900s%s", what, error,
		 result == CVTPM_ERR_PARAM && !has_product ? " with --product" : "");
	cli_error("no %s", reason);
	k->reasons[k->reason_count++] = reason;
}

static void keep(struct verify_kds *k, enum thing thing, const char *what)
{
	const struct cvtpm_kds_data *data = &k->got[k->got_count++];
	const struct cvtpm_bytes bytes = {.data = data->data, .len = data->len, .name = data->name};

	cli_error("%s %s %s", what, data->from_cache ? "from the cache, once from" : "from",
		  data->name);
	if (thing == THING_CRL)
		k->crls[k->crl_count++] = bytes;
	else
		k->certificates[k->certificate_count++] = bytes;
}

static void get(struct verify_kds *k, enum thing thing, const struct cvtpm_report_facts *report)
{
	struct cvtpm_kds_data *out = &k->got[k->got_count];
	char error[CVTPM_KDS_ERROR_SIZE] = "the report is of no known version";
	const char *product = NULL, *what;
	bool vlek = false;
	int result = cvtpm_kds_read_report(report->bytes, SNP_REPORT_SIZE, &product, &vlek);

	product = product_of(k, report, product);
	what = thing == THING_LEAF    ? vlek ? "VLEK" : "VCEK"
	       : thing == THING_CHAIN ? vlek ? "ASVK" : "ASK"
				      : "revocation list";
	if (!result && thing == THING_LEAF)
		result = cvtpm_kds_fetch_vcek(k->client, report->bytes, SNP_REPORT_SIZE, product,
					      out, error);
	else if (!result && thing == THING_CHAIN)
		result = cvtpm_kds_fetch_chain(k->client, product, vlek, out, error);
	else if (!result)
		result = cvtpm_kds_fetch_crl(k->client, product, vlek, out, error);
	if (result)
		keep_reason(k, what, result, error, product != NULL);
	else
		keep(k, thing, what);
}

/* One thing for each report that lacks one. False: nothing is missing any more. */
static bool get_missing(struct verify_kds *k, const struct cvtpm_verification *v, bool require_crl)
{
	bool any = false;

	for (size_t i = 0; i < v->facts.report_count; i++) {
		const struct cvtpm_report_facts *report = &v->facts.reports[i];
		enum thing thing = find_missing(k, v, report->about, require_crl, k->tried[i]);

		if (thing == THING_NONE)
			continue;
		k->tried[i] |= 1u << thing;
		get(k, thing, report);
		any = true;
	}
	return any;
}

/* ---- all of it ---- */

static void *with_room(const struct cvtpm_bytes *from, size_t count)
{
	struct cvtpm_bytes *to = calloc(count + VERIFY_KDS_MAX, sizeof(*to));

	if (to && count)
		memcpy(to, from, count * sizeof(*to));
	return to;
}

static void put_into(const struct verify_kds *k, struct cvtpm_evidence *evidence)
{
	evidence->certificates = k->certificates;
	evidence->certificate_count = k->certificate_count;
	evidence->crls = k->crls;
	evidence->crl_count = k->crl_count;
	evidence->unavailable = k->reasons;
	evidence->unavailable_count = k->reason_count;
}

/* What is missing is seen by judging what is there; AK and quote have no part in it. */
static int look_and_get(struct verify_kds *k, struct cvtpm_evidence *evidence,
			const struct cvtpm_policy *policy, struct cvtpm_verification *v)
{
	struct cvtpm_policy look = *policy;

	look.asked = NULL;
	look.identity_only = true;
	k->certificate_count = evidence->certificate_count;
	k->crl_count = evidence->crl_count;
	do {
		struct cvtpm_evidence part;

		put_into(k, evidence);
		part = *evidence;
		part.machine = NULL;
		/* What is wrong with the policy is for the judgement to say. */
		if (cvtpm_verify_evidence(&part, &look, v))
			return CLI_YES;
	} while (get_missing(k, v, policy->require_crl));
	put_into(k, evidence);
	return CLI_YES;
}

int verify_kds_complete(struct verify_kds *k, struct cvtpm_evidence *evidence,
			const struct cvtpm_policy *policy)
{
	struct cvtpm_verification *v;
	int result;

	if (!k->url && !k->offline)
		return CLI_YES;
	result = open_client(k);
	if (result != CLI_YES)
		return result;
	v = malloc(sizeof(*v));
	k->certificates = with_room(evidence->certificates, evidence->certificate_count);
	k->crls = with_room(evidence->crls, evidence->crl_count);
	if (v && k->certificates && k->crls) {
		result = look_and_get(k, evidence, policy, v);
	} else {
		cli_error("out of memory");
		result = CLI_FAULT;
	}
	free(v);
	return result;
}

void verify_kds_close(struct verify_kds *k)
{
	for (size_t i = 0; i < k->got_count; i++)
		cvtpm_kds_data_free(&k->got[i]);
	cvtpm_kds_close(k->client);
	free(k->certificates);
	free(k->crls);
}
