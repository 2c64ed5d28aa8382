/* Chapter 31: the life of NV indices of every type. */
#include "world.h"

static TPMA_NV pick_nv_attributes(struct world *w, bool platform)
{
	TPMA_NV a = platform ? TPMA_NV_PLATFORMCREATE : 0;
	uint32_t type = PICK(w, TPM_NT_ORDINARY, TPM_NT_ORDINARY, TPM_NT_ORDINARY, TPM_NT_COUNTER,
			     TPM_NT_BITS, TPM_NT_EXTEND, TPM_NT_PIN_FAIL, TPM_NT_PIN_PASS);

	a |= type << TPMA_NV_TPM_NT_SHIFT;
	a |= PICK(w, TPMA_NV_AUTHWRITE, TPMA_NV_AUTHWRITE | TPMA_NV_OWNERWRITE, TPMA_NV_OWNERWRITE,
		  TPMA_NV_POLICYWRITE | TPMA_NV_OWNERWRITE, TPMA_NV_PPWRITE | TPMA_NV_AUTHWRITE);
	a |= PICK(w, TPMA_NV_AUTHREAD, TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD, TPMA_NV_OWNERREAD,
		  TPMA_NV_POLICYREAD | TPMA_NV_OWNERREAD, TPMA_NV_PPREAD | TPMA_NV_AUTHREAD);
	if (type == TPM_NT_PIN_FAIL || type == TPM_NT_PIN_PASS) {
		if (chance(w, 90))
			a = (a & ~TPMA_NV_AUTHWRITE) | TPMA_NV_OWNERWRITE;
		a |= TPMA_NV_AUTHREAD;
		if (type == TPM_NT_PIN_FAIL && chance(w, 95))
			a |= TPMA_NV_NO_DA;
	}
	a |= chance(w, 60) ? TPMA_NV_NO_DA : 0;
	a |= chance(w, 15) ? TPMA_NV_ORDERLY : 0;
	a |= chance(w, 15) && type != TPM_NT_COUNTER ? TPMA_NV_CLEAR_STCLEAR : 0;
	a |= chance(w, 25) ? TPMA_NV_WRITE_STCLEAR : 0;
	a |= chance(w, 25) ? TPMA_NV_READ_STCLEAR : 0;
	a |= chance(w, 20) ? TPMA_NV_GLOBALLOCK : 0;
	a |= chance(w, 10) ? TPMA_NV_WRITEDEFINE : 0;
	a |= chance(w, 10) ? TPMA_NV_WRITEALL : 0;
	a |= platform && chance(w, 30) ? TPMA_NV_POLICY_DELETE : 0;
	return a;
}

static void index_set(struct world_index *x, const TPMS_NV_PUBLIC *public, const TPM2B_AUTH *auth)
{
	x->in_use = true;
	x->counted = x->jumped = false;
	x->public = *public;
	x->e = (struct entity){.auth = *auth,
			       .policyAlg =
				       public->authPolicy.size ? public->nameAlg : TPM_ALG_NULL,
			       .user_auth = true};
	EACH_SIDE (s) {
		x->e.handle[s] = public->nvIndex;
		x->e.name[s] = name_of_index(public);
	}
}

tpm_rc index_make(struct world *w, const TPMS_NV_PUBLIC public[SIDES], const TPM2B_AUTH *auth)
{
	BEGIN(w, NV_DefineSpace);
	struct NV_DefineSpace_in *other;

	p.no_faults = p.no_extra = p.plain = true;
	use_hierarchy(w, &p, 0, TPM_RH_OWNER);
	in->auth = *auth;
	other = pair_split(&p);
	in->publicInfo.nvPublic = public[NATIVE];
	other->publicInfo.nvPublic = public[OTHER];
	return pair_run(w, &p);
}

void index_remove(struct world *w, TPM_HANDLE handle)
{
	BEGIN(w, NV_UndefineSpace);

	p.no_faults = p.no_extra = p.plain = true;
	use_hierarchy(w, &p, 0, TPM_RH_OWNER);
	use_handle(&p, 1, handle);
	pair_run(w, &p);
}

