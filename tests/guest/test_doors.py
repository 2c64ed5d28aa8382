"""The doors to the TPM, from a stock Linux guest: each finds it, measures into it, works with it and quotes."""
import pytest

import check
import cvtpm_test as ct
import guest as g

EK = ("--ek", "p256")


def emulator(path, device):
    """QEMU's arguments for a TPM behind swtpm's control channel."""
    return ("-chardev", f"socket,id=chrtpm,path={path}", "-tpmdev", "emulator,id=tpm0,chardev=chrtpm",
            "-device", f"{device},tpmdev=tpm0")


def work(guest, device="/dev/tpm0", rounds=60):
    """The workload's 200 commands and more, checked."""
    nonce = "a nonce of the host"
    found = g.values(guest.run(f"guest workload {device} {rounds} '{nonce}'"))
    check.workload(found, nonce.encode())
    return found


def measured_at_boot(guest):
    """IMA has found the TPM in time: its first measurement is in PCR 10."""
    assert "boot_aggregate" in guest.run("cat /sys/kernel/security/ima/ascii_runtime_measurements")
    assert guest.run("cat /sys/class/tpm/tpm0/pcr-sha256/10").strip() != "0" * 64
    assert guest.run("cat /sys/class/tpm/tpm0/tpm_version_major").strip() == "2"


@pytest.mark.parametrize("device", ["tpm-crb", "tpm-tis"])
def test_emulator_backend(machines, short_path, device):
    ctrl = short_path / "ctrl"
    with ct.Server("--ctrl", f"unix:{ctrl}", "--terminate", *EK) as server:
        with machines.boot(*emulator(ctrl, device)) as guest:
            measured_at_boot(guest)
            work(guest)
            work(guest, "/dev/tpmrm0")
        assert server.wait() == 0
