"""The doors to the TPM, from a stock Linux guest: each finds it, measures into it, works with it and quotes."""
import pytest

import check
import doors
import guest as g


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
