"""What other people's readers say of our certificates.

CVTPM_MAKE_CERTIFICATES names the program that writes certificates of every kind. They are read here by
python3-cryptography, OpenSSL's command, python3-cbor2 and pyasn1, which share no code with the writer.
"""
import datetime
import os
import subprocess

import cbor2
import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, NameOID
from pyasn1.codec.der import decoder, encoder
from pyasn1.type import namedtype, tag, univ
from pyasn1_modules import rfc5280, rfc5755

ISSUERS = {"boot": hashes.SHA384, "ca384": hashes.SHA384, "ca256": hashes.SHA256}
KINDS = ["rsa2048", "p256", "p384", "rsa3072"]
EVIDENCE = ["none", "record", "claims", "table", "all"]
NV_INDEX_MAX = 2048  # libtpms

REPORT_TYPE = "application/vnd.amd.sev-snp.attestation-report"
TABLE_TYPE = "application/vnd.amd.ghcb.guid-table"
CLAIMS_TYPE = "application/eat-ucs+cbor"
COLLECTION = "urn:uuid:91894ad7-6f27-4d3c-a0c0-a1c5ea2dcd6e"
CMW = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.35")
ISSUED_AT = 1795485600
FOREVER = datetime.datetime(9999, 12, 31, 23, 59, 59)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("certificates")
    subprocess.run([os.environ["CVTPM_MAKE_CERTIFICATES"], out], check=True)
    return out


def read(folder, name):
    return (folder / name).read_bytes()


def load(folder, name):
    return x509.load_der_x509_certificate(read(folder, name))


def openssl(*args):
    """(exit status, output) of an openssl command."""
    done = subprocess.run(["openssl", *map(str, args)], capture_output=True)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def pem(folder, name):
    """The path of a PEM copy: the form that `openssl verify` takes everywhere."""
    to = folder / (name + ".pem")
    to.write_bytes(load(folder, name).public_bytes(serialization.Encoding.PEM))
    return to


each_ek = pytest.mark.parametrize("issuer,kind,evidence", [(i, k, e) for i in ISSUERS for k in KINDS for e in EVIDENCE])
each_issuer = pytest.mark.parametrize("issuer", ISSUERS)


# ---- the EK certificate: TCG EK Credential Profile ----

@each_ek
def test_an_ek_certificate_has_the_fields_of_the_profile(folder, issuer, kind, evidence):
    cert, ca = load(folder, f"{issuer}-ek-{kind}-{evidence}.der"), load(folder, f"{issuer}.der")
    assert cert.version == x509.Version.v3
    assert cert.serial_number == (0x10 + KINDS.index(kind)) << 120 | EVIDENCE.index(evidence) << 112
    assert cert.issuer == ca.subject
    assert list(cert.subject) == []
    assert cert.not_valid_before == datetime.datetime(2026, 11, 24, 2, 0, 0)
    assert cert.not_valid_after == FOREVER
    der = cert.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert der == read(folder, f"key-{kind}.der")


@each_ek
def test_an_ek_certificate_has_the_extensions_of_the_profile(folder, issuer, kind, evidence):
    cert, ca = load(folder, f"{issuer}-ek-{kind}-{evidence}.der"), load(folder, f"{issuer}.der")
    found = {e.oid: e for e in cert.extensions}

    san = found.pop(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    assert san.critical
    [name] = san.value.get_values_for_type(x509.DirectoryName)
    assert [[(a.oid.dotted_string, a.value) for a in rdn] for rdn in name.rdns] == [
        [("2.23.133.2.1", "id:49424D00")], [("2.23.133.2.2", "SW   TPM")], [("2.23.133.2.3", "id:20191023")]]

    constraints = found.pop(ExtensionOID.BASIC_CONSTRAINTS)
    assert constraints.critical and not constraints.value.ca and constraints.value.path_length is None

    usage = found.pop(ExtensionOID.KEY_USAGE)
    assert usage.critical
    bits = [n for n in ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
                        "key_agreement", "key_cert_sign", "crl_sign") if getattr(usage.value, n)]
    assert bits == (["key_encipherment"] if kind.startswith("rsa") else ["key_agreement"])

    extended = found.pop(ExtensionOID.EXTENDED_KEY_USAGE)
    assert not extended.critical and [u.dotted_string for u in extended.value] == ["2.23.133.8.1"]

    authority = found.pop(ExtensionOID.AUTHORITY_KEY_IDENTIFIER)
    ski = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert not authority.critical and authority.value.key_identifier == ski
    assert authority.value.authority_cert_issuer is None

    attributes = found.pop(x509.ObjectIdentifier("2.5.29.9"))
    [attribute] = decoder.decode(attributes.value.value, asn1Spec=rfc5280.SubjectDirectoryAttributes())[0]
    assert not attributes.critical and str(attribute["type"]) == "2.23.133.2.16" and len(attribute["values"]) == 1
    specification, rest = decoder.decode(attribute["values"][0])
    assert [str(specification[0]), int(specification[1]), int(specification[2]), rest] == ["2.0", 0, 164, b""]

    assert (CMW in found) == (evidence != "none")
    found.pop(CMW, None)
    assert not found


