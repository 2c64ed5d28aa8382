"""Bad input on the control channel of `swtpm socket`: an error there, a line in the log, no crash, no state lost."""
import random
import socket
import struct

import pytest

import cvtpm_test as ct
import swtpm_test as st

KEY, OTHER_KEY = "11" * 32, "22" * 32


class Tpm:
    """A TPM of ours that runs, with something in it that must not be lost."""

    def __init__(self, ours, tmp_path, *options):
        self.family, self.folder, self.options = ours, tmp_path, options
        self.log = tmp_path / "log"
        self.start()
        self.key = self.primary()
        assert self.data.code(ct.command(0x12A, self.define_body(), tag=0x8002)) == 0  # NV_DefineSpace

    @staticmethod
    def define_body():
        public = struct.pack(">IHIHH", 0x01500001, 0x000B, 0x02040004, 0, 8)
        return (st.words(ct.RH_OWNER) + ct.password_session() + b"\0\0" + struct.pack(">H", len(public)) + public)

    def start(self):
        self.server = st.Running(self.family, "--tpm2", "--tpmstate", f"dir={self.folder}", "--ctrl",
                                 f"type=unixio,path={self.folder}/ctrl", "--log", f"file={self.log}", *self.options)
        self.machine = st.Machine(self.connect()).play("begin", "init")
        self.control, self.data = self.machine.control, self.machine.data
        assert self.data.startup() == 0

    def connect(self):
        return st.Control(st.connect(self.folder / "ctrl", self.server))

    def primary(self):
        response = self.data.transact(ct.create_primary_rsa(hierarchy=ct.RH_OWNER))
        assert ct.response_code(response) == 0
        assert self.data.code(ct.flush_context(struct.unpack(">I", response[10:14])[0])) == 0
        return response[14:]

    def all_there(self):
        """After a power cycle of the TPM, and after one of its process."""
        self.machine.play("reset")
        assert self.data.startup() == 0
        self.same()
        self.machine.play("end")
        assert self.server.wait() == 0
        self.start()
        self.same()

    def same(self):
        assert self.primary() == self.key
        assert self.data.code(ct.command(0x169, st.words(0x01500001))) == 0  # NV_ReadPublic

    def said(self, phrase):
        return phrase in self.log.read_text()


@pytest.fixture
def tpm(ours, tmp_path):
    tpm = Tpm(ours, tmp_path)
    with tpm.server:
        yield tpm
    tpm.server.__exit__(None, None, None)


@pytest.fixture
def key_file(tmp_path):
    def make(name, digits):
        path = tmp_path / name
        path.write_text(digits)
        path.chmod(0o600)
        return path
    return make


def whole(number, *body):
    return st.words(number, *body)


REQUESTS = [whole(st.GET_CAPABILITY), whole(st.INIT, 0), whole(st.GET_ESTABLISHED), whole(st.SET_LOCALITY) + b"\0",
            whole(st.HASH_DATA, 4) + b"abcd", whole(st.RESET_ESTABLISHED) + b"\3", whole(st.GET_BLOB, 1, 1, 0),
            whole(st.SET_BLOB, 0, 1, 4) + b"abcd", whole(st.SET_BUFFERSIZE, 0), whole(st.GET_INFO, 0, 1, 0, 0),
            whole(st.LOCK_STORAGE, 1)]


def test_a_request_cut_off_at_any_byte(tpm):
    for request in REQUESTS:
        for length in range(1, len(request)):
            control = tpm.connect()
            control.socket.sendall(request[:length])
            control.socket.shutdown(socket.SHUT_WR)
            assert ct.receive(control.socket, 4) == st.words(st.BAD_ORDINAL), (request, length)
            assert control.socket.recv(64) == b""
    assert tpm.said("a request that is cut off on the control channel")
    tpm.all_there()


