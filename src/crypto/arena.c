#include "crypto/arena.h"
#include "crypto/crypto.h"
#include "crypto/mem.h"

#ifndef CVTPM_WOLFSSL_PACKAGED /* the installed library brings its own allocator */

/* The names that wolfCrypt calls with XMALLOC_USER. */
void *XMALLOC(size_t size, void *heap, int type);
void *XREALLOC(void *block, size_t size, void *heap, int type);
void XFREE(void *block, void *heap, int type);

/* In front of each block; 16 bytes, so that blocks stay aligned. */
struct block {
	size_t size; /* of the block, header included, a multiple of 16 */
	size_t free; /* 1: given back, but not yet at the end */
};

static struct block *block_of(void *pointer)
{
	return (struct block *)(void *)((uint8_t *)pointer - sizeof(struct block));
}

void *XMALLOC(size_t size, void *heap, int type)
{
	struct arena *arena = heap;
	struct block *block;
	size_t need = (size + sizeof *block + 15) & ~(size_t)15;

	(void)type;
	if (!arena || need < size || need > arena->size - arena->used)
		return NULL;
	block = (struct block *)(void *)(arena->memory + arena->used);
	block->size = need;
	block->free = 0;
	arena->used += need;
	return block + 1;
}

void XFREE(void *pointer, void *heap, int type)
{
	struct arena *arena = heap;
	size_t offset = 0, end = 0;

	(void)type;
	if (!pointer || !arena)
		return;
	cvtpm_wipe(pointer, block_of(pointer)->size - sizeof(struct block));
	block_of(pointer)->free = 1;

	/* The arena ends behind the last block that is still in use. */
	while (offset < arena->used) {
		const struct block *block = (const struct block *)(void *)(arena->memory + offset);

		offset += block->size;
		if (!block->free)
			end = offset;
	}
	arena->used = end;
}

void *XREALLOC(void *pointer, size_t size, void *heap, int type)
{
	void *bigger = XMALLOC(size, heap, type);
	size_t old;

	if (!bigger || !pointer)
		return bigger;
	old = block_of(pointer)->size - sizeof(struct block);
	memcpy(bigger, pointer, old < size ? old : size);
	XFREE(pointer, heap, type);
	return bigger;
}

#endif
