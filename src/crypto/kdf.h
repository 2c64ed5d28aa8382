/*
 * Derivation: the key derivation functions of a TPM, the XOR obfuscation, and the
 * deterministic stream that derived keys are made from.
 */
#ifndef CVTPM_KDF_H
#define CVTPM_KDF_H

#include "crypto/crypto.h"

/**
 * KDFa (Part 1, 11.4.10.2; SP 800-108 in counter mode with HMAC): block i, from 1, is
 * HMAC(key, [i]32 || label || 00 || u || v || [bits]32). The zero byte is left out when
 * the label ends in one already, as Part 4 does.
 *
 * Writes (bits + 7) / 8 bytes; when `bits` is no multiple of 8 the unused bits at the
 * top of the first byte are cleared. CVTPM_ERR_UNSUPPORTED: no such hash;
 * CVTPM_ERR_SIZE: 0 bits. After any error `out` is wiped.
 */
int cvtpm_kdfa(enum cvtpm_hash_alg alg, struct cvtpm_octets key, struct cvtpm_octets label,
	       struct cvtpm_octets u, struct cvtpm_octets v, uint32_t bits, uint8_t *out);

/**
 * KDFe (Part 1, 11.4.10.3; SP 800-56A): block i, from 1, is
 * H([i]32 || z || label || 00 || u || v), with the rules of cvtpm_kdfa(). For ECDH z, u
 * and v are x coordinates: of the shared point, of the ephemeral, of the static key.
 */
int cvtpm_kdfe(enum cvtpm_hash_alg alg, struct cvtpm_octets z, struct cvtpm_octets label,
	       struct cvtpm_octets u, struct cvtpm_octets v, uint32_t bits, uint8_t *out);

/**
 * XORs `len` bytes in place with KDFa(alg, key, "XOR", newer, older, 8 * len bits)
 * (Part 1, 11.4.7.3); the mask is never held as a whole. Its own inverse.
 * CVTPM_ERR_SIZE: `len` is more than 2^29 - 1.
 */
int cvtpm_xor_obfuscate(enum cvtpm_hash_alg alg, struct cvtpm_octets key, struct cvtpm_octets newer,
			struct cvtpm_octets older, uint8_t *data, size_t len);

/*
 * A deterministic stream of bytes, for keys that are derived from a seed. What a
 * version yields never changes; a change of any kind gets a new version number.
 *
 * Version 1: an HMAC_DRBG of SP 800-90A, 10.1.2, with SHA-256, never reseeded.
 * Entropy input is the seed, the nonce is empty, the personalization string is
 * [version]16 || [label length]16 || label || context, numbers big-endian. The
 * stream is the output of requests of 64 bytes each without additional input, one
 * after the other: how it is asked for in pieces changes nothing.
 *
 * May be copied by assignment; secret: wipe it after use.
 */
struct cvtpm_stream {
	uint8_t key[32], v[32];
	uint8_t block[64];
	uint32_t used; /* bytes of `block` */
};

#define CVTPM_STREAM_VERSION 1 /* for new keys */

/** CVTPM_ERR_UNSUPPORTED: no such version. CVTPM_ERR_SIZE: a label of more than 65535 bytes. */
int cvtpm_stream_begin(struct cvtpm_stream *stream, unsigned version, struct cvtpm_octets seed,
		       struct cvtpm_octets label, struct cvtpm_octets context);
/** The next `len` bytes. */
int cvtpm_stream_bytes(struct cvtpm_stream *stream, uint8_t *out, size_t len);
/** The stream as the source of a key generation. */
struct cvtpm_source cvtpm_stream_source(struct cvtpm_stream *stream);

#endif
