"""A stock Keylime and a machine whose TPM is cvtpm, from registration to refusal.

Not a fake in it: registrar, verifier and tenant are keylime 7.14.3, the agent is keylime 6.6.0 (or the Rust
agent that KEYLIME_AGENT names), the script is `cvtpm verify --keylime`. KEYLIME is the folder of
keylime/setup. One machine for all tests, in the order of the file; each leaves the verifier without agents.
"""
import hashlib
import json
import os
import pathlib
import sqlite3
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent / "keylime"), str(HERE.parent / "verify")]
import lab  # noqa: E402
from one_machine import Site  # noqa: E402

REPORT_INDEX = "0x014C0002"  # of the RSA 2048 EK
ZERO, ONE = "00" * 32, "00" * 31 + "01"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(os.environ.get("KEYLIME_WORK") or tmp_path_factory.mktemp("site"), os.environ["KEYLIME"],
              os.environ["CVTPM"], os.environ.get("KEYLIME_AGENT")) as s:
        if os.environ.get("KEYLIME_SCRIPT"):  # /bin/true: every refusal by the script has to fail here
            s.script = pathlib.Path(os.environ["KEYLIME_SCRIPT"])
        s.start_servers()
        s.start_tpm()
        s.boot()
        s.configure()
        s.start_agent()
        s.policies = s.make_policies()
        yield s


@pytest.fixture(autouse=True)
def good_configuration(site):
    site.configure()


def added(site, *policies):
    status, out = site.add(*policies)
    assert status == 0, out
    site.wait_state({"Get Quote"}, 1)


def failed(site):
    """Why the verifier gave the machine up; the verifier forgets it then."""
    state = site.wait_state({"Invalid Quote", "Failed"})
    site.delete()
    return state["last_event_id"]


def refused(site, reason, script=None):
    """`add` ends with 1, the operator sees the reason behind Keylime's words, and the verifier never hears of it."""
    status, out = site.add(script=script)
    assert status == 1 and not site.state(), out
    assert reason in out, out
    return out


# ---- good evidence ----

def test_a_good_machine_attests_and_stays_attested(site):
    status, out = site.add(*site.policies)
    assert status == 0 and "ek_check output: cvtpm: LAB verdict: yes" in out, out
    first = site.wait_state({"Get Quote"}, 1)["attestation_count"]
    assert site.wait_state({"Get Quote"}, first + 3)["attestation_status"] == "PASS"


def test_the_registrar_has_certificate_and_key_as_the_tpm_has_them(site):
    _, out = site.tenant("-c", "regstatus", "-u", site.uuid)
    import base64
    assert base64.b64encode((site.work / "ek.der").read_bytes()).decode() in out
    assert base64.b64encode((site.work / "ek.pub").read_bytes()).decode() in out


def test_a_listed_binary_may_run_again_and_an_unlisted_one_fails_the_machine(site):
    site.run_binaries("/usr/bin/ls")
    count = site.state()["attestation_count"]
    site.wait_state({"Get Quote"}, count + 2)
    site.run_binaries("/usr/bin/true")
    assert failed(site) == "ima.validation.ima-ng.not_in_allowlist"
    site.policies = site.make_policies()


# ---- refused by the script: nothing reaches the verifier ----

def test_a_wrong_measurement_is_refused(site):
    site.configure({"measurements": [{"digest": "ab" * 48, "isolation": "svsm"}]})
    out = refused(site, "measurement")
    assert "failed to validate EK" in out


def test_an_unknown_root_is_refused(site):
    site.configure({"lab_roots": None})
    assert "report in the EK certificate: " in refused(site, "verdict: refused")


def test_a_tcb_below_the_floor_is_refused(site):
    site.configure({"minimum_tcb": {"Milan": {"reported": {"boot_loader": 255, "tee": 0, "snp": 0, "microcode": 0}},
                                    "Genoa": {"reported": {"boot_loader": 255, "tee": 0, "snp": 0, "microcode": 0}}}})
    refused(site, "TCB")


