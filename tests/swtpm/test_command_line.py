"""The command lines of `swtpm socket`, `swtpm chardev` and `swtpm_setup`: what each option does."""
import json
import os
import pathlib
import pty
import signal
import socket
import stat
import subprocess
import tty

import pytest

import cvtpm_test as ct
import swtpm_test as st


def options(folder, *more, ctrl=True):
    return ["--tpm2", "--tpmstate", f"dir={folder}",
            *(["--ctrl", f"type=unixio,path={folder}/ctrl"] if ctrl else []), *more]


def secret(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o600)
    return path


# ---- where commands come from ----

def test_a_unix_socket_keeps_its_connection(family, tmp_path):
    with st.Running(family, *options(tmp_path, "--server", f"type=unixio,path={tmp_path}/data", "--flags",
                                     "startup-clear")) as server:
        data = ct.Raw(st.connect(tmp_path / "data", server))
        assert data.get_random(4) and data.get_random(4)


@pytest.mark.parametrize("form", ["port", "disconnect"])
def test_one_command_for_each_connection(family, tmp_path, form):
    port = st.free_port()
    where = ["-p", str(port)] if form == "port" else ["--server", f"type=tcp,port={port},disconnect"]
    with st.Running(family, *options(tmp_path, *where, "--flags", "startup-clear", ctrl=False)) as server:
        for _ in range(2):
            data = ct.Raw(st.connect(port, server))
            assert data.get_random(4)
            assert data.at_end()


def test_the_port_of_the_environment(ours, tmp_path):
    port = st.free_port()
    with st.Running(ours, "--tpm2", "--flags", "startup-clear", env={"TPM_PATH": str(tmp_path),
                                                                     "TPM_PORT": str(port)}) as server:
        assert ct.Raw(st.connect(port, server)).get_random(4)


def test_tpm2_tools(family, tmp_path):
    port = st.free_port()  # the control channel's is the next one, by convention
    with st.Running(family, "--tpm2", "--tpmstate", f"dir={tmp_path}", "--server", f"type=tcp,port={port}", "--ctrl",
                    f"type=tcp,port={port + 1}", "--flags", "not-need-init,startup-clear") as server:
        st.connect(port + 1, server).close()
        assert len(ct.tpm2("getrandom", "--hex", "8", tcti=f"swtpm:host=127.0.0.1,port={port}").stdout) == 16


@pytest.mark.parametrize("option", [["--fd", "{}"], ["--server", "type=tcp,fd={}"]], ids=["fd", "server"])
def test_a_descriptor_ends_with_its_connection(family, tmp_path, option):
    mine, theirs = socket.socketpair()
    mine.settimeout(ct.LIMIT)
    with theirs:
        where = [word.format(theirs.fileno()) for word in option]
        server = st.Running(family, *options(tmp_path, *where, "--flags", "startup-clear", ctrl=False),
                            pass_fds=[theirs.fileno()])
    with server:
        data = ct.Raw(mine)
        assert data.get_random(4)
        data.close()
        assert server.wait() == 0


def test_listening_descriptors(family, tmp_path):
    listeners = []
    for name in ("data", "ctrl"):
        listeners.append(socket.socket(socket.AF_UNIX))
        listeners[-1].bind(str(tmp_path / name))
        listeners[-1].listen()
    data_fd, ctrl_fd = (s.fileno() for s in listeners)
    with st.Running(family, *options(tmp_path, "--server", f"type=unixio,fd={data_fd}", "--ctrl",
                                     f"type=unixio,fd={ctrl_fd}", ctrl=False), pass_fds=[data_fd, ctrl_fd]) as server:
        for s in listeners:
            s.close()
        control = st.Control(st.connect(tmp_path / "ctrl", server))
        data = ct.Raw(st.connect(tmp_path / "data", server))
        assert data.code(st.READ_CLOCK) == ct.RC_FAILURE
        assert control.result(st.INIT, st.words(0)) == 0
        assert data.startup() == 0


@pytest.mark.parametrize("by", ["path", "fd"])
def test_a_character_device(family, tmp_path, by):
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    where = ["--chardev", os.ttyname(theirs)] if by == "path" else ["--fd", str(theirs)]
    with st.Running(family, *options(tmp_path, *where, "--flags", "startup-clear", ctrl=False), interface="chardev",
                    pass_fds=[theirs]) as server:
        for count in (4, 8):
            os.write(ours, ct.get_random(count))
            answer = b""
            while len(answer) < 12 + count:
                answer += os.read(ours, 100)
            assert ct.response_code(answer) == 0
        if family.ours:
            os.close(theirs)
            os.close(ours)
            assert server.wait() == 0


# ---- how it begins and ends ----

def test_it_waits_for_init(family, tmp_path):
    with st.Running(family, *options(tmp_path)) as server:
        control = st.Control(st.connect(tmp_path / "ctrl", server))
        data = control.data()
        assert data.code(ct.get_random(4)) == ct.RC_FAILURE
        assert control.result(st.INIT, st.words(0)) == 0
        assert data.code(ct.get_random(4)) == ct.RC_INITIALIZE


