"""The ek_check_script, as keylime_tenant runs it: no arguments, everything in the environment.

Whatever happens it prints one line of ASCII, and only a yes ends with status 0.
"""
import base64
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from cryptography.hazmat.primitives import serialization

VERIFY = pathlib.Path(__file__).resolve().parent.parent / "verify"
sys.path[:0] = [str(VERIFY), str(VERIFY / "kds")]
import lab  # noqa: E402
from lab import Ek, Lab, pem  # noqa: E402
from test_verify_kds import LabKds  # noqa: E402

CVTPM = os.environ["CVTPM"]
YES, NO, FAULT, UNKNOWN = 0, 1, 2, 3
UUID = "d432fbb3-d2f1-4a97-9ef7-75bd81c00000"


class Site:
    """A tenant's configuration, and an agent's variables; both are changed by the tests."""

    def __init__(self, folder, kind="p256", ek=None, report=None, certificate=None, **faults):
        self.folder, self.chip, self.ek = folder, Lab(**faults), ek or Ek(kind)
        self.report = report or self.chip.make_report(self.ek.digest())
        self.write("ark.pem", pem(self.chip.ark))
        self.write("certs.pem", self.chip.certs)
        self.policy = {"measurements": [{"digest": lab.MEASUREMENT.hex(), "isolation": "svsm"}],
                       "lab_roots": ["ark.pem"]}
        self.conf = {"policy": "policy.json", "certificates": ["certs.pem"]}
        der = certificate or self.ek.certificate(lab.record(self.report))
        self.env = {"AGENT_UUID": UUID, "EK": self.pem_of(self.ek), "EK_TPM": b64(self.ek.tpm2b), "EK_CERT": b64(der),
                    "PROVKEYS": "{}", "TPM_CERT_STORE": "/nowhere"}

    @staticmethod
    def pem_of(ek):
        return ek.key.public_key().public_bytes(serialization.Encoding.PEM,
                                                serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    def write(self, name, content):
        (self.folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    def command(self):
        script = self.folder / "cvtpm-keylime-ek-check"
        if not script.exists():
            script.symlink_to(CVTPM)
        return script

    def prepare(self):
        self.write("policy.json", self.policy if isinstance(self.policy, str) else json.dumps(self.policy))
        self.write("keylime.conf", self.conf if isinstance(self.conf, str) else json.dumps(self.conf))
        kept = {name: os.environ[name] for name in ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ}
        return {**kept, "CVTPM_KEYLIME_CONF": str(self.folder / "keylime.conf"), **self.env}

    def run(self, *command, **others):
        result = subprocess.run(command or [self.command()], env=self.prepare(), capture_output=True, timeout=300,
                                cwd="/", **others)
        return judged(result.returncode, result.stdout)


def judged(status, out):
    """(status, line), after the claim that holds for every run of the script."""
    assert out.count(b"\n") == 1 and out.endswith(b"\n"), out
    line = out[:-1].decode("ascii")
    assert line.isprintable() and line.startswith("cvtpm: "), line
    assert (status == YES) == ("verdict: yes" in line), (status, line)
    return status, line


def b64(data):
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("kind", ["rsa2048", "p256", "p384"])
def test_good_evidence_is_a_yes_and_says_lab(tmp_path, kind):
    status, line = Site(tmp_path, kind).run()
    assert status == YES and "LAB verdict: yes" in line


def test_the_option_of_verify_is_the_same_script(tmp_path):
    assert Site(tmp_path).run(CVTPM, "verify", "--keylime")[0] == YES
    assert Site(tmp_path).run(CVTPM, "verify", "--keylime", "--vmpl", "1")[0] == FAULT


@pytest.mark.parametrize("faults, reason", [
    (dict(measurement=bytes(48)), "measurement"), (dict(policy=0xB0000), "debug"), (dict(policy=0x70000), "migration"),
    (dict(vmpl=1), "privilege level"), (dict(chip=os.urandom(64)), "chip"), (dict(wrong_key=True), "signature"),
    (dict(forged=True), "chain"), (dict(reported=bytes([4, 0, 0, 0, 0, 0, 23, 0xDB])), "TCB")])
def test_what_the_verifier_refuses_is_refused_with_its_reason(tmp_path, faults, reason):
    status, line = Site(tmp_path, **faults).run()
    assert status == NO and "refused" in line and reason in line


def test_an_unknown_root_is_refused(tmp_path):
    site = Site(tmp_path)
    del site.policy["lab_roots"]
    status, line = site.run()
    assert status == NO and "chain" in line and "issuer" in line
    site.write("certs.pem", site.chip.certs + pem(site.chip.ark))  # it calls itself a root
    status, line = site.run()
    assert status == NO and "root" in line


def test_a_tcb_below_the_floor_is_refused(tmp_path):
    site = Site(tmp_path)
    site.policy["minimum_tcb"] = {"Milan": {"reported": {"boot_loader": 0, "tee": 0, "snp": 25, "microcode": 0}}}
    status, line = site.run()
    assert status == NO and "TCB" in line, line


def test_a_revoked_ask_is_refused(tmp_path):
    site = Site(tmp_path)
    site.conf["crls"] = ["crl"]
    site.write("crl", site.chip.crl([5]))
    assert site.run()[0] == YES
    site.write("crl", site.chip.crl([0x10001]))
    status, line = site.run()
    assert status == NO and "revo" in line


def test_a_report_for_another_ek_is_refused(tmp_path):
    ek = Ek("p256")
    status, line = Site(tmp_path, ek=ek, report=Lab().make_report(Ek("p256").digest())).run()
    assert status == NO


def test_ek_tpm_and_ek_are_the_certificates_key(tmp_path):
    site = Site(tmp_path)
    good = dict(site.env)
    other = Ek("p256")
    site.env["EK_TPM"] = b64(other.tpm2b)
    assert site.run()[0] == NO
    site.env = dict(good, EK=site.pem_of(other))
    status, line = site.run()
    assert status == NO and "EK and EK_CERT" in line
    site.env = dict(good, EK="no key")
    assert site.run()[0] == NO


def test_a_certificate_without_evidence_is_no_yes(tmp_path):
    ek = Ek("p256")
    status, line = Site(tmp_path, ek=ek, certificate=ek.certificate()).run()
    assert status == UNKNOWN and "carries no attestation report" in line


def test_missing_certificates_cannot_be_told(tmp_path):
    site = Site(tmp_path)
    del site.conf["certificates"]
    assert site.run()[0] == UNKNOWN


def test_certificates_may_be_a_folder(tmp_path):
    site = Site(tmp_path)
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs.pem").rename(tmp_path / "certs" / "one.pem")
    site.conf["certificates"] = ["certs"]
    assert site.run()[0] == YES


@pytest.mark.parametrize("name", ["AGENT_UUID", "EK", "EK_TPM", "EK_CERT"])
def test_a_missing_or_bad_variable_is_refused_by_name(tmp_path, name):
    site = Site(tmp_path)
    good = site.env.pop(name)
    status, line = site.run()
    assert status == FAULT and name in line
    bad = ["", "\x7f\x1b[31m", "%s%n", "../" * 30, "A" * 131000, "====", good[:-9]]
    for value in bad if name != "AGENT_UUID" else bad[:-1] + [".", "..", "a/b", ".hidden", "a b"]:
        site.env[name] = value
        assert site.run()[0] == NO, value
    raw = dict(os.fsencode(k) and (os.fsencode(k), os.fsencode(v)) for k, v in site.prepare().items())
    raw[name.encode()] = b"\xff\xfe\x80" * 100
    result = subprocess.run([site.command()], env=raw, capture_output=True, timeout=300)
    assert judged(result.returncode, result.stdout)[0] == NO


def test_every_cut_and_a_flip_of_the_certificate_is_refused(tmp_path):
    site = Site(tmp_path)
    der = base64.b64decode(site.env["EK_CERT"])
    for n in (1, 2, 40, len(der) // 2, len(der) - 1):
        site.env["EK_CERT"] = b64(der[:n])
        assert site.run()[0] == NO
    at = der.index(site.report) + 0x90
    site.env["EK_CERT"] = b64(der[:at] + bytes([der[at] ^ 1]) + der[at + 1:])
    assert site.run()[0] == NO


@pytest.mark.parametrize("policy", ["", "{", "[]", '{"measurments": []}', '{"allow_debug": 1}', "\x00\xff", None])
def test_a_broken_policy_is_a_fault_and_an_empty_one_no_yes(tmp_path, policy):
    site = Site(tmp_path)
    if policy is None:
        site.conf["policy"] = "missing.json"
    else:
        site.policy = policy
    status, line = site.run()
    assert status == FAULT and ("policy.json" in line or "missing.json" in line)
    site.conf["policy"], site.policy = "policy.json", "{}"
    assert site.run()[0] in (NO, UNKNOWN)


@pytest.mark.parametrize("more", [{"quote": "required"}, {"ek": {"certificate_report": "required"}}])
def test_a_policy_that_no_agent_can_meet_is_said_to_be_one(tmp_path, more):
    site = Site(tmp_path)
    site.policy.update(more)
    status, line = site.run()
    assert status == FAULT and "leave" in line


@pytest.mark.parametrize("conf", ["", "{}", "[]", '{"policy": 1}', '{"policy": "policy.json", "extra": 1}',
                                  '{"policy": "policy.json", "policy": "policy.json"}',
                                  '{"policy": "policy.json", "certificates": "certs.pem"}',
                                  '{"policy": "policy.json", "certificates": ["missing"]}',
                                  '{"policy": "policy.json", "pins": {"folder": ".", "first_contact": "yes"}}',
                                  '{"policy": "policy.json", "kds": {"url": "http://192.0.2.1"}}', "\x1b[2J"])
def test_a_broken_configuration_is_no_yes(tmp_path, conf):
    site = Site(tmp_path)
    site.conf = conf
    assert site.run()[0] in (FAULT, UNKNOWN)


def test_a_missing_configuration_is_a_fault_that_names_it(tmp_path):
    site = Site(tmp_path)
    site.env["CVTPM_KEYLIME_CONF"] = str(tmp_path / "nothing")
    status, line = site.run()
    assert status == FAULT and f"'{tmp_path}/nothing'" in line and "CVTPM_KEYLIME_CONF" in line


def test_a_key_distribution_service_that_is_not_there_leaves_its_reason(tmp_path):
    site = Site(tmp_path)
    site.conf = {"policy": "policy.json", "kds": {"url": "http://127.0.0.1:1", "cache": "cache", "offline": True}}
    status, line = site.run()
    assert status == UNKNOWN and "127.0.0.1" in line, line


def test_a_service_is_asked_for_what_is_missing_and_a_cache_keeps_it(tmp_path):
    site = Site(tmp_path)
    with LabKds(site.chip) as kds:
        site.conf = {"policy": "policy.json", "kds": {"url": kds.url, "cache": "cache"}}
        assert site.run()[0] == YES
        asked = [path.split("?")[0].split("/v1/Milan/")[1] for path in kds.requests]
        assert len(asked) == 3 and set(asked[1:]) == {"cert_chain", "crl"}
        assert site.run()[0] == YES and len(kds.requests) == 3
    site.conf["kds"]["offline"] = True  # and it is gone
    assert site.run()[0] == YES


def test_what_the_service_has_revoked_is_refused(tmp_path):
    site = Site(tmp_path)
    with LabKds(site.chip, site.chip.crl([0x10001])) as kds:
        site.conf = {"policy": "policy.json", "kds": {"url": kds.url}}
        status, line = site.run()
    assert status == NO and "revo" in line


def test_for_evidence_that_is_refused_as_it_stands_nobody_is_asked(tmp_path):
    site = Site(tmp_path, vmpl=1)
    with LabKds(site.chip) as kds:
        site.conf = {"policy": "policy.json", "kds": {"url": kds.url}}
        assert site.run()[0] == NO and not kds.requests


# ---- pins ----

def test_an_agent_without_a_pin_is_refused_unless_the_operator_says_otherwise(tmp_path):
    site = Site(tmp_path)
    (tmp_path / "pins").mkdir()
    site.conf["pins"] = {"folder": "pins"}
    status, line = site.run()
    assert status == NO and UUID + ".json" in line and site.report[0x140:0x160].hex() in line
    site.conf["pins"]["first_contact"] = "accept"
    assert site.run()[0] == YES and not list((tmp_path / "pins").iterdir())


def test_the_first_report_is_recorded_and_another_boot_is_refused_afterwards(tmp_path):
    site = Site(tmp_path)
    (tmp_path / "pins").mkdir()
    site.conf["pins"] = {"folder": "pins", "first_contact": "record"}
    assert site.run()[0] == YES
    pin = tmp_path / "pins" / (UUID + ".json")
    assert json.loads(pin.read_text())["report_id"] == site.report[0x140:0x160].hex()
    assert [p.name for p in (tmp_path / "pins").iterdir()] == [pin.name] and pin.stat().st_mode & 0o777 == 0o600
    assert "as pinned" in site.run()[1]
    again = site.chip.make_report(site.ek.digest())
    site.env["EK_CERT"] = b64(site.ek.certificate(lab.record(again)))
    status, line = site.run()
    assert status == NO and again[0x140:0x160].hex() in line


def test_of_many_that_record_at_once_one_is_recorded(tmp_path):
    site = Site(tmp_path)
    (tmp_path / "pins").mkdir()
    site.conf["pins"] = {"folder": "pins", "first_contact": "record"}
    reports = [site.chip.make_report(site.ek.digest()) for _ in range(8)]
    env = [{**site.prepare(), "EK_CERT": b64(site.ek.certificate(lab.record(r)))} for r in reports]
    for _ in range(3):
        running = [subprocess.Popen([site.command()], env=e, stdout=subprocess.PIPE) for e in env]
        out = [process.communicate(timeout=300)[0] for process in running]
        said = [judged(process.returncode, text) for process, text in zip(running, out)]
        pinned = [report for report, (status, _) in zip(reports, said) if status == YES]
        assert len(pinned) == 1, said
        [pin] = (tmp_path / "pins").iterdir()
        assert json.loads(pin.read_text())["report_id"] == pinned[0][0x140:0x160].hex()
        pin.unlink()


def test_a_refused_agent_is_never_recorded(tmp_path):
    site = Site(tmp_path, vmpl=1)
    (tmp_path / "pins").mkdir()
    site.conf["pins"] = {"folder": "pins", "first_contact": "record"}
    assert site.run()[0] == NO and not list((tmp_path / "pins").iterdir())


def test_host_data_can_be_pinned_and_is_compared_by_policy(tmp_path):
    site = Site(tmp_path)
    (tmp_path / "pins").mkdir()
    site.conf["pins"] = {"folder": "pins"}
    site.write("pins/" + UUID + ".json", json.dumps({"host_data": "00" * 32}))
    assert site.run()[0] == YES
    site.write("pins/" + UUID + ".json", json.dumps({"host_data": "01" * 32}))
    assert site.run()[0] == NO
    del site.conf["pins"]
    site.policy["host_data"] = ["01" * 32]
    assert site.run()[0] == NO
    site.policy["host_data"] = ["00" * 32]
    assert site.run()[0] == YES


@pytest.mark.parametrize("pin", ["", "{}", "{", '{"report_id": "00"}', '{"report_id": 1}', '{"reportid": "00"}'])
def test_a_broken_pin_is_a_fault(tmp_path, pin):
    site = Site(tmp_path)
    (tmp_path / "pins").mkdir()
    site.conf["pins"] = {"folder": "pins", "first_contact": "record"}
    site.write("pins/" + UUID + ".json", pin)
    assert site.run()[0] == FAULT


def test_a_missing_pin_folder_is_not_an_unpinned_agent(tmp_path):
    site = Site(tmp_path)
    site.conf["pins"] = {"folder": "gone", "first_contact": "accept"}
    assert site.run()[0] == FAULT


# ---- the process ----

def hanging(tmp_path):
    """A run that waits for a configuration which is a pipe that nobody writes to."""
    site = Site(tmp_path)
    env = site.prepare()
    os.mkfifo(tmp_path / "fifo")
    return dict(env, CVTPM_KEYLIME_CONF=str(tmp_path / "fifo")), site


def children_of(pid):
    return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_check_that_crashes_is_refused_with_a_line(tmp_path, number):
    env, site = hanging(tmp_path)
    process = subprocess.Popen([site.command()], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not children_of(process.pid):
        time.sleep(0.01)
    os.kill(children_of(process.pid)[0], number)
    out, _ = process.communicate(timeout=120)
    assert judged(process.returncode, out)[0] == FAULT


def test_a_check_that_never_ends_is_refused_with_a_line(tmp_path):
    env, site = hanging(tmp_path)
    result = subprocess.run([site.command()], env=dict(env, CVTPM_KEYLIME_SECONDS="1"), capture_output=True, timeout=120)
    status, line = judged(result.returncode, result.stdout)
    assert status == FAULT and "no answer" in line


@pytest.mark.parametrize("value", ["", "0", "-1", "x", "999999999999999999999"])
def test_a_limit_that_is_none_is_a_fault(tmp_path, value):
    site = Site(tmp_path)
    site.env["CVTPM_KEYLIME_SECONDS"] = value
    assert site.run()[0] == FAULT


def test_without_a_stdout_there_is_no_yes(tmp_path):
    site = Site(tmp_path)
    env = site.prepare()
    closed = subprocess.run(["/bin/sh", "-c", 'exec "$0" >&-', site.command()], env=env, timeout=300)
    full = subprocess.run([site.command()], env=env, stdout=open("/dev/full", "w"), timeout=300)
    assert closed.returncode == FAULT and full.returncode == FAULT
    assert subprocess.run(["/bin/sh", "-c", 'exec "$0" <&- 2>&-', site.command()], env=env, stdout=subprocess.PIPE,
                          timeout=300).returncode == YES