@each_ek
def test_an_ek_certificate_verifies_under_its_issuer(folder, issuer, kind, evidence):
    cert, ca = load(folder, f"{issuer}-ek-{kind}-{evidence}.der"), load(folder, f"{issuer}.der")
    assert isinstance(cert.signature_hash_algorithm, ISSUERS[issuer])
    ca.public_key().verify(cert.signature, cert.tbs_certificate_bytes, ec.ECDSA(ISSUERS[issuer]()))
    with pytest.raises(InvalidSignature):
        ca.public_key().verify(cert.signature, cert.tbs_certificate_bytes[:-1] + b"!", ec.ECDSA(ISSUERS[issuer]()))


@each_ek
def test_openssl_accepts_an_ek_certificate_strictly(folder, issuer, kind, evidence):
    cert, ca = pem(folder, f"{issuer}-ek-{kind}-{evidence}.der"), pem(folder, f"{issuer}.der")
    other = pem(folder, "ca256.der" if issuer != "ca256" else "ca384.der")
    at = ["-attime", ISSUED_AT + 1]
    assert openssl("verify", *at, "-x509_strict", "-CAfile", ca, cert) == (0, f"{cert}: OK\n")
    assert openssl("verify", *at, "-CAfile", other, cert)[0] != 0
    status, text = openssl("x509", "-in", cert, "-noout", "-text")
    assert status == 0 and "Subject: \n" in text and "DirName:" in text


@each_ek
def test_der_read_and_written_again_is_the_same(folder, issuer, kind, evidence):
    der = read(folder, f"{issuer}-ek-{kind}-{evidence}.der")
    cert, rest = decoder.decode(der, asn1Spec=rfc5280.Certificate())
    assert rest == b"" and encoder.encode(cert) == der


@pytest.mark.parametrize("issuer", ISSUERS)
@pytest.mark.parametrize("kind", ["rsa2048", "p256", "p384"])
def test_the_record_fits_into_an_index_of_libtpms(folder, issuer, kind):
    assert len(read(folder, f"{issuer}-ek-{kind}-record.der")) <= NV_INDEX_MAX


def test_rsa_3072_with_a_record_does_not_fit_into_an_index_of_libtpms(folder):
    # Should this fail one day, manufacture may offer RSA 3072 on libtpms.
    assert len(read(folder, "boot-ek-rsa3072-record.der")) > NV_INDEX_MAX


# ---- the evidence: RFC 9999 ----

def deterministic(item):
    """RFC 8949, 4.2.1, written down a second time; cbor2 supplies the items that have no items inside."""
    def head(major, n):
        return bytes([cbor2.dumps(n)[0] | major << 5]) + cbor2.dumps(n)[1:]
    if isinstance(item, dict):
        pairs = sorted((deterministic(k), deterministic(v)) for k, v in item.items())
        return head(5, len(item)) + b"".join(k + v for k, v in pairs)
    if isinstance(item, list):
        return head(4, len(item)) + b"".join(map(deterministic, item))
    return cbor2.dumps(item)


def wrapper(folder, issuer, kind, evidence):
    extension = load(folder, f"{issuer}-ek-{kind}-{evidence}.der").extensions.get_extension_for_oid(CMW)
    assert not extension.critical
    cbor, rest = decoder.decode(extension.value.value, asn1Spec=univ.OctetString())
    cmw = cbor2.loads(bytes(cbor))
    assert rest == b"" and deterministic(cmw) == bytes(cbor)
    return bytes(cbor), cmw