@pytest.mark.parametrize("flags, code", [("not-need-init", ct.RC_INITIALIZE), ("startup-none", ct.RC_FAILURE),
                                         ("not-need-init,startup-clear", 0), ("startup-clear", 0)])
def test_flags(family, tmp_path, flags, code):
    with st.Running(family, *options(tmp_path, "--flags", flags)) as server:
        data = st.Control(st.connect(tmp_path / "ctrl", server)).data()
        assert data.code(ct.get_random(4)) == code


def test_startup_state_resumes(family, tmp_path):
    with st.Running(family, *options(tmp_path, "--flags", "startup-clear")) as server:
        control = st.Control(st.connect(tmp_path / "ctrl", server))
        data = control.data()
        data.pcr_extend(7, b"\x11" * 32)
        pcr = data.pcr_read(7)
        assert data.code(ct.shutdown(state=True)) == 0
        assert control.result(st.SHUTDOWN) == 0
        assert server.wait() == 0
    with st.Running(family, *options(tmp_path, "--flags", "startup-state")) as server:
        data = st.Control(st.connect(tmp_path / "ctrl", server)).data()
        assert data.pcr_read(7) == pcr


@pytest.mark.parametrize("disable", [False, True], ids=["shutdown", "none"])
def test_power_is_taken_in_order_unless_told_otherwise(ours, tmp_path, disable):
    flags = ["--flags", "disable-auto-shutdown"] if disable else []
    with st.Running(ours, *options(tmp_path, *flags)) as server:
        m = st.Machine(st.Control(st.connect(tmp_path / "ctrl", server))).play("begin", "init")
        assert m.data.startup() == 0
        before = reset_counts(m.data)
        m.play("reset")
        assert m.data.startup() == 0
        after = reset_counts(m.data)
        assert after[0] == before[0] + 1  # resetCount
        assert after[2] == (0 if disable else 1)  # clock's safe


def reset_counts(data):
    response = data.transact(st.READ_CLOCK)
    assert ct.response_code(response) == 0
    return int.from_bytes(response[26:30], "big"), int.from_bytes(response[30:34], "big"), response[34]


def test_terminate_ends_with_the_data_connection(family, tmp_path):
    with st.Running(family, *options(tmp_path, "--server", f"type=unixio,path={tmp_path}/data", "-t")) as server:
        st.connect(tmp_path / "ctrl", server).close()
        assert server.alive()
        st.connect(tmp_path / "data", server).close()
        assert server.wait() == 0


def test_ctrl_terminate_ends_with_the_control_connection(ours, tmp_path):
    with st.Running(ours, *options(tmp_path, "--ctrl", f"type=unixio,path={tmp_path}/ctrl,terminate",
                                   ctrl=False)) as server:
        control = st.Control(st.connect(tmp_path / "ctrl", server))
        assert control.result(st.INIT, st.words(0)) == 0
        control.close()
        assert server.wait() == 0


def test_a_signal_ends_it(family, tmp_path):
    with st.Running(family, *options(tmp_path)) as server:
        st.connect(tmp_path / "ctrl", server).close()
        assert server.stop() == 0


def test_the_background(family, tmp_path):
    log, pid = tmp_path / "log", tmp_path / "pid"
    result = family.run("swtpm", "socket", *options(tmp_path), "--daemon", "--pid", f"file={pid}", "--log",
                        f"file={log}")
    assert result.returncode == 0, result.stderr
    ct.wait_until(lambda: pid.exists() and pid.read_text(), "the pid")
    number = int(pid.read_text())
    assert os.path.realpath(f"/proc/{number}/exe") == os.path.realpath(family.path("swtpm"))
    assert os.getsid(number) != os.getsid(0)  # a signal of the terminal is not for it
    control = st.Control(st.connect(tmp_path / "ctrl"))
    assert control.result(st.INIT, st.words(0)) == 0
    assert control.result(st.SHUTDOWN) == 0
    ct.wait_until(lambda: not pid.exists(), "the end")
    assert not (tmp_path / "ctrl").exists()


def test_what_goes_wrong_in_the_background_is_told_in_front(ours, tmp_path):
    secret(tmp_path / "key", "11" * 32)
    ours.setup(tmp_path, "--keyfile", tmp_path / "key", "--cipher", "aes-256-cbc")
    result = ours.run("swtpm", "socket", *options(tmp_path), "--daemon", "--log", f"file={tmp_path}/log")
    assert result.returncode == 2 and "is sealed" in result.stderr
    assert "is sealed" in (tmp_path / "log").read_text()


def test_pid_by_descriptor(family, tmp_path):
    fd = os.open(tmp_path / "pid", os.O_RDWR | os.O_CREAT)
    with st.Running(family, *options(tmp_path, "--pid", f"fd={fd}"), pass_fds=[fd]) as server:
        ct.wait_until(lambda: (tmp_path / "pid").read_text(), "the pid")
        assert int((tmp_path / "pid").read_text()) == server.process.pid
    os.close(fd)


