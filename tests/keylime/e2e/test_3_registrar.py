"""Refused by the registrar, which compares EK, certificate and AK with each other and with what it knows."""
import pytest

import lab
from watch import Key, b64, register, registered, row

UUID = "5d1f2c3e-0000-4000-8000-0123456789ab"  # nobody's


def identity(site):
    return {name: row(site)[name] for name in ("ek_tpm", "ekcert", "aik_tpm", "mtls_cert")}


@pytest.mark.parametrize("certificate, words", [
    (lambda: b64(lab.Ek("rsa2048").certificate()), "ek_tpm must contain the same public key found in ekcert"),
    (lambda: b64(b"\x30\x82\x01\x00 no certificate"), "ekcert must be a valid X.509 certificate")],
    ids=["for_another_key", "that_does_not_parse"])
def test_a_certificate_is_turned_away(site, certificate, words):
    status, log = register(site, UUID, **{**identity(site), "ekcert": certificate()})
    assert status == 400 and words in log, log
    assert UUID not in registered(site)


def other_ek(site):
    ek = lab.Ek("rsa2048")
    return {"ek_tpm": b64(ek.tpm2b), "ekcert": b64(ek.certificate())}


@pytest.mark.parametrize("other, fields", [
    (other_ek, "ek_tpm, ekcert"),
    (lambda site: {"ekcert": b64(Key(site).certificate())}, "ekcert"),
    (lambda site: {"aik_tpm": b64(lab.Ek("rsa2048").tpm2b)}, "aik_tpm")],
    ids=["another_ek", "only_another_ek_certificate", "another_ak"])
def test_under_a_known_uuid_it_is_forbidden(site, other, fields):
    before = row(site)
    status, log = register(site, site.uuid, **{**identity(site), **other(site)})
    assert status == 403 and f"Changed fields: {fields}. This indicates a potential UUID spoofing" in log, log
    assert row(site) == before


def test_the_same_identity_may_come_again(site):
    """The control: nothing else is wrong with what the tests above send."""
    assert register(site, UUID, **identity(site))[0] == 200
    assert register(site, UUID, **identity(site))[0] == 200
    assert site.tenant("-c", "regdelete", "-u", UUID)[0] == 0
