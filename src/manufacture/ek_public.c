/* The public area of an EK: cvtpm_instance_ek_public(). */
#include "crypto/mem.h"
#include "cvtpm/err.h"
#include "manufacture/owner.h"

static const struct record_ek *find(const struct cvtpm_instance *o, enum cvtpm_ek kind)
{
	for (size_t i = 0; i < o->record.count; i++)
		if (o->record.eks[i].ek->kind == kind)
			return &o->record.eks[i];
	return NULL;
}

static int put(const struct record_ek *made, const struct tpm_value *area, uint8_t *out,
	       size_t *len)
{
	if (!renew_is_recorded(made, area))
		return CVTPM_ERR_AUTH;
	if (area->len + 2 > *len)
		return CVTPM_ERR_SIZE;
	out[0] = (uint8_t)(area->len >> 8);
	out[1] = (uint8_t)area->len;
	memcpy(out + 2, area->bytes, area->len);
	*len = area->len + 2;
	return 0;
}

/* The persistent key may be gone, or another's. */
static int make_again(struct cvtpm_instance *o, const struct record_ek *made, uint8_t *out,
		      size_t *len)
{
	uint8_t template[CVTPM_EK_PUBLIC_MAX_SIZE];
	size_t template_len = cvtpm_ek_template_write(made->ek, template);
	struct tpm_value area;
	uint32_t key;
	int err;

	CVTPM_TRY(tpm_create_primary(&o->client, TPM_RH_ENDORSEMENT, template, template_len, &key,
				     &area));
	err = put(made, &area, out, len);
	CVTPM_TRY(tpm_flush_context(&o->client, key));
	return err;
}

int cvtpm_instance_ek_public(struct cvtpm_instance *o, enum cvtpm_ek kind, uint8_t *out,
			     size_t *len)
{
	const struct record_ek *made = find(o, kind);
	struct tpm_value area;

	if (!made)
		return CVTPM_ERR_NOT_FOUND;
	if (o->failed)
		return CVTPM_ERR_STATE;
	o->orderly = false; /* as after any command */
	if (tpm_read_public(&o->client, made->ek->handle, &area) == 0 &&
	    renew_is_recorded(made, &area))
		return put(made, &area, out, len);
	return make_again(o, made, out, len);
}
