/*
 * The Fermat test of eight numbers at once, where vectors_are_offered(): one in each lane of
 * the vectors, so that the eight wait for nothing but themselves.
 */
#ifndef CVTPM_EIGHT_H
#define CVTPM_EIGHT_H

#include "crypto/number.h"

/** Bit i: 2^(m - 1) = 1 modulo the i-th m. All are of one size and odd, with the topmost bit set.
 */
unsigned eight_fermat_2(const struct number_batch *m, size_t words);

#endif
