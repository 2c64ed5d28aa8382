/*
 * Root in the guest, with the CRB page itself in its hands: what a driver would
 * never write. The kernel's driver is to be unbound, or not; this does not ask.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE_SIZE     4096u
#define SCRIBBLE_S    3
#define STATE_SETTLES 500000 /* us; a server that polls has seen it by then */

/* Offsets of registers (PTP, 6.5.3). */
enum { LOC_CTRL = 0x08, CTRL_REQ = 0x40, CTRL_CANCEL = 0x48, CTRL_START = 0x4C, BUFFER = 0x80 };

/* TPM2_Startup(TPM_SU_CLEAR) */
static const uint8_t startup[12] = {0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0};

static void write_word(volatile uint8_t *page, size_t offset, uint32_t value)
{
	*(volatile uint32_t *)(page + offset) = value;
}

static void fill(volatile uint8_t *page, uint32_t seed, uint32_t factor)
{
	for (size_t at = 0; at < PAGE_SIZE; at += 4) {
		write_word(page, at, seed);
		seed = seed * factor + (factor > 1 ? 12345 : 0);
	}
}

static void zeros(volatile uint8_t *page)
{
	fill(page, 0, 1);
}

static void ones(volatile uint8_t *page)
{
	fill(page, 0xFFFFFFFF, 1);
}

static void noise(volatile uint8_t *page)
{
	fill(page, 1, 1103515245);
}

/* Establishment and seizing are the platform's and higher localities'. */
static void platform_registers(volatile uint8_t *page)
{
	for (uint32_t value = 1; value; value <<= 1) {
		write_word(page, LOC_CTRL, value);
		write_word(page, CTRL_REQ, value);
		usleep(2000);
	}
	write_word(page, CTRL_CANCEL, 1);
}

static void put(volatile uint8_t *page, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		page[BUFFER + i] = bytes[i];
	write_word(page, CTRL_START, 1);
}

static void half_a_command(volatile uint8_t *page)
{
	for (size_t at = BUFFER; at < PAGE_SIZE; at += 4)
		write_word(page, at, 0);
	put(page, startup, 5);
}

static void second_startup(volatile uint8_t *page)
{
	put(page, startup, sizeof startup);
}

/* Anything anywhere, while others use the TPM. */
static void scribble(volatile uint8_t *page)
{
	const time_t end = time(NULL) + SCRIBBLE_S;
	uint32_t random = 7;

	while (time(NULL) < end) {
		for (unsigned i = 0; i < 100; i++) {
			random = random * 1103515245 + 12345;
			write_word(page, (random >> 8) % PAGE_SIZE & ~3u, random ^ random >> 16);
			write_word(page, CTRL_START, random >> 30 & 1);
		}
		usleep(200);
	}
}

int guest_page(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(volatile uint8_t *page);
	} attacks[] = {{"zeros", zeros},
		       {"ones", ones},
		       {"noise", noise},
		       {"platform-registers", platform_registers},
		       {"half-a-command", half_a_command},
		       {"second-startup", second_startup},
		       {"scribble", scribble}};

	if (argc != 2) {
		fprintf(stderr, "usage: guest page ADDRESS ATTACK\n");
		return 2;
	}
	const int fd = open("/dev/mem", O_RDWR | O_SYNC);
	void *memory = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			    (off_t)strtoull(argv[0], NULL, 0));

	if (memory == MAP_FAILED) {
		printf("/dev/mem: %s\n", strerror(errno));
		return 1;
	}
	for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
		if (strcmp(argv[1], attacks[i].name) != 0)
			continue;
		attacks[i].run(memory);
		usleep(STATE_SETTLES);
		return 0;
	}
	fprintf(stderr, "guest page: no attack '%s'\n", argv[1]);
	return 2;
}
