"""The doorbell: a guest of start method 8, which writes a command, sets START and rings."""
import os
import socket
import struct
import subprocess
import sys
import threading

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import page_guest as pg
from cvtpm_test import (CVTPM, RC_CANCELED, RC_COMMAND_SIZE, RC_INITIALIZE, RC_SUCCESS, Server, create_primary_rsa,
                        flush_context, get_random, pcr_read, response_code, run, startup)
from page_guest import PageGuest, until

RC_COMMAND_CODE = 0x143

BASE = 0x1_0000_0000


@pytest.fixture
def server(tmp_path):
    with Server("--crb-page", tmp_path / "page", "--page-base", "4G", "--doorbell", tmp_path / "bell", "--startup", "clear",
                "--ek", "p256", "--tcp", "127.0.0.1:0") as s:
        s.page, s.bell = tmp_path / "page", tmp_path / "bell"
        yield s


@pytest.fixture
def guest(server):
    with PageGuest(server.page, bell=server.bell) as g:
        yield g


def test_the_ready_line_names_page_and_doorbell(server):
    assert f"crb-page {server.page}" in server.ready and f"doorbell {server.bell}" in server.ready
    assert os.stat(server.bell).st_mode & 0o777 == 0o600


def test_a_file_that_is_made_is_as_long_as_a_large_page(server):
    assert os.stat(server.page).st_size == 2 << 20


def test_the_registers_name_the_guests_addresses(guest):
    assert guest.word(pg.CMD_LADDR) == 0x80 and guest.word(pg.CMD_HADDR) == 1
    assert struct.unpack_from("<Q", guest.memory, pg.RSP_ADDR)[0] == BASE + 0x80
    assert guest.word(pg.CMD_SIZE) == 3968 and guest.word(pg.LOC_STATE) & 0x80


def test_commands_that_ring_are_answered(guest):
    for count in range(1, 33):
        assert len(guest.get_random(count)) == count
    before = guest.pcr_read(5)
    guest.pcr_extend(5, b"\5" * 32)
    assert guest.pcr_read(5) != before


def test_a_driver_of_start_method_7_is_served_beside_it(server, guest):
    assert len(guest.get_random(8)) == 8
    done = subprocess.run([CVTPM, "crb-client", "--crb-page", server.page], input=get_random(8), capture_output=True)
    assert done.returncode == 0 and response_code(done.stdout) == RC_SUCCESS
    assert len(guest.get_random(8)) == 8


def test_crb_client_rings(server):
    done = subprocess.run([CVTPM, "crb-client", "--crb-page", server.page, "-m", "8", "--doorbell", server.bell],
                          input=get_random(8) * 20, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b"\x80\x01\0\0\0\x14\0\0\0\0") == 20
    assert "cannot" in run("crb-client", "--crb-page", server.page, "-m", "8", "--doorbell", "/no/bell").stderr
    assert run("crb-client", "--crb-page", server.page, "--doorbell", server.bell).returncode == 2


def test_a_command_without_a_ring_is_found_all_the_same(server):
    with PageGuest(server.page) as silent:
        assert len(silent.get_random(8)) == 8


def test_rings_without_a_command_do_nothing(guest):
    measured = guest.pcr_read(0)
    stop = threading.Event()

    def storm():
        while not stop.is_set():
            guest.bell.sendall(b"ring" * 100)

    thread = threading.Thread(target=storm)
    thread.start()
    try:
        for _ in range(50):
            assert len(guest.get_random(16)) == 16
    finally:
        stop.set()
        thread.join()
    assert guest.pcr_read(0) == measured


def test_a_spoilt_page_gets_its_registers_back(guest):
    assert len(guest.get_random(8)) == 8
    registers = bytes(guest.memory[:pg.BUFFER])
    guest.memory[:] = bytes(4096)
    guest.ring()
    until(lambda: bytes(guest.memory[:pg.BUFFER]) == registers, "the registers")
    assert len(guest.get_random(8)) == 8
    # All ones are requests, too; what cannot be asked for is as it was.
    guest.memory[:] = b"\xff" * 4096
    guest.ring()
    constant = slice(pg.CMD_SIZE, pg.RSP_ADDR + 8)
    until(lambda: bytes(guest.memory[constant]) == registers[constant] and guest.finished(), "the registers")
    assert guest.word(pg.INTF_ID) == struct.unpack_from("<I", registers, pg.INTF_ID)[0]
    assert len(guest.get_random(8)) == 8


