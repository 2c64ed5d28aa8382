"""swtpm's control channel on the real program: the traffic of QEMU and libvirt, swtpm_ioctl, and bad input."""
import os
import pathlib
import socket
import struct
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cvtpm_test as ct  # noqa: E402

QUICK = ("--ek", "p256")

GET_CAPABILITY, INIT, SHUTDOWN, GET_ESTABLISHED, SET_LOCALITY = 1, 2, 3, 4, 5
HASH_START, HASH_DATA, HASH_END, CANCEL, STORE_VOLATILE, RESET_ESTABLISHED = 6, 7, 8, 9, 10, 11
GET_BLOB, SET_BLOB, STOP, GET_CONFIG, SET_DATAFD, SET_BUFFERSIZE, GET_INFO, LOCK_STORAGE = range(12, 20)
PERMANENT, VOLATILE, SAVESTATE = 1, 2, 3
BAD_PARAMETER, DISABLED, BAD_ORDINAL, IO_ERROR, BAD_LOCALITY, NO_BLOB = 0x03, 0x08, 0x0A, 0x1F, 0x3D, 0x800

RC_LOCALITY = 0x907
READ_CLOCK = bytes.fromhex("80010000000a00000181")


def words(*values):
    return struct.pack(f">{len(values)}I", *values)


