/*
 * What a sealed store keeps in the other store, byte by byte.
 *
 *	a record      "cvs1", u64 generation, u32 counter, salt[32], tag[16], ciphertext
 *	              kept under the name that it has outside
 *	              authenticated with it: identity, generation, counter, name
 *	the index     "cvi1", identity[16], key check[16], u64 generation, salt[32],
 *	              tag[16], ciphertext; kept as "sealed/index"
 *	              authenticated with it: identity, generation, key check
 *	in the index  u32 count, and by ascending name: u8 length, name,
 *	              u64 generation, u32 counter, u64 length of the value, tag[16]
 *
 * Numbers are little endian. Each commit derives a key of its own from the store's key and
 * a salt. Under that key the index is encrypted with counter 0 as the IV and the records of
 * the commit with 1, 2, ...
 *
 * The identity is 16 random bytes, drawn when the store is first opened, so that two stores
 * under one key do not take each other's records. The key check is derived from key and
 * identity; it tells a wrong key from damage.
 */
#ifndef CVTPM_STORE_SEALED_FORMAT_H
#define CVTPM_STORE_SEALED_FORMAT_H

#include "cvtpm/stores.h"
#include "store/sealed_index.h"

#define SALT_SIZE          32
#define IDENTITY_SIZE      16
#define CHECK_SIZE         16
#define RECORD_HEADER_SIZE (4 + 8 + 4 + SALT_SIZE + TAG_SIZE)
#define INDEX_HEADER_SIZE  (4 + IDENTITY_SIZE + CHECK_SIZE + 8 + SALT_SIZE + TAG_SIZE)

/* Under what a store is sealed. */
struct sealer {
	uint8_t key[CVTPM_STORE_KEY_SIZE];
	uint8_t identity[IDENTITY_SIZE];
	uint8_t check[CHECK_SIZE];
};

/* Under what one commit is. */
struct seal {
	uint8_t key[32], salt[SALT_SIZE];
	uint64_t generation;
};

/* All return 0 or an error of the primitives, where no other is named. */

/** Makes `check` from key and identity. */
int sealed_key_check(struct sealer *sealer);

/** Makes a commit's key from its salt. */
int sealed_commit_key(const struct sealer *sealer, const uint8_t salt[SALT_SIZE], uint8_t key[32]);

/** Seals a value of entry->len bytes into RECORD_HEADER_SIZE more, and sets entry->tag. */
int sealed_record_seal(const struct sealer *sealer, const struct seal *seal, struct entry *entry,
		       const uint8_t *value, uint8_t *out);

/** Opens the whole record, as the inner store has it: RECORD_HEADER_SIZE and entry->len bytes.
 *  CVTPM_ERR_AUTH: it is not the one that the index names. */
int sealed_record_unseal(const struct sealer *sealer, const struct entry *entry,
			 const uint8_t *sealed, uint8_t *value);

/** Seals the index into at most INDEX_HEADER_SIZE + ENTRIES_HEAD_SIZE + count * ENTRY_MAX_SIZE
 *  bytes. */
int sealed_index_seal(const struct sealer *sealer, const struct seal *seal,
		      const struct index *index, uint8_t *out, size_t *out_len);

/** Opens it, in place; sets the sealer's identity and check. CVTPM_ERR_AUTH,
 *  CVTPM_ERR_UNSUPPORTED (a newer format), CVTPM_ERR_FORMAT, CVTPM_ERR_NO_MEMORY: `message`
 *  says why, where the store is at fault. The index's entries are to be freed whatever it returns.
 */
int sealed_index_unseal(struct sealer *sealer, uint8_t *sealed, size_t len, struct index *index,
			uint64_t *generation, char message[CVTPM_STORE_MESSAGE_SIZE]);

#endif
