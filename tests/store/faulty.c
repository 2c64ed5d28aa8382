#include "faulty.h"

#include "cvtpm/err.h"

/* Counts down; true at the chosen one, and after it where that is asked for. */
static bool is_time(unsigned *countdown, bool always)
{
	if (*countdown == 0)
		return false;
	if (*countdown > 1) {
		--*countdown;
		return false;
	}
	if (!always)
		*countdown = 0;
	return true;
}

static int faulty_get(struct cvtpm_store *store, const char *key, uint8_t *value, size_t capacity,
		      size_t *value_len)
{
	struct faulty_store *f = (struct faulty_store *)store;

	f->gets++;
	if (is_time(&f->fail_get, f->fail_always))
		return CVTPM_ERR_IO;
	return cvtpm_store_get(f->inner, key, value, capacity, value_len);
}

static int faulty_commit(struct cvtpm_store *store, const struct cvtpm_change *changes,
			 size_t count)
{
	struct faulty_store *f = (struct faulty_store *)store;
	int err;

	f->commits++;
	if (is_time(&f->fail_commit, f->fail_always))
		return CVTPM_ERR_STORE;
	err = cvtpm_store_commit(f->inner, changes, count);
	store->generation = f->inner->generation;
	return err;
}

static int faulty_list(struct cvtpm_store *store, const char *prefix,
		       int (*each)(void *context, const char *key, size_t value_len), void *context)
{
	return cvtpm_store_list(((struct faulty_store *)store)->inner, prefix, each, context);
}

static void faulty_close(struct cvtpm_store *store)
{
	(void)store;
}

static const struct cvtpm_store_ops faulty_ops = {
	.get = faulty_get,
	.commit = faulty_commit,
	.list = faulty_list,
	.close = faulty_close,
};

struct cvtpm_store *faulty_store_init(struct faulty_store *faulty, struct cvtpm_store *inner)
{
	*faulty = (struct faulty_store){
		.store = {.ops = &faulty_ops, .kind = inner->kind, .generation = inner->generation},
		.inner = inner,
	};
	return &faulty->store;
}