each_kind = pytest.mark.parametrize("issuer,kind", [(i, k) for i in ISSUERS for k in KINDS])


@each_kind
def test_a_record_holds_exactly_the_report(folder, issuer, kind):
    cbor, cmw = wrapper(folder, issuer, kind, "record")
    assert cmw == [REPORT_TYPE, read(folder, "report.bin"), 4]
    assert cbor[0] == 0x83


@each_kind
@pytest.mark.parametrize("evidence", ["claims", "table", "all"])
def test_a_collection_holds_what_was_given(folder, issuer, kind, evidence):
    cbor, cmw = wrapper(folder, issuer, kind, evidence)
    assert 0xa0 <= cbor[0] <= 0xbb
    assert cmw.pop("__cmwc_t") == COLLECTION
    assert cmw.pop("report") == [REPORT_TYPE, read(folder, "report.bin"), 4]
    if evidence in ("table", "all"):
        assert cmw.pop("certificates") == [TABLE_TYPE, read(folder, "table.bin"), 2]
    if evidence in ("claims", "all"):
        media_type, claims, indicator = cmw.pop("claims")
        assert (media_type, indicator) == (CLAIMS_TYPE, 4)
        assert deterministic(cbor2.loads(claims)) == claims
        assert cbor2.loads(claims) == {6: ISSUED_AT, 270: "cvtpm", 271: ["0.1.0"], "isolation": "svsm",
                                       "sealing": "memory", "rollback-floor": 7}
    assert cmw == {}


# ---- the per-boot issuer ----

def test_the_per_boot_issuer_is_a_certification_authority_for_end_entities(folder):
    cert = load(folder, "boot.der")
    public = cert.public_key()
    assert isinstance(public.curve, ec.SECP384R1)
    public.verify(cert.signature, cert.tbs_certificate_bytes, ec.ECDSA(hashes.SHA384()))
    found = {e.oid: e for e in cert.extensions}
    constraints, usage, ski = (found.pop(o) for o in (ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE,
                                                      ExtensionOID.SUBJECT_KEY_IDENTIFIER))
    assert constraints.critical and constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    assert usage.critical and usage.value.key_cert_sign and not usage.value.digital_signature
    assert not usage.value.crl_sign and not ski.critical and not found

    point = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(point)
    key_id = digest.finalize()[:20]  # RFC 7093
    assert ski.value.digest == key_id
    assert cert.subject == cert.issuer
    assert [(a.oid, a.value) for a in cert.subject] == [(NameOID.COMMON_NAME, "cvtpm per-boot " + key_id[:4].hex())]
    assert 2 ** 119 < cert.serial_number < 2 ** 127


def test_the_per_boot_issuer_reads_and_writes_the_same(folder):
    der = read(folder, "boot.der")
    assert encoder.encode(decoder.decode(der, asn1Spec=rfc5280.Certificate())[0]) == der


# ---- the platform certificate: RFC 5755, TCG Platform Certificate Profile ----

def directory_name(general_names):
    """DER of the Name in GeneralNames that hold exactly one, a directoryName."""
    [general_name] = general_names
    return encoder.encode(general_name["directoryName"].getComponent())


def platform(der):
    """The attribute certificate, decoded: structure, attributes and extensions by OID."""
    cert, rest = decoder.decode(der, asn1Spec=rfc5755.AttributeCertificate())
    assert rest == b""
    info = cert["acinfo"]
    attributes = {str(a["type"]): [bytes(v) for v in a["values"]] for a in info["attributes"]}
    extensions = {str(e["extnID"]): (bool(e["critical"]), bytes(e["extnValue"])) for e in info["extensions"]}
    return cert, info, attributes, extensions


each_platform = pytest.mark.parametrize("issuer,name", [(i, n) for i in ISSUERS
                                                        for n in ("platform", "platform-no-serial")])


