"""The program `cvtpm verify`, run as people run it."""
import json
import os
import subprocess

import cbor2
import pytest

import lab
from lab import Ek, Lab, pem

CVTPM = os.environ["CVTPM"]
DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data")
CHAIN = {p: "coco-trustee/%s_ask_ark_asvk.pem" % p.lower() for p in ("Milan", "Genoa", "Turin")}
YES, NO, FAULT, UNKNOWN = 0, 1, 2, 3


def data(*parts):
    return os.path.join(DATA, *parts)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def verify(*args, text=False):
    run = subprocess.run([CVTPM, "verify", *(() if text else ("--json",)), *map(str, args)], capture_output=True, timeout=120)
    out = run.stdout.decode("ascii")  # whatever the evidence holds, this is printable ASCII
    assert all(c == "\n" or " " <= c <= "~" for c in out)
    if text or not out:
        return run.returncode, out, run.stderr.decode()
    assert out.count("\n") == 1
    return run.returncode, json.loads(out), run.stderr.decode()


def of(outcome, verdict):
    return {c["id"] for c in outcome["checks"] if c["verdict"] == verdict}


def check(outcome, name, about=None):
    found = [c for c in outcome["checks"] if c["id"] == name and about in (None, c["about"])]
    assert found, "no check " + name
    return found[0]


# ---- genuine reports ----

# name, report, certificates, what its line in the list of samples calls for
GENUINE = [
    ("go-sev-guest", "go-sev-guest/attestation.bin", ["go-sev-guest/vcek.testcer", "go-sev-guest/milan.testcer"],
     ["--allow-debug"]),
    ("azure-v2", "coco-trustee/test-report.bin", ["coco-trustee/test-vcek.der", CHAIN["Milan"]], []),
    ("azure-hcl", "coco-trustee/hcl-report.snpreport.bin", ["coco-trustee/vcek.pem"], []),
    ("virtee", "virtee-sev/report_milan.bin", ["virtee-sev/vcek_milan.der", "virtee-sev/cert_chain_milan"], []),
    ("vlek", "coco-trustee/test-vlek-report.bin", ["coco-trustee/test-vlek.der", CHAIN["Milan"]],
     ["--vmpl", "1", "--at", "2025-06-01T00:00:00Z"]),
    ("evidence-v0", "coco-trustee/evidence-v0.snpreport.bin", ["coco-trustee/evidence-v0.vcek.pem", CHAIN["Milan"]], []),
    ("evidence-v1", "coco-trustee/evidence-v1.snpreport.bin", ["coco-trustee/evidence-v1.vcek.der", CHAIN["Milan"]], []),
    ("evidence-v2", "coco-trustee/evidence-v2.snpreport.bin", ["coco-trustee/evidence-v2.vcek.der", CHAIN["Milan"]], []),
    ("genoa", "coco-trustee/evidence-genoa.snpreport.bin", ["coco-trustee/evidence-genoa.vcek.pem", CHAIN["Genoa"]], []),
    ("turin-v5", "routex-lua/report-turin-v5.bin", ["routex-lua/vcek-chain-turin.pem"], []),
]


def genuine_args(sample):
    _, report, certs, needs = sample
    measurement = read(data(report))[0x90:0xC0].hex()
    return (["--report", data(report), "--certs", *(data(c) for c in certs), "--report-only", *needs],
            ["--measurement", measurement])


ids = [s[0] for s in GENUINE]


def needs_debug(sample):
    return bool(read(data(sample[1]))[0x0A] & 0x08)


@pytest.mark.parametrize("sample", GENUINE, ids=ids)
def test_a_genuine_report_verifies_with_its_measurement(sample):
    args, measurement = genuine_args(sample)
    code, out, _ = verify(*args, *measurement)
    assert (code, out["verdict"], out["lab"]) == (YES, "yes", False)
    assert check(out, "root")["found"].startswith("ARK-")
    code, text, _ = verify(*args, *measurement, text=True)
    assert code == YES and text.splitlines()[-1] == "verdict: yes" and "LAB" not in text


@pytest.mark.parametrize("sample", GENUINE, ids=ids)
def test_a_genuine_report_with_another_measurement_is_refused(sample):
    args, _ = genuine_args(sample)
    code, out, _ = verify(*args, "--measurement", "00" * 48)
    assert code == NO and of(out, "refused") == {"measurement"}


@pytest.mark.parametrize("sample", GENUINE, ids=ids)
def test_a_genuine_report_without_a_measurement_is_never_a_yes(sample):
    args, _ = genuine_args(sample)
    code, out, _ = verify(*args)
    assert code == UNKNOWN and "measurement" in of(out, "could not tell") and not of(out, "refused")


@pytest.mark.parametrize("sample", GENUINE, ids=ids)
def test_a_genuine_report_without_an_ek_is_not_enough(sample):
    args, measurement = genuine_args(sample)
    args.remove("--report-only")
    code, out, _ = verify(*args, *measurement)
    assert code == UNKNOWN and of(out, "could not tell") == {"binding"}


