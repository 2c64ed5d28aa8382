/* What AMD's certificates look like: names, signature parameters, extensions. */
#include "verify/chain.h"
#include "verify/checks.h"

#include <openssl/asn1t.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>

/* ---- signature parameters ---- */

static bool alg_is(const X509_ALGOR *alg, int nid)
{
	const ASN1_OBJECT *oid;

	if (!alg)
		return false;
	X509_ALGOR_get0(&oid, NULL, NULL, alg);
	return OBJ_obj2nid(oid) == nid;
}

static bool mgf_is_sha384(const X509_ALGOR *mgf)
{
	const void *value;
	int type;
	X509_ALGOR *hash;
	bool good;

	if (!alg_is(mgf, NID_mgf1))
		return false;
	X509_ALGOR_get0(NULL, &type, &value, mgf);
	if (type != V_ASN1_SEQUENCE)
		return false;
	hash = ASN1_item_unpack((const ASN1_STRING *)value, ASN1_ITEM_rptr(X509_ALGOR));
	good = alg_is(hash, NID_sha384);
	X509_ALGOR_free(hash);
	return good;
}

bool is_amd_pss(const X509_ALGOR *alg)
{
	const void *value;
	int type;
	RSA_PSS_PARAMS *pss;
	bool good;

	if (!alg_is(alg, NID_rsassaPss))
		return false;
	X509_ALGOR_get0(NULL, &type, &value, alg);
	if (type != V_ASN1_SEQUENCE)
		return false;
	pss = ASN1_item_unpack((const ASN1_STRING *)value, ASN1_ITEM_rptr(RSA_PSS_PARAMS));
	if (!pss)
		return false;
	good = alg_is(pss->hashAlgorithm, NID_sha384) && mgf_is_sha384(pss->maskGenAlgorithm) &&
	       pss->saltLength && ASN1_INTEGER_get(pss->saltLength) == 48 &&
	       (!pss->trailerField || ASN1_INTEGER_get(pss->trailerField) == 1);
	RSA_PSS_PARAMS_free(pss);
	return good;
}

/* ---- names ---- */

bool is_amd_name(const X509_NAME *name, const char *cn)
{
	const struct {
		int nid;
		const char *value;
	} parts[] = {
		{NID_countryName, "US"},
		{NID_stateOrProvinceName, "CA"},
		{NID_localityName, "Santa Clara"},
		{NID_organizationName, "Advanced Micro Devices"},
		{NID_organizationalUnitName, "Engineering"},
		{NID_commonName, cn},
	};
	const size_t count = sizeof(parts) / sizeof(parts[0]);

	if (X509_NAME_entry_count(name) != (int)count)
		return false;
	for (size_t i = 0; i < count; i++) {
		int at = X509_NAME_get_index_by_NID(name, parts[i].nid, -1);
		const ASN1_STRING *value;

		if (at < 0)
			return false;
		value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
		if ((size_t)ASN1_STRING_length(value) != strlen(parts[i].value) ||
		    memcmp(ASN1_STRING_get0_data(value), parts[i].value, strlen(parts[i].value)))
			return false;
	}
	return true;
}

/* ---- extensions ---- */

#define AMD_ARC "1.3.6.1.4.1.3704.1."

static const char *const extension_oids[VCEK_EXTENSIONS] = {
	[VCEK_STRUCT_VERSION] = AMD_ARC "1", [VCEK_PRODUCT_NAME] = AMD_ARC "2",
	[VCEK_BL_SPL] = AMD_ARC "3.1",       [VCEK_TEE_SPL] = AMD_ARC "3.2",
	[VCEK_SNP_SPL] = AMD_ARC "3.3",      [VCEK_SPL4] = AMD_ARC "3.4",
	[VCEK_SPL5] = AMD_ARC "3.5",         [VCEK_SPL6] = AMD_ARC "3.6",
	[VCEK_SPL7] = AMD_ARC "3.7",         [VCEK_UCODE_SPL] = AMD_ARC "3.8",
	[VCEK_FMC_SPL] = AMD_ARC "3.9",      [VCEK_HWID] = AMD_ARC "4",
	[VCEK_CSP_ID] = AMD_ARC "5",
};

