"""swtpm_setup --import: a TPM that swtpm has made and used goes on as ours."""
import struct

import pytest

import cvtpm_test as ct
import swtpm_test as st

pytestmark = pytest.mark.skipif("swtpm" not in st.families(), reason="swtpm is not installed")
INDEX = 0x01500001


def options(folder, *more):
    return ["--tpm2", "--tpmstate", f"dir={folder}", "--ctrl", f"type=unixio,path={folder}/ctrl", "--flags",
            "startup-clear", *more]


def contents(data):
    """What must be the same afterwards: EK, its certificate, a key of the owner's seed, an NV index with a secret."""
    def ask(code, body, tag=0x8001):
        response = data.transact(ct.command(code, body, tag=tag))
        assert ct.response_code(response) == 0
        return response[10:]

    def read(index, size):
        return ask(0x14E, st.words(index, index) + ct.password_session() + struct.pack(">HH", size, 0), tag=0x8002)

    return (ask(0x173, st.words(0x81010001)), ask(0x173, st.words(0x81010016)), ask(0x169, st.words(0x01C00002)),
            read(0x01C00002, 400), read(INDEX, 8), data.transact(ct.create_primary_rsa(hierarchy=ct.RH_OWNER))[14:])


def define_and_write(data):
    public = struct.pack(">IHIHH", INDEX, 0x000B, 0x02040004 | 0x00040000, 0, 8)
    body = st.words(ct.RH_OWNER) + ct.password_session() + b"\0\0" + struct.pack(">H", len(public)) + public
    assert data.code(ct.command(0x12A, body, tag=0x8002)) == 0
    body = st.words(INDEX, INDEX) + ct.password_session() + struct.pack(">H", 8) + b"a secret" + b"\0\0"
    assert data.code(ct.command(0x137, body, tag=0x8002)) == 0


@pytest.fixture
def theirs(tmp_path):
    """A folder with a TPM of swtpm's, and what is in it; and what its control channel gives."""
    real, folder = st.Family("swtpm"), tmp_path / "theirs"
    folder.mkdir()
    real.setup(folder, "--create-ek-cert", "--create-platform-cert", "--lock-nvram")
    with st.Running(real, *options(folder)) as server:
        control = st.Control(st.connect(folder / "ctrl", server))
        data = control.data()
        define_and_write(data)
        found = contents(data)
        control.close()
        assert real.ioctl(folder / "ctrl", "--save", "permanent", tmp_path / "blob").returncode == 0
        assert real.ioctl(folder / "ctrl", "-s").returncode == 0
        assert server.wait() == 0
    return folder, found, tmp_path / "blob"


def ours_in(ours, folder, *more):
    with st.Running(ours, *options(folder, *more)) as server:
        return contents(st.Control(st.connect(folder / "ctrl", server)).data())


@pytest.mark.parametrize("source", ["file", "blob"])
def test_it_is_the_same_tpm(ours, theirs, tmp_path, source):
    folder, found, blob = theirs
    file = folder / "tpm2-00.permall" if source == "file" else blob
    before = file.read_bytes()
    ours.setup(folder, "--import", file)
    assert ours_in(ours, folder) == found
    assert ours_in(ours, folder) == found
    assert file.read_bytes() == before  # and swtpm's is as it was


def test_its_banks_can_be_changed(ours, theirs):
    folder, found, _ = theirs
    ours.setup(folder, "--import", folder / "tpm2-00.permall")
    ours.setup(folder, "--pcr-banks", "sha256,sha384", "--reconfigure")
    assert ours_in(ours, folder) == found


def test_it_may_be_sealed_on_the_way(ours, theirs, tmp_path):
    folder, found, _ = theirs
    key = tmp_path / "key"
    key.write_text("ab" * 32)
    key.chmod(0o600)
    ours.setup(folder, "--import", folder / "tpm2-00.permall", "--keyfile", key, "--cipher", "aes-256-cbc")
    assert ours_in(ours, folder, "--key", f"file={key},mode=aes-256-cbc") == found
    assert b"a secret" not in (folder / "cvtpm" / "data.mdb").read_bytes()


def test_an_own_tpm_is_not_replaced_unless_told(ours, theirs, tmp_path):
    folder, found, blob = theirs
    other = tmp_path / "other"
    other.mkdir()
    ours.setup(other)
    before = (other / "cvtpm" / "data.mdb").read_bytes()
    result = ours.run("swtpm_setup", "--tpm2", "--tpm-state", other, "--import", blob)
    assert result.returncode == 1 and "--overwrite" in result.stderr
    assert (other / "cvtpm" / "data.mdb").read_bytes() == before
    ours.setup(other, "--import", blob, "--overwrite")
    assert ours_in(ours, other) == found


def test_what_is_cut_off_or_no_state_is_refused(ours, theirs, tmp_path):
    folder, _, blob = theirs
    good = (folder / "tpm2-00.permall").read_bytes()
    size = struct.pack(">I", len(good))
    assert good[6:10] == size
    bad = [good[:n] for n in (0, 1, 9, 10, 15, 16, 17, 1000, len(good) - 1)]
    bad += [good[:6] + struct.pack(">I", n) + good[10:n] for n in (10, 16, 1000, len(good) - 1)]  # and says so
    bad += [good + b"\0", b"\3\3" + good[2:], good[:2] + b"\xff\xff" + good[4:], good[:10] + b"\0\2" + good[12:],
            good[:12] + b"\xff\xff\xff\xff" + good[16:], b"cvtpmSTA" + good, good[:4] + b"\0\1" + good[6:],
            good[:16] + bytes(len(good) - 16)]
    for content in bad:
        (tmp_path / "bad").write_bytes(content)
        result = ours.run("swtpm_setup", "--tpm2", "--tpm-state", folder, "--import", tmp_path / "bad")
        assert result.returncode == 2 and "is not taken" in result.stderr, content[:20]
        assert sorted(p.name for p in folder.iterdir() if p.name.startswith("cvtpm")) == []


def test_an_encrypted_one_is_told_apart(ours, tmp_path):
    key = tmp_path / "key"
    key.write_text("ab" * 16)
    key.chmod(0o600)
    folder = tmp_path / "theirs"
    folder.mkdir()
    st.Family("swtpm").setup(folder, "--keyfile", key)
    result = ours.run("swtpm_setup", "--tpm2", "--tpm-state", folder, "--import", folder / "tpm2-00.permall")
    assert result.returncode == 2 and "it is encrypted" in result.stderr


@pytest.mark.parametrize("arguments, says", [
    (("--import", "/nonexistent/f"), "cannot read /nonexistent/f"),
    (("--import", "/dev/null"), "no state of swtpm's"),
    (("--import", "f", "--pcr-banks", "sha1"), "as it is"),
    (("--import", "f", "--create-spk"), "as it is"),
    (("--import", "f", "--rsa-keysize", "3072"), "as it is"),
])
def test_wrong_usage(ours, tmp_path, arguments, says):
    result = ours.run("swtpm_setup", "--tpm2", "--tpm-state", tmp_path, *arguments)
    assert result.returncode == 2 and says in result.stderr
    assert not list(tmp_path.iterdir())
