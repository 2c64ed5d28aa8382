/* Makes a TPM: banks, EKs, certificates, evidence. One straight line, run once. It asks for no
 * self-test: an engine tests each algorithm before its first use (Part 3, 10.1). */
#include "crypto/crypto.h"
#include "crypto/hex.h"
#include "crypto/mem.h"
#include "cvtpm/err.h"
#include "cvtpm/store.h"
#include "manufacture/banks.h"
#include "manufacture/owner.h"
#include "manufacture/version.h"
#include "snp/report.h"

#define INDEX_ISSUER_CERTIFICATE   0x01C00100u
#define INDEX_PLATFORM_CERTIFICATE 0x01C08000u

/* libtpms' largest index; engines with larger ones have room for the host's
 * certificate table and claims in the EK certificate. */
#define PLAIN_INDEX_SIZE 2048u
#define CERTIFICATE_ROOM 3072u /* an EK certificate of any kind, without the table */

/* Where the platform has no calendar: 2026-01-01, before the first release. */
#define EARLIEST_DATE 1767225600u

/* Certificates: as everybody makes them (swtpm, too). What makes those of an
 * ephemeral TPM immutable is POLICY_DELETE, as for reports. On a persistent TPM
 * they can be removed with platform authority, so that they can be renewed; a
 * guest that does it gains nothing (renew.c). */
static uint32_t certificate_attributes(const struct cvtpm_instance *o)
{
	const uint32_t attributes = TPMA_NV_PPWRITE | TPMA_NV_WRITEDEFINE | TPMA_NV_PPREAD |
				    TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD | TPMA_NV_NO_DA |
				    TPMA_NV_PLATFORMCREATE;

	return owner_is_persistent(o) ? attributes : attributes | TPMA_NV_POLICY_DELETE;
}

/* Runs one step and names it when it fails. */
#define STEP(o, job, object, expression)                                                           \
	do {                                                                                       \
		int step_result_ = (expression);                                                   \
		if (step_result_ < 0)                                                              \
			return owner_log_failure((o), CVTPM_LOG_ERROR, (job), (object),            \
						 step_result_);                                    \
	} while (0)

/* ---- what the TPM says of itself ---- */

/* The printable ASCII characters of a property that holds four of them. */
static void append_characters(char *text, uint32_t property)
{
	while (*text)
		text++;
	for (int shift = 24; shift >= 0; shift -= 8) {
		char c = (char)(property >> shift & 0xFF);

		if (c < 0x20 || c > 0x7E)
			break;
		*text++ = c;
	}
}

static int get_facts(struct cvtpm_instance *o, struct cvtpm_tpm_facts *facts)
{
	struct tpm_client *client = &o->client;
	uint32_t value;

	*facts = (struct cvtpm_tpm_facts){0};
	CVTPM_TRY(tpm_get_property(client, TPM_PT_FAMILY_INDICATOR, &value));
	append_characters(facts->family, value);
	CVTPM_TRY(tpm_get_property(client, TPM_PT_LEVEL, &facts->level));
	CVTPM_TRY(tpm_get_property(client, TPM_PT_REVISION, &facts->revision));
	CVTPM_TRY(tpm_get_property(client, TPM_PT_MANUFACTURER, &facts->manufacturer));
	for (uint32_t i = 0; i < 4; i++) {
		CVTPM_TRY(tpm_get_property(client, TPM_PT_VENDOR_STRING_1 + i, &value));
		append_characters(facts->vendor_string, value);
	}
	CVTPM_TRY(tpm_get_property(client, TPM_PT_FIRMWARE_VERSION_1, &facts->firmware_version));
	return tpm_get_property(client, TPM_PT_NV_INDEX_MAX, &facts->nv_index_max);
}

/* ---- PCR banks ---- */

static int reset_and_start(struct cvtpm_instance *o)
{
	CVTPM_TRY(tpm_shutdown(&o->client, TPM_SU_CLEAR));
	CVTPM_TRY(o->config.engine->power_on(o->tpm));
	return tpm_startup(&o->client, TPM_SU_CLEAR);
}

/* An allocation takes effect at the next reset (Part 3, 22.5). */
static int set_banks(struct cvtpm_instance *o)
{
	struct tpm_pcr_bank banks[BANKS_MAX];
	size_t count = BANKS_MAX;
	bool change;

	CVTPM_TRY(banks_choose(&o->client, o->config.pcr_banks, banks, &count, &change));
	if (!change)
		return 0;
	CVTPM_TRY(tpm_pcr_allocate(&o->client, banks, count));
	CVTPM_TRY(reset_and_start(o));
	count = BANKS_MAX;
	CVTPM_TRY(banks_choose(&o->client, o->config.pcr_banks, banks, &count, &change));
	return change ? CVTPM_ERR_STATE : 0;
}

