/*
 * An instance whose doings a test can see: a double of the functions of
 * cvtpm/instance.h, for tests of the transports alone.
 *
 * It answers a command with its own header, TPM_RC_SUCCESS and the command's
 * body, and writes one letter to a pipe for everything that happens to it:
 *
 *     O open   C close   X execute   R reset   + power on   - power off
 *     F failure mode   S startup   h hash start   d hash data   e hash end
 *
 * Command code FAKE_SLOW goes on until it is cancelled, then answers
 * TPM_RC_CANCELED; FAKE_ENDLESS goes on for ever; FAKE_LOCALITY answers its locality in place of
 * the code.
 */
#ifndef TESTS_FAKE_INSTANCE_H
#define TESTS_FAKE_INSTANCE_H

#define FAKE_SLOW     0x20000001
#define FAKE_LOCALITY 0x20000002
#define FAKE_ENDLESS  0x20000003

struct fake_instance {
	int events; /* where the letters go */
};

#endif
