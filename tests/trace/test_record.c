/*
 * The record: its file is whole whatever happens, and nobody but its owner reads it.
 */
#include "cvtpm/err.h"
#include "trace/pcap.h"
#include "trace/record.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* TPM2_GetRandom of 8 bytes, and an answer. */
static const uint8_t command[] = {0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x7B, 0, 8};
static const uint8_t response[] = {0x80, 1, 0,   0,   0,   20,  0,   0,   0,   0,
				   0,    8, 'r', 'a', 'n', 'd', 'o', 'm', '!', '!'};

struct bench {
	char folder[40], path[60], log[600];
	struct cvtpm_platform platform;
	struct record record;
	struct record_way way;
};

static void log_line(void *context, enum cvtpm_log_level level, const char *line)
{
	struct bench *b = context;
	const size_t len = strlen(b->log);

	(void)level;
	snprintf(b->log + len, sizeof b->log - len, "%s\n", line);
}

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof *b);

	assert_non_null(b);
	snprintf(b->folder, sizeof b->folder, "/tmp/test_record.XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	snprintf(b->path, sizeof b->path, "%s/t.pcap", b->folder);
	b->platform = (struct cvtpm_platform){.context = b, .log = log_line};
	b->way.door = RECORD_DOOR_PAGE;
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	record_close(&b->record);
	unlink(b->path);
	rmdir(b->folder);
	free(b);
	return 0;
}

static void exchange(struct bench *b)
{
	record_command(&b->record, &b->way, 3, command, sizeof command);
	record_response(&b->record, &b->way, 3, command, sizeof command, response, sizeof response);
}

/* Reads the file: the number of its frames; each must be whole and continue its direction. */
static unsigned frames(const struct bench *b, bool *has_secret)
{
	FILE *file = fopen(b->path, "rb");
	struct trace_input input = {.file = file};
	uint32_t next[2] = {1, 1};
	unsigned n = 0;
	struct pcap p;
	const char *why;
	int more;

	assert_non_null(file);
	assert_true(pcap_begin(&p, &input, &why));
	*has_secret = false;
	while ((more = pcap_next(&p, &why)) > 0) {
		struct tcp_segment s;
		const bool answer = n % 2;

		assert_true(pcap_segment(&p, &s));
		if (s.syn) {
			next[0] = next[1] = 1;
			continue;
		}
		assert_int_equal(answer ? s.from_port : s.to_port, 2321);
		assert_int_equal((answer ? s.to : s.from)[1], RECORD_DOOR_PAGE);
		assert_int_equal((answer ? s.to : s.from)[2], 3);
		assert_false(p.cut || s.missing);
		assert_int_equal(s.sequence, next[answer]);
		next[answer] += (uint32_t)s.len;
		*has_secret |= s.len == sizeof response && memcmp(s.data + 12, "random!!", 8) == 0;
		n++;
	}
	assert_int_equal(more, 0);
	pcap_end(&p);
	fclose(file);
	return n;
}

