"""`cvtpm serve --qmp`: a monitor that behaves like QEMU's, or does not."""
import json
import os
import socket
import sys
import threading

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import page_guest as pg
from cvtpm_test import (LIMIT, RC_CANCELED, RC_COMMAND_SIZE, RC_FAILURE, RC_INITIALIZE, RC_SUCCESS, Server,
                        create_primary_rsa, response_code, run, startup, wait_until)
from page_guest import PageGuest, until

GREETING = {"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": ""}, "capabilities": ["oob"]}}
EXTENDED = b"\7" * 32
RC_RETRY = 0x922


class Monitor:
    """A QMP server for one client. `status` is what query-status says; as QEMU it is silent before capabilities."""

    def __init__(self, path, status="running"):
        self.path, self.status = path, status
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(1)
        self.connection = None
        self.commands = []
        self.following = threading.Event()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def say(self, *objects):
        self.connection.sendall(b"".join(json.dumps(o).encode() + b"\r\n" for o in objects))

    def event(self, *names, **data):
        self.say(*[{"event": n, "data": data, "timestamp": {"seconds": 1, "microseconds": 2}} for n in names])

    def answer(self, command):
        if command == "qmp_capabilities":
            self.say({"return": {}})
        elif command == "query-status":
            self.say({"return": {"status": self.status, "singlestep": False, "running": self.status == "running"}})
            self.following.set()

    def serve(self):
        try:
            self.connection, _ = self.listener.accept()
            self.say(GREETING)
            for line in self.connection.makefile("r"):
                self.commands.append(json.loads(line)["execute"])
                self.answer(self.commands[-1])
        except OSError:
            pass

    def wait(self):
        assert self.following.wait(LIMIT)

    def hang_up(self):
        if self.connection:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.connection.close()

    def close(self):
        if self.thread.is_alive():
            try:
                self.listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        try:
            self.hang_up()
        except OSError:
            pass
        self.thread.join(LIMIT)
        self.listener.close()
        if os.path.exists(self.path):
            os.unlink(self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@pytest.fixture
def paths(tmp_path):
    class Paths:
        page, bell, qmp = tmp_path / "page", tmp_path / "bell", tmp_path / "qmp"
    return Paths


def serve(paths, *options, qmp=True):
    return Server("--crb-page", paths.page, "--doorbell", paths.bell, "--ek", "p256", *(("--qmp", paths.qmp) if qmp else ()),
                  *options)


def startup_around_a_reset(guest):
    """The response code of a guest that is faster than any machine's firmware: it may write its command in the very
    moment in which the page is wiped, and then finds a buffer that is empty, or was when the command was taken."""
    guest.start(startup())
    until(guest.finished, "START to become 0")
    response = bytes(guest.memory[pg.BUFFER:pg.BUFFER + 10])
    code = response_code(response) if any(response) else RC_RETRY
    return RC_RETRY if code == RC_COMMAND_SIZE else code


def start_tpm(guest, wanted=RC_SUCCESS):
    """TPM2_Startup of a machine that has just been reset."""
    while (code := startup_around_a_reset(guest)) == RC_RETRY:
        pass
    assert code == wanted


def reset_and_startup(monitor, guest):
    monitor.event("RESET", guest=True, reason="guest-reset")
    start_tpm(guest)


@pytest.fixture
def machine(paths):
    """A new machine with its TPM started: (server, monitor, guest)"""
    with Monitor(paths.qmp, "prelaunch") as monitor, serve(paths) as server:
        with PageGuest(paths.page, bell=paths.bell) as guest:
            assert guest.startup() == RC_SUCCESS
            yield server, monitor, guest


def test_it_negotiates_and_asks_and_no_more(machine):
    server, monitor, _ = machine
    assert monitor.commands == ["qmp_capabilities", "query-status"]
    assert "qmp" in server.ready and "waits for TPM2_Startup" in server.ready


def test_a_reset_of_the_machine_resets_the_tpm(machine):
    server, monitor, guest = machine
    fresh = guest.pcr_read(0)
    for _ in range(3):
        guest.pcr_extend(0, EXTENDED)
        assert guest.pcr_read(0) != fresh and guest.startup() == RC_INITIALIZE
        reset_and_startup(monitor, guest)
        assert guest.pcr_read(0) == fresh
    assert server.stderr.count("the machine was reset") == 3


def test_the_reset_is_known_before_a_command_that_comes_after_it(machine):
    """Event and command at once, whichever is seen first: the command never runs on the TPM of before. Where they
    are found together nobody can tell which was first, and the answer is TPM_RC_RETRY."""
    _, monitor, guest = machine
    fresh, seen = guest.pcr_read(1), set()
    for _ in range(200):
        guest.pcr_extend(1, EXTENDED)
        monitor.event("RESET")
        code = startup_around_a_reset(guest)
        seen.add(code)
        if code == RC_RETRY:
            start_tpm(guest)
        assert guest.pcr_read(1) == fresh
    assert seen <= {RC_SUCCESS, RC_RETRY}


def test_events_in_bursts(machine):
    server, monitor, guest = machine
    fresh = guest.pcr_read(2)
    guest.pcr_extend(2, EXTENDED)
    monitor.event("STOP", "RESET", "RESUME", "RESET", "NIC_RX_FILTER_CHANGED", *["RTC_CHANGE"] * 500, "RESET")
    start_tpm(guest)
    assert guest.pcr_read(2) == fresh
    monitor.event(*["RTC_CHANGE"] * 5000)
    assert len(guest.get_random(8)) == 8


@pytest.mark.parametrize("reset", [b'{"timestamp": {"seconds": 1}, "event": "RESET", "data": {}}\r\n',
                                   b'{"event":"RESET"}\n', b'\r\n  \r\n{"event":"RE\\u0053ET"}\r\n'])
def test_lines_in_pieces(machine, reset):
    _, monitor, guest = machine
    guest.pcr_extend(3, EXTENDED)
    measured = guest.pcr_read(3)
    for at in range(len(reset) - 1):
        monitor.connection.sendall(reset[at:at + 1])
        if at % 8 == 0:
            assert guest.pcr_read(3) == measured  # half a line is no event
    monitor.connection.sendall(reset[-1:])
    start_tpm(guest)


def is_object(line):
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


@pytest.mark.parametrize("garbage", [
    b"hello\n", b"{\n", b"[]\n", b"null\n", b'"RESET"\n', b'{"event": 7}\n', b'{"event": ["RESET"]}\n', b'{"event": null}\n',
    b'{"data": {"event": "RESET"}}\n', b'{"event": "reset"}\n', b'{"return": {"event": "RESET"}}\n', b"\xff\xfe\0\n",
    b"x" * 50000 + b"\n", b'{"a": "' + b"y" * 50000 + b'"}\n', b"[" * 10000 + b"\n", b'{"event": "SHUTDOWN", "data": 3}\n',
    b'{"error": {"class": "GenericError", "desc": "no"}}\n', b'{"error": "no"}\n',
], ids=range(18))
def test_rubbish_is_told_and_skipped(machine, garbage):
    server, monitor, guest = machine
    guest.pcr_extend(4, EXTENDED)
    measured = guest.pcr_read(4)
    monitor.connection.sendall(garbage * 3)
    for _ in range(5):
        assert guest.pcr_read(4) == measured
    assert server.process.poll() is None
    told = not is_object(garbage) or len(garbage) > 50000  # once, not three times
    assert server.stderr.count("which is skipped") == told
    reset_and_startup(monitor, guest)
    assert guest.pcr_read(4) != measured


@pytest.mark.parametrize("name", ["guest-shutdown", "host-qmp-quit"])
def test_the_end_of_the_machine_is_the_end_of_the_server(machine, name):
    server, monitor, guest = machine
    monitor.event("SHUTDOWN", guest=True, reason=name)
    wait_until(lambda: name in server.stderr, "the event")
    assert server.process.poll() is None  # with -no-shutdown the machine may still be reset
    assert len(guest.get_random(8)) == 8
    monitor.hang_up()
    assert server.wait() == 0
    assert "was shut down: ending" in server.stderr


def test_a_monitor_that_is_killed_ends_the_server(machine):
    server, monitor, _ = machine
    monitor.hang_up()
    assert server.wait() == 0
    assert "is closed: ending" in server.stderr


# ---- a long command over a reset ----

def test_a_long_command_over_a_reset_is_cancelled_and_its_answer_dropped(machine):
    server, monitor, guest = machine
    for number in range(4):
        guest.pcr_extend(0, EXTENDED)
        guest.start_and_see_taken(create_primary_rsa(2048, unique=b"long%d" % number))
        monitor.event("RESET")
        until(guest.finished, "START to become 0")
        until(lambda: server.stderr.count("the machine was reset") == number + 1, "the TPM's reset")
        response = bytes(guest.memory[pg.BUFFER:pg.BUFFER + 3968])
        assert response == bytes(3968)  # nothing of the old machine's
        assert guest.startup() == RC_SUCCESS
        assert guest.pcr_read(0) == bytes(32)


def test_a_command_that_another_transport_runs_is_cancelled_by_the_reset(paths):
    with Monitor(paths.qmp, "prelaunch") as monitor, serve(paths, "--tcp", "127.0.0.1:0", "--startup", "clear") as server:
        with server.raw() as tpm:
            codes = []
            while RC_CANCELED not in codes and len(codes) < 20:  # it may be found later than the event, or end before
                tpm.send(create_primary_rsa(3072, unique=b"raw%d" % len(codes)))
                monitor.event("RESET")
                codes.append(response_code(tpm.receive()))
                wait_until(lambda: server.stderr.count("the machine was reset") == len(codes), "the TPM's reset")
                assert tpm.startup() == RC_INITIALIZE  # --startup clear has sent it
            assert codes[-1] == RC_CANCELED


# ---- which machine is new ----

@pytest.mark.parametrize("status", ["prelaunch", "preconfig"])
def test_a_machine_that_has_not_run_is_new_whatever_is_in_the_page(paths, status):
    paths.page.write_bytes(b"\xff" * 4096)
    with Monitor(paths.qmp, status), serve(paths) as server, PageGuest(paths.page, bell=paths.bell) as guest:
        assert "waits for TPM2_Startup" in server.ready
        assert guest.startup() == RC_SUCCESS


@pytest.mark.parametrize("status", ["running", "paused", "inmigrate", "guest-panicked", "shutdown", "restore-vm", "unheard of"])
def test_a_machine_that_has_run_gets_no_fresh_tpm_before_its_reset(paths, status):
    with Monitor(paths.qmp, status) as monitor, serve(paths, "--startup", "clear") as server:
        with PageGuest(paths.page, bell=paths.bell) as guest:
            assert "failure mode" in server.ready and "has already run" in server.stderr
            assert guest.startup() == RC_FAILURE
            monitor.event("RESET")
            start_tpm(guest, RC_INITIALIZE)  # --startup has sent it
            assert len(guest.get_random(8)) == 8


def test_a_killed_server_is_no_new_machine(paths):
    """Who ends the process must not get fresh PCRs; the platform's reset gives them."""
    with Monitor(paths.qmp, "prelaunch") as monitor, serve(paths) as server, PageGuest(paths.page, bell=paths.bell) as guest:
        assert guest.startup() == RC_SUCCESS
        guest.pcr_extend(0, EXTENDED)
        server.kill()
    with Monitor(paths.qmp, "running") as monitor, serve(paths) as second:
        with PageGuest(paths.page, bell=paths.bell) as guest:
            assert guest.startup() == RC_FAILURE and guest.startup(state=True) == RC_FAILURE
            reset_and_startup(monitor, guest)
            assert guest.pcr_read(0) == bytes(32)
        assert second.stop() == 0


def test_a_machine_that_comes_later_is_new_and_followed(paths):
    paths.page.write_bytes(bytes(4096))
    with serve(paths) as server:
        assert "waits for TPM2_Startup" in server.ready
        with PageGuest(paths.page, bell=paths.bell) as guest, Monitor(paths.qmp, "running") as monitor:
            monitor.wait()
            assert guest.startup() == RC_SUCCESS
            guest.pcr_extend(0, EXTENDED)
            reset_and_startup(monitor, guest)
            assert guest.pcr_read(0) == bytes(32)
            monitor.hang_up()
            assert server.wait() == 0


def test_a_socket_that_nobody_serves_any_more_is_no_machine(paths):
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(paths.qmp))
    left.close()
    with serve(paths) as server:
        assert "waits for TPM2_Startup" in server.ready
        assert server.stop() == 0


