/*
 * What commands take of a stack, seen: each is executed on a thread whose stack is painted
 * before, and what is no longer paint afterwards was used.
 *
 * usage: painted_stack FOLDER
 *
 * The commands are those of fuzz_tpm_execute's inputs in FOLDER, and RSA keys of each size.
 * The engine is the one that firmware gets: the archive that check_stack.py looks at. Prints
 * `BYTES COMMAND` for each command that was executed.
 */
#include "tpm_bench.h"

#include <dirent.h>
#include <pthread.h>
#include <unistd.h>

enum { STACK_SIZE = 256 * 1024, PAINT = 0xA5, INPUT_SIZE = 64 * 1024 };

static _Alignas(4096) uint8_t stack[STACK_SIZE];
static struct call {
	struct cvtpm_tpm *t;
	uint8_t locality;
	const uint8_t *command;
	size_t len;
	uint8_t *answer;
	size_t *answer_len;
	int result;
	const uint8_t *top; /* the frame that calls the engine is above it */
} call;
static struct {
	TPM_CC code;
	size_t deepest;
} seen[256];
static size_t seen_count;

static void *thread(void *context)
{
	struct call *c = context;

	c->top = __builtin_frame_address(0);
	c->result = cvtpm_engine_native.execute(c->t, c->locality, c->command, c->len, c->answer,
						c->answer_len);
	return NULL;
}

static void note(TPM_CC code, size_t depth)
{
	size_t n = 0;

	while (n < seen_count && seen[n].code != code)
		n++;
	if (n == COUNT(seen))
		return;
	if (n == seen_count)
		seen[seen_count++].code = code;
	if (depth > seen[n].deepest)
		seen[n].deepest = depth;
}

static int on_painted_stack(struct cvtpm_tpm *t, uint8_t locality, const uint8_t *command,
			    size_t len, uint8_t *answer, size_t *answer_len)
{
	const uint8_t *lowest = stack;
	pthread_attr_t attributes;
	pthread_t id;

	memset(stack, PAINT, sizeof stack);
	call = (struct call){t, locality, command, len, answer, answer_len, 0, NULL};
	CHECK(pthread_attr_init(&attributes) == 0);
	CHECK(pthread_attr_setstack(&attributes, stack, sizeof stack) == 0);
	CHECK(pthread_create(&id, &attributes, thread, &call) == 0);
	CHECK(pthread_join(id, NULL) == 0);
	pthread_attr_destroy(&attributes);
	while (*lowest == PAINT)
		lowest++;
	CHECK(lowest > stack && lowest < call.top);
	if (len >= 10)
		note((TPM_CC)command[6] << 24 | (TPM_CC)command[7] << 16 | (TPM_CC)command[8] << 8 |
			     command[9],
		     (size_t)(call.top - lowest));
	return call.result;
}

static void run_input(const char *folder, const char *name)
{
	static uint8_t bytes[INPUT_SIZE];
	char path[4096];
	size_t len;
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	f = fopen(path, "rb");
	if (!f) {
		perror(path);
		exit(1);
	}
	len = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	LLVMFuzzerTestOneInput(bytes, len);
}

static void run_folder(const char *folder)
{
	DIR *d = opendir(folder);
	const struct dirent *entry;

	if (!d) {
		perror(folder);
		exit(1);
	}
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.')
			run_input(folder, entry->d_name);
	closedir(d);
}

/* What takes the longest takes the most, and inputs are not given the time. */
static void make_rsa_keys(void)
{
	static const uint16_t sizes[] = {2048, 3072, 4096};

	for (size_t i = 0; i < COUNT(sizes); i++) {
		TPM2B_PUBLIC template = bench_template(TPM_ALG_RSA, TPMA_OBJECT_SIGN);

		LLVMFuzzerTestOneInput(NULL, 0); /* a TPM as it was at first */
		bench.patience = UINT32_MAX;
		template.publicArea.parameters.rsaDetail.keyBits = sizes[i];
		bench_primary(TPM_RH_OWNER, &template, NULL);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: painted_stack FOLDER\n");
		return 2;
	}
	bench_engine = on_painted_stack;
	LLVMFuzzerInitialize(NULL, NULL);
	run_folder(argv[1]);
	make_rsa_keys();
	for (size_t n = 0; n < seen_count; n++) {
		const struct command *c = command_find(seen[n].code);

		printf("%zu %s\n", seen[n].deepest, c ? c->name : "unknown");
	}
	return 0;
}
