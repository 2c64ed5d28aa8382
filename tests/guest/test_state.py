"""What a guest's TPM keeps over a reset, a snapshot, a migration, and the death of the process that serves it."""
import subprocess

import pytest

import check
import cvtpm_test as ct
import doors
import guest as g
from tpm import NV_INDEX, POLICY, GuestTpm

NV_READ = 0x14E
BEFORE, AFTER = b"written before", b"written after!"
COUNTED = "guest counted /dev/tpm0"


class Memory:
    """State of every kind in a TPM: PCR, object, session, NV. It is there, or it is not."""

    def __init__(self, tpm):
        tpm.pcr_extend(11, b"\x11" * 32)
        self.pcr = tpm.pcr_read(11)
        self.key, self.public = tpm.create_signing_key()
        self.session = tpm.start_session(POLICY)
        tpm.policy_command_code(self.session, NV_READ)
        self.policy = tpm.policy_digest(self.session)
        tpm.nv_define(NV_INDEX, len(BEFORE))
        tpm.nv_write(NV_INDEX, BEFORE)
        assert self.pcr != bytes(32) and self.policy != bytes(32)

    def spoil(self, tpm):
        """Changes all of it."""
        tpm.pcr_extend(11, b"\x22" * 32)
        tpm.flush(self.key)
        tpm.flush(self.session)
        tpm.nv_write(NV_INDEX, AFTER)

    def check(self, tpm, nonce):
        """All of it is as it was."""
        assert tpm.pcr_read(11) == self.pcr
        quoted, signature = tpm.quote(self.key, nonce, 11)
        check.verify_ecdsa(self.public, signature, quoted)
        assert nonce in quoted
        assert tpm.policy_digest(self.session) == self.policy
        self.check_nv(tpm)

    def check_nv(self, tpm):
        assert tpm.nv_read(NV_INDEX, len(BEFORE)) == BEFORE



def reset(guest):
    """A reset of the machine: what is persistent stays, and nothing else."""
    tpm = GuestTpm(guest)
    memory = Memory(tpm)
    ek = tpm.read_public(0x8101000A)
    resets, _ = tpm.reset_count()
    guest.reset()
    assert tpm.pcr_read(11) == bytes(32)
    assert tpm.pcr_read(10) != bytes(32), "IMA of the new boot"
    assert tpm.code(ct.command(0x173, memory.key.to_bytes(4, "big"))) != 0
    assert tpm.code(ct.flush_context(memory.session)) != 0
    memory.check_nv(tpm)
    assert tpm.read_public(0x8101000A) == ek
    assert tpm.reset_count() == (resets + 1, 0)


def test_a_reset_behind_the_control_channel(machines, short_path):
    ctrl = short_path / "ctrl"
    with doors.serve_control(ctrl), machines.boot(*doors.emulator(ctrl)) as guest:
        reset(guest)


@pytest.mark.parametrize("method", [8, pytest.param(7, marks=pytest.mark.slow)])
def test_a_reset_of_a_machine_with_a_page(machines, short_path, method):
    """QEMU's monitor tells of it. A command that runs at the reset ends, and its answer is nobody's."""
    page = doors.Page(short_path, method=method, monitor=True)
    with page.serve() as server:
        with machines.boot(*page.door, **page.how) as guest:
            reset(guest)
            tpm = GuestTpm(guest)
            tpm.pcr_extend(11, b"\x11" * 32)
            guest.run("sh -c 'while guest workload /dev/tpm0 20 nonce; do :; done' >/dev/null 2>&1 &")
            guest.reset()
            assert tpm.pcr_read(11) == bytes(32)
            assert len(tpm.get_random(8)) == 8
        assert server.wait() == 0, "the machine's end is the server's"


@pytest.mark.slow
def test_a_snapshot_brings_back_object_and_session(machines, short_path):
    ctrl, disk = short_path / "ctrl", short_path / "snapshots.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "64M"], check=True)
    with doors.serve_control(ctrl), machines.boot(*doors.emulator(ctrl), snapshots=disk) as guest:
        tpm = GuestTpm(guest)
        memory = Memory(tpm)
        guest.monitor.monitor("savevm one")
        memory.check(tpm, b"after savevm")
        numbers = [tpm.get_random(16)]
        memory.spoil(tpm)
        for _ in range(2):
            guest.monitor.monitor("loadvm one")
            memory.check(tpm, b"after loadvm")
            numbers.append(tpm.get_random(16))
        assert len(set(numbers)) == 3, "the same snapshot gives the same random numbers"


@pytest.mark.slow
def test_a_tpm_with_evidence_is_not_saved(machines, short_path):
    """The snapshot fails, and says so; machine and TPM go on."""
    ctrl, disk = short_path / "ctrl", short_path / "snapshots.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "64M"], check=True)
    with doors.serve_control(ctrl, "--evidence", "--lab", "--lab-dir", short_path / "lab") as server:
        with machines.boot(*doors.emulator(ctrl), snapshots=disk) as guest:
            tpm = GuestTpm(guest)
            tpm.pcr_extend(11, b"\x11" * 32)
            pcr = tpm.pcr_read(11)
            with pytest.raises(AssertionError, match="savevm"):
                guest.monitor.monitor("savevm one")
            guest.monitor.execute("cont")
            assert tpm.pcr_read(11) == pcr
        assert "evidence" in server.stderr


