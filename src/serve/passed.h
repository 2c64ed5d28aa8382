/* Descriptors that the caller has open (struct cvtpm_serve_passed). */
#ifndef CVTPM_SERVE_PASSED_H
#define CVTPM_SERVE_PASSED_H

struct server;

/** Looks at all of them, and takes what listens. CVTPM_ERR_PARAM, logged: one is not what
 *  it should be. */
int passed_take(struct server *server);

/** The TPM is open: begins with what is connected. CVTPM_ERR_NO_MEMORY. */
int passed_start(struct server *server);

#endif
