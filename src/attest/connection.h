/*
 * A TPM that somebody else runs, reached by its address:
 *
 *     unix:PATH          TPM commands on a Unix socket (cvtpm serve --unix)
 *     tcp:HOST:PORT      the same on TCP (cvtpm serve --tcp)
 *     mssim:HOST:PORT    the reference simulator's command port
 *     device:PATH        a TPM device of Linux (/dev/tpmrm0)
 *     PATH               short for device:PATH where it begins with '/'
 *
 * Hosted.
 */
#ifndef CVTPM_ATTEST_CONNECTION_H
#define CVTPM_ATTEST_CONNECTION_H

#include "manufacture/client.h"

#include <stdbool.h>

/* Longer than any command takes: RSA keys on slow chips need minutes. */
#define TPM_CONNECTION_LIMIT_MS 300000

enum tpm_connection_kind { TPM_CONNECTION_STREAM, TPM_CONNECTION_MSSIM, TPM_CONNECTION_DEVICE };

struct tpm_connection {
	enum tpm_connection_kind kind;
	int fd;
	char address[256]; /* for messages */
	char error[512];   /* what failed and what to do about it, one line; "" if nothing did */
	struct tpm_client client;
};

/** Connects to `address`; NULL: to this machine's TPM, /dev/tpmrm0 or /dev/tpm0.
 *  connection->client can then be used; what it returns beside the client's own
 *  errors is CVTPM_ERR_IO, with connection->error set.
 *  CVTPM_ERR_PARAM: not an address. CVTPM_ERR_IO. Both with connection->error set. */
int tpm_connection_open(struct tpm_connection *connection, const char *address);
void tpm_connection_close(struct tpm_connection *connection);

/** The TPM of the machine that this program runs on: its event logs may be read here. */
bool tpm_connection_is_local(const struct tpm_connection *connection);

#endif
