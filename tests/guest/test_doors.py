"""The doors to the TPM, from a stock Linux guest: each finds it, measures into it, works with it and quotes."""
import hashlib
import struct

import pytest

import check
import doors
import guest as g
from tpm import NV_INDEX, GuestTpm


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
    with doors.serve_control(ctrl) as server:
        with machines.boot(*doors.emulator(ctrl, device)) as guest:
            measured_at_boot(guest)
            work(guest)
            work(guest, "/dev/tpmrm0")
        assert server.wait() == 0


@pytest.mark.parametrize("where, method", [
    ("nvdimm", 8), ("nvdimm", 7),
    pytest.param("numa", 8, marks=pytest.mark.slow), pytest.param("numa", 7, marks=pytest.mark.slow)])
def test_shared_crb_page(machines, short_path, where, method):
    """No TPM device in QEMU: a page of memory, two ACPI tables, and the stock tpm_crb driver."""
    page = doors.Page(short_path, where, method)
    with page.serve() as server:
        with machines.boot(*page.door, **page.how) as guest:
            measured_at_boot(guest)
            assert guest.run("cat /sys/bus/acpi/drivers/tpm_crb/MSFT0101:00/hid").strip() == "MSFT0101"
            work(guest)
            work(guest, "/dev/tpmrm0")
        assert server.stop() == 0


@pytest.mark.slow
def test_swtpm_command_line(machines, short_path):
    """`cvtpm swtpm` in the place of swtpm and swtpm_setup; a second machine finds what the first one left."""
    with doors.swtpm_command_line(short_path) as ctrl, machines.boot(*doors.emulator(ctrl, "tpm-tis")) as guest:
        measured_at_boot(guest)
        work(guest)
        tpm = GuestTpm(guest)
        tpm.nv_define(NV_INDEX, 4)
        tpm.nv_write(NV_INDEX, b"left")
    with doors.swtpm_command_line(short_path) as ctrl, machines.boot(*doors.emulator(ctrl, "tpm-crb")) as guest:
        work(guest)
        assert GuestTpm(guest).nv_read(NV_INDEX, 4) == b"left"


@pytest.mark.slow
def test_an_event_log_beside_the_page(machines, short_path):
    """What the outside has written there, the guest shows as its firmware's log."""
    page = doors.Page(short_path, tables=("--log-size", "16K"))
    log = event_log()
    with page.serve() as server:
        with open(page.file, "r+b") as f:
            f.seek(0x1000)
            f.write(log)
        with machines.boot(*page.door, **page.how) as guest:
            assert guest.read("/sys/kernel/security/tpm0/binary_bios_measurements") == log
        assert server.stop() == 0


def event_log():
    """A crypto-agile log with two entries."""
    head = b"Spec ID Event03\0" + struct.pack("<IBBBBIHHB", 0, 0, 2, 0, 2, 1, 0x0B, 32, 0)
    log = struct.pack("<II20sI", 0, 3, bytes(20), len(head)) + head
    for pcr, data in ((0, b"firmware"), (4, b"loader")):
        log += struct.pack("<IIIH", pcr, 0x80000008, 1, 0x0B) + hashlib.sha256(data).digest()
        log += struct.pack("<I", len(data)) + data
    return log
