/* Chapters 24 and 25: hierarchies, Clear, dictionary attack. */
#include "world.h"

#define GUARDED_INDEX (NV_INDEX_FIRST + 0x12)

static TPM2B_AUTH *auth_of(struct world *w, TPM_HANDLE h)
{
	return h == TPM_RH_OWNER         ? &w->owner
	       : h == TPM_RH_ENDORSEMENT ? &w->endorsement
	       : h == TPM_RH_PLATFORM    ? &w->platform
					 : &w->lockout;
}

static TPM_HANDLE pick_authority(struct world *w)
{
	return PICK(w, TPM_RH_OWNER, TPM_RH_ENDORSEMENT, TPM_RH_PLATFORM, TPM_RH_LOCKOUT);
}

static void change_auth(struct world *w)
{
	TPM_HANDLE h = pick_authority(w);
	TPM2B_AUTH new = pick_auth(w);
	BEGIN(w, HierarchyChangeAuth);

	use_hierarchy(w, &p, 0, h);
	in->newAuth = new;
	p.auth_after[0] = &new;
	if (pair_run(w, &p) == 0)
		*auth_of(w, h) = new;
}

static void set_policy(struct world *w)
{
	TPM_HANDLE h = pick_authority(w);
	bool empty = chance(w, 30);
	BEGIN(w, SetPrimaryPolicy);

	use_hierarchy(w, &p, 0, h);
	in->hashAlg = empty ? TPM_ALG_NULL : TPM_ALG_SHA256;
	if (!empty)
		in->authPolicy = policy_common(TPM_ALG_SHA256);
	if (pair_run(w, &p) == 0)
		w->policies[h == TPM_RH_OWNER         ? 0
			    : h == TPM_RH_ENDORSEMENT ? 1
			    : h == TPM_RH_PLATFORM    ? 2
						      : 3] = !empty;
}

/* Off and, mostly, on again: under a hierarchy that is off little succeeds. */
static void control(struct world *w)
{
	TPMI_RH_ENABLES what = PICK(w, TPM_RH_OWNER, TPM_RH_ENDORSEMENT, TPM_RH_PLATFORM_NV,
				    TPM_RH_OWNER, TPM_RH_ENDORSEMENT);
	TPM_HANDLE by = chance(w, 50) && what != TPM_RH_PLATFORM_NV ? what : TPM_RH_PLATFORM;

	for (unsigned state = 0; state < 2 && !w->differs; state++) {
		BEGIN(w, HierarchyControl);

		use_hierarchy(w, &p, 0, state ? TPM_RH_PLATFORM : by);
		in->enable = what;
		in->state = (TPMI_YES_NO)state;
		p.no_faults = state;
		pair_run(w, &p);
		w->stale = true;
		if (!state && chance(w, 50) && !w->differs)
			world_look(w);
	}
}

static void clear(struct world *w)
{
	static const TPM2B_AUTH none;
	TPM_HANDLE by = PICK(w, TPM_RH_LOCKOUT, TPM_RH_PLATFORM);
	BEGIN(w, Clear);

	use_hierarchy(w, &p, 0, by);
	if (by == TPM_RH_LOCKOUT)
		p.auth_after[0] = &none;
	if (pair_run(w, &p))
		return;
	w->owner = w->endorsement = w->lockout = none;
	clock_is_set(w, 0);
	w->started_clock = 0;
	w->policies[0] = w->policies[1] = w->policies[3] = false;
	w->stale = true;
}

static void clear_control(struct world *w)
{
	BEGIN(w, ClearControl);

	in->disable = (TPMI_YES_NO)chance(w, 30);
	use_hierarchy(w, &p, 0, in->disable && chance(w, 50) ? TPM_RH_LOCKOUT : TPM_RH_PLATFORM);
	pair_run(w, &p);
}

static void change_seed(struct world *w)
{
	if (chance(w, 50)) {
		BEGIN(w, ChangeEPS);

		use_hierarchy(w, &p, 0, TPM_RH_PLATFORM);
		if (pair_run(w, &p) == 0) {
			w->endorsement.size = 0;
			w->policies[1] = false;
		}
	} else {
		BEGIN(w, ChangePPS);

		use_hierarchy(w, &p, 0, TPM_RH_PLATFORM);
		if (pair_run(w, &p) == 0)
			w->policies[2] = false;
	}
	w->stale = true;
}

static void lockout_reset(struct world *w)
{
	BEGIN(w, DictionaryAttackLockReset);

	use_hierarchy(w, &p, 0, TPM_RH_LOCKOUT);
	pair_run(w, &p);
}

static void lockout_parameters(struct world *w)
{
	BEGIN(w, DictionaryAttackParameters);

	if (w->time_stands) /* a shorter time would forgive what a longer one has not yet */
		return;
	use_hierarchy(w, &p, 0, TPM_RH_LOCKOUT);
	in->newMaxTries = PICK(w, 5, 6, 10, 32, 1);
	in->newRecoveryTime = PICK(w, 100000, 100000, 50000, 0);
	in->lockoutRecovery = PICK(w, 0, 100000);
	pair_run(w, &p);
}

