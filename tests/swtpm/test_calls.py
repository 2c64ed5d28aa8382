"""Every call that libvirt was seen to make of swtpm's programs, and those of swtpm_setup's, replayed with their
descriptors. What libvirt reads from an answer is looked for in ours."""
import json
import os
import socket
import stat
import struct

import pytest

import cvtpm_test as ct
import swtpm_test as st

PASSPHRASE = b"a passphrase of libvirt's secret"


class Domain:
    """A domain's places, as libvirt makes them."""

    def __init__(self, family, tmp_path):
        self.family = family
        self.state = tmp_path / "lib" / st.UUID / "tpm2"
        self.state.mkdir(parents=True, mode=0o700)
        self.log = tmp_path / "vt1-swtpm.log"
        self.run_path = tmp_path / "1-vt1-swtpm"
        self.socket = tmp_path / "1-vt1-swtpm.sock"

    def argv(self, name):
        words = []
        for word in st.calls()[name]:
            if word in ("S", "L", "R.sock"):
                word = {"S": self.state, "L": self.log, "R.sock": self.socket}[word]
            word = str(word).replace("vt1:U", "vt1:" + st.UUID)
            for key, value in (("path=R", f"path={self.run_path}"), ("dir=S", f"dir={self.state}"),
                               ("file=L", f"file={self.log}"), ("dir://S", f"dir://{self.state}"),
                               ("file=R", f"file={self.run_path}")):
                word = word.replace(key, value)
            words.append(word)
        return [self.family.path(words[0])] + words[1:]

    def call(self, name, passphrase=None):
        """Runs one to its end, with a passphrase on 31."""
        argv = self.argv(name)
        with descriptors({31: pipe(passphrase)} if passphrase else {}) as fds:
            return self.family.run(os.path.basename(argv[0]), *argv[1:], pass_fds=fds)

    def start(self, name="start", passphrases=(), more=None):
        wanted = {fd: pipe(text) for fd, text in zip((31, 33), passphrases)}
        wanted.update(more or {})
        with descriptors(wanted) as fds:
            return st.Running(self.family, argv=self.argv(name), pass_fds=fds)

    def control(self, server):
        return st.Control(st.connect(self.socket, server))


def pipe(text):
    reader, writer = os.pipe()
    os.write(writer, text)
    os.close(writer)
    return reader


class descriptors:
    """Puts descriptors at the numbers that a call names, for as long as it takes to start it."""

    def __init__(self, wanted):
        self.wanted = wanted

    def __enter__(self):
        self.saved = {}
        for number, fd in self.wanted.items():
            try:
                self.saved[number] = os.dup2(number, 200 + number)
            except OSError:
                pass
            if fd != number:
                os.dup2(fd, number)
                os.close(fd)
        return tuple(self.wanted)

    def __exit__(self, *_):
        for number in self.wanted:
            os.close(number)
            if number in self.saved:
                os.dup2(self.saved[number], number)
                os.close(self.saved[number])


@pytest.fixture
def domain(family, tmp_path):
    return Domain(family, tmp_path)


@pytest.fixture
def our_domain(ours, tmp_path):
    return Domain(ours, tmp_path)


# ---- what libvirt asks before it allows a TPM ----

def test_the_capabilities_that_libvirt_looks_for_are_there(domain):
    result = domain.call("capabilities-setup")
    answer = json.loads(result.stdout)
    assert result.returncode == 0 and answer["type"] == "swtpm_setup"
    for feature in ("tpm-2.0", "cmdarg-pwdfile-fd", "cmdarg-create-config-files", "cmdarg-reconfigure-pcr-banks"):
        assert feature in answer["features"], feature
    result = domain.call("capabilities-swtpm")
    answer = json.loads(result.stdout)
    assert result.returncode == 0 and answer["type"] == "swtpm"
    assert "cmdarg-pwd-fd" in answer["features"]


def test_we_promise_only_what_we_do(our_domain):
    features = json.loads(our_domain.call("capabilities-swtpm").stdout)["features"]
    assert "tpm-1.2" not in features and "nvram-backend-file" not in features and "cmdarg-migration" not in features
    assert "tpm-1.2" not in json.loads(our_domain.call("capabilities-setup").stdout)["features"]


