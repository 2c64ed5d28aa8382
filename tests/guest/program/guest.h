/*
 * The program inside the test guests: one static binary, several jobs.
 *
 * It uses the project's own command client, so that a guest needs no libraries
 * and a workload takes little time under emulation. What a job finds out it
 * prints as lines `name value`; the host judges them.
 */
#ifndef GUEST_H
#define GUEST_H

#include "manufacture/client.h"

#include <stddef.h>
#include <stdint.h>

/* A TPM device and the commands that went to it. */
struct guest_tpm {
	int fd;
	unsigned commands;
	struct tpm_client client;
};

/** Opens a TPM device; ends the program where that fails. */
void guest_tpm_open(struct guest_tpm *tpm, const char *path);

/** Prints "name: answered 0x..." and ends the program. */
_Noreturn void guest_tpm_fail(const struct guest_tpm *tpm, const char *name, int err);

/** Ends the program unless `err` is 0. */
void guest_check(const struct guest_tpm *tpm, const char *name, int err);

/** Prints `name` and bytes in hexadecimal. */
void guest_print(const char *name, const void *bytes, size_t len);

/* ---- keys in the owner hierarchy, and a quote; all printed (a name of NULL: not) ---- */

/** A restricted P-256 signing key. */
uint32_t guest_create_ak(struct guest_tpm *tpm, const char *print_as);
/** A P-256 storage key. */
uint32_t guest_create_storage_key(struct guest_tpm *tpm);
/** Over PCRs 0 to 7, 10 and 11 of the SHA-256 bank, whose values follow. */
void guest_quote(struct guest_tpm *tpm, uint32_t ak, const uint8_t *nonce, size_t len);

/* ---- the jobs: main()'s arguments, and its exit status ---- */

/** agent PORT: runs the host's commands. */
int guest_agent(int argc, char **argv);
/** workload DEVICE ROUNDS NONCE: what the host can check (workload.c). */
int guest_workload(int argc, char **argv);
/** send DEVICE HEX ...: commands as they are; prints the responses. */
int guest_send(int argc, char **argv);
/** latency DEVICE pcr-read|quote COUNT: nanoseconds of each. */
int guest_latency(int argc, char **argv);
/** page ADDRESS ATTACK: writes what it likes into a CRB page. */
int guest_page(int argc, char **argv);
/** count DEVICE: changes persistent state for ever, and prints what was acknowledged. */
int guest_count(int argc, char **argv);
/** counted DEVICE: what of it there is. */
int guest_counted(int argc, char **argv);

#endif
