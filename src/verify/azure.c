/*
 * The HCL form: a paravisor's report over runtime data, in which it names the
 * attestation key of the vTPM that it plays for its guest.
 *
 * A report proves which paravisor said so, and nothing of what it does with the
 * key: that lies in the paravisor's image alone.
 */
#include "verify/azure.h"
#include "verify/checks.h"

static const char about_hcl[] = "HCL report", about_ak[] = "AK";

static enum cvtpm_check_verdict verdict_of(int result)
{
	return result == 0  ? CVTPM_CHECK_OK
	       : result > 0 ? CVTPM_CHECK_REFUSED
			    : CVTPM_CHECK_UNKNOWN;
}

const uint8_t *azure_open(struct azure *azure, const struct cvtpm_bytes *bytes,
			  struct cvtpm_verification *v)
{
	int result = cvtpm_hcl_read(bytes->data, bytes->len, &azure->hcl);
	struct cvtpm_check *c = check_add(v, about_hcl, "hcl", "form", verdict_of(result),
					  "nothing can be read from anything else");

	check_expected(c, "a HCL report with a report of SEV-SNP");
	if (result) {
		check_found(c, "%s", cvtpm_hcl_problem_text(result));
		return NULL;
	}
	check_found(c, "so, version %u", azure->hcl.version);
	azure->binding = cvtpm_hcl_check_binding(&azure->hcl);
	azure->bound = azure->binding == 0;
	azure->runtime_result = cvtpm_hcl_read_runtime(&azure->hcl, &azure->runtime);
	return azure->hcl.report;
}

void azure_check_binding(const struct azure *azure, struct cvtpm_verification *v)
{
	struct cvtpm_check *c =
		check_add(v, "report", "binding", "binding", verdict_of(azure->binding),
			  "a report vouches for no key but the one it binds");

	check_expected(c, "hcl: SHA-256 of the runtime data, then zeros");
	check_found(c, "%s",
		    azure->binding ? cvtpm_hcl_problem_text(azure->binding)
				   : "hcl: SHA-256 of the runtime data, then zeros");
}

static void check_runtime(const struct azure *azure, struct cvtpm_verification *v)
{
	int result = azure->runtime_result;
	bool key = result == CVTPM_HCL_KEY;
	struct cvtpm_check *c = check_add(v, about_hcl, "hcl-runtime", "runtime data",
					  key ? CVTPM_CHECK_OK : verdict_of(result),
					  "in it the paravisor names its keys");

	check_expected(c, "JSON with a key set");
	check_found(c, "%s", result && !key ? cvtpm_hcl_problem_text(result) : "so");
	if (result && !key)
		return;
	c = check_add(v, about_ak, "hcl-ak", "attestation key", verdict_of(result),
		      "the key that the report vouches for");
	check_expected(c, "one key HCLAkPub, RSA, for signing alone");
	if (result)
		check_found(c, "%s", cvtpm_hcl_problem_text(result));
	else
		check_found(c, "RSA %zu", azure->runtime.ak.size * 8);
}

static void say_claim(struct cvtpm_verification *v, const char *name, const char *value)
{
	struct cvtpm_check *c = check_add(v, about_hcl, "claim", "claim", CVTPM_CHECK_CLAIMED,
					  "said by the paravisor; decides nothing");

	check_found(c, "%s = %s", name, value);
}

static void say_flag(struct cvtpm_verification *v, const char *name, enum cvtpm_hcl_flag flag)
{
	if (flag != CVTPM_HCL_NOT_SAID)
		say_claim(v, name, flag == CVTPM_HCL_YES ? "yes" : "no");
}

static void say_claims(const struct cvtpm_hcl_runtime *runtime, struct cvtpm_verification *v)
{
	char user_data[2 * CVTPM_HCL_USER_DATA_SIZE + 1];

	say_flag(v, "console-enabled", runtime->console_enabled);
	say_flag(v, "secure-boot", runtime->secure_boot);
	say_flag(v, "tpm-enabled", runtime->tpm_enabled);
	say_flag(v, "tpm-persisted", runtime->tpm_persisted);
	if (runtime->vm_unique_id[0])
		say_claim(v, "vmUniqueId", runtime->vm_unique_id);
	if (!runtime->has_user_data)
		return;
	hex_text(user_data, runtime->user_data, CVTPM_HCL_USER_DATA_SIZE);
	say_claim(v, "user-data", user_data);
}

/* What no check can prove of this form, whatever else is well. */
static void say_limits(struct cvtpm_verification *v)
{
	struct cvtpm_check *c =
		check_add(v, about_hcl, "hcl-isolation", "isolation of the vTPM",
			  CVTPM_CHECK_WARNING, "its measurement decides, and nothing else does");

	check_expected(c, "a paravisor whose image you know (MEASUREMENT)");
	check_found(c, "the word of the provider's paravisor, which holds the vTPM's keys and "
		       "state; no report binds the EK");
	c = check_add(v, about_ak, "ak-attributes", "attributes", CVTPM_CHECK_CLAIMED,
		      "only a restricted key signs nothing but what the TPM says");
	check_found(c, "key_ops = sign; there is no public area to look at");
}

void azure_check(const struct azure *azure, const struct cvtpm_machine *machine,
		 const struct cvtpm_bytes *nonce, struct quoted_pcrs *quoted,
		 struct cvtpm_verification *v)
{
	bool has_ak = azure->bound && !azure->runtime_result;

	/* Runtime data that the report does not cover is anybody's. */
	if (azure->bound)
		check_runtime(azure, v);
	if (has_ak) {
		say_claims(&azure->runtime, v);
		say_limits(v);
	}
	if (machine)
		machine_check_bare_quote(machine, has_ak ? &azure->runtime.ak : NULL, nonce, quoted,
					 v);
}
