/*
 * What a decoded message is compared with: the engine's own functions for reading, in
 * dispatch's order, and that no byte is left out. For tests and fuzzers.
 */
#ifndef CVTPM_TESTS_TRACE_REFERENCE_H
#define CVTPM_TESTS_TRACE_REFERENCE_H

#include "trace/message.h"

/** What the engine answers to a command whose every handle and authorisation is right: the first
 *  thing that cannot be read. TPM_RC_SUCCESS: it can be, or its first parameter is encrypted
 *  and the rest can. */
tpm_rc reference_read(const uint8_t *command, size_t len);

/** NULL, or what is wrong with the nodes: numbers and bytes must cover the message without gap
 *  or overlap, groups hold what is in them, and the values put together be the message. */
const char *reference_check_nodes(const struct trace_message *message);

#endif