@pytest.mark.parametrize("sample", [s for s in GENUINE if s[3]], ids=[s[0] for s in GENUINE if s[3]])
def test_a_genuine_report_is_refused_without_what_it_calls_for(sample):
    args, measurement = genuine_args(sample)
    names = {"--allow-debug": "debug", "--vmpl": "vmpl", "--at": "dates"}
    at = args.index(sample[3][0])
    rest = args[at:]
    while rest:
        option = rest.pop(0)
        value = [rest.pop(0)] if rest and not rest[0].startswith("--") else []
        less = list(args)
        where = less.index(option)
        del less[where:where + 1 + len(value)]
        code, out, _ = verify(*less, *measurement)
        assert code == NO and of(out, "refused") == {names[option]}


@pytest.mark.parametrize("sample", GENUINE, ids=ids)
def test_only_a_debug_guest_needs_allow_debug(sample):
    assert needs_debug(sample) == ("--allow-debug" in sample[3])


@pytest.mark.parametrize("sample", GENUINE, ids=ids)
def test_a_genuine_report_before_or_after_its_certificates_is_refused(sample):
    args, measurement = genuine_args(sample)
    for at in ("2019-01-01T00:00:00Z", "2060-01-01T00:00:00+01:00"):
        code, out, _ = verify(*args, *measurement, "--at", at)
        assert code == NO and of(out, "refused") == {"dates"}


@pytest.mark.parametrize("sample", GENUINE, ids=ids)
def test_a_genuine_report_without_its_certificates_cannot_be_told(sample):
    args, measurement = genuine_args(sample)
    certs = args.index("--certs")
    without = args[:certs] + args[certs + 1 + len(sample[2]):]
    code, out, _ = verify(*without, *measurement)
    assert code == UNKNOWN and "signature" in of(out, "could not tell")


@pytest.mark.parametrize("table,report,more", [
    ("milan_vcek_v2", "go-sev-guest/attestation.bin", ["--allow-debug"]),
    ("milan_vlek_v3", "coco-trustee/test-vlek-report.bin", ["--vmpl", "1", "--at", "2025-06-01T00:00:00Z"])])
def test_certificates_come_from_a_ghcb_table_too(table, report, more):
    measurement = read(data(report))[0x90:0xC0].hex()
    path = data("certtables", table + ".certs.bin")
    assert verify("--report", data(report), "--certs", path, "--measurement", measurement, "--report-only", *more)[0] == YES


def test_the_root_is_built_in_and_the_ca_is_not(tmp_path):
    _, measurement = genuine_args(GENUINE[6])
    leaf = data("coco-trustee/evidence-v1.vcek.der")
    blocks = read(data(CHAIN["Milan"])).split(b"-----END CERTIFICATE-----\n")
    ask = tmp_path / "ask.pem"
    ask.write_bytes(blocks[0] + b"-----END CERTIFICATE-----\n")
    report = ["--report", data(GENUINE[6][1]), "--report-only", *measurement]
    assert verify(*report, "--certs", leaf, ask)[0] == YES
    code, out, _ = verify(*report, "--certs", leaf)
    assert code == UNKNOWN and of(out, "could not tell") == {"chain"}


@pytest.mark.parametrize("cert", ["test-vcek-invalid-legacy.der", "test-vcek-invalid-new.der"])
def test_an_invalid_vcek_is_refused(cert):
    code, out, _ = verify("--report", data("coco-trustee/test-report.bin"), "--certs", data("coco-trustee", cert),
                          data(CHAIN["Milan"]), "--measurement",
                          read(data("coco-trustee/test-report.bin"))[0x90:0xC0].hex(), "--report-only")
    assert code == NO and {"chain", "signature"} <= of(out, "refused")


def test_a_report_with_the_vcek_of_another_chip_is_refused():
    code, out, _ = verify("--report", data("routex-lua/report-turin-v5.bin"), "--certs", data("virtee-sev/vcek_turin.der"),
                          data(CHAIN["Turin"]), "--report-only")
    assert code == NO and {"signature", "chip-id"} <= of(out, "refused")
    assert check(out, "chain")["verdict"] == "ok"


def test_unknown_platform_bits_and_a_lower_committed_tcb_are_warnings():
    args, measurement = genuine_args(GENUINE[-1])
    assert "platform-info" in of(verify(*args, *measurement)[1], "warning")
    args, measurement = genuine_args(GENUINE[1])
    assert "tcb-committed" in of(verify(*args, *measurement)[1], "warning")


# ---- lab evidence ----

def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def lab_args(tmp_path, chip, report=None, root=True):
    args = ["--report", write(tmp_path, "report.bin", report or chip.report),
            "--certs", write(tmp_path, "certs.pem", chip.certs), "--measurement", lab.MEASUREMENT.hex(), "--report-only"]
    return args + (["--lab-root", write(tmp_path, "ark.pem", pem(chip.ark))] if root else [])


