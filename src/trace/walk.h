/* How a message's bytes become nodes: the types' tables, read for the eye. */
#ifndef CVTPM_TRACE_WALK_H
#define CVTPM_TRACE_WALK_H

#include "trace/message.h"

struct walk {
	struct trace_message *m;
	size_t at, end; /* what may be read: to `end` */
	size_t limit;   /* how far what cannot be decoded reaches */
	tpm_rc number;  /* what makes a refusal a parameter's, a handle's, a session's */
	uint8_t part, depth;
	bool secret, inside;
	struct trace_node nowhere; /* what there is no memory for */
};

/** Adds nodes for a value of `type`. `plus` as for type_read. False: what follows it cannot be
 *  found; the rest up to `limit` is a broken node then. */
bool walk_type(struct walk *w, const char *name, const struct type *type, bool plus);
/** The same of a number, which `*value` then is. */
bool walk_number(struct walk *w, const char *name, const struct type *type, bool plus,
		 uint64_t *value);
/** A TPM2B whose bytes are a session's ciphertext. */
bool walk_encrypted(struct walk *w, const struct field *field);
/** Begins and ends a group; between them the nodes in it are added. */
size_t walk_open(struct walk *w, const char *name, const struct type *type);
void walk_close(struct walk *w, size_t group);
/** The bytes up to `limit`, undecoded, under that name. */
size_t walk_rest(struct walk *w, const char *name);
/** What the last nodes hold is refused: the first refusal is the message's fault. The code
 *  is one that gets a number (format one). */
void walk_refuse(struct walk *w, size_t node, tpm_rc rc);
/** The same with a code that stands as it is. */
void walk_refuse_plain(struct walk *w, size_t node, tpm_rc rc);

#endif