@pytest.mark.parametrize("daemon", [[], ["--daemon"]], ids=["front", "background"])
def test_a_pid_file_that_cannot_be_written_is_a_fault(ours, tmp_path, daemon):
    result = ours.run("swtpm", "socket", *options(tmp_path, "--pid", "file=/nonexistent/pid", *daemon))
    assert result.returncode == 2 and "cannot write /nonexistent/pid" in result.stderr
    assert not (tmp_path / "ctrl").exists()


def test_a_pid_file_is_no_way_to_another_file(ours, tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "pid").symlink_to("precious")
    result = ours.run("swtpm", "socket", *options(tmp_path, "--pid", f"file={tmp_path}/pid"))
    assert result.returncode == 2 and f"cannot write {tmp_path}/pid" in result.stderr
    assert (tmp_path / "precious").read_text() == "precious"


# ---- the log ----

def test_the_log(ours, tmp_path):
    log = tmp_path / "log"
    log.write_text("old\n")
    with st.Running(ours, *options(tmp_path, "--log", f"file={log},prefix=vm7: ")) as server:
        control = st.Control(st.connect(tmp_path / "ctrl", server))
        assert control.result(99) == st.BAD_ORDINAL
    lines = log.read_text().splitlines()
    assert lines[0] == "old"
    assert all(line.startswith("vm7: swtpm socket: ") for line in lines[1:]), lines
    assert any("unknown command" in line for line in lines)
    with st.Running(ours, *options(tmp_path, "--log", f"file={log},level=0,truncate")) as server:
        control = st.Control(st.connect(tmp_path / "ctrl", server))
        assert control.result(98) == st.BAD_ORDINAL
    lines = [line for line in log.read_text().splitlines() if "memory" not in line]
    assert len(lines) == 1 and "command 98" in lines[0], lines  # errors and warnings only


def test_the_log_by_descriptor_and_none(ours, tmp_path):
    fd = os.open(tmp_path / "log", os.O_RDWR | os.O_CREAT)
    with st.Running(ours, *options(tmp_path, "--log", f"fd={fd}"), pass_fds=[fd]) as server:
        assert st.Control(st.connect(tmp_path / "ctrl", server)).result(st.INIT, st.words(0)) == 0
    os.close(fd)
    assert "ready" in (tmp_path / "log").read_text()
    with st.Running(ours, *options(tmp_path, "--log", "file=-")) as server:
        st.connect(tmp_path / "ctrl", server).close()
    assert not (tmp_path / "-").exists()


# ---- sockets' modes, localities, seccomp ----

def test_the_mode_of_a_socket(family, tmp_path):
    with st.Running(family, *options(tmp_path, "--ctrl", f"type=unixio,path={tmp_path}/ctrl,mode=0660,uid={os.getuid()},"
                                                         f"gid={os.getgid()}", ctrl=False)) as server:
        st.connect(tmp_path / "ctrl", server).close()
        assert stat.S_IMODE((tmp_path / "ctrl").stat().st_mode) == 0o660


def test_without_a_mode_a_socket_is_its_owners_alone(ours, tmp_path):
    with st.Running(ours, *options(tmp_path, "--server", f"type=unixio,path={tmp_path}/data")) as server:
        st.connect(tmp_path / "ctrl", server).close()
        for name in ("ctrl", "data"):
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_locality_4_may_be_refused(family, tmp_path):
    with st.Running(family, *options(tmp_path, "--locality", "reject-locality-4")) as server:
        control = st.Control(st.connect(tmp_path / "ctrl", server))
        assert control.result(st.SET_LOCALITY, b"\4") == st.BAD_LOCALITY
        assert control.result(st.SET_LOCALITY, b"\3") == 0


@pytest.mark.parametrize("allowed", [False, True], ids=["not", "allowed"])
def test_the_command_that_sets_the_locality(family, tmp_path, allowed):
    more = ["--locality", "allow-set-locality"] if allowed else []
    with st.Running(family, *options(tmp_path, *more, "--flags", "startup-clear")) as server:
        data = st.Control(st.connect(tmp_path / "ctrl", server)).data()
        code = data.code(bytes.fromhex("80010000000b2000100002"))
        assert (code == 0) is allowed
        assert (data.code(ct.pcr_extend(17, bytes(32))) == 0) is allowed


# The leak checker of sanitized builds looks at its process as a debugger does.
NO_LEAK_CHECK = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}


@pytest.mark.parametrize("action, mode", [("none", "0"), ("log", "2"), ("kill", "2")])
def test_system_calls_are_filtered_where_it_is_asked_for(ours, tmp_path, action, mode):
    with st.Running(ours, *options(tmp_path, "--seccomp", f"action={action}", "--pid", f"file={tmp_path}/pid"),
                    env=NO_LEAK_CHECK) as server:
        m = st.Machine(st.Control(st.connect(tmp_path / "ctrl", server))).play("begin", "init")
        assert m.data.startup() == 0
        tasks = list(pathlib.Path(f"/proc/{server.process.pid}/task").iterdir())
        assert len(tasks) >= 2
        for task in tasks:
            assert f"\nSeccomp:\t{mode}\n" in (task / "status").read_text()
        assert ct.response_code(m.data.transact(ct.create_primary_rsa(3072))) == 0
        m.play("save", "reset")
        assert m.data.startup() == 0
        m.play("end")
        assert server.wait() == 0
    assert not (tmp_path / "pid").exists()


