/* Whether there are vectors: vectors.h. */
#include "crypto/vectors.h"

#include "crypto/wolf.h"

#ifdef HAS_VECTORS

static void cpuid_ask(uint32_t leaf, uint32_t *ebx, uint32_t *ecx)
{
	uint32_t eax = leaf, edx;

	*ecx = 0;
	__asm__("cpuid" : "+a"(eax), "=b"(*ebx), "+c"(*ecx), "=d"(edx));
}

/* XCR0: the system keeps all vector registers. */
static bool system_keeps_vectors(void)
{
	const uint32_t all = 0xE6; /* SSE, AVX, masks, upper halves, upper registers */
	uint32_t low, high;

	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (low & all) == all;
}

static bool cpu_offers(void)
{
	const uint32_t osxsave = 1u << 27, avx512f = 1u << 16, ifma = 1u << 21;
	uint32_t ebx, ecx;

	cpuid_ask(1, &ebx, &ecx);
	if (!(ecx & osxsave) || !system_keeps_vectors())
		return false;
	cpuid_ask(7, &ebx, &ecx);
	return (ebx & avx512f) && (ebx & ifma);
}

bool vectors_are_offered(void)
{
	if (!(cpuid_get_flags() & VECTORS_ASKED))
		cpuid_set_flag(VECTORS_ASKED | (cpu_offers() ? VECTORS_OFFERED : 0));
	return cpuid_get_flags() & VECTORS_OFFERED;
}

#else

bool vectors_are_offered(void)
{
	return false;
}

#endif
