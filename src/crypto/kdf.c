/* KDFa, KDFe and the XOR obfuscation of TPM 2.0 Part 1. */
#include "crypto/kdf.h"
#include "crypto/mem.h"
#include "cvtpm/err.h"

static void put32(uint8_t out[4], uint32_t value)
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* The zero byte behind a label, unless the label brings it along. */
static size_t separator(struct cvtpm_octets label)
{
	return label.len && ((const uint8_t *)label.at)[label.len - 1] == 0 ? 0 : 1;
}

/* What all blocks of one derivation have in common. */
struct derivation {
	enum cvtpm_hash_alg alg;
	struct cvtpm_octets label, u, v;
	uint32_t bits;
	struct cvtpm_hmac hmac; /* KDFa: begun with the key */
	struct cvtpm_octets z;  /* KDFe */
};

static int kdfa_block(const struct derivation *d, uint32_t counter, uint8_t *block)
{
	static const uint8_t zero[1];
	struct cvtpm_hmac hmac = d->hmac;
	uint8_t number[4];
	int err;

	put32(number, counter);
	err = cvtpm_hmac_update(&hmac, number, sizeof number);
	if (!err)
		err = cvtpm_hmac_update(&hmac, d->label.at, d->label.len);
	if (!err)
		err = cvtpm_hmac_update(&hmac, zero, separator(d->label));
	if (!err)
		err = cvtpm_hmac_update(&hmac, d->u.at, d->u.len);
	if (!err)
		err = cvtpm_hmac_update(&hmac, d->v.at, d->v.len);
	put32(number, d->bits);
	if (!err)
		err = cvtpm_hmac_update(&hmac, number, sizeof number);
	if (!err)
		return cvtpm_hmac_end(&hmac, block);
	cvtpm_wipe(&hmac, sizeof hmac);
	return err;
}

static int kdfe_block(const struct derivation *d, uint32_t counter, uint8_t *block)
{
	uint8_t number[4];
	const struct cvtpm_octets parts[] = {{number, sizeof number},   d->z, d->label,
					     {"", separator(d->label)}, d->u, d->v};

	put32(number, counter);
	return cvtpm_hash_parts(d->alg, parts, sizeof parts / sizeof *parts, block);
}

/* The blocks one after the other; of the last its beginning. */
static int derive(const struct derivation *d,
		  int (*make)(const struct derivation *, uint32_t, uint8_t *), uint8_t *out)
{
	const size_t len = ((size_t)d->bits + 7) / 8, size = cvtpm_hash_size(d->alg);
	uint8_t block[CVTPM_HASH_MAX_SIZE];
	int err = d->bits ? 0 : CVTPM_ERR_SIZE;

	for (size_t done = 0; !err && done < len; done += size) {
		err = make(d, (uint32_t)(done / size + 1), block);
		if (!err)
			memcpy(out + done, block, len - done < size ? len - done : size);
	}
	cvtpm_wipe(block, sizeof block);
	if (err)
		cvtpm_wipe(out, len);
	else if (d->bits % 8)
		out[0] &= (uint8_t)((1u << d->bits % 8) - 1);
	return err;
}

int cvtpm_kdfa(enum cvtpm_hash_alg alg, struct cvtpm_octets key, struct cvtpm_octets label,
	       struct cvtpm_octets u, struct cvtpm_octets v, uint32_t bits, uint8_t *out)
{
	struct derivation d = {.alg = alg, .label = label, .u = u, .v = v, .bits = bits};
	int err = cvtpm_hmac_begin(&d.hmac, alg, key.at, key.len);

	if (!err)
		err = derive(&d, kdfa_block, out);
	else
		cvtpm_wipe(out, ((size_t)bits + 7) / 8);
	cvtpm_wipe(&d, sizeof d);
	return err;
}

int cvtpm_kdfe(enum cvtpm_hash_alg alg, struct cvtpm_octets z, struct cvtpm_octets label,
	       struct cvtpm_octets u, struct cvtpm_octets v, uint32_t bits, uint8_t *out)
{
	const struct derivation d = {
		.alg = alg, .label = label, .u = u, .v = v, .bits = bits, .z = z};

	if (cvtpm_hash_size(alg) == 0) {
		cvtpm_wipe(out, ((size_t)bits + 7) / 8);
		return CVTPM_ERR_UNSUPPORTED;
	}
	return derive(&d, kdfe_block, out);
}

int cvtpm_xor_obfuscate(enum cvtpm_hash_alg alg, struct cvtpm_octets key, struct cvtpm_octets newer,
			struct cvtpm_octets older, uint8_t *data, size_t len)
{
	struct derivation d = {.alg = alg, .label = CVTPM_TEXT("XOR"), .u = newer, .v = older};
	const size_t size = cvtpm_hash_size(alg);
	uint8_t block[CVTPM_HASH_MAX_SIZE];
	int err;

	if (len > UINT32_MAX / 8)
		return CVTPM_ERR_SIZE;
	d.bits = (uint32_t)(8 * len);
	err = cvtpm_hmac_begin(&d.hmac, alg, key.at, key.len);
	for (size_t done = 0; !err && done < len; done += size) {
		err = kdfa_block(&d, (uint32_t)(done / size + 1), block);
		for (size_t i = 0; !err && i < size && i < len - done; i++)
			data[done + i] ^= block[i];
	}
	cvtpm_wipe(block, sizeof block);
	cvtpm_wipe(&d, sizeof d);
	return err;
}