@each_platform
def test_the_holder_of_a_platform_certificate_is_the_ek_certificate(folder, issuer, name):
    _, info, _, _ = platform(read(folder, f"{issuer}-{name}.der"))
    ek = load(folder, f"{issuer}-ek-rsa2048-record.der")
    base = info["holder"]["baseCertificateID"]
    assert int(base["serial"]) == ek.serial_number
    assert directory_name(base["issuer"]) == ek.issuer.public_bytes()
    assert not info["holder"]["entityName"].isValue and not info["holder"]["objectDigestInfo"].isValue


@each_platform
def test_a_platform_certificate_has_the_fields_of_an_attribute_certificate(folder, issuer, name):
    der = read(folder, f"{issuer}-{name}.der")
    cert, info, _, _ = platform(der)
    ca = load(folder, f"{issuer}.der")
    assert int(info["version"]) == 1  # v2
    assert directory_name(info["issuer"]["v2Form"]["issuerName"]) == ca.subject.public_bytes()
    assert int(info["serialNumber"]) == 0x7feedd << 104
    period = info["attrCertValidityPeriod"]
    assert (str(period["notBeforeTime"]), str(period["notAfterTime"])) == ("20261124020000Z", "99991231235959Z")
    algorithm = "1.2.840.10045.4.3.3" if ISSUERS[issuer] is hashes.SHA384 else "1.2.840.10045.4.3.2"
    for identifier in (info["signature"], cert["signatureAlgorithm"]):
        assert str(identifier["algorithm"]) == algorithm and not identifier["parameters"].isValue
    assert len(der) <= NV_INDEX_MAX


@each_platform
def test_a_platform_certificate_verifies_under_its_issuer(folder, issuer, name):
    cert, info, _, _ = platform(read(folder, f"{issuer}-{name}.der"))
    # What is signed, cut out of the file by hand and not encoded again.
    der = read(folder, f"{issuer}-{name}.der")
    signed = der[4:4 + 4 + int.from_bytes(der[6:8], "big")]
    assert der[:2] == b"\x30\x82" and signed[:2] == b"\x30\x82"
    signature = cert["signatureValue"].asOctets()
    load(folder, f"{issuer}.der").public_key().verify(signature, signed, ec.ECDSA(ISSUERS[issuer]()))
    assert encoder.encode(info) == signed


@each_platform
def test_a_platform_certificate_has_the_attributes_of_the_profile(folder, issuer, name):
    _, _, attributes, _ = platform(read(folder, f"{issuer}-{name}.der"))
    assert all(len(values) == 1 for values in attributes.values())
    # Context tags say nothing of the type beneath: these two are decoded by their ASN.1 below.
    tagged = {"2.23.133.2.19", "2.23.133.5.1.7.2"}
    value = {oid: decoder.decode(values[0])[0] for oid, values in attributes.items() if oid not in tagged}

    specification = value.pop("2.23.133.2.17")
    assert [int(n) for n in specification[0]] == [1, 5, 14] and bytes(specification[1]) == b"\0\0\0\1"
    assert [str(v) for v in value.pop("2.23.133.2.25")] == ["2.23.133.8.2"]
    assert [int(v) for v in value.pop("2.23.133.2.23")] == [1, 1, 19]
    virtual = univ.Enumerated().subtype(implicitTag=tag.Tag(tag.tagClassContext, tag.tagFormatSimple, 2))
    assertions = univ.Sequence(componentType=namedtype.NamedTypes(namedtype.NamedType("rtmType", virtual)))
    assert int(decoder.decode(attributes["2.23.133.2.19"][0], asn1Spec=assertions)[0]["rtmType"]) == 5
    assert ("2.23.133.5.1.7.2" in attributes) == (name == "platform")
    if name == "platform":
        [configuration] = attributes["2.23.133.5.1.7.2"]
        properties = univ.SequenceOf(componentType=univ.Any()).subtype(
            implicitTag=tag.Tag(tag.tagClassContext, tag.tagFormatConstructed, 2))
        spec = univ.Sequence(componentType=namedtype.NamedTypes(namedtype.NamedType("properties", properties)))
        [one] = decoder.decode(configuration, asn1Spec=spec)[0]["properties"]
        assert [str(v) for v in decoder.decode(bytes(one))[0]] == [
            "SEV-SNP REPORT_ID", "27fd5a1c8f1c5a35c6d3a42a4c06c70ff1ab3ff1b9a8e7e0fe8f1b7ac3d0e6aa"]
    assert value == {}


