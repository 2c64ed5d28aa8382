/* The words of a policy file, and what they stand for. */
#ifndef VERIFY_POLICY_NAMES_H
#define VERIFY_POLICY_NAMES_H

#include "cvtpm/evidence.h"

/* A word and its bit or value. Tables end with a NULL word. */
struct policy_word {
	const char *word;
	uint64_t value;
	const char *meaning; /* of the bit, when it is 1; NULL where nobody shows it */
};

/* Bits of POLICY and PLATFORM_INFO (AMD 56860, tables GUEST POLICY and PLATFORM_INFO). */
extern const struct policy_word policy_guest_bits[];
extern const struct policy_word policy_platform_bits[];
#define POLICY_PLATFORM_KNOWN ((uint64_t)0xBF) /* bits 0 to 5, and 7 */

/* enum cvtpm_product, as bits and in this order; the parts of a TCB; its four kinds. */
extern const struct policy_word policy_products[];
extern const struct policy_word policy_tcb_parts[];
extern const struct policy_word policy_tcb_kinds[];
extern const struct policy_word policy_signing_keys[];
extern const struct policy_word policy_ek_algorithms[];
extern const struct policy_word policy_isolations[];
extern const struct policy_word policy_hashes[]; /* TPM_ALG_ID of a PCR bank */

/* The word for a value; "" for one that has none. */
const char *policy_word_of(const struct policy_word *words, uint64_t value);

/* The words for the bits that are set, ", " between them; bits without a word as
 * "bit-6"; "none" when none is set. */
#define POLICY_WORDS_SIZE 200
void policy_words_text(char text[POLICY_WORDS_SIZE], const struct policy_word *words,
		       uint64_t bits);

#endif
