/* Response codes in words. Hosted. */
#ifndef CVTPM_TRACE_CODES_H
#define CVTPM_TRACE_CODES_H

#include "tpm/command.h"

enum trace_about {
	TRACE_ABOUT_NOTHING,
	TRACE_ABOUT_PARAMETER,
	TRACE_ABOUT_HANDLE,
	TRACE_ABOUT_SESSION
};

struct trace_code {
	char name[48]; /* "TPM_RC_VALUE"; "0x1234" of an unknown one */
	enum trace_about about;
	unsigned number;     /* of the parameter, handle, session, from 1; 0: not said */
	const char *meaning; /* a sentence, and what to do; "" of an unknown one */
	const char *layer;   /* whose code it is, where it is not the TPM's: "the resource
				manager"; else NULL */
};

/** Takes a response code apart. */
void trace_code(uint32_t code, struct trace_code *out);

/** "parameter 2 (inPublic)", with the name where `command` is known (NULL: it is not); empty
 *  where the code is about nothing in particular. */
void trace_code_about(const struct trace_code *code, const struct command *command, char *text,
		      size_t size);

#endif
