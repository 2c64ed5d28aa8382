#include "host/whole.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

ssize_t read_whole(int fd, void *bytes, size_t len)
{
	size_t done = 0;

	while (done < len) {
		const ssize_t n = read(fd, (uint8_t *)bytes + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

bool write_whole(int fd, const void *bytes, size_t len)
{
	size_t done = 0;

	while (done < len) {
		const ssize_t n = write(fd, (const uint8_t *)bytes + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}
