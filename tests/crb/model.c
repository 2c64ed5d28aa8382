#include "model.h"

#include <string.h>

enum event { CMD_READY, GO_IDLE, DATA, START, EVENTS };
enum next { STAY = MODEL_STATES, BY_BYPASS };

/* PTP 1.06, 6.5.3.10. BY_BYPASS: as in Idle if CapCRBIdleBypass, else ignored. */
static const int next_state[MODEL_STATES][EVENTS] = {
	/*                    CMD_READY     GO_IDLE     DATA             START */
	[MODEL_IDLE] = {MODEL_READY, MODEL_IDLE, STAY, STAY},
	[MODEL_READY] = {MODEL_READY, MODEL_IDLE, MODEL_RECEPTION, MODEL_EXECUTION},
	[MODEL_RECEPTION] = {MODEL_READY, MODEL_IDLE, MODEL_RECEPTION, MODEL_EXECUTION},
	[MODEL_EXECUTION] = {STAY, STAY, STAY, STAY},
	[MODEL_COMPLETION] = {BY_BYPASS, MODEL_IDLE, BY_BYPASS, STAY},
};
/* Where the step starts afresh: what the buffer held is gone. */
static const bool clears[MODEL_STATES][EVENTS] = {
	[MODEL_IDLE] = {true, true, false, false},
	[MODEL_READY] = {true, true, false, false},
	[MODEL_RECEPTION] = {true, true, false, false},
	[MODEL_COMPLETION] = {true, true, true, false},
};

enum { EVENT_START = 1, EVENT_READY = 2, EVENT_ESTABLISHMENT = 4, EVENT_LOCALITY = 8 };

static void clear(struct model *m)
{
	memset(m->buffer, 0, sizeof m->buffer);
	m->used = 0;
}

static void interrupt(struct model *m, uint32_t event)
{
	if (m->int_enable >> 31)
		m->int_sts |= event & m->int_enable;
}

/* True if the event was taken. */
static bool step(struct model *m, enum event event)
{
	int next = next_state[m->state][event];

	if (next == BY_BYPASS)
		next = !m->bypass ? STAY : event == DATA ? MODEL_RECEPTION : MODEL_READY;
	if (next == STAY)
		return false;
	if (clears[m->state][event])
		clear(m);
	m->state = (enum model_state)next;
	return true;
}

static void finish(struct model *m, const uint8_t *response, unsigned len)
{
	clear(m);
	memcpy(m->buffer, response, len);
	m->used = len;
	m->state = MODEL_COMPLETION;
	interrupt(m, EVENT_START);
}

static void tell_engine_to_end(struct model *m)
{
	if (m->owed && !m->told)
		m->cancels++;
	m->told = true;
}

static unsigned said_size(const struct model *m)
{
	return (unsigned)m->buffer[2] << 24 | (unsigned)m->buffer[3] << 16 |
	       (unsigned)m->buffer[4] << 8 | m->buffer[5];
}

static void submit(struct model *m)
{
	m->submitted_len = said_size(m);
	m->submitted_locality = (unsigned)m->active;
	memcpy(m->submitted, m->buffer, m->submitted_len);
	m->drop = false;
	m->told = false;
	if (m->refuses(m->submits++)) {
		m->fatal = true;
		finish(m, m->buffer, 0);
		return;
	}
	m->owed = true;
	if (m->sync)
		model_complete(m);
	if (m->owed && m->cancel)
		tell_engine_to_end(m);
}

static void start(struct model *m)
{
	static const uint8_t wrong_size[10] = {0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x42};

	if (m->fatal || !step(m, START))
		return;
	if (m->used < 10 || said_size(m) < 10 || said_size(m) > m->used)
		finish(m, wrong_size, sizeof wrong_size);
	else if (!m->owed)
		submit(m);
}

void model_complete(struct model *m)
{
	uint8_t response[MODEL_BUFFER];
	unsigned len = m->answer(m->submits - 1, response);

	m->owed = false;
	if (!m->drop) {
		finish(m, response, len);
		return;
	}
	m->drop = false;
	if (m->state == MODEL_EXECUTION)
		submit(m);
}

/* ---- localities ---- */

static void leave(struct model *m)
{
	if (m->owed) {
		m->drop = true;
		tell_engine_to_end(m);
	}
	clear(m);
	m->state = MODEL_IDLE;
	m->cancel = 0;
	m->active = -1;
}

static void enter(struct model *m, int l)
{
	m->active = l;
	m->waits[l] = m->seized[l] = false;
}

static void next_in_line(struct model *m)
{
	for (int l = 4; l >= 0 && m->active < 0; l--)
		if (m->waits[l]) {
			enter(m, l);
			interrupt(m, EVENT_LOCALITY);
		}
}

static void seize(struct model *m, int l)
{
	bool assigned = m->active >= 0;

	if (l <= m->active)
		return;
	if (assigned) {
		m->seized[m->active] = true;
		leave(m);
	}
	enter(m, l);
	if (assigned)
		interrupt(m, EVENT_LOCALITY);
}

static void reset_flag(struct model *m, int l)
{
	if (l < 3 || m->owed)
		return;
	m->flag_resets++;
	m->drtm = false;
	interrupt(m, EVENT_ESTABLISHMENT);
}

