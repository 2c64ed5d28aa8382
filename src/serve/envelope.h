/*
 * What a state blob travels in: a versioned envelope with a digest, so that a
 * blob of another program, version, engine or kind, or one that was altered on
 * its way, is refused before the engine sees it.
 *
 *     magic      8  "cvtpmSTA"
 *     version    4  1
 *     kind       4  enum cvtpm_blob
 *     engine    16  its name, padded with zeros
 *     length     4  of the payload
 *     payload       the engine's, in the clear
 *     digest    32  SHA-256 of everything before it
 *
 * All integers are big-endian. The digest is no seal: who holds a blob holds
 * the TPM's seeds, and can make another (docs/control.md).
 *
 * Under a migration key the envelope is sealed, version 2, and the rest after
 * the length is
 *
 *     salt      32  random
 *     payload       AES-256-GCM under HKDF-SHA-256(migration key, salt), IV 0
 *     tag       16  over the header, too
 */
#ifndef CVTPM_SERVE_ENVELOPE_H
#define CVTPM_SERVE_ENVELOPE_H

#include "cvtpm/engine.h"
#include "cvtpm/platform.h"

#define ENVELOPE_VERSION        1u
#define ENVELOPE_VERSION_SEALED 2u
#define ENVELOPE_HEADER_SIZE    36
#define ENVELOPE_DIGEST_SIZE    32
#define ENVELOPE_OVERHEAD       (ENVELOPE_HEADER_SIZE + ENVELOPE_DIGEST_SIZE)

#define ENVELOPE_SALT_SIZE       32
#define ENVELOPE_TAG_SIZE        16
#define ENVELOPE_SEALED_BEFORE   (ENVELOPE_HEADER_SIZE + ENVELOPE_SALT_SIZE)
#define ENVELOPE_SEALED_OVERHEAD (ENVELOPE_SEALED_BEFORE + ENVELOPE_TAG_SIZE)
#define ENVELOPE_KEY_SIZE        32

/** Completes the envelope at `out`, whose payload of `len` bytes stands at
 *  out + ENVELOPE_HEADER_SIZE. CVTPM_ERR_CRYPTO. */
int envelope_close(uint8_t *out, size_t len, enum cvtpm_blob kind, const char *engine);

/** Finds the payload inside the `len` bytes at `in`. `*why` is a phrase for the
 *  log. CVTPM_ERR_FORMAT: no envelope, or of another kind or engine.
 *  CVTPM_ERR_UNSUPPORTED: another version. CVTPM_ERR_AUTH: altered. */
int envelope_open(const uint8_t *in, size_t len, enum cvtpm_blob kind, const char *engine,
		  const uint8_t **payload, size_t *payload_len, const char **why);

/** The same for a sealed envelope, whose payload stands at out + ENVELOPE_SEALED_BEFORE;
 *  it is encrypted in place. The salt comes from the platform's entropy:
 *  CVTPM_ERR_ENTROPY, CVTPM_ERR_CRYPTO. */
int envelope_seal(uint8_t *out, size_t len, enum cvtpm_blob kind, const char *engine,
		  const uint8_t key[ENVELOPE_KEY_SIZE], const struct cvtpm_platform *platform);

/** As envelope_open, decrypting in place. CVTPM_ERR_AUTH: another key, or altered. */
int envelope_unseal(uint8_t *in, size_t len, enum cvtpm_blob kind, const char *engine,
		    const uint8_t key[ENVELOPE_KEY_SIZE], const uint8_t **payload,
		    size_t *payload_len, const char **why);

#endif
