/* State folders of tests. */
#ifndef CVTPM_TEST_STORE_FOLDER_H
#define CVTPM_TEST_STORE_FOLDER_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct folder {
	char path[64];
};

static inline struct folder folder_make(void)
{
	struct folder f = {"/tmp/cvtpm-store-XXXXXX"};

	if (!mkdtemp(f.path))
		abort();
	return f;
}

static inline const char *folder_file(const struct folder *f, const char *name)
{
	static char path[512];

	snprintf(path, sizeof path, "%s/%s", f->path, name);
	return path;
}

static inline void folder_remove(const struct folder *f)
{
	DIR *dir = opendir(f->path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			unlink(folder_file(f, entry->d_name));
	if (dir)
		closedir(dir);
	rmdir(f->path);
}

#endif
