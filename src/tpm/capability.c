/*
 * TPM2_GetCapability (Part 3, 30.2): what this TPM is and how it stands.
 *
 * Every group is an ascending sequence of values. A group's `next` function finds
 * the first of them from a key on; capability_get() does the rest, which is the same
 * for all: so many as were asked for and fit, and whether there are more.
 */
#include "tpm/tpm.h"

#include "crypto/mem.h"

#define FOUR(a, b, c, d)                                                                           \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

/* ---- TPM_CAP_TPM_PROPERTIES (Part 2, 6.13) ---- */

/* TPMS_CONTEXT but for the bytes of the context: sequence, handle, hierarchy, size. */
#define CONTEXT_HEADER (8 + 4 + 4 + 2)

/* clang-format off */
static const TPMS_TAGGED_PROPERTY fixed_properties[] = {
	{TPM_PT_FAMILY_INDICATOR, FOUR('2', '.', '0', 0)},
	{TPM_PT_LEVEL, SPEC_LEVEL},
	/* of the TPM Library, times 100; day and year of its date */
	{TPM_PT_REVISION, SPEC_REVISION},
	{TPM_PT_DAY_OF_YEAR, 312},
	{TPM_PT_YEAR, 2019},
	/* ours, not of the TCG's registry: nobody is pretended to be */
	{TPM_PT_MANUFACTURER, MANUFACTURER},
	{TPM_PT_VENDOR_STRING_1, FOUR('S', 'W', ' ', ' ')},
	{TPM_PT_VENDOR_STRING_2, FOUR('c', 'v', 't', 'p')},
	{TPM_PT_VENDOR_STRING_3, FOUR('m', 0, 0, 0)},
	{TPM_PT_VENDOR_STRING_4, 0},
	{TPM_PT_VENDOR_TPM_TYPE, 1},
	{TPM_PT_FIRMWARE_VERSION_1, (uint32_t)(FIRMWARE_VERSION >> 32)},
	{TPM_PT_FIRMWARE_VERSION_2, (uint32_t)FIRMWARE_VERSION},
	{TPM_PT_INPUT_BUFFER, MAX_DIGEST_BUFFER},
	{TPM_PT_HR_TRANSIENT_MIN, MAX_LOADED_OBJECTS},
	{TPM_PT_HR_PERSISTENT_MIN, PERSISTENT_OBJECT_MIN},
	{TPM_PT_HR_LOADED_MIN, MAX_LOADED_SESSIONS},
	{TPM_PT_ACTIVE_SESSIONS_MAX, MAX_ACTIVE_SESSIONS},
	{TPM_PT_PCR_COUNT, IMPLEMENTATION_PCR},
	{TPM_PT_PCR_SELECT_MIN, PCR_SELECT_MAX},
	/* contexts are told apart by 64 bits: no gap is too wide */
	{TPM_PT_CONTEXT_GAP_MAX, 0xFFFFFFFF},
	{TPM_PT_NV_COUNTERS_MAX, MAX_NV_INDICES},
	{TPM_PT_NV_INDEX_MAX, MAX_NV_INDEX_SIZE},
	/* indices and persistent objects share theirs */
	{TPM_PT_MEMORY, TPMA_MEMORY_SHAREDNV},
	{TPM_PT_CLOCK_UPDATE, CLOCK_UPDATE_MS},
	{TPM_PT_CONTEXT_HASH, CONTEXT_HASH},
	{TPM_PT_CONTEXT_SYM, TPM_ALG_AES},
	{TPM_PT_CONTEXT_SYM_SIZE, 8 * MAX_SYM_KEY_BYTES},
	{TPM_PT_ORDERLY_COUNT, ORDERLY_COUNT},
	{TPM_PT_MAX_DIGEST, MAX_DIGEST_SIZE},
	{TPM_PT_MAX_OBJECT_CONTEXT, CONTEXT_HEADER + MAX_CONTEXT_SIZE},
	{TPM_PT_MAX_SESSION_CONTEXT, CONTEXT_HEADER + MAX_CONTEXT_SIZE},
	/* PC Client, Platform TPM Profile 1.05 */
	{TPM_PT_PS_FAMILY_INDICATOR, 1},
	{TPM_PT_PS_LEVEL, 0},
	{TPM_PT_PS_REVISION, 105},
	{TPM_PT_PS_DAY_OF_YEAR, 248},
	{TPM_PT_PS_YEAR, 2020},
	{TPM_PT_SPLIT_MAX, MAX_EPHEMERALS},
	{TPM_PT_VENDOR_COMMANDS, 0},
	{TPM_PT_NV_BUFFER_MAX, MAX_NV_BUFFER},
	/* no FIPS 140 validation */
	{TPM_PT_MODES, 0},
	{TPM_PT_MAX_CAP_BUFFER, MAX_CAP_DATA},
};
/* clang-format on */

