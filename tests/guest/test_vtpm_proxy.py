"""cvtpm inside a guest, as the TPM of that very machine: the kernel's driver vtpm_proxy makes /dev/tpmN of it."""

import pytest

import check
import cvtpm_test as ct
import doors
import guest as g
from tpm import GuestTpm

EK = " ".join(doors.EK)
NONCE = "a nonce of the host"


@pytest.fixture(scope="module")
def with_cvtpm(images, tmp_path_factory):
    """An initramfs that has the program under test."""
    return images.initramfs(tmp_path_factory.mktemp("initramfs") / "initrd.gz", programs=[ct.CVTPM])


def serve(guest, number, *options):
    """Starts a server in the guest, and gives the line with which it says that it is ready."""
    log = f"/tmp/serve{number}"
    guest.run(f"cvtpm serve --vtpm-proxy {' '.join(options)} >{log} 2>&1 & echo $! >/tmp/pid{number}; "
              f"while [ -e /proc/$! ] && ! grep -q ready: {log}; do sleep 0.2; done")
    said = guest.run(f"cat {log}")
    assert "ready:" in said, said
    return said


def test_a_tpm_of_the_machine_itself(machines, with_cvtpm):
    with machines.boot(initramfs=with_cvtpm, memory=512) as guest:
        assert guest.attempt("ls /dev/tpm0")[0] != 0
        status, said = guest.attempt("cvtpm serve --vtpm-proxy")
        assert status == 2 and "modprobe tpm_vtpm_proxy" in said
        guest.run("insmod /modules/tpm_vtpm_proxy.ko")

        assert "vtpm-proxy /dev/tpm0" in serve(guest, 0, *doors.EK)
        guest.run("ls /dev/tpm0 /dev/tpmrm0")
        for device in ("/dev/tpm0", "/dev/tpmrm0"):
            check.workload(g.values(guest.run(f"guest workload {device} 60 '{NONCE}'")), NONCE.encode())
        tpm = GuestTpm(guest)
        assert tpm.startup() == ct.RC_INITIALIZE
        # The driver's own command, from its users: not taken by the driver.
        assert guest.attempt("guest send /dev/tpm0 80010000000b2000100004")[0] != 0
        assert len(tpm.get_random(8)) == 8

        # A second one is another TPM.
        assert "vtpm-proxy /dev/tpm1" in serve(guest, 1, *doors.EK)
        other = GuestTpm(guest, "/dev/tpm1")
        assert other.read_public(0x8101000A) != tpm.read_public(0x8101000A)
        assert other.pcr_read(11) == bytes(32) != tpm.pcr_read(11)

        # An orderly end takes its device away, and no other.
        guest.run("kill $(cat /tmp/pid0)")
        ct.wait_until(lambda: guest.attempt("ls /dev/tpm0")[0] != 0, "the end of /dev/tpm0")
        assert len(other.get_random(8)) == 8
        guest.run("kill -9 $(cat /tmp/pid1)")
        ct.wait_until(lambda: guest.attempt("ls /dev/tpm1")[0] != 0, "the end of /dev/tpm1")
        assert "tpm" not in guest.run("ls /sys/class/tpm")


@pytest.mark.slow
def test_persistent_state_and_other_transports(machines, with_cvtpm):
    """The device beside a socket of the same TPM; both see one state, and it is there again after an end."""
    with machines.boot(initramfs=with_cvtpm, memory=512) as guest:
        guest.run("insmod /modules/tpm_vtpm_proxy.ko && cvtpm manufacture --state /tmp/state " + EK)
        assert "/dev/tpm0" in serve(guest, 0, "--state", "/tmp/state", "--unix", "/tmp/socket", *doors.ENGINE)
        tpm = GuestTpm(guest)
        tpm.nv_define(0x01800030, 8)
        tpm.nv_write(0x01800030, b"in state")
        public = tpm.read_public(0x8101000A)
        guest.run("kill $(cat /tmp/pid0)")
        ct.wait_until(lambda: guest.attempt("ls /dev/tpm0")[0] != 0, "the end of /dev/tpm0")
        serve(guest, 0, "--state", "/tmp/state", *doors.ENGINE)
        assert tpm.nv_read(0x01800030, 8) == b"in state"
        assert tpm.read_public(0x8101000A) == public


@pytest.mark.slow
def test_a_tpm_that_the_kernel_does_not_take(machines, with_cvtpm):
    """In failure mode it becomes no device, and the server ends."""
    with machines.boot(initramfs=with_cvtpm, memory=512) as guest:
        guest.run("insmod /modules/tpm_vtpm_proxy.ko")
        status, said = guest.attempt(f"cvtpm serve --vtpm-proxy {EK} --fail-until-reset")
        assert status == 2 and "the kernel does not take this TPM as /dev/tpm0" in said
        assert "ready:" not in said
        assert guest.attempt("ls /dev/tpm0")[0] != 0