@each_platform
def test_a_platform_certificate_has_the_extensions_of_the_profile(folder, issuer, name):
    _, _, _, extensions = platform(read(folder, f"{issuer}-{name}.der"))
    assert not any(critical for critical, _ in extensions.values())

    names = decoder.decode(extensions.pop("2.5.29.17")[1], asn1Spec=rfc5280.SubjectAltName())[0]
    rdns = [[(str(a["type"]), str(decoder.decode(bytes(a["value"]))[0])) for a in rdn]
            for rdn in names[0]["directoryName"]["rdnSequence"]]
    expected = [[("2.23.133.5.1.1", "cvtpm")], [("2.23.133.5.1.4", "SEV-SNP confidential virtual machine")],
                [("2.23.133.5.1.5", "1")]]
    if name == "platform":
        expected.append([("2.23.133.5.1.6", "27fd5a1c8f1c5a35c6d3a42a4c06c70ff1ab3ff1b9a8e7e0fe8f1b7ac3d0e6aa")])
    assert rdns == expected

    [policy] = decoder.decode(extensions.pop("2.5.29.32")[1], asn1Spec=rfc5280.CertificatePolicies())[0]
    assert str(policy["policyIdentifier"]) == "2.5.29.32.0"
    [qualifier] = policy["policyQualifiers"]
    assert str(qualifier["policyQualifierId"]) == "1.3.6.1.5.5.7.2.2"
    notice = decoder.decode(bytes(qualifier["qualifier"]), asn1Spec=rfc5280.UserNotice())[0]
    assert str(notice["explicitText"]["utf8String"]) == "TCG Trusted Platform Endorsement"

    authority = decoder.decode(extensions.pop("2.5.29.35")[1], asn1Spec=rfc5280.AuthorityKeyIdentifier())[0]
    ski = load(folder, f"{issuer}.der").extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert bytes(authority["keyIdentifier"]) == ski
    assert not extensions


# ---- beside genuine certificates ----

# What certificates of real machines carry (attributes, then extensions; True: critical), as read from the samples in
# the public repositories nsacyber/paccor (STM) and google/go-attestation (Intel, Lenovo).
STM_2020_EK = {"2.5.29.35": False, "2.5.29.17": True, "2.5.29.9": False, "2.5.29.19": True, "2.5.29.37": False,
               "2.5.29.15": True, "1.3.6.1.5.5.7.1.1": False}
PLATFORMS = {
    "Intel NUC 2018": ({"2.23.133.2.17", "2.23.133.2.19", "2.23.133.2.23", "2.23.133.2.25", "2.23.133.5.1.3",
                        "2.23.133.5.1.7.1"}, {"2.5.29.17", "2.5.29.32", "2.5.29.35", "1.3.6.1.5.5.7.1.1"}),
    "Lenovo T480 2018": ({"2.23.133.2.17", "2.23.133.2.19", "2.23.133.2.23", "2.23.133.2.25", "2.23.133.5.1.7.1"},
                         {"2.5.29.17", "2.5.29.32", "2.5.29.35", "1.3.6.1.5.5.7.1.1"}),
}
NOT_IN_OURS = {
    "1.3.6.1.5.5.7.1.1": "authorityInfoAccess: no server has the issuer's certificate; it is in the TPM, at 0x01C00100",
    "2.23.133.5.1.3": "platformConfigUri: no server",
    "2.23.133.5.1.7.1": "platformConfiguration v1: ours is v2",
}


def test_an_ek_certificate_has_what_a_genuine_one_has(folder):
    ours = {e.oid.dotted_string: e.critical for e in load(folder, "boot-ek-rsa2048-none.der").extensions}
    assert ours == {oid: critical for oid, critical in STM_2020_EK.items() if oid not in NOT_IN_OURS}


@pytest.mark.parametrize("machine", PLATFORMS)
def test_a_platform_certificate_has_what_a_genuine_one_has(folder, machine):
    _, _, our_attributes, our_extensions = platform(read(folder, "boot-platform.der"))
    attributes, extensions = PLATFORMS[machine]
    assert set(our_attributes) == attributes - set(NOT_IN_OURS) | {"2.23.133.5.1.7.2"}
    assert set(our_extensions) == extensions - set(NOT_IN_OURS)
