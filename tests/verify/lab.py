"""Lab evidence with faults on request: chain, report, EK, EK certificate, CRL.

Everything is written here as DER and CBOR by hand or by python3-cbor2, and
shares no code with the programs under test.
"""
import datetime
import functools
import hashlib
import os
import struct

import cbor2
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

AMD = "1.3.6.1.4.1.3704.1."
FMS = {"Milan": (0x19, 0x01, 1), "Genoa": (0x19, 0x11, 1), "Turin": (0x1A, 0x02, 1)}
MEASUREMENT = bytes([0xAB]) * 48
COLLECTION_TYPE = "urn:uuid:91894ad7-6f27-4d3c-a0c0-a1c5ea2dcd6e"
TYPE_REPORT = "application/vnd.amd.sev-snp.attestation-report"
TYPE_TABLE = "application/vnd.amd.ghcb.guid-table"
TYPE_CLAIMS = "application/eat-ucs+cbor"


# ---- DER ----

def tlv(tag, *parts):
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + body


def seq(*parts):
    return tlv(0x30, *parts)


def integer(n):
    return tlv(2, n.to_bytes(n.bit_length() // 8 + 1, "big"))


def oid(dotted):
    arcs = [int(a) for a in dotted.split(".")]
    out = b""
    for arc in [arcs[0] * 40 + arcs[1]] + arcs[2:]:
        part = [arc & 0x7F]
        while arc > 0x7F:
            arc >>= 7
            part.append(0x80 | arc & 0x7F)
        out += bytes(reversed(part))
    return tlv(6, out)


def utf8(text):
    return tlv(0x0C, text if isinstance(text, bytes) else text.encode())


def name(cn, org="Advanced Micro Devices", extra=()):
    parts = [("2.5.4.11", "Engineering"), ("2.5.4.6", "US"), ("2.5.4.7", "Santa Clara"), ("2.5.4.8", "CA"),
             ("2.5.4.10", org), ("2.5.4.3", cn), *extra]
    return seq(*(tlv(0x31, seq(oid(o), utf8(v))) for o, v in parts))


def when(t):
    return tlv(0x18, t.strftime("%Y%m%d%H%M%SZ").encode())


def extension(dotted, value, critical=False):
    return seq(oid(dotted), tlv(1, b"\xff") if critical else b"", tlv(4, value))


def pss_algorithm(salt, hash_oid="2.16.840.1.101.3.4.2.2"):
    sha = seq(oid(hash_oid), tlv(5))
    return seq(oid("1.2.840.113549.1.1.10"), seq(tlv(0xA0, sha), tlv(0xA1, seq(oid("1.2.840.113549.1.1.8"), sha)),
                                                   tlv(0xA2, integer(salt))))


def spki(key):
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def sign(tbs_of, key, scheme="pss", salt=48):
    """A signed structure whose inner part is tbs_of(algorithm)."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        algorithm = seq(oid("1.2.840.10045.4.3.3"))
        tbs = tbs_of(algorithm)
        signature = key.sign(tbs, ec.ECDSA(hashes.SHA384()))
    elif scheme == "pkcs1":
        algorithm = seq(oid("1.2.840.113549.1.1.12"), tlv(5))
        tbs = tbs_of(algorithm)
        signature = key.sign(tbs, padding.PKCS1v15(), hashes.SHA384())
    elif scheme == "sha256":
        algorithm = pss_algorithm(salt, "2.16.840.1.101.3.4.2.1")
        tbs = tbs_of(algorithm)
        signature = key.sign(tbs, padding.PSS(padding.MGF1(hashes.SHA256()), salt), hashes.SHA256())
    else:
        algorithm = pss_algorithm(salt)
        tbs = tbs_of(algorithm)
        signature = key.sign(tbs, padding.PSS(padding.MGF1(hashes.SHA384()), salt), hashes.SHA384())
    return seq(tbs, algorithm, tlv(3, b"\0", signature))


def certificate(subject, issuer, key, serial, dates, extensions, signer, **how):
    body = [subject, spki(key)]
    return sign(lambda algorithm: seq(
        tlv(0xA0, integer(2)), integer(serial), algorithm, issuer, seq(when(dates[0]), when(dates[1])), *body,
        tlv(0xA3, seq(*extensions))), signer, **how)


def pem(der, kind="CERTIFICATE"):
    import base64
    text = base64.b64encode(der).decode()
    lines = [text[i:i + 64] for i in range(0, len(text), 64)]
    return ("-----BEGIN %s-----\n%s\n-----END %s-----\n" % (kind, "\n".join(lines), kind)).encode()


# ---- the chain ----

@functools.lru_cache(None)
def rsa_key(which, bits=4096):
    return rsa.generate_private_key(65537, bits)


def ca_extensions(o, path):
    out = []
    if o.get("ca", True):
        out.append(extension("2.5.29.19", seq(tlv(1, b"\xff"), b"" if path is None else integer(path)), True))
        out.append(extension("2.5.29.15", tlv(3, b"\x02\x04"), True))
    return out


def leaf_extensions(o, product, vlek, parts, hwid):
    turin = product == "Turin"
    ia5 = lambda s: tlv(0x16, s.encode())
    ext = [("1", integer(1 if turin else 0)), ("2", ia5(o.get("product_name", product if turin or vlek else product + "-B1")))]
    if turin:
        ext.append(("3.9", integer(parts["fmc"])))
    ext += [("3.1", integer(parts["bl"])), ("3.2", integer(parts["tee"])), ("3.3", integer(parts["snp"]))]
    ext += [("3.%d" % n, integer(0)) for n in ((5, 6, 7) if turin else (4, 5, 6, 7))]
    ext.append(("3.8", integer(parts["ucode"])))
    if vlek:
        ext.append(("5", ia5(o.get("csp", "CN=lab.invalid"))))
    else:
        ext.append(("4", tlv(4, hwid) if o.get("wrapped") else hwid))
    out = [extension(AMD + n, v) for n, v in ext if n != o.get("drop")]
    if "add" in o:
        out.append(extension(o["add"], b"\x05\x00", o.get("add_critical", False)))
    if "twice" in o:
        out.append(extension(AMD + o["twice"], integer(0)))
    return out


class Lab:
    """A chip, its chain and one report. Faults and facts by keyword, see uses of `o`."""

    def __init__(self, **o):
        self.o = o
        self.product = product = o.get("product", "Milan")
        self.vlek = vlek = o.get("vlek", False)
        turin = product == "Turin"
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        dates = (now - datetime.timedelta(days=2), now + datetime.timedelta(days=3000))
        leaf_dates = o.get("dates", dates)
        self.ark_key, self.ask_key = rsa_key("ark"), rsa_key("ask", o.get("bits", 4096))
        self.key = ec.generate_private_key(o.get("curve", ec.SECP384R1()))
        self.chip = os.urandom(8) + bytes(56) if turin else os.urandom(64)
        parts = dict(fmc=1, bl=4, tee=0, snp=24, ucode=0xDB)
        self.tcb = bytes([1, 4, 0, 24, 0, 0, 0, 0xDB]) if turin else bytes([4, 0, 0, 0, 0, 0, 24, 0xDB])

        self.ark_name = name(o.get("ark_cn", "cvtpm-LAB-ARK"), o.get("ark_org", "cvtpm"))
        ask_name = name(o.get("ask_cn", ("SEV-VLEK-" if vlek else "SEV-") + product))
        leaf_name = name(o.get("cn", "SEV-VLEK" if vlek else "SEV-VCEK"), o.get("org", "Advanced Micro Devices"),
                         o.get("extra_name", ()))
        self.ark = certificate(self.ark_name, self.ark_name, self.ark_key, 0x10000, dates,
                               ca_extensions({}, None), self.ark_key)
        self.ask = certificate(ask_name, self.ark_name, self.ask_key, o.get("ask_serial", 0x10001), dates,
                               ca_extensions(o, o.get("path", 0)), self.ark_key,
                               salt=o.get("ask_salt", 48), scheme=o.get("ask_scheme", "pss"))
        signer = rsa_key("other") if o.get("forged") else self.ask_key
        self.leaf = certificate(leaf_name, ask_name, self.key, 0, leaf_dates,
                                leaf_extensions(o, product, vlek, parts, self.chip[:8] if turin else self.chip),
                                signer, salt=o.get("salt", 48), scheme=o.get("scheme", "pss"))
        self.certs = pem(self.leaf) + pem(self.ask)
        self.report = self.make_report(o.get("report_data", bytes(64)))

    def make_report(self, report_data, **changes):
        o = {**self.o, **changes}
        turin, version = self.product == "Turin", o.get("version", 5 if self.product == "Turin" else 3)
        tcb, r = o.get("tcb", self.tcb), bytearray(0x4A0)
        struct.pack_into("<IIQ", r, 0, version, 0, o.get("policy", 0x30000))
        struct.pack_into("<II8sQI", r, 0x30, o.get("vmpl", 0), o.get("algorithm", 1), o.get("current", tcb),
                         o.get("platform", 0x25), o.get("signer", 4 if self.vlek else 0))
        r[0x50:0x90], r[0x90:0xC0] = report_data, o.get("measurement", MEASUREMENT)
        r[0x140:0x160], r[0x160:0x180] = os.urandom(32), o.get("ma", b"\xff" * 32)
        r[0x180:0x188], r[0x1E0:0x1E8] = o.get("reported", tcb), o.get("committed", tcb)
        r[0x1F0:0x1F8] = o.get("launch", tcb)
        if version >= 3:
            r[0x188:0x18B] = bytes(o.get("fms", FMS[self.product]))
        r[0x1A0:0x1E0] = o.get("chip", bytes(64) if self.vlek else self.chip)
        r[0x1E8:0x1EF] = bytes([0x1D, 55, 1, 0, 0x1D, 55, 1])
        for at, value in o.get("poke", {}).items():
            r[at] = value
        key = ec.generate_private_key(ec.SECP384R1()) if o.get("wrong_key") else self.key
        rs = decode_dss_signature(key.sign(bytes(r[:0x2A0]), ec.ECDSA(hashes.SHA384())))
        r[0x2A0:0x2E8], r[0x2E8:0x330] = (n.to_bytes(72, "little") for n in rs)
        for at, value in o.get("poke_unsigned", {}).items():
            r[at] = value
        for at, mask in o.get("flip_unsigned", {}).items():  # where what is there was drawn by lot
            r[at] ^= mask
        return bytes(r)

    def crl(self, serials=(), key=None, days=(-1, 30), extra=b""):
        now = datetime.datetime.now(datetime.timezone.utc)
        dates = [when(now + datetime.timedelta(days=d)) for d in days]
        revoked = seq(*(seq(integer(s), dates[0]) for s in serials)) if serials else b""
        return sign(lambda algorithm: seq(integer(1), algorithm, self.ark_name, *dates, revoked, extra),
                    key or self.ark_key)


def table(**certs):
    guids = {"vcek": "63da758de6644564adc5f4b93be8accd", "vlek": "a8074bc2a25a483eaae639c045a0b8a1",
             "ask": "4ab7b379bbac4fe4a02f05aef327c782", "ark": "c0b406a4a803495297433fb6014cd0ae",
             "crl": "92f81bc358114d3d97ffd19f88dc67ea"}
    head, blob, at = b"", b"", 24 * (len(certs) + 1)
    for kind, der in certs.items():
        head += bytes.fromhex(guids[kind]) + struct.pack("<II", at + len(blob), len(der))
        blob += der
    return head + bytes(24) + blob


# ---- EKs ----

POLICY_A = bytes.fromhex("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa")
POLICY_B384 = bytes.fromhex("b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419ca"
                            "cb47ba09699646150f9fc000f3f80e12")


class Ek:
    """An EK of a listed template, its TPMT_PUBLIC, and certificates for it."""

    def __init__(self, kind="rsa2048", attributes=None):
        self.rsa = kind.startswith("rsa")
        high = kind in ("p384", "rsa3072")
        head = struct.pack(">HHIH", 1 if self.rsa else 0x23, 0x0C if high else 0x0B,
                           attributes or (0x300F2 if high else 0x300B2), 48 if high else 32)
        head += (POLICY_B384 if high else POLICY_A) + struct.pack(">HHH", 6, 256 if high else 128, 0x43)
        if self.rsa:
            bits = int(kind[3:])
            self.key = rsa.generate_private_key(65537, bits)
            n = self.key.public_key().public_numbers().n.to_bytes(bits // 8, "big")
            self.tpmt = head + struct.pack(">HHIH", 0x10, bits, 0, len(n)) + n
        else:
            self.key = ec.generate_private_key({"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}[kind])
            size, p = {"p256": (32, 3), "p384": (48, 4)}[kind], self.key.public_key().public_numbers()
            size, curve = size
            self.tpmt = head + struct.pack(">HHH", 0x10, curve, 0x10)
            self.tpmt += struct.pack(">H", size) + p.x.to_bytes(size, "big")
            self.tpmt += struct.pack(">H", size) + p.y.to_bytes(size, "big")
        self.tpm2b = struct.pack(">H", len(self.tpmt)) + self.tpmt

    def digest(self):
        return hashlib.sha512(self.tpm2b).digest()

    def certificate(self, cmw=None, issuer_key=None, issuer="cvtpm per-boot 01020304", **o):
        now = datetime.datetime.now(datetime.timezone.utc)
        dates = o.get("dates", (now - datetime.timedelta(days=1), datetime.datetime(9999, 12, 31, 23, 59, 59)))
        rdn = lambda arc, text: tlv(0x31, seq(oid(arc), utf8(text)))
        san = seq(tlv(0xA4, seq(rdn("2.23.133.2.1", o.get("manufacturer", "id:49424D00")),
                                rdn("2.23.133.2.2", o.get("model", "SW TPM")), rdn("2.23.133.2.3", "id:20230901"))))
        usage = o.get("usage", b"\x05\x20" if self.rsa else b"\x03\x08")
        ext = [extension("2.5.29.17", san, True), extension("2.5.29.19", o.get("basic", seq()), True),
               extension("2.5.29.15", tlv(3, usage), True),
               extension("2.5.29.37", seq(oid(o.get("eku", "2.23.133.8.1")))),
               extension("2.5.29.35", seq(tlv(0x80, bytes(20))))]
        if cmw is not None:
            ext += [extension("1.3.6.1.5.5.7.1.35", o.get("wrap", lambda c: tlv(4, c))(cmw))] * o.get("times", 1)
        if "add" in o:
            ext.append(extension(o["add"], b"\x05\x00", True))
        issuer_name = seq(rdn("2.5.4.10", "cvtpm"), rdn("2.5.4.3", issuer))
        return certificate(seq(), issuer_name, o.get("key", self.key), 77, dates, ext,
                           issuer_key or ec.generate_private_key(ec.SECP384R1()))


def record(report, media=TYPE_REPORT, ind=4):
    return cbor2.dumps([media, report, ind])


def collection(report, certs=None, claims=None, extra=None, media=COLLECTION_TYPE):
    out = {"__cmwc_t": media, "report": [TYPE_REPORT, report, 4]}
    if certs is not None:
        out["certificates"] = [TYPE_TABLE, certs, 2]
    if claims is not None:
        out["claims"] = [TYPE_CLAIMS, cbor2.dumps(claims, canonical=True), 4]
    out.update(extra or {})
    return cbor2.dumps(out, canonical=True)