static bool fixed_property(const struct tpm *t, TPM_PT property, uint32_t *value)
{
	switch (property) {
	case TPM_PT_MAX_COMMAND_SIZE:
	case TPM_PT_MAX_RESPONSE_SIZE:
		*value = t->buffer_size;
		return true;
	case TPM_PT_TOTAL_COMMANDS:
	case TPM_PT_LIBRARY_COMMANDS:
		*value = (uint32_t)command_count;
		return true;
	}
	for (size_t i = 0; i < sizeof fixed_properties / sizeof *fixed_properties; i++)
		if (fixed_properties[i].property == property) {
			*value = fixed_properties[i].value;
			return true;
		}
	return false;
}

static uint32_t permanent_attributes(struct tpm *t)
{
	return (t->hierarchy[H_OWNER].authValue.size ? TPMA_PERMANENT_OWNERAUTHSET : 0u) |
	       (t->hierarchy[H_ENDORSEMENT].authValue.size ? TPMA_PERMANENT_ENDORSEMENTAUTHSET
							   : 0u) |
	       (t->hierarchy[H_LOCKOUT].authValue.size ? TPMA_PERMANENT_LOCKOUTAUTHSET : 0u) |
	       (t->settings.disableClear ? TPMA_PERMANENT_DISABLECLEAR : 0u) |
	       (lockout_active(t) ? TPMA_PERMANENT_INLOCKOUT : 0u) | TPMA_PERMANENT_TPMGENERATEDEPS;
}

static uint32_t startup_attributes(struct tpm *t)
{
	return (hierarchy_enabled(t, TPM_RH_PLATFORM) ? TPMA_STARTUP_CLEAR_PHENABLE : 0u) |
	       (hierarchy_enabled(t, TPM_RH_OWNER) ? TPMA_STARTUP_CLEAR_SHENABLE : 0u) |
	       (hierarchy_enabled(t, TPM_RH_ENDORSEMENT) ? TPMA_STARTUP_CLEAR_EHENABLE : 0u) |
	       (t->settings.phEnableNV ? TPMA_STARTUP_CLEAR_PHENABLENV : 0u) |
	       (t->was_orderly ? TPMA_STARTUP_CLEAR_ORDERLY : 0u);
}

static uint32_t sessions_active(const struct tpm *t, bool loaded_only)
{
	uint32_t count = 0;

	for (size_t i = 0; i < MAX_ACTIVE_SESSIONS; i++) {
		uint64_t slot = t->contexts.sessions.slot[i];

		count += slot != 0 && (!loaded_only || slot <= MAX_LOADED_SESSIONS);
	}
	return count;
}

static uint32_t objects_free(const struct tpm *t)
{
	uint32_t count = 0;

	for (size_t i = 0; i < MAX_LOADED_OBJECTS; i++)
		count += t->objects[i].use == SLOT_FREE;
	return count;
}

static uint32_t counters(struct tpm *t)
{
	uint32_t count = 0;

	for (struct nv_entry *e = nv_next(t, NV_INDEX_FIRST); e; e = nv_next(t, e->handle + 1))
		count += nv_type(&e->nv.publicArea) == TPM_NT_COUNTER;
	return count;
}