/* ---- an EK ---- */

/* Keeps a public area as TPM2B_PUBLIC, if it is what the template makes. */
static int keep_public(struct cvtpm_instance *o, const struct cvtpm_ek_template *ek,
		       const struct tpm_value *area)
{
	uint8_t *public = o->work.make.public;

	if (area->len + 2 != cvtpm_ek_public_size(ek))
		return CVTPM_ERR_FORMAT;
	public[0] = (uint8_t)(area->len >> 8);
	public[1] = (uint8_t)area->len;
	memcpy(public + 2, area->bytes, area->len);
	return cvtpm_ek_template_match(public, area->len + 2) == ek ? 0 : CVTPM_ERR_FORMAT;
}

static int make_ek(struct cvtpm_instance *o, struct record_ek *made)
{
	const struct cvtpm_ek_template *ek = made->ek;
	uint8_t template[CVTPM_EK_PUBLIC_MAX_SIZE];
	size_t template_len = cvtpm_ek_template_write(ek, template);
	uint64_t begin = owner_clock(o);
	struct tpm_value area;
	uint32_t key;

	CVTPM_TRY(tpm_create_primary(&o->client, TPM_RH_ENDORSEMENT, template, template_len, &key,
				     &area));
	CVTPM_TRY(keep_public(o, ek, &area));
	CVTPM_TRY(cvtpm_ek_name(ek, o->work.make.public, made->name, &made->name_len));
	CVTPM_TRY(tpm_evict_control(&o->client, TPM_RH_OWNER, key, ek->handle));
	CVTPM_TRY(tpm_flush_context(&o->client, key));
	LOG(&o->platform, CVTPM_LOG_INFO, "EK %: public area of % bytes, persistent at %, in % ms",
	    LOG_TEXT(ek->name), LOG_NUMBER(cvtpm_ek_public_size(ek)), LOG_HEX(ek->handle),
	    LOG_NUMBER(owner_clock(o) - begin));
	return 0;
}

static struct cvtpm_ek_key key_of(const struct cvtpm_ek_template *ek, const uint8_t *public)
{
	struct cvtpm_ek_key key = {.kind = ek->kind};

	if (ek->kind == CVTPM_EK_RSA2048 || ek->kind == CVTPM_EK_RSA3072) {
		key.modulus = cvtpm_ek_public_key(ek, public);
		key.modulus_len = ek->size;
		return key;
	}
	key.ecc.curve = (enum cvtpm_curve)ek->detail;
	memcpy(key.ecc.x, cvtpm_ek_public_key(ek, public), ek->size);
	memcpy(key.ecc.y, cvtpm_ek_public_y(ek, public), ek->size);
	return key;
}

/* ---- certificates ---- */

/* The room that a certificate has in this TPM. */
static size_t certificate_room(const struct cvtpm_instance *o)
{
	size_t index = o->work.make.facts.nv_index_max;

	return index < CVTPM_CERTIFICATE_MAX_SIZE ? index : CVTPM_CERTIFICATE_MAX_SIZE;
}

static int log_size(struct cvtpm_instance *o, const char *what, size_t len)
{
	LOG(&o->platform, CVTPM_LOG_ERROR,
	    "the % certificate has % bytes and an index of this engine holds %: choose another EK "
	    "(--ek) or an issuer with a smaller key",
	    LOG_TEXT(what), LOG_NUMBER(len), LOG_NUMBER(certificate_room(o)));
	return CVTPM_ERR_SIZE;
}

/* Puts a certificate into its index. */
static int store_certificate(struct cvtpm_instance *o, const char *what, uint32_t index,
			     const uint8_t *certificate, size_t len)
{
	if (len > certificate_room(o))
		return log_size(o, what, len);
	STEP(o, "writing the certificate", what,
	     provision_index(o, index, certificate_attributes(o), certificate, len));
	LOG(&o->platform, CVTPM_LOG_INFO, "% certificate: % of % bytes at %", LOG_TEXT(what),
	    LOG_NUMBER(len), LOG_NUMBER(o->work.make.facts.nv_index_max), LOG_HEX(index));
	return 0;
}

static const char *sealing_of(enum cvtpm_store_kind kind)
{
	switch (kind) {
	case CVTPM_STORE_MEMORY:
		return "memory";
	case CVTPM_STORE_PLAIN:
		return "plain";
	case CVTPM_STORE_SEALED:
		return "sealed";
	case CVTPM_STORE_SEALED_SNP:
		return "sealed-snp";
	}
	return "plain";
}

/* What goes into the EK certificate beside the key. The bare report where the
 * index is as small as libtpms'; else the table and the claims, too. */
