/*
 * What else lies in the file of the CRB page, for the guest: the event log that the
 * TPM2 table points to, and the area of the Physical Presence Interface. Both are
 * the guest's memory: what is read there is a wish, and what is written a service.
 */
#ifndef CVTPM_SERVE_AREA_H
#define CVTPM_SERVE_AREA_H

#include "cvtpm/serve.h"

struct server;

struct area {
	volatile uint8_t *memory; /* NULL: none */
	size_t size;
};

struct areas {
	struct server *server;
	struct area log, ppi;
	uint8_t *events; /* the log, `log.size` bytes: what is not the file's is 0 */
};

/** The end of all that is to be mapped, in the file; `end`: the page's own. */
uint64_t areas_end(const struct cvtpm_serve_config *config, uint64_t end);

/** Maps what the configuration names, and reads the event log. Errors are logged:
 *  CVTPM_ERR_PARAM, CVTPM_ERR_SIZE, CVTPM_ERR_IO, CVTPM_ERR_NO_MEMORY. */
int areas_open(struct areas *areas, struct server *server, int fd);
void areas_close(struct areas *areas);

/** Puts the event log into its area, unless its beginning is there. Firmware clears the
 *  area at boot (SeaBIOS), so this is for the moments when the guest uses the TPM. */
void areas_refresh_log(struct areas *areas);

#endif
