/*
 * Commands as data. commands.def describes each command's interface once; this
 * header makes from it the C structures of parameters, the prototypes of the
 * bodies, and, in command.c, the table that everything else works from: dispatch,
 * TPMA_CC and TPM_CAP_COMMANDS, the client's encoder, traces, fuzzing, and the
 * page on what of the specification is covered.
 *
 *     struct NV_Read_in     authHandle, nvIndex, size, offset
 *     struct NV_Read_out    data
 *     tpm_rc TPM2_NV_Read(struct tpm *, struct NV_Read_in *, struct NV_Read_out *)
 *
 * `in` may be changed by the body: it is scratch, wiped afterwards, as is `out`.
 */
#ifndef CVTPM_TPM_COMMAND_H
#define CVTPM_TPM_COMMAND_H

#include "tpm/type.h"

struct tpm;

/* Part 1, 19.2: who may authorise. NONE: a handle that needs no authorisation. */
enum role { NONE, USER, ADMIN, DUP };

enum {
	CC_NV = 1 << 0,
	CC_EXTENSIVE = 1 << 1,
	CC_FLUSHED = 1 << 2,
	CC_RHANDLE = 1 << 3,
	CC_NO_SESSIONS = 1 << 4,
	CC_EARLY = 1 << 5,
	CC_FAILURE = 1 << 6,
	CC_PP = 1 << 7,
	CC_PP_ALWAYS = 1 << 8,
};

/* Part 2, 6.5.2: all codes are from here to there. */
#define TPM_CC_FIRST 0x11Fu
#define TPM_CC_LAST  0x19Au

struct command_handle {
	const struct type *type; /* NULL: no more handles */
	const char *name;
	uint8_t role; /* enum role */
	bool plus;
};

struct command {
	const char *name; /* without TPM2_ */
	TPM_CC code;
	uint32_t flags;     /* CC_* */
	const char *clause; /* of Part 3 */
	struct command_handle handles[MAX_HANDLE_NUM + 1];
	const struct field *in, *out;
	uint16_t in_size, out_size; /* of the C structures */
	tpm_rc (*run)(struct tpm *t, void *in, void *out);
};

/* In memory, handles come first in `in` and the response's handle first in `out`;
 * the fields follow, laid out as a C structure of their own. */
#define IN_FIELDS(in)   ((void *)((uint8_t *)(in) + 4 * sizeof(TPM_HANDLE)))
#define OUT_FIELDS(out) ((void *)((uint8_t *)(out) + sizeof(uint64_t)))

/* ---- structures and prototypes ---- */

/* clang-format off */
#define FIELD(type, name)                type name;
#define PLUS(type, name)                 type name;
#define SECRET(type, name)               type name;
#define AUTH(role, type, name)           type name;
#define AUTH_PLUS(role, type, name)      type name;
#define BARE(type, name)                 type name;
#define BARE_PLUS(type, name)            type name;
#define HANDLES(...)                     union { TPM_HANDLE handle[4]; struct { __VA_ARGS__ }; };
#define NO_HANDLES                       TPM_HANDLE handle[4];
#define IN(...)                          struct { __VA_ARGS__ };
#define NO_IN
#define OUT(...)                         struct { __VA_ARGS__ };
#define NO_OUT
#define COMMAND(name, code, clause, flags, handles, in, out)                                       \
	struct name##_in {                                                                         \
		_Alignas(8) handles in                                                             \
	};                                                                                         \
	struct name##_out {                                                                        \
		union {                                                                            \
			TPM_HANDLE handle;                                                         \
			uint64_t align_;                                                           \
		};                                                                                 \
		out                                                                                \
	};                                                                                         \
	tpm_rc TPM2_##name(struct tpm *t, struct name##_in *in_, struct name##_out *out_);
#include "tpm/commands.def"
#undef COMMAND
/* clang-format on */

#define COMMAND(name, ...) struct name##_in name;
union command_in {
	TPM_HANDLE handle[4];
#include "tpm/commands.def"
};
#undef COMMAND
#define COMMAND(name, ...) struct name##_out name;
union command_out {
	TPM_HANDLE handle;
#include "tpm/commands.def"
};
#undef COMMAND

#define COMMAND(name, code, ...) TPM_CC_##name = code,
enum {
#include "tpm/commands.def"
};
#include "tpm/commands_end.h"

/* The head of a body: NV_Read's is COMMAND_BODY(NV_Read). Gives it t, in, out. */
#define COMMAND_BODY(name)                                                                         \
	tpm_rc TPM2_##name(struct tpm *t __attribute__((unused)),                                  \
			   struct name##_in *in __attribute__((unused)),                           \
			   struct name##_out *out __attribute__((unused)))

/* ---- the table ---- */

extern const struct command *const commands[]; /* in ascending order of codes */
extern const size_t command_count;

/** The command with that code, or NULL. */
const struct command *command_find(TPM_CC code);
/** Its number of handles, and of those (always the first) that need authorisation. */
unsigned command_handles(const struct command *command);
unsigned command_auths(const struct command *command);
/** Its attributes as TPM_CAP_COMMANDS has them. */
TPMA_CC command_attributes(const struct command *command);

#endif