static void nv_define(struct world *w)
{
	bool platform = chance(w, 35);
	unsigned place = pick(w, MAX_INDICES);
	uint32_t type;
	BEGIN(w, NV_DefineSpace);
	TPMS_NV_PUBLIC *public = &in->publicInfo.nvPublic;

	if (w->indices[place].in_use && chance(w, 90))
		return;
	use_hierarchy(w, &p, 0, platform ? TPM_RH_PLATFORM : TPM_RH_OWNER);
	in->auth = pick_auth(w);
	public->nvIndex = NV_INDEX_FIRST + place;
	public->nameAlg = pick_hash(w);
	public->attributes = pick_nv_attributes(w, platform);
	type = (public->attributes & TPMA_NV_TPM_NT) >> TPMA_NV_TPM_NT_SHIFT;
	public->dataSize =
		type == TPM_NT_ORDINARY ? (uint16_t)PICK(w, 0, 1, 8, 20, 64, 500, 1024)
		: type == TPM_NT_EXTEND
			? (uint16_t)cvtpm_hash_size((enum cvtpm_hash_alg) public->nameAlg)
			: 8;
	if (public->attributes & TPMA_NV_ORDERLY && public->dataSize > 20)
	public->dataSize = 20; /* all of them have 512 bytes there */
	if (chance(w, 3))
	public->dataSize += 1;
	if (public->attributes &
		    (TPMA_NV_POLICYREAD | TPMA_NV_POLICYWRITE | TPMA_NV_POLICY_DELETE) ||
	    chance(w, 40))
	public->authPolicy = policy_common(public->nameAlg);
	if (pair_run(w, &p) == 0) {
		index_set(&w->indices[place], public, &in->auth);
	}
}

/* Who is asked: the index, the owner, or the platform. */
static void use_authority(struct world *w, struct pair *p, unsigned n, struct world_index *x,
			  bool write)
{
	TPMA_NV a = x->public.attributes;
	uint32_t by_index = write ? TPMA_NV_AUTHWRITE : TPMA_NV_AUTHREAD;
	uint32_t by_owner = write ? TPMA_NV_OWNERWRITE : TPMA_NV_OWNERREAD;
	uint32_t by_platform = write ? TPMA_NV_PPWRITE : TPMA_NV_PPREAD;
	uint32_t by_policy = write ? TPMA_NV_POLICYWRITE : TPMA_NV_POLICYREAD;
	uint32_t first = pick(w, 3);

	for (uint32_t i = 0; i < 3; i++)
		switch ((first + i) % 3) {
		case 0:
			if (a & (by_index | by_policy) || chance(w, 5)) {
				use_index(w, p, n, x);
				p->entity[n].user_auth = a & by_index;
				if (!(a & by_policy) && chance(w, 90))
					p->entity[n].policyAlg = TPM_ALG_NULL;
				return;
			}
			break;
		case 1:
			if (a & by_owner || chance(w, 3)) {
				use_hierarchy(w, p, n, TPM_RH_OWNER);
				return;
			}
			break;
		default:
			if (a & by_platform || chance(w, 3)) {
				use_hierarchy(w, p, n, TPM_RH_PLATFORM);
				return;
			}
		}
	use_index(w, p, n, x);
}

static void nv_look(struct world *w, struct world_index *x)
{
	BEGIN(w, NV_ReadPublic);

	p.no_faults = p.no_extra = true;
	use_index(w, &p, 0, x);
	if (pair_run(w, &p)) {
		x->in_use = w->differs;
		return;
	}
	x->public = out[NATIVE]->nvPublic.nvPublic;
	EACH_SIDE (s)
		x->e.name[s] = out[s]->nvName;
}

static uint16_t pick_offset(struct world *w, const struct world_index *x)
{
	uint16_t size = x->public.dataSize;

	return chance(w, 60) ? 0
			     : (uint16_t)(chance(w, 85) ? pick(w, size + 1u) : size + pick(w, 3));
}

static uint16_t pick_length(struct world *w, const struct world_index *x, uint16_t offset)
{
	uint16_t size = x->public.dataSize;

	if (chance(w, 6) && size < 1024) /* more is refused there for another reason */
		return (uint16_t)(size + 1);
	if (offset > size)
		return 1;
	return (uint16_t)(x->public.attributes & TPMA_NV_WRITEALL ? size
								  : pick(w, size - offset + 1u));
}

static void nv_write(struct world *w, struct world_index *x)
{
	BEGIN(w, NV_Write);

	use_authority(w, &p, 0, x, true);
	use_index(w, &p, 1, x);
	in->offset = x->public.attributes & TPMA_NV_WRITEALL ? 0 : pick_offset(w, x);
	in->data.size = pick_length(w, x, in->offset);
	if (x->public.attributes & TPMA_NV_ORDERLY && !(x->public.attributes & TPMA_NV_WRITTEN)) {
		in->offset = 0; /* what is not written is not the same */
		in->data.size = x->public.dataSize;
	}
	pick_bytes(w, in->data.buffer, in->data.size);
	if (((x->public.attributes & TPMA_NV_TPM_NT) >> TPMA_NV_TPM_NT_SHIFT) >= TPM_NT_PIN_FAIL) {
		in->offset = 0;
		in->data.size = 8;
		memset(in->data.buffer, 0, 8);
		in->data.buffer[3] = (uint8_t)pick(w, 3);
		in->data.buffer[7] = (uint8_t)pick(w, 6);
	}
	pair_run(w, &p);
}

