/*
 * The journal: what a command changes, so that it can be put back.
 *
 * A stack of notes, each the old bytes and, behind them, where they belong:
 *
 *     | old bytes | at, len | old bytes | at, len |
 *                                                 ^ used
 *
 * so that undo walks it from the end, and a place that was noted twice gets its
 * oldest bytes back.
 */
#include "tpm/tpm.h"

#include "crypto/mem.h"

struct note {
	void *at;
	size_t len;
};

void undo_note(struct tpm *t, void *at, size_t len)
{
	struct journal *j = &t->journal;
	struct note note = {at, len};

	if (j->overflow || JOURNAL_SIZE - j->used < len + sizeof note) {
		j->overflow = true;
		return;
	}
	memcpy(j->bytes + j->used, at, len);
	memcpy(j->bytes + j->used + len, &note, sizeof note);
	j->used += len + sizeof note;
}

void undo_all(struct tpm *t)
{
	struct journal *j = &t->journal;

	if (j->overflow)
		tpm_fail(t, "a command changed more than can be undone");
	while (j->used) {
		struct note note;

		j->used -= sizeof note;
		memcpy(&note, j->bytes + j->used, sizeof note);
		j->used -= note.len;
		memcpy(note.at, j->bytes + j->used, note.len);
		cvtpm_wipe(j->bytes + j->used, note.len + sizeof note);
	}
	j->overflow = false;
}

void undo_forget(struct tpm *t)
{
	cvtpm_wipe(t->journal.bytes, t->journal.used);
	t->journal.used = 0;
	t->journal.overflow = false;
}