static struct cvtpm_certificate_evidence evidence_for(const struct cvtpm_instance *o)
{
	size_t room = certificate_room(o);
	struct cvtpm_certificate_evidence evidence = {0};

	if (!o->record.evidence)
		return evidence;
	evidence.report = o->work.make.report;
	if (room <= PLAIN_INDEX_SIZE)
		return evidence;
	if (o->work.make.table_len && o->work.make.table_len + CERTIFICATE_ROOM <= room) {
		evidence.table = o->work.make.table;
		evidence.table_len = o->work.make.table_len;
	}
	evidence.claims = true;
	evidence.isolation = o->config.provider->isolation;
	evidence.sealing = sealing_of(o->kind);
	evidence.rollback_floor = o->platform.store->generation;
	evidence.software = "cvtpm";
	evidence.software_version = CVTPM_VERSION;
	return evidence;
}

static int certify(struct cvtpm_instance *o, const struct cvtpm_issuer *issuer,
		   const struct cvtpm_certificate_times *times, struct record_ek *made,
		   uint8_t serial[CVTPM_SERIAL_SIZE])
{
	const struct cvtpm_ek_key key = key_of(made->ek, o->work.make.public);
	const struct cvtpm_certificate_evidence evidence = evidence_for(o);
	uint8_t *der = o->work.make.certificate;
	size_t len = certificate_room(o);
	int err;

	STEP(o, "drawing a serial number for EK", made->ek->name,
	     cvtpm_drbg_bytes(&o->work.make.drbg, serial, CVTPM_SERIAL_SIZE));
	err = cvtpm_certificate_ek(issuer, &key, &o->work.make.facts, &evidence, serial, times, der,
				   &len);
	if (err == CVTPM_ERR_SIZE)
		return log_size(o, made->ek->name, len);
	STEP(o, "certifying the EK", made->ek->name, err);

	made->certificate_len = (uint16_t)len;
	STEP(o, "certifying the EK", made->ek->name,
	     cvtpm_hash(CVTPM_SHA512, der, len, made->certificate_digest));
	return store_certificate(o, made->ek->name, made->ek->certificate_index, der, len);
}

/* The ek-pub report: REPORT_DATA is the digest of the TPM2B_PUBLIC. */
static int ask_for_key(struct cvtpm_instance *o, const struct record_ek *made)
{
	uint8_t digest[SNP_REPORT_DATA_SIZE];

	CVTPM_TRY(cvtpm_hash(CVTPM_SHA512, o->work.make.public, cvtpm_ek_public_size(made->ek),
			     digest));
	CVTPM_TRY(evidence_ask(o, "EK", made->ek->name, digest, o->work.make.report));
	memcpy(o->record.measurement, o->work.make.report + SNP_REPORT_MEASUREMENT,
	       SNP_MEASUREMENT_SIZE);
	return 0;
}

/* An issuer signs only what it has seen (cvtpm_issuer.approve). */
static int ask_issuer(struct cvtpm_instance *o, const struct cvtpm_issuer *issuer,
		      const struct record_ek *made)
{
	if (!issuer->approve)
		return 0;
	return issuer->approve(issuer->context, o->work.make.public, cvtpm_ek_public_size(made->ek),
			       o->record.evidence ? o->work.make.report : NULL, o->work.make.table,
			       o->work.make.table_len);
}

static int make_identity(struct cvtpm_instance *o, const struct cvtpm_issuer *issuer,
			 const struct cvtpm_certificate_times *times, struct record_ek *made,
			 uint8_t serial[CVTPM_SERIAL_SIZE])
{
	STEP(o, "making the EK", made->ek->name, make_ek(o, made));
	if (o->record.evidence)
		STEP(o, "asking for a report over EK", made->ek->name, ask_for_key(o, made));
	STEP(o, "asking the issuer to certify EK", made->ek->name, ask_issuer(o, issuer, made));
	CVTPM_TRY(certify(o, issuer, times, made, serial));
	if (o->record.evidence)
		STEP(o, "putting the report into the index of EK", made->ek->name,
		     evidence_define(o, made));
	return 0;
}

