/* The filter of system calls: what it ends at, what it lets through. */
#include "cli/swtpm_seccomp.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void call_exec(void)
{
	char *arguments[] = {NULL};

	execve("/bin/true", arguments, arguments);
}

static void call_fork(void)
{
	(void)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static void call_ptrace(void)
{
	(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void call_mount(void)
{
	(void)mount("none", "/nonexistent", "tmpfs", 0, NULL);
}

static void call_unshare(void)
{
	(void)unshare(CLONE_NEWUSER);
}

static void call_setuid(void)
{
	(void)syscall(SYS_setuid, getuid());
}

/* The 32-bit table has other numbers: int 0x80 must not be a way round. */
static void call_other_architecture(void)
{
#ifdef __x86_64__
	long number = 11; /* execve there */

	__asm__ volatile("int $0x80" : "+a"(number) : "b"(0L), "c"(0L), "d"(0L) : "memory");
#else
	call_exec();
#endif
}

static void call_usual(void)
{
	char byte = 0;
	int ends[2];

	if (pipe(ends) < 0 || write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1)
		_exit(9);
}

/* How a process ends that begins the filter and makes the call: a signal, or minus its status. */
static int ends_with(enum swtpm_seccomp action, void (*call)(void))
{
	const pid_t child = fork();
	int status;

	if (child == 0) {
		if (swtpm_seccomp_begin(action) < 0)
			_exit(errno == ENOSYS || errno == EINVAL ? 77 : 8);
		call();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static void what_a_tpm_never_does_ends_it(void **state)
{
	void (*const calls[])(void) = {call_exec,
				       call_fork,
				       call_ptrace,
				       call_mount,
				       call_unshare,
				       call_setuid,
				       call_other_architecture};

	(void)state;
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		assert_int_equal(ends_with(SWTPM_SECCOMP_KILL, calls[i]), SIGSYS);
}

static void what_it_does_goes_on(void **state)
{
	(void)state;
	assert_int_equal(ends_with(SWTPM_SECCOMP_KILL, call_usual), 0);
}

static void logging_lets_through_and_none_is_none(void **state)
{
	(void)state;
	assert_int_equal(ends_with(SWTPM_SECCOMP_LOG, call_ptrace), 0);
	assert_int_equal(ends_with(SWTPM_SECCOMP_LOG, call_usual), 0);
	assert_int_equal(ends_with(SWTPM_SECCOMP_NONE, call_ptrace), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_tpm_never_does_ends_it),
		cmocka_unit_test(what_it_does_goes_on),
		cmocka_unit_test(logging_lets_through_and_none_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
