/*
 * The response codes of each command (codes.def) are those that the tests of the
 * chapters provoke: none is missing, and none is answered that the table does not have.
 *
 *     test_codes PROGRAM ...    the tests of the chapters, which are run here
 *
 * What they see is written by the rig where CVTPM_TEST_CODES names a file.
 */
#include "rig.h"

#include "tpm/command.h"
#include "tpm/spec.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CODES 0x1000 /* all response codes are below */

enum kind { PLAIN, HANDLE_, SESSION_, PARAMETER_ };

/* One row of the table: of a command, or (command 0) of any. */
struct row {
	TPM_CC command;
	tpm_rc code;
	const char *reason; /* why it is never answered; NULL: it is provoked */
	bool none;          /* the command has no codes of its own */
	enum kind kind;     /* of a code of any command */
};

static const struct row rows[] = {
#define PROVOKED(name, code)          {.command = TPM_CC_##name, (code)},
#define OTHERWISE(name, code, reason) {.command = TPM_CC_##name, (code), reason},
#define NONE(name)                    {.command = TPM_CC_##name, .none = true},
#define ANY(kind_, code)              {0, (code), .kind = (kind_)},
#define NEVER(code, reason)           {0, (code), reason},
#include "codes.def"
};

#define ROWS (sizeof rows / sizeof *rows)

/* What was answered to each command, and to what is none. */
struct seen {
	bool by_command[128][CODES];
	bool by_any[CODES];
};

/* ---- codes and their numbers ---- */

static enum kind kind_of(tpm_rc code)
{
	if (!(code & RC_FMT1) || !(code & 0xF00))
		return PLAIN;
	if (code & 0x040)
		return PARAMETER_;
	return code & 0x800 ? SESSION_ : HANDLE_;
}

/* The code without the number of a parameter, handle or session. */
static tpm_rc bare(tpm_rc code)
{
	return code & RC_FMT1 ? code & 0x0BF : code;
}

/* ---- what the chapters see ---- */

/* The tests' programs, and what they saw. */
struct chapters {
	char **programs; /* ends with NULL */
	struct seen *seen;
};

static size_t index_of(TPM_CC code)
{
	size_t i = 0;

	while (i < command_count && commands[i]->code != code)
		i++;
	return i;
}

static void run(const char *program, const char *file)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		setenv("CVTPM_TEST_CODES", file, 1);
		setenv("CVTPM_TEST_ENGINE", "native", 1);
		if (!freopen("/dev/null", "w", stdout))
			_exit(2);
		execl(program, program, (char *)NULL);
		_exit(2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (status)
		fail_msg("%s fails when it is run by itself, too", program);
}

static void read_file(const char *name, struct seen *seen)
{
	FILE *file = fopen(name, "r");
	unsigned command, code;

	assert_non_null(file);
	while (fscanf(file, "%8x %8x", &command, &code) == 2) {
		size_t i = index_of(command);

		assert_true(code < CODES);
		seen->by_any[code] = true;
		if (i < command_count)
			seen->by_command[i][code] = true;
	}
	assert_true(feof(file));
	fclose(file);
}

/* ---- the tests ---- */

static void chapters_pass(void **state)
{
	const struct chapters *c = *state;
	char file[] = "/tmp/cvtpm-codes-XXXXXX";
	int fd = mkstemp(file);

	assert_true(fd >= 0);
	close(fd);
	for (char **program = c->programs; *program; program++)
		run(*program, file);
	read_file(file, c->seen);
	unlink(file);
}

static void print(const char *what, const char *of, tpm_rc code)
{
	fprintf(stderr, "%s%s: %03x, %s\n", *of ? "TPM2_" : "", of, code, what);
}

static bool any_row_has(tpm_rc code)
{
	for (size_t i = 0; i < ROWS; i++)
		if (!rows[i].command && !rows[i].reason && rows[i].kind == kind_of(code) &&
		    rows[i].code == bare(code))
			return true;
	return false;
}

static bool command_row_has(TPM_CC command, tpm_rc code)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].command == command && !rows[i].none && !rows[i].reason &&
		    rows[i].code == code)
			return true;
	return false;
}

/* Was the code seen, with whatever number? */
static bool seen_bare(const bool *answers, tpm_rc code)
{
	for (tpm_rc rc = 0; rc < CODES; rc++)
		if (answers[rc] && bare(rc) == code)
			return true;
	return false;
}

