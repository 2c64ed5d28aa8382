/*
 * The memory that wolfCrypt allocates from.
 *
 * The few functions of wolfCrypt that allocate take a `heap` argument. Ours is
 * an arena: fixed memory of the caller's, blocks one after the other, given
 * back from the end. No heap, no memory: an allocation without an arena fails.
 */
#ifndef CVTPM_ARENA_H
#define CVTPM_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena {
	uint8_t *memory; /* aligned to 16 */
	size_t size, used;
};

static inline void arena_begin(struct arena *arena, uint8_t *memory, size_t size)
{
	arena->memory = memory;
	arena->size = size;
	arena->used = 0;
}

#endif