static void loc_ctrl(struct model *m, int l, uint32_t bits)
{
	if (bits == 1 && m->active < 0)
		enter(m, l);
	else if (bits == 1 && m->active != l)
		m->waits[l] = true;
	else if (bits == 2 && m->active == l) {
		m->waits[l] = false;
		leave(m);
		next_in_line(m);
	} else if (bits == 2)
		m->waits[l] = false;
	else if (bits == 4)
		seize(m, l);
	else if (bits == 8)
		reset_flag(m, l);
}

static void stop_hashing(struct model *m)
{
	m->hashing = false;
	leave(m);
	next_in_line(m);
}

static void loc_ctrl_4(struct model *m, uint32_t bits)
{
	if (bits & 1) {
		if (m->hashing)
			stop_hashing(m);
		seize(m, 4);
		m->hashing = true;
		m->hash_starts++;
	}
	if (bits & 2 && m->hashing) {
		unsigned len = m->buffer[0] + 256u * m->buffer[1];

		if (m->used < 2 || len + 2 > m->used) {
			stop_hashing(m);
		} else {
			m->hash_datas++;
			m->hashed += len;
			clear(m);
		}
	}
	if (bits & 4 && m->hashing) {
		m->hash_ends++;
		stop_hashing(m);
		/* the flag is only asked for when the engine is at rest */
		m->drtm = true;
	}
	if (bits & 8)
		reset_flag(m, 4);
}

/* ---- accesses ---- */

static void data(struct model *m, unsigned at, const uint8_t *bytes, unsigned len)
{
	if (!m->hashing && !step(m, DATA))
		return;
	memcpy(m->buffer + at, bytes, len);
	if (at + len > m->used)
		m->used = at + len;
}

static void word(struct model *m, int l, unsigned reg, uint32_t value, uint32_t mask)
{
	bool mine = m->active == l;

	switch (reg) {
	case 0x08:
		if (l == 4)
			loc_ctrl_4(m, value & 15);
		else
			loc_ctrl(m, l, value & 15);
		break;
	case 0x40:
		if (!mine || m->hashing)
			break;
		if ((value & 3) == 1 && step(m, CMD_READY))
			interrupt(m, EVENT_READY);
		if ((value & 3) == 2)
			step(m, GO_IDLE);
		break;
	case 0x48:
		if (!mine)
			break;
		if (mask & 1)
			m->cancel = value & 1;
		if (m->cancel && m->state == MODEL_EXECUTION)
			tell_engine_to_end(m);
		break;
	case 0x4c:
		if (mine && value & 1)
			start(m);
		break;
	case 0x50:
		if (mine)
			m->int_enable = ((m->int_enable & ~mask) | value) & 0x8000000f;
		break;
	case 0x54:
		if (mine)
			m->int_sts &= ~value;
		break;
	default:
		break;
	}
}

void model_write(struct model *m, uint32_t offset, unsigned size, uint64_t value)
{
	uint32_t at = offset & ~3u;

	for (; at < offset + size; at += 4) {
		uint32_t v = 0, mask = 0;
		unsigned first = 4, n = 0;
		uint8_t bytes[4];
		int l = (int)(at / 4096);

		for (unsigned i = 0; i < 4; i++) {
			if (at + i < offset || at + i >= offset + size)
				continue;
			bytes[n] = (uint8_t)(value >> 8 * (at + i - offset));
			v |= (uint32_t)bytes[n] << 8 * i;
			mask |= 0xffu << 8 * i;
			if (n++ == 0)
				first = i;
		}
		if (l > 4 || !m->served[l])
			continue;
		if (at % 4096 < 0x80)
			word(m, l, at % 4096, v, mask);
		else if (m->active == l)
			data(m, at % 4096 - 0x80 + first, bytes, n);
	}
}

static uint32_t value_of(const struct model *m, int l, unsigned reg)
{
	bool many = m->served[1] || m->served[2] || m->served[3] || m->served[4] || !m->served[0];

	switch (reg) {
	case 0x00:
		return 0x80 | (m->active >= 0 ? 2u | (unsigned)m->active << 2 : 0) | !m->drtm;
	case 0x0c:
		return (m->active == l) | (m->seized[l] ? 2u : 0);
	case 0x30:
		return 0x25811u | (many ? 0x100u : 0) | (m->bypass ? 0x200u : 0);
	case 0x44:
		return (m->fatal ? 1u : 0) | (m->state == MODEL_IDLE ? 2u : 0);
	case 0x48:
		return m->active == l ? m->cancel : 0;
	case 0x4c:
		return m->active == l && m->state == MODEL_EXECUTION;
	case 0x50:
		return m->int_enable;
	case 0x54:
		return m->int_sts;
	case 0x58:
	case 0x64:
		return 0xf80;
	case 0x5c:
	case 0x68:
		return 0xfed40080u + 0x1000u * (unsigned)l;
	default:
		return 0;
	}
}

uint8_t model_read(const struct model *m, uint32_t offset)
{
	int l = (int)(offset / 4096);
	unsigned at = offset % 4096;

	if (l > 4 || !m->served[l])
		return 0xff;
	if (at < 0x80)
		return (uint8_t)(value_of(m, l, at & ~3u) >> 8 * (at % 4));
	return m->active == l ? m->buffer[at - 0x80] : 0xff;
}

void model_reset(struct model *m)
{
	m->hashing = false;
	leave(m);
	memset(m->waits, 0, sizeof m->waits);
	memset(m->seized, 0, sizeof m->seized);
	m->fatal = false;
	m->int_enable = m->int_sts = 0;
}

void model_begin(struct model *m)
{
	m->active = -1;
}