static void commands_and_answers_are_frames_without_secrets(void **state)
{
	struct bench *b = *state;
	struct stat st;
	bool has_secret;

	assert_int_equal(record_open(&b->record, b->path, false, &b->platform), 0);
	assert_non_null(strstr(b->log, "zeros"));
	exchange(b);
	exchange(b);
	assert_int_equal(frames(b, &has_secret), 4);
	assert_false(has_secret);
	assert_int_equal(stat(b->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void secrets_are_kept_where_that_is_asked_for(void **state)
{
	struct bench *b = *state;
	bool has_secret;

	assert_int_equal(record_open(&b->record, b->path, true, &b->platform), 0);
	assert_non_null(strstr(b->log, "included"));
	exchange(b);
	assert_int_equal(frames(b, &has_secret), 2);
	assert_true(has_secret);
}

static void a_file_is_appended_to_and_an_unfinished_frame_goes(void **state)
{
	struct bench *b = *state;
	struct stat st;
	bool has_secret;

	assert_int_equal(record_open(&b->record, b->path, false, &b->platform), 0);
	exchange(b);
	record_close(&b->record);
	assert_int_equal(stat(b->path, &st), 0);
	for (off_t cut = 1; cut < 60; cut += 7) {
		assert_int_equal(truncate(b->path, st.st_size - cut), 0);
		assert_int_equal(record_open(&b->record, b->path, false, &b->platform), 0);
		assert_int_equal(frames(b, &has_secret), 1);
		b->way.answered = 0; /* the frame that was cut is written again */
		record_response(&b->record, &b->way, 3, command, sizeof command, response,
				sizeof response);
		record_close(&b->record);
		assert_int_equal(frames(b, &has_secret), 2);
	}
	/* Another process begins with the same port. */
	b->way = (struct record_way){.door = RECORD_DOOR_PAGE};
	assert_int_equal(record_open(&b->record, b->path, false, &b->platform), 0);
	exchange(b);
	assert_int_equal(frames(b, &has_secret), 4);
}

static void a_file_has_one_writer(void **state)
{
	struct bench *b = *state;
	struct record other;

	assert_int_equal(record_open(&b->record, b->path, false, &b->platform), 0);
	assert_int_equal(record_open(&other, b->path, false, &b->platform), CVTPM_ERR_BUSY);
	record_close(&b->record);
	assert_int_equal(record_open(&other, b->path, false, &b->platform), 0);
	record_close(&other);
}

static void what_is_no_trace_of_ours_is_left_alone(void **state)
{
	struct bench *b = *state;
	FILE *file = fopen(b->path, "w");
	struct stat st;

	assert_non_null(file);
	fputs("something that somebody still needs, longer than a header", file);
	fchmod(fileno(file), 0600);
	fclose(file);
	assert_int_equal(record_open(&b->record, b->path, false, &b->platform), CVTPM_ERR_PARAM);
	assert_int_equal(stat(b->path, &st), 0);
	assert_int_equal(st.st_size, 57);
	assert_int_equal(chmod(b->path, 0640), 0);
	assert_int_equal(record_open(&b->record, b->path, false, &b->platform), CVTPM_ERR_POLICY);
	unlink(b->path);
	assert_int_equal(symlink("/dev/null", b->path), 0);
	assert_int_equal(record_open(&b->record, b->path, false, &b->platform), CVTPM_ERR_IO);
	assert_int_equal(record_open(&b->record, "/dev/full", false, &b->platform),
			 CVTPM_ERR_PARAM);
	assert_int_equal(record_open(&b->record, b->folder, false, &b->platform), CVTPM_ERR_IO);
}

static void a_full_disk_is_told_once_and_leaves_whole_frames(void **state)
{
	struct bench *b = *state;
	struct rlimit before, little;
	bool has_secret;

	assert_int_equal(record_open(&b->record, b->path, false, &b->platform), 0);
	exchange(b);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	little = before;
	little.rlim_cur = b->record.end + 40; /* within the next frame */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	b->log[0] = 0;
	exchange(b);
	exchange(b);
	assert_int_equal(frames(b, &has_secret), 2);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_non_null(strstr(b->log, "cannot be written"));
	assert_null(strstr(strstr(b->log, "cannot be written") + 1, "cannot be written"));
	b->way.sent = sizeof command; /* as if nothing had been said meanwhile */
	b->way.answered = sizeof response;
	exchange(b);
	assert_non_null(strstr(b->log, "written again; 4 frames are missing"));
	assert_int_equal(frames(b, &has_secret), 4);
	record_close(&b->record);
	assert_non_null(strstr(b->log, "4 frames are missing in the trace"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(commands_and_answers_are_frames_without_secrets,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(secrets_are_kept_where_that_is_asked_for, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_file_is_appended_to_and_an_unfinished_frame_goes,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_file_has_one_writer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_trace_of_ours_is_left_alone, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_full_disk_is_told_once_and_leaves_whole_frames,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
