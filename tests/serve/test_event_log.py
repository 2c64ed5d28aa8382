"""--event-log: in the area of the guest's TPM2 table when the guest first uses the TPM, and not before."""
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cvtpm_test import CVTPM, RC_SUCCESS, Server, get_random, run
from page_guest import PageGuest, until
from test_qmp import Monitor, start_tpm

SIZE = 0x4000
EVENTS = bytes(range(1, 200)) * 20


@pytest.fixture
def log(tmp_path):
    (tmp_path / "log").write_bytes(EVENTS)
    return tmp_path / "log"


def area(guest, offset=0x1000):
    return bytes(guest.memory[offset:offset + SIZE])


def test_the_log_comes_with_the_first_command_after_each_reset(tmp_path, log):
    with Monitor(tmp_path / "qmp", "prelaunch") as monitor, \
            Server("--crb-page", tmp_path / "page", "--doorbell", tmp_path / "bell", "--ek", "p256", "--event-log", log,
                   "--qmp", tmp_path / "qmp") as server:
        with PageGuest(tmp_path / "page", size=0x10000, bell=tmp_path / "bell") as guest:
            assert area(guest) == bytes(SIZE)
            guest.memory[0x1000:0x1000 + SIZE] = b"\xaa" * SIZE  # what was there is not the log's
            assert guest.startup() == RC_SUCCESS
            assert area(guest) == EVENTS + bytes(SIZE - len(EVENTS))
            assert guest.memory[0x5000:0x6000] == bytes(0x1000)
            for number in range(3):
                monitor.event("RESET")
                until(lambda: server.stderr.count("the machine was reset") == number + 1, "the reset")
                guest.memory[0x1000:0x1000 + SIZE] = bytes(SIZE)  # SeaBIOS
                guest.ring()
                start_tpm(guest)
                assert area(guest).startswith(EVENTS)


def test_a_driver_of_start_method_7_finds_it_too(tmp_path, log):
    with Server("--crb-page", tmp_path / "page", "--ek", "p256", "--startup", "clear", "--event-log", log, "--log-size", "64K",
                "--log-offset", "0x10000"):
        with PageGuest(tmp_path / "page", size=0x20000) as guest:
            assert not any(guest.memory[0x1000:0x20000])
            done = subprocess.run([CVTPM, "crb-client", "--crb-page", tmp_path / "page"], input=get_random(8), capture_output=True)
            assert done.returncode == 0
            assert guest.memory[0x10000:0x20000] == EVENTS + bytes(0x10000 - len(EVENTS))
            assert not any(guest.memory[0x1000:0x10000])


@pytest.mark.parametrize("localities, offset", [("0", 0x1000), ("0-3", 0x8000)])
def test_it_goes_where_cvtpm_acpi_says(tmp_path, log, localities, offset):
    import json
    done = run("acpi", "--page-base", "0xF000000", "--localities", localities, "--log-size", "16K", "-o", tmp_path, "--json")
    assert json.loads(done.stdout)["log"] == {"address": 0xF000000 + offset, "size": SIZE}
    with Server("--crb-page", tmp_path / "page", "--page-base", "0xF000000", "--localities", localities, "--ek", "p256",
                "--startup", "clear", "--event-log", log):
        with PageGuest(tmp_path / "page", size=0x10000) as guest:
            assert len(guest.get_random(8)) == 8
            assert area(guest, offset).startswith(EVENTS)


def test_wrong_use(tmp_path, log):
    page = ("serve", "--crb-page", tmp_path / "page", "--ek", "p256", "--event-log", log)

    def refused(*options):
        done = run(*page, *options)
        assert done.returncode == 2 and not (tmp_path / "page").exists()
        return done.stderr

    assert "more than the 256 bytes" in refused("--log-size", "256")
    assert "16 KiB at most" in refused("--page-base", "4G", "--log-size", "64K")
    assert "overlaps the CRB page" in refused("--log-offset", "0")
    assert "multiples of 4096" in refused("--log-offset", "0x1800")
    log.write_bytes(b"")
    assert "it is empty" in refused()
    log.unlink()
    assert "No such file" in refused()
    log.mkdir()
    assert "Is a directory" in refused()
    log.rmdir()
    assert "need --event-log" in run("serve", "--crb-page", tmp_path / "page", "--log-size", "16K").stderr
    (tmp_path / "page").write_bytes(bytes(0x1000))
    log.write_bytes(EVENTS)
    done = run(*page)
    assert done.returncode == 2 and "20480 are needed" in done.stderr
