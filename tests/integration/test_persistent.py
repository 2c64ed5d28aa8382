"""A TPM that outlives its process: what survives, what is renewed, and what root in the guest gets."""
import os
import re
import signal
import struct
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cvtpm_test import (RH_OWNER, RH_PLATFORM, Server, command, password_session, response_code, run, with_engine)

CERTIFICATE, REPORT, HANDLE = 0x01C0000A, 0x014C000A, 0x8101000A
RH_LOCKOUT = 0x4000000A
ATTRIBUTES = 0x42072001


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return tmp_path_factory.mktemp("lab")


@pytest.fixture
def state(lab, tmp_path):
    folder = tmp_path / "state"
    done = run("manufacture", "--state", folder, "--lab", "--lab-dir", lab, "--ek", "p256")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def boot(state, lab, *options):
    return Server("--tcp", "127.0.0.1:0", "--state", state, "--lab", "--lab-dir", lab, "--startup", "clear", *options)


def call(tpm, code, handles, parameters=b"", auths=1, password=b""):
    """(response code, response) of a command with password sessions."""
    session = password_session(password)[4:]
    body = b"".join(struct.pack(">I", h) for h in handles)
    if auths:
        body += struct.pack(">I", len(session) * auths) + session * auths
    response = tpm.transact(command(code, body + parameters, tag=0x8002 if auths else 0x8001))
    return response_code(response), response[10:]


def must(tpm, *arguments, **more):
    code, body = call(tpm, *arguments, **more)
    assert code == 0, f"{arguments[0]:#x} answered {code:#x}"
    return body


def nv_read(tpm, index):
    public = must(tpm, 0x169, [index], auths=0)
    size = struct.unpack(">H", public[14 + struct.unpack(">H", public[12:14])[0]:][:2])[0]
    data = b""
    while len(data) < size:
        body = must(tpm, 0x14E, [index, index], struct.pack(">HH", min(1024, size - len(data)), len(data)))
        data += body[6:6 + struct.unpack(">H", body[4:6])[0]]
    return data


def nv_replace(tpm, index, data):
    assert call(tpm, 0x122, [RH_PLATFORM, index])[0] == 0
    public = struct.pack(">IHIHH", index, 0x000B, ATTRIBUTES, 0, len(data))
    must(tpm, 0x12A, [RH_PLATFORM], struct.pack(">H", 0) + struct.pack(">H", len(public)) + public)
    for at in range(0, len(data), 1024):
        part = data[at:at + 1024]
        must(tpm, 0x137, [RH_PLATFORM, index], struct.pack(">H", len(part)) + part + struct.pack(">H", at))


def verify(lab, certificate, report, tmp_path):
    (tmp_path / "ek.der").write_bytes(certificate)
    (tmp_path / "report").write_bytes(report)
    return run("verify", "--ek-cert", tmp_path / "ek.der", "--ek-cert-report", tmp_path / "report", "--certs",
               lab / "certs.pem", "--lab-root", lab / "ark.pem", "--measurement",
               (lab / "measurement").read_text().strip())


def is_locked(tpm, index):
    return bool(struct.unpack(">I", must(tpm, 0x169, [index], auths=0)[8:12])[0] & 0x800)


def test_the_identity_survives_and_the_report_is_renewed(state, lab, tmp_path):
    seen = []
    for _ in range(3):
        with boot(state, lab) as server:
            tpm = server.raw()
            certificate, report = nv_read(tpm, CERTIFICATE), nv_read(tpm, REPORT)
            assert is_locked(tpm, REPORT)
            done = verify(lab, certificate, report, tmp_path)
            assert done.returncode == 0, done.stdout
            seen.append((certificate, report))
            assert server.stop() == 0
    assert len({c for c, _ in seen}) == 1
    assert len({r for _, r in seen}) == 3


def test_a_replaced_ek_certificate_gets_no_report(state, lab, tmp_path):
    with boot(state, lab) as server:
        tpm = server.raw()
        genuine = nv_read(tpm, CERTIFICATE)
        key, fake = tmp_path / "key", tmp_path / "fake"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", key, "-subj", "/CN=attacker", "-outform", "DER", "-out", fake], check=True,
                       capture_output=True)
        nv_replace(tpm, CERTIFICATE, fake.read_bytes())
        assert server.stop() == 0
    with boot(state, lab) as server:
        tpm = server.raw()
        assert nv_read(tpm, CERTIFICATE) == fake.read_bytes()
        assert nv_read(tpm, REPORT) == bytes(1184)
        assert is_locked(tpm, REPORT)
        assert verify(lab, fake.read_bytes(), bytes(1184), tmp_path).returncode == 1
        nv_replace(tpm, CERTIFICATE, genuine)
        assert server.stop() == 0
    with boot(state, lab) as server:  # put back, it is certified again
        tpm = server.raw()
        assert verify(lab, genuine, nv_read(tpm, REPORT), tmp_path).returncode == 0


def test_without_the_amd_sp_the_report_index_holds_locked_zeros(state, lab):
    if os.path.exists("/dev/sev-guest"):
        pytest.skip("this machine is an SEV-SNP guest")
    with boot(state, lab) as server:
        older = nv_read(server.raw(), REPORT)
        assert any(older)
    with Server("--tcp", "127.0.0.1:0", "--state", state, "--startup", "clear") as server:
        tpm = server.raw()
        assert nv_read(tpm, REPORT) == bytes(1184)
        assert is_locked(tpm, REPORT)
        # ... and an older genuine report cannot be put there.
        for authority in (RH_PLATFORM, REPORT):
            code, _ = call(tpm, 0x137, [authority, REPORT], struct.pack(">H", 1024) + older[:1024] + b"\0\0")
            assert code in (0x148, 0x12F), hex(code)
        assert call(tpm, 0x122, [RH_PLATFORM, REPORT])[0] == 0x282
        assert nv_read(tpm, REPORT) == bytes(1184)