static bool variable_property(struct tpm *t, TPM_PT property, uint32_t *value)
{
	switch (property) {
	case TPM_PT_PERMANENT:
		*value = permanent_attributes(t);
		break;
	case TPM_PT_STARTUP_CLEAR:
		*value = startup_attributes(t);
		break;
	case TPM_PT_HR_NV_INDEX:
		*value = (uint32_t)nv_count(t, TPM_HT_NV_INDEX);
		break;
	case TPM_PT_HR_LOADED:
		*value = sessions_active(t, true);
		break;
	case TPM_PT_HR_LOADED_AVAIL:
		*value = MAX_LOADED_SESSIONS - sessions_active(t, true);
		break;
	case TPM_PT_HR_ACTIVE:
		*value = sessions_active(t, false);
		break;
	case TPM_PT_HR_ACTIVE_AVAIL:
		*value = MAX_ACTIVE_SESSIONS - sessions_active(t, false);
		break;
	case TPM_PT_HR_TRANSIENT_AVAIL:
		*value = objects_free(t);
		break;
	case TPM_PT_HR_PERSISTENT:
		*value = (uint32_t)nv_count(t, TPM_HT_PERSISTENT);
		break;
	case TPM_PT_HR_PERSISTENT_AVAIL:
		*value = (uint32_t)nv_room(t, TPM_HT_PERSISTENT, 0);
		break;
	case TPM_PT_NV_COUNTERS:
		*value = counters(t);
		break;
	case TPM_PT_NV_COUNTERS_AVAIL:
		*value = (uint32_t)nv_room(t, TPM_HT_NV_INDEX, 8);
		break;
	case TPM_PT_ALGORITHM_SET:
		*value = 0;
		break;
	case TPM_PT_LOADED_CURVES:
		*value = type_TPMI_ECC_CURVE.max;
		break;
	case TPM_PT_LOCKOUT_COUNTER:
		*value = t->lockout.failedTries;
		break;
	case TPM_PT_MAX_AUTH_FAIL:
		*value = t->lockout.maxTries;
		break;
	case TPM_PT_LOCKOUT_INTERVAL:
		*value = t->lockout.recoveryTime;
		break;
	case TPM_PT_LOCKOUT_RECOVERY:
		*value = t->lockout.lockoutRecovery;
		break;
	case TPM_PT_NV_WRITE_RECOVERY:
		*value = 0;
		break;
	case TPM_PT_AUDIT_COUNTER_0:
		*value = (uint32_t)(t->audit.counter >> 32);
		break;
	case TPM_PT_AUDIT_COUNTER_1:
		*value = (uint32_t)t->audit.counter;
		break;
	default:
		return false;
	}
	return true;
}

/* Part 3, 30.2: what a TPM must tell in failure mode. */
static bool property_hidden(const struct tpm *t, TPM_PT property)
{
	return t->failed &&
	       (property < TPM_PT_MANUFACTURER || property > TPM_PT_FIRMWARE_VERSION_2);
}

/* ---- the groups ----
 *
 * next_...: finds the first value whose key is >= *key, sets *key to its key and adds
 * it at place `n` of the list. False: there is none. */

static bool next_alg(struct tpm *t, uint32_t *key, TPMU_CAPABILITIES *data, uint32_t n)
{
	(void)t;
	while (*key <= ALGORITHM_LAST && !algorithm_exists(*key))
		++*key;
	if (*key > ALGORITHM_LAST)
		return false;
	data->algorithms.algProperties[n] =
		(TPMS_ALG_PROPERTY){(TPM_ALG_ID)*key, algorithms[*key].attributes};
	return true;
}

static const struct command *command_from(uint32_t code)
{
	for (size_t i = 0; i < command_count; i++)
		if (commands[i]->code >= code)
			return commands[i];
	return NULL;
}

static bool next_command(struct tpm *t, uint32_t *key, TPMU_CAPABILITIES *data, uint32_t n)
{
	const struct command *command = command_from(*key);

	(void)t;
	if (!command)
		return false;
	*key = command->code;
	data->command.commandAttributes[n] = command_attributes(command);
	return true;
}

static bool next_pp_command(struct tpm *t, uint32_t *key, TPMU_CAPABILITIES *data, uint32_t n)
{
	const struct command *command = command_from(*key);

	while (command && !presence_required(t, command))
		command = command_from(command->code + 1);
	if (!command)
		return false;
	*key = data->ppCommands.commandCodes[n] = command->code;
	return true;
}

static bool next_audited(struct tpm *t, uint32_t *key, TPMU_CAPABILITIES *data, uint32_t n)
{
	const struct command *command = command_from(*key);

	while (command && !audit_required(t, command))
		command = command_from(command->code + 1);
	if (!command)
		return false;
	*key = data->auditCommands.commandCodes[n] = command->code;
	return true;
}

/* There is no countdown timer. */
static bool next_of_none(struct tpm *t, uint32_t *key, TPMU_CAPABILITIES *data, uint32_t n)
{
	(void)t, (void)key, (void)data, (void)n;
	return false;
}

/* Of one group of 256 alone. */
static bool next_property(struct tpm *t, uint32_t *key, TPMU_CAPABILITIES *data, uint32_t n)
{
	TPMS_TAGGED_PROPERTY *to = &data->tpmProperties.tpmProperty[n];
	uint32_t last;

	if (*key < PT_FIXED)
		*key = PT_FIXED;
	last = *key < PT_VAR ? TPM_PT_MAX_CAP_BUFFER : TPM_PT_AUDIT_COUNTER_1;
	for (; *key <= last; ++*key)
		if (!property_hidden(t, *key) && (fixed_property(t, *key, &to->value) ||
						  variable_property(t, *key, &to->value))) {
			to->property = *key;
			return true;
		}
	return false;
}

