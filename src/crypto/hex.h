/* Bytes as hexadecimal digits. */
#ifndef CVTPM_HEX_H
#define CVTPM_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Writes `len` bytes as 2 * len lower-case digits and a NUL. */
void cvtpm_hex_write(char *text, const uint8_t *bytes, size_t len);

/** The value of a digit of either case, or -1. */
int cvtpm_hex_digit(char digit);

/** Reads the first 2 * len characters of `text` into `bytes`; false when one of
 *  them is no digit, a NUL included. What follows them is not looked at. */
bool cvtpm_hex_read(const char *text, uint8_t *bytes, size_t len);

#endif
