/*
 * The TPM as it runs, as a record: for snapshots and migration.
 *
 *     version, 16 bits | tpm_running_2, in version 1 tpm_running | sessions: 0, or 1
 *     and tpm_session, in the order of their slots | objects: enum slot_use, and
 *     tpm_object or tpm_saved_sequence, likewise
 *
 * What is not here is in the other records, or made anew: the DRBG is never copied,
 * so that a snapshot that is loaded twice does not draw the same numbers twice.
 */
#include "tpm/tpm.h"

#include "crypto/mem.h"

#define RUNNING_VERSION 2

static void write_running(struct tpm *t, struct writer *w)
{
	struct tpm_running_2 *all = &t->commit.check.running;
	struct tpm_running *run = &all->rest;

	run->started = t->started;
	run->failed = t->failed;
	run->established = t->established;
	run->wasOrderly = t->was_orderly;
	run->pcrAllocated = t->pcr_allocated;
	run->startupLocality = t->startup_locality;
	run->time = clock_time(t);
	run->epoch = t->epoch;
	run->selfHeal = t->self_heal_ms;
	run->lockoutHeal = t->lockout_heal_ms;
	run->exclusive = t->exclusive;
	run->pcrs = t->pcrs;
	run->pcrBanks = t->pcr_banks;
	run->contexts = t->contexts;
	all->ephemerals = t->ephemerals;
	type_write(&type_tpm_running_2, all, w);
	cvtpm_wipe(all, sizeof *all);
}

static void write_slot(struct tpm *t, const struct tpm_slot *slot, struct writer *w)
{
	write_u8(w, slot->use);
	if (slot->use == SLOT_OBJECT)
		type_write(&type_tpm_object, &slot->object, w);
	if (slot->use == SLOT_SEQUENCE) {
		sequence_save(&slot->sequence, &t->commit.check.sequence);
		type_write(&type_tpm_saved_sequence, &t->commit.check.sequence, w);
		cvtpm_wipe(&t->commit.check, sizeof t->commit.check);
	}
}

size_t running_write(struct tpm *t, uint8_t *out, size_t capacity)
{
	struct writer w = {out, capacity, false};

	write_u16(&w, RUNNING_VERSION);
	write_running(t, &w);
	for (size_t i = 0; i < MAX_LOADED_SESSIONS; i++) {
		write_u8(&w, t->sessions[i].in_use);
		if (t->sessions[i].in_use)
			type_write(&type_tpm_session, &t->sessions[i].s, &w);
	}
	for (size_t i = 0; i < MAX_LOADED_OBJECTS; i++)
		write_slot(t, &t->objects[i], &w);
	return w.overflow ? 0 : capacity - w.left;
}

/* Everything is read twice, first into scratch: a record is taken whole or not at all. */

static int read_head(struct tpm *t, struct reader *r)
{
	const struct type *type;
	uint16_t version;

	if (read_u16(r, &version) || version == 0 || version > RUNNING_VERSION)
		return CVTPM_ERR_FORMAT;
	type = version == 1 ? &type_tpm_running : &type_tpm_running_2;
	return type_read(type, &t->commit.check.running, r, false) ? CVTPM_ERR_FORMAT : 0;
}

static int read_session(struct reader *r, struct tpm_session_slot *slot)
{
	uint8_t in_use;

	if (read_u8(r, &in_use) || in_use > 1)
		return CVTPM_ERR_FORMAT;
	slot->in_use = in_use;
	if (in_use && type_read(&type_tpm_session, &slot->s, r, false))
		return CVTPM_ERR_FORMAT;
	return 0;
}

static int read_slot(struct tpm *t, struct reader *r, struct tpm_slot *slot)
{
	if (read_u8(r, &slot->use))
		return CVTPM_ERR_FORMAT;
	slot->used = slot->use != SLOT_FREE;
	switch (slot->use) {
	case SLOT_FREE:
		return 0;
	case SLOT_OBJECT:
		return type_read(&type_tpm_object, &slot->object, r, true) ? CVTPM_ERR_FORMAT : 0;
	case SLOT_SEQUENCE:
		if (type_read(&type_tpm_saved_sequence, &t->commit.check.sequence, r, false))
			return CVTPM_ERR_FORMAT;
		return sequence_restore(&t->commit.check.sequence, &slot->sequence);
	default:
		return CVTPM_ERR_FORMAT;
	}
}

int running_check(struct tpm *t, const uint8_t *bytes, size_t len)
{
	struct reader r = {bytes, len};
	int err = read_head(t, &r);

	for (size_t i = 0; i < MAX_LOADED_SESSIONS && !err; i++)
		err = read_session(&r, &t->commit.check.session_slot);
	for (size_t i = 0; i < MAX_LOADED_OBJECTS && !err; i++) {
		struct tpm_slot *slot = &t->objects[0]; /* powered off: free */

		err = read_slot(t, &r, slot);
		cvtpm_wipe(slot, sizeof *slot);
	}
	cvtpm_wipe(&t->commit.check, sizeof t->commit.check);
	return err ? err : r.left ? CVTPM_ERR_FORMAT : 0;
}

static void take_running(struct tpm *t)
{
	const struct tpm_running *run = &t->commit.check.running.rest;

	t->ephemerals = t->commit.check.running.ephemerals;
	t->started = run->started;
	t->failed = run->failed;
	t->established = run->established;
	t->was_orderly = run->wasOrderly;
	t->pcr_allocated = run->pcrAllocated;
	t->startup_locality = run->startupLocality;
	t->time = run->time; /* goes on from where it stopped */
	t->epoch = run->epoch;
	t->self_heal_ms = run->selfHeal;
	t->lockout_heal_ms = run->lockoutHeal;
	t->exclusive = run->exclusive;
	t->pcrs = run->pcrs;
	t->pcr_banks = run->pcrBanks;
	t->contexts = run->contexts;
}

int running_read(struct tpm *t, const uint8_t *bytes, size_t len)
{
	struct reader r = {bytes, len};

	if (ephemeral_reset(t))
		return CVTPM_ERR_ENTROPY;
	t->commit.check.running.ephemerals = t->ephemerals; /* where version 1 has none */
	CVTPM_TRY(read_head(t, &r));
	take_running(t);
	for (size_t i = 0; i < MAX_LOADED_SESSIONS; i++)
		CVTPM_TRY(read_session(&r, &t->sessions[i]));
	for (size_t i = 0; i < MAX_LOADED_OBJECTS; i++)
		CVTPM_TRY(read_slot(t, &r, &t->objects[i]));
	cvtpm_wipe(&t->commit.check, sizeof t->commit.check);
	return r.left ? CVTPM_ERR_FORMAT : 0;
}
