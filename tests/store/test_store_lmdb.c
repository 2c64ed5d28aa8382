/* The LMDB store: the contract, the folder, the lock, crashes and damage. */
#include "folder.h"

#include "cvtpm/err.h"
#include "cvtpm/stores.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "contract.h"

static char message[CVTPM_STORE_MESSAGE_SIZE];
static struct folder folder; /* of the running test */

static int setup(void **state)
{
	(void)state;
	folder = folder_make();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	folder_remove(&folder);
	return 0;
}

static struct cvtpm_store *open_flags(unsigned flags)
{
	struct cvtpm_store *store = NULL;

	if (cvtpm_store_lmdb_open(&store, folder.path, flags, message) != 0)
		fail_msg("%s", message);
	return store;
}

static struct cvtpm_store *open_new(void)
{
	setup(NULL);
	return open_flags(CVTPM_STORE_CREATE);
}

static struct cvtpm_store *reopen(struct cvtpm_store *store)
{
	cvtpm_store_close(store);
	return open_flags(0);
}

static void end(struct cvtpm_store *store)
{
	cvtpm_store_close(store);
	teardown(NULL);
}

static int try_open(unsigned flags)
{
	struct cvtpm_store *store = NULL;
	int err = cvtpm_store_lmdb_open(&store, folder.path, flags, message);

	if (err == 0)
		cvtpm_store_close(store);
	else
		assert_non_null(strchr(message, '\''));
	assert_null(strchr(message, '\n'));
	return err;
}

static int put(struct cvtpm_store *store, const char *key, const void *value, size_t len)
{
	struct cvtpm_change change = {.key = key, .value = value, .value_len = len};

	return cvtpm_store_commit(store, &change, 1);
}

/* ---- the folder ---- */

static void nothing_is_made_unless_asked_for(void **state)
{
	(void)state;
	assert_int_equal(try_open(0), CVTPM_ERR_NOT_FOUND);
	assert_int_equal(rmdir(folder.path), 0); /* it is still empty */
	assert_int_equal(try_open(0), CVTPM_ERR_NOT_FOUND);
	assert_int_equal(access(folder.path, F_OK), -1);
	assert_int_equal(try_open(CVTPM_STORE_CREATE), 0);
	assert_int_equal(try_open(0), 0);
}

