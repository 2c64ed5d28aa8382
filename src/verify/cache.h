/* What is remembered of chains between verifications: certificates that have been
 * read, and what has been found out of certificates alone, whatever the time and
 * the policy. A cache of NULL remembers nothing. Any number of threads. */
#ifndef VERIFY_CACHE_H
#define VERIFY_CACHE_H

#include "cvtpm/evidence.h"

#include <openssl/x509.h>

/* cert_read_der(), or the certificate that was read from the same bytes before. */
X509 *cache_read_der(struct cvtpm_chain_cache *cache, const uint8_t **p, size_t len);

enum cache_fact {
	CACHE_SIGNED = 1, /* the first is signed by the second's key */
	CACHE_CHAIN = 2,  /* chain_fault() found nothing: leaf, CA, root */
};

/* A name for a fact about certificates: a digest over their digests. False: there
 * is no cache, or no name could be made. */
bool cache_name(const struct cvtpm_chain_cache *cache, enum cache_fact fact, X509 *const *certs,
		size_t count, uint8_t name[32]);
bool cache_knows(struct cvtpm_chain_cache *cache, const uint8_t name[32]);
/* Only what holds is learnt. */
void cache_learn(struct cvtpm_chain_cache *cache, const uint8_t name[32]);

#endif