class Control:
    """A connection to the control channel."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(ct.LIMIT)
        self.socket.connect(str(path))

    def ask(self, number, body=b"", answer=4):
        self.socket.sendall(words(number) + body)
        return ct.receive(self.socket, answer)

    def result(self, number, body=b""):
        return struct.unpack(">I", self.ask(number, body))[0]

    def data(self):
        """SET_DATAFD; the data channel."""
        ours, theirs = socket.socketpair()
        ours.settimeout(ct.LIMIT)
        with theirs:
            socket.send_fds(self.socket, [words(SET_DATAFD)], [theirs.fileno()])
            assert ct.receive(self.socket, 4) == words(0)
        return ct.Raw(ours)

    def get_blob(self, kind, offset=0):
        """(result, blob)"""
        result, flags, total, length = struct.unpack(">4I", self.ask(GET_BLOB, words(1, kind, offset), 16))
        assert flags == 0 and total == length
        return result, ct.receive(self.socket, length)

    def set_blob(self, kind, blob):
        return self.result(SET_BLOB, words(0, kind, len(blob)) + blob)

    def stopped_until_size(self, size=0xF80):
        """What QEMU sends before each INIT."""
        assert self.ask(STOP) == words(0)
        in_use = self.ask(SET_BUFFERSIZE, words(0), 16)
        assert in_use in (words(0, 0x1000, 0xAF8, 0x1000), words(0, size, 0xAF8, 0x1000))
        assert self.ask(STOP) == words(0)
        assert self.ask(SET_BUFFERSIZE, words(size), 16) == words(0, size, 0xAF8, 0x1000)

    def start(self, size=0xF80):
        """The start of a machine, as QEMU 7.2 does it; the data channel."""
        data = self.data()
        assert data.transact(READ_CLOCK) == bytes.fromhex("80010000000a00000101")
        assert self.ask(GET_CAPABILITY, answer=8) == words(0, 0x17FFF)
        self.stopped_until_size(size)
        self.running()
        return data

    def running(self, flags=0):
        assert self.ask(INIT, words(flags)) == words(0)
        assert self.ask(GET_ESTABLISHED, answer=8) == bytes(8)
        assert self.ask(SET_LOCALITY, bytes(4)) == words(0)

    def save(self):
        """What a save or a migration takes from a TPM."""
        blobs = {}
        for kind in (PERMANENT, VOLATILE, SAVESTATE):
            result, blobs[kind] = self.get_blob(kind)
            assert result in (0, NO_BLOB)
        return blobs

    def restore(self, blobs):
        self.stopped_until_size()
        assert self.ask(STOP) == words(0)
        for kind in (PERMANENT, VOLATILE, SAVESTATE):
            if blobs[kind]:
                assert self.set_blob(kind, blobs[kind]) == 0
        assert self.ask(INIT, words(1)) == words(0)

    def close(self):
        self.socket.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ctrl.sock"


def serve(path, *options):
    return ct.Server("--ctrl", f"unix:{path}", *QUICK, *options)


def start_session():
    """TPM2_StartAuthSession, HMAC, unbound and unsalted."""
    return ct.command(0x176, struct.pack(">IIH", ct.RH_NULL, ct.RH_NULL, 16) + bytes(16) +
                      struct.pack(">HBHH", 0, 0, 0x10, 0x0B))


def read_public(handle):
    return ct.command(0x173, words(handle))


def property_of(data, tag):
    response = data.transact(ct.command(0x17A, words(6, tag, 1)))
    assert ct.response_code(response) == 0
    return struct.unpack(">I", response[-4:])[0]


# ---- the recorded traffic ----

@pytest.mark.parametrize("size", [0xF80, 0x1000])
def test_a_machine_starts_resets_and_ends_as_qemu_does_it(path, size):
    with serve(path, "--terminate") as server:
        control = Control(path)
        data = control.start(size)
        assert data.transact(READ_CLOCK)[6:10] == words(ct.RC_INITIALIZE)
        assert data.startup() == 0
        assert property_of(data, 0x11E) == size and property_of(data, 0x11F) == size
        data.pcr_extend(7, b"\x11" * 32)
        extended = data.pcr_read(7)
        assert extended != bytes(32)
        for _ in range(2):  # seen once and twice in a row
            control.stopped_until_size(size)
            control.running()
        assert data.startup() == 0
        assert data.pcr_read(7) == bytes(32)
        assert control.ask(SHUTDOWN) == words(0)
        assert server.wait() == 0
        assert "TPM2_Shutdown" not in server.stderr


def test_a_restored_machine_goes_on_in_another_process(path, tmp_path):
    other = tmp_path / "other.sock"
    with serve(path) as source, serve(other) as target:
        control = Control(path)
        data = control.start()
        assert data.startup() == 0
        data.pcr_extend(7, b"\x22" * 32)
        session = data.transact(start_session())
        assert ct.response_code(session) == 0
        key = data.transact(ct.create_primary_rsa())
        assert ct.response_code(key) == 0
        handle = struct.unpack(">I", key[10:14])[0]
        pcr, public = data.pcr_read(7), data.transact(read_public(handle))
        saved = control.save()
        assert saved[PERMANENT] and saved[VOLATILE] and not saved[SAVESTATE]
        assert data.pcr_read(7) == pcr  # a live snapshot: the source goes on

        there = Control(other)
        moved = there.data()
        assert moved.transact(READ_CLOCK)[:2] == b"\x80\x01"
        there.restore(saved)
        assert moved.pcr_read(7) == pcr
        assert moved.transact(read_public(handle)) == public
        assert moved.code(ct.flush_context(struct.unpack(">I", session[10:14])[0])) == 0
        assert moved.startup() == ct.RC_INITIALIZE
        # The same state once more is the same machine with other random numbers.
        first = moved.get_random(32)
        there.restore(saved)
        assert moved.pcr_read(7) == pcr and moved.get_random(32) != first
        # A reset then is a reset.
        there.stopped_until_size()
        there.running()
        assert moved.startup() == 0
        assert moved.pcr_read(7) == bytes(32)
        assert control.ask(SHUTDOWN) == words(0)
        assert source.wait() == 0
        assert target.stop() == 0


def test_without_terminate_the_server_waits_for_the_next_machine(path):
    with serve(path) as server:
        for _ in range(2):
            control = Control(path)
            data = control.start()
            assert data.startup() == 0
            assert control.result(STOP) == 0
            control.close()
            data.close()
        assert server.stop() == 0


def test_with_terminate_it_ends_with_the_last_control_connection(path):
    with serve(path, "--terminate") as server:
        first, second = Control(path), Control(path)
        assert second.result(STOP) == 0
        first.close()
        assert second.result(STOP) == 0
        second.close()
        assert server.wait() == 0


def test_power_is_taken_in_order_from_a_tpm_with_a_state(path, tmp_path):
    state = tmp_path / "state"
    assert ct.run("manufacture", "--state", state, *QUICK).returncode == 0
    with ct.Server("--ctrl", f"unix:{path}", "--state", state) as server:
        control = Control(path)
        data = control.start()
        for _ in range(3):
            assert data.startup() == 0
            assert property_of(data, 0x201) >> 31 == 1  # TPMA_STARTUP_CLEAR.orderly
            control.stopped_until_size()
            control.running()
        # What STORE_VOLATILE stored is resumed by the next process, once.
        assert data.startup() == 0
        data.pcr_extend(3, b"\x33" * 32)
        pcr = data.pcr_read(3)
        assert control.result(STORE_VOLATILE) == 0
        assert control.ask(SHUTDOWN) == words(0)
        assert server.wait() == 0
    with ct.Server("--ctrl", f"unix:{path}", "--state", state) as server:
        control = Control(path)
        data = control.data()
        assert control.result(INIT, words(0)) == 0
        assert data.pcr_read(3) == pcr
        assert control.result(INIT, words(0)) == 0
        assert data.startup() == 0
        assert data.pcr_read(3) == bytes(32)


# ---- commands one by one ----

def test_what_needs_a_running_tpm_is_refused_while_it_is_stopped(path):
    with serve(path) as server:
        control = Control(path)
        for number, body in ((GET_ESTABLISHED, b""), (CANCEL, b""), (HASH_START, b""), (HASH_END, b""),
                             (HASH_DATA, words(4) + b"abcd"), (HASH_DATA, words(9000) + bytes(9000)),
                             (STORE_VOLATILE, b""), (RESET_ESTABLISHED, b"\x03\0\0\0")):
            assert control.result(number, body) == BAD_ORDINAL, number
        assert control.get_blob(PERMANENT) == (BAD_ORDINAL, b"")
        assert "the TPM is stopped, send INIT first" in server.stderr
        assert control.result(INIT, words(0)) == 0


def test_what_needs_a_stopped_tpm_is_refused_while_it_runs(path):
    with serve(path) as server:
        control = Control(path)
        assert control.result(INIT, words(0)) == 0
        assert control.result(SET_BUFFERSIZE, words(0xF80)) == BAD_ORDINAL
        assert control.set_blob(PERMANENT, b"abcd") == BAD_ORDINAL
        assert control.ask(SET_BUFFERSIZE, words(0), 16) == words(0, 0x1000, 0xAF8, 0x1000)
        assert "send STOP first" in server.stderr


def test_buffer_sizes_are_brought_into_range(path):
    with serve(path):
        control = Control(path)
        assert control.ask(SET_BUFFERSIZE, words(10), 16) == words(0, 0xAF8, 0xAF8, 0x1000)
        assert control.ask(SET_BUFFERSIZE, words(0xFFFFFFFF), 16) == words(0, 0x1000, 0xAF8, 0x1000)


def test_locality_and_hash_signals_belong_to_the_channel(path):
    with serve(path):
        control = Control(path)
        data = control.start()
        assert control.result(HASH_START) == 0
        assert control.result(HASH_DATA, words(9000) + b"\x55" * 9000) == 0
        assert control.result(HASH_END) == 0
        assert data.startup() == 0
        assert data.pcr_read(0) != bytes(32)  # H-CRTM
        extend_17 = ct.pcr_extend(17, bytes(32))  # localities 2 to 4
        assert data.code(extend_17) == RC_LOCALITY
        assert control.result(SET_LOCALITY, b"\x04") == 0  # one byte
        assert data.code(extend_17) == 0
        assert control.result(SET_LOCALITY, b"\x00\xaa\xbb\xcc") == 0  # a union with rubbish behind it
        assert data.code(extend_17) == RC_LOCALITY
        assert control.result(SET_LOCALITY, b"\x05") == BAD_LOCALITY
        control.socket.sendall(words(SET_LOCALITY) + b"\x01" + words(STOP))
        assert ct.receive(control.socket, 8) == words(0, 0)


def test_the_established_flag_is_set_by_a_dynamic_launch_and_reset_by_locality_3(path):
    with serve(path):
        control = Control(path)
        data = control.start()
        assert data.startup() == 0
        for number, body in ((HASH_START, b""), (HASH_DATA, words(2) + b"ab"), (HASH_END, b"")):
            assert control.result(number, body) == 0
        assert control.ask(GET_ESTABLISHED, answer=8) == words(0, 0x01000000)
        assert control.result(RESET_ESTABLISHED, b"\x00\0\0\0") == BAD_LOCALITY
        assert control.result(RESET_ESTABLISHED, b"\x07\0\0\0") == BAD_LOCALITY
        assert control.result(RESET_ESTABLISHED, b"\x03\0\0\0") == 0
        assert control.ask(GET_ESTABLISHED, answer=8) == bytes(8)


def test_a_running_command_is_cancelled_from_the_channel(path):
    with serve(path):
        control = Control(path)
        data = control.start()
        assert data.startup() == 0
        codes = []
        while ct.RC_CANCELED not in codes and len(codes) < 20:  # a prime may be found at once
            with ct.in_background(data.transact, ct.create_primary_rsa(3072, unique=b"%d" % len(codes))) as response:
                while not response:
                    assert control.result(CANCEL) == 0
            codes.append(ct.response_code(response[0]))
            if codes[-1] == 0:
                data.code(ct.flush_context(struct.unpack(">I", response[0][10:14])[0]))
        assert codes[-1] == ct.RC_CANCELED and set(codes[:-1]) <= {0}
        assert data.get_random(8)


def test_what_a_guest_writes_does_not_end_its_data_channel(path):
    with serve(path):
        data = Control(path).start()
        for bad in (b"\x80\x01\x7f\xff\xff\xff" + bytes(100), b"\x80", b"\x80\x01\0\0\0\x05",
                    b"\x80\x01\0\0\0\x09\0\0\1"):
            assert data.code(bad) == ct.RC_COMMAND_SIZE
        assert data.startup() == 0


def test_the_data_channel_may_be_a_socket_of_the_server(path, tmp_path):
    with serve(path, "--unix", tmp_path / "data.sock") as server:
        control, data = Control(path), server.unix(tmp_path / "data.sock")
        assert data.code(READ_CLOCK) == ct.RC_FAILURE
        assert control.result(INIT, words(0)) == 0
        assert data.startup() == 0


def test_the_control_channel_serves_tcp():
    with ct.Server("--ctrl", "tcp:127.0.0.1:0", *QUICK) as server:
        with socket.create_connection(server.address("ctrl"), timeout=ct.LIMIT) as s:
            s.sendall(words(GET_CAPABILITY))
            assert ct.receive(s, 8) == words(0, 0x17FFF)
            s.sendall(words(SET_DATAFD))  # no descriptor comes over TCP
            assert ct.receive(s, 4) == words(IO_ERROR)


def test_config_lock_and_info(path):
    with serve(path):
        control = Control(path)
        assert control.ask(GET_CONFIG, answer=8) == words(0, 0)
        assert control.result(LOCK_STORAGE, words(300)) == 0
        body = struct.pack(">QII", 1, 0, 0)
        result, total, length = struct.unpack(">3I", control.ask(GET_INFO, body, 12))
        text = ct.receive(control.socket, length)
        assert result == 0 and total == length and b'"family":"2.0"' in text and text[-1] == 0
        result, total, length = struct.unpack(">3I", control.ask(GET_INFO, struct.pack(">QII", 1, 5, 0), 12))
        assert ct.receive(control.socket, length) == text[5:]
        assert control.result(GET_INFO, struct.pack(">QII", 1, 5000, 0)) == BAD_PARAMETER


# ---- bad input ----

def test_a_blob_of_another_version_or_altered_by_a_byte_changes_nothing(path):
    with serve(path) as server:
        control = Control(path)
        data = control.start()
        assert data.startup() == 0
        key = data.transact(ct.create_primary_rsa(hierarchy=ct.RH_OWNER))
        result, blob = control.get_blob(PERMANENT)
        assert result == 0 and blob.startswith(b"cvtpmSTA\0\0\0\x01")
        assert control.get_blob(PERMANENT, 100)[1] == blob[100:]
        assert control.get_blob(PERMANENT, 1 << 30) == (0, b"")
        assert control.get_blob(9) == (NO_BLOB, b"")
        assert control.result(STOP) == 0
        for at in (0, 11, 15, 20, 35, 36, 1000, len(blob) - 1):
            altered = bytearray(blob)
            altered[at] ^= 1
            assert control.set_blob(PERMANENT, bytes(altered)) == BAD_PARAMETER, at
        for bad in (blob[:-1], blob + b"\0", blob[:67], b"x" * 200000, b"\0"):
            assert control.set_blob(PERMANENT, bad) == BAD_PARAMETER
        assert control.set_blob(VOLATILE, blob) == BAD_PARAMETER
        assert control.set_blob(9, blob) == BAD_PARAMETER
        for phrase in ("of another version", "it was altered", "another kind of state", "cut off", "not a state blob"):
            assert phrase in server.stderr, phrase
        assert control.result(INIT, words(0)) == 0
        assert data.startup() == 0
        assert data.transact(ct.create_primary_rsa(hierarchy=ct.RH_OWNER)) == key  # the same seed


def test_a_cut_off_or_unknown_request_is_an_error_and_a_line(path):
    with serve(path) as server:
        control = Control(path)
        for number in (0, 20, 99, 0xFFFFFFFF):
            assert control.result(number) == BAD_ORDINAL
        assert "an unknown command" in server.stderr
        for cut in (words(INIT), words(INIT) + b"\0\0", words(SET_BLOB, 0, 1, 100) + b"abc",
                    words(HASH_DATA, 5) + b"a", b"\0"):
            other = Control(path)
            other.socket.sendall(cut)
            other.socket.shutdown(socket.SHUT_WR)
            assert ct.receive(other.socket, 4) == words(BAD_ORDINAL), cut
            assert other.socket.recv(1) == b""
        assert "cut off" in server.stderr
        for huge in (words(SET_BLOB, 0, 1, 0xFFFFFFFF), words(HASH_DATA, 0x80000000)):
            other = Control(path)
            other.socket.sendall(huge)
            assert ct.receive(other.socket, 4) == words(BAD_ORDINAL)
            assert other.socket.recv(1) == b""
        assert "too long" in server.stderr
        assert control.result(STOP) == 0


def test_a_descriptor_that_is_no_stream_socket_is_refused(path):
    with serve(path):
        control = Control(path)
        reader, writer = os.pipe()
        socket.send_fds(control.socket, [words(SET_DATAFD)], [writer])
        assert ct.receive(control.socket, 4) == words(IO_ERROR)
        os.close(writer)
        assert os.read(reader, 1) == b""  # and it was closed
        os.close(reader)
        data = control.data()
        assert control.result(SET_DATAFD) == IO_ERROR
        ours, theirs = socket.socketpair()
        socket.send_fds(control.socket, [words(SET_DATAFD)], [theirs.fileno()])
        assert ct.receive(control.socket, 4) == words(BAD_ORDINAL)  # there is one
        assert data.code(READ_CLOCK) == ct.RC_FAILURE


@pytest.mark.parametrize("arguments, says", [
    (("--terminate", "--tcp", "127.0.0.1:0"), "need --ctrl"),
    (("--evidence", "--tcp", "127.0.0.1:0"), "need --ctrl"),
    (("--evidence", "--ctrl", "unix:/tmp/x", "--state", "/tmp/x"), "that its manufacture gave it"),
    (("--ctrl", "/tmp/x"), "write unix:PATH or tcp:ADDR:PORT"),
    (("--ctrl", "tcp:0.0.0.0:0"), "not a loopback address"),
])
def test_wrong_usage_is_told(arguments, says):
    result = ct.run("serve", *arguments)
    assert result.returncode == 2 and says in result.stderr


# ---- evidence ----

def test_a_tpm_with_evidence_is_not_exported(path, tmp_path):
    with serve(path, "--evidence", "--lab", "--lab-dir", tmp_path / "lab") as server:
        control = Control(path)
        data = control.start()
        assert data.startup() == 0
        for kind in (PERMANENT, VOLATILE, SAVESTATE):
            assert control.get_blob(kind) == (DISABLED, b"")
        assert control.result(STORE_VOLATILE) == DISABLED
        assert "neither exported nor replaced" in server.stderr
        assert control.result(STOP) == 0
        assert control.set_blob(VOLATILE, b"") == DISABLED


@pytest.mark.skipif(os.path.exists("/dev/sev-guest"), reason="a SEV-SNP guest has evidence")
def test_evidence_that_is_not_to_be_had_is_said_so(path):
    result = ct.run("serve", "--ctrl", f"unix:{path}", "--evidence")
    assert result.returncode == 2 and "there is no evidence to be had" in result.stderr
    assert not path.exists()


def test_without_evidence_said_it_is_made_without(path, tmp_path):
    with serve(path, "--lab", "--lab-dir", tmp_path / "lab") as server:
        assert "carries no TEE evidence" in server.stderr
        control = Control(path)
        assert control.result(INIT, words(0)) == 0
        assert control.get_blob(PERMANENT)[0] == 0


# ---- swtpm's own client ----

def ioctl(path, *arguments):
    return subprocess.run(["swtpm_ioctl", "--unix", str(path), *map(str, arguments)], capture_output=True, text=True,
                          timeout=ct.LIMIT)


def test_swtpm_ioctl_finds_what_it_expects(path, tmp_path):
    with serve(path, "--unix", tmp_path / "data.sock") as server:
        data = server.unix(tmp_path / "data.sock")

        def said(*arguments):
            result = ioctl(path, *arguments)
            assert result.returncode == 0, (arguments, result.stdout, result.stderr)
            return result.stdout

        assert "0x17fff" in said("-c")
        assert "4096" in said("-b", "0")
        assert "3968" in said("-b", "3968")
        said("-i")
        assert "0x0" in said("-g")
        assert "is 0" in said("-e")
        said("-h", "some data to hash")
        assert '"TPMSpecification"' in said("--info", "1")
        assert data.startup() == 0
        assert data.pcr_read(0) != bytes(32)
        said("-l", "2")
        said("-r", "3")
        said("-C")
        key = data.transact(ct.create_primary_rsa())
        handle = struct.unpack(">I", key[10:14])[0]
        public, pcr = data.transact(read_public(handle)), data.pcr_read(0)
        for kind in ("permanent", "volatile"):
            said("--save", kind, tmp_path / kind)
        said("-v")
        said("--stop")
        for kind in ("permanent", "volatile"):
            said("--load", kind, tmp_path / kind)
        said("-i")
        assert data.transact(read_public(handle)) == public and data.pcr_read(0) == pcr
        (tmp_path / "permanent").write_bytes((tmp_path / "permanent").read_bytes()[:-1] + b"\0")
        said("--stop")
        assert ioctl(path, "--load", "permanent", tmp_path / "permanent").returncode != 0
        said("-s")
        assert server.wait() == 0