# ---- keys ----

KEYS = [("file={},format=hex,mode=aes-256-cbc", "ab" * 32), ("file={},mode=aes-256-cbc", "0x" + "ab" * 32 + "\n"),
        ("file={},format=binary,mode=aes-256-cbc", b"\xab" * 32), ("file={}", "ab" * 16),
        ("file={},format=binary,mode=aes-128-cbc", b"\xab" * 16), ("pwdfile={}", "a passphrase"),
        ("pwdfile={},mode=aes-256-cbc,kdf=pbkdf2", "a passphrase"), ("pwdfile={},kdf=sha512", "a passphrase")]


@pytest.mark.parametrize("option, text", KEYS)
def test_a_key_opens_what_it_closed(family, tmp_path, option, text):
    key = secret(tmp_path / "key", text)
    folder = tmp_path / "state"
    folder.mkdir()
    found = []
    for _ in range(2):
        with st.Running(family, *options(folder, "--key", option.format(key), "--flags", "startup-clear")) as server:
            data = st.Control(st.connect(folder / "ctrl", server)).data()
            found.append(data.transact(ct.create_primary_rsa(hierarchy=ct.RH_OWNER))[14:])
    assert found[0] == found[1]


def test_all_these_keys_are_different_ones_and_none_stands_in_the_state(ours, tmp_path):
    different = [KEYS[0], KEYS[3], KEYS[5], KEYS[7]]
    for i, (option, text) in enumerate(different):
        folder = tmp_path / str(i)
        folder.mkdir()
        key = secret(folder / "key", text)
        with st.Running(ours, *options(folder, "--key", option.format(key))) as server:
            assert st.Control(st.connect(folder / "ctrl", server)).result(st.INIT, st.words(0)) == 0
        image = (folder / "cvtpm" / "data.mdb").read_bytes()
        assert b"libtpms" in image and b"\xab" * 16 not in image and b"passphrase" not in image
        for j, (other, other_text) in enumerate(different):
            if i == j:
                continue
            wrong = secret(folder / "wrong", other_text)
            result = ours.run("swtpm", "socket", *options(folder, "--key", other.format(wrong)))
            assert result.returncode == 2 and "the key is not the one" in result.stderr, (option, other)


def test_serve_opens_the_same_state(ours, tmp_path):
    secret(tmp_path / "key", "ab" * 32)
    ours.setup(tmp_path, "--keyfile", tmp_path / "key", "--cipher", "aes-256-cbc")
    with ct.Server("--state", tmp_path / "cvtpm", "--seal", f"file:{tmp_path}/key", "--tcp", "127.0.0.1:0",
                   "--startup", "clear") as server:
        assert server.raw().get_random(4)


def test_a_key_file_is_removed_when_asked(family, tmp_path):
    for remove in ("remove", "remove=true"):
        key = secret(tmp_path / "key", "ab" * 16)
        with st.Running(family, *options(tmp_path, "--key", f"file={key},{remove}")) as server:
            assert st.Control(st.connect(tmp_path / "ctrl", server)).result(st.INIT, st.words(0)) == 0
            assert not key.exists()


@pytest.mark.parametrize("option, text, says", [
    ("file={}", "ab" * 32, "needs a key of 32 hexadecimal digits"),
    ("file={},mode=aes-256-cbc", "ab" * 16, "needs a key of 64 hexadecimal digits"),
    ("file={},format=binary", b"\xab" * 17, "needs a key of 16 bytes"),
    ("file={}", "xy" * 16, "hexadecimal digits"),
    ("file={}", "", "hexadecimal digits"),
    ("pwdfile={}", "\n", "the passphrase is empty"),
    ("pwdfile={}", "x" * 1025, "more than 1024 bytes"),
    ("file={}.none", "", "cannot read"),
    ("file={},kdf=pbkdf2", "", "kdf= is for passphrases"),
    ("pwdfile={},format=hex", "", "format= is for keys"),
    ("file={},mode=aes-xts", "", "mode=aes-xts"),
    ("file={},pwdfile={}", "", "write one of"),
    ("mode=aes-cbc", "", "write one of"),
    ("fd=77", "", "descriptor 77 is not open"),
])
def test_keys_that_are_none(ours, tmp_path, option, text, says):
    key = secret(tmp_path / "key", text)
    result = ours.run("swtpm", "socket", *options(tmp_path, "--key", option.format(key, key)))
    assert result.returncode == 2 and says in result.stderr
    assert not (tmp_path / "cvtpm").exists()


