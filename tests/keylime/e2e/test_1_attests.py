"""A machine with good evidence, and what its verifier sees of it from poll to poll."""
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from one_machine import RSA_CERTIFICATE
from watch import Key, b64, failed


@pytest.fixture(scope="module", autouse=True)
def leave_the_verifier_without_agents(site):
    yield
    if site.state():
        site.delete()


def test_a_good_machine_attests_and_stays_attested(site):
    status, out = site.add(*site.policies)
    assert status == 0, out
    if not site.script.name == "true":
        assert "ek_check output: cvtpm: LAB verdict: yes" in out, out
    first = site.wait_state({"Get Quote"}, 1)["attestation_count"]
    state = site.wait_state({"Get Quote"}, first + 3)
    assert state["attestation_status"] == "PASS" and not state["last_event_id"]


def test_the_registrar_has_certificate_and_key_as_the_tpm_has_them(site):
    _, out = site.tenant("-c", "regstatus", "-u", site.uuid)
    assert b64((site.work / "ek.der").read_bytes()) in out
    assert b64((site.work / "ek.pub").read_bytes()) in out


def test_the_certificate_is_read_with_the_indexs_own_empty_authorisation_and_parsed_by_debians_library(site):
    site.tpm2("nvread", "-Q", "-C", RSA_CERTIFICATE, RSA_CERTIFICATE, "-o", "own.der")
    der = (site.work / "own.der").read_bytes()
    assert der == (site.work / "ek.der").read_bytes() and len(der) <= 2048
    spki = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert x509.load_der_x509_certificate(der).public_key().public_bytes(*spki) == Key(site).public.public_bytes(*spki)


def test_a_listed_binary_may_run_again_and_an_unlisted_one_fails_the_machine(site):
    site.run_binaries("/usr/bin/ls")
    count = site.state()["attestation_count"]
    site.wait_state({"Get Quote"}, count + 2)
    site.run_binaries("/usr/bin/true")
    assert failed(site) == "ima.validation.ima-ng.not_in_allowlist"
    site.policies = site.make_policies()
