"""libvirt, unmodified, with our programs first in PATH: everything that it does with an emulated TPM."""
import os
import pathlib
import pwd
import shutil
import signal
import socket
import struct
import tempfile

import pytest

import check
import cvtpm_test as ct
import guest as g
import host as h
from tpm import GuestTpm

EK_HANDLE = struct.pack(">I", 0x81010001)
BANKS = "<active_pcr_banks><sha256/><sha384/></active_pcr_banks>"


def ek(tpm):
    response = tpm.transact(ct.command(0x173, EK_HANDLE))
    assert ct.response_code(response) == 0
    return response


def banks(guest):
    return {name for name in ("sha1", "sha256", "sha384", "sha512")
            if guest.attempt(f"cat /sys/class/tpm/tpm0/pcr-{name}/0")[0] == 0}


def measured(guest):
    """The TPM is there at boot, and ours."""
    assert guest.run("cat /sys/class/tpm/tpm0/tpm_version_major").strip() == "2"
    assert "boot_aggregate" in guest.run("cat /sys/kernel/security/ima/ascii_runtime_measurements")
    tpm = GuestTpm(guest)
    assert tpm.pcr_read(10) != bytes(32)
    return tpm


def is_ours(domain):
    return os.readlink(f"/proc/{domain.tpm_pid}/exe") == os.path.realpath(ct.CVTPM)


@pytest.mark.parametrize("model", ["tpm-crb", "tpm-tis"])
def test_the_life_of_a_domain(define, host, model):
    domain = define(model=model)
    guest = domain.start()
    tpm = measured(guest)
    assert is_ours(domain)
    assert (domain.state / "cvtpm" / "data.mdb").stat().st_mode & 0o777 == 0o600
    nonce = "a nonce of the host"
    check.workload(g.values(guest.run(f"guest workload /dev/tpm0 60 '{nonce}'")), nonce.encode())

    identity = ek(tpm)
    tpm.pcr_extend(7, b"\x11" * 32)
    pcr = tpm.pcr_read(7)

    saved = host.root / f"{domain.name}.saved"
    domain.virsh("save", saved)
    assert not domain.running
    host.run("restore", saved)
    tpm = GuestTpm(domain.connect())
    assert tpm.pcr_read(7) == pcr and ek(tpm) == identity  # the machine goes on

    domain.virsh("reset")
    domain.guest.wait_up()
    tpm = measured(domain.guest)
    assert tpm.pcr_read(7) != pcr and ek(tpm) == identity  # another boot, the same TPM

    domain.virsh("destroy")
    tpm = measured(domain.start())
    assert ek(tpm) == identity
    domain.virsh("destroy")
    domain.virsh("undefine", "--tpm")
    assert not domain.state.exists()


def test_managedsave_and_start(define):
    domain = define()
    tpm = measured(domain.start())
    tpm.pcr_extend(7, b"\x22" * 32)
    pcr = tpm.pcr_read(7)
    domain.virsh("managedsave")
    assert not domain.running
    domain.host.run("start", domain.name)
    assert GuestTpm(domain.connect()).pcr_read(7) == pcr


def test_an_internal_snapshot_is_reverted_to(define):
    domain = define(disk=True)
    tpm = measured(domain.start())
    tpm.pcr_extend(7, b"\x33" * 32)
    pcr, random = tpm.pcr_read(7), []
    domain.virsh("snapshot-create-as", "before")
    tpm.pcr_extend(7, b"\x44" * 32)
    assert tpm.pcr_read(7) != pcr
    for _ in range(2):
        domain.virsh("snapshot-revert", "before", "--running", "--force")
        tpm = GuestTpm(domain.connect())
        assert tpm.pcr_read(7) == pcr
        random.append(tpm.get_random(16))
    assert random[0] != random[1]  # the same snapshot, other random numbers


def test_banks_are_set_at_every_start(define):
    domain = define(backend=BANKS)
    for _ in range(2):
        guest = domain.start()
        measured(guest)
        assert banks(guest) == {"sha256", "sha384"}
        domain.virsh("destroy")
    other = define(backend="<active_pcr_banks><sha1/><sha512/></active_pcr_banks>")
    assert banks(other.start()) == {"sha1", "sha512"}


def test_destroy_of_a_domain_whose_tpm_has_died(define):
    domain = define()
    tpm = measured(domain.start())
    identity = ek(tpm)
    tpm.success(ct.command(0x12A, define_index(), tag=0x8002))
    os.kill(domain.tpm_pid, signal.SIGKILL)
    assert domain.running
    assert "destroyed" in domain.virsh("destroy")
    tpm = measured(domain.start())  # what was acknowledged is there
    assert ek(tpm) == identity
    assert tpm.code(ct.command(0x169, struct.pack(">I", 0x01500001))) == 0


def define_index():
    public = struct.pack(">IHIHH", 0x01500001, 0x000B, 0x02040004, 0, 8)
    return struct.pack(">I", ct.RH_OWNER) + ct.password_session() + b"\0\0" + struct.pack(">H", len(public)) + public