def test_a_key_that_others_can_read(ours, tmp_path):
    key = secret(tmp_path / "key", "ab" * 16)
    key.chmod(0o644)
    result = ours.run("swtpm", "socket", *options(tmp_path, "--key", f"file={key}"))
    assert result.returncode == 2 and "chmod 600" in result.stderr


# ---- states ----

def test_states_are_printed(family, tmp_path):
    assert json.loads(family.run("swtpm", "socket", *options(tmp_path, ctrl=False), "--print-states").stdout) == \
        {"type": "swtpm", "states": []}
    with st.Running(family, *options(tmp_path, "--flags", "startup-clear")) as server:
        control = st.Control(st.connect(tmp_path / "ctrl", server))
        assert control.result(st.STORE_VOLATILE) == 0
        assert control.result(st.SHUTDOWN) == 0
        server.wait()
    states = json.loads(family.run("swtpm", "socket", "--tpm2", "--tpmstate", f"backend-uri=dir://{tmp_path}",
                                   "--print-states").stdout)["states"]
    assert {"permall", "volatilestate"} == {s["name"] for s in states} and all(s["size"] > 100 for s in states)


def test_a_state_of_swtpms_own_is_refused_and_left_alone(ours, tmp_path):
    (tmp_path / "tpm2-00.permall").write_bytes(b"somebody's TPM")
    for result in (ours.run("swtpm", "socket", *options(tmp_path)),
                   ours.run("swtpm_setup", "--tpm2", "--tpm-state", tmp_path, "--overwrite")):
        assert result.returncode == 2 and "a TPM that swtpm has made: take it over" in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["tpm2-00.permall"]


def test_a_second_one_on_the_same_state_is_refused(ours, tmp_path):
    with st.Running(ours, *options(tmp_path)) as server:
        assert st.Control(st.connect(tmp_path / "ctrl", server)).result(st.INIT, st.words(0)) == 0
        for result in (ours.run("swtpm", "socket", *options(tmp_path, "--port", "0", ctrl=False)),
                       ours.run("swtpm_setup", "--tpm2", "--tpm-state", tmp_path, "--overwrite")):
            assert result.returncode == 2 and str(server.process.pid) in result.stderr
        assert server.alive()


def test_a_tpm_made_at_its_first_start_has_its_identity(ours, tmp_path):
    with st.Running(ours, *options(tmp_path, "--flags", "startup-clear")) as server:
        data = st.Control(st.connect(tmp_path / "ctrl", server)).data()
        for handle in (0x81010001, 0x8101000A, 0x81010016):
            assert data.code(ct.command(0x173, st.words(handle))) == 0
        for index in (0x01C00002, 0x01C0000A, 0x01C00016, 0x01C08000):
            assert data.code(ct.command(0x169, st.words(index))) == 0


def test_it_dies_while_the_first_tpm_is_made_and_nothing_half_is_left(ours, tmp_path):
    for delay in range(6):
        with st.Running(ours, *options(tmp_path)) as server:
            ct.wait_until(lambda: (tmp_path / "cvtpm").exists() or not server.alive(), "the folder")
            for _ in range(delay * 1000):
                pass
            server.kill()
    with st.Running(ours, *options(tmp_path, "--flags", "startup-clear")) as server:
        data = st.Control(st.connect(tmp_path / "ctrl", server)).data()
        assert data.code(ct.command(0x173, st.words(0x81010001))) == 0


# ---- swtpm_setup ----

def test_a_tpm_is_made_once_unless_it_shall_be_replaced(family, tmp_path):
    def ek():
        with st.Running(family, *options(tmp_path, "--flags", "startup-clear")) as server:
            data = st.Control(st.connect(tmp_path / "ctrl", server)).data()
            return data.transact(ct.create_primary_rsa(hierarchy=ct.RH_ENDORSEMENT))[14:]

    family.setup(tmp_path, "--createek")
    first = ek()
    result = family.run("swtpm_setup", "--tpm2", "--tpmstate", f"dir://{tmp_path}")
    assert result.returncode == 1
    family.setup(tmp_path, "--not-overwrite")
    assert ek() == first
    family.setup(tmp_path, "--overwrite")
    assert ek() != first
    assert not list(tmp_path.glob("cvtpm.new*"))


def test_what_is_made(ours, tmp_path):
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    result = ours.setup(tmp_path, "--create-spk", "--rsa-keysize", "3072", "--pcr-banks", "-", "--vmid", "vm7:0815",
                        "--write-ek-cert-files", certificates, "--display")
    assert "active PCR banks: sha1 sha256 sha384 sha512" in result.stdout
    assert "EK RSA 3072: key 0x8101001C" in result.stdout
    assert {p.name for p in certificates.iterdir()} == {"ek-rsa3072.crt", "ek-secp256r1.crt", "ek-secp384r1.crt"}
    for path in certificates.iterdir():
        text = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-text", "-in", path],
                              capture_output=True, text=True, check=True).stdout
        assert "2.23.133.8.1" in text
    with st.Running(ours, *options(tmp_path, "--flags", "startup-clear")) as server:
        data = st.Control(st.connect(tmp_path / "ctrl", server)).data()
        assert data.code(ct.command(0x173, st.words(0x81000001))) == 0
        platform = read_nv(data, 0x01C08000)
        assert b"vm7:0815" in platform


