/* A filter of system calls: what a TPM that serves never does. */
#ifndef CVTPM_CLI_SWTPM_SECCOMP_H
#define CVTPM_CLI_SWTPM_SECCOMP_H

enum swtpm_seccomp {
	SWTPM_SECCOMP_NONE,
	SWTPM_SECCOMP_LOG,  /* the kernel logs the call, and carries it out */
	SWTPM_SECCOMP_KILL, /* the kernel ends the process (SIGSYS) */
};

/** From now on, and for all threads of the process: new programs and processes, looking into
 *  others, mounts, modules, names, clocks and the like are answered with `action`. Nothing takes
 *  that back. 0, or -1 and errno: there is no filter. */
int swtpm_seccomp_begin(enum swtpm_seccomp action);

#endif