static int make_platform_certificate(struct cvtpm_instance *o, const struct cvtpm_issuer *issuer,
				     const struct cvtpm_certificate_times *times,
				     const uint8_t ek_serial[CVTPM_SERIAL_SIZE])
{
	char id[2 * SNP_REPORT_ID_SIZE + 1];
	uint8_t serial[CVTPM_SERIAL_SIZE], *der = o->work.make.certificate;
	size_t len = certificate_room(o);
	struct cvtpm_platform_facts facts = {
		.manufacturer = "cvtpm",
		.model = "virtual machine without TEE evidence",
		.version = CVTPM_VERSION,
		.machine = o->config.machine,
	};
	int err;

	if (o->record.evidence) {
		cvtpm_hex_write(id, o->work.make.report + SNP_REPORT_REPORT_ID, SNP_REPORT_ID_SIZE);
		facts.serial = id;
		facts.model = "SEV-SNP confidential virtual machine";
	}
	STEP(o, "drawing a serial number for the certificate", "platform",
	     cvtpm_drbg_bytes(&o->work.make.drbg, serial, sizeof serial));
	err = cvtpm_certificate_platform(issuer, ek_serial, &facts, serial, times, der, &len);
	if (err == CVTPM_ERR_SIZE)
		return log_size(o, "platform", len);
	STEP(o, "making the certificate", "platform", err);
	return store_certificate(o, "platform", INDEX_PLATFORM_CERTIFICATE, der, len);
}

/* ---- the whole ---- */

/* The host's table; having none is no error. */
static void get_table(struct cvtpm_instance *o)
{
	struct cvtpm_snp_provider *provider = o->config.provider;
	size_t len = sizeof o->work.make.table;
	int err;

	o->work.make.table_len = 0;
	if (!o->record.evidence || !provider->ops->certificates)
		return;
	err = provider->ops->certificates(provider, o->work.make.table, &len);
	if (err < 0)
		owner_log_failure(o, CVTPM_LOG_WARN, "asking for the certificate table of",
				  provider->name, err);
	else if (len <= sizeof o->work.make.table)
		o->work.make.table_len = len;
}

static int make_identities(struct cvtpm_instance *o, const struct cvtpm_issuer *issuer,
			   const struct cvtpm_certificate_times *times)
{
	uint8_t first[CVTPM_SERIAL_SIZE], serial[CVTPM_SERIAL_SIZE];

	o->record.count = 0;
	for (size_t i = 0; i < CVTPM_EK_COUNT; i++) {
		const struct cvtpm_ek_template *ek = cvtpm_ek_template_at(i);
		struct record_ek *made = &o->record.eks[o->record.count];

		if (!(o->config.eks & (unsigned)ek->kind))
			continue;
		*made = (struct record_ek){.ek = ek};
		CVTPM_TRY(make_identity(o, issuer, times, made, o->record.count ? serial : first));
		o->record.count++;
	}
	CVTPM_TRY(make_platform_certificate(o, issuer, times, first));
	if (issuer->certificate_len == 0)
		return 0;
	return store_certificate(o, "issuer", INDEX_ISSUER_CERTIFICATE, issuer->certificate,
				 issuer->certificate_len);
}

/* Everything that needs random numbers or the issuer, whose key is wiped at the end. */
static int make_certified_identities(struct cvtpm_instance *o)
{
	struct cvtpm_drbg *drbg = &o->work.make.drbg;
	struct cvtpm_boot_issuer *boot = &o->work.make.boot;
	const struct cvtpm_certificate_times times = {
		.not_before = o->record.made ? o->record.made : EARLIEST_DATE,
	};
	int err;

	STEP(o, "seeding", "the random number generator",
	     cvtpm_drbg_begin(drbg, o->platform.entropy, o->platform.context));
	if (o->config.issuer) {
		err = make_identities(o, o->config.issuer, &times);
	} else {
		err = cvtpm_boot_issuer_begin(boot, drbg, &times);
		if (err < 0)
			owner_log_failure(o, CVTPM_LOG_ERROR, "making", "the per-boot issuer", err);
		else
			err = make_identities(o, &boot->issuer, &times);
		cvtpm_boot_issuer_end(boot);
	}
	cvtpm_drbg_end(drbg);
	return err;
}

int manufacture_tpm(struct cvtpm_instance *o)
{
	uint64_t begin = owner_clock(o);

	o->record = (struct record){.evidence = o->config.provider != NULL};
	o->record.lab = o->config.provider && o->config.provider->lab;
	if (o->platform.time_of_day)
		o->record.made = o->platform.time_of_day(o->platform.context);

	STEP(o, "starting", "the TPM", tpm_startup(&o->client, TPM_SU_CLEAR));
	STEP(o, "asking for the properties of", "the TPM", get_facts(o, &o->work.make.facts));
	STEP(o, "setting", "the PCR banks", set_banks(o));
	get_table(o);
	CVTPM_TRY(make_certified_identities(o));
	STEP(o, "shutting down", "the TPM", tpm_shutdown(&o->client, TPM_SU_CLEAR));
	LOG(&o->platform, CVTPM_LOG_INFO, "TPM manufactured in % ms, EKs: %",
	    LOG_NUMBER(owner_clock(o) - begin), LOG_NUMBER(o->record.count));
	return 0;
}