static uint64_t count_of(const TPM2B_MAX_NV_BUFFER *data)
{
	return (uint64_t)number_at(data->buffer, 4) << 32 | number_at(data->buffer + 4, 4);
}

/* Where a counter begins is each TPM's matter, and how far one with TPMA_NV_ORDERLY goes on
 * after an end that was not orderly; but it never goes back, and counts one by one. */
static void nv_count(struct world *w, struct world_index *x, bool incremented)
{
	BEGIN(w, NV_Read);

	if (x->public.attributes & TPMA_NV_OWNERREAD)
		use_hierarchy(w, &p, 0, TPM_RH_OWNER);
	else
		use_index(w, &p, 0, x);
	use_index(w, &p, 1, x);
	p.unlike = p.no_faults = true;
	in->size = 8;
	if (pair_run(w, &p)) {
		x->counted = false;
		return;
	}
	EACH_SIDE (s) {
		uint64_t before = x->count[s], now = x->count[s] = count_of(&out[s]->data);

		if (x->counted &&
		    (now < before + incremented || (!x->jumped && now != before + incremented)))
			differ(w, "NV_Read: a counter: side %d: %llu after %llu", s,
			       (unsigned long long)now, (unsigned long long)before);
	}
	x->counted = true;
	x->jumped = false;
}

static void nv_increment(struct world *w, struct world_index *x)
{
	BEGIN(w, NV_Increment);

	use_authority(w, &p, 0, x, true);
	use_index(w, &p, 1, x);
	if (is_counter(x) && x->public.attributes & TPMA_NV_WRITTEN)
		nv_count(w, x, false);
	if (pair_run(w, &p))
		return;
	if (is_counter(x)) {
		x->counted &= !!(x->public.attributes & TPMA_NV_WRITTEN);
		nv_look(w, x);
		nv_count(w, x, x->counted);
	}
}

/* A counter that is written now and then alone, over an end that was orderly or not. */
static void nv_orderly_counter(struct world *w)
{
	struct world_index *x = &w->indices[pick(w, MAX_INDICES)];
	const TPMS_NV_PUBLIC public = {
		.nvIndex = NV_INDEX_FIRST + (TPM_HANDLE)(x - w->indices),
		.nameAlg = TPM_ALG_SHA256,
		.attributes = TPMA_NV_ORDERLY | TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE |
			      TPMA_NV_NO_DA | (uint32_t)TPM_NT_COUNTER << TPMA_NV_TPM_NT_SHIFT,
		.dataSize = 8};
	const TPM2B_AUTH none = {.size = 0};

	if (x->in_use || index_make(w, (const TPMS_NV_PUBLIC[]){public, public}, &none))
		return;
	index_set(x, &public, &none);
	for (uint32_t n = 1 + pick(w, 3); n && !w->differs && !w->diverged; n--)
		nv_increment(w, x);
	if (w->differs || w->diverged)
		return;
	if (chance(w, 60))
		power_loss(w);
	else
		restart(w, chance(w, 50) ? TPM_SU_CLEAR : TPM_SU_STATE);
	world_look(w);
	if (x->in_use && x->public.attributes & TPMA_NV_WRITTEN)
		nv_count(w, x, false);
	if (x->in_use && !w->differs && !w->diverged)
		nv_increment(w, x);
}

static void nv_set_bits(struct world *w, struct world_index *x)
{
	BEGIN(w, NV_SetBits);

	use_authority(w, &p, 0, x, true);
	use_index(w, &p, 1, x);
	in->bits = (uint64_t)1 << pick(w, 64);
	pair_run(w, &p);
}

static void nv_extend(struct world *w, struct world_index *x)
{
	BEGIN(w, NV_Extend);

	use_authority(w, &p, 0, x, true);
	use_index(w, &p, 1, x);
	in->data.size = (uint16_t)pick(w, 100);
	pick_bytes(w, in->data.buffer, in->data.size);
	pair_run(w, &p);
}

static void nv_change(struct world *w)
{
	struct world_index *x = pick_index(w);
	void (*const by_type[])(struct world *, struct world_index *) = {nv_write, nv_increment,
									 nv_set_bits, nv_extend};
	unsigned type;

	if (!x)
		return;
	type = (x->public.attributes & TPMA_NV_TPM_NT) >> TPMA_NV_TPM_NT_SHIFT;
	if (chance(w, 4))
		by_type[pick(w, 4)](w, x);
	else
		by_type[type == TPM_NT_COUNTER  ? 1
			: type == TPM_NT_BITS   ? 2
			: type == TPM_NT_EXTEND ? 3
						: 0](w, x);
	if (!w->differs && !w->diverged)
		nv_look(w, x);
}

