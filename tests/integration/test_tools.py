"""Stock tools against `cvtpm serve`: tpm2-tools over mssim and over the CRB page, openssl, and `cvtpm verify`."""
import hashlib
import os
import subprocess
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from pyasn1.codec.der import decoder
from pyasn1_modules import rfc5755

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cvtpm_test
from cvtpm_test import CVTPM, Server, run, tpm2

# name, certificate index, persistent handle, tpm2_getekcertificate's order, template
EKS = {
    "rsa2048": (0x01C00002, 0x81010001),
    "p256": (0x01C0000A, 0x8101000A),
    "p384": (0x01C00016, 0x81010016),
}
ISSUER, PLATFORM = 0x01C00100, 0x01C08000


def report_index(index):
    return 0x014C0000 | (index & 0xFFFF)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def server(lab, tmp_path_factory):
    page = tmp_path_factory.mktemp("page") / "crb"
    with Server("--mssim", "127.0.0.1:0", "--crb-page", page, "--startup", "clear", "--lab", "--lab-dir", lab) as s:
        s.page = page
        yield s
        assert s.stop() == 0, s.stderr


@pytest.fixture(params=["mssim", "crb"])
def tcti(server, request):
    """Each test is run over both."""
    return server.tcti() if request.param == "mssim" else f"cmd:{CVTPM} crb-client --crb-page {server.page}"


@pytest.fixture
def flush(tcti):
    """tpm2-tools leave transient objects behind, and libtpms has room for three: without a resource manager a
    user flushes after each step."""
    return lambda: tpm2("flushcontext", "-t", tcti=tcti)


@pytest.fixture(scope="module")
def evidence(server, lab, tmp_path_factory):
    """Everything that a verifier needs, read with tpm2_nvread and tpm2_readpublic."""
    folder = tmp_path_factory.mktemp("evidence")
    for name, (index, handle) in EKS.items():
        nvread(server.tcti(), index, folder / f"{name}.der")
        nvread(server.tcti(), report_index(index), folder / f"{name}.report")
        tpm2("readpublic", "-c", hex(handle), "-o", folder / f"{name}.pub", tcti=server.tcti())
    nvread(server.tcti(), ISSUER, folder / "issuer.der")
    nvread(server.tcti(), PLATFORM, folder / "platform.der")
    return folder


def nvread(tcti, index, path):
    tpm2("nvread", "-C", hex(index), "-o", path, hex(index), tcti=tcti)
    return path.read_bytes()


def verify(*arguments):
    return run("verify", *arguments)


def trust(lab):
    return ["--certs", lab / "certs.pem", "--lab-root", lab / "ark.pem", "--measurement",
            (lab / "measurement").read_text().strip()]


# ---- reading ----

def test_getekcertificate_finds_the_rsa_and_the_ecc_certificate(server, tcti, tmp_path, evidence):
    rsa, ecc = tmp_path / "rsa", tmp_path / "ecc"
    tpm2("getekcertificate", "-o", rsa, "-o", ecc, tcti=tcti)
    assert rsa.read_bytes() == (evidence / "rsa2048.der").read_bytes()
    assert ecc.read_bytes() == (evidence / "p256.der").read_bytes()


@pytest.mark.parametrize("name", EKS)
def test_nvreadpublic_shows_the_immutable_attributes(tcti, name):
    for index, attributes in ((EKS[name][0], 0x62072C01), (report_index(EKS[name][0]), 0x62072C01)):
        out = tpm2("nvreadpublic", hex(index), tcti=tcti).stdout
        value = int([line for line in out.splitlines() if "value" in line][-1].split()[-1], 16)
        if index >> 16 == 0x01C0:
            assert value & 0x400, f"{value:#x}: POLICY_DELETE"
        # WRITTEN and WRITELOCKED have joined what it was defined with (0x42072401).
        assert value == attributes, f"{index:#x} has {value:#x}"


@pytest.mark.parametrize("name", EKS)
def test_the_certificate_is_of_the_persistent_ek(evidence, server, name, tmp_path):
    pem = tmp_path / "ek.pem"
    tpm2("readpublic", "-c", hex(EKS[name][1]), "-f", "pem", "-o", pem, tcti=server.tcti())
    certificate = x509.load_der_x509_certificate((evidence / f"{name}.der").read_bytes())
    of_certificate = certificate.public_key().public_bytes(serialization.Encoding.DER,
                                                           serialization.PublicFormat.SubjectPublicKeyInfo)
    of_tpm = serialization.load_pem_public_key(pem.read_bytes()).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert of_certificate == of_tpm