@pytest.mark.parametrize("half, code", [
    (b"", RC_COMMAND_SIZE),
    (b"\x80", RC_COMMAND_SIZE),
    (startup()[:6], RC_COMMAND_CODE),  # the zeros behind it belong to what claims to have twelve bytes
    (startup()[:10], RC_INITIALIZE),
    (startup()[:2] + b"\0\0\x0f\x81" + startup()[6:], RC_COMMAND_SIZE),
], ids=["nothing", "a byte", "no code", "no body", "beyond the buffer"])
def test_half_a_command_gets_an_error_and_is_forgotten(guest, half, code):
    guest.memory[pg.BUFFER:pg.BUFFER + 64] = bytes(64)
    assert response_code(guest.transact(half)) == code
    assert len(guest.get_random(8)) == 8


def test_a_second_startup_changes_nothing(guest):
    guest.pcr_extend(0, b"\1" * 32)
    measured = guest.pcr_read(0)
    for state in (False, True):
        assert guest.startup(state) == RC_INITIALIZE
        assert guest.pcr_read(0) == measured


def test_cancel(guest):
    codes = []
    while RC_CANCELED not in codes and len(codes) < 20:  # a prime may be found at once
        guest.start_and_see_taken(create_primary_rsa(2048, unique=b"cancel%d" % len(codes)))
        guest.put(pg.CTRL_CANCEL, 1)
        guest.ring()
        response = guest.response()
        codes.append(response_code(response))
        guest.put(pg.CTRL_CANCEL, 0)
        if codes[-1] == RC_SUCCESS:
            guest.code(flush_context(struct.unpack_from(">I", response, 10)[0]))
    assert codes[-1] == RC_CANCELED and set(codes[:-1]) <= {RC_SUCCESS}
    assert len(guest.get_random(8)) == 8


def test_a_command_that_is_changed_after_it_rang_is_the_old_one(guest):
    guest.start_and_see_taken(create_primary_rsa(2048, unique=b"changed"))
    guest.memory[pg.BUFFER:pg.BUFFER + 12] = startup()
    guest.ring()
    response = guest.response()
    assert response_code(response) == RC_SUCCESS and len(response) > 256  # a key


def test_the_bell_can_come_and_go(server):
    for _ in range(5):
        with PageGuest(server.page, bell=server.bell) as guest:
            assert len(guest.get_random(8)) == 8
    # One that hangs on without ringing keeps the next waiting in the queue, whose commands are found by polling.
    with PageGuest(server.page, bell=server.bell), PageGuest(server.page, bell=server.bell) as second:
        assert len(second.get_random(8)) == 8


def test_a_server_that_connects_finds_its_bell_whenever_it_appears(tmp_path):
    bell = tmp_path / "bell"
    with Server("--crb-page", tmp_path / "page", "--doorbell", f"connect:{bell}", "--startup", "clear", "--ek", "p256") as s:
        for _ in range(3):
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(bell))
            listener.listen(1)
            connection, _ = listener.accept()
            with PageGuest(tmp_path / "page", bell=connection) as guest:
                assert len(guest.get_random(8)) == 8
            listener.close()
            bell.unlink()
        assert s.stop() == 0


def test_other_transports_take_turns_with_the_bell(server, guest):
    with server.raw() as tpm:
        tpm.send(create_primary_rsa(2048, unique=b"other"))
        assert len(guest.get_random(8)) == 8
        assert response_code(tpm.receive()) == RC_SUCCESS
        for _ in range(50):
            tpm.send(pcr_read(0))
            guest.get_random(8)
            assert response_code(tpm.receive()) == RC_SUCCESS


def test_stopping_ends_the_command_that_rang(server, guest):
    guest.start_and_see_taken(create_primary_rsa(2048, unique=os.urandom(8)))
    assert server.stop() == 0
    assert not server.bell.exists()


def test_wrong_use(tmp_path):
    assert "--crb-page" in run("serve", "--tcp", "127.0.0.1:0", "--doorbell", tmp_path / "bell").stderr
    assert run("serve", "--tcp", "127.0.0.1:0", "--page-base", "4G").returncode == 2
    for base in ("0", "0x800", "4T", "x"):
        assert run("serve", "--crb-page", tmp_path / "page", "--page-base", base).returncode == 2
    for bell in ("", "connect:", "x" * 200, "connect:" + "x" * 200, tmp_path / "no" / "such", f"connect:{tmp_path}"):
        assert run("serve", "--crb-page", tmp_path / "page", "--ek", "p256", "--doorbell", bell).returncode == 2
        assert not (tmp_path / "page").exists()
