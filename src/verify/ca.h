/* What the two halves of the CA share: its files and its key. */
#ifndef VERIFY_CA_H
#define VERIFY_CA_H

#include "cvtpm/ca.h"

#include <openssl/evp.h>

#define CA_FILE_MAX_SIZE (1u << 20)

__attribute__((format(printf, 3, 4))) void
ca_log(const struct cvtpm_ca_log *log, enum cvtpm_log_level level, const char *format, ...);

/* P-384 or P-256, else CVTPM_ERR_UNSUPPORTED, with the reason in the log. */
int ca_check_key(EVP_PKEY *key, const struct cvtpm_ca_log *log, uint16_t *curve);

#endif
