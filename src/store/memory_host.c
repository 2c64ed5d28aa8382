/*
 * The memory store of a process: locked pages, left out of core dumps. The
 * mapping's size and the inner store lie in front of the store's own memory.
 */
#include "cvtpm/err.h"
#include "cvtpm/stores.h"

#include "store/message.h"

#include <errno.h>
#include <stdalign.h>
#include <string.h>
#include <sys/mman.h>

struct mapped_store {
	struct cvtpm_store store;
	struct cvtpm_store *inner;
	size_t size;
	alignas(max_align_t) uint8_t memory[];
};

static int mapped_get(struct cvtpm_store *store, const char *key, uint8_t *value, size_t capacity,
		      size_t *value_len)
{
	return cvtpm_store_get(((struct mapped_store *)store)->inner, key, value, capacity,
			       value_len);
}

static int mapped_commit(struct cvtpm_store *store, const struct cvtpm_change *changes,
			 size_t count)
{
	struct mapped_store *m = (struct mapped_store *)store;
	int err = cvtpm_store_commit(m->inner, changes, count);

	store->generation = m->inner->generation;
	return err;
}

static int mapped_list(struct cvtpm_store *store, const char *prefix,
		       int (*each)(void *context, const char *key, size_t value_len), void *context)
{
	return cvtpm_store_list(((struct mapped_store *)store)->inner, prefix, each, context);
}

static void mapped_close(struct cvtpm_store *store)
{
	struct mapped_store *m = (struct mapped_store *)store;

	cvtpm_store_close(m->inner);
	munmap(m, m->size);
}

static const struct cvtpm_store_ops mapped_ops = {
	.get = mapped_get,
	.commit = mapped_commit,
	.list = mapped_list,
	.close = mapped_close,
};

int cvtpm_store_memory_open(struct cvtpm_store **store, size_t size,
			    char message[CVTPM_STORE_MESSAGE_SIZE])
{
	size_t room = size ? size : CVTPM_STORE_MEMORY_DEFAULT_SIZE;
	struct mapped_store *m;
	int err;

	message[0] = '\0';
	m = mmap(NULL, sizeof *m + room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		 0);
	if (m == MAP_FAILED)
		return store_fail(message, CVTPM_ERR_NO_MEMORY,
				  "cannot get %zu bytes of memory for the TPM's state: %s", room,
				  strerror(errno));
	m->size = sizeof *m + room;
	err = cvtpm_store_memory_init(&m->inner, m->memory, room);
	if (err < 0) {
		munmap(m, m->size);
		return store_fail(message, err, "a memory store cannot be as small as %zu bytes",
				  room);
	}
	/* Page by page as it is touched: most of it is room for what may come. */
	if (madvise(m, m->size, MADV_DONTDUMP) != 0 || mlock2(m, m->size, MLOCK_ONFAULT) != 0)
		store_fail(message, 0,
			   "the TPM's state (%zu bytes) could not be locked into memory and may "
			   "reach the swap device: %s; raise the limit (ulimit -l)",
			   room, strerror(errno));
	m->store = (struct cvtpm_store){.ops = &mapped_ops, .kind = CVTPM_STORE_MEMORY};
	*store = &m->store;
	return 0;
}