def test_the_ek_comes_back_after_clear(state, lab, tmp_path):
    with boot(state, lab) as server:
        tpm = server.raw()
        before = must(tpm, 0x173, [HANDLE], auths=0)
        must(tpm, 0x126, [RH_PLATFORM])
        assert call(tpm, 0x173, [HANDLE], auths=0)[0] != 0
        assert server.stop() == 0
    with boot(state, lab) as server:
        tpm = server.raw()
        assert must(tpm, 0x173, [HANDLE], auths=0) == before
        assert verify(lab, nv_read(tpm, CERTIFICATE), nv_read(tpm, REPORT), tmp_path).returncode == 0


def test_a_changed_endorsement_seed_gets_no_report(state, lab):
    with boot(state, lab) as server:
        must(server.raw(), 0x124, [RH_PLATFORM])
        assert server.stop() == 0
    with boot(state, lab) as server:
        assert nv_read(server.raw(), REPORT) == bytes(1184)


def test_wrong_passwords_count_across_sigkill(state, lab):
    """An attacker who kills the process before it can write must not get more tries."""
    index, public = 0x01500001, struct.pack(">IHIHH", 0x01500001, 0x000B, 0x00040004 | 0x2, 0, 8)
    max_tries = 3
    with boot(state, lab) as server:
        tpm = server.raw()
        must(tpm, 0x12A, [RH_OWNER], struct.pack(">H", 6) + b"secret" + struct.pack(">H", len(public)) + public)
        must(tpm, 0x137, [RH_OWNER, index], struct.pack(">H", 8) + bytes(8) + b"\0\0")
        must(tpm, 0x13A, [RH_LOCKOUT], struct.pack(">III", max_tries, 100000, 100000))
        assert server.stop() == 0
    codes = []
    for _ in range(max_tries + 2):
        with boot(state, lab) as server:
            tpm, code = server.raw(), 0x922
            while code == 0x922:  # TPM_RC_RETRY: the first use of a protected entity is noted durably
                code, _ = call(tpm, 0x14E, [index, index], struct.pack(">HH", 8, 0), password=b"guess")
            codes.append(code)
            server.kill()
    assert codes[0] == 0x98E  # TPM_RC_AUTH_FAIL, session 1
    assert 0x921 in codes[:max_tries + 1], [hex(c) for c in codes]  # TPM_RC_LOCKOUT


def test_an_orderly_stop_does_not_count_as_a_failed_try(state, lab):
    """TPM2_Shutdown is sent on SIGTERM: many stops of a used TPM never reach lockout."""
    for _ in range(4):
        with boot(state, lab) as server:
            tpm = server.raw()
            body = tpm.transact(command(0x17A, struct.pack(">III", 6, 0x20E, 1)))  # TPM_PT_LOCKOUT_COUNTER
            assert response_code(body) == 0
            assert struct.unpack(">I", body[-4:])[0] == 0
            assert server.stop() == 0


@pytest.mark.parametrize("engine", ["libtpms", "native"])
def test_the_command_that_manufacture_tells_serves_what_it_made(engine, lab, tmp_path):
    done = run("manufacture", "--engine", engine, "--state", tmp_path / "state", "--lab", "--lab-dir", lab, "--ek", "p256")
    assert done.returncode == 0, done.stderr
    told = re.search(r"`cvtpm serve (.*)`", done.stdout)[1].split()
    with Server(*("127.0.0.1:0" if word == "127.0.0.1:2321" else word for word in told)) as server:
        assert "ready" in server.ready


def test_manufacture_refuses_a_folder_that_holds_a_tpm(state, lab):
    done = run("manufacture", "--state", state, "--lab", "--lab-dir", lab)
    assert done.returncode == 1, done.stderr
    assert str(state) in done.stderr


@pytest.mark.parametrize("delay", [0.02, 0.1, 0.3, 0.6, 1.0])
def test_a_killed_manufacture_leaves_nothing_or_everything(lab, tmp_path, delay):
    """`lab` exists already, so that the delays fall into the manufacture itself."""
    import time
    folder = tmp_path / "state"
    process = subprocess.Popen([os.environ["CVTPM"], *with_engine("manufacture", "--state", folder, "--lab", "--lab-dir", lab)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(delay)
    process.kill()
    process.wait()
    again = run("manufacture", "--state", folder, "--lab", "--lab-dir", lab, "--ek", "p256")
    assert again.returncode in (0, 1), again.stderr
    with boot(folder, lab) as server:
        assert any(nv_read(server.raw(), REPORT))


def test_evidence_is_refused_on_a_store_that_others_can_read(tmp_path):
    """Only the lab may put evidence into plain state; a real device may not, and there is none here."""
    if os.path.exists("/dev/sev-guest"):
        pytest.skip("this machine is an SEV-SNP guest")
    done = run("manufacture", "--state", tmp_path / "state", "--ek", "p256")
    assert done.returncode == 0, done.stderr
    assert "no TEE evidence" in done.stdout + done.stderr