def test_a_request_that_comes_byte_by_byte_is_whole(tpm):
    for request in (whole(st.GET_CAPABILITY), whole(st.SET_BUFFERSIZE, 0)):
        for i in range(len(request)):
            tpm.control.socket.sendall(request[i:i + 1])
        assert ct.receive(tpm.control.socket, 4) == st.words(0)
        ct.receive(tpm.control.socket, len(request) // 4 * 8 - 4 if len(request) == 8 else 4)


def test_numbers_that_are_no_command(tpm):
    for number in [0, 20, 21, 255, 0x8001, 0x80000001, 0xFFFFFFFF]:
        assert tpm.control.result(number, b"\xff" * 9) == st.BAD_ORDINAL
    assert tpm.said("an unknown command on the control channel")
    tpm.all_there()


def test_a_stream_of_rubbish(tpm):
    rng = random.Random(7)
    for _ in range(200):
        control = tpm.connect()
        # No command that does what it says: those are 1 to 19.
        control.socket.sendall(bytes([rng.randrange(1, 256)]) + rng.randbytes(rng.randrange(3, 3000)))
        control.socket.shutdown(socket.SHUT_WR)
        while True:
            answer = control.socket.recv(4096)
            if not answer:
                break
            assert answer == st.words(st.BAD_ORDINAL)
    tpm.all_there()


def blobs(tpm):
    tpm.machine.play("save")
    return tpm.machine.blobs["1"], tpm.machine.blobs["2"]


def positions(blob):
    """All of what is around the state, and a sample of it."""
    rng = random.Random(3)
    edge = 120
    return sorted(set(range(edge)) | set(range(len(blob) - edge, len(blob))) |
                  {rng.randrange(len(blob)) for _ in range(400)})


def refuse_all(tpm, kind, variants):
    assert tpm.control.result(st.STOP) == 0
    for what, bad in variants:
        assert tpm.control.set_blob(kind, bad) == st.BAD_PARAMETER, what
    assert tpm.control.result(st.INIT, st.words(0)) == 0
    assert tpm.data.startup() == 0
    tpm.same()


@pytest.mark.parametrize("sealed", [False, True], ids=["clear", "migration-key"])
def test_a_state_altered_in_any_byte(ours, tmp_path, key_file, sealed):
    options = ("--migration-key", f"file={key_file('key', KEY)},mode=aes-256-cbc") if sealed else ()
    tpm = Tpm(ours, tmp_path, *options)
    with tpm.server:
        for kind, blob in zip((st.PERMANENT, st.VOLATILE), blobs(tpm)):
            def altered(at):
                bad = bytearray(blob)
                bad[at] ^= 1 << at % 8
                return bytes(bad)
            refuse_all(tpm, kind, [(at, altered(at)) for at in positions(blob)])
        assert tpm.said("it was altered") and tpm.said("of another version")
        tpm.all_there()
    tpm.server.__exit__(None, None, None)


def test_a_state_of_another_kind_length_or_version(tpm):
    permanent, volatile = blobs(tpm)
    newer = bytearray(permanent)
    newer[11] = 9
    refuse_all(tpm, st.PERMANENT, [("version", bytes(newer)), ("kind", volatile), ("short", permanent[:-1]),
                                   ("long", permanent + b"\0"), ("half", permanent[:len(permanent) // 2]),
                                   ("nothing but a head", permanent[:36]), ("zeros", bytes(5000))])
    refuse_all(tpm, st.VOLATILE, [("kind", permanent)])
    assert tpm.said("of another version of cvtpm") and tpm.said("it is another kind of state")
    tpm.all_there()


def test_a_state_of_swtpms(tpm, tmp_path):
    """Its permanent state in the clear, as QEMU would hand it over, is not ours."""
    real = st.Family("swtpm")
    if "swtpm" not in st.families():
        pytest.skip("swtpm is not installed")
    folder = tmp_path / "real"
    folder.mkdir()
    with st.Running(real, "--tpm2", "--tpmstate", f"dir={folder}", "--ctrl",
                    f"type=unixio,path={folder}/ctrl") as server:
        m = st.Machine(st.Control(st.connect(folder / "ctrl", server))).play("begin", "init")
        assert m.data.startup() == 0
        blob = m.control.get_blob(st.PERMANENT)[2]
    refuse_all(tpm, st.PERMANENT, [("swtpm's", blob)])
    assert tpm.said("it is not a state blob of cvtpm")


def test_another_migration_key_and_none(ours, tmp_path, key_file):
    states = {}
    for name, digits in (("a", KEY), ("b", OTHER_KEY), ("clear", None)):
        folder = tmp_path / name
        folder.mkdir()
        options = ("--migration-key", f"file={key_file(name + '.key', digits)},mode=aes-256-cbc") if digits else ()
        states[name] = Tpm(ours, folder, *options)
    taken = {name: blobs(tpm)[0] for name, tpm in states.items()}
    for name, phrases in (("a", ("the migration key is another one", "it is not encrypted")),
                          ("b", ("the migration key is another one", "it is not encrypted")),
                          ("clear", ("there is no migration key",))):
        tpm = states[name]
        refuse_all(tpm, st.PERMANENT, [(other, blob) for other, blob in taken.items() if other != name])
        assert all(tpm.said(phrase) for phrase in phrases)
        assert tpm.control.result(st.STOP) == 0
        assert tpm.control.set_blob(st.PERMANENT, taken[name]) == 0  # its own
    for tpm in states.values():
        tpm.server.__exit__(None, None, None)


def test_the_same_state_is_never_encrypted_the_same(ours, tmp_path, key_file):
    tpm = Tpm(ours, tmp_path, "--migration-key", f"file={key_file('key', KEY)},mode=aes-256-cbc")
    with tpm.server:
        first, second = (tpm.control.get_blob(st.PERMANENT)[2] for _ in range(2))
        assert len(first) == len(second)
        same = sum(a == b for a, b in zip(first[36:], second[36:]))
        assert same < len(first) // 32


def test_a_disturbed_transfer_changes_nothing(tpm):
    permanent, _ = blobs(tpm)
    assert tpm.control.result(st.STOP) == 0
    for length in (16, 17, 100, len(permanent) - 1):
        control = tpm.connect()
        control.socket.sendall((st.words(st.SET_BLOB, 0, 1, len(permanent)) + permanent)[:length])
        control.close()
    assert tpm.control.result(st.INIT, st.words(0)) == 0
    assert tpm.data.startup() == 0
    tpm.all_there()