static void folder_and_files_are_the_owners_alone(void **state)
{
	struct stat st;

	(void)state;
	umask(0);
	rmdir(folder.path);
	assert_int_equal(try_open(CVTPM_STORE_CREATE), 0);
	umask(022);
	assert_int_equal(stat(folder.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(folder_file(&folder, "data.mdb"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(folder_file(&folder, "lock"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_folder_that_others_may_enter_is_refused(void **state)
{
	static const mode_t modes[] = {0750, 0701, 0777, 0740};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		chmod(folder.path, modes[i]);
		assert_int_equal(try_open(CVTPM_STORE_CREATE), CVTPM_ERR_POLICY);
		assert_non_null(strstr(message, "chmod 700"));
	}
	chmod(folder.path, 0700);
	assert_int_equal(try_open(CVTPM_STORE_CREATE), 0);
	chmod(folder_file(&folder, "data.mdb"), 0644);
	assert_int_equal(try_open(0), CVTPM_ERR_POLICY);
	assert_non_null(strstr(message, "chmod 600"));
}

static void somebody_elses_folder_is_refused(void **state)
{
	(void)state;
	if (geteuid() == 0) {
		assert_int_equal(chown(folder.path, 12345, (gid_t)-1), 0);
		assert_int_equal(try_open(CVTPM_STORE_CREATE), CVTPM_ERR_POLICY);
		assert_non_null(strstr(message, "12345"));
		return;
	}
	folder_remove(&folder);
	strcpy(folder.path, "/");
	assert_int_equal(try_open(0), CVTPM_ERR_POLICY);
	folder = folder_make();
}

static void a_folder_with_foreign_files_is_left_alone(void **state)
{
	int fd = open(folder_file(&folder, "letter.txt"), O_CREAT | O_WRONLY, 0600);

	(void)state;
	close(fd);
	assert_int_equal(try_open(CVTPM_STORE_CREATE), CVTPM_ERR_POLICY);
	assert_non_null(strstr(message, "letter.txt"));
	assert_int_equal(try_open(0), CVTPM_ERR_POLICY);
	assert_int_equal(access(folder_file(&folder, "lock"), F_OK), -1);
	assert_int_equal(access(folder_file(&folder, "data.mdb"), F_OK), -1);
}

static void a_file_is_no_folder(void **state)
{
	int fd;

	(void)state;
	rmdir(folder.path);
	fd = open(folder.path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(try_open(CVTPM_STORE_CREATE), CVTPM_ERR_IO);
	assert_int_equal(try_open(0), CVTPM_ERR_IO);
	unlink(folder.path);
}

static void a_store_half_made_is_made_again(void **state)
{
	int fd = open(folder_file(&folder, "data.mdb.new"), O_CREAT | O_WRONLY, 0600);

	(void)state;
	assert_int_equal(write(fd, "half", 4), 4);
	close(fd);
	assert_int_equal(try_open(0), CVTPM_ERR_NOT_FOUND);
	assert_int_equal(try_open(CVTPM_STORE_CREATE), 0);
	assert_int_equal(try_open(0), 0);
}

/* ---- the lock ---- */

static void hold_until_killed(int told)
{
	struct cvtpm_store *store;

	if (cvtpm_store_lmdb_open(&store, folder.path, CVTPM_STORE_CREATE, message) != 0 ||
	    write(told, "x", 1) != 1)
		_exit(1);
	pause();
	_exit(1);
}

static void a_second_process_is_told_the_pid_of_the_first(void **state)
{
	char pid_text[24], c;
	int fds[2];
	pid_t child;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pipe(fds), 0);
		child = fork();
		if (child == 0)
			hold_until_killed(fds[1]);
		close(fds[1]);
		assert_int_equal(read(fds[0], &c, 1), 1);
		close(fds[0]);
		assert_int_equal(try_open(0), CVTPM_ERR_BUSY);
		snprintf(pid_text, sizeof pid_text, "process %d;", (int)child);
		assert_non_null(strstr(message, pid_text));
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		assert_int_equal(try_open(0), 0);
	}
}

static void the_same_process_does_not_get_it_twice(void **state)
{
	struct cvtpm_store *store = open_flags(CVTPM_STORE_CREATE);
	char pid_text[24];

	(void)state;
	snprintf(pid_text, sizeof pid_text, "process %d;", (int)getpid());
	for (int i = 0; i < 3; i++) {
		assert_int_equal(try_open(0), CVTPM_ERR_BUSY);
		assert_non_null(strstr(message, pid_text));
	}
	cvtpm_store_close(store);
	assert_int_equal(try_open(0), 0);
}

/* ---- crashes and a full disk ---- */

#define FILL_LEN 5000

/* Commit n writes n everywhere: whatever is read afterwards must be one n. */
static void commit_until_killed(int told)
{
	static uint8_t fill[3][FILL_LEN];
	struct cvtpm_store *store;

	if (cvtpm_store_lmdb_open(&store, folder.path, 0, message) != 0)
		_exit(1);
	for (;;) {
		uint8_t n = (uint8_t)(store->generation + 1);
		struct cvtpm_change changes[] = {{"a", fill[0], FILL_LEN},
						 {"b", fill[1], n * 17u},
						 {"c", fill[2], FILL_LEN}};

		memset(fill, n, sizeof fill);
		if (cvtpm_store_commit(store, changes, 3) != 0 || write(told, &n, 1) != 1)
			_exit(1);
	}
}

static void assert_whole(struct cvtpm_store *store, const char *key, size_t want)
{
	uint8_t value[FILL_LEN], n = (uint8_t)store->generation;
	size_t len = 0;

	assert_int_equal(cvtpm_store_get(store, key, value, sizeof value, &len), 0);
	assert_int_equal(len, want);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(value[i], n);
}

static void a_killed_process_leaves_a_whole_commit(void **state)
{
	(void)state;
	cvtpm_store_close(open_flags(CVTPM_STORE_CREATE));
	srand(5);
	for (int round = 0; round < 25; round++) {
		struct cvtpm_store *store;
		uint8_t told, last = 0;
		int fds[2], status;
		pid_t child;

		assert_int_equal(pipe(fds), 0);
		child = fork();
		if (child == 0)
			commit_until_killed(fds[1]);
		close(fds[1]);
		assert_int_equal(read(fds[0], &last, 1), 1); /* it runs */
		usleep((useconds_t)(rand() % 20000));
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		assert_true(WIFSIGNALED(status));
		while (read(fds[0], &told, 1) == 1)
			last = told;
		close(fds[0]);

		store = open_flags(0);
		/* Nothing that was promised is missing; one more may have been on its way. */
		assert_in_range((uint8_t)((uint8_t)store->generation - last), 0, 1);
		assert_whole(store, "a", FILL_LEN);
		assert_whole(store, "b", (uint8_t)store->generation * 17u);
		assert_whole(store, "c", FILL_LEN);
		cvtpm_store_close(store);
	}
}

static char told[400]; /* the last line, and how many there were */
static unsigned lines;

static void hear(void *context, enum cvtpm_log_level level, const char *line)
{
	assert_ptr_equal(context, &lines);
	assert_int_equal(level, strstr(line, "again") ? CVTPM_LOG_INFO : CVTPM_LOG_ERROR);
	snprintf(told, sizeof told, "%s", line);
	lines++;
}

static void a_full_disk_fails_the_commit_and_changes_nothing(void **state)
{
	struct cvtpm_store *store = open_flags(CVTPM_STORE_CREATE);
	struct rlimit old, small = {.rlim_cur = 256 * 1024};
	static uint8_t value[1 << 20];
	uint64_t generation;
	size_t len;
	uint8_t got[8];

	(void)state;
	assert_int_equal(put(store, "a", "before", 6), 0);
	generation = store->generation;
	lines = 0;
	cvtpm_store_lmdb_log(store, hear, &lines);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_FSIZE, &small);
	for (int i = 0; i < 3; i++) {
		struct cvtpm_change changes[] = {{"a", (const uint8_t *)"after", 5},
						 {"b", value, sizeof value}};

		assert_int_equal(cvtpm_store_commit(store, changes, 2), CVTPM_ERR_STORE);
	}
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(lines, 1); /* for all three */
	assert_non_null(strstr(told, folder.path));
	assert_non_null(strstr(told, "cannot be written: "));
	assert_int_equal(store->generation, generation);
	assert_int_equal(cvtpm_store_get(store, "a", got, sizeof got, &len), 0);
	assert_int_equal(len, 6);
	assert_int_equal(put(store, "c", "more", 4), 0);
	generation++;
	assert_int_equal(lines, 2);
	assert_non_null(strstr(told, "can be written again"));

	store = reopen(store);
	assert_int_equal(store->generation, generation);
	assert_int_equal(cvtpm_store_get(store, "a", got, sizeof got, &len), 0);
	assert_memory_equal(got, "before", 6);
	assert_int_equal(put(store, "b", value, sizeof value), 0);
	cvtpm_store_close(store);
}

static void the_map_grows_with_the_store(void **state)
{
	static uint8_t value[3 << 20];
	struct cvtpm_store *store = open_flags(CVTPM_STORE_CREATE);
	char key[16];

	(void)state;
	for (int i = 0; i < 6; i++) {
		snprintf(key, sizeof key, "large/%d", i);
		assert_int_equal(put(store, key, value, sizeof value), 0);
	}
	store = reopen(store);
	for (int i = 0; i < 6; i++) {
		size_t len = 0;

		snprintf(key, sizeof key, "large/%d", i);
		assert_int_equal(cvtpm_store_get(store, key, value, sizeof value, &len), 0);
		assert_int_equal(len, sizeof value);
	}
	cvtpm_store_close(store);
}

/* ---- damage ---- */

static uint8_t image[4 << 20];
static size_t image_len;

static void image_read(void)
{
	int fd = open(folder_file(&folder, "data.mdb"), O_RDONLY);

	image_len = (size_t)read(fd, image, sizeof image);
	close(fd);
	assert_in_range(image_len, 2 * 4096, sizeof image - 1);
}

static void image_write(size_t len)
{
	int fd = open(folder_file(&folder, "data.mdb"), O_WRONLY | O_TRUNC);

	assert_int_equal(write(fd, image, len), len);
	close(fd);
}

/* A store with branch pages, long values and a free list. */
static void image_make(void)
{
	struct cvtpm_store *store = open_flags(CVTPM_STORE_CREATE);
	static uint8_t value[20000];
	char key[16];

	for (int i = 0; i < 60; i++) {
		snprintf(key, sizeof key, "nv/%04d", i);
		assert_int_equal(put(store, key, value, i % 10 ? 200 : sizeof value), 0);
	}
	for (int i = 0; i < 60; i += 3) {
		snprintf(key, sizeof key, "nv/%04d", i);
		assert_int_equal(put(store, key, NULL, 0), 0);
	}
	cvtpm_store_close(store);
	image_read();
}

static void use(struct cvtpm_store *store)
{
	static uint8_t value[20000];
	size_t len;

	cvtpm_store_get(store, "nv/0010", value, sizeof value, &len);
	for (int i = 0; i < 4; i++)
		put(store, "nv/0020", value, sizeof value);
}

static void a_truncated_file_is_an_error(void **state)
{
	(void)state;
	image_make();
	for (size_t len = 0; len < image_len; len += len < 512 ? 64 : 4096 - len % 4096) {
		struct cvtpm_store *store;
		int err;

		image_write(len);
		err = cvtpm_store_lmdb_open(&store, folder.path, CVTPM_STORE_CREATE, message);
		if (err == 0) { /* only pages that are free were cut off */
			use(store);
			cvtpm_store_close(store);
			assert_in_range(len, image_len / 4, image_len);
			continue;
		}
		assert_int_equal(err, CVTPM_ERR_FORMAT);
		assert_non_null(strstr(message, "damaged"));
	}
}

static void garbage_is_an_error(void **state)
{
	(void)state;
	image_make();
	srand(6);
	for (size_t i = 0; i < image_len; i++)
		image[i] = (uint8_t)rand();
	image_write(image_len);
	assert_int_equal(try_open(0), CVTPM_ERR_FORMAT);
	memset(image, 0, image_len);
	image_write(image_len);
	assert_int_equal(try_open(0), CVTPM_ERR_FORMAT);
}

static void flipped_bits_are_errors_or_harmless(void **state)
{
	static uint8_t sound[sizeof image];
	unsigned refused = 0;

	(void)state;
	image_make();
	memcpy(sound, image, image_len);
	srand(7);
	for (int i = 0; i < 400; i++) {
		/* Every second one into what LMDB follows: page headers and nodes. */
		size_t at = (size_t)rand() % image_len;
		struct cvtpm_store *store;

		if (i % 2)
			at = at / 4096 * 4096 + (size_t)rand() % 160;
		image[at] ^= (uint8_t)(1u << (rand() % 8));
		image_write(image_len);
		if (cvtpm_store_lmdb_open(&store, folder.path, 0, message) == 0) {
			use(store);
			cvtpm_store_close(store);
		} else {
			refused++;
		}
		memcpy(image, sound, image_len);
	}
	assert_in_range(refused, 80, 400);
}

static void a_changed_value_is_noticed(void **state)
{
	struct cvtpm_store *store = open_flags(CVTPM_STORE_CREATE);
	uint8_t *at;

	(void)state;
	assert_int_equal(put(store, "a/record", "a value to be found in the file", 31), 0);
	cvtpm_store_close(store);
	image_read();
	for (at = image; (at = memmem(at, image_len - (size_t)(at - image), "a value to be", 13));
	     at++)
		at[3] ^= 1;
	image_write(image_len);
	assert_int_equal(try_open(0), CVTPM_ERR_FORMAT);
	assert_non_null(strstr(message, "checksum"));
}

static void a_newer_format_is_named_and_refused(void **state)
{
	struct cvtpm_store *store = open_flags(CVTPM_STORE_CREATE);
	/* SHA-256 of " format", 0, "cvtpm-store 2" */
	static const uint8_t digest[32] = {0xAC, 0xF5, 0xAF, 0x9E, 0xD0, 0x0C, 0x0C, 0x40,
					   0xF9, 0x05, 0xDB, 0x98, 0x71, 0x36, 0xC2, 0x8C,
					   0xB5, 0xF0, 0x34, 0x3F, 0x9B, 0x74, 0x9E, 0xC8,
					   0x66, 0xD0, 0xBA, 0xCB, 0xD7, 0x10, 0x65, 0x04};
	uint8_t *at;

	(void)state;
	cvtpm_store_close(store);
	image_read();
	for (at = image; (at = memmem(at, image_len - (size_t)(at - image), "cvtpm-store 1", 13));
	     at++) {
		at[12] = '2';
		memcpy(at - 32, digest, 32);
	}
	image_write(image_len);
	assert_int_equal(try_open(0), CVTPM_ERR_UNSUPPORTED);
	assert_non_null(strstr(message, "format 2"));
}

int main(void)
{
	struct contract contract = {.name = "lmdb", .open = open_new, .reopen = reopen, .end = end};
#define TEST(claim) cmocka_unit_test_setup_teardown(claim, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_made_unless_asked_for),
		TEST(folder_and_files_are_the_owners_alone),
		TEST(a_folder_that_others_may_enter_is_refused),
		TEST(somebody_elses_folder_is_refused),
		TEST(a_folder_with_foreign_files_is_left_alone),
		TEST(a_file_is_no_folder),
		TEST(a_store_half_made_is_made_again),
		TEST(a_second_process_is_told_the_pid_of_the_first),
		TEST(the_same_process_does_not_get_it_twice),
		TEST(a_killed_process_leaves_a_whole_commit),
		TEST(a_full_disk_fails_the_commit_and_changes_nothing),
		TEST(the_map_grows_with_the_store),
		TEST(a_truncated_file_is_an_error),
		TEST(garbage_is_an_error),
		TEST(flipped_bits_are_errors_or_harmless),
		TEST(a_changed_value_is_noticed),
		TEST(a_newer_format_is_named_and_refused),
	};

	return contract_run(&contract, tests, sizeof tests / sizeof *tests);
}