/* ---- physical presence ---- */

static TPML_CC pick_commands(struct world *w)
{
	TPML_CC list = {.count = pick(w, 4)};

	for (uint32_t i = 0; i < list.count; i++)
		list.commandCodes[i] =
			PICK(w, TPM_CC_Clear, TPM_CC_ClearControl, TPM_CC_HierarchyControl,
			     TPM_CC_HierarchyChangeAuth, TPM_CC_SetPrimaryPolicy, TPM_CC_ChangeEPS,
			     TPM_CC_ClockSet, TPM_CC_ClockRateAdjust, TPM_CC_EvictControl,
			     TPM_CC_CreatePrimary, TPM_CC_CreateLoaded, TPM_CC_NV_DefineSpace,
			     TPM_CC_NV_UndefineSpace, TPM_CC_NV_UndefineSpaceSpecial,
			     TPM_CC_NV_GlobalWriteLock, TPM_CC_PCR_SetAuthPolicy,
			     TPM_CC_PP_Commands, TPM_CC_NV_Write, TPM_CC_GetRandom, 0x1FF, 0);
	return list;
}

static void change_list(struct world *w, const TPML_CC *set, const TPML_CC *clear)
{
	BEGIN(w, PP_Commands);

	use_hierarchy(w, &p, 0, TPM_RH_PLATFORM);
	in->setList = *set;
	in->clearList = *clear;
	pair_run(w, &p);
}

/* Commands come into the list, somebody is there or is not while they are used, and mostly they
 * leave it again. */
static void pp_commands(struct world *w)
{
	static void (*const uses[])(struct world * w) = {change_auth, set_policy,    control,
							 clear,       clear_control, change_seed};
	const TPML_CC set = pick_commands(w), clear = pick_commands(w);
	static const TPML_CC none;

	set_presence(w, chance(w, 80));
	change_list(w, &set, &clear);
	set_presence(w, chance(w, 50));
	uses[pick(w, sizeof uses / sizeof *uses)](w);
	set_presence(w, chance(w, 90));
	if (chance(w, 70))
		change_list(w, &none, &set);
}

/* ---- dictionary attack ---- */

static void look_at_counter(struct world *w)
{
	BEGIN(w, GetCapability);

	p.no_faults = p.no_extra = true;
	in->capability = TPM_CAP_TPM_PROPERTIES;
	in->property = TPM_PT_LOCKOUT_COUNTER;
	in->propertyCount = 1;
	if (pair_run(w, &p) == 0)
		compare_value(w, "GetCapability: failed tries", &type_TPMS_CAPABILITY_DATA,
			      &out[NATIVE]->capabilityData, &out[OTHER]->capabilityData, true);
}

static void read_guarded(struct world *w, const TPM2B_AUTH *auth)
{
	BEGIN(w, NV_Read);

	p.no_faults = p.no_extra = p.plain = true;
	use_handle(&p, 0, GUARDED_INDEX);
	use_handle(&p, 1, GUARDED_INDEX);
	p.entity[0].auth = *auth;
	in->size = 8;
	pair_run(w, &p);
}

/* Wrong tries, some time, and a right one. */
static void failed_tries(struct world *w)
{
	const TPMS_NV_PUBLIC public = {.nvIndex = GUARDED_INDEX,
				       .nameAlg = TPM_ALG_SHA256,
				       .attributes = TPMA_NV_OWNERWRITE | TPMA_NV_AUTHREAD,
				       .dataSize = 8};
	const TPM2B_AUTH right = rig_auth("right"), wrong = rig_auth("wrong");

	if (index_make(w, (const TPMS_NV_PUBLIC[]){public, public}, &right))
		return;
	{
		BEGIN(w, NV_Write);

		p.no_faults = p.no_extra = p.plain = true;
		use_hierarchy(w, &p, 0, TPM_RH_OWNER);
		use_handle(&p, 1, GUARDED_INDEX);
		in->data.size = 8;
		pair_run(w, &p);
	}
	for (uint32_t n = pick(w, 5); n; n--)
		read_guarded(w, &wrong);
	time_pass(w, PICK(w, 0, 49999999, 50000000, 100000000, 199999999, 300000001));
	look_at_counter(w);
	read_guarded(w, &right);
	look_at_counter(w);
	index_remove(w, GUARDED_INDEX);
}

const struct operation operations_hierarchy[] = {
	{"hierarchy-change-auth", 8, change_auth},
	{"set-primary-policy", 5, set_policy},
	{"hierarchy-control", 5, control},
	{"clear", 3, clear},
	{"clear-control", 3, clear_control},
	{"change-seed", 2, change_seed},
	{"lockout-reset", 12, lockout_reset},
	{"lockout-parameters", 3, lockout_parameters},
	{"failed-tries", 6, failed_tries},
	{"pp-commands", 8, pp_commands},
	{NULL, 0, NULL},
};
