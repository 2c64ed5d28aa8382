#include "serve/loaded.h"

#include "host/frame.h"

#include <string.h>

/* Part 2, table TPM_CC; handles stand behind the header. */
enum command_code {
	CC_CreatePrimary = 0x131,
	CC_SequenceComplete = 0x13E,
	CC_Load = 0x157,
	CC_HMAC_Start = 0x15B,
	CC_ContextLoad = 0x161,
	CC_ContextSave = 0x162,
	CC_FlushContext = 0x165,
	CC_LoadExternal = 0x167,
	CC_StartAuthSession = 0x176,
	CC_EventSequenceComplete = 0x185,
	CC_HashSequenceStart = 0x186,
	CC_CreateLoaded = 0x191,
};

static bool is_session(uint32_t handle)
{
	return handle >> 24 == 0x02 || handle >> 24 == 0x03;
}

static bool is_flushable(uint32_t handle)
{
	return is_session(handle) || handle >> 24 == 0x80;
}

static void remove_at(struct loaded *l, size_t i)
{
	memmove(&l->note[i], &l->note[i + 1], (l->count - i - 1) * sizeof l->note[0]);
	l->count--;
}

static void forget(struct loaded *l, uint32_t handle)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->note[i].handle == handle) {
			remove_at(l, i);
			return;
		}
}

static void add(struct loaded *l, const void *owner, uint32_t handle)
{
	forget(l, handle);
	if (!owner || !is_flushable(handle))
		return;
	if (l->count == LOADED_MAX)
		remove_at(l, 0);
	l->note[l->count].handle = handle;
	l->note[l->count++].owner = owner;
}

void loaded_note(struct loaded *l, const void *owner, const uint8_t *command, size_t command_len,
		 const uint8_t *response, size_t response_len)
{
	const size_t handle_end = FRAME_HEADER_SIZE + 4;

	if (!l->wanted || command_len < FRAME_HEADER_SIZE || response_len < FRAME_HEADER_SIZE ||
	    frame_get_u32(response + 6) != 0)
		return;
	switch (frame_get_u32(command + 6)) {
	case CC_CreatePrimary:
	case CC_Load:
	case CC_HMAC_Start:
	case CC_ContextLoad:
	case CC_LoadExternal:
	case CC_StartAuthSession:
	case CC_HashSequenceStart:
	case CC_CreateLoaded:
		if (response_len >= handle_end)
			add(l, owner, frame_get_u32(response + FRAME_HEADER_SIZE));
		break;
	case CC_ContextSave: /* a session leaves the TPM with this, an object stays */
		if (command_len >= handle_end &&
		    is_session(frame_get_u32(command + FRAME_HEADER_SIZE)))
			forget(l, frame_get_u32(command + FRAME_HEADER_SIZE));
		break;
	case CC_FlushContext:
	case CC_SequenceComplete:
		if (command_len >= handle_end)
			forget(l, frame_get_u32(command + FRAME_HEADER_SIZE));
		break;
	case CC_EventSequenceComplete: /* its first handle is the PCR's */
		if (command_len >= handle_end + 4)
			forget(l, frame_get_u32(command + handle_end));
		break;
	default:
		break;
	}
}

bool loaded_take(struct loaded *l, const void *owner, uint32_t *handle)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->note[i].owner == owner) {
			*handle = l->note[i].handle;
			remove_at(l, i);
			return true;
		}
	return false;
}
