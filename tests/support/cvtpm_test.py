"""What the integration tests share: a running `cvtpm serve`, and clients for its transports.

    with Server("--tcp", "127.0.0.1:0", "--startup", "clear") as server:
        tpm = server.raw()
        assert tpm.get_random(8)

The program under test is named by the environment variable CVTPM. Nothing here asserts a time; waits
end with an error after a generous limit.
"""
import contextlib
import os
import re
import select
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

CVTPM = os.environ.get("CVTPM", "cvtpm")
LIMIT = 120  # seconds after which something that should have happened counts as not happening

RC_SUCCESS = 0
RC_INITIALIZE = 0x100
RC_FAILURE = 0x101
RC_LOCALITY = 0x907
RC_COMMAND_SIZE = 0x142
RC_CANCELED = 0x909
RC_PP_S1 = 0x990  # of the first session

RH_OWNER, RH_NULL, RH_ENDORSEMENT, RH_PLATFORM = 0x40000001, 0x40000007, 0x4000000B, 0x4000000C
RS_PW = 0x40000009


ENGINE = os.environ.get("CVTPM_TEST_ENGINE")  # on which engine the tests run; None: the program's default


def with_engine(*arguments):
    """The arguments, with the engine under test for a subcommand that takes one and was not told."""
    arguments = [*map(str, arguments)]
    if ENGINE and arguments and arguments[0] in ("serve", "manufacture") and not any(a.startswith("--engine") for a in arguments):
        arguments += ["--engine", ENGINE]
    return arguments


def run(*arguments, env=None, timeout=LIMIT, **others):
    """Runs `cvtpm ARGUMENTS` to its end."""
    return subprocess.run([CVTPM, *with_engine(*arguments)], capture_output=True, text=True, timeout=timeout,
                          env=dict(os.environ, **(env or {})), **others)


class Server:
    """A `cvtpm serve` with the given options; a context manager. `ready` is its ready line."""

    def __init__(self, *options, env=None, pass_fds=(), preexec_fn=None, wait=True):
        self.command = [CVTPM, *with_engine("serve", *options)]
        self.stderr_file = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=self.stderr_file, text=True,
                                        env=dict(os.environ, **(env or {})), pass_fds=pass_fds,
                                        preexec_fn=preexec_fn)
        self.ready = None
        if wait:
            self.wait_ready()

    def wait_ready(self):
        readable, _, _ = select.select([self.process.stdout], [], [], LIMIT)
        line = self.process.stdout.readline() if readable else ""
        if "ready" not in line:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{' '.join(self.command)} did not become ready: {line!r}\n{self.stderr}")
        self.ready = line.strip()
        return self.ready

    @property
    def stderr(self):
        """Everything on standard error so far."""
        position = self.stderr_file.seek(0, os.SEEK_END)
        self.stderr_file.seek(0)
        text = self.stderr_file.read(position)
        return text

    @property
    def pid(self):
        return self.process.pid

    def address(self, transport):
        """(host, port) that the ready line names for "tcp", "mssim" or "platform"."""
        match = re.search(rf"\b{transport} (\S+?):(\d+)(?=[,;])", self.ready)
        assert match, f"no {transport} in {self.ready!r}"
        return match[1].strip("[]"), int(match[2])

    def tcti(self):
        """The TCTI string for tpm2-tools on the mssim port."""
        host, port = self.address("mssim")
        return f"mssim:host={host},port={port}"

    def raw(self):
        return Raw(socket.create_connection(self.address("tcp"), timeout=LIMIT))

    def unix(self, path):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(LIMIT)
        s.connect(str(path))
        return Raw(s)

    def mssim(self):
        return Mssim(socket.create_connection(self.address("mssim"), timeout=LIMIT))

    def platform(self):
        return MssimPlatform(socket.create_connection(self.address("platform"), timeout=LIMIT))

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self):
        """The exit status."""
        return self.process.wait(LIMIT)

    def stop(self):
        """SIGTERM, and the exit status."""
        self.signal()
        return self.wait()

    def kill(self):
        self.process.kill()
        return self.process.wait(LIMIT)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        if kind:
            print(self.stderr)
        self.stderr_file.close()


def receive(s, count):
    """Exactly `count` bytes; EOFError when the peer closes before."""
    data = b""
    while len(data) < count:
        part = s.recv(count - len(data))
        if not part:
            raise EOFError(f"{len(data)} of {count} bytes")
        data += part
    return data


# ---- commands ----

def command(code, body=b"", tag=0x8001):
    return struct.pack(">HII", tag, 10 + len(body), code) + body


def password_session(auth=b""):
    """The authorisation area of one password session."""
    session = struct.pack(">IHBH", RS_PW, 0, 0, len(auth)) + auth
    return struct.pack(">I", len(session)) + session


def startup(state=False):
    return command(0x144, struct.pack(">H", 1 if state else 0))


def shutdown(state=False):
    return command(0x145, struct.pack(">H", 1 if state else 0))


def get_random(count):
    return command(0x17B, struct.pack(">H", count))