@pytest.mark.slow
@pytest.mark.parametrize("device", ["tpm-crb", "tpm-tis"])
def test_a_migration_takes_everything_along(machines, short_path, device):
    here, there, stream = short_path / "here", short_path / "there", f"unix:{short_path / 'migration'}"
    with doors.serve_control(here) as source, doors.serve_control(there) as destination:
        with machines.boot(*doors.emulator(here, device)) as left:
            tpm = GuestTpm(left)
            memory = Memory(tpm)
            with machines.boot(*doors.emulator(there, device), incoming=stream) as right:
                ct.wait_until((short_path / "migration").exists, "the second QEMU")
                left.monitor.execute("migrate", uri=stream)
                left.monitor.wait_until("query-migrate", lambda answer: answer.get("status") in ("completed", "failed"))
                assert left.monitor.execute("query-migrate")["status"] == "completed"
                right.monitor.wait_until("query-status", lambda answer: answer["running"])
                tpm = GuestTpm(right)
                memory.check(tpm, b"after migration")
                assert len(right.run("cat /sys/class/tpm/tpm0/pcr-sha256/11").strip()) == 64
                right.reset()
                memory.check_nv(tpm)
                assert tpm.pcr_read(11) == bytes(32)
        assert source.wait() == 0 and destination.wait() == 0


def acknowledged(guest):
    """The last numbers that the guest has seen acknowledged."""
    found = g.values(guest.run("cat /tmp/counting"))
    return int(found["counted"][-1]), int(found["written"][-1])


def check_counted(guest, counted, written):
    """What is in the TPM; one more of each may have been done and not been told."""
    found = g.values(guest.run(COUNTED))
    assert int(found["counted"][0]) in (counted, counted + 1)
    assert int(found["written"][0]) in (written, written + 1)


@pytest.mark.slow
def test_a_killed_server_loses_nothing_acknowledged(machines, short_path, tmp_path):
    """The machine behind the control channel has no TPM any more, and no fresh PCRs; the next machine finds all
    that was acknowledged."""
    ctrl, state = short_path / "ctrl", tmp_path / "state"
    assert ct.run("manufacture", "--state", state, *doors.EK).returncode == 0
    with ct.Server("--ctrl", f"unix:{ctrl}", "--state", state, *doors.ENGINE) as server:
        with machines.boot(*doors.emulator(ctrl)) as guest:
            tpm = GuestTpm(guest)
            tpm.pcr_extend(11, b"\x11" * 32)
            guest.run("guest count /dev/tpm0 >/tmp/counting 2>&1 &")
            ct.wait_until(lambda: "written 20" in guest.run("cat /tmp/counting"), "20 counts")
            server.kill()
            counted, written = acknowledged(guest)
            status, said = guest.attempt(f"guest send /dev/tpm0 {ct.pcr_read(11).hex()}")
            assert status != 0 or ct.response_code(bytes.fromhex(said.split()[1])) != 0, said
    assert 20 <= written <= counted
    with ct.Server("--ctrl", f"unix:{ctrl}", "--state", state, "--terminate", *doors.ENGINE):
        with machines.boot(*doors.emulator(ctrl)) as guest:
            check_counted(guest, counted, written)


@pytest.mark.slow
@pytest.mark.parametrize("method", [8, 7])
def test_a_killed_server_of_a_page_is_no_new_machine(machines, short_path, tmp_path, method):
    """The server that takes over answers with failures until the machine is reset. Then all that was acknowledged
    is there, and the PCRs are of the new boot."""
    state = tmp_path / "state"
    assert ct.run("manufacture", "--state", state, *doors.EK).returncode == 0
    page = doors.Page(short_path, method=method, monitor=True)
    with page.serve("--state", state, ek=doors.ENGINE) as server:
        with machines.boot(*page.door, **page.how) as guest:
            tpm = GuestTpm(guest)
            tpm.pcr_extend(11, b"\x11" * 32)
            guest.run("guest count /dev/tpm0 >/tmp/counting 2>&1 &")
            ct.wait_until(lambda: "written 20" in guest.run("cat /tmp/counting"), "20 counts")
            server.kill()
            with page.serve("--state", state, ek=doors.ENGINE) as second:
                assert "failure mode" in second.ready
                ct.wait_until(lambda: guest.attempt("pidof guest | grep -q ' '")[0] != 0, "the end of counting")
                counted, written = acknowledged(guest)
                assert 20 <= written <= counted
                for _ in range(2):
                    assert tpm.startup() == tpm.code(ct.pcr_read(11)) == ct.RC_FAILURE
                guest.reset()
                check_counted(guest, counted, written)
                assert tpm.pcr_read(11) == bytes(32)
                assert tpm.pcr_read(10) != bytes(32)
