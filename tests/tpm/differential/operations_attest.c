/* Chapters 18, 21 and 31.16: what the TPMs attest, compared by what it says. */
#include "world.h"

#include <stdarg.h>

#define NOT_A_CODE 0x1FE

static bool unpack(const TPM2B_ATTEST *bytes, TPMS_ATTEST *attest)
{
	struct reader r = {bytes->buffer, bytes->size};

	return type_read(&type_TPMS_ATTEST, attest, &r, true) == 0 && r.left == 0;
}

static void same_attest(struct world *w, const char *what, const TPM2B_ATTEST *a,
			const TPM2B_ATTEST *b, bool values)
{
	static TPMS_ATTEST x, y; /* too large for small stacks */
	char name[80];

	memset(&x, 0, sizeof x);
	memset(&y, 0, sizeof y);
	if (!unpack(a, &x) || !unpack(b, &y)) {
		differ(w, "%s: not a TPMS_ATTEST", what);
		return;
	}
	snprintf(name, sizeof name, "%s: type", what);
	compare_value(w, name, &type_TPMI_ST_ATTEST, &x.type, &y.type, true);
	snprintf(name, sizeof name, "%s: extraData", what);
	compare_value(w, name, &type_TPM2B_DATA, &x.extraData, &y.extraData, true);
	snprintf(name, sizeof name, "%s: qualifiedSigner", what);
	compare_value(w, name, &type_TPM2B_NAME, &x.qualifiedSigner, &y.qualifiedSigner, false);
	compare_clock(w, what, &x.clockInfo, &y.clockInfo);
	if (w->differs)
		return;
	snprintf(name, sizeof name, "%s: attested", what);
	switch (x.type) {
	case TPM_ST_ATTEST_QUOTE:
		compare_value(w, name, &type_TPMS_QUOTE_INFO, &x.attested.quote, &y.attested.quote,
			      true);
		break;
	case TPM_ST_ATTEST_NV:
		compare_value(w, name, &type_TPMS_NV_CERTIFY_INFO, &x.attested.nv, &y.attested.nv,
			      true);
		break;
	case TPM_ST_ATTEST_CERTIFY:
		compare_value(w, name, &type_TPMS_CERTIFY_INFO, &x.attested.certify,
			      &y.attested.certify, values);
		break;
	case TPM_ST_ATTEST_SESSION_AUDIT:
		snprintf(name, sizeof name, "%s: exclusiveSession", what);
		compare_value(w, name, &type_TPMI_YES_NO, &x.attested.sessionAudit.exclusiveSession,
			      &y.attested.sessionAudit.exclusiveSession, true);
		break;
	case TPM_ST_ATTEST_TIME:
		compare_time(w, name, &x.attested.time.time, &y.attested.time.time);
		break;
	default:
		break;
	}
}

static void pick_signer(struct world *w, struct pair *p, unsigned n)
{
	struct world_key *key = pick_key(w, chance(w, 95) ? ANY_SIGNING : ANY_KEY);

	if (key && chance(w, 85))
		use_key(p, n, key);
}

static TPMT_SIG_SCHEME scheme_for(struct world *w, const struct pair *p, unsigned n)
{
	TPMT_SIG_SCHEME scheme = {.scheme = TPM_ALG_NULL};

	for (size_t i = 0; i < MAX_KEYS; i++)
		if (w->keys[i].kind == KEY_ANONYMOUS &&
		    w->keys[i].e.handle[NATIVE] == p->entity[n].handle[NATIVE] && chance(w, 85))
			return anonymous_scheme(w, &w->keys[i]);
	if (chance(w, 60))
		return scheme;
	for (size_t i = 0; i < MAX_KEYS; i++)
		if (w->keys[i].kind && w->keys[i].e.handle[NATIVE] == p->entity[n].handle[NATIVE]) {
			TPM_ALG_ID type = w->keys[i].public[NATIVE].type;

			scheme.scheme = type == TPM_ALG_ECC   ? TPM_ALG_ECDSA
					: type == TPM_ALG_RSA ? TPM_ALG_RSASSA
							      : TPM_ALG_HMAC;
		}
	scheme.details.any.hashAlg = TPM_ALG_SHA256;
	return scheme;
}

static void pick_data(struct world *w, TPM2B_DATA *data)
{
	data->size = (uint16_t)PICK(w, 0, 20, 32, 64);
	pick_bytes(w, data->buffer, data->size);
}

static void quote(struct world *w)
{
	BEGIN(w, Quote);

	pick_signer(w, &p, 0);
	pick_data(w, &in->qualifyingData);
	in->inScheme = scheme_for(w, &p, 0);
	in->PCRselect = pick_pcrs(w);
	if (pair_run(w, &p) == 0)
		same_attest(w, "Quote", &out[NATIVE]->quoted, &out[OTHER]->quoted, true);
}