def pcr_read(index, hash_alg=0x0B):
    select_map = bytearray(3)
    select_map[index // 8] |= 1 << (index % 8)
    return command(0x17E, struct.pack(">IHB", 1, hash_alg, 3) + bytes(select_map))


def pcr_extend(index, digest, hash_alg=0x0B):
    return command(0x182, struct.pack(">I", index) + password_session() +
                   struct.pack(">IH", 1, hash_alg) + digest, tag=0x8002)


def create_primary_rsa(bits=2048, hierarchy=RH_NULL, unique=b""):
    """A signing key; a new `unique` gives a new key, hence a new search for primes."""
    sensitive = struct.pack(">HHH", 4, 0, 0)
    public = struct.pack(">HHIH", 0x0001, 0x000B, 0x00040072, 0)
    public += struct.pack(">HHHI", 0x0010, 0x0010, bits, 0) + struct.pack(">H", len(unique)) + unique
    body = struct.pack(">I", hierarchy) + password_session() + sensitive
    body += struct.pack(">H", len(public)) + public + struct.pack(">H", 0) + struct.pack(">I", 0)
    return command(0x131, body, tag=0x8002)


def pp_commands(set_list=(), clear_list=()):
    """TPM2_PP_Commands with the platform's empty password."""
    lists = b"".join(struct.pack(f">I{len(codes)}I", len(codes), *codes) for codes in (set_list, clear_list))
    return command(0x12D, struct.pack(">I", RH_PLATFORM) + password_session() + lists, tag=0x8002)


def clock_rate_adjust(auth):
    return command(0x130, struct.pack(">I", auth) + password_session() + b"\0", tag=0x8002)


def flush_context(handle):
    return command(0x165, struct.pack(">I", handle))


def response_code(response):
    tag, size, code = struct.unpack(">HII", response[:10])
    assert tag in (0x8001, 0x8002) or (tag, code) == (0x00C4, 0x1E), response.hex()  # the last: Part 3, 6.1
    assert size == len(response), response.hex()
    return code


class Commands:
    """Mixed into clients: what `transact(command) -> response` can be asked for."""

    def code(self, data):
        return response_code(self.transact(data))

    def startup(self, state=False):
        return self.code(startup(state))

    def get_random(self, count):
        response = self.transact(get_random(count))
        assert response_code(response) == RC_SUCCESS, response.hex()
        return response[12:]

    def pcr_read(self, index):
        response = self.transact(pcr_read(index))
        assert response_code(response) == RC_SUCCESS, response.hex()
        return response[-32:]

    def pcr_extend(self, index, digest):
        assert self.code(pcr_extend(index, digest)) == RC_SUCCESS


class Raw(Commands):
    """TPM commands on a stream socket."""

    def __init__(self, s):
        self.socket = s

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        head = receive(self.socket, 10)
        return head + receive(self.socket, struct.unpack(">I", head[2:6])[0] - 10)

    def transact(self, data):
        self.send(data)
        return self.receive()

    def at_end(self):
        """True when the server has closed and nothing is left to read."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class MssimPlatform(Raw):
    """The simulator protocol's platform port."""

    def number(self, number, payload=b""):
        """Sends a request without waiting."""
        self.send(struct.pack(">I", number) + payload)

    def word(self):
        return struct.unpack(">I", receive(self.socket, 4))[0]

    def signal(self, number, payload=b""):
        """Sends a request and gives what the server acknowledges it with."""
        self.number(number, payload)
        return self.word()

    def power_on(self):
        assert self.signal(1) == 0

    def power_off(self):
        assert self.signal(2) == 0

    def reset(self):
        assert self.signal(17) == 0

    def cancel(self, on):
        assert self.signal(9 if on else 10) == 0


class Mssim(MssimPlatform):
    """The simulator protocol's command port."""

    def send_command(self, data, locality=0):
        self.number(8, struct.pack(">BI", locality, len(data)) + data)

    def receive_response(self):
        response = receive(self.socket, self.word())
        assert self.word() == 0
        return response

    def transact(self, data, locality=0):
        self.send_command(data, locality)
        return self.receive_response()


# ---- tpm2-tools ----

def tpm2(tool, *arguments, tcti, check=True, timeout=LIMIT, **others):
    """Runs one of tpm2-tools on a TCTI. The result's stdout and stderr are text."""
    result = subprocess.run([f"tpm2_{tool}", *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                            env=dict(os.environ, TPM2TOOLS_TCTI=tcti), **others)
    if check and result.returncode:
        raise AssertionError(f"tpm2_{tool} {arguments}: exit {result.returncode}\n{result.stdout}{result.stderr}")
    return result


@contextlib.contextmanager
def in_background(function, *arguments):
    """Runs a function in a thread; yields a list that holds its result afterwards."""
    result = []
    thread = threading.Thread(target=lambda: result.append(function(*arguments)))
    thread.start()
    try:
        yield result
    finally:
        thread.join(LIMIT)


def wait_until(condition, what):
    """Waits for something that another process does."""
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.01)
