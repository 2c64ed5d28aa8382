"""The Physical Presence Interface's other end: what a guest leaves in the area is done at the machine's reset, or not."""
import os
import signal
import struct
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cvtpm_test import (RC_SUCCESS, RH_OWNER, Server, command, password_session, response_code, run,
                        shutdown, wait_until)
from page_guest import PageGuest
from test_qmp import Monitor, start_tpm

AREA = 0x5000
FUNC, PPRP, PPRQ, PPRM, LPPR = 0x000, 0x105, 0x109, 0x10D, 0x111
CLEARS, SET_PCR_BANKS = (5, 14, 21, 22), 23
NOT_IMPLEMENTED, BLOCKED, USER_REQUIRED, ALLOWED = 0, 2, 3, 4
ABORTED, FAILURE = 0xFFFFFFF0, 0xFFFFFFF1
SECRET = b"owner's"


class Guest(PageGuest):
    def __init__(self, server, monitor):
        super().__init__(server.page, size=0x6000, bell=server.bell)
        self.server, self.monitor = server, monitor

    def field(self, offset):
        return self.word(AREA + offset)

    def func(self, operation):
        return self.memory[AREA + FUNC + operation]

    def ask(self, operation, parameter=0):
        """As the _DSM's function 7 leaves it."""
        self.put(AREA + PPRQ, operation)
        self.put(AREA + PPRM, parameter)

    def reset(self):
        count = self.server.stderr.count("the machine was reset")
        self.monitor.event("RESET")
        wait_until(lambda: self.server.stderr.count("the machine was reset") > count, "the reset")
        start_tpm(self)

    def result(self):
        return self.field(LPPR), self.field(PPRP)

    def take_ownership(self):
        body = struct.pack(">I", RH_OWNER) + password_session() + struct.pack(">H", len(SECRET)) + SECRET
        assert self.code(command(0x129, body, tag=0x8002)) == RC_SUCCESS

    def owned(self):
        """TPM2_Clear empties the owner's authorisation value: does it still open the hierarchy?"""
        body = struct.pack(">I", RH_OWNER) + password_session(SECRET) + struct.pack(">H", len(SECRET)) + SECRET
        code = self.code(command(0x129, body, tag=0x8002))
        assert code in (RC_SUCCESS, 0x9A2)
        return code == RC_SUCCESS

    def banks(self):
        """The hash algorithms with PCRs."""
        response = self.transact(command(0x17A, struct.pack(">III", 5, 0, 10)))
        assert response_code(response) == RC_SUCCESS
        count, = struct.unpack_from(">I", response, 15)
        entries = [struct.unpack_from(">HB3s", response, 19 + 6 * n) for n in range(count)]
        return {hash_alg for hash_alg, _, bits in entries if bits != bytes(3)}


@pytest.fixture
def boot(tmp_path):
    """boot("allow") -> a guest with its TPM started."""
    opened = []

    def begin(mode, *options):
        monitor = Monitor(tmp_path / "qmp", "prelaunch")
        server = Server("--crb-page", tmp_path / "page", "--doorbell", tmp_path / "bell", "--ek", "p256",
                        "--qmp", tmp_path / "qmp", "--ppi", mode, *options)
        server.page, server.bell = tmp_path / "page", tmp_path / "bell"
        guest = Guest(server, monitor)
        opened.extend([guest, server, monitor])
        start_tpm(guest)
        return guest

    yield begin
    for one in opened:
        one.__exit__(None, None, None)


@pytest.mark.parametrize("mode, permission", [("block", BLOCKED), ("confirm", USER_REQUIRED), ("allow", ALLOWED)])
def test_the_area_says_what_is_allowed(boot, mode, permission):
    guest = boot(mode)

    def check():
        said = {operation: guest.func(operation) for operation in range(256)}
        assert said.pop(0) == ALLOWED
        for operation in (*CLEARS, SET_PCR_BANKS):
            assert said.pop(operation) == permission
        assert set(said.values()) == {NOT_IMPLEMENTED}

    check()
    assert guest.result() == (0, 0) and guest.field(PPRQ) == 0
    guest.memory[AREA:AREA + 256] = b"\x04" * 256  # what the guest writes there means nothing
    guest.reset()
    check()


@pytest.mark.parametrize("operation", CLEARS)
def test_clear(boot, operation):
    guest = boot("allow")
    guest.take_ownership()
    guest.reset()
    assert guest.owned()  # a reset alone clears nothing
    guest.ask(operation)
    guest.reset()
    assert not guest.owned()
    assert guest.result() == (operation, 0) and guest.field(PPRQ) == 0
    guest.take_ownership()
    guest.reset()
    assert guest.owned()  # once