@pytest.mark.parametrize("policy", ["", "{", '{"measurments": []}'])
def test_a_broken_policy_is_refused(site, policy):
    site.configure()
    (site.work / "policy.json").write_text(policy)
    refused(site, "policy.json")


def test_an_agent_without_a_pin_is_refused_and_a_pinned_one_added(site):
    site.configure(pins={"folder": "pins"})
    refused(site, "no pin")
    site.configure(pins={"folder": "pins", "first_contact": "record"})
    added(site)
    site.delete()
    site.configure(pins={"folder": "pins"})
    added(site)
    site.delete()
    (site.work / "pins" / (site.uuid + ".json")).write_text(json.dumps({"report_id": "11" * 32}))
    refused(site, "pinned report_id")


def test_a_script_that_is_missing_crashes_or_may_not_run_is_refused(site):
    site.configure()
    refused(site, "not found", script=site.work / "nothing")
    crash = site.work / "crash"
    crash.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crash.chmod(0o755)
    refused(site, "failed to validate EK", script=crash)
    crash.chmod(0o644)
    refused(site, "", script=crash)


# What an agent would have sent: put where the registrar keeps what it was sent.

@pytest.fixture
def sent(site):
    with sqlite3.connect(database(site)) as db:
        (before,) = db.execute("select ekcert from registrarmain where agent_id = ?", (site.uuid,)).fetchone()

    def send(value):
        with sqlite3.connect(database(site)) as db:
            assert db.execute("update registrarmain set ekcert = ? where agent_id = ?",
                              (value, site.uuid)).rowcount == 1
    yield send
    send(before)


def database(site):
    return next((site.work / "server").glob("reg_data.sqlite"))


class Key:
    """The EK of the running TPM, for lab.Ek.certificate()."""

    def __init__(self, site):
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
        self.rsa = True
        self.public = load_pem_public_key(site.tpm2("print", "-t", "TPM2B_PUBLIC", "-f", "pem", "ek.pub").encode())
        self.tpm2b = (site.work / "ek.pub").read_bytes()
        self.key = self

    def public_key(self):
        return self.public

    certificate = lab.Ek.certificate


def evidence(site, chip, report=None):
    """An EK certificate for the TPM's own key, with a report of another lab's chip, which the script trusts."""
    import base64
    key = Key(site)
    for name, content in (("other-ark.pem", lab.pem(chip.ark)), ("other-certs.pem", chip.certs)):
        (site.work / name).write_bytes(content)
    site.configure({"measurements": [{"digest": lab.MEASUREMENT.hex(), "isolation": "svsm"}],
                    "lab_roots": ["other-ark.pem"]}, certificates=["other-certs.pem"])
    report = report or chip.make_report(hashlib.sha512(key.tpm2b).digest())
    return base64.b64encode(key.certificate(lab.record(report))).decode()


def test_evidence_of_another_lab_is_accepted_where_it_is_trusted(site, sent):
    """The control for the refusals below, which change one thing each."""
    sent(evidence(site, lab.Lab()))
    added(site)
    site.delete()


@pytest.mark.parametrize("fault, reason", [(dict(policy=0xB0000), "debug"), (dict(vmpl=1), "privilege level"),
                                           (dict(chip=bytes([7]) * 64), "chip"), (dict(wrong_key=True), "signature")])
def test_bad_evidence_is_refused(site, sent, fault, reason):
    sent(evidence(site, lab.Lab(**fault)))
    refused(site, reason)


def test_a_report_for_another_ek_is_refused(site, sent):
    chip = lab.Lab()
    sent(evidence(site, chip, chip.make_report(lab.Ek("rsa2048").digest())))
    assert "EK" in refused(site, "verdict: refused")


def test_a_vcek_under_a_revoked_ask_is_refused(site, sent):
    chip = lab.Lab()
    sent(evidence(site, chip))
    (site.work / "crl").write_bytes(chip.crl([0x10001]))
    conf = json.loads((site.work / "keylime.conf").read_text())
    (site.work / "keylime.conf").write_text(json.dumps({**conf, "crls": ["crl"]}))
    refused(site, "revo")