def read_nv(data, index):
    public = data.transact(ct.command(0x169, st.words(index)))
    size = int.from_bytes(public[24:26], "big")
    content, at = b"", 0
    while at < size:
        part = min(size - at, 1024)
        response = data.transact(ct.command(0x14E, st.words(index, index) + ct.password_session() +
                                            part.to_bytes(2, "big") + at.to_bytes(2, "big"), tag=0x8002))
        assert ct.response_code(response) == 0
        content += response[16:16 + part]
        at += part
    return content


@pytest.mark.parametrize("kind", ["rsa", "ecc"])
def test_the_storage_key_is_the_one_of_the_template(ours, tmp_path, kind):
    """CreatePrimary from the TCG's template gives the key that was made persistent."""
    template = (ct_data() / f"srk-{kind}.tpmt").read_bytes()
    ours.setup(tmp_path, "--create-spk", *(["--ecc"] if kind == "ecc" else []))
    with st.Running(ours, *options(tmp_path, "--flags", "startup-clear")) as server:
        data = st.Control(st.connect(tmp_path / "ctrl", server)).data()
        public = data.transact(ct.command(0x173, st.words(0x81000001)))
        body = st.words(ct.RH_OWNER) + ct.password_session() + b"\0\4\0\0\0\0" + len(template).to_bytes(2, "big")
        made = data.transact(ct.command(0x131, body + template + b"\0\0" + bytes(4), tag=0x8002))
        assert ct.response_code(made) == 0
        size = int.from_bytes(public[10:12], "big")
        assert public[10:12 + size] == made[18:20 + size]


def ct_data():
    return pathlib.Path(__file__).resolve().parents[1] / "data" / "templates"


@pytest.mark.parametrize("banks", ["sha256", "sha1,sha256", "sha512", "-"])
def test_banks(family, tmp_path, banks):
    family.setup(tmp_path, "--pcr-banks", banks)
    assert active_banks(family, tmp_path) == ({"sha1", "sha256", "sha384", "sha512"} if banks == "-"
                                             else set(banks.split(",")))
    family.setup(tmp_path, "--pcr-banks", "sha384", "--reconfigure")
    assert active_banks(family, tmp_path) == {"sha384"}


def active_banks(family, folder):
    names = {4: "sha1", 0x0B: "sha256", 0x0C: "sha384", 0x0D: "sha512"}
    with st.Running(family, *options(folder, "--flags", "startup-clear")) as server:
        data = st.Control(st.connect(folder / "ctrl", server)).data()
        response = data.transact(ct.command(0x17A, st.words(5, 0, 1)))
    at, active = 19, set()
    for _ in range(int.from_bytes(response[15:19], "big")):
        if any(response[at + 3:at + 6]):
            active.add(names[int.from_bytes(response[at:at + 2], "big")])
        at += 6
    return active


@pytest.mark.parametrize("how", ["option", "XDG_CONFIG_HOME", "HOME"])
def test_the_configuration_file(family, tmp_path, how):
    if how == "HOME" and not family.ours:
        pytest.skip("as its manual says, but not as it does")
    home = tmp_path / "home"
    folder = home / ".config" if how == "HOME" else home
    folder.mkdir(parents=True)
    (folder / "swtpm_setup.conf").write_text("create_certs_tool = /usr/bin/swtpm_localca # not used\n\n"
                                             "active_pcr_banks = sha1,sha512\n")
    environment = {"HOME": str(home), "XDG_CONFIG_HOME": str(home) if how == "XDG_CONFIG_HOME" else "/nonexistent"}
    arguments = ["--config", folder / "swtpm_setup.conf"] if how == "option" else []
    state = tmp_path / "state"
    state.mkdir()
    family.setup(state, *arguments, env=environment)
    assert active_banks(family, state) == {"sha1", "sha512"}


def test_a_configuration_file_that_is_wrong_is_told_with_its_line(ours, tmp_path):
    for text, says in (("active_pcr_banks = md5\n", "line 1: active_pcr_banks = md5"), ("# x\nrubbish\n", "line 2"),
                       ("# " + "x" * 3000 + "\nactive_pcr_banks = md5\n", "line 2: active_pcr_banks")):
        (tmp_path / "c").write_text(text)
        result = ours.run("swtpm_setup", "--tpm2", "--tpm-state", tmp_path, "--config", tmp_path / "c")
        assert result.returncode == 2 and says in result.stderr
    result = ours.run("swtpm_setup", "--tpm2", "--tpm-state", tmp_path, "--config", tmp_path)
    assert result.returncode == 2 and f"cannot read {tmp_path}: Is a directory" in result.stderr
    assert not (tmp_path / "cvtpm").exists()


