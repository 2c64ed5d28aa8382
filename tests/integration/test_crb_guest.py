"""Root in a guest, whose only way to the TPM is the shared CRB page."""
import mmap
import os
import random
import struct
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cvtpm_test import CVTPM, LIMIT, Commands, Server, receive, startup

LOC_STATE, LOC_CTRL, LOC_STS, INTF_ID, CTRL_REQ, CTRL_STS, CTRL_START, BUFFER = \
    0x00, 0x08, 0x0C, 0x30, 0x40, 0x44, 0x4C, 0x80


class Crb(Commands):
    """Commands through `cvtpm crb-client`, which drives the page as Linux's driver does."""

    def __init__(self, page):
        self.process = subprocess.Popen([CVTPM, "crb-client", "--crb-page", page], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def transact(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()
        head = self.process.stdout.read(10)
        assert len(head) == 10, "crb-client ended"
        return head + self.process.stdout.read(struct.unpack(">I", head[2:6])[0] - 10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(LIMIT)


@pytest.fixture
def server(tmp_path):
    page = tmp_path / "page"
    with Server("--crb-page", page, "--startup", "clear", "--ek", "p256") as s:
        s.page = page
        yield s


@pytest.fixture
def memory(server):
    with open(server.page, "r+b") as f, mmap.mmap(f.fileno(), 4096) as m:
        yield m


def word(memory, offset):
    return struct.unpack_from("<I", memory, offset)[0]


def until(condition, what):
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.001)


def test_the_page_is_private(server):
    assert os.stat(server.page).st_mode & 0o777 == 0o600


def test_nothing_in_the_page_resets_the_tpm(server, memory):
    """PCR 0 is extended once; whatever the guest writes afterwards, it never reads as after a reset."""
    with Crb(server.page) as tpm:
        tpm.pcr_extend(0, b"\1" * 32)
        measured = tpm.pcr_read(0)
        assert tpm.startup() == 0x100
        assert tpm.startup(state=True) == 0x100
        assert tpm.pcr_read(0) == measured

    def zeroed():
        memory[:] = bytes(4096)

    def ones():
        memory[:] = b"\xff" * 4096

    def noise():
        memory[:] = random.Random(1).randbytes(4096)

    def platform_registers():
        for locality_control in (1 << 3, 1 << 2, 0xFFFFFFFF):
            struct.pack_into("<I", memory, LOC_CTRL, locality_control)
            time.sleep(0.01)

    def half_a_command():
        memory[BUFFER:BUFFER + 4] = startup()[:4]
        struct.pack_into("<I", memory, CTRL_START, 1)

    def startup_without_the_driver():
        memory[BUFFER:BUFFER + 12] = startup()
        struct.pack_into("<I", memory, CTRL_START, 1)

    for attack in (zeroed, ones, noise, platform_registers, half_a_command, startup_without_the_driver):
        attack()
        until(lambda: word(memory, CTRL_START) & 1 == 0, f"the page after {attack.__name__}")
        until(lambda: word(memory, LOC_STATE) & 0x80, f"the registers after {attack.__name__}")
        with Crb(server.page) as tpm:
            assert tpm.pcr_read(0) == measured, attack.__name__
            assert tpm.startup() == 0x100, attack.__name__


def test_a_guest_that_scribbles_harms_only_itself(server, memory):
    """Writes at random places while commands run; the server lives, and answers again afterwards."""
    stop = threading.Event()
    rng = random.Random(2)

    def scribble():
        while not stop.is_set():
            offset = rng.choice([LOC_CTRL, CTRL_REQ, CTRL_START, 0x48, INTF_ID, 0x58, 0x64, BUFFER, rng.randrange(0, 4092)])
            struct.pack_into("<I", memory, offset, rng.choice([0, 1, 2, 3, 0x80, 0xFFFFFFFF, rng.getrandbits(32)]))
            time.sleep(0.0002)

    thread = threading.Thread(target=scribble)
    thread.start()
    time.sleep(3)
    stop.set()
    thread.join()
    until(lambda: word(memory, CTRL_START) & 1 == 0, "the last command's end")
    with Crb(server.page) as tpm:
        assert len(tpm.get_random(16)) == 16
        assert tpm.startup() == 0x100
    assert server.process.poll() is None


def test_a_server_that_starts_beside_a_used_page_fails_until_a_reset(server, tmp_path):
    """Who kills the process must not get fresh PCRs for the machine that runs on."""
    with Crb(server.page) as tpm:
        tpm.pcr_extend(0, b"\1" * 32)
    server.kill()
    with Server("--crb-page", server.page, "--startup", "clear", "--ek", "p256") as second:
        assert "failure mode" in second.ready
        with Crb(server.page) as tpm:
            assert tpm.startup() == 0x101
    with Server("--crb-page", server.page, "--startup", "clear", "--ek", "p256", "--machine-is-new") as third:
        with Crb(server.page) as tpm:
            assert len(tpm.get_random(8)) == 8
        assert third.stop() == 0


def test_tpm2_tools_over_the_page(server):
    done = subprocess.run(["tpm2_getrandom", "--hex", "16"], capture_output=True, text=True,
                          env=dict(os.environ, TPM2TOOLS_TCTI=f"cmd:{CVTPM} crb-client --crb-page {server.page}"))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip()) == 32
