"""Refused by the ek_check_script: `add` ends with 1, says why, and nothing reaches the verifier."""
import json

import pytest

import lab
from watch import Key, added, asked, b64, evidence, refused, trust

TRUE = "/usr/bin/true"


def bad_report(site, sent, **fault):
    chip = lab.Lab(**fault)
    trust(site, chip)
    sent(evidence(site, chip))


def wrong_measurement(site, sent):
    site.configure({"measurements": [{"digest": "ab" * 48, "isolation": "svsm"}]})


def debug_policy(site, sent):
    bad_report(site, sent, policy=0xB0000)


def vmpl_1(site, sent):
    bad_report(site, sent, vmpl=1)


def vcek_of_another_chip(site, sent):
    bad_report(site, sent, chip=bytes([7]) * 64)


def forged_signature(site, sent):
    bad_report(site, sent, wrong_key=True)


def report_for_another_ek(site, sent):
    chip = lab.Lab()
    trust(site, chip)
    sent(evidence(site, chip, chip.make_report(lab.Ek("rsa2048").digest())))


def unknown_ark(site, sent):
    """The chain is whole and ends in a root that calls itself one."""
    site.configure({"lab_roots": None}, certificates=["lab/certs.pem", "lab/ark.pem"])


def tcb_below_the_floor(site, sent):
    floor = {"reported": {"boot_loader": 255, "tee": 0, "snp": 0, "microcode": 0}}
    site.configure({"minimum_tcb": {"Milan": floor, "Genoa": floor}})


def revoked_ask(site, sent):
    chip = lab.Lab()
    (site.work / "crl").write_bytes(chip.crl([0x10001]))
    trust(site, chip, crls=["crl"])
    sent(evidence(site, chip))


def certificate_without_the_extension(site, sent):
    sent(b64(Key(site).certificate()))


def empty_ek_cert(site, sent):
    sent("")


def broken_policy(site, sent):
    (site.work / "policy.json").write_text('{"measurments": []}')


def no_policy(site, sent):
    (site.work / "policy.json").unlink()


def no_pin(site, sent):
    site.configure(pins={"folder": "pins"})


REFUSALS = [(wrong_measurement, ": measurement: expected abab"),
            (debug_policy, ": debugging: expected not allowed; found allowed"),
            (vmpl_1, ": privilege level (VMPL): expected 0; found 1"),
            (report_for_another_ek, ": binding: expected ek-pub: SHA-512 of the EK's TPM2B_PUBLIC; found neither"),
            (unknown_ark, ": root: expected one of AMD's three root keys by SHA-256; found not trusted"),
            (vcek_of_another_chip, "07070707 (LAB"),
            (forged_signature, ": signature of the report: expected by the VCEK"),
            (tcb_below_the_floor, ": minimum reported TCB: expected at least bl 255"),
            (revoked_ask, ": revocation: expected ASK not revoked; found revoked"),
            (certificate_without_the_extension, "carries no attestation report"),
            (empty_ek_cert, "EK_CERT is empty"),
            (broken_policy, "policy.json, line 1: measurments: there is no such member"),
            (no_policy, "policy.json: No such file or directory"),
            (no_pin, "has no pin")]


@pytest.mark.parametrize("prepare, reason", REFUSALS, ids=[prepare.__name__ for prepare, _ in REFUSALS])
def test_refused(site, sent, prepare, reason):
    prepare(site, sent)
    refused(site, "External check script failed to validate EK: cvtpm: ", reason)


def test_what_the_refusals_change_is_all_that_is_wrong(site, sent):
    """The control for those with other evidence, which change one thing each."""
    chip = lab.Lab()
    (site.work / "crl").write_bytes(chip.crl([5]))
    trust(site, chip, crls=["crl"])
    sent(evidence(site, chip))
    added(site)
    site.delete()


def test_with_true_in_the_scripts_place_none_of_them_is_refused(site, sent):
    """So it is the script that refuses: the tests above would fail without it. (What only the script reads, its policy
    and configuration, need not be spoilt again.)"""
    for prepare in (wrong_measurement, debug_policy, vmpl_1, report_for_another_ek, vcek_of_another_chip,
                    forged_signature, revoked_ask, certificate_without_the_extension, empty_ek_cert):
        site.configure()
        prepare(site, sent)
        before = asked(site)
        _, out = site.add(script=TRUE)
        assert "failed to validate EK" not in out and asked(site) == before + 1, (prepare.__name__, out)
    assert site.state()
    site.delete()


def test_a_pinned_agent_is_added_and_one_with_another_pin_refused(site):
    site.configure(pins={"folder": "pins", "first_contact": "record"})
    added(site)
    site.delete()
    pin = site.work / "pins" / (site.uuid + ".json")
    site.configure(pins={"folder": "pins"})
    assert json.loads(pin.read_text())["report_id"] in (site.work / "ek.der").read_bytes().hex()
    pin.write_text(json.dumps({"report_id": "11" * 32}))
    refused(site, "pinned report_id")


def test_a_script_that_is_missing_crashes_or_may_not_run_lets_nobody_in(site):
    missing = site.work / "nothing"
    refused(site, f"External check script ({missing}) not found", script=missing)
    crash = site.work / "crash"
    crash.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crash.chmod(0o755)
    refused(site, "External check script failed to validate EK:", script=crash)
    crash.chmod(0o644)
    refused(site, f"PermissionError: [Errno 13] Permission denied: '{crash}'", script=crash)
