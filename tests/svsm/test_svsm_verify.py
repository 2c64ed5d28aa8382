"""`cvtpm verify` on what the attestation call returned, and on what it must not take."""
import json
import os
import subprocess

import pytest

CVTPM, EVIDENCE = os.environ["CVTPM"], os.environ["CVTPM_SVSM_EVIDENCE"]
YES, NO, FAULT, UNKNOWN = 0, 1, 2, 3
POLICY, DEBUG = 0x30000, 1 << 19


class Answer:
    """What one guest got: a folder of svsm_evidence's files."""

    def __init__(self, lab, folder, ek="rsa2048", vmpl=0, policy=POLICY):
        os.mkdir(folder)
        self.lab, self.folder = lab, folder
        subprocess.run([EVIDENCE, lab, folder, ek, str(vmpl), hex(policy)], check=True, timeout=120)

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def verify(self, *more, manifest=None, nonce=None):
        """Exit status, and the ids of the checks that decided."""
        with open(os.path.join(self.lab, "measurement"), encoding="ascii") as f:
            measurement = f.read().strip()
        options = ["--report", self.path("report.bin"), "--certs", self.path("certs.bin"), "--measurement", measurement,
                   "--lab-root", os.path.join(self.lab, "ark.pem"),
                   "--svsm-manifest", manifest or self.path("manifest.bin")]
        if nonce != "":
            options += ["--svsm-nonce", nonce or self.path("nonce")]
        run = subprocess.run([CVTPM, "verify", "--json", *options, *more], capture_output=True, text=True, timeout=60)
        if run.returncode == FAULT:
            return FAULT, run.stderr
        checks = json.loads(run.stdout)["checks"]
        return run.returncode, {c["id"] for c in checks if c["verdict"] in ("refused", "could not tell")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("svsm")


@pytest.fixture(scope="module")
def lab(folder):
    return str(folder / "lab")


@pytest.fixture(scope="module")
def answer(lab, folder):
    return Answer(lab, str(folder / "rsa"))


@pytest.fixture(scope="module")
def other(lab, folder):
    return Answer(lab, str(folder / "p256"), ek="p256")


def test_what_the_call_returned_is_accepted(answer, other):
    assert answer.verify() == (YES, set())
    assert other.verify() == (YES, set())
    assert answer.verify("--ek-public", answer.path("ek.tpmt")) == (YES, set())
    assert answer.verify(nonce=answer.read("nonce").decode().upper()) == (YES, set())


def test_the_nonce_may_be_a_file_of_bytes(answer, tmp_path):
    (tmp_path / "nonce").write_bytes(bytes.fromhex(answer.read("nonce").decode()))
    assert answer.verify(nonce=str(tmp_path / "nonce")) == (YES, set())


def test_another_nonce_is_refused(answer, other):
    status, ids = answer.verify(nonce=other.path("nonce"))
    assert status == NO and "binding" in ids


def test_each_bit_of_the_nonce_counts(answer):
    nonce = bytes.fromhex(answer.read("nonce").decode())
    for at in (0, 31, 63):
        flipped = bytearray(nonce)
        flipped[at] ^= 1
        assert answer.verify(nonce=flipped.hex())[0] == NO


def test_without_a_nonce_there_is_no_answer(answer):
    status, ids = answer.verify(nonce="")
    assert status == UNKNOWN and "binding" in ids


def test_a_manifest_with_a_size_is_refused(answer, tmp_path):
    ek = answer.read("manifest.bin")
    (tmp_path / "sized").write_bytes(len(ek).to_bytes(2, "big") + ek)
    assert answer.verify(manifest=str(tmp_path / "sized")) == (NO, {"svsm-manifest"})


@pytest.mark.parametrize("change", [lambda m: m[:-1], lambda m: m + b"\0", lambda m: b"", lambda m: bytes([m[0] ^ 1]) + m[1:],
                                    lambda m: m * 40], ids=["short", "long", "empty", "attributes", "huge"])
def test_a_manifest_that_is_no_ek_is_refused(answer, tmp_path, change):
    (tmp_path / "m").write_bytes(change(answer.read("manifest.bin")))
    assert answer.verify(manifest=str(tmp_path / "m")) == (NO, {"svsm-manifest"})


def test_another_ek_is_refused(answer, other, tmp_path):
    assert "binding" in answer.verify(manifest=other.path("manifest.bin"))[1]
    assert answer.verify("--ek-public", other.path("ek.tpmt")) == (NO, {"svsm-ek"})
    changed = bytearray(answer.read("manifest.bin"))
    changed[-1] ^= 2  # another modulus
    (tmp_path / "m").write_bytes(changed)
    assert answer.verify(manifest=str(tmp_path / "m"))[0] == NO


def test_vmpl_1_and_debug_are_refused(lab, folder):
    assert Answer(lab, str(folder / "vmpl1"), vmpl=1).verify()[1] == {"vmpl"}
    assert Answer(lab, str(folder / "debug"), policy=POLICY | DEBUG).verify()[1] == {"debug"}


def test_amds_roots_do_not_know_the_lab(answer):
    run = subprocess.run([CVTPM, "verify", "--report", answer.path("report.bin"), "--certs", answer.path("certs.bin"),
                          "--svsm-manifest", answer.path("manifest.bin"), "--svsm-nonce", answer.path("nonce")],
                         capture_output=True, timeout=60)
    assert run.returncode == NO


def test_wrong_usage_is_said_to_be_that(answer):
    assert answer.verify(nonce="00")[0] == FAULT
    assert answer.verify(nonce=answer.path("manifest.bin"))[0] == FAULT
    for options, word in ((["--svsm-nonce", "00" * 64], "--svsm-manifest"),
                          (["--svsm-manifest", answer.path("manifest.bin")], "--report")):
        run = subprocess.run([CVTPM, "verify", *options], capture_output=True, text=True, timeout=60)
        assert run.returncode == FAULT and word in run.stderr
