/*
 * Whether an answer is what was asked for. This trusts nothing and nobody: no
 * signature is looked at. It keeps what cannot be of use (an error page, another
 * chip's certificate) out of the cache, where a certificate stays for good.
 */
#include "verify/kds_parts.h"

#include <openssl/err.h>
#include <string.h>

static const char *vcek_fault(const struct kds_ask *ask, const struct cert_list *list)
{
	struct vcek_facts facts;
	struct tcb tcb;

	if (list->count != 1)
		return "more than one certificate";
	vcek_read(&facts, list->certs[0]);
	if (facts.fault)
		return facts.fault;
	if (facts.present != vcek_expected(ask->product, false))
		return "a certificate without the extensions of a VCEK of this product";
	tcb = vcek_tcb(&facts);
	if (facts.hwid_len != ask->hwid_len || memcmp(facts.hwid, ask->hwid, ask->hwid_len) != 0)
		return "the certificate of another chip";
	if (!tcb_equal(&tcb, &ask->tcb))
		return "the certificate of another TCB";
	return NULL;
}

static const char *chain_fault(const struct cert_list *list)
{
	if (list->count != 2)
		return "not two certificates";
	if (X509_NAME_cmp(X509_get_issuer_name(list->certs[0]),
			  X509_get_subject_name(list->certs[1])) ||
	    X509_NAME_cmp(X509_get_issuer_name(list->certs[1]),
			  X509_get_subject_name(list->certs[1])))
		return "not a CA and then its root";
	return NULL;
}

static const char *certs_fault(const struct kds_ask *ask, const uint8_t *data, size_t len)
{
	const struct cvtpm_bytes bytes = {.data = data, .len = len};
	struct cert_list list = {0};
	const char *fault = NULL;

	if (!certs_add(&list, &bytes, &fault))
		fault = ask->kind == KDS_VCEK ? vcek_fault(ask, &list) : chain_fault(&list);
	else if (!fault)
		fault = "not certificates";
	certs_free(&list);
	return fault;
}

static const char *crl_fault(const uint8_t *data, size_t len, int64_t *next_update)
{
	const unsigned char *p = data;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)len);
	const char *fault = NULL;
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days, seconds;

	if (!crl || p != data + len)
		fault = "not a revocation list in DER";
	else if (!epoch || !X509_CRL_get0_nextUpdate(crl) ||
		 !ASN1_TIME_diff(&days, &seconds, epoch, X509_CRL_get0_nextUpdate(crl)))
		fault = "a revocation list that does not say until when it is good";
	else
		*next_update = (int64_t)days * 86400 + seconds;
	ASN1_TIME_free(epoch);
	X509_CRL_free(crl);
	return fault;
}

const char *kds_content_fault(const struct kds_ask *ask, const uint8_t *data, size_t len,
			      int64_t *next_update)
{
	const char *fault;

	if (!len)
		return "nothing";
	fault = ask->kind == KDS_CRL ? crl_fault(data, len, next_update)
				     : certs_fault(ask, data, len);
	ERR_clear_error();
	return fault;
}
