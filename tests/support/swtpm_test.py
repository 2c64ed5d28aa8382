"""What the tests of swtpm's work-alikes share: either family of programs, a running one, its control channel.

The same script runs against cvtpm's programs ("cvtpm") and against swtpm's own ("swtpm", where installed):
what both do alike is what swtpm's users rely on.
"""
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

import pytest

import cvtpm_test as ct

DATA = pathlib.Path(__file__).resolve().parents[1] / "data" / "libvirt"

GET_CAPABILITY, INIT, SHUTDOWN, GET_ESTABLISHED, SET_LOCALITY = 1, 2, 3, 4, 5
HASH_START, HASH_DATA, HASH_END, CANCEL, STORE_VOLATILE, RESET_ESTABLISHED = 6, 7, 8, 9, 10, 11
GET_BLOB, SET_BLOB, STOP, GET_CONFIG, SET_DATAFD, SET_BUFFERSIZE, GET_INFO, LOCK_STORAGE = range(12, 20)
PERMANENT, VOLATILE, SAVESTATE = 1, 2, 3
BAD_PARAMETER, DISABLED, FAIL, BAD_ORDINAL, IO_ERROR, BAD_LOCALITY, NO_BLOB = 3, 8, 9, 0x0A, 0x1F, 0x3D, 0x800

READ_CLOCK = bytes.fromhex("80010000000a00000181")
UUID = "5b2b2a53-7e3e-4a2c-9a7c-0d5a4a9d1a01"


def words(*values):
    return struct.pack(f">{len(values)}I", *values)


class Family:
    """The programs named swtpm, swtpm_setup and swtpm_ioctl: "cvtpm" ours, "native" ours with that engine, "swtpm"."""

    def __init__(self, name):
        self.name, self.ours = name, name != "swtpm"
        self.folder = str(pathlib.Path(ct.CVTPM).resolve().parent / "swtpm") if self.ours else "/usr/bin"
        self.options = ["--engine", "native"] if name == "native" else []  # of swtpm and swtpm_setup

    def path(self, program):
        return f"{self.folder}/{program}"

    def environment(self, **more):
        return dict(os.environ, PATH=f"{self.folder}:{os.environ['PATH']}", **more)

    def run(self, program, *arguments, **others):
        """Runs one to its end."""
        environment = self.environment(**others.pop("env", {}))
        return subprocess.run([self.path(program), *map(str, arguments)], capture_output=True, text=True,
                              timeout=ct.LIMIT, env=environment, **others)

    def setup(self, folder, *arguments, **others):
        result = self.run("swtpm_setup", "--tpm2", "--tpm-state", folder, *self.options, *arguments, **others)
        assert result.returncode == 0, result.stdout + result.stderr
        return result

    def ioctl(self, path, *arguments, **others):
        return self.run("swtpm_ioctl", "--unix", path, *arguments, **others)


def families():
    """Parameters for a fixture: ours, and swtpm's where it is installed."""
    return ["cvtpm"] + (["swtpm"] if shutil.which("swtpm", path="/usr/bin") else [])


@pytest.fixture(params=families())
def family(request):
    return Family(request.param)


@pytest.fixture
def ours():
    return Family("cvtpm")


class Running:
    """A `swtpm socket` (or another interface) with the given options; a context manager."""

    def __init__(self, family, *options, interface="socket", pass_fds=(), env=None, preexec_fn=None, argv=None):
        self.argv = argv or [family.path("swtpm"), interface, *map(str, options)]
        self.stderr_file = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(self.argv, stdout=subprocess.DEVNULL, stderr=self.stderr_file,
                                        pass_fds=pass_fds, env=family.environment(**(env or {})),
                                        preexec_fn=preexec_fn)

    @property
    def stderr(self):
        position = self.stderr_file.seek(0, os.SEEK_END)
        self.stderr_file.seek(0)
        return self.stderr_file.read(position)

    def wait(self):
        return self.process.wait(ct.LIMIT)

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        self.process.kill()
        return self.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(ct.LIMIT)
            except subprocess.TimeoutExpired:
                self.kill()
        if kind:
            print(self.argv, self.stderr)
        self.stderr_file.close()


