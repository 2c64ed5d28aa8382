/*
 * Faults of cvtpm's own code, as opposed to the response codes of a TPM.
 *
 * Every function that can fail for a reason of ours returns `int`: 0, or one of
 * these negative values. What a guest may see is a TPM_RC inside a response and
 * never one of these; the two kinds are not mixed.
 */
#ifndef CVTPM_ERR_H
#define CVTPM_ERR_H

enum cvtpm_err {
	CVTPM_OK = 0,
	CVTPM_ERR_PARAM = -1,       /* the caller broke the function's contract */
	CVTPM_ERR_SIZE = -2,        /* a buffer or an object is too small or too large */
	CVTPM_ERR_FORMAT = -3,      /* bytes from outside do not have the form they must have */
	CVTPM_ERR_NO_MEMORY = -4,   /* the fixed or the process's memory is used up */
	CVTPM_ERR_NOT_FOUND = -5,   /* there is no such record, file, index or key */
	CVTPM_ERR_IO = -6,          /* the operating system refused or failed; errno says why */
	CVTPM_ERR_BUSY = -7,        /* in use by somebody else, or a command is running */
	CVTPM_ERR_STATE = -8,       /* not possible in the present state */
	CVTPM_ERR_UNSUPPORTED = -9, /* not offered by this engine, device, store or build */
	CVTPM_ERR_ENTROPY = -10,    /* the entropy source failed; nothing weaker is used */
	CVTPM_ERR_CRYPTO = -11,     /* a cryptographic primitive failed */
	CVTPM_ERR_AUTH = -12,       /* a tag, signature or digest does not match */
	CVTPM_ERR_KEY_GONE = -13,   /* the key was wiped, because using it again would be unsafe */
	CVTPM_ERR_PEER = -14,       /* the peer (AMD-SP, hypervisor, daemon) answered an error */
	CVTPM_ERR_STORE = -15,      /* a commit to the store failed; nothing of it took effect */
	CVTPM_ERR_TPM = -16,        /* the TPM answered a response code that ends this job */
	CVTPM_ERR_POLICY = -17,     /* a rule of ours forbids it (design: evidence, export) */
};

/** What `err` means, as a constant English phrase without a full stop. Never NULL. */
const char *cvtpm_strerror(int err);

#define CVTPM_TRY(expression)                                                                      \
	do {                                                                                       \
		int cvtpm_try_result_ = (expression);                                              \
		if (cvtpm_try_result_ < 0)                                                         \
			return cvtpm_try_result_;                                                  \
	} while (0)

#endif
