#include "crypto/number.h"
#include "crypto/crypto.h"
#include "crypto/mem.h"

void number_from_bytes(uint64_t *r, size_t words, const uint8_t *bytes)
{
	for (size_t i = words; i-- > 0;) {
		r[i] = 0;
		for (int k = 0; k < 8; k++)
			r[i] = r[i] << 8 | *bytes++;
	}
}

void number_to_bytes(const uint64_t *a, size_t words, uint8_t *bytes)
{
	for (size_t i = words; i-- > 0;)
		for (int k = 56; k >= 0; k -= 8)
			*bytes++ = (uint8_t)(a[i] >> k);
}

uint64_t number_add(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t words)
{
	number_wide sum = 0;

	for (size_t i = 0; i < words; i++) {
		sum += (number_wide)a[i] + b[i];
		r[i] = (uint64_t)sum;
		sum >>= 64;
	}
	return (uint64_t)sum;
}

uint64_t number_sub(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t words)
{
	uint64_t borrow = 0;

	for (size_t i = 0; i < words; i++) {
		const number_wide difference = (number_wide)a[i] - b[i] - borrow;

		r[i] = (uint64_t)difference;
		borrow = (uint64_t)(difference >> 64) & 1;
	}
	return borrow;
}

uint64_t number_add_masked(uint64_t *r, const uint64_t *a, uint64_t mask, size_t words)
{
	number_wide sum = 0;

	for (size_t i = 0; i < words; i++) {
		sum += (number_wide)r[i] + (a[i] & mask);
		r[i] = (uint64_t)sum;
		sum >>= 64;
	}
	return (uint64_t)sum;
}

uint64_t number_sub_masked(uint64_t *r, const uint64_t *a, uint64_t mask, size_t words)
{
	uint64_t borrow = 0;

	for (size_t i = 0; i < words; i++) {
		const number_wide difference = (number_wide)r[i] - (a[i] & mask) - borrow;

		r[i] = (uint64_t)difference;
		borrow = (uint64_t)(difference >> 64) & 1;
	}
	return borrow;
}

uint64_t number_less(const uint64_t *a, const uint64_t *b, size_t words)
{
	uint64_t borrow = 0;

	for (size_t i = 0; i < words; i++)
		borrow = (uint64_t)(((number_wide)a[i] - b[i] - borrow) >> 64) & 1;
	return 0 - borrow;
}

uint64_t number_equal(const uint64_t *a, const uint64_t *b, size_t words)
{
	uint64_t difference = 0;

	for (size_t i = 0; i < words; i++)
		difference |= a[i] ^ b[i];
	return ((difference | (0 - difference)) >> 63) - 1;
}

uint64_t number_mod_word(const uint64_t *a, size_t words, uint64_t modulus)
{
	uint64_t rest = 0;

	for (size_t i = words; i-- > 0;)
		(void)number_divide_word(&rest, a[i], modulus);
	return rest;
}

uint64_t number_negative_inverse(uint64_t a)
{
	uint64_t inverse = a; /* right in 3 bits; each step doubles them */

	for (int i = 0; i < 5; i++)
		inverse *= 2 - a * inverse;
	return 0 - inverse;
}
