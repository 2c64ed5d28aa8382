"""swtpm_ioctl: ours and swtpm's, each against our swtpm and swtpm's. What all four pairs say is the same."""
import contextlib
import socket
import struct

import pytest

import cvtpm_test as ct
import swtpm_test as st


@pytest.fixture(params=st.families())
def client(request):
    return st.Family(request.param)


@pytest.fixture
def served(family, tmp_path):
    folder = tmp_path / "tpm"
    folder.mkdir()
    with st.Running(family, "--tpm2", "--tpmstate", f"dir={folder}", "--ctrl", f"type=unixio,path={folder}/ctrl",
                    "--server", f"type=unixio,path={folder}/data") as server:
        st.connect(folder / "data", server).close()
        st.connect(folder / "ctrl", server).close()
        server.folder = folder
        yield server


def test_a_tour_of_all_commands(client, served):
    folder = served.folder

    def said(*arguments, status=0, text=None):
        result = client.ioctl(folder / "ctrl", *arguments, input=text)
        assert result.returncode == status, (arguments, result.stdout, result.stderr)
        return result.stdout if status == 0 else result.stderr

    def data():
        return ct.Raw(st.connect(folder / "data"))

    assert said("-c") in ("ptm capability is 0xffff\n", "ptm capability is 0x17fff\n")
    sizes = "TPM buffersize: {}\nminimum size  : 2808\nmaximum size  : 4096\n"
    assert said("-b", 0) == sizes.format(4096)
    assert said("-b", 3968) == sizes.format(3968)
    assert "PTM_GET_TPMESTABLISHED: 0xa" in said("-e", status=1)  # it does not run
    assert said("-i") == ""
    assert said("-e") == "tpmEstablished is 0\n"
    assert said("-g") == "ptm configuration flags: 0x0\n"
    assert said("--info", 1).startswith('{"TPMSpecification":{"family":"2.0"')
    assert "TPMAttributes" in said("--info", "0x2")
    assert said("-h", "a dynamic launch before Startup") == ""
    with data() as d:
        assert d.startup() == 0
        assert d.pcr_read(0) != bytes(32)
        d.pcr_extend(7, b"\x11" * 32)
        pcr = d.pcr_read(7)
        assert d.code(ct.pcr_extend(17, bytes(32))) == ct.RC_LOCALITY
    assert said("-l", 2) == ""
    with data() as d:
        assert d.code(ct.pcr_extend(17, bytes(32))) == 0
    assert said("-l", 0) == ""
    said("-h", "-", text="from standard input " * 1000)
    assert said("-e") == "tpmEstablished is 1\n"
    assert "PTM_RESET_TPMESTABLISHED: 0x3d" in said("-r", 1, status=1)
    assert said("-r", 3) == ""
    assert said("-e") == "tpmEstablished is 0\n"
    assert said("-C") == ""
    assert said("-v") == ""
    for kind in ("permanent", "volatile", "savestate"):
        said("--save", kind, folder / kind)
    assert (folder / "permanent").stat().st_size > 1000 and (folder / "volatile").stat().st_size > 1000
    assert (folder / "savestate").stat().st_size == 0
    assert "SET_STATEBLOB" in said("--load", "permanent", folder / "permanent", status=1)  # it runs
    said("--stop")
    for kind in ("permanent", "volatile"):
        said("--load", kind, folder / kind)
    said("-i")
    with data() as d:
        assert d.pcr_read(7) == pcr
    assert said("-s") == ""
    assert served.wait() == 0


def test_the_hash_of_standard_input_and_of_an_argument_is_the_same(ours, tmp_path):
    pcrs = []
    for arguments, text in ((("-h", "abc" * 3000), None), (("-h", "-"), "abc" * 3000)):
        folder = tmp_path / str(len(pcrs))
        folder.mkdir()
        with st.Running(ours, "--tpm2", "--tpmstate", f"dir={folder}", "--ctrl", f"type=unixio,path={folder}/ctrl",
                        "--server", f"type=unixio,path={folder}/data") as server:
            data = ct.Raw(st.connect(folder / "data", server))
            for a in (("-i",), arguments):
                result = ours.ioctl(folder / "ctrl", *a, input=text if a == arguments else None)
                assert result.returncode == 0, result.stderr
            assert data.startup() == 0
            pcrs.append(data.pcr_read(0))
    assert pcrs[0] == pcrs[1] != bytes(32)


def test_a_saved_state_is_for_its_owner_alone(ours, served):
    if "cvtpm" not in str(served.argv[0]):
        pytest.skip("one server is enough")
    ours.ioctl(served.folder / "ctrl", "-i")
    ours.ioctl(served.folder / "ctrl", "--save", "permanent", served.folder / "p")
    assert (served.folder / "p").stat().st_mode & 0o777 == 0o600


def test_tcp(client, family, tmp_path):
    port = st.free_port()
    with st.Running(family, "--tpm2", "--tpmstate", f"dir={tmp_path}", "--ctrl", f"type=tcp,port={port}") as server:
        st.connect(port, server).close()
        for address in (f":{port}", f"127.0.0.1:{port}"):
            result = client.run("swtpm_ioctl", "--tcp", address, "-c")
            assert result.returncode == 0 and "capability" in result.stdout, result.stderr


@pytest.mark.parametrize("arguments, says", [
    ((), "a command is missing"),
    (("-c", "-i"), "one command at a time"),
    (("-l", "9"), "'9' is not a number up to 4"),
    (("-l", "x"), "'x' is not a number"),
    (("-b", "-1"), "'-1' is not a number"),
    (("--bogus",), "--bogus"),
    (("--save", "everything", "f"), "'everything' is no state"),
    (("--save", "permanent"), "the name of a file is missing"),
    (("--load", "permanent", "/nonexistent/f"), "cannot read /nonexistent/f"),
    (("--load", "permanent", "/dev/zero"), "is not a file"),
    (("-c", "/dev/tpm0"), "a device is not offered"),
    (("--tpm-device", "/dev/tpm0", "-c"), "a CUSE device is not offered"),
    (("--tcp", "127.0.0.1:1", "-c"), "write one of --unix and --tcp"),
])
def test_wrong_usage_is_told(ours, tmp_path, arguments, says):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        result = ours.ioctl(tmp_path / "s", *arguments)
    assert result.returncode == 2 and says in result.stderr


def test_nobody_there(ours, tmp_path):
    for arguments, says in ((("--unix", tmp_path / "none"), "cannot connect to"),
                            (("--tcp", f"127.0.0.1:{st.free_port()}"), "Connection refused"),
                            (("--unix", tmp_path / ("x" * 200)), "too long")):
        result = ours.run("swtpm_ioctl", *arguments, "-s")
        assert result.returncode == 2 and says in result.stderr


@pytest.mark.parametrize("answer", [b"", b"\0\0", b"\0\0\0\0", b"\0\0\0\0" + b"\xff" * 12,
                                    struct.pack(">4I", 0, 0, 100, 50) + bytes(50)])
def test_a_peer_that_answers_nonsense(ours, tmp_path, answer):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        with ct.in_background(lambda: ours.ioctl(tmp_path / "s", "--save", "permanent", tmp_path / "f")) as result:
            peer, _ = listener.accept()
            peer.recv(100)
            peer.sendall(answer)
            peer.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                while peer.recv(100):
                    pass
            peer.close()
    assert result[0].returncode == 2 and "GET_STATEBLOB" in result[0].stderr
    assert not (tmp_path / "f").exists()