static void certify(struct world *w)
{
	struct world_key *key = pick_key(w, ANY_KEY);
	BEGIN(w, Certify);

	if (!key)
		return;
	use_key(&p, 0, key);
	pick_signer(w, &p, 1);
	pick_data(w, &in->qualifyingData);
	in->inScheme = scheme_for(w, &p, 1);
	if (pair_run(w, &p) == 0)
		same_attest(w, "Certify", &out[NATIVE]->certifyInfo, &out[OTHER]->certifyInfo,
			    false);
}

static void nv_certify(struct world *w)
{
	struct world_index *x = pick_index(w);
	BEGIN(w, NV_Certify);

	if (!x || is_counter(x))
		return;
	pick_signer(w, &p, 0);
	if (x->public.attributes & TPMA_NV_OWNERREAD)
		use_hierarchy(w, &p, 1, TPM_RH_OWNER);
	else
		use_index(w, &p, 1, x);
	use_index(w, &p, 2, x);
	pick_data(w, &in->qualifyingData);
	in->inScheme = scheme_for(w, &p, 0);
	in->size = (uint16_t)pick(w, x->public.dataSize + 1u);
	in->offset = chance(w, 80) ? 0 : (uint16_t)pick(w, 10);
	if (pair_run(w, &p) == 0)
		same_attest(w, "NV_Certify", &out[NATIVE]->certifyInfo, &out[OTHER]->certifyInfo,
			    true);
}

static void get_time(struct world *w)
{
	BEGIN(w, GetTime);

	use_hierarchy(w, &p, 0, TPM_RH_ENDORSEMENT);
	pick_signer(w, &p, 1);
	pick_data(w, &in->qualifyingData);
	in->inScheme = scheme_for(w, &p, 1);
	if (pair_run(w, &p) == 0)
		same_attest(w, "GetTime", &out[NATIVE]->timeInfo, &out[OTHER]->timeInfo, true);
}

/* ---- audit: what each says is held against what was computed for it ---- */

static TPM_CC pick_code(struct world *w)
{
	return chance(w, 8) ? PICK(w, 0, 0x10, NOT_A_CODE, TPM_CC_Shutdown,
				   TPM_CC_SetCommandCodeAuditStatus, 0xFFFFFFFF)
			    : commands[pick(w, (uint32_t)command_count)]->code;
}

static void pick_codes(struct world *w, TPML_CC *list, uint32_t most)
{
	list->count = pick(w, most + 1);
	for (uint32_t i = 0; i < list->count; i++)
		list->commandCodes[i] = pick_code(w);
}

static void set_audit_status(struct world *w)
{
	bool change = chance(w, 25);
	BEGIN(w, SetCommandCodeAuditStatus);

	use_hierarchy(w, &p, 0, PICK(w, TPM_RH_OWNER, TPM_RH_PLATFORM));
	in->auditAlg = change ? pick_hash(w) : TPM_ALG_NULL;
	if (!change || chance(w, 10)) {
		pick_codes(w, &in->setList, 25);
		pick_codes(w, &in->clearList, 5);
	}
	pair_run(w, &p);
}

static void command_audit(struct world *w)
{
	BEGIN(w, GetCommandAuditDigest);

	use_hierarchy(w, &p, 0, TPM_RH_ENDORSEMENT);
	if (chance(w, 40))
		pick_signer(w, &p, 1);
	pick_data(w, &in->qualifyingData);
	in->inScheme = scheme_for(w, &p, 1);
	if (pair_run(w, &p))
		return;
	same_attest(w, "GetCommandAuditDigest", &out[NATIVE]->auditInfo, &out[OTHER]->auditInfo,
		    true);
	EACH_SIDE (s) {
		static TPMS_ATTEST a;

		if (unpack(&out[s]->auditInfo, &a) && !w->differs)
			audit_check(w, s, &a.attested.commandAudit);
	}
}

static void session_audit(struct world *w)
{
	struct world_session *session = pick_session(w, TPM_SE_HMAC);
	BEGIN(w, GetSessionAuditDigest);

	if (!session)
		return;
	use_hierarchy(w, &p, 0, TPM_RH_ENDORSEMENT);
	if (chance(w, 40))
		pick_signer(w, &p, 1);
	use_session(&p, 2, session);
	pick_data(w, &in->qualifyingData);
	in->inScheme = scheme_for(w, &p, 1);
	if (pair_run(w, &p))
		return;
	same_attest(w, "GetSessionAuditDigest", &out[NATIVE]->auditInfo, &out[OTHER]->auditInfo,
		    true);
	EACH_SIDE (s) {
		static TPMS_ATTEST a;

		if (unpack(&out[s]->auditInfo, &a) && !w->differs)
			audit_check_session(w, s, &a.attested.sessionAudit, session);
	}
}

const struct operation operations_attest[] = {
	{"quote", 14, quote},
	{"certify", 10, certify},
	{"nv-certify", 8, nv_certify},
	{"get-time", 5, get_time},
	{"set-audit-status", 6, set_audit_status},
	{"command-audit", 8, command_audit},
	{"session-audit", 8, session_audit},
	{NULL, 0, NULL},
};