static bool next_pcr_property(struct tpm *t, uint32_t *key, TPMU_CAPABILITIES *data, uint32_t n)
{
	TPMS_TAGGED_PCR_SELECT *to = &data->pcrProperties.pcrProperty[n];

	(void)t;
	for (; *key <= TPM_PT_PCR_AUTH; ++*key)
		if (pcr_property(*key, &to->pcrSelect)) {
			to->tag = *key;
			return true;
		}
	return false;
}

/* The type that reads a curve lists those that there are. */
static bool next_curve(struct tpm *t, uint32_t *key, TPMU_CAPABILITIES *data, uint32_t n)
{
	const struct type *type = &type_TPMI_ECC_CURVE;

	(void)t;
	for (uint32_t i = 0; i < type->max; i++)
		if (type->values[i] >= *key) {
			*key = type->values[i];
			data->eccCurves.eccCurves[n] = (TPMI_ECC_CURVE)*key;
			return true;
		}
	return false;
}

/* ---- handles ---- */

static const TPM_HANDLE permanent_handles[] = {
	TPM_RH_OWNER,       TPM_RH_NULL,     TPM_RS_PW,          TPM_RH_LOCKOUT,
	TPM_RH_ENDORSEMENT, TPM_RH_PLATFORM, TPM_RH_PLATFORM_NV,
};

static bool has_policy(TPM_HANDLE handle)
{
	return handle == TPM_RH_OWNER || handle == TPM_RH_LOCKOUT || handle == TPM_RH_ENDORSEMENT ||
	       handle == TPM_RH_PLATFORM;
}

static bool next_permanent(uint32_t *key)
{
	for (size_t i = 0; i < sizeof permanent_handles / sizeof *permanent_handles; i++)
		if (permanent_handles[i] >= *key) {
			*key = permanent_handles[i];
			return true;
		}
	return false;
}

static bool next_policy(struct tpm *t, uint32_t *key, TPMU_CAPABILITIES *data, uint32_t n)
{
	TPMS_TAGGED_POLICY *to = &data->authPolicies.policies[n];
	const struct tpm_hierarchy *h;

	for (; next_permanent(key); ++*key) {
		if (!has_policy(*key))
			continue;
		h = hierarchy_get(t, *key);
		to->handle = *key;
		to->policyHash.hashAlg = h->authPolicy.size ? h->policyAlg : TPM_ALG_NULL;
		memcpy(&to->policyHash.digest, h->authPolicy.buffer, h->authPolicy.size);
		return true;
	}
	return false;
}

/* A loaded session is named by its handle, a saved one by that of an HMAC session: its
 * kind is in its context. */
static bool next_session(struct tpm *t, uint32_t *key, bool saved, TPM_HANDLE *handle)
{
	for (uint32_t i = HANDLE_INDEX(*key); i < MAX_ACTIVE_SESSIONS; i++) {
		uint64_t slot = t->contexts.sessions.slot[i];

		if (slot == 0 || saved != (slot > MAX_LOADED_SESSIONS))
			continue;
		*key = (*key & 0xFF000000u) | i;
		*handle = saved ? HMAC_SESSION_FIRST + i : t->sessions[slot - 1].s.handle;
		return true;
	}
	return false;
}

static bool next_transient(struct tpm *t, uint32_t *key)
{
	for (uint32_t i = HANDLE_INDEX(*key); i < MAX_LOADED_OBJECTS; i++)
		if (t->objects[i].use != SLOT_FREE) {
			*key = TRANSIENT_FIRST + i;
			return true;
		}
	return false;
}

static bool next_nv(struct tpm *t, uint32_t *key)
{
	const struct nv_entry *entry = nv_next(t, *key);

	if (entry)
		*key = entry->handle;
	return entry;
}

static bool next_handle(struct tpm *t, uint32_t *key, TPMU_CAPABILITIES *data, uint32_t n)
{
	TPM_HANDLE *handle = &data->handles.handle[n];
	bool found;

	switch (HANDLE_TYPE(*key)) {
	case TPM_HT_LOADED_SESSION:
		return next_session(t, key, false, handle);
	case TPM_HT_SAVED_SESSION:
		return next_session(t, key, true, handle);
	case TPM_HT_PCR:
		found = *key < IMPLEMENTATION_PCR;
		break;
	case TPM_HT_PERMANENT:
		found = next_permanent(key);
		break;
	case TPM_HT_TRANSIENT:
		found = next_transient(t, key);
		break;
	default:
		found = next_nv(t, key);
	}
	*handle = *key;
	return found;
}

