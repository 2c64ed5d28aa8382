/* The specification's names of values, attributes and handles. Hosted. */
#ifndef CVTPM_TRACE_NAMES_H
#define CVTPM_TRACE_NAMES_H

#include "tpm/type.h"

/** The name of a value of that type ("TPM_ALG_SHA256"); NULL: it has none. */
const char *trace_name(const struct type *type, uint64_t value);

/** Do values of that type have names, so that one without is shown as a code, not as a number? */
bool trace_has_names(const struct type *type);

/** Names of the bits that are set in a value of a TPMA type, each followed by one space, into
 *  `text`. False: not a type of attributes. What has no name is told as a number. */
bool trace_bit_names(const struct type *type, uint64_t value, char *text, size_t size);

/** Is it a handle's type? */
bool trace_is_handle(const struct type *type);
/** What a handle is, in words: "owner", "PCR 7", "NV index 0x01c00002 (EK certificate, RSA 2048)".
 */
void trace_handle_text(TPM_HANDLE handle, char *text, size_t size);

/** "TPM2_Create", also of commands that this engine does not have; "vendor command", or
 *  "unknown command", of others. */
const char *trace_command_name(TPM_CC code, char buffer[48]);

/** The PCRs of a selection: "0-7 16", or "none". */
void trace_pcr_text(const uint8_t *select, size_t size, char *text, size_t text_size);

/** A TPM property's value in words ("IBM", attributes' names): false where it is a number and
 *  nothing else. */
bool trace_property_text(TPM_PT property, uint32_t value, char *text, size_t size);

#endif
