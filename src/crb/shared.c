#include "crb/shared.h"
#include "crypto/mem.h"

void shared_copy_out(uint8_t *to, const volatile uint8_t *at, size_t len)
{
	size_t done = 0;

	for (; done < len && (uintptr_t)(at + done) % 8 != 0; done++)
		to[done] = at[done];
	for (; len - done >= 8; done += 8) {
		shared_quad quad = *(const volatile shared_quad *)(at + done);

		memcpy(to + done, &quad, 8);
	}
	for (; done < len; done++)
		to[done] = at[done];
}

void shared_copy_in(volatile uint8_t *at, const uint8_t *from, size_t len)
{
	size_t done = 0;

	for (; done < len && (uintptr_t)(at + done) % 8 != 0; done++)
		at[done] = from[done];
	for (; len - done >= 8; done += 8) {
		shared_quad quad;

		memcpy(&quad, from + done, 8);
		*(volatile shared_quad *)(at + done) = quad;
	}
	for (; done < len; done++)
		at[done] = from[done];
}

void shared_zero(volatile uint8_t *at, size_t len)
{
	size_t done = 0;

	for (; done < len && (uintptr_t)(at + done) % 8 != 0; done++)
		at[done] = 0;
	for (; len - done >= 8; done += 8)
		*(volatile shared_quad *)(at + done) = 0;
	for (; done < len; done++)
		at[done] = 0;
}