def test_clear_although_the_guest_has_switched_it_off(boot):
    guest = boot("allow")
    guest.take_ownership()
    body = struct.pack(">I", 0x4000000A) + password_session() + b"\1"
    assert guest.code(command(0x127, body, tag=0x8002)) == RC_SUCCESS
    guest.ask(5)
    guest.reset()
    assert not guest.owned() and guest.result() == (5, 0)


def test_what_was_measured_before_is_gone_as_after_any_reset(boot):
    guest = boot("allow")
    guest.pcr_extend(0, b"\1" * 32)
    guest.ask(5)
    guest.reset()
    assert guest.pcr_read(0) == bytes(32)


@pytest.mark.parametrize("parameter, banks", [(2, {0x0B}), (4, {0x0C}), (1 | 2, {0x04, 0x0B}), (15, {0x04, 0x0B, 0x0C, 0x0D})])
def test_set_pcr_banks(boot, parameter, banks):
    guest = boot("allow")
    assert guest.banks() == {0x0B, 0x0C}
    guest.ask(SET_PCR_BANKS, parameter)
    guest.reset()
    assert guest.banks() == banks and guest.result() == (SET_PCR_BANKS, 0)
    guest.reset()
    assert guest.banks() == banks


@pytest.mark.parametrize("parameter", [0, 16, 2 | 32, 0xFFFFFFFF])
def test_banks_that_there_are_not(boot, parameter):
    guest = boot("allow")
    guest.ask(SET_PCR_BANKS, parameter)
    guest.reset()
    assert guest.banks() == {0x0B, 0x0C} and guest.result() == (SET_PCR_BANKS, FAILURE)


@pytest.mark.parametrize("mode, result", [("block", ABORTED), ("confirm", ABORTED)])
def test_what_nobody_confirms_is_not_done(boot, mode, result):
    guest = boot(mode)
    guest.take_ownership()
    guest.memory[AREA:AREA + 256] = b"\x04" * 256
    for operation in (*CLEARS, SET_PCR_BANKS):
        guest.ask(operation, 1)
        guest.reset()
        assert guest.result() == (operation, result) and guest.field(PPRQ) == 0
    assert guest.owned() and guest.banks() == {0x0B, 0x0C}
    assert "not carried out" in guest.server.stderr


def test_sigusr1_confirms_once(boot):
    guest = boot("confirm")
    guest.take_ownership()
    guest.server.signal(signal.SIGUSR1)
    wait_until(lambda: "is confirmed" in guest.server.stderr, "the signal")
    guest.reset()  # nothing was asked for: it is kept for the next request
    guest.ask(5)
    guest.reset()
    assert guest.result() == (5, 0) and not guest.owned()
    guest.take_ownership()
    guest.ask(5)
    guest.reset()
    assert guest.result() == (5, ABORTED) and guest.owned()


@pytest.mark.parametrize("operation", [1, 6, 24, 255, 256, 0x80000005, 0xFFFFFFFF])
def test_operations_that_there_are_not(boot, operation):
    guest = boot("allow")
    guest.take_ownership()
    guest.ask(operation)
    guest.reset()
    assert guest.result() == (operation, FAILURE) and guest.owned()


def test_an_area_full_of_rubbish(boot):
    guest = boot("allow")
    guest.take_ownership()
    for fill in (b"\xff", b"\x5a"):
        guest.memory[AREA:AREA + 0x400] = fill * 0x400
        guest.reset()
        assert guest.field(PPRQ) == 0 and guest.func(1) == NOT_IMPLEMENTED
        assert guest.memory[AREA + 0x200:AREA + 0x210] == fill * 16  # not ours
    assert guest.owned()


def test_nothing_is_done_without_a_reset(boot):
    guest = boot("allow")
    guest.take_ownership()
    guest.ask(5)
    assert guest.code(shutdown()) == RC_SUCCESS
    for _ in range(20):
        guest.get_random(8)
    assert guest.field(PPRQ) == 5 and guest.owned()


def test_wrong_use(tmp_path):
    page = ("serve", "--crb-page", tmp_path / "page", "--ek", "p256")
    assert "needs --qmp" in run(*page, "--ppi", "allow").stderr
    assert "--platform-auth" in run(*page, "--ppi", "allow", "--qmp", "q", "--platform-auth", "random").stderr
    assert "block, confirm or allow" in run(*page, "--ppi", "yes", "--qmp", "q").stderr
    assert "overlaps the CRB page" in run(*page, "--ppi", "allow", "--qmp", "q", "--ppi-offset", "0x800").stderr
    assert "multiples of 4096" in run(*page, "--ppi", "allow", "--qmp", "q", "--ppi-offset", "0x5800").stderr
    assert "--ppi-offset" in run(*page, "--ppi-offset", "0x6000").stderr
    assert not (tmp_path / "page").exists()
