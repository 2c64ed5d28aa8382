#include "cvtpm/serve.h"

#include "crypto/crypto.h"
#include "cvtpm/platform.h"
#include "host/log.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool may_lock_without_limit(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY)
		return true;
	return syscall(SYS_capget, &header, data) == 0 &&
	       (data[0].effective & (1U << CAP_IPC_LOCK)) != 0;
}

void cvtpm_harden_process(const struct cvtpm_platform *platform)
{
	const struct rlimit none = {0, 0};
	struct rlimit locked;

	if (setrlimit(RLIMIT_CORE, &none) < 0)
		platform_log(platform, CVTPM_LOG_WARN, "core files cannot be turned off: %s",
			     strerror(errno));
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		platform_log(platform, CVTPM_LOG_WARN, "debuggers cannot be kept out: %s",
			     strerror(errno));

	if (getrlimit(RLIMIT_MEMLOCK, &locked) == 0) {
		locked.rlim_cur = locked.rlim_max;
		(void)setrlimit(RLIMIT_MEMLOCK,
				&locked); /* may_lock_without_limit sees what came of it */
	}
	/* Under a limit, locking all future memory would make an allocation fail
	 * some day; then only the instance's own memory is locked. */
	if (!may_lock_without_limit())
		platform_log(
			platform, CVTPM_LOG_WARN,
			"only the instance's own memory is locked, what the engine allocates may "
			"be swapped out: raise the limit (ulimit -l unlimited, "
			"LimitMEMLOCK=infinity)");
	else if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		platform_log(platform, CVTPM_LOG_WARN,
			     "memory cannot be locked and may be swapped out: %s", strerror(errno));
}

void *cvtpm_secret_alloc(size_t size, const struct cvtpm_platform *platform)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	/* Page by page as it is touched: much of an instance is room for what may come. */
	if (mlock2(memory, size, MLOCK_ONFAULT) < 0)
		platform_log(platform, CVTPM_LOG_WARN,
			     "the instance's memory (%zu bytes) cannot be locked: %s", size,
			     strerror(errno));
	if (madvise(memory, size, MADV_DONTDUMP) < 0)
		platform_log(platform, CVTPM_LOG_WARN,
			     "the instance's memory cannot be kept out of core dumps: %s",
			     strerror(errno));
	return memory;
}

void cvtpm_secret_free(void *memory, size_t size)
{
	if (!memory)
		return;
	cvtpm_wipe(memory, size);
	munmap(memory, size);
}
