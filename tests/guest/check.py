"""Judges what the guest's workload prints (tests/guest/program/workload.c), with nothing of cvtpm."""
import hashlib
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

SHA256 = 0x0B


class Reader:
    """Big-endian fields of the TPM's structures."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, size):
        return int.from_bytes(self.bytes(size), "big")

    def bytes(self, size):
        assert size <= len(self.data) - self.at, "a structure is cut off"
        self.at += size
        return self.data[self.at - size:self.at]

    def sized(self):
        return self.bytes(self.number(2))

    def end(self):
        assert self.at == len(self.data), "bytes are left over"


def ecc_key(public):
    """A P-256 ECDSA signing key's TPMT_PUBLIC."""
    r = Reader(public)
    kind, name_hash, attributes = r.number(2), r.number(2), r.number(4)
    assert (kind, name_hash) == (0x23, SHA256) and attributes & (1 << 16) and attributes & (1 << 18)
    assert r.sized() == b""
    assert [r.number(2) for _ in range(5)] == [0x10, 0x18, SHA256, 3, 0x10]
    x, y = (int.from_bytes(r.sized(), "big") for _ in range(2))
    r.end()
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def rsa_key(public):
    """A 2048-bit RSASSA signing key's TPMT_PUBLIC."""
    r = Reader(public)
    assert (r.number(2), r.number(2)) == (1, SHA256)
    r.number(4)
    assert r.sized() == b""
    assert [r.number(2) for _ in range(4)] == [0x10, 0x14, SHA256, 2048]
    exponent = r.number(4) or 65537
    modulus = int.from_bytes(r.sized(), "big")
    r.end()
    assert modulus.bit_length() == 2048
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def verify_ecdsa(key, signature, message):
    r = Reader(signature)
    assert (r.number(2), r.number(2)) == (0x18, SHA256)
    first, second = (int.from_bytes(r.sized(), "big") for _ in range(2))
    r.end()
    key.verify(utils.encode_dss_signature(first, second), message, ec.ECDSA(hashes.SHA256()))


def verify_rsassa(key, signature, digest):
    r = Reader(signature)
    assert (r.number(2), r.number(2)) == (0x14, SHA256)
    value = r.sized()
    r.end()
    key.verify(value, digest, padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))


def quote(found, ak, nonce):
    """The quote is the AK's, over this nonce, and over the values that the PCRs have."""
    quoted = bytes.fromhex(found["quoted"][-1])
    verify_ecdsa(ak, bytes.fromhex(found["quote_signature"][-1]), quoted)
    r = Reader(quoted)
    assert r.bytes(4) == b"\xffTCG" and r.number(2) == 0x8018
    r.sized()
    assert r.sized() == nonce
    r.bytes(8 + 4 + 4 + 1 + 8)  # clock, firmware version
    assert r.number(4) == 1 and r.number(2) == SHA256
    chosen = int.from_bytes(r.bytes(r.number(1)), "little")
    pcrs = [n for n in range(24) if chosen >> n & 1]
    assert pcrs == [0, 1, 2, 3, 4, 5, 6, 7, 10, 11]
    values = b"".join(bytes.fromhex(found[f"pcr{n}"][-1]) for n in pcrs)
    assert r.sized() == hashlib.sha256(values).digest(), "the quote is over other values"
    r.end()


def extend(pcr, digest):
    return hashlib.sha256(pcr + digest).digest()


def workload(found, nonce):
    """Everything that the workload has shown. `found` is guest.values() of its output."""
    one, two = (bytes.fromhex(v) for v in found["random"])
    assert len(one) == len(two) == 32 and one != two and bytes(32) not in (one, two)
    assert hashlib.sha256(bytes.fromhex(found["hashed"][0])).hexdigest() == found["hash"][0]

    pcr = bytes.fromhex(found["measured_before"][0])
    for n in range(int(found["measurements"][0])):
        pcr = extend(pcr, bytes([n & 0xFF]) * 32)
    assert found["measured_after"] == [pcr.hex()]
    assert found["pcr11"] == [pcr.hex()]

    assert bytes.fromhex(found["nv"][0]) == bytes(n * 5 & 0xFF for n in range(48))
    first, second = (struct.unpack(">Q", bytes.fromhex(v))[0] for v in found["nv_counter"])
    assert second == first + 1

    verify_rsassa(rsa_key(bytes.fromhex(found["rsa_public"][0])), bytes.fromhex(found["rsa_signature"][0]),
                  bytes.fromhex(found["rsa_digest"][0]))
    quote(found, ecc_key(bytes.fromhex(found["ak_public"][0])), nonce)
    assert int(found["commands"][0]) >= 200
