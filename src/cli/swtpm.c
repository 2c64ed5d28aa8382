/* Which of swtpm's programs is meant: by name, or as `cvtpm swtpm NAME`. */
#include "cli/swtpm.h"
#include "cli/cli.h"

#include <errno.h>
#include <string.h>

static int socket_main(int argc, char **argv)
{
	return cmd_swtpm_serve(argc, argv, false);
}

static int chardev_main(int argc, char **argv)
{
	return cmd_swtpm_serve(argc, argv, true);
}

static const struct part {
	const char *name;    /* as `cvtpm swtpm NAME` and, of the first two, `swtpm NAME` */
	const char *program; /* as a program of its own; NULL: is none */
	int (*run)(int argc, char **argv);
} parts[] = {
	{"socket", NULL, socket_main},
	{"chardev", NULL, chardev_main},
	{"setup", "swtpm_setup", cmd_swtpm_setup},
	{"ioctl", "swtpm_ioctl", cmd_swtpm_ioctl},
};

static int say_help(const char *name, bool is_program)
{
	printf("Usage: %s socket|chardev%s [OPTION...]\n"
	       "\n"
	       "A TPM 2.0 with the command line of swtpm, for QEMU and libvirt.\n"
	       "\n"
	       "  socket   serve it on sockets\n"
	       "  chardev  serve it on a character device\n",
	       name, is_program ? "" : "|setup|ioctl");
	if (!is_program)
		puts("  setup    make one, as swtpm_setup\n"
		     "  ioctl    talk to its control channel, as swtpm_ioctl");
	printf("\n"
	       "`%s socket --help` says more.\n"
	       "Exit status: 0 yes, 1 refused, 2 wrong usage or a fault.\n",
	       name);
	return CLI_YES;
}

/* `name` is what messages begin with; argv[1] says what is to be done. */
static int run_part(const char *name, bool is_program, int argc, char **argv)
{
	char shown[64];

	program_invocation_name = program_invocation_short_name = argv[0];
	if (argc < 2) {
		cli_error("socket%s or chardev is missing; `%s --help` says more",
			  is_program ? "" : ", setup, ioctl", name);
		return CLI_FAULT;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return say_help(name, is_program);
	if (strcmp(argv[1], "cuse") == 0) {
		cli_error("the cuse interface is not offered: use socket, or `cvtpm serve`");
		return CLI_FAULT;
	}
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		if (strcmp(argv[1], parts[i].name) != 0 || (is_program && parts[i].program))
			continue;
		snprintf(shown, sizeof shown, "%s %s", name, parts[i].name);
		program_invocation_name = program_invocation_short_name = argv[1] = shown;
		return parts[i].run(argc - 1, argv + 1);
	}
	if (strcmp(argv[1], "--version") == 0)
		return cmd_swtpm_serve(argc, argv, false);
	cli_error("'%s' is not known here; `%s --help` says more", argv[1], name);
	return CLI_FAULT;
}

int cmd_swtpm(int argc, char **argv)
{
	return run_part("cvtpm swtpm", false, argc, argv);
}

bool swtpm_is_program(const char *name)
{
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (parts[i].program && strcmp(parts[i].program, name) == 0)
			return true;
	return strcmp(name, "swtpm") == 0;
}

int swtpm_run_program(const char *name, int argc, char **argv)
{
	char shown[64];

	argp_err_exit_status = CLI_FAULT;
	snprintf(shown, sizeof shown, "%s", name);
	program_invocation_name = program_invocation_short_name = argv[0] = shown;
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (parts[i].program && strcmp(parts[i].program, name) == 0)
			return parts[i].run(argc, argv);
	return run_part("swtpm", true, argc, argv);
}