def connect(where, running=None):
    """A connection to a Unix socket's path, or a TCP port; waits until somebody listens."""
    unix = not isinstance(where, int)

    def attempt():
        if running and not running.alive():
            raise AssertionError(f"{running.argv} has ended: {running.stderr}")
        s = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        s.settimeout(ct.LIMIT)
        try:
            s.connect(str(where) if unix else ("127.0.0.1", where))
        except (FileNotFoundError, ConnectionRefusedError):
            s.close()
            return False
        attempt.socket = s
        return True

    ct.wait_until(attempt, f"somebody who listens on {where}")
    return attempt.socket


def free_port():
    """A port of this machine, and the next one too, that nobody listens at. Below those that the kernel gives to
    connections: one of these could become somebody's before it is bound."""
    while True:
        port = random.randrange(20000, 32000, 2)
        with socket.socket() as s, socket.socket() as next_one:
            try:
                s.bind(("127.0.0.1", port))
                next_one.bind(("127.0.0.1", port + 1))
                return port
            except OSError:
                continue


class Control:
    """A connection to a control channel."""

    def __init__(self, s):
        self.socket = s

    def ask(self, number, body=b"", answer=4):
        self.socket.sendall(words(number) + body)
        return ct.receive(self.socket, answer)

    def result(self, number, body=b""):
        return struct.unpack(">I", self.ask(number, body))[0]

    def data(self, request=words(SET_DATAFD)):
        """SET_DATAFD; the data channel."""
        mine, theirs = socket.socketpair()
        mine.settimeout(ct.LIMIT)
        with theirs:
            socket.send_fds(self.socket, [request], [theirs.fileno()])
            assert ct.receive(self.socket, 4) == words(0)
        return ct.Raw(mine)

    def get_blob(self, kind):
        """(result, flags, blob)"""
        result = struct.unpack(">I", self.ask(GET_BLOB, words(1, kind, 0)))[0]
        flags, total, length = struct.unpack(">3I", ct.receive(self.socket, 12))
        assert total == length
        return result, flags, ct.receive(self.socket, length)

    def set_blob(self, kind, blob, flags=0):
        return self.result(SET_BLOB, words(flags, kind, len(blob)) + blob)

    def close(self):
        self.socket.close()


def scenes():
    """The recorded traffic: {name: [(verb, rest)]}."""
    result, name = {}, None
    for line in (DATA / "traffic.txt").read_text().splitlines():
        if line.startswith("["):
            name = line.strip("[]")
            result[name] = []
        elif line and not line.startswith("#"):
            result[name].append(tuple(line.split(" ", 1)))
    return result


def calls():
    """The recorded calls: {name: argv}."""
    result = {}
    for line in (DATA / "calls.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, argv = line.split(": ", 1)
            result[name] = argv.split()
    return result


class Machine:
    """Plays recorded scenes on a control channel, as QEMU does."""

    def __init__(self, control, size=0xF80):
        self.control, self.size, self.data, self.blobs = control, f"{size:08X}", None, {}

    def _bytes(self, text):
        return bytes.fromhex(text.replace("SIZE", self.size).replace(" ", ""))

    def _expect(self, text, get):
        pattern = text.replace("SIZE", self.size).replace(" ", "").lower()
        answer = get(len(pattern) // 2).hex()
        assert all(p in (".", a) for p, a in zip(pattern, answer)), f"expected {pattern}, got {answer}"

    def play(self, *names):
        for name in names:
            last = "control"
            for verb, rest in scenes()[name]:
                if verb == "fd":
                    mine, theirs = socket.socketpair()
                    mine.settimeout(ct.LIMIT)
                    with theirs:
                        socket.send_fds(self.control.socket, [self._bytes(rest)], [theirs.fileno()])
                    self.data, last = ct.Raw(mine), "control"
                elif verb == "data":
                    self.data.send(self._bytes(rest))
                    last = "data"
                elif verb == ">":
                    self.control.socket.sendall(self._bytes(rest))
                    last = "control"
                elif verb == "<":
                    peer = self.control.socket if last == "control" else self.data.socket
                    self._expect(rest, lambda count: ct.receive(peer, count))
                elif verb == "get":
                    result, _, self.blobs[rest] = self.control.get_blob(int(rest))
                    assert result & ~NO_BLOB == 0, (rest, result)
                elif verb == "set":
                    if self.blobs[rest]:
                        assert self.control.set_blob(int(rest), self.blobs[rest]) == 0, rest
        return self