@pytest.mark.parametrize("engine", ["libtpms", "native"])
def test_the_rsa_keys_that_are_promised_are_those_of_the_engine(ours, tmp_path, engine):
    said = ours.run("swtpm", "socket", "--tpm2", "--engine", engine, "--print-capabilities")
    promised = {int(f[12:]) for f in json.loads(said.stdout)["features"] if f.startswith("rsa-keysize-")}
    with st.Running(ours, "--tpm2", "--engine", engine, "--tpmstate", f"dir={tmp_path}", "--ctrl",
                    f"type=unixio,path={tmp_path}/ctrl", "--flags", "startup-clear") as server:
        data = st.Control(st.connect(tmp_path / "ctrl", server)).data()
        test_parms = {bits: struct.pack(">HHHHI", 1, 0x10, 0x10, bits, 0) for bits in (512, 1024, 2048, 3072, 4096)}
        assert promised == {bits for bits, parms in test_parms.items() if data.code(ct.command(0x18A, parms)) == 0}


def test_configuration_files_are_not_needed(our_domain, tmp_path):
    argv = our_domain.argv("config-files")
    result = our_domain.family.run("swtpm_setup", *argv[1:], env={"HOME": str(tmp_path), "XDG_CONFIG_HOME": ""})
    assert result.returncode == 0
    assert not list(tmp_path.glob(".config/*"))


# ---- the first start, and all others ----

def test_a_domain_is_made_started_reset_and_started_again(domain):
    for _ in range(2):  # --not-overwrite: the second time it does nothing
        result = domain.call("setup")
        assert result.returncode == 0, result.stderr
    assert domain.log.read_text()
    keys = []
    for _ in range(2):
        with domain.start() as server:
            control = domain.control(server)
            assert stat.S_IMODE(os.stat(domain.socket).st_mode) == 0o600
            m = st.Machine(control).play("begin", "init")
            assert m.data.startup() == 0
            keys.append(m.data.transact(ct.command(0x173, st.words(0x81010001)))[10:])  # the EK
            m.play("reset", "end")
            m.data.close()
            assert server.wait() == 0
        assert not domain.socket.exists()
    assert keys[0] == keys[1] and len(keys[0]) > 256


def banks(data):
    response = data.transact(ct.command(0x17A, st.words(5, 0, 1)))
    at, active = 19, set()
    for _ in range(int.from_bytes(response[15:19], "big")):
        size = response[at + 2]
        if any(response[at + 3:at + 3 + size]):
            active.add(int.from_bytes(response[at:at + 2], "big"))
        at += 3 + size
    return active


@pytest.mark.parametrize("encrypted", [False, True], ids=["clear", "encrypted"])
def test_the_banks_are_set_anew_at_every_start(domain, encrypted):
    suffix, passphrase = ("-encrypted", PASSPHRASE) if encrypted else ("", None)
    passphrases = (PASSPHRASE, PASSPHRASE) if encrypted else ()
    assert domain.call("setup" + suffix, passphrase).returncode == 0
    for _ in range(2):
        result = domain.call("reconfigure" + suffix, passphrase)
        assert result.returncode == 0, result.stderr
        with domain.start("start" + suffix, passphrases) as server:
            m = st.Machine(domain.control(server)).play("begin", "init")
            assert m.data.startup() == 0
            assert banks(m.data) == {0x0B, 0x0C}
            m.play("end")
            m.data.close()
            assert server.wait() == 0


def test_a_domain_with_a_secret(domain):
    assert domain.call("setup-encrypted", PASSPHRASE).returncode == 0
    with domain.start("start-encrypted", (PASSPHRASE, PASSPHRASE)) as server:
        m = st.Machine(domain.control(server)).play("begin", "init")
        assert m.data.startup() == 0
        assert m.control.ask(st.GET_CONFIG, answer=8) == st.words(0, 3)  # both keys are in use
        m.data.pcr_extend(7, b"\x11" * 32)
        pcr = m.data.pcr_read(7)
        result, flags, blob = m.control.get_blob(st.PERMANENT)
        assert result == 0 and len(blob) > 1000
        if domain.family.ours:
            assert flags == 2 and blob.startswith(b"cvtpmSTA\0\0\0\x02")  # encrypted
        m.play("save", "end")
        assert server.wait() == 0
    with domain.start("start-encrypted", (PASSPHRASE, PASSPHRASE)) as server:
        n = st.Machine(domain.control(server))
        n.blobs = m.blobs
        n.play("begin", "restore")
        assert n.data.pcr_read(7) == pcr


