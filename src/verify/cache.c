/*
 * Two small tables, each under SHA-256 of all that the entry depends on: who
 * alters one byte of a certificate has another certificate. The oldest entry
 * makes room for a new one.
 */
#include "verify/cache.h"
#include "verify/certs.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CERTS_KEPT 128
#define FACTS_KEPT 256

struct kept_cert {
	uint8_t digest[32]; /* of the DER */
	X509 *cert;         /* NULL: the place is free */
};

struct cvtpm_chain_cache {
	pthread_mutex_t lock;
	size_t next_cert, next_fact;
	struct kept_cert certs[CERTS_KEPT];
	size_t fact_count;
	uint8_t facts[FACTS_KEPT][32];
};

struct cvtpm_chain_cache *cvtpm_chain_cache_new(void)
{
	struct cvtpm_chain_cache *cache = calloc(1, sizeof(*cache));

	if (cache && pthread_mutex_init(&cache->lock, NULL)) {
		free(cache);
		return NULL;
	}
	return cache;
}

void cvtpm_chain_cache_free(struct cvtpm_chain_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < CERTS_KEPT; i++)
		X509_free(cache->certs[i].cert);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

static bool sha256(const uint8_t *bytes, size_t len, uint8_t digest[32])
{
	return EVP_Digest(bytes, len, digest, NULL, EVP_sha256(), NULL) == 1;
}

/* ---- certificates ---- */

/* Length of the SEQUENCE at p by its header; 0: not one of two length bytes, which
 * every certificate here has. */
static size_t der_length(const uint8_t *p, size_t len)
{
	size_t total;

	if (len < 4 || p[0] != 0x30 || p[1] != 0x82)
		return 0;
	total = 4 + ((size_t)p[2] << 8 | p[3]);
	return total <= len ? total : 0;
}

static X509 *cert_find(struct cvtpm_chain_cache *cache, const uint8_t digest[32])
{
	X509 *found = NULL;

	pthread_mutex_lock(&cache->lock);
	for (size_t i = 0; i < CERTS_KEPT && cache->certs[i].cert && !found; i++)
		if (!memcmp(cache->certs[i].digest, digest, 32) &&
		    X509_up_ref(cache->certs[i].cert) == 1)
			found = cache->certs[i].cert;
	pthread_mutex_unlock(&cache->lock);
	return found;
}

static void cert_keep(struct cvtpm_chain_cache *cache, const uint8_t digest[32], X509 *cert)
{
	struct kept_cert *place;

	if (X509_up_ref(cert) != 1)
		return;
	pthread_mutex_lock(&cache->lock);
	place = &cache->certs[cache->next_cert++ % CERTS_KEPT];
	X509_free(place->cert);
	place->cert = cert;
	memcpy(place->digest, digest, 32);
	pthread_mutex_unlock(&cache->lock);
}

X509 *cache_read_der(struct cvtpm_chain_cache *cache, const uint8_t **p, size_t len)
{
	size_t size = cache ? der_length(*p, len) : 0;
	const uint8_t *end = *p;
	uint8_t digest[32];
	X509 *cert;

	if (!size || !sha256(*p, size, digest))
		return cert_read_der(p, len);
	cert = cert_find(cache, digest);
	if (cert) {
		*p += size;
		return cert;
	}
	cert = cert_read_der(&end, len);
	if (cert && end == *p + size)
		cert_keep(cache, digest, cert);
	if (cert)
		*p = end;
	return cert;
}

/* ---- facts ---- */

bool cache_name(const struct cvtpm_chain_cache *cache, enum cache_fact fact, X509 *const *certs,
		size_t count, uint8_t name[32])
{
	uint8_t all[1 + 3 * 32] = {(uint8_t)fact};
	unsigned len;

	if (!cache || count > 3)
		return false;
	for (size_t i = 0; i < count; i++)
		if (X509_digest(certs[i], EVP_sha256(), all + 1 + 32 * i, &len) != 1)
			return false;
	return sha256(all, 1 + 32 * count, name);
}

static bool fact_there(const struct cvtpm_chain_cache *cache, const uint8_t name[32])
{
	for (size_t i = 0; i < cache->fact_count; i++)
		if (!memcmp(cache->facts[i], name, 32))
			return true;
	return false;
}

bool cache_knows(struct cvtpm_chain_cache *cache, const uint8_t name[32])
{
	bool known;

	pthread_mutex_lock(&cache->lock);
	known = fact_there(cache, name);
	pthread_mutex_unlock(&cache->lock);
	return known;
}

void cache_learn(struct cvtpm_chain_cache *cache, const uint8_t name[32])
{
	pthread_mutex_lock(&cache->lock);
	if (!fact_there(cache, name)) {
		memcpy(cache->facts[cache->next_fact++ % FACTS_KEPT], name, 32);
		if (cache->fact_count < FACTS_KEPT)
			cache->fact_count++;
	}
	pthread_mutex_unlock(&cache->lock);
}