static bool handle_type_exists(uint8_t type)
{
	switch (type) {
	case TPM_HT_PCR:
	case TPM_HT_NV_INDEX:
	case TPM_HT_LOADED_SESSION:
	case TPM_HT_SAVED_SESSION:
	case TPM_HT_PERMANENT:
	case TPM_HT_TRANSIENT:
	case TPM_HT_PERSISTENT:
		return true;
	default:
		return false;
	}
}

/* ---- the command ---- */

static const struct group {
	TPM_CAP capability;
	uint32_t max; /* values of one answer */
	bool (*next)(struct tpm *t, uint32_t *key, TPMU_CAPABILITIES *data, uint32_t n);
} groups[] = {
	{TPM_CAP_ALGS, (MAX_CAP_DATA - 8) / 6, next_alg},
	{TPM_CAP_HANDLES, (MAX_CAP_DATA - 8) / 4, next_handle},
	{TPM_CAP_COMMANDS, (MAX_CAP_DATA - 8) / 4, next_command},
	{TPM_CAP_PP_COMMANDS, (MAX_CAP_DATA - 8) / 4, next_pp_command},
	{TPM_CAP_AUDIT_COMMANDS, (MAX_CAP_DATA - 8) / 4, next_audited},
	{TPM_CAP_TPM_PROPERTIES, (MAX_CAP_DATA - 8) / 8, next_property},
	{TPM_CAP_PCR_PROPERTIES, (MAX_CAP_DATA - 8) / 8, next_pcr_property},
	{TPM_CAP_ECC_CURVES, 16, next_curve},
	{TPM_CAP_AUTH_POLICIES, 14, next_policy},
	{TPM_CAP_ACT, 0, next_of_none},
};

static const struct group *find_group(TPM_CAP capability)
{
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
		if (groups[i].capability == capability)
			return &groups[i];
	return NULL;
}

/* TPM_CAP_PCRS alone is no sequence: it is given whole, or not at all. */
static tpm_rc get_banks(struct tpm *t, uint32_t property, uint32_t count, TPML_PCR_SELECTION *banks,
			TPMI_YES_NO *more)
{
	if (property != 0)
		return RC_P(2, TPM_RC_VALUE);
	*more = count == 0;
	if (count != 0)
		*banks = t->pcr_banks;
	return TPM_RC_SUCCESS;
}

static tpm_rc check_property(TPM_CAP capability, uint32_t property)
{
	if (capability == TPM_CAP_HANDLES && !handle_type_exists(HANDLE_TYPE(property)))
		return RC_P(2, TPM_RC_HANDLE);
	if ((capability == TPM_CAP_AUTH_POLICIES || capability == TPM_CAP_ACT) &&
	    HANDLE_TYPE(property) != TPM_HT_PERMANENT)
		return RC_P(2, TPM_RC_VALUE);
	return TPM_RC_SUCCESS;
}

/* The count is the first member of every list. Values of another handle type than that of
 * `property` belong to another list; every key that is no handle has type 0. */
static void list_values(struct tpm *t, const struct group *group, uint32_t property, uint32_t count,
			TPMU_CAPABILITIES *data, TPMI_YES_NO *more)
{
	uint32_t n = 0, max = count < group->max ? count : group->max, key = property;
	TPMU_CAPABILITIES beyond;
	bool left = true;

	while (left && n < max) {
		left = group->next(t, &key, data, n);
		n += left;
		left = left && HANDLE_TYPE(++key) == HANDLE_TYPE(property);
	}
	data->handles.count = n;
	*more = left && group->next(t, &key, &beyond, 0);
}

tpm_rc capability_get(struct tpm *t, TPM_CAP capability, uint32_t property, uint32_t count,
		      TPMS_CAPABILITY_DATA *data, TPMI_YES_NO *more)
{
	const struct group *group = find_group(capability);

	*more = 0;
	data->capability = capability;
	if (capability == TPM_CAP_PCRS)
		return t->failed ? TPM_RC_SUCCESS
				 : get_banks(t, property, count, &data->data.assignedPCR, more);
	if (!group)
		return RC_P(1, TPM_RC_VALUE);
	TRY(check_property(capability, property));
	if (!t->failed || capability == TPM_CAP_TPM_PROPERTIES)
		list_values(t, group, property, count, &data->data, more);
	return TPM_RC_SUCCESS;
}
