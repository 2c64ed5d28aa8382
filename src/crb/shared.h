/*
 * Memory that somebody else writes at the same time: every access is one
 * volatile access of its size, and nothing is read twice.
 */
#ifndef CVTPM_CRB_SHARED_H
#define CVTPM_CRB_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t __attribute__((may_alias)) shared_word;
typedef uint64_t __attribute__((may_alias)) shared_quad;

/** Everything that the other side stored before it stored this word is seen
 *  by accesses after this one. */
static inline uint32_t shared_load(volatile uint8_t *at)
{
	return __atomic_load_n((volatile shared_word *)at, __ATOMIC_ACQUIRE);
}

/** Everything stored before is seen by who sees this word. */
static inline void shared_store(volatile uint8_t *at, uint32_t value)
{
	__atomic_store_n((volatile shared_word *)at, value, __ATOMIC_RELEASE);
}

/** Stores `value` unless somebody has changed the word from `expected`. */
static inline bool shared_replace(volatile uint8_t *at, uint32_t expected, uint32_t value)
{
	return __atomic_compare_exchange_n((volatile shared_word *)at, &expected, value, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/** Copies `len` bytes out, each read once. */
void shared_copy_out(uint8_t *to, const volatile uint8_t *at, size_t len);
/** Copies `len` bytes in. */
void shared_copy_in(volatile uint8_t *at, const uint8_t *from, size_t len);
/** Zeroes `len` bytes. */
void shared_zero(volatile uint8_t *at, size_t len);

#endif