# ---- monitors that are none ----

def refused(paths, *options):
    done = run("serve", "--crb-page", paths.page, "--ek", "p256", "--qmp", paths.qmp, *options)
    assert done.returncode == 2 and "ready" not in done.stdout
    assert not paths.page.exists()
    return done.stderr


def test_a_monitor_that_another_client_has_is_said_to_be_so(paths):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(paths.qmp))
    listener.listen(1)  # connects, and is never greeted
    assert "one client at a time" in refused(paths)
    listener.close()


@pytest.mark.parametrize("words", [b"", b"QEMU 7.2.0 monitor - type 'help' for more information\n(qemu) ",
                                   json.dumps(GREETING).encode() + b"\n" + b'{"error": {"desc": "not here"}}\n'])
def test_a_monitor_that_goes_before_it_says_anything(paths, words):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(paths.qmp))
    listener.listen(1)

    def greet():
        connection, _ = listener.accept()
        connection.sendall(words)
        if b"error" not in words:
            connection.close()
        else:
            connection.recv(1000)
            connection.recv(1000)
            connection.close()

    thread = threading.Thread(target=greet)
    thread.start()
    said = refused(paths)
    assert "closed before it said" in said
    assert ("not here" in said) == (b"error" in words)
    thread.join()
    listener.close()


def test_wrong_use(paths):
    assert "--crb-page" in run("serve", "--tcp", "127.0.0.1:0", "--qmp", paths.qmp).stderr
    assert "--machine-is-new" in refused(paths, "--machine-is-new")
    for path in ("", "x" * 200):
        done = run("serve", "--crb-page", paths.page, "--ek", "p256", "--qmp", path)
        assert done.returncode == 2 and "1 to 107 characters" in done.stderr
    paths.qmp.mkdir()
    assert "it is not a socket" in refused(paths)
    paths.qmp.rmdir()
    paths.qmp.write_text("a file")
    assert "it is not a socket" in refused(paths)
