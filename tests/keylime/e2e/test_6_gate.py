"""cvtpm_ek_gate.py: the registrar itself has evidence judged, as push mode needs it, where no tenant runs a script."""
import uuid

import pytest

import lab
from watch import b64, register, registered, row, trust, turned_away

UUID = "5d1f2c3e-0000-4000-8000-0123456789ab"  # nobody's
REFUSED = "refused, and its registration deleted: "


@pytest.fixture(scope="module")
def script(site):
    """A registrar with a gate; the tests may put another script in the place of this one."""
    path = site.work / "gate" / site.script.name
    path.parent.mkdir()
    path.symlink_to(site.script)
    site.stop_server("registrar")
    site.start_registrar(gate=path)
    yield path


def push(site):
    """`add` for an agent that pushes: nobody asks the agent, and the tenant runs no script."""
    return site.tenant("-c", "add", "--push-model", "-v", "127.0.0.1", "-u", site.uuid, script="/usr/bin/false")


def send(site, certificate=None, ek=None, uuid=UUID):
    ek = ek or lab.Ek("rsa2048")
    fields = {"ek_tpm": b64(ek.tpm2b), "aik_tpm": b64(lab.Ek("rsa2048").tpm2b), "mtls_cert": "disabled"}
    return register(site, uuid, **fields, **({"ekcert": b64(certificate)} if certificate else {}))


def test_a_registrar_whose_gate_has_no_script_does_not_start(site):
    site.stop_server("registrar")
    with pytest.raises(RuntimeError, match="is no file that can be executed"):
        site.start_registrar(gate=site.work / "nothing")
    site.start_registrar()


def test_an_agent_with_good_evidence_registers_and_may_be_added_to_push(site, script):
    site.stop_machine()
    site.start_tpm()
    site.boot()
    site.start_agent()
    assert f"EK of agent {site.uuid} accepted: cvtpm: LAB verdict: yes" in site.log("registrar")
    status, out = push(site)
    assert status == 0 and "ek_check" not in out, out
    site.delete()


def test_an_agent_with_bad_evidence_does_not_register_and_cannot_be_added(site, script):
    site.stop_agent()
    site.forget()
    site.configure({"measurements": [{"digest": "ab" * 48, "isolation": "svsm"}]})
    turned_away(site, REFUSED + "cvtpm: LAB verdict: refused: ", "Registration failed")
    assert site.uuid not in registered(site)
    assert push(site)[0] == 1


def test_registrations_are_judged_as_they_are_sent(site, script):
    chip, ek = lab.Lab(), lab.Ek("rsa2048")
    trust(site, chip)
    good = ek.certificate(lab.record(chip.make_report(ek.digest())))
    status, log = send(site, good, ek)
    assert status == 200 and "accepted: cvtpm: LAB verdict: yes" in log, log
    bad = ek.certificate(lab.record(chip.make_report(ek.digest(), vmpl=1)))
    for certificate, reason in ((bad, "privilege level"), (None, "EK_CERT is empty"), (ek.certificate(), "report")):
        site.tenant("-c", "regdelete", "-u", UUID)
        status, log = send(site, certificate, ek)
        assert status == 500 and REFUSED + "cvtpm: " in log and reason in log, log
        assert UUID not in registered(site)


def test_a_known_agent_whose_evidence_is_not_good_any_more_is_forgotten_when_it_registers_again(site, script):
    chip, ek = lab.Lab(), lab.Ek("rsa2048")
    trust(site, chip)
    certificate = ek.certificate(lab.record(chip.make_report(ek.digest())))
    assert send(site, certificate, ek)[0] == 200 and UUID in registered(site)
    (site.work / "crl").write_bytes(chip.crl([0x10001]))
    trust(site, chip, crls=["crl"])
    status, log = register(site, UUID, **{name: row(site, UUID)[name] for name in ("ek_tpm", "ekcert", "aik_tpm")})
    assert status == 500 and "revo" in log, log
    assert UUID not in registered(site)


@pytest.mark.parametrize("text, mode, reason", [("kill -SEGV $$", 0o755, "nothing (exit status -11)"),
                                                ("echo fine", 0o644, "PermissionError"),
                                                ("exit 3", 0o755, "nothing (exit status 3)")])
def test_a_script_that_does_not_answer_yes_lets_nobody_in(site, script, text, mode, reason):
    ours = script.readlink()
    script.unlink()
    try:
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(mode)
        another = str(uuid.uuid4())
        status, log = send(site, uuid=another)
        assert status == 500 and reason in log, log
        assert another not in registered(site)
    finally:
        script.unlink()
        script.symlink_to(ours)