def test_a_replacement_that_fails_leaves_the_old_tpm(ours, tmp_path):
    ours.setup(tmp_path)
    before = (tmp_path / "cvtpm" / "data.mdb").read_bytes()
    blocker = tmp_path / "cvtpm.new"
    blocker.mkdir()
    (blocker / "somebody's").write_text("file")
    result = ours.run("swtpm_setup", "--tpm2", "--tpm-state", tmp_path, "--overwrite")
    assert result.returncode == 2
    assert (tmp_path / "cvtpm" / "data.mdb").read_bytes() == before
    assert (blocker / "somebody's").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes somebody else")
def test_another_user(ours, tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    for p in [folder, *folder.parents[:3]]:
        if str(p).startswith("/tmp/"):
            p.chmod(0o755)
    os.chown(folder, 65534, 65534)
    ours.setup(folder, "--runas", "nobody")
    assert (folder / "cvtpm" / "data.mdb").stat().st_uid == 65534
    with st.Running(ours, *options(folder, "--runas", "nobody")) as server:
        st.connect(folder / "ctrl", server).close()
        assert f"\nUid:\t65534\t65534\t65534\t65534\n" in pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    result = ours.run("swtpm_setup", "--tpm2", "--tpm-state", folder, "--runas", "no such user")
    assert result.returncode == 2 and "there is no user 'no such user'" in result.stderr


# ---- wrong usage ----

@pytest.mark.parametrize("arguments, says", [
    (("--bogus",), "--bogus"),
    (("extra",), "'extra' is not expected"),
    (("--ctrl", "type=unixio,path=c,bogus=1"), "--ctrl: 'bogus' is not known here"),
    (("--ctrl", "type=carrier,path=c"), "type=carrier"),
    (("--ctrl", "path=c"), "type=unixio or type=tcp is missing"),
    (("--ctrl", "type=unixio"), "write one of path="),
    (("--ctrl", "type=unixio,path=c,path=d"), "'path' is there twice"),
    (("--ctrl", "type=unixio,path"), "'path' needs a value"),
    (("--ctrl", "type=unixio,path=c,terminate=1"), "'terminate' takes no value"),
    (("--ctrl", "type=unixio,path=c,mode=660"), "not an octal number"),
    (("--ctrl", "type=unixio,path=c,mode=0999"), "not an octal number"),
    (("--ctrl", "type=unixio,port=5"), "for type=tcp"),
    (("--ctrl", "type=tcp,port=99999"), "'99999' is not a number up to 65535"),
    (("--ctrl", "type=unixio,fd=99"), "descriptor 99 is not open"),
    (("--ctrl", "type=unixio,path=c,fd=0"), "write one of"),
    (("--server", "type=unixio,path=s,clientfd=1"), "'clientfd' is not known here"),
    (("--flags", "bogus"), "--flags: 'bogus' is not known here"),
    (("--flags", "startup-deactivated"), "TPM 1.2"),
    (("--flags", "startup-clear,startup-state"), "exclude each other"),
    (("--locality", "bogus"), "'bogus' is not known here"),
    (("--log", "file=x,level=high"), "'high' is not a number"),
    (("--log", "file=x,bogus"), "'bogus' is not known here"),
    (("--pid", "path=x"), "'path' is not known here"),
    (("--seccomp", "action=maim"), "write action=none"),
    (("--tpmstate", "backend-uri=file:///tmp/x"), "a TPM in one file is not offered"),
    (("--tpmstate", "dir=/tmp,mode=rw"), "not an octal number"),
    (("--migration", "incoming"), "--migration is not offered"),
    (("--vtpm-proxy",), "--vtpm-proxy is not offered here"),
    (("--server", "type=tcp,port=1", "--port", "1"), "exclude each other"),
])
def test_wrong_usage_names_what_is_wrong(ours, tmp_path, arguments, says):
    more = [] if arguments[0] == "--tpmstate" else ["--tpmstate", f"dir={tmp_path}"]
    result = ours.run("swtpm", "socket", "--tpm2", *more, *arguments, cwd=tmp_path)
    assert result.returncode == 2 and says in result.stderr, result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments, says", [
    (("socket", "--tpmstate", "dir=D"), "--tpm2 is missing"),
    (("socket", "--tpm2"), "--tpmstate is missing"),
    (("socket", "--tpm2", "--tpmstate", "dir=D"), "there is nothing to serve on"),
    (("socket", "--tpm2", "--tpmstate", "dir=/nonexistent", "-p", "0"), "/nonexistent: No such file"),
    (("socket", "--tpm2", "--tpmstate", "dir=/dev/null", "-p", "0"), "/dev/null: it is not a folder"),
    (("socket", "--tpm2", "--tpmstate", "dir=D", "--ctrl", "type=unixio,path=/nonexistent/c"), "/nonexistent/c"),
    (("socket", "--tpm2", "--tpmstate", "dir=D", "--server", "type=tcp,port=0,bindaddr=0.0.0.0"),
     "--insecure-listen"),
    (("chardev", "--tpm2", "--tpmstate", "dir=D"), "--chardev or --fd is missing"),
    (("chardev", "--tpm2", "--tpmstate", "dir=D", "--chardev", "/nonexistent/d"), "cannot open /nonexistent/d"),
    (("cuse", "--name", "x"), "cuse interface is not offered"),
    (("bogus",), "'bogus' is not known here"),
    ((), "chardev is missing"),
])
def test_wrong_usage_of_the_whole(ours, tmp_path, arguments, says):
    result = ours.run("swtpm", *[a.replace("dir=D", f"dir={tmp_path}") for a in arguments],
                      env={"TPM_PATH": "", "TPM_PORT": ""})
    assert result.returncode == 2 and says in result.stderr, result.stderr


