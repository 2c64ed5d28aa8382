/* Part 3, 12: objects that the TPM makes. */
#include "tpm/tpm.h"

/* What TPM2_CreatePrimary has in common with them is in create.c. */

/* 12.1 TPM2_Create: an object under a Storage Parent, for TPM2_Load. */
COMMAND_BODY(Create)
{
	const struct tpm_object *parent = object_get(t, in->parentHandle);
	TPMT_PUBLIC *public = &out->outPublic.publicArea;
	TPM2B_SENSITIVE *sensitive = &t->frame.sensitive;
	TPMS_SENSITIVE_CREATE *given = &in->inSensitive.sensitive;
	TPM2B_NAME name;

	if (!object_is_parent(parent))
		return RC_H(1, TPM_RC_TYPE);
	*public = in->inPublic.publicArea;
	TRY(rc_p(2, template_check_creation(parent, public, given->data.size)));
	TRY(rc_p(1, object_adjust_auth(&given->userAuth, public->nameAlg)));
	TRY(create_random(t, public, given, sensitive));
	TRY(object_compute_name(t, public, &name));
	TRY(create_data(t, in->parentHandle, public->nameAlg, &in->creationPCR, &in->outsideInfo,
			&out->creationData.creationData, &out->creationHash));
	TRY(ticket_creation(t, parent->hierarchy, &name, &out->creationHash, &out->creationTicket));
	return protect_wrap(t, parent, &name, &sensitive->sensitiveArea, &out->outPrivate);
}

/* ---- 12.9 ---- */

/* All of the template must be used up. */
static tpm_rc read_template(const TPM2B_TEMPLATE *template, const struct type *type, void *to)
{
	struct reader r = {template->buffer, template->size};

	TRY(type_read(type, to, &r, false));
	return r.left ? TPM_RC_SIZE : TPM_RC_SUCCESS;
}

/* Where the template has no label or no context, that of the sensitive data counts. */
static tpm_rc complete_label(TPMS_DERIVE *how, const TPM2B_SENSITIVE_DATA *data)
{
	struct reader r = {data->buffer, data->size};
	TPMS_DERIVE other;

	if (!data->size)
		return TPM_RC_SUCCESS;
	TRY(type_read(&type_TPMS_DERIVE, &other, &r, false));
	if (!how->label.size)
		how->label = other.label;
	if (!how->context.size)
		how->context = other.context;
	return TPM_RC_SUCCESS;
}

static tpm_rc load_derived(struct tpm *t, struct CreateLoaded_in *in,
			   const struct tpm_object *parent, struct tpm_object *object)
{
	TPMS_SENSITIVE_CREATE *given = &in->inSensitive.sensitive;
	TPMT_PUBLIC *public = &object->publicArea;
	TEMPLATE_DERIVE template;

	TRY(rc_p(2, read_template(&in->inPublic, &type_TEMPLATE_DERIVE, &template)));
	public->type = template.type;
	public->nameAlg = template.nameAlg;
	public->objectAttributes = template.objectAttributes;
	public->authPolicy = template.authPolicy;
	public->parameters = template.parameters;
	TRY(rc_p(1, object_adjust_auth(&given->userAuth, public->nameAlg)));
	if (public->type == TPM_ALG_RSA)
		return RC_P(2, TPM_RC_TYPE);
	if (public->objectAttributes & TPMA_OBJECT_SENSITIVEDATAORIGIN)
		return TPM_RC_ATTRIBUTES;
	TRY(rc_p(2, template_check(parent, public)));
	TRY(complete_label(&template.unique, &given->data));
	given->data.size = 0; /* it was label and context, not the secret */
	object->flags = OBJECT_DERIVED;
	return create_derived(t, parent, &template.unique, public, given, &object->sensitive);
}

static tpm_rc load_created(struct tpm *t, struct CreateLoaded_in *in,
			   const struct tpm_object *parent, struct tpm_object *object)
{
	TPMS_SENSITIVE_CREATE *given = &in->inSensitive.sensitive;
	TPMT_PUBLIC *public = &object->publicArea;

	TRY(rc_p(2, read_template(&in->inPublic, &type_TPMT_PUBLIC, public)));
	TRY(rc_p(1, object_adjust_auth(&given->userAuth, public->nameAlg)));
	TRY(rc_p(2, template_check_creation(parent, public, given->data.size)));
	return parent ? create_random(t, public, given, &object->sensitive)
		      : create_primary(t, in->parentHandle, public, given, &object->sensitive);
}

/* 12.9 TPM2_CreateLoaded: a primary, ordinary or derived object, by what the parent is. */
COMMAND_BODY(CreateLoaded)
{
	const struct tpm_object *parent = object_get(t, in->parentHandle);
	bool derive = object_is_derivation_parent(parent);
	struct tpm_object *object;
	struct tpm_slot *slot;

	if (HANDLE_TYPE(in->parentHandle) != TPM_HT_PERMANENT && !derive &&
	    !object_is_parent(parent))
		return RC_H(1, TPM_RC_TYPE);
	TRY(object_slot(t, SLOT_OBJECT, &slot, &out->handle));
	object = &slot->object;
	TRY(derive ? load_derived(t, in, parent, object) : load_created(t, in, parent, object));
	TRY(object_compute_name(t, &object->publicArea, &object->name));
	TRY(object_complete(t, object, in->parentHandle));
	out->outPublic.publicArea = object->publicArea;
	out->name = object->name;
	if (!parent || derive) /* it can only be made again */
		return TPM_RC_SUCCESS;
	return protect_wrap(t, parent, &object->name, &object->sensitive.sensitiveArea,
			    &out->outPrivate);
}