def test_createek_makes_the_certified_keys_again(server, evidence, tmp_path):
    for algorithm, name in (("rsa", "rsa2048"), ("ecc", "p256")):
        tpm2("createek", "-G", algorithm, "-c", tmp_path / "ek.ctx", "-u", tmp_path / "ek.pub", tcti=server.tcti())
        assert (tmp_path / "ek.pub").read_bytes() == (evidence / f"{name}.pub").read_bytes()
        tpm2("flushcontext", "-t", tcti=server.tcti())


# ---- certificates ----

@pytest.mark.parametrize("name", EKS)
def test_openssl_accepts_each_ek_certificate_under_the_issuer(evidence, tmp_path, name):
    for part in ("issuer", name):
        subprocess.run(["openssl", "x509", "-inform", "DER", "-in", evidence / f"{part}.der", "-out",
                        tmp_path / f"{part}.pem"], check=True)
    done = subprocess.run(["openssl", "verify", "-CAfile", tmp_path / "issuer.pem", tmp_path / f"{name}.pem"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_platform_certificate_is_held_by_the_first_ek_certificate(evidence):
    certificate, rest = decoder.decode((evidence / "platform.der").read_bytes(), asn1Spec=rfc5755.AttributeCertificate())
    assert not rest
    ek = x509.load_der_x509_certificate((evidence / "rsa2048.der").read_bytes())
    holder = certificate["acinfo"]["holder"]["baseCertificateID"]
    assert int(holder["serial"]) == ek.serial_number
    name = holder["issuer"][0]["directoryName"]
    from pyasn1.codec.der import encoder
    assert encoder.encode(name.getComponent()) == ek.issuer.public_bytes()


# ---- use ----

@pytest.mark.parametrize("name,algorithm", [("rsa2048", "rsa"), ("p256", "ecc")])
def test_an_attestation_key_is_activated_and_quotes(tcti, flush, tmp_path, evidence, name, algorithm):
    handle = EKS[name][1]
    secret = os.urandom(32)
    (tmp_path / "secret").write_bytes(secret)
    tpm2("createak", "-C", hex(handle), "-c", tmp_path / "ak.ctx", "-G", algorithm, "-s",
         "rsassa" if algorithm == "rsa" else "ecdsa", "-u", tmp_path / "ak.pub", "-n", tmp_path / "ak.name", tcti=tcti)
    flush()
    tpm2("makecredential", "-T", "none", "-u", evidence / f"{name}.pub", "-s", tmp_path / "secret", "-n",
         (tmp_path / "ak.name").read_bytes().hex(), "-o", tmp_path / "blob", tcti="none")
    tpm2("startauthsession", "--policy-session", "-S", tmp_path / "session", tcti=tcti)
    tpm2("policysecret", "-S", tmp_path / "session", "-c", "e", tcti=tcti)
    tpm2("activatecredential", "-c", tmp_path / "ak.ctx", "-C", hex(handle), "-i", tmp_path / "blob", "-o",
         tmp_path / "activated", "-P", f"session:{tmp_path / 'session'}", tcti=tcti)
    tpm2("flushcontext", tmp_path / "session", tcti=tcti)
    flush()
    assert (tmp_path / "activated").read_bytes() == secret

    nonce = os.urandom(20).hex()
    tpm2("pcrextend", "16:sha256=" + hashlib.sha256(nonce.encode()).hexdigest(), tcti=tcti)
    tpm2("quote", "-c", tmp_path / "ak.ctx", "-l", "sha256:0,16+sha384:16", "-q", nonce, "-m", tmp_path / "quote",
         "-s", tmp_path / "sig", "-o", tmp_path / "pcrs", tcti=tcti)
    check = ["-u", tmp_path / "ak.pub", "-m", tmp_path / "quote", "-s", tmp_path / "sig", "-f", tmp_path / "pcrs"]
    tpm2("checkquote", *check, "-q", nonce, tcti="none")
    assert tpm2("checkquote", *check, "-q", "00" * 20, tcti="none", check=False).returncode != 0
    flush()


def test_sealing_and_nv_counters_work(tcti, flush, tmp_path):
    (tmp_path / "data").write_bytes(b"sealed to this TPM")
    tpm2("createprimary", "-C", "o", "-c", tmp_path / "primary", tcti=tcti)
    flush()
    tpm2("create", "-C", tmp_path / "primary", "-i", tmp_path / "data", "-u", tmp_path / "pub", "-r", tmp_path / "priv",
         tcti=tcti)
    flush()
    tpm2("load", "-C", tmp_path / "primary", "-u", tmp_path / "pub", "-r", tmp_path / "priv", "-c", tmp_path / "loaded",
         tcti=tcti)
    flush()
    assert tpm2("unseal", "-c", tmp_path / "loaded", tcti=tcti).stdout == "sealed to this TPM"
    flush()
    tpm2("nvdefine", "0x1500016", "-C", "o", "-s", "8", "-a", "ownerread|ownerwrite|nt=counter", tcti=tcti)
    tpm2("nvincrement", "0x1500016", "-C", "o", tcti=tcti)
    tpm2("nvundefine", "0x1500016", "-C", "o", tcti=tcti)


def test_pcrs_of_the_default_banks(tcti):
    out = tpm2("getcap", "pcrs", tcti=tcti).stdout
    banks = {line.split("-")[1].split(":")[0].strip(): "[ ]" not in line for line in out.splitlines() if "- sha" in line}
    assert {name for name, active in banks.items() if active} == {"sha256", "sha384"}


# ---- verification ----

@pytest.mark.parametrize("name", EKS)
def test_a_stranger_verifies_each_ek(lab, evidence, name):
    done = verify("--ek-cert", evidence / f"{name}.der", "--ek-public", evidence / f"{name}.pub", "--ek-cert-report",
                  evidence / f"{name}.report", *trust(lab))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.strip().splitlines()
    assert "LAB" in lines[0] and "LAB" in lines[-1]


def test_lab_evidence_is_refused_without_its_root(lab, evidence):
    done = verify("--ek-cert", evidence / "p256.der", "--certs", lab / "certs.pem", "--measurement",
                  (lab / "measurement").read_text().strip())
    assert done.returncode == 1, done.stdout + done.stderr


def test_evidence_of_one_ek_does_not_serve_another(lab, evidence):
    for options in (["--ek-cert", evidence / "p256.der", "--ek-public", evidence / "p384.pub"],
                    ["--ek-cert", evidence / "p256.der", "--ek-cert-report", evidence / "p384.report"]):
        assert verify(*options, *trust(lab)).returncode == 1


def test_without_a_measurement_the_answer_is_could_not_tell(lab, evidence):
    done = verify("--ek-cert", evidence / "p256.der", "--certs", lab / "certs.pem", "--lab-root", lab / "ark.pem")
    assert done.returncode == 3, done.stdout + done.stderr


@pytest.mark.parametrize("name", EKS)
def test_each_changed_byte_of_a_certificate_is_caught(lab, evidence, tmp_path, name):
    """The report over the certificate vouches for every byte of it. A sample; the whole of it is the verifier's test."""
    der = (evidence / f"{name}.der").read_bytes()
    for position in range(0, len(der), 61):
        bad = tmp_path / "bad.der"
        bad.write_bytes(der[:position] + bytes([der[position] ^ 0x04]) + der[position + 1:])
        done = verify("--ek-cert", bad, "--ek-cert-report", evidence / f"{name}.report", *trust(lab))
        assert done.returncode == 1, f"byte {position}: {done.stdout}{done.stderr}"


def test_each_start_makes_another_identity(lab, server, evidence, tmp_path):
    with Server("--mssim", "127.0.0.1:0", "--startup", "clear", "--lab", "--lab-dir", lab, "--ek", "p256") as other:
        assert nvread(other.tcti(), EKS["p256"][0], tmp_path / "ek") != (evidence / "p256.der").read_bytes()


def test_a_guest_reboot_does_not_change_an_ephemeral_identity(lab, tmp_path):
    with Server("--mssim", "127.0.0.1:0", "--startup", "clear", "--lab", "--lab-dir", lab, "--ek", "p256") as s:
        index = EKS["p256"][0]
        before = nvread(s.tcti(), index, tmp_path / "a"), nvread(s.tcti(), report_index(index), tmp_path / "b")
        platform = s.platform()
        platform.reset()
        platform.close()
        tpm2("startup", "-c", tcti=s.tcti())
        assert (nvread(s.tcti(), index, tmp_path / "a"), nvread(s.tcti(), report_index(index), tmp_path / "b")) == before


def test_without_lab_and_device_there_is_no_evidence_and_it_is_said(tmp_path):
    if os.path.exists("/dev/sev-guest"):
        pytest.skip("this machine is an SEV-SNP guest")
    with Server("--mssim", "127.0.0.1:0", "--startup", "clear", "--ek", "p256") as s:
        assert "no TEE evidence" in s.stderr
        certificate = x509.load_der_x509_certificate(nvread(s.tcti(), EKS["p256"][0], tmp_path / "ek"))
        assert "1.3.6.1.5.5.7.1.35" not in {e.oid.dotted_string for e in certificate.extensions}
        assert tpm2("nvreadpublic", hex(report_index(EKS["p256"][0])), tcti=s.tcti(), check=False).returncode != 0
