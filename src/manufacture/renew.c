/*
 * What is due after each TPM2_Startup(CLEAR), before its answer is returned:
 * no guest's command can come between the unlocking that TPM2_Startup does and
 * the locking that is done here.
 *
 * A guest may have replaced, removed or changed all that is in the TPM but the
 * report indices. Nothing is therefore believed but the owner's record.
 */
#include "crypto/crypto.h"
#include "crypto/mem.h"
#include "cvtpm/err.h"
#include "manufacture/owner.h"

/* True when the certificate in NVRAM is the one that the owner made. */
static bool certificate_stands(struct cvtpm_instance *o, const struct record_ek *made)
{
	uint8_t digest[CERTIFICATE_DIGEST_SIZE], *certificate = o->work.renew.certificate;
	int err = CVTPM_ERR_SIZE;

	if (made->certificate_len <= sizeof o->work.renew.certificate)
		err = provision_read(o, made->ek->certificate_index, certificate,
				     made->certificate_len);
	if (err == 0)
		err = cvtpm_hash(CVTPM_SHA512, certificate, made->certificate_len, digest);
	if (err == 0 && cvtpm_equal(digest, made->certificate_digest, sizeof digest))
		return true;
	LOG(&o->platform, CVTPM_LOG_WARN,
	    "the EK certificate % in NVRAM at % is not the one that was made for this TPM",
	    LOG_TEXT(made->ek->name), LOG_HEX(made->ek->certificate_index));
	return false;
}

bool renew_is_recorded(const struct record_ek *made, const struct tpm_value *public_area)
{
	enum cvtpm_hash_alg alg = (enum cvtpm_hash_alg)made->ek->name_alg;
	uint8_t digest[CVTPM_HASH_MAX_SIZE];
	size_t size = cvtpm_hash_size(alg);

	/* A name is nameAlg and the digest; nameAlg is hashed, too. */
	return made->name_len == 2 + size &&
	       cvtpm_hash(alg, public_area->bytes, public_area->len, digest) == 0 &&
	       cvtpm_equal(digest, made->name + 2, size);
}

static void make_persistent(struct cvtpm_instance *o, const struct record_ek *made, uint32_t key)
{
	int err = tpm_evict_control(&o->client, TPM_RH_OWNER, key, made->ek->handle);

	if (err < 0)
		owner_log_failure(o, CVTPM_LOG_WARN, "making persistent again the EK",
				  made->ek->name, err);
	else
		LOG(&o->platform, CVTPM_LOG_INFO, "EK %: made persistent again at %",
		    LOG_TEXT(made->ek->name), LOG_HEX(made->ek->handle));
}

/* Makes the EK again from its template and compares it with the record; makes it
 * persistent at its (empty) handle if that is `wanted`. */
static bool key_can_be_made_again(struct cvtpm_instance *o, const struct record_ek *made,
				  bool wanted)
{
	uint8_t template[CVTPM_EK_PUBLIC_MAX_SIZE];
	size_t template_len = cvtpm_ek_template_write(made->ek, template);
	struct tpm_value public_area;
	uint32_t key;
	bool same;
	int err;

	err = tpm_create_primary(&o->client, TPM_RH_ENDORSEMENT, template, template_len, &key,
				 &public_area);
	if (err < 0) {
		owner_log_failure(o, CVTPM_LOG_WARN, "making again the EK", made->ek->name, err);
		return false;
	}
	same = renew_is_recorded(made, &public_area);
	if (!same)
		LOG(&o->platform, CVTPM_LOG_WARN,
		    "EK % is not the one that was certified: the endorsement seed has changed",
		    LOG_TEXT(made->ek->name));
	else if (wanted)
		make_persistent(o, made, key);
	err = tpm_flush_context(&o->client, key);
	if (err < 0)
		owner_log_failure(o, CVTPM_LOG_WARN, "flushing the EK", made->ek->name, err);
	return same;
}

/* True when this TPM has the EK of the record. A persistent object with that name
 * is enough: a name is the digest of the public area, and an object whose public
 * area says fixedTPM is persistent only in the TPM that made it. Otherwise the
 * key is made again from its template, which takes up to a second for RSA. */
static bool key_stands(struct cvtpm_instance *o, const struct record_ek *made, bool certified)
{
	struct tpm_value public_area;
	int err = tpm_read_public(&o->client, made->ek->handle, &public_area);
	bool absent = err == CVTPM_ERR_TPM && o->client.rc == TPM_RC_HANDLE_1;

	if (err == 0 && renew_is_recorded(made, &public_area))
		return true;
	LOG(&o->platform, CVTPM_LOG_WARN,
	    absent ? "EK % is not at % any more" : "another key than EK % is at %",
	    LOG_TEXT(made->ek->name), LOG_HEX(made->ek->handle));
	return key_can_be_made_again(o, made, absent && certified);
}

/* Nobody knows platformAuth from here on (config.random_platform_auth). */
static int close_platform(struct cvtpm_instance *o)
{
	uint8_t value[32];
	int err = o->platform.entropy(o->platform.context, value, sizeof value);

	if (err == 0)
		err = tpm_hierarchy_change_auth(&o->client, TPM_RH_PLATFORM, value, sizeof value);
	cvtpm_wipe(value, sizeof value);
	cvtpm_wipe(o->client.command, sizeof o->client.command);
	if (err < 0)
		return owner_log_failure(o, CVTPM_LOG_ERROR, "setting a random", "platformAuth",
					 err);
	return 0;
}

int renew_after_startup(struct cvtpm_instance *o)
{
	bool evidence = o->record.evidence && owner_is_persistent(o);

	for (size_t i = 0; i < o->record.count; i++) {
		const struct record_ek *made = &o->record.eks[i];
		bool certified = certificate_stands(o, made);
		bool genuine = key_stands(o, made, certified) && certified;

		if (evidence)
			CVTPM_TRY(evidence_renew(o, made, genuine));
	}
	return o->config.random_platform_auth ? close_platform(o) : 0;
}
