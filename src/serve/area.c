#include "serve/area.h"

#include "crb/shared.h"
#include "cvtpm/acpi.h"
#include "cvtpm/err.h"
#include "serve/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT 4096
#define BEGINNING 64 /* of a log, for which areas are always large enough */

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

uint64_t areas_end(const struct cvtpm_serve_config *config, uint64_t end)
{
	if (config->event_log)
		end = later(end, config->page_offset + config->log_offset + config->log_size);
	if (config->ppi != CVTPM_SERVE_PPI_NONE)
		end = later(end, config->page_offset + config->ppi_offset + CVTPM_PPI_SIZE);
	return end;
}

static int area_map(struct server *server, struct area *area, int fd, uint64_t offset, size_t size,
		    const char *what)
{
	const off_t at = (off_t)(server->config->page_offset + offset);

	if (offset % ALIGNMENT) {
		server_log(server, CVTPM_LOG_ERROR,
			   "the offset 0x%llx of the %s is not a multiple of 4096",
			   (unsigned long long)offset, what);
		return CVTPM_ERR_PARAM;
	}
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);

	if (memory == MAP_FAILED) {
		server_log(server, CVTPM_LOG_ERROR, "the %s in %s cannot be mapped: %s", what,
			   server->config->page_file, strerror(errno));
		return CVTPM_ERR_IO;
	}
	area->memory = memory;
	area->size = size;
	return 0;
}

/* One byte more than fits tells a log that does not. */
static int events_read(struct areas *areas)
{
	const char *path = areas->server->config->event_log;
	const size_t room = areas->log.size;
	FILE *file = fopen(path, "rb");
	int why = file ? 0 : errno;
	size_t len = 0;

	areas->events = calloc(1, room + 1);
	if (!areas->events) {
		if (file)
			fclose(file);
		return CVTPM_ERR_NO_MEMORY;
	}
	if (file) {
		len = fread(areas->events, 1, room + 1, file);
		if (ferror(file))
			why = errno;
		fclose(file);
		if (!why && len > 0 && len <= room)
			return 0;
	}
	if (len > room)
		server_log(areas->server, CVTPM_LOG_ERROR,
			   "the event log %s has more than the %zu bytes of its area: give "
			   "--log-size to cvtpm acpi and here",
			   path, room);
	else
		server_log(areas->server, CVTPM_LOG_ERROR, "the event log %s cannot be read: %s",
			   path, why ? strerror(why) : "it is empty");
	return len > room ? CVTPM_ERR_SIZE : CVTPM_ERR_IO;
}

int areas_open(struct areas *areas, struct server *server, int fd)
{
	const struct cvtpm_serve_config *config = server->config;

	areas->server = server;
	if (config->event_log && config->log_size < BEGINNING) {
		server_log(server, CVTPM_LOG_ERROR, "a log area of %u bytes holds no event log",
			   config->log_size);
		return CVTPM_ERR_PARAM;
	}
	if (config->event_log) {
		CVTPM_TRY(area_map(server, &areas->log, fd, config->log_offset, config->log_size,
				   "event log"));
		CVTPM_TRY(events_read(areas));
	}
	if (config->ppi != CVTPM_SERVE_PPI_NONE)
		CVTPM_TRY(area_map(server, &areas->ppi, fd, config->ppi_offset, CVTPM_PPI_SIZE,
				   "PPI area"));
	return 0;
}

static void area_unmap(struct area *area)
{
	if (area->memory)
		munmap((void *)(uintptr_t)area->memory, area->size);
}

void areas_close(struct areas *areas)
{
	area_unmap(&areas->log);
	area_unmap(&areas->ppi);
	free(areas->events);
}

void areas_refresh_log(struct areas *areas)
{
	uint8_t beginning[BEGINNING];

	if (!areas->log.memory)
		return;
	shared_copy_out(beginning, areas->log.memory, sizeof beginning);
	if (memcmp(beginning, areas->events, sizeof beginning) != 0)
		shared_copy_in(areas->log.memory, areas->events, areas->log.size);
}