def test_a_certificate_without_evidence_and_no_certificate_are_refused(site, sent):
    import base64
    site.configure()
    sent(base64.b64encode(Key(site).certificate()).decode())
    refused(site, "report")
    sent("")
    refused(site, "EK_CERT is empty")


# ---- what the verifier finds later: each leaves a PCR that the next policy does not look at ----

def test_an_ima_list_that_pcr_10_contradicts_fails_the_machine(site):
    added(site, *site.policies)
    site.tpm2("pcrextend", "10:sha1=" + "01" * 20 + ",sha256=" + ONE)
    assert failed(site) == "ima.pcr_mismatch"


def test_a_boot_that_the_measured_boot_policy_does_not_know_fails_the_machine(site):
    site.tpm2("pcrextend", "9:sha256=" + ONE)
    status, out = site.add("--mb-policy", site.work / "mb.json")
    assert status == 0, out
    assert failed(site) == "measured_boot.invalid_pcr_9"


def test_a_pcr_that_the_tpm_policy_rules_fails_the_machine(site):
    added(site, "--tpm_policy", json.dumps({"15": [ZERO]}))
    site.tpm2("pcrextend", "15:sha256=" + ONE)
    assert failed(site) == "pcr_validation.invalid_pcr_15"


# ---- boots ----

def turned_away(site, uuid="hash_ek"):
    """Starts an agent that the registrar refuses, and stops it."""
    before = site.log("registrar").count("different TPM identity")
    agent = site.start_agent(uuid, registers=False)
    agent.wait_until(lambda: site.log("registrar").count("different TPM identity") > before, "refusal")
    site.stop_agent()


def test_a_second_agent_start_has_a_new_ak_and_needs_regdelete(site):
    if site.rust_agent:
        pytest.skip("this agent keeps its AK")
    site.delete()
    site.stop_agent()
    turned_away(site)
    site.forget()
    site.start_agent()
    site.configure()
    added(site)
    site.delete()


def test_a_second_boot_of_an_ephemeral_machine_has_a_new_uuid_and_attests(site):
    before = site.uuid
    site.stop_machine()
    site.start_tpm()
    site.boot()
    site.start_agent()
    assert site.uuid != before
    site.policies = site.make_policies()
    added(site, *site.policies)
    site.delete()


def test_another_ek_under_a_known_uuid_is_turned_away_by_the_registrar(site):
    known = "d432fbb3-d2f1-4a97-9ef7-75bd81c00000"  # this agent takes a UUID of no other form
    site.stop_agent()
    site.start_agent(known)
    site.stop_machine()
    site.start_tpm()
    site.boot()
    turned_away(site, known)


def test_a_second_boot_of_a_persistent_machine_is_the_same_machine(site):
    """Same EK and EK certificate, same UUID, and a report index that speaks of the new boot."""
    if site.tpm:
        site.stop_machine()
    state = site.work / "state"
    subprocess.run([site.cvtpm, "manufacture", "--state", state, "--lab", "--lab-dir", site.lab, "--ek", "rsa2048",
                    "--pcr-banks", "sha1,sha256"], check=True, capture_output=True, timeout=300)
    boots = []
    for boot in range(2):
        site.start_tpm("--state", state)
        site.boot()
        site.tpm2("nvread", "-Q", REPORT_INDEX, "-o", "report.bin")
        if boot and not site.rust_agent:
            turned_away(site)  # the agent's AK is new
            assert site.log("registrar").rstrip().count("Changed fields: aik_tpm.") >= 1
            site.forget()
        site.start_agent()
        added(site, *site.make_policies())
        site.delete()
        boots.append([site.uuid, *((site.work / name).read_bytes() for name in ("ek.pub", "ek.der", "report.bin"))])
        site.stop_machine()
    assert boots[0][:3] == boots[1][:3]
    first, second = (boot[3] for boot in boots)
    assert first[0x50:0x90] == second[0x50:0x90] == hashlib.sha512(boots[0][2]).digest()
    assert first[0x140:0x160] != second[0x140:0x160]  # REPORT_ID
