"""QEMU's recorded control traffic, played to our swtpm and to swtpm itself."""
import json
import struct

import pytest

import cvtpm_test as ct
import swtpm_test as st

SIZES = pytest.mark.parametrize("size", [0xF80, 0x1000], ids=["crb", "tis"])


@pytest.fixture(params=st.families() + ["native"])
def family(request):
    return st.Family(request.param)


def running(family, tmp_path, *options):
    folder = tmp_path / family.name
    folder.mkdir(exist_ok=True)
    return st.Running(family, "--tpm2", *family.options, "--tpmstate", f"dir={folder}", "--ctrl",
                      f"type=unixio,path={folder}/ctrl", "--terminate", *options)


def machine(family, tmp_path, server, size=0xF80):
    return st.Machine(st.Control(st.connect(tmp_path / family.name / "ctrl", server)), size)


def buffer_size(data):
    response = data.transact(ct.command(0x17A, st.words(6, 0x11E, 1)))
    return struct.unpack(">I", response[-4:])[0]


@SIZES
def test_a_machine_starts_runs_resets_and_ends(family, tmp_path, size):
    with running(family, tmp_path) as server:
        m = machine(family, tmp_path, server, size).play("begin", "init")
        assert m.data.startup() == 0
        assert buffer_size(m.data) == size
        m.data.pcr_extend(7, b"\x11" * 32)
        m.play("reset")
        assert m.data.code(ct.pcr_read(7)) == ct.RC_INITIALIZE
        m.play("reset")  # twice in a row, as seen
        assert m.data.startup() == 0
        assert m.data.pcr_read(7) == bytes(32)
        m.play("end")
        m.data.close()
        assert server.wait() == 0


def test_a_machine_is_saved_and_restored_elsewhere(family, tmp_path):
    with running(family, tmp_path) as server:
        m = machine(family, tmp_path, server).play("begin", "init")
        assert m.data.startup() == 0
        m.data.pcr_extend(7, b"\x11" * 32)
        pcr = m.data.pcr_read(7)
        key = m.data.transact(ct.create_primary_rsa(hierarchy=ct.RH_OWNER))
        m.play("save", "end")
        assert server.wait() == 0
    other = tmp_path / "other"
    other.mkdir()
    with running(family, other) as server:
        n = machine(family, other, server)
        n.blobs = m.blobs
        n.play("begin", "restore")
        assert n.data.pcr_read(7) == pcr  # no Startup: the machine goes on
        loaded = n.data.transact(ct.command(0x173, key[10:14]))
        assert ct.response_code(loaded) == 0
        n.play("reset")
        assert n.data.startup() == 0
        assert n.data.pcr_read(7) == bytes(32)
        assert n.data.transact(ct.create_primary_rsa(hierarchy=ct.RH_OWNER))[10:] == key[10:]


def test_a_snapshot_is_reverted_to_after_a_full_start(family, tmp_path):
    with running(family, tmp_path) as server:
        m = machine(family, tmp_path, server).play("begin", "init")
        assert m.data.startup() == 0
        m.data.pcr_extend(7, b"\x11" * 32)
        pcr = m.data.pcr_read(7)
        m.play("save")  # a live snapshot: it runs on
        m.data.pcr_extend(7, b"\x22" * 32)
        blobs = m.blobs
        m.play("end")
        assert server.wait() == 0
    with running(family, tmp_path) as server:
        n = machine(family, tmp_path, server)
        n.blobs = blobs
        n.play("begin", "init", "restore")
        assert n.data.pcr_read(7) == pcr


def test_a_machine_that_dies_takes_its_tpm_with_it(family, tmp_path):
    with running(family, tmp_path) as server:
        m = machine(family, tmp_path, server).play("begin", "init")
        assert m.data.startup() == 0
        m.data.close()
        m.control.close()
        assert server.wait() == 0


def test_a_client_of_the_control_channel_that_goes_ends_nothing(family, tmp_path):
    with running(family, tmp_path) as server:
        m = machine(family, tmp_path, server).play("begin", "init")
        assert m.data.startup() == 0
        m.control.close()
        assert m.data.get_random(4)
        assert family.ioctl(tmp_path / family.name / "ctrl", "-c").returncode == 0
        assert m.data.get_random(4)
        m.data.close()
        assert server.wait() == 0


def test_the_states_of_a_stopped_machine_are_listed(family, tmp_path):
    with running(family, tmp_path) as server:
        m = machine(family, tmp_path, server).play("begin", "init")
        assert m.data.startup() == 0
        assert m.control.result(st.STORE_VOLATILE) == 0
        m.play("end")
        m.data.close()
        assert server.wait() == 0
    said = family.run("swtpm", "socket", "--tpm2", "--tpmstate", f"dir={tmp_path / family.name}", "--print-states")
    assert {s["name"] for s in json.loads(said.stdout)["states"]} == {"permall", "volatilestate"}