def test_a_tpm_of_swtpms_is_refused_with_a_line_in_the_log(define):
    domain = define()
    domain.state.mkdir(parents=True, mode=0o700)
    (domain.state / "tpm2-00.permall").write_bytes(b"somebody's TPM")
    said = domain.host.attempt("start", domain.name)
    assert "error:" in said and not domain.running
    assert "that swtpm has made" in said + domain.log
    assert (domain.state / "tpm2-00.permall").read_bytes() == b"somebody's TPM"


def test_keep_tpm(define):
    domain = define()
    identity = ek(measured(domain.start()))
    domain.virsh("destroy")
    domain.virsh("undefine", "--keep-tpm")
    assert (domain.state / "cvtpm" / "data.mdb").exists()
    domain.host.run("define", domain.xml)
    assert ek(measured(domain.start())) == identity


@pytest.fixture
def everybodys(tmp_path_factory, images, initramfs, programs):
    """Kernel, initramfs and our programs where any user may read them: (kernel, initramfs, folder of programs)."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/tmp")) as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        for name, source in (("kernel", images.kernel), ("initramfs", initramfs), ("cvtpm", ct.CVTPM)):
            shutil.copy(source, folder / name)
            (folder / name).chmod(0o755)
        for name in ("swtpm", "swtpm_setup", "swtpm_ioctl"):
            (folder / name).symlink_to("cvtpm")
        yield folder / "kernel", folder / "initramfs", folder


NOBODY = ("nobody", pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)


def test_as_an_ordinary_user(everybodys):
    kernel, initramfs, programs = everybodys
    with h.Host(programs, user=NOBODY) as host:
        domain = host.define(kernel, initramfs)
        tpm = measured(domain.start())
        assert pathlib.Path(f"/proc/{domain.tpm_pid}/cmdline").read_bytes().startswith(bytes(programs / "swtpm"))
        tpm.pcr_extend(7, b"\x66" * 32)
        pcr = tpm.pcr_read(7)
        saved = host.root / "saved"
        domain.virsh("save", saved)
        host.run("restore", saved)
        assert GuestTpm(domain.connect()).pcr_read(7) == pcr
        assert "destroyed" in domain.virsh("destroy")
        domain.virsh("undefine", "--tpm")


def test_a_secret_encrypts_what_is_kept_and_what_is_saved(everybodys):
    kernel, initramfs, programs = everybodys
    with h.Session(programs, user=NOBODY) as host:
        secret, another = host.secret(b"correct horse battery staple"), host.secret(b"another")
        domain = host.define(kernel, initramfs, backend=f"<encryption secret='{secret}'/>{BANKS}")
        tpm = measured(domain.start())
        identity = ek(tpm)
        tpm.pcr_extend(7, b"\x55" * 32)
        pcr = tpm.pcr_read(7)
        assert identity[-64:] not in (domain.state / "cvtpm" / "data.mdb").read_bytes()
        saved = host.root / f"{domain.name}.saved"
        domain.virsh("save", saved)
        image = saved.read_bytes()
        assert b"cvtpmSTA\0\0\0\x02" in image and b"cvtpmSTA\0\0\0\x01" not in image  # sealed blobs alone
        host.run("restore", saved)
        tpm = GuestTpm(domain.connect())
        assert tpm.pcr_read(7) == pcr and ek(tpm) == identity
        domain.virsh("destroy")
        assert ek(measured(domain.start())) == identity
        domain.virsh("destroy")

        domain.xml.write_text(domain.xml.read_text().replace(secret, another))
        host.run("define", domain.xml)
        said = host.attempt("start", domain.name)
        assert "error:" in said and "sealed" in domain.log
        assert not domain.running


@pytest.mark.parametrize("sealed", [False, True], ids=["clear", "secret"])
def test_a_running_domain_is_migrated_from_one_libvirt_to_another(everybodys, sealed):
    kernel, initramfs, programs = everybodys
    with h.Session(programs, user=NOBODY) as source, h.Session(programs, user=NOBODY) as target:
        number = source.secret(b"of both") if sealed else None
        if sealed:
            target.secret(b"of both", number)
        backend = f"<encryption secret='{number}'/>" if sealed else ""
        domain = source.define(kernel, initramfs, backend=backend)
        tpm = measured(domain.start())
        identity = ek(tpm)
        tpm.success(ct.command(0x12A, define_index(), tag=0x8002))
        session = tpm.start_session(1)
        tpm.pcr_extend(7, b"\x77" * 32)
        pcr = tpm.pcr_read(7)

        domain.virsh("migrate", "--live", "--persistent", "--undefinesource", target.uri, "--migrateuri",
                     f"tcp://127.0.0.1:{free_port()}")
        moved = domain.moved(target)
        assert moved.running and domain.name not in source.attempt("list", "--name")
        tpm = GuestTpm(moved.connect())
        assert tpm.pcr_read(7) == pcr and ek(tpm) == identity
        tpm.policy_command_code(session, 0x17B)  # what was loaded is loaded
        moved.virsh("destroy")
        tpm = measured(moved.start())
        assert ek(tpm) == identity
        assert tpm.code(ct.command(0x169, struct.pack(">I", 0x01500001))) == 0
        moved.virsh("destroy")
        moved.virsh("undefine", "--tpm")
        assert not moved.state.exists()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
