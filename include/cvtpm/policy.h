/*
 * A verifier's policy as a file of JSON.
 *
 * docs/policy.md lists every member. What a file does not mention is as strict as
 * without a file: the file `{}` is struct cvtpm_policy with all members zero, which
 * refuses debugging, migration and every VMPL but 0, and never says yes. A member
 * adds a rule; the few that allow something say so in their name.
 *
 * A file is read strictly. Members that are not known, given twice, of another
 * type, out of range or of another length are errors, as are rules that contradict
 * each other: one line that names file, line and member, with what to write.
 * Members whose name begins with "_comment" are for people: strings or lists of
 * strings, allowed in every object, ignored.
 *
 * A policy is one block of memory to its owner: made by a load, freed by
 * cvtpm_policy_free(), never written in between, so that any number of threads may
 * verify with it.
 *
 * Hosted (jansson, OpenSSL 3).
 */
#ifndef CVTPM_POLICY_H
#define CVTPM_POLICY_H

#include "cvtpm/evidence.h"

#define CVTPM_POLICY_MAX_SIZE   ((size_t)1 << 20)
#define CVTPM_POLICY_ERROR_SIZE 512

/** Reads a policy. `name` is for messages and becomes policy->name. Files that it names
 *  are looked for in the folder `dir` unless their path is absolute; NULL: it must name none.
 *  CVTPM_ERR_FORMAT: not a policy; CVTPM_ERR_IO: a file that it names cannot be read;
 *  CVTPM_ERR_NO_MEMORY. Otherwise than with 0, `error` has one line of printable ASCII, which
 *  begins with `name` and the line where the text is at fault, and *policy is NULL. */
int cvtpm_policy_read(const char *json, size_t len, const char *name, const char *dir,
		      struct cvtpm_policy **policy, char error[CVTPM_POLICY_ERROR_SIZE]);

/** The same from a file, whose folder is `dir`. */
int cvtpm_policy_load(const char *path, struct cvtpm_policy **policy,
		      char error[CVTPM_POLICY_ERROR_SIZE]);

/** Frees what cvtpm_policy_read() or cvtpm_policy_load() made; NULL is allowed. */
void cvtpm_policy_free(struct cvtpm_policy *policy);

/** What a policy means, in sentences, a line each. To be freed by the caller; NULL: no
 *  memory. */
char *cvtpm_policy_text(const struct cvtpm_policy *policy);

/* From what cvtpm_policy_write_starter() makes a policy. */
struct cvtpm_policy_starter {
	const uint8_t *report; /* SNP_REPORT_SIZE bytes of a report that is known to be good */
	const char *source;    /* for comments: the file that it came from */
	const char *measurement_name;   /* NULL: made from `source` */
	enum cvtpm_isolation isolation; /* of the image; no evidence can tell */
	enum cvtpm_product product; /* for reports of version 2, which do not tell; else UNKNOWN */
	unsigned ek_algorithms;     /* of enum cvtpm_ek; 0: no rule */
};

/** Writes a commented policy that this report meets and that is otherwise as tight as
 *  is sensible; what ties it to one machine or one boot stands in comments. `*json` is
 *  to be freed by the caller. Nothing about the report is proven by this.
 *  CVTPM_ERR_FORMAT: not a report of version 2 to 5, or one that contradicts `product`;
 *  CVTPM_ERR_NO_MEMORY. */
int cvtpm_policy_write_starter(const struct cvtpm_policy_starter *starter, char **json);

#endif
