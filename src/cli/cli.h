/* What the subcommands of the program share. Hosted. */
#ifndef CVTPM_CLI_H
#define CVTPM_CLI_H

#include <stdbool.h>

/* Exit statuses, the same for every subcommand. */
enum cli_exit {
	CLI_YES = 0,     /* done, or: to be trusted */
	CLI_NO = 1,      /* refused */
	CLI_FAULT = 2,   /* wrong usage, or something of this machine failed */
	CLI_UNKNOWN = 3, /* could not tell: something needed was missing */
};

struct cli_command {
	const char *name;
	const char *summary;               /* one line for `cvtpm --help` */
	int (*run)(int argc, char **argv); /* argv[0] is "cvtpm NAME"; returns enum cli_exit */
};

int cmd_serve(int argc, char **argv);
int cmd_manufacture(int argc, char **argv);
int cmd_attest(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_keylime(int argc, char **argv); /* `verify --keylime` */
int cmd_policy(int argc, char **argv);
int cmd_ca(int argc, char **argv);
int cmd_crb_client(int argc, char **argv);
int cmd_acpi(int argc, char **argv);
int cmd_qemu_args(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_swtpm(int argc, char **argv);

/** Whether a program of this name is one of swtpm's work-alikes; runs it. */
bool swtpm_is_program(const char *name);
int swtpm_run_program(const char *name, int argc, char **argv);

/* One line on standard error, "cvtpm NAME: ...": what failed, with which value,
 * and what to do about it. */
__attribute__((format(printf, 1, 2))) void cli_error(const char *format, ...);

#endif