def test_the_wrong_passphrase_opens_nothing_and_loses_nothing(our_domain):
    domain = our_domain
    assert domain.call("setup-encrypted", PASSPHRASE).returncode == 0
    for wrong in ((b"another one", PASSPHRASE), ()):
        name = "start-encrypted" if wrong else "start"
        with domain.start(name, wrong) as server:
            assert server.wait() == 2
            assert "sealed" in server.stderr
        assert "sealed" in domain.log.read_text()
    result = domain.call("reconfigure-encrypted", b"another one")
    assert result.returncode == 2 and "sealed" in result.stderr
    with domain.start("start-encrypted", (PASSPHRASE, b"whatever")) as server:
        m = st.Machine(domain.control(server)).play("begin", "init")
        assert m.data.startup() == 0
        assert m.data.code(ct.command(0x173, st.words(0x81010001))) == 0


def test_the_socket_is_there_before_what_takes_time(our_domain, tmp_path):
    """libvirt waits one second for it, however busy the machine: so it is there before a passphrase is read."""
    domain = our_domain
    assert domain.call("setup-encrypted", PASSPHRASE).returncode == 0
    reader, writer = os.pipe()
    more = {31: reader, 33: pipe(PASSPHRASE)}
    with domain.start("start-encrypted", more=more) as server:
        control = domain.control(server)  # and nobody has written the passphrase
        os.write(writer, PASSPHRASE)
        os.close(writer)
        m = st.Machine(control).play("begin", "init")
        assert m.data.startup() == 0


# ---- destroy ----

def test_destroy_of_a_domain_whose_tpm_was_killed(domain):
    assert domain.call("setup").returncode == 0
    with domain.start() as server:
        m = st.Machine(domain.control(server)).play("begin", "init")
        assert m.data.startup() == 0
        server.kill()
    assert domain.socket.exists()  # nobody removed it
    result = domain.call("destroy")
    assert result.returncode != 0
    assert "onnect" in result.stderr
    with domain.start() as server:  # and the next start takes the place
        m = st.Machine(domain.control(server)).play("begin", "init")
        assert m.data.startup() == 0
        if not domain.family.ours:  # it serves one control connection at a time
            m.control.close()
        result = domain.call("destroy")
        assert result.returncode == 0
        assert server.wait() == 0


def test_destroy_does_not_wait_for_a_tpm_that_hangs(our_domain):
    with socket.socket(socket.AF_UNIX) as listener:  # takes the request, and never answers
        listener.bind(str(our_domain.socket))
        listener.listen()
        result = our_domain.call("destroy")
        assert result.returncode == 2 and "does not answer" in result.stderr


# ---- swtpm_setup's own calls ----

def test_the_calls_of_another_swtpm_setup(domain):
    for name in ("setup-capabilities", "setup-capabilities-2"):
        result = domain.call(name)
        assert result.returncode == 0 and "tpm-2.0" in json.loads(result.stdout)["features"]
    result = domain.call("setup-states")
    assert json.loads(result.stdout) == {"type": "swtpm", "states": []}

    control, theirs_control = socket.socketpair()
    data, theirs_data = socket.socketpair()
    for s in (control, data):
        s.settimeout(ct.LIMIT)
    with domain.start("setup-serve", more={5: os.dup(theirs_control.fileno()),
                                           7: os.dup(theirs_data.fileno())}) as server:
        theirs_control.close()
        theirs_data.close()
        tpm = ct.Raw(data)
        assert tpm.get_random(8)  # started, without INIT
        pid_file = domain.run_path.with_name(domain.run_path.name + ".pid")
        ct.wait_until(lambda: pid_file.exists() and pid_file.read_text(), "the pid")
        assert int(pid_file.read_text()) == server.process.pid
        assert st.Control(control).result(st.SHUTDOWN) == 0
        assert server.wait() == 0
    assert not pid_file.exists()
    states = json.loads(domain.call("setup-states").stdout)["states"]
    assert [s["name"] for s in states] == ["permall"] and states[0]["size"] > 1000
