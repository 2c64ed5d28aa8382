/* Tickets (Part 2, 10.7): what the TPM has checked once, it recognises by an HMAC under
 * a hierarchy's proof, which never leaves it. */
#include "tpm/tpm.h"

#define PARTS 8

/* HMAC(proof of hierarchy, tag || parts) */
static tpm_rc ticket_digest(struct tpm *t, TPM_HANDLE hierarchy, TPM_ST tag,
			    const struct cvtpm_octets *parts, size_t count, TPM2B_DIGEST *digest)
{
	const uint8_t tag_bytes[2] = {(uint8_t)(tag >> 8), (uint8_t)tag};
	struct cvtpm_octets all[PARTS] = {{tag_bytes, sizeof tag_bytes}};

	if (count > PARTS - 1)
		return tpm_fail(t, "a ticket of too many parts");
	for (size_t i = 0; i < count; i++)
		all[i + 1] = parts[i];
	return tpm_hmac(t, CONTEXT_HASH, OCTETS(hierarchy_get(t, hierarchy)->proof), all, count + 1,
			digest);
}

tpm_rc ticket_verified(struct tpm *t, TPM_HANDLE hierarchy, const TPM2B_DIGEST *digest,
		       const TPM2B_NAME *key, TPMT_TK_VERIFIED *ticket)
{
	const struct cvtpm_octets parts[] = {OCTETS(*digest), OCTETS(*key)};

	ticket->tag = TPM_ST_VERIFIED;
	ticket->hierarchy = hierarchy;
	return ticket_digest(t, hierarchy, TPM_ST_VERIFIED, parts, 2, &ticket->digest);
}

tpm_rc ticket_hashcheck(struct tpm *t, TPM_HANDLE hierarchy, TPM_ALG_ID alg,
			const TPM2B_DIGEST *digest, TPMT_TK_HASHCHECK *ticket)
{
	const uint8_t alg_bytes[2] = {(uint8_t)(alg >> 8), (uint8_t)alg};
	const struct cvtpm_octets parts[] = {{alg_bytes, sizeof alg_bytes}, OCTETS(*digest)};

	ticket->tag = TPM_ST_HASHCHECK;
	ticket->hierarchy = hierarchy;
	return ticket_digest(t, hierarchy, TPM_ST_HASHCHECK, parts, 2, &ticket->digest);
}

bool ticket_starts_generated(struct cvtpm_octets data)
{
	struct reader r = {data.at, data.len};
	uint32_t first;

	return read_u32(&r, &first) == TPM_RC_SUCCESS && first == TPM_GENERATED_VALUE;
}

tpm_rc ticket_creation(struct tpm *t, TPM_HANDLE hierarchy, const TPM2B_NAME *name,
		       const TPM2B_DIGEST *creation, TPMT_TK_CREATION *ticket)
{
	const struct cvtpm_octets parts[] = {OCTETS(*name), OCTETS(*creation)};

	ticket->tag = TPM_ST_CREATION;
	ticket->hierarchy = hierarchy;
	return ticket_digest(t, hierarchy, TPM_ST_CREATION, parts, 2, &ticket->digest);
}

/* Part 3, 23.2.5. The three variable parts are told apart by their sizes, which stand
 * first: no byte of one can pass for a byte of the next. */
tpm_rc ticket_auth(struct tpm *t, TPM_ST tag, TPM_HANDLE hierarchy, uint64_t timeout, bool on_reset,
		   const TPM2B_DIGEST *cp_hash, const TPM2B_NONCE *policy_ref,
		   const TPM2B_NAME *name, TPMT_TK_AUTH *ticket)
{
	uint8_t sizes[6], numbers[25];
	struct writer w = {sizes, sizeof sizes, false}, n = {numbers, sizeof numbers, false};

	write_u16(&w, cp_hash->size);
	write_u16(&w, policy_ref->size);
	write_u16(&w, name->size);
	write_u64(&n, timeout);
	write_u64(&n, t->epoch);
	write_u8(&n, on_reset);
	write_u64(&n, on_reset ? t->run.totalResetCount : 0);

	const struct cvtpm_octets parts[] = {{sizes, sizeof sizes},
					     OCTETS(*cp_hash),
					     OCTETS(*policy_ref),
					     OCTETS(*name),
					     {numbers, sizeof numbers}};

	ticket->tag = tag;
	ticket->hierarchy = hierarchy;
	return ticket_digest(t, hierarchy, tag, parts, sizeof parts / sizeof *parts,
			     &ticket->digest);
}