/* A DER INTEGER from 0 to 255, in its shortest form. */
static bool read_small_integer(const uint8_t *p, size_t len, uint8_t *value)
{
	if (len == 3 && p[0] == 0x02 && p[1] == 1 && p[2] < 0x80) {
		*value = p[2];
		return true;
	}
	if (len == 4 && p[0] == 0x02 && p[1] == 2 && p[2] == 0 && p[3] >= 0x80) {
		*value = p[3];
		return true;
	}
	return false;
}

static bool read_ia5(const uint8_t *p, size_t len, char *out, size_t size)
{
	if (len < 2 || p[0] != 0x16 || p[1] >= 0x80 || p[1] != len - 2)
		return false;
	escape_text(out, size, (const char *)p + 2, len - 2);
	return true;
}

/* Raw bytes without a tag, as AMD writes them, or wrapped in an OCTET STRING. */
static bool read_hwid(const uint8_t *p, size_t len, struct vcek_facts *facts)
{
	if ((len == 66 || len == 10) && p[0] == 0x04 && p[1] == len - 2) {
		p += 2;
		len -= 2;
	}
	if (len != 64 && len != 8)
		return false;
	memcpy(facts->hwid, p, len);
	facts->hwid_len = len;
	return true;
}

static bool read_extension(enum vcek_extension which, const uint8_t *p, size_t len,
			   struct vcek_facts *facts)
{
	switch (which) {
	case VCEK_PRODUCT_NAME:
		return read_ia5(p, len, facts->product_name, sizeof(facts->product_name));
	case VCEK_CSP_ID:
		return read_ia5(p, len, facts->csp, sizeof(facts->csp));
	case VCEK_HWID:
		return read_hwid(p, len, facts);
	default:
		return read_small_integer(p, len, &facts->spl[which]);
	}
}

void vcek_read(struct vcek_facts *facts, X509 *cert)
{
	*facts = (struct vcek_facts){0};

	for (int i = 0; i < X509_get_ext_count(cert); i++) {
		X509_EXTENSION *extension = X509_get_ext(cert, i);
		const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);
		const ASN1_OBJECT *object = X509_EXTENSION_get_object(extension);
		char oid[64];
		unsigned which = 0;

		if (OBJ_obj2nid(object) == NID_authority_key_identifier)
			continue;
		OBJ_obj2txt(oid, sizeof(oid), object, 1);
		while (which < VCEK_EXTENSIONS && strcmp(oid, extension_oids[which]) != 0)
			which++;
		if (which == VCEK_EXTENSIONS)
			facts->fault = "an extension that AMD does not put there";
		else if (facts->present & (1u << which))
			facts->fault = "an extension twice";
		else if (!read_extension((enum vcek_extension)which, ASN1_STRING_get0_data(value),
					 (size_t)ASN1_STRING_length(value), facts))
			facts->fault = "an extension with a malformed value";
		else
			facts->present |= 1u << which;
	}
}

unsigned vcek_expected(enum cvtpm_product product, bool vlek)
{
	unsigned set = (1u << VCEK_EXTENSIONS) - 1;

	set &= ~(1u << (product == CVTPM_PRODUCT_TURIN ? VCEK_SPL4 : VCEK_FMC_SPL));
	set &= ~(1u << (vlek ? VCEK_HWID : VCEK_CSP_ID));
	return set;
}

struct tcb vcek_tcb(const struct vcek_facts *f)
{
	struct tcb tcb = {
		.part =
			{
				[TCB_FMC] = f->spl[VCEK_FMC_SPL],
				[TCB_BOOT_LOADER] = f->spl[VCEK_BL_SPL],
				[TCB_TEE] = f->spl[VCEK_TEE_SPL],
				[TCB_SNP] = f->spl[VCEK_SNP_SPL],
				[TCB_MICROCODE] = f->spl[VCEK_UCODE_SPL],
			},
		.reserved_clear = !f->spl[VCEK_SPL4] && !f->spl[VCEK_SPL5] && !f->spl[VCEK_SPL6] &&
				  !f->spl[VCEK_SPL7],
	};

	return tcb;
}

enum cvtpm_product vcek_product(const struct vcek_facts *f)
{
	for (enum cvtpm_product p = CVTPM_PRODUCT_MILAN; p <= CVTPM_PRODUCT_TURIN; p++) {
		size_t len = strlen(product_name(p));

		if (!strncmp(f->product_name, product_name(p), len) &&
		    (f->product_name[len] == 0 || f->product_name[len] == '-'))
			return p;
	}
	return CVTPM_PRODUCT_UNKNOWN;
}
