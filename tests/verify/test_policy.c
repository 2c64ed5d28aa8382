/*
 * Policies as a library: one that is loaded once serves any number of threads.
 */
#include "cvtpm/err.h"
#include "cvtpm/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *read_data(const char *name, struct cvtpm_bytes *bytes)
{
	char path[512];
	uint8_t *data = malloc(65536);
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", TEST_DATA, name);
	file = fopen(path, "rb");
	assert_non_null(file);
	assert_non_null(data);
	*bytes = (struct cvtpm_bytes){
		.data = data, .len = fread(data, 1, 65536, file), .name = name};
	fclose(file);
	return data;
}

struct job {
	const struct cvtpm_policy *policy;
	struct cvtpm_evidence evidence;
	size_t good;
};

static void *verify_many(void *context)
{
	struct job *job = context;
	struct cvtpm_verification *v = malloc(sizeof(*v));

	for (size_t i = 0; v && i < 10; i++)
		job->good += cvtpm_verify_evidence(&job->evidence, job->policy, v) == 0 &&
			     v->answer == CVTPM_ANSWER_YES;
	free(v);
	return NULL;
}

static void eight_threads_verify_with_one_policy(void **state)
{
	struct cvtpm_policy_starter starter = {.isolation = CVTPM_ISOLATION_SVSM};
	struct cvtpm_bytes certificates[2], report;
	char error[CVTPM_POLICY_ERROR_SIZE], *json;
	struct cvtpm_policy *policy;
	uint8_t *owned[3];
	pthread_t threads[8];
	struct job jobs[8];

	(void)state;
	owned[0] = read_data("coco-trustee/evidence-v1.snpreport.bin", &report);
	owned[1] = read_data("coco-trustee/evidence-v1.vcek.der", &certificates[0]);
	owned[2] = read_data("coco-trustee/milan_ask_ark_asvk.pem", &certificates[1]);
	starter.report = owned[0];
	assert_int_equal(cvtpm_policy_write_starter(&starter, &json), 0);
	assert_int_equal(cvtpm_policy_read(json, strlen(json), "made", NULL, &policy, error), 0);
	free(json);
	policy->report_only = true; /* before it is shared */
	policy->at = 1764547200;
	for (size_t i = 0; i < 8; i++) {
		jobs[i] = (struct job){.policy = policy,
				       .evidence = {.report = report,
						    .certificates = certificates,
						    .certificate_count = 2}};
		assert_int_equal(pthread_create(&threads[i], NULL, verify_many, &jobs[i]), 0);
	}
	for (size_t i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(jobs[i].good, 10);
	cvtpm_policy_free(policy);
	for (size_t i = 0; i < 3; i++)
		free(owned[i]);
}

static void an_empty_object_is_the_policy_without_a_file(void **state)
{
	static const struct cvtpm_policy zero;
	struct cvtpm_policy *policy;
	char error[CVTPM_POLICY_ERROR_SIZE];

	(void)state;
	assert_int_equal(cvtpm_policy_read("{}", 2, "empty", NULL, &policy, error), 0);
	assert_string_equal(policy->name, "empty");
	policy->name = NULL;
	assert_memory_equal(policy, &zero, sizeof(zero));
	cvtpm_policy_free(policy);
}

static void a_starter_wants_a_report(void **state)
{
	uint8_t nothing[SNP_REPORT_SIZE] = {0};
	struct cvtpm_policy_starter starter = {.report = nothing};
	char *json;

	(void)state;
	assert_int_equal(cvtpm_policy_write_starter(&starter, &json), CVTPM_ERR_FORMAT);
	assert_null(json);
}

static void files_are_not_read_without_a_folder(void **state)
{
	static const char text[] = "{\"lab_roots\": [\"/etc/passwd\"]}";
	struct cvtpm_policy *policy;
	char error[CVTPM_POLICY_ERROR_SIZE];

	(void)state;
	assert_true(cvtpm_policy_read(text, strlen(text), "p", NULL, &policy, error) < 0);
	assert_null(policy);
	assert_non_null(strstr(error, "p, line 1: lab_roots[0]"));
	cvtpm_policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eight_threads_verify_with_one_policy),
		cmocka_unit_test(an_empty_object_is_the_policy_without_a_file),
		cmocka_unit_test(a_starter_wants_a_report),
		cmocka_unit_test(files_are_not_read_without_a_folder),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