static void nv_read(struct world *w)
{
	struct world_index *x = pick_index(w);
	BEGIN(w, NV_Read);

	if (!x)
		return;
	p.unlike = is_counter(x);
	use_authority(w, &p, 0, x, false);
	use_index(w, &p, 1, x);
	in->offset = pick_offset(w, x);
	in->size = pick_length(w, x, in->offset);
	pair_run(w, &p);
}

/* An authValue that counts its uses: right and wrong ones, and what the counts are then. */
static void nv_pin(struct world *w)
{
	struct world_index *x = NULL;

	for (size_t i = 0; i < MAX_INDICES; i++)
		if (w->indices[i].in_use && is_pin(&w->indices[i]))
			x = &w->indices[i];
	if (!x)
		return;
	if (chance(w, 50))
		nv_write(w, x);
	for (uint32_t n = 1 + pick(w, 5); n && !w->differs && !w->diverged; n--) {
		BEGIN(w, NV_Read);

		use_index(w, &p, 0, x);
		use_index(w, &p, 1, x);
		p.entity[0].user_auth = true;
		if (chance(w, 40)) {
			p.entity[0].auth = pick_auth(w);
			p.plain = true;
		}
		in->size = 8;
		pair_run(w, &p);
	}
	if (x->public.attributes & TPMA_NV_OWNERREAD) {
		BEGIN(w, NV_Read);

		use_hierarchy(w, &p, 0, TPM_RH_OWNER);
		use_index(w, &p, 1, x);
		in->size = 8;
		pair_run(w, &p);
	}
}

static void nv_read_public(struct world *w)
{
	struct world_index *x = pick_index(w);

	if (x)
		nv_look(w, x);
}

static void nv_lock(struct world *w)
{
	struct world_index *x = pick_index(w);

	if (!x)
		return;
	if (chance(w, 50)) {
		BEGIN(w, NV_WriteLock);

		use_authority(w, &p, 0, x, true);
		use_index(w, &p, 1, x);
		pair_run(w, &p);
	} else {
		BEGIN(w, NV_ReadLock);

		use_authority(w, &p, 0, x, false);
		use_index(w, &p, 1, x);
		pair_run(w, &p);
	}
	w->stale = true;
}

static void nv_global_lock(struct world *w)
{
	BEGIN(w, NV_GlobalWriteLock);

	use_hierarchy(w, &p, 0, PICK(w, TPM_RH_OWNER, TPM_RH_PLATFORM));
	pair_run(w, &p);
	w->stale = true;
}

static void nv_undefine(struct world *w)
{
	struct world_index *x = pick_index(w);
	BEGIN(w, NV_UndefineSpace);

	if (!x)
		return;
	use_hierarchy(w, &p, 0,
		      x->public.attributes & TPMA_NV_PLATFORMCREATE || chance(w, 5)
			      ? TPM_RH_PLATFORM
			      : TPM_RH_OWNER);
	use_index(w, &p, 1, x);
	if (pair_run(w, &p) == 0)
		x->in_use = false;
}

static void nv_undefine_special(struct world *w)
{
	static const TPM2B_AUTH none;
	struct world_index *x = NULL;
	BEGIN(w, NV_UndefineSpaceSpecial);

	for (size_t i = 0; i < MAX_INDICES; i++)
		if (w->indices[i].in_use && w->indices[i].public.attributes & TPMA_NV_POLICY_DELETE)
			x = &w->indices[i];
	if (!x && chance(w, 5))
		x = pick_index(w);
	if (!x)
		return;
	use_index(w, &p, 0, x);
	use_hierarchy(w, &p, 1, TPM_RH_PLATFORM);
	p.auth_after[0] = &none;
	if (pair_run(w, &p) == 0)
		x->in_use = false;
}

static void nv_change_auth(struct world *w)
{
	struct world_index *x = pick_index(w);
	TPM2B_AUTH new;
	BEGIN(w, NV_ChangeAuth);

	if (!x)
		return;
	use_index(w, &p, 0, x);
	new = in->newAuth = pick_auth(w);
	p.auth_after[0] = &new;
	if (pair_run(w, &p) == 0)
		x->e.auth = new;
}

const struct operation operations_nv[] = {
	{"nv-define", 22, nv_define},
	{"nv-change", 40, nv_change},
	{"nv-read", 35, nv_read},
	{"nv-pin", 8, nv_pin},
	{"nv-orderly-counter", 6, nv_orderly_counter},
	{"nv-read-public", 5, nv_read_public},
	{"nv-lock", 6, nv_lock},
	{"nv-global-lock", 2, nv_global_lock},
	{"nv-undefine", 5, nv_undefine},
	{"nv-undefine-special", 4, nv_undefine_special},
	{"nv-change-auth", 5, nv_change_auth},
	{NULL, 0, NULL},
};