@pytest.mark.parametrize("arguments, says", [
    ((), "--tpm-state is missing"),
    (("--tpm-state", "D", "--bogus"), "--bogus"),
    (("--tpm-state", "D", "--profile", "x"), "profiles are not offered"),
    (("--tpm-state", "D", "--allow-signing"), "--allow-signing is not offered"),
    (("--tpm-state", "D", "--take-ownership"), "no TPM 1.2"),
    (("--tpm-state", "D", "--tcsd-system-ps-file", "x"), "no TPM 1.2"),
    (("--tpm-state", "D", "--pcr-banks", "md5"), "--pcr-banks=md5"),
    (("--tpm-state", "D", "--rsa-keysize", "1024"), "write 2048, 3072 or max"),
    (("--tpm-state", "D", "--overwrite", "--not-overwrite"), "exclude each other"),
    (("--tpm-state", "D", "--cipher", "aes-256-cbc"), "needs a key"),
    (("--tpm-state", "D", "--keyfile", "a", "--pwdfile", "b"), "exclude each other"),
    (("--tpm-state", "D", "--pwdfile-fd", "88"), "descriptor 88 is not open"),
    (("--tpm-state", "D", "--reconfigure", "--pcr-banks", "sha1"), "holds no TPM yet"),
    (("--tpm-state", "file://D"), "a TPM in one file is not offered"),
    (("--tpm-state", "/nonexistent"), "/nonexistent: No such file"),
    (("--tpm-state", "D", "--reconfigure", "--pcr-banks", "sha1", "--rsa-keysize", "3072"), "PCR banks and nothing else"),
    (("--tpm-state", "D", "--reconfigure", "--pcr-banks", "sha1", "--vmid", "vm7"), "PCR banks and nothing else"),
    (("--tpm-state", "D", "--vmid", ""), "--vmid"),
    (("--tpm-state", "D", "--vmid", "vm\n7"), "--vmid"),
    (("--tpm-state", "D", "--vmid", "vm\udcff"), "UTF-8"),
    (("--tpm-state", "D", "--logfile", "/nonexistent/l"), "--logfile: cannot open"),
    (("--tpm-state", "D", "--engine", "steam"), "--engine=steam"),
])
def test_wrong_usage_of_setup(ours, tmp_path, arguments, says):
    result = ours.run("swtpm_setup", "--tpm2", *[str(tmp_path) if a == "D" else a for a in arguments])
    assert result.returncode == 2 and says in result.stderr, result.stderr
    assert not list(tmp_path.iterdir())


def test_without_tpm2_nothing_is_made(ours, tmp_path):
    result = ours.run("swtpm_setup", "--tpm-state", tmp_path)
    assert result.returncode == 2 and "--tpm2 is missing" in result.stderr


@pytest.mark.parametrize("program, arguments", [("swtpm", ("socket", "--help")), ("swtpm", ("chardev", "--help")),
                                               ("swtpm", ("--help",)), ("swtpm", ("socket", "-h")),
                                               ("swtpm", ("--version",)), ("swtpm_setup", ("--help",)),
                                               ("swtpm_setup", ("--version",)), ("swtpm_ioctl", ("--help",)),
                                               ("swtpm_ioctl", ("--version",))])
def test_help_and_version(family, program, arguments):
    result = family.run(program, *arguments)
    assert (result.returncode == 0 or not family.ours) and len(result.stdout) > 20


@pytest.mark.parametrize("part, program", [("setup", "swtpm_setup"), ("ioctl", "swtpm_ioctl")])
def test_the_same_programs_as_subcommands(part, program):
    assert ct.run("swtpm", part, "--version").stdout == st.Family("cvtpm").run(program, "--version").stdout


def test_socket_as_subcommand():
    result = ct.run("swtpm", "socket", "--print-capabilities")
    assert json.loads(result.stdout)["type"] == "swtpm"


def test_the_programs_are_links_in_a_folder_of_their_own():
    build = pathlib.Path(ct.CVTPM).resolve().parent
    assert {p.name for p in (build / "swtpm").iterdir()} == {"swtpm", "swtpm_setup", "swtpm_ioctl"}
    for path in (build / "swtpm").iterdir():
        assert os.path.realpath(path) == str(build / "cvtpm")


def test_a_signal_of_the_terminal_ends_it_in_order(ours, tmp_path):
    with st.Running(ours, *options(tmp_path)) as server:
        st.connect(tmp_path / "ctrl", server).close()
        server.process.send_signal(signal.SIGINT)
        assert server.wait() == 0