SHAPES = [dict(product="Milan", version=2), dict(product="Milan"), dict(product="Milan", version=5),
          dict(product="Genoa"), dict(product="Genoa", fms=(0x19, 0xA0, 2)), dict(product="Turin"),
          dict(product="Milan", vlek=True), dict(product="Turin", vlek=True), dict(wrapped=True), dict(version=4)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_lab_evidence_verifies_only_with_its_root(tmp_path, shape):
    chip = Lab(**shape)
    code, out, _ = verify(*lab_args(tmp_path, chip))
    assert code == YES and out["lab"] is True and not of(out, "refused")
    code, out, _ = verify(*lab_args(tmp_path, chip, root=False))
    assert code == NO and "root" in of(out, "refused") and out["lab"] is True


def test_lab_is_said_in_the_first_and_the_last_line(tmp_path):
    chip = Lab()
    for root in (True, False):
        _, text, _ = verify(*lab_args(tmp_path, chip, root=root), text=True)
        assert "LAB" in text.splitlines()[0] and "LAB" in text.splitlines()[-1]
        _, out, _ = verify(*lab_args(tmp_path, chip, root=root))
        assert list(out)[0] == "notice" and "LAB" in out["notice"] and "LAB" in out["summary"]


def test_a_lab_root_that_calls_itself_amds_is_still_lab(tmp_path):
    chip = Lab(ark_cn="ARK-Milan", ark_org="Advanced Micro Devices")
    code, out, _ = verify(*lab_args(tmp_path, chip))
    assert code == YES and out["lab"] is True
    chip.certs += pem(chip.ark)
    code, out, _ = verify(*lab_args(tmp_path, chip, root=False))
    assert code == NO and out["lab"] is True and of(out, "refused") == {"root"}


def test_another_lab_root_does_not_help(tmp_path):
    chip = Lab()
    other_key = lab.rsa_key("other")
    name = lab.name("cvtpm-LAB-ARK", "cvtpm")
    import datetime
    dates = (datetime.datetime(2020, 1, 1), datetime.datetime(2040, 1, 1))
    other = lab.certificate(name, name, other_key, 1, dates, lab.ca_extensions({}, None), other_key)
    args = lab_args(tmp_path, chip, root=False) + ["--lab-root", write(tmp_path, "other.pem", pem(other))]
    code, out, _ = verify(*args)
    assert code == NO and "chain" in of(out, "refused")


def test_a_lab_root_leaves_genuine_evidence_genuine(tmp_path):
    args, measurement = genuine_args(GENUINE[6])
    code, out, _ = verify(*args, *measurement, "--lab-root", write(tmp_path, "ark.pem", pem(Lab().ark)))
    assert code == YES and out["lab"] is False


OLD = __import__("datetime").datetime(2001, 1, 1)
TCB = bytes([4, 0, 0, 0, 0, 0, 24, 0xDB])
FAULTS = [
    ("certificate", dict(salt=32)), ("certificate", dict(scheme="pkcs1")), ("certificate", dict(scheme="sha256")),
    ("certificate", dict(drop="3.4")), ("certificate", dict(drop="4")), ("certificate", dict(drop="3.8")),
    ("certificate", dict(add="2.5.29.14")), ("certificate", dict(add="1.2.3.4")), ("certificate", dict(twice="3.1")),
    ("certificate", dict(add="1.2.3.4", add_critical=True)),
    ("certificate", dict(org="Somebody")), ("certificate", dict(extra_name=(("2.5.4.11", "Sales"),))),
    ("certificate", dict(product="Milan", vlek=True, drop="5")), ("certificate", dict(product="Turin", drop="3.9")),
    ("ca", dict(ca=False)), ("ca", dict(path=1)), ("ca", dict(bits=2048)), ("ca", dict(ask_cn="SEV-Rome")),
    ("ca", dict(ask_salt=32)), ("ca", dict(ask_scheme="pkcs1")),
    ("chain", dict(forged=True)), ("chain", dict(ca=False)),
    ("dates", dict(dates=(OLD, OLD.replace(year=2008)))), ("dates", dict(dates=(OLD.replace(year=2050), OLD.replace(year=2057)))),
    ("product", dict(product_name="Genoa-B1")), ("product", dict(fms=(0x19, 0x11, 1))), ("product", dict(fms=(0x17, 1, 1))),
    ("product", dict(ask_cn="SEV-Genoa")),
    ("certificate-tcb", dict(reported=bytes([3]) + TCB[1:])), ("certificate-tcb", dict(reported=TCB[:7] + b"\xda")),
    ("chip-id", dict(chip=bytes([1]) * 64)), ("chip-id", dict(product="Turin", chip=bytes([1]) * 64)),
    ("signature", dict(wrong_key=True)), ("signature", dict(flip_unsigned={0x2A0: 1})), ("signature", dict(flip_unsigned={0x90: 1})),
    ("signature", dict(curve=lab.ec.SECP256R1())), ("certificate", dict(curve=lab.ec.SECP256R1())),
    ("report-version", dict(version=1)), ("report-version", dict(version=6)),
    ("report-reserved", dict(poke={0x4C: 1})), ("report-reserved", dict(poke={0x1EB: 1})), ("report-reserved", dict(poke={0x1EF: 8})),
    ("report-reserved", dict(poke={0x18B: 1})), ("report-reserved", dict(poke={0x29F: 1})),
    ("report-reserved", dict(version=2, poke={0x188: 0x19})), ("report-reserved", dict(poke={0x1F8: 1})),
    ("report-reserved", dict(version=5, poke={0x208: 1})), ("report-reserved", dict(poke_unsigned={0x2D0: 1})),
    ("report-reserved", dict(poke_unsigned={0x32F: 1})), ("report-reserved", dict(poke_unsigned={0x330: 1})),
    ("report-reserved", dict(poke_unsigned={0x49F: 0x80})),
    ("report-policy-bits", dict(policy=0x10000)), ("report-policy-bits", dict(policy=0x4030000)),
    ("report-signer-info", dict(signer=2)), ("report-signer-info", dict(signer=0x1C)), ("report-signer-info", dict(signer=0x20)),
    ("signature-algorithm", dict(algorithm=2)),
    ("vmpl", dict(vmpl=1)), ("vmpl", dict(vmpl=0xFFFFFFFF)), ("debug", dict(policy=0xB0000)),
    ("migration", dict(policy=0x70000)), ("migration", dict(ma=bytes(32))), ("measurement", dict(measurement=bytes(48))),
    ("tcb-reserved", dict(tcb=TCB[:2] + b"\x01" + TCB[3:])), ("tcb-reported", dict(current=bytes([3]) + TCB[1:])),
    ("tcb-committed", dict(committed=bytes([5]) + TCB[1:])),
]


@pytest.mark.parametrize("name,fault", FAULTS, ids=[n + "-" + str(i) for i, (n, _) in enumerate(FAULTS)])
def test_a_fault_is_refused_by_name(tmp_path, name, fault):
    code, out, _ = verify(*lab_args(tmp_path, Lab(**fault)))
    assert code == NO and name in of(out, "refused")
    code, text, _ = verify(*lab_args(tmp_path, Lab(**fault)), text=True)
    assert code == NO and any(l.startswith("[refused]") for l in text.splitlines())
    assert "verdict: refused" in text.splitlines()[-1]


def test_a_report_that_names_the_other_kind_of_key_finds_no_certificate(tmp_path):
    code, out, _ = verify(*lab_args(tmp_path, Lab(signer=4)))
    assert code == UNKNOWN and check(out, "signature")["verdict"] == "could not tell"


def test_a_masked_chip_is_a_warning(tmp_path):
    code, out, _ = verify(*lab_args(tmp_path, Lab(chip=bytes(64))))
    assert code == YES and "chip-id" in of(out, "warning")


def test_version_5_mitigation_vectors_are_allowed(tmp_path):
    assert verify(*lab_args(tmp_path, Lab(version=5, poke={0x1F8: 3, 0x200: 3})))[0] == YES


def test_revocation_is_checked_with_a_list_and_said_not_to_be_without(tmp_path):
    chip = Lab()
    args = lab_args(tmp_path, chip)
    crl = lambda der: ["--crl", write(tmp_path, "crl", der)]
    assert check(verify(*args)[1], "revocation")["verdict"] == "not checked"
    for der in (chip.crl(), chip.crl([5]), pem(chip.crl(), "X509 CRL")):
        code, out, _ = verify(*args, *crl(der))
        assert code == YES and check(out, "revocation")["verdict"] == "ok"
    for der in (chip.crl([0x10001]), chip.crl([3, 0x10000]), chip.crl(key=lab.rsa_key("other")), b"nonsense", chip.crl()[:-1]):
        code, out, _ = verify(*args, *crl(der))
        assert code == NO and of(out, "refused") == {"revocation"}
    partial = lab.tlv(0xA0, lab.seq(lab.extension("2.5.29.27", lab.integer(1), True)))
    for der in (chip.crl(days=(-9, -2)), chip.crl(days=(3, 9)), chip.crl(extra=partial)):
        code, out, _ = verify(*args, *crl(der))
        assert code == UNKNOWN and of(out, "could not tell") == {"revocation"}


# ---- EKs and bindings ----

def chip_and_ek(kind="p256", **o):
    chip, ek = Lab(**o), Ek(kind)
    return chip, ek, chip.make_report(ek.digest())


def base(tmp_path, chip):
    return ["--certs", write(tmp_path, "certs.pem", chip.certs), "--lab-root", write(tmp_path, "ark.pem", pem(chip.ark)),
            "--measurement", lab.MEASUREMENT.hex()]


@pytest.mark.parametrize("kind", ["rsa2048", "p256", "p384", "rsa3072"])
def test_an_ek_certificate_with_its_report_inside_is_enough(tmp_path, kind):
    chip, ek, report = chip_and_ek(kind)
    der = ek.certificate(lab.record(report))
    for content in (der, der + bytes(100), der + b"\xff" * 7, pem(der)):
        code, out, _ = verify("--ek-cert", write(tmp_path, "ek", content), *base(tmp_path, chip))
        assert code == YES and check(out, "binding")["found"].startswith("ek-pub")
        assert check(out, "ek-certificate-issuer")["found"].startswith("per-boot, not a trust anchor")
    code, out, _ = verify("--ek-cert", write(tmp_path, "ek", der + b"\x01"), *base(tmp_path, chip))
    assert code == NO and of(out, "refused") == {"ek-certificate"}


@pytest.mark.parametrize("kind", ["rsa2048", "p256", "p384"])
def test_the_ek_read_from_the_tpm_is_bound(tmp_path, kind):
    chip, ek, report = chip_and_ek(kind)
    args = ["--report", write(tmp_path, "r", report), *base(tmp_path, chip), "--ek-public"]
    assert verify(*args, write(tmp_path, "ek", ek.tpm2b))[0] == YES
    assert verify(*args, write(tmp_path, "ek", ek.tpmt))[0] == YES
    code, out, _ = verify(*args, write(tmp_path, "ek", Ek(kind).tpm2b))
    assert code == NO and of(out, "refused") == {"binding"}
    for other in (ek.tpm2b[:-1], ek.tpm2b + b"\0", b"", b"\0", bytes(500), Ek(kind, 0x300B0).tpm2b):
        code, out, _ = verify(*args, write(tmp_path, "ek", other))
        assert code == NO and of(out, "refused") == {"ek-template"}


def test_a_report_over_freely_chosen_bytes_does_not_pass_for_an_ek(tmp_path):
    chip, ek = Lab(), Ek("p256", 0x40072)  # a signing key of the guest's own
    args = ["--report", write(tmp_path, "r", chip.make_report(ek.digest())), *base(tmp_path, chip)]
    code, out, _ = verify(*args, "--ek-public", write(tmp_path, "ek", ek.tpm2b))
    assert code == NO and of(out, "refused") == {"ek-template"}
    code, out, _ = verify(*args, "--ek-cert", write(tmp_path, "c", ek.certificate()))
    assert code == NO and "binding" in of(out, "refused")


def test_the_certificate_of_another_ek_is_refused(tmp_path):
    chip, ek, report = chip_and_ek()
    other = Ek("p256")
    code, out, _ = verify("--ek-cert", write(tmp_path, "c", ek.certificate(lab.record(report))),
                          "--ek-public", write(tmp_path, "ek", other.tpm2b), *base(tmp_path, chip))
    assert code == NO and {"ek-certificate-key", "binding"} <= of(out, "refused")
    code, out, _ = verify("--ek-cert", write(tmp_path, "c", other.certificate(lab.record(report))), *base(tmp_path, chip))
    assert code == NO and of(out, "refused") == {"binding"}


def test_an_ek_cert_report_alone_proves_no_key(tmp_path):
    import hashlib
    chip, ek, inner = chip_and_ek()
    bare = ek.certificate()
    report = chip.make_report(hashlib.sha512(bare).digest())
    args = ["--report", write(tmp_path, "r", report), *base(tmp_path, chip)]
    code, out, _ = verify(*args, "--ek-cert", write(tmp_path, "c", bare))
    assert code == UNKNOWN and of(out, "could not tell") == {"ek-pub"}
    assert check(out, "binding")["found"].startswith("ek-cert")


def test_both_bindings_are_named_when_both_are_there(tmp_path):
    import hashlib
    chip, ek, inner = chip_and_ek()
    der = ek.certificate(lab.record(inner))
    cert, index = write(tmp_path, "c", der), write(tmp_path, "i", chip.make_report(hashlib.sha512(der).digest()))
    for args in (["--report", index], ["--ek-cert-report", index],
                 ["--report", write(tmp_path, "p", inner), "--ek-cert-report", index]):
        code, out, _ = verify(*args, "--ek-cert", cert, *base(tmp_path, chip))
        assert code == YES and {"ek-pub", "ek-cert"} <= of(out, "ok")
        assert len([c for c in out["checks"] if c["id"] == "boot"]) == 2
    stale = write(tmp_path, "s", chip.make_report(hashlib.sha512(der + b"x").digest()))
    for option in ("--report", "--ek-cert-report"):
        code, out, _ = verify(option, stale, "--ek-cert", cert, *base(tmp_path, chip))
        assert code == NO and of(out, "refused") == {"binding"}
    zeros = write(tmp_path, "z", bytes(1184))
    code, out, _ = verify("--ek-cert-report", zeros, "--ek-cert", cert, *base(tmp_path, chip))
    assert code == NO and "report-version" in of(out, "refused")


def test_a_bad_index_report_is_refused_though_the_certificate_is_good(tmp_path):
    import hashlib
    chip, ek, inner = chip_and_ek()
    der = ek.certificate(lab.record(inner))
    index = chip.make_report(hashlib.sha512(der).digest(), vmpl=1)
    code, out, _ = verify("--ek-cert-report", write(tmp_path, "i", index), "--ek-cert", write(tmp_path, "c", der),
                          *base(tmp_path, chip))
    assert code == NO and check(out, "vmpl", "index report")["verdict"] == "refused"


def test_a_collection_brings_certificates_and_claims(tmp_path):
    chip, ek, report = chip_and_ek()
    claims = {6: 1700000000, 270: "cvtpm", 271: ["0.1.0"], "isolation": "svsm", "sealing": "memory", "rollback-floor": 0}
    der = ek.certificate(lab.collection(report, lab.table(vcek=chip.leaf, ask=chip.ask, ark=chip.ark), claims))
    args = ["--ek-cert", write(tmp_path, "c", der), "--lab-root", write(tmp_path, "ark.pem", pem(chip.ark))]
    code, out, _ = verify(*args, "--measurement", lab.MEASUREMENT.hex())
    assert code == YES
    assert {c["found"] for c in out["checks"] if c["verdict"] == "claimed"} == {
        "iat = 1700000000", "swname = cvtpm", "swversion = 0.1.0", "isolation = svsm", "sealing = memory",
        "rollback-floor = 0"}
    code, out, _ = verify(*args, "--measurement-process", lab.MEASUREMENT.hex())
    assert code == NO and of(out, "refused") == {"isolation"}


def test_isolation_is_never_taken_from_evidence(tmp_path):
    chip, ek, report = chip_and_ek()
    for claim, option, code in (("process", "--measurement", NO), ("process", "--measurement-process", YES),
                                ("svsm", "--measurement-process", NO), ("magic", "--measurement", NO)):
        der = ek.certificate(lab.collection(report, claims={"isolation": claim}))
        args = base(tmp_path, chip)
        args[args.index("--measurement")] = option
        got, out, _ = verify("--ek-cert", write(tmp_path, "c", der), *args)
        assert got == code and (code == YES or of(out, "refused") == {"isolation"})
    assert check(out, "isolation")


def bad_cmws(report):
    good = cbor2.loads(lab.collection(report))
    yield "truncated", lab.record(report)[:-1]
    yield "trailing", lab.record(report) + b"\0"
    yield "empty", b""
    yield "two-parts", cbor2.dumps([lab.TYPE_REPORT, report])
    yield "type", lab.record(report, media="application/octet-stream")
    yield "indicator", lab.record(report, ind=2)
    yield "short", lab.record(report[:-1])
    yield "long", lab.record(report + b"\0")
    yield "tag", b"\xc1" + lab.record(report)
    yield "indefinite", b"\x9f" + lab.record(report)[1:] + b"\xff"
    yield "not-shortest", lab.record(report)[:-1] + b"\x18\x04"
    yield "json", b'["x","y",4]'
    yield "unknown-label", lab.collection(report, extra={"other": [lab.TYPE_REPORT, report, 4]})
    yield "number-label", lab.collection(report, extra={1: [lab.TYPE_REPORT, report, 4]})
    yield "collection-type", lab.collection(report, media="urn:uuid:00000000-0000-0000-0000-000000000000")
    yield "nested", lab.collection(report, extra={"report": good})
    yield "no-report", cbor2.dumps({"__cmwc_t": lab.COLLECTION_TYPE})
    yield "no-type", cbor2.dumps({"report": good["report"]})
    yield "order", cbor2.dumps({"__cmwc_t": lab.COLLECTION_TYPE, "report": good["report"]})
    part = cbor2.dumps("report") + cbor2.dumps(good["report"])
    yield "duplicate", b"\xa3" + part + part + cbor2.dumps("__cmwc_t") + cbor2.dumps(lab.COLLECTION_TYPE)
    yield "claims-type", lab.collection(report, extra={"claims": [lab.TYPE_TABLE, cbor2.dumps({}), 4]})
    yield "claims-list", lab.collection(report, extra={"claims": [lab.TYPE_CLAIMS, cbor2.dumps([]), 4]})
    yield "claims-nested", lab.collection(report, claims={"x": {"y": 1}})
    yield "claims-twice", lab.collection(report, extra={"claims": [lab.TYPE_CLAIMS, b"\xa2\x06\x01\x06\x02", 4]})
    yield "huge", b"\x83" + cbor2.dumps(lab.TYPE_REPORT) + b"\x5b" + b"\xff" * 8
    yield "huge-map", b"\xbb" + b"\x7f" * 8
    yield "deep", b"\x81" * 5000


def test_anything_else_in_the_extension_is_refused(tmp_path):
    chip, ek, report = chip_and_ek()
    for what, cmw in bad_cmws(report):
        code, out, _ = verify("--ek-cert", write(tmp_path, "c", ek.certificate(cmw)), *base(tmp_path, chip))
        assert (what, code, of(out, "refused")) == (what, NO, {"ek-certificate-evidence"})
    for o in (dict(times=2), dict(wrap=lambda c: lab.tlv(0x0C, c)), dict(wrap=lambda c: lab.tlv(4, c) + b"\0"),
              dict(wrap=lambda c: b"")):
        code, out, _ = verify("--ek-cert", write(tmp_path, "c", ek.certificate(lab.record(report), **o)),
                              *base(tmp_path, chip))
        assert code == NO and "ek-certificate-evidence" in of(out, "refused")


def test_a_damaged_table_in_a_collection_is_refused(tmp_path):
    chip, ek, report = chip_and_ek()
    good = lab.table(vcek=chip.leaf, ask=chip.ask)
    for bad in (good[:-1], good[:40], b"", b"\xff" * 24, good[:24] + good[:24] + bytes(24)):
        code, out, _ = verify("--ek-cert", write(tmp_path, "c", ek.certificate(lab.collection(report, bad))),
                              *base(tmp_path, chip))
        assert code == NO and of(out, "refused") == {"certificates"}


@pytest.mark.parametrize("fault", [dict(eku="1.3.6.1.5.5.7.3.1"), dict(basic=lab.seq(lab.tlv(1, b"\xff"))),
                                   dict(usage=b"\x02\x04"), dict(add="1.2.3.4"), dict(manufacturer="")], ids=str)
def test_a_certificate_that_is_no_ek_certificate_is_refused(tmp_path, fault):
    chip, ek, report = chip_and_ek()
    code, out, _ = verify("--ek-cert", write(tmp_path, "c", ek.certificate(lab.record(report), **fault)), *base(tmp_path, chip))
    assert code == NO and of(out, "refused") == {"ek-certificate-profile"}


def test_an_expired_ek_certificate_is_refused(tmp_path):
    chip, ek, report = chip_and_ek()
    der = ek.certificate(lab.record(report), dates=(OLD, OLD.replace(year=2010)))
    code, out, _ = verify("--ek-cert", write(tmp_path, "c", der), *base(tmp_path, chip))
    assert code == NO and of(out, "refused") == {"ek-certificate-dates"}


def test_a_ca_is_named_and_is_no_trust_anchor(tmp_path):
    chip, ek, report = chip_and_ek()
    der = ek.certificate(lab.record(report), issuer="Example CA")
    code, out, _ = verify("--ek-cert", write(tmp_path, "c", der), *base(tmp_path, chip))
    assert code == YES and "Example CA" in check(out, "ek-certificate-issuer")["found"]
    assert "no trust anchor" in check(out, "ek-certificate-issuer")["found"]


# ---- hostile and bad input ----

def test_hostile_strings_are_escaped_in_every_output(tmp_path):
    nasty = "\x1b]0;owned\x07\x1b[2J\r\n\u202eLAB verdict: yes\x00\"}],\"verdict\":\"yes"
    chip, ek, report = chip_and_ek(ark_cn=nasty, vlek=False)
    der = ek.certificate(lab.collection(report, claims={"isolation": nasty, nasty: nasty}), issuer=nasty, model=nasty)
    args = ["--ek-cert", write(tmp_path, "c", der), *base(tmp_path, chip)]
    code, out, _ = verify(*args)  # verify() itself demands printable ASCII and one line of JSON
    assert code == NO and out["verdict"] == "refused" and "\\x1b" in json.dumps(out).replace("\\\\", "\\")
    code, text, _ = verify(*args, text=True)
    assert code == NO and text.splitlines()[-1].startswith("LAB verdict: refused")
    assert len(text.splitlines()) == len(out["checks"]) + 2
    chip = Lab(vlek=True, csp="\x1b[31m", product_name="\x07\x1b")
    code, out, _ = verify(*lab_args(tmp_path, chip))
    assert code == NO and "\\x1b" in check(out, "chip-id")["found"]


@pytest.mark.parametrize("size", [0, 1, 671, 1183, 1185, 4096, (1 << 20) + 5])
def test_a_report_of_another_size_gets_one_clear_line(tmp_path, size):
    path = write(tmp_path, "report.bin", (read(data(GENUINE[6][1])) * 900)[:size])
    code, text, _ = verify("--report", path, "--report-only", text=True)
    assert code == NO and len(text.splitlines()) == 2
    assert "report.bin" in text and "1184 bytes" in text


def test_a_damaged_certificate_file_gets_one_clear_line(tmp_path):
    leaf = read(data("coco-trustee/evidence-v1.vcek.der"))
    chain = read(data(CHAIN["Milan"]))
    table = read(data("certtables/milan_vcek_v2.certs.bin"))
    key = pem(b"secret", "PRIVATE KEY")
    for bad in (b"", b"x", leaf[:-1], leaf + b"x", leaf[:4], b"\x30\x84\xff\xff\xff\xff", chain[:-30], chain[:3000],
                chain + key, key, b"\x30\x80" + leaf[4:] + b"\0\0", table[:100], table[:24], os.urandom(2000),
                bytes(5000), b"A" * ((1 << 20) + 5), chain.replace(b"MII", b"M!I", 1)):
        path = write(tmp_path, "bad-certs", bad)
        code, text, _ = verify("--report", data(GENUINE[6][1]), "--certs", path, "--report-only", text=True)
        assert code == NO and len(text.splitlines()) == 2 and "bad-certs" in text


def test_a_damaged_ek_certificate_gets_one_clear_line(tmp_path):
    der = Ek("p256").certificate()
    for bad in (b"", der[:-1], der[:10], b"x" + der, pem(der)[:-40], pem(der) * 2 + pem(Lab().ark), os.urandom(900)):
        code, out, _ = verify("--ek-cert", write(tmp_path, "c", bad))
        assert code == NO and of(out, "refused") == {"ek-certificate"}


def test_too_many_certificates_are_refused(tmp_path):
    ek = Ek("p256")
    many = b"".join(ek.certificate() for _ in range(65))
    code, out, _ = verify("--report", data(GENUINE[6][1]), "--certs", write(tmp_path, "many", many), "--report-only")
    assert code == NO and of(out, "refused") == {"certificates"}


@pytest.mark.parametrize("args", [
    [], ["--report-only"], ["--report", "/no/such/file"], ["--report", "/"], ["--report", "x", "--report", "y"],
    ["--report", "x", "--measurement", "00"], ["--report", "x", "--measurement", "zz" * 48],
    ["--report", "x", "--vmpl", "4"], ["--report", "x", "--vmpl", "-1"], ["--report", "x", "--at", "yesterday"],
    ["--report", "x", "--at", "2026-13-01T00:00:00Z"], ["--report", "x", "--at", "2026-01-01T00:00:00"],
    ["stray"], ["--no-such-option"]])
def test_a_wrong_call_is_a_fault(args):
    code, out, err = verify(*args, text=True)
    assert code == FAULT and out == "" and err.startswith("cvtpm verify: ")


def test_a_lab_root_that_is_none_is_a_fault(tmp_path):
    for bad in (b"", b"x", pem(Lab().ark) + pem(Lab().ask)):
        code, _, err = verify("--report", data(GENUINE[6][1]), "--lab-root", write(tmp_path, "root", bad), text=True)
        assert code == FAULT and "lab root" in err


def test_times_are_read_as_rfc_3339_or_seconds():
    args, measurement = genuine_args(GENUINE[4])
    at = args.index("--at")
    for time in ("1748736000", "2025-06-01T02:00:00+02:00", "2025-06-01T00:00:00.25Z", "2025-12-10T22:14:20Z"):
        assert verify(*args[:at + 1], time, *args[at + 2:], *measurement)[0] == YES
    for time in ("2025-12-10T22:14:22Z", "2024-12-10T22:14:20Z"):
        assert verify(*args[:at + 1], time, *args[at + 2:], *measurement)[0] == NO


def test_json_follows_its_schema(tmp_path):
    chip, ek, report = chip_and_ek()
    der = ek.certificate(lab.collection(report, claims={"isolation": "svsm"}))
    outputs = [verify(*lab_args(tmp_path, Lab()))[1], verify(*genuine_args(GENUINE[9])[0])[1],
               verify("--ek-cert", write(tmp_path, "c", der), *base(tmp_path, chip))[1]]
    schema = read(os.path.join(os.path.dirname(DATA), "..", "docs", "verification.md")).decode()
    for out in outputs:
        assert [k for k in out if k != "notice"] == ["lab", "verdict", "exit", "checks", "summary"]
        assert isinstance(out["lab"], bool) and ("notice" in out) == out["lab"]
        assert (out["verdict"], out["exit"]) in {("yes", 0), ("refused", 1), ("could not tell", 3)}
        for c in out["checks"]:
            assert list(c) == ["id", "about", "title", "verdict", "expected", "found", "reason"]
            assert all(isinstance(x, str) for x in c.values())
            assert c["verdict"] in {"ok", "warning", "not checked", "claimed", "could not tell", "refused"}
            assert "`%s`" % c["id"] in schema


def test_help_has_an_example_and_the_exit_statuses():
    code, out, _ = verify("--help", text=True)
    assert code == YES and "Example:" in out and "3 could not tell" in out