/* Does it ever, or has TPM_RC_SUCCESS a row that says why not? */
static bool succeeds(TPM_CC command)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].command == command && rows[i].reason && rows[i].code == TPM_RC_SUCCESS)
			return false;
	return true;
}

/* The codes of a command: all that the table has are provoked, and no others. */
static void command_codes(void **state)
{
	const struct seen *seen = ((const void **)*state)[0];
	const struct command *c = ((const void **)*state)[1];
	const bool *answers = seen->by_command[index_of(c->code)];
	unsigned wrong = 0;

	for (size_t i = 0; i < ROWS; i++) {
		if (rows[i].command != c->code || rows[i].none || rows[i].reason)
			continue;
		if (!answers[rows[i].code]) {
			print("is not provoked", c->name, rows[i].code);
			wrong++;
		}
	}
	for (tpm_rc rc = 1; rc < CODES; rc++)
		if (answers[rc] && !command_row_has(c->code, rc) && !any_row_has(rc)) {
			print("was answered and is not in the table", c->name, rc);
			wrong++;
		}
	assert_int_equal(wrong, 0);
	assert_int_equal(answers[TPM_RC_SUCCESS], succeeds(c->code));
}

/* What a row says is never answered is not: of its command with another number than other
 * rows have, of any command at all. */
static void never_answered(void **state)
{
	const struct seen *seen = *state;

	for (size_t i = 0; i < ROWS; i++) {
		const struct row *r = &rows[i];

		if (!r->reason)
			continue;
		assert_true(strlen(r->reason) > 20 && r->reason[strlen(r->reason) - 1] == '.');
		if (!r->command) {
			if (seen_bare(seen->by_any, r->code))
				fail_msg("%03x was answered", r->code);
			continue;
		}
		for (tpm_rc rc = 0; rc < CODES; rc++)
			if (seen->by_command[index_of(r->command)][rc] && bare(rc) == r->code &&
			    !any_row_has(rc))
				fail_msg("%03x was answered to %08x", rc, r->command);
	}
}

/* Codes of no command in particular. */
static void general_codes(void **state)
{
	const struct seen *seen = *state;
	unsigned wrong = 0;

	for (size_t i = 0; i < ROWS; i++) {
		const struct row *r = &rows[i];
		bool found = false;

		if (r->command || r->reason)
			continue;
		for (tpm_rc rc = 0; rc < CODES; rc++)
			found |= seen->by_any[rc] && bare(rc) == r->code && kind_of(rc) == r->kind;
		if (!found) {
			print("is not provoked", "", r->code);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

/* Every command has a row, and no row is there twice. */
static void table_is_whole(void **state)
{
	(void)state;
	for (size_t c = 0; c < command_count; c++) {
		unsigned count = 0;

		for (size_t i = 0; i < ROWS; i++)
			count += rows[i].command == commands[c]->code;
		if (!count)
			fail_msg("TPM2_%s has no row", commands[c]->name);
	}
	for (size_t i = 0; i < ROWS; i++)
		for (size_t k = 0; k < i; k++)
			if (rows[i].command == rows[k].command && rows[i].code == rows[k].code &&
			    rows[i].kind == rows[k].kind)
				fail_msg("two rows of %08x, %03x", rows[i].command, rows[i].code);
}

int main(int argc, char **argv)
{
	static struct seen seen;
	struct chapters chapters = {argv + 1, &seen};
	const void *states[128][2];
	struct CMUnitTest tests[128 + 4] = {
		{"chapters_pass", chapters_pass, NULL, NULL, &chapters},
		{"table_is_whole", table_is_whole, NULL, NULL, NULL},
		{"general_codes", general_codes, NULL, NULL, &seen},
		{"never_answered", never_answered, NULL, NULL, &seen},
	};

	if (argc < 2 || command_count > 128)
		return 2;
	for (size_t i = 0; i < command_count; i++) {
		states[i][0] = &seen;
		states[i][1] = commands[i];
		tests[4 + i] = (struct CMUnitTest){commands[i]->name, command_codes, NULL, NULL,
						   states[i]};
	}
	return _cmocka_run_group_tests("codes", tests, 4 + command_count, NULL, NULL);
}
