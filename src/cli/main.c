/*
 * The program `cvtpm`: picks the subcommand, and nothing else.
 */
#include "cli/cli.h"
#include "cli/config.h"
#include "crypto/crypto.h"
#include "cvtpm/engine.h"

#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct cli_command commands[] = {
	{"serve", "run a TPM: sockets, the simulator's protocol, a CRB page", cmd_serve},
	{"manufacture", "make a persistent TPM with its certificates, once", cmd_manufacture},
	{"attest", "gather a machine's evidence into one file, answer a challenge", cmd_attest},
	{"verify", "check reports, certificates and a TPM's evidence", cmd_verify},
	{"policy", "write and check policies for verify", cmd_policy},
	{"ca", "a certification authority that signs EKs it has verified", cmd_ca},
	{"acpi", "write the ACPI tables by which a guest finds a CRB page", cmd_acpi},
	{"qemu-args", "print QEMU's arguments for a guest at a CRB page", cmd_qemu_args},
	{"crb-client", "send commands through a CRB page, as a driver does", cmd_crb_client},
	{"trace", "show TPM traffic in words", cmd_trace},
	{"swtpm", "the command lines of swtpm, swtpm_setup and swtpm_ioctl", cmd_swtpm},
};

#define COMMANDS (sizeof commands / sizeof commands[0])

static int say_help(void)
{
	puts("Usage: cvtpm COMMAND [OPTION...]\n"
	     "\n"
	     "A virtual TPM 2.0 that a confidential virtual machine can trust.\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-12s %s\n", commands[i].name, commands[i].summary);
	puts("\n"
	     "Example, a TPM for this machine's tools:\n"
	     "  cvtpm serve --lab --mssim 127.0.0.1:2321 --startup clear &\n"
	     "  tpm2_getrandom -T mssim:host=127.0.0.1,port=2321 --hex 8\n"
	     "\n"
	     "`cvtpm COMMAND --help` says more; `cvtpm --version` what is inside.\n"
	     "Exit status: 0 yes, 1 refused, 2 wrong usage or a fault, 3 could not tell.");
	return CLI_YES;
}

static int say_version(void)
{
	printf("cvtpm %s\n", CVTPM_VERSION);
	for (const char *name = CVTPM_ENGINES; *name; name += strlen(name) + 1)
		printf("engine %s: %s\n", name, cvtpm_engine_find(name)->version());
	printf("crypto: %s\n", cvtpm_crypto_version());
	return CLI_YES;
}

static int run_command(const struct cli_command *command, int argc, char **argv)
{
	char name[64];

	/* argp and cli_error take the name from here. */
	snprintf(name, sizeof name, "cvtpm %s", command->name);
	program_invocation_name = program_invocation_short_name = name;
	argv[0] = name;
	return command->run(argc, argv);
}

static const char *own_name(int argc, char **argv)
{
	const char *name = argc > 0 ? strrchr(argv[0], '/') : NULL;

	return name ? name + 1 : argc > 0 ? argv[0] : "";
}

int main(int argc, char **argv)
{
	const char *name = own_name(argc, argv);

	/* Keylime runs its ek_check_script without arguments: so it has a name of its own. */
	if (strcmp(name, "cvtpm-keylime-ek-check") == 0)
		return cmd_keylime(argc, argv);
	if (swtpm_is_program(name)) /* links in a folder of their own */
		return swtpm_run_program(name, argc, argv);
	argp_err_exit_status = CLI_FAULT;
	program_invocation_name = program_invocation_short_name = (char[]){"cvtpm"};

	if (argc < 2) {
		cli_error("a command is missing; `cvtpm --help` lists them");
		return CLI_FAULT;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0 ||
	    strcmp(argv[1], "help") == 0)
		return say_help();
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		return say_version();
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return run_command(&commands[i], argc - 1, argv + 1);
	cli_error("'%s' is not a command; `cvtpm --help` lists them", argv[1]);
	return CLI_FAULT;
}
