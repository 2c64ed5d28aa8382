#include "fake_instance.h"

#include "cvtpm/err.h"
#include "cvtpm/instance.h"
#include "host/frame.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TPM_RC_FAILURE  0x101
#define TPM_RC_CANCELED 0x909

struct cvtpm_instance {
	int events;
	bool powered, failed, started;
	atomic_bool busy, cancelled;
};

static void event(struct cvtpm_instance *i, char letter)
{
	if (write(i->events, &letter, 1) != 1)
		_exit(99);
}

size_t cvtpm_instance_size(const struct cvtpm_engine *engine)
{
	(void)engine;
	return sizeof(struct cvtpm_instance);
}

int cvtpm_instance_open(struct cvtpm_instance **instance, void *memory,
			const struct cvtpm_platform *platform,
			const struct cvtpm_instance_config *config)
{
	const struct fake_instance *fake = platform->context;
	struct cvtpm_instance *i = memory;

	(void)config;
	i->events = fake->events;
	i->powered = true;
	event(i, 'O');
	*instance = i;
	return 0;
}

int cvtpm_instance_manufacture(void *memory, const struct cvtpm_platform *platform,
			       struct cvtpm_store *scratch,
			       const struct cvtpm_instance_config *config)
{
	(void)memory, (void)platform, (void)scratch, (void)config;
	return CVTPM_ERR_UNSUPPORTED;
}

void cvtpm_instance_close(struct cvtpm_instance *i)
{
	if (i)
		event(i, 'C');
}

int cvtpm_instance_reset(struct cvtpm_instance *i)
{
	i->failed = false;
	event(i, 'R');
	return 0;
}

void cvtpm_instance_fail_until_reset(struct cvtpm_instance *i, const char *reason)
{
	(void)reason;
	i->failed = true;
	event(i, 'F');
}

void cvtpm_instance_power_off(struct cvtpm_instance *i)
{
	i->powered = false;
	event(i, '-');
}

int cvtpm_instance_power_on(struct cvtpm_instance *i)
{
	i->powered = true;
	event(i, '+');
	return 0;
}

int cvtpm_instance_startup(struct cvtpm_instance *i, bool state)
{
	(void)state;
	i->started = true;
	event(i, 'S');
	return 0;
}

static void until_cancelled(struct cvtpm_instance *i, bool never)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	while (never || !atomic_load(&i->cancelled))
		nanosleep(&pause, NULL);
}

int cvtpm_instance_execute(struct cvtpm_instance *i, uint8_t locality, const uint8_t *command,
			   size_t command_len, uint8_t *response, size_t *response_len)
{
	uint32_t rc = 0;

	if (!i->powered)
		return CVTPM_ERR_STATE;
	atomic_store(&i->cancelled, false);
	atomic_store(&i->busy, true);
	event(i, 'X');
	const uint32_t code = command_len >= 10 ? frame_get_u32(command + 6) : 0;

	memcpy(response, command, command_len);
	if (i->failed)
		rc = TPM_RC_FAILURE;
	else if (code == FAKE_LOCALITY)
		rc = locality;
	else if (code == FAKE_SLOW || code == FAKE_ENDLESS) {
		until_cancelled(i, code == FAKE_ENDLESS);
		rc = TPM_RC_CANCELED;
	}
	*response_len = command_len < 10 ? 10 : command_len;
	if (rc)
		*response_len = 10;
	frame_put_error(response, rc);
	frame_put_u32(response + 2, (uint32_t)*response_len);
	atomic_store(&i->busy, false);
	return 0;
}

void cvtpm_instance_cancel(struct cvtpm_instance *i)
{
	if (atomic_load(&i->busy))
		atomic_store(&i->cancelled, true);
}

int cvtpm_instance_hash_start(struct cvtpm_instance *i)
{
	event(i, 'h');
	return 0;
}

int cvtpm_instance_hash_data(struct cvtpm_instance *i, const uint8_t *data, size_t len)
{
	(void)data;
	(void)len;
	event(i, 'd');
	return 0;
}

int cvtpm_instance_hash_end(struct cvtpm_instance *i)
{
	event(i, 'e');
	return 0;
}

bool cvtpm_instance_established(struct cvtpm_instance *i)
{
	(void)i;
	return false;
}

int cvtpm_instance_reset_established(struct cvtpm_instance *i, uint8_t locality)
{
	(void)i;
	(void)locality;
	return 0;
}

int cvtpm_instance_shutdown(struct cvtpm_instance *i)
{
	event(i, 's');
	return 0;
}

int cvtpm_instance_buffer_size(struct cvtpm_instance *i, uint32_t *size, uint32_t *min,
			       uint32_t *max)
{
	(void)i;
	(void)size;
	(void)min;
	(void)max;
	return CVTPM_ERR_UNSUPPORTED;
}

int cvtpm_instance_describe(struct cvtpm_instance *i, uint32_t what, char *json, size_t *len)
{
	(void)i;
	(void)what;
	(void)json;
	(void)len;
	return CVTPM_ERR_UNSUPPORTED;
}

int cvtpm_instance_save_state(struct cvtpm_instance *i, enum cvtpm_blob kind, uint8_t *blob,
			      size_t *len)
{
	(void)i;
	(void)kind;
	(void)blob;
	(void)len;
	return CVTPM_ERR_UNSUPPORTED;
}

int cvtpm_instance_load_state(struct cvtpm_instance *i, enum cvtpm_blob kind, const uint8_t *blob,
			      size_t len)
{
	(void)i;
	(void)kind;
	(void)blob;
	(void)len;
	return CVTPM_ERR_UNSUPPORTED;
}

void cvtpm_instance_get_info(const struct cvtpm_instance *i, struct cvtpm_instance_info *info)
{
	*info = (struct cvtpm_instance_info){.started = i->started, .failed = i->failed};
}
