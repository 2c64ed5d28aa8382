#!/usr/bin/env python3
"""Makes the committed samples in data/, with nothing but struct, hashlib and cryptography.

usage: make_vectors.py FOLDER

Structures are laid out here once more, by hand, from TPM 2.0 Part 2, the TCG PC Client firmware profile
and the kernel's IMA documentation, so that the library and its samples do not share a mistake. Keys and
ECDSA signatures are drawn anew at each run; everything derived from them is written beside them.
"""
import hashlib
import hmac
import os
import struct
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

OUT = sys.argv[1]
RSASSA, RSAPSS, ECDSA, NULL = 0x14, 0x16, 0x18, 0x10
ALG = {"sha1": 0x04, "sha256": 0x0B, "sha384": 0x0C, "sha512": 0x0D}
HASH = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384()}
AK_ATTRIBUTES = 0x00050072  # fixedTPM fixedParent sensitiveDataOrigin userWithAuth restricted sign
NONCE = bytes(range(32))


def write(name, data):
    with open(os.path.join(OUT, name), "wb") as f:
        f.write(data)


def tpm2b(data):
    return struct.pack(">H", len(data)) + data


def digest(name, data):
    return hashlib.new(name, data).digest()


def rsa_public(key, name_alg, attributes, policy, parameters):
    n = key.public_key().public_numbers().n
    return (struct.pack(">HHI", 1, ALG[name_alg], attributes) + tpm2b(policy) + parameters
            + struct.pack(">HI", key.key_size, 0) + tpm2b(n.to_bytes(key.key_size // 8, "big")))


def ecc_public(key, name_alg, attributes, policy, parameters):
    p = key.public_key().public_numbers()
    size = key.key_size // 8
    curve = {256: 3, 384: 4}[key.key_size]
    return (struct.pack(">HHI", 0x23, ALG[name_alg], attributes) + tpm2b(policy) + parameters
            + struct.pack(">HH", curve, NULL) + tpm2b(p.x.to_bytes(size, "big")) + tpm2b(p.y.to_bytes(size, "big")))


def name_of(public):
    alg = {v: k for k, v in ALG.items()}[struct.unpack_from(">H", public, 2)[0]]
    return public[2:4] + digest(alg, public)


# ---- quotes: PCR n of a bank is the digest of the text "pcr n" ----

def pcr(bank, n):
    return digest(bank, b"pcr %d" % n)


def attest(public, hash_name, selections, parent):
    name = name_of(public)
    qualified = name[:2] + digest(hash_name_of(public), parent + name)
    body = struct.pack(">IH", 0xFF544347, 0x8018) + tpm2b(qualified) + tpm2b(NONCE)
    body += struct.pack(">QIIB", 123456789, 7, 3, 1) + struct.pack(">Q", 0x2026010100000001)
    body += struct.pack(">I", len(selections))
    values = b""
    for bank, pcrs in selections:
        mask = sum(1 << n for n in pcrs)
        body += struct.pack(">HB", ALG[bank], 3) + mask.to_bytes(3, "little")
        values += b"".join(pcr(bank, n) for n in sorted(pcrs))
    return body + tpm2b(digest(hash_name, values))


def hash_name_of(public):
    return {v: k for k, v in ALG.items()}[struct.unpack_from(">H", public, 2)[0]]


def quotes():
    selections = [("sha256", [0, 1, 2, 7, 10, 23]), ("sha384", [0, 8, 16])]
    write("quoted.pcrs", b"".join(pcr(bank, n) for bank, pcrs in selections for n in pcrs))
    endorsement, owner = bytes.fromhex("4000000b"), bytes.fromhex("40000001")
    key = rsa.generate_private_key(65537, 2048)
    for scheme, number in (("rsassa", RSASSA), ("rsapss", RSAPSS)):
        public = rsa_public(key, "sha256", AK_ATTRIBUTES, b"", struct.pack(">HHH", NULL, number, ALG["sha256"]))
        message = attest(public, "sha256", selections, endorsement)
        # The TPM's own salt length is for it to choose: here neither the digest's nor the largest.
        how = padding.PKCS1v15() if scheme == "rsassa" else padding.PSS(padding.MGF1(hashes.SHA256()), 100)
        signature = key.sign(message, how, hashes.SHA256())
        write(f"{scheme}.pub", public)
        write(f"{scheme}.attest", message)
        write(f"{scheme}.sig", struct.pack(">HH", number, ALG["sha256"]) + tpm2b(signature))
    for scheme, curve, h in (("p256", ec.SECP256R1(), "sha256"), ("p384", ec.SECP384R1(), "sha384")):
        key = ec.generate_private_key(curve)
        public = ecc_public(key, h, AK_ATTRIBUTES, b"", struct.pack(">HHH", NULL, ECDSA, ALG[h]))
        message = attest(public, h, selections, owner)
        r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(HASH[h])))
        size = key.key_size // 8
        write(f"{scheme}.pub", public)
        write(f"{scheme}.attest", message)
        write(f"{scheme}.sig",
              struct.pack(">HH", ECDSA, ALG[h]) + tpm2b(r.to_bytes(size, "big")) + tpm2b(s.to_bytes(size, "big")))


# ---- credentials: what follows from a seed (Part 1, 24) ----

def kdfa(h, key, label, context, bits):
    out, counter = b"", 0
    while len(out) < bits // 8:
        counter += 1
        out += hmac.new(key, struct.pack(">I", counter) + label + b"\0" + context + struct.pack(">I", bits), h).digest()
    return out[:bits // 8]


def credentials():
    policy_a = bytes.fromhex("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa")
    policy_b = bytes.fromhex("b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419ca"
                             "cb47ba09699646150f9fc000f3f80e12")
    aes = {bits: struct.pack(">HHHH", 6, bits, 0x43, NULL) for bits in (128, 256)}
    eks = {
        "ek-l1": (rsa_public(rsa.generate_private_key(65537, 2048), "sha256", 0x000300B2, policy_a, aes[128]), "sha256", 128),
        "ek-l2": (ecc_public(ec.generate_private_key(ec.SECP256R1()), "sha256", 0x000300B2, policy_a, aes[128]), "sha256", 128),
        "ek-h3": (ecc_public(ec.generate_private_key(ec.SECP384R1()), "sha384", 0x000300F2, policy_b, aes[256]), "sha384", 256),
        "ek-h6": (rsa_public(rsa.generate_private_key(65537, 3072), "sha384", 0x000300F2, policy_b, aes[256]), "sha384", 256),
    }
    ak_name = b"\x00\x0b" + digest("sha256", b"an AK")
    for label, (public, h, bits) in eks.items():
        size = hashlib.new(h).digest_size
        seed = digest(h, b"seed of " + label.encode())
        secret = digest("sha256", b"secret")[:20]
        encryptor = Cipher(algorithms.AES(kdfa(h, seed, b"STORAGE", ak_name, bits)), modes.CFB(bytes(16))).encryptor()
        encrypted = encryptor.update(tpm2b(secret)) + encryptor.finalize()
        integrity = hmac.new(kdfa(h, seed, b"INTEGRITY", b"", 8 * size), encrypted + ak_name, h).digest()
        write(f"{label}.pub", public)
        write(f"{label}.idobject", tpm2b(tpm2b(integrity) + encrypted))


# ---- event logs ----

EV_NO_ACTION, EV_SEPARATOR, EV_ACTION, EV_S_CRTM_VERSION, EV_IPL = 3, 4, 5, 8, 13
VARIABLE_DRIVER_CONFIG, VARIABLE_BOOT, BOOT_APPLICATION = 0x80000001, 0x80000002, 0x80000003


def variable(name, value):
    return bytes(16) + struct.pack("<QQ", len(name), len(value)) + name.encode("utf-16-le") + value


def image(path):
    """UEFI_IMAGE_LOAD_EVENT with a file path as its device path."""
    name = path.encode("utf-16-le") + bytes(2)
    device = b"\x04\x04" + struct.pack("<H", 4 + len(name)) + name + b"\x7f\xff\x04\x00"
    return struct.pack("<QQQQ", 0x1000, 0x2000, 0, len(device)) + device


def events():
    """(pcr, type, data, what is hashed)"""
    version = "firmware 1\0".encode("utf-16-le")
    yield 0, EV_S_CRTM_VERSION, version, version
    boot = variable("SecureBoot", b"\x01")
    yield 7, VARIABLE_DRIVER_CONFIG, boot, boot
    order = variable("BootOrder", b"\0\0\x01\0")
    yield 1, VARIABLE_BOOT, order, b"\0\0\x01\0"
    yield 2, BOOT_APPLICATION, image("\\driver.efi"), b"the driver's code"
    yield 4, EV_ACTION, b"Calling EFI Application from Boot Option", b"Calling EFI Application from Boot Option"
    for n in range(8):
        yield n, EV_SEPARATOR, bytes(4), bytes(4)
    yield 4, BOOT_APPLICATION, image("\\shim.efi"), b"shim's code"
    yield 8, EV_IPL, b"grub_cmd: linux /vmlinuz\x1b[2J<script>\0", b"linux /vmlinuz"
    yield 9, EV_IPL, b"/vmlinuz\0", b"the kernel"
    yield 8, EV_IPL, b"grub_cmd: boot\0", b"boot"


def tcg_logs():
    banks = ["sha1", "sha256", "sha384"]
    spec = (b"Spec ID Event03\0" + struct.pack("<IBBBBI", 0, 0, 2, 0, 2, len(banks))
            + b"".join(struct.pack("<HH", ALG[b], hashlib.new(b).digest_size) for b in banks) + b"\x02vi")

    def entry1(n, kind, value, data):
        return struct.pack("<II", n, kind) + value + struct.pack("<I", len(data)) + data

    def entry2(n, kind, hashed, data):
        values = [digest(b, hashed) if hashed is not None else bytes(hashlib.new(b).digest_size) for b in banks]
        return (struct.pack("<III", n, kind, len(banks))
                + b"".join(struct.pack("<H", ALG[b]) + v for b, v in zip(banks, values))
                + struct.pack("<I", len(data)) + data)

    agile = entry1(0, EV_NO_ACTION, bytes(20), spec) + entry2(0, EV_NO_ACTION, None, b"StartupLocality\0\x03")
    old = b""
    pcrs = {b: [bytes(hashlib.new(b).digest_size) for _ in range(24)] for b in banks}
    old_pcrs = [bytes(20) for _ in range(24)]
    for b in banks:
        pcrs[b][0] = pcrs[b][0][:-1] + b"\x03"
    for n, kind, data, hashed in events():
        agile += entry2(n, kind, hashed, data)
        old += entry1(n, kind, digest("sha1", hashed), data)
        old_pcrs[n] = digest("sha1", old_pcrs[n] + digest("sha1", hashed))
        for b in banks:
            pcrs[b][n] = digest(b, pcrs[b][n] + digest(b, hashed))
    write("agile.log", agile)
    write("sha1.log", old)
    for b in banks:
        write(f"agile.{b}.pcrs", b"".join(pcrs[b][:17]))
    write("sha1.sha1.pcrs", b"".join(old_pcrs[:17]))


def ima_logs():
    """PCR 10 after an ima-ng and ima-sig list: sha1, sha256, and sha256 as before Linux 5.8 (padded)."""
    files = [(b"boot_aggregate", "sha256", None), (b"/usr/bin/a file with  spaces", "sha256", b""),
             (b"/usr/lib/\xc3\xa9\x1b[31m.so", "sha512", None), (b"/usr/bin/signed", "sha256", b"\x03\x02\x04" + bytes(70)),
             (b"/var/log/violation", "sha1", "violation"), (b"/bin/sh", "sha1", None)]
    text = binary = text256 = b""
    ends = {"sha1": bytes(20), "sha256": bytes(32), "padded": bytes(32)}
    for path, h, signature in files:
        violation = signature == "violation"
        file_digest = bytes(hashlib.new(h).digest_size) if violation else digest(h, b"content of " + path)
        fields = [h.encode() + b":\0" + file_digest, path + b"\0"]
        template = b"ima-ng"
        if isinstance(signature, bytes):
            fields.append(signature)
            template = b"ima-sig"
        data = b"".join(struct.pack("<I", len(f)) + f for f in fields)
        listed = {b: bytes(hashlib.new(b).digest_size) if violation else digest(b, data) for b in ("sha1", "sha256")}
        tail = b" ".join([b"", template, h.encode() + b":" + file_digest.hex().encode(), path]
                         + ([signature.hex().encode()] if isinstance(signature, bytes) else [])) + b"\n"
        text += b"10 " + listed["sha1"].hex().encode() + tail
        text256 += b"10 " + listed["sha256"].hex().encode() + tail
        binary += (struct.pack("<I", 10) + listed["sha1"] + struct.pack("<I", len(template)) + template
                   + struct.pack("<I", len(data)) + data)
        into = {"sha1": digest("sha1", data), "sha256": digest("sha256", data),
                "padded": digest("sha1", data) + bytes(12)}
        for b, value in into.items():
            if violation:
                value = b"\xff" * len(value)
            ends[b] = digest("sha1" if b == "sha1" else "sha256", ends[b] + value)
    write("ima.ascii", text)
    write("ima.sha256.ascii", text256)
    write("ima.binary", binary)
    write("ima.pcr10", ends["sha1"] + ends["sha256"] + ends["padded"])


os.makedirs(OUT, exist_ok=True)
quotes()
credentials()
tcg_logs()
ima_logs()
