#!/usr/bin/python3
"""Makes the known answers that objects are held against, without any code of the engine.

usage: make_object_vectors.py >tests/tpm/object_vectors.h

Primary and derived objects, their blobs, duplication blobs and credentials are written down here a second
time, from their descriptions (create.c, protect.c, Part 1). The output is the same in every run: it is
committed, and a change of it is a change of the keys of every guest.
"""
import hashlib
import hmac
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "crypto"))
from make_vectors import CFB, CURVES, Cipher, Stream, algorithms, ec, ecc_key, kdfa, kdfe, rsa_key, sample, text  # noqa: E402

RSA, KEYEDHASH, ECC, SYMCIPHER = 0x0001, 0x0008, 0x0023, 0x0025
NULL, AES, CFB_MODE, HMAC, XOR, ECDSA, KDF108 = 0x0010, 0x0006, 0x0043, 0x0005, 0x000A, 0x0018, 0x0022
HASHES = {0x0004: "CVTPM_SHA1", 0x000B: "CVTPM_SHA256", 0x000C: "CVTPM_SHA384", 0x000D: "CVTPM_SHA512"}
SIZES = {0x0004: 20, 0x000B: 32, 0x000C: 48, 0x000D: 64}
SHA1, SHA256, SHA384, SHA512 = HASHES
CURVE_IDS = {3: "CVTPM_P256", 4: "CVTPM_P384", 5: "CVTPM_P521"}
FIXEDTPM, FIXEDPARENT, ORIGIN, USERWITHAUTH, NODA = 1 << 1, 1 << 4, 1 << 5, 1 << 6, 1 << 10
RESTRICTED, DECRYPT, SIGN = 1 << 16, 1 << 17, 1 << 18
STORAGE = FIXEDTPM | FIXEDPARENT | ORIGIN | USERWITHAUTH | RESTRICTED | DECRYPT
SIGNER = FIXEDTPM | FIXEDPARENT | ORIGIN | USERWITHAUTH | SIGN

OWNER, ENDORSEMENT = 0x40000001, 0x4000000B
SEEDS = {OWNER: sample(64, 1), ENDORSEMENT: sample(64, 2)}
PROOFS = {OWNER: sample(64, 3), ENDORSEMENT: sample(64, 4)}


def u16(n):
    return n.to_bytes(2, "big")


def u32(n):
    return n.to_bytes(4, "big")


def b2(data):
    return u16(len(data)) + data


def digest(alg, data):
    return hashlib.new(HASHES[alg][6:].lower(), data).digest()


def mac(alg, key, data):
    return hmac.new(key, data, HASHES[alg][6:].lower()).digest()


def cfb(key, iv, data):
    c = Cipher(algorithms.AES(key), CFB(iv)).encryptor()
    return c.update(data) + c.finalize()


# ---- public areas ----

class Public:
    def __init__(self, kind, name_alg, attributes, parameters, unique=None, policy=b""):
        self.kind, self.name_alg, self.attributes = kind, name_alg, attributes
        self.parameters, self.policy = parameters, policy
        self.unique = unique if unique is not None else b2(b"") * (2 if kind == ECC else 1)

    def __bytes__(self):
        return (u16(self.kind) + u16(self.name_alg) + u32(self.attributes) + b2(self.policy) + self.parameters +
                self.unique)

    def name(self):
        return u16(self.name_alg) + digest(self.name_alg, bytes(self))


def aes(bits):
    return u16(AES) + u16(bits) + u16(CFB_MODE)


def ecc(curve, symmetric, scheme):
    return symmetric + scheme + u16(curve) + u16(NULL)


def rsa(bits, symmetric, scheme):
    return symmetric + scheme + u16(bits) + u32(0)


# ---- what an object is made of ----

def make(public, origin_key, origin_seed, data=b""):
    """Fills in public.unique; returns (secret, seedValue)."""
    size = SIZES[public.name_alg]
    if public.kind == RSA:
        bits = int.from_bytes(public.parameters[-6:-4], "big")
        p, q = rsa_key(bits, 65537, origin_key)
        public.unique = b2((p * q).to_bytes(bits // 8, "big"))
        secret = p.to_bytes(bits // 16, "big")
    elif public.kind == ECC:
        curve = CURVE_IDS[int.from_bytes(public.parameters[-4:-2], "big")]
        secret, x, y = ecc_key(curve, origin_key)
        public.unique = b2(x) + b2(y)
    elif public.kind == SYMCIPHER:
        secret = data or origin_key.bytes(int.from_bytes(public.parameters[2:4], "big") // 8)
    else:
        secret = data or origin_key.bytes(size)
    parent = public.attributes & RESTRICTED and public.attributes & DECRYPT
    if public.kind in (RSA, ECC):
        return secret, origin_seed.bytes(size) if parent else b""
    seed = origin_seed.bytes(size)
    public.unique = b2(mac(public.name_alg, seed, secret) if parent else digest(public.name_alg, seed + secret))
    return secret, seed


def primary(hierarchy, public, data=b""):
    template = hashlib.sha512(bytes(public) + b2(data)).digest()
    proofs = PROOFS[OWNER] + PROOFS[ENDORSEMENT] if hierarchy == ENDORSEMENT else b""
    key = Stream(SEEDS[hierarchy], b"PRIMARY KEY", template)
    seed = Stream(SEEDS[hierarchy], b"PRIMARY SEED", template + proofs)
    return make(public, key, seed, b"" if public.attributes & ORIGIN else data)


class Derived:
    def __init__(self, alg, secret, label, context):
        self.left = kdfa(HASHES[alg], secret, label, context, b"", 8192)

    def bytes(self, n):
        out, self.left = self.left[:n], self.left[n:]
        return out


# ---- blobs (Part 1, 22 to 24) ----

def outer(alg, bits, seed, name, plain, iv=None):
    key = kdfa(HASHES[alg], seed, b"STORAGE", name, b"", bits)
    mac_key = kdfa(HASHES[alg], seed, b"INTEGRITY", b"", b"", 8 * SIZES[alg])
    body = (b2(iv) if iv else b"") + cfb(key, iv or bytes(16), plain)
    return b2(mac(alg, mac_key, body + name)) + body


def sensitive(kind, auth, seed, secret):
    return b2(u16(kind) + b2(auth) + b2(seed) + b2(secret))


def share_ecc(alg, curve, unique, label, ephemeral):
    """(encrypted secret, secret) for the holder of a key, with a known ephemeral key."""
    size = (CURVES[curve].key_size + 7) // 8
    x, y = (int.from_bytes(unique[at:at + size], "big") for at in (2, 4 + size))
    static = ec.EllipticCurvePublicNumbers(x, y, CURVES[curve]).public_key()
    private = ec.derive_private_key(ephemeral, CURVES[curve])
    numbers = private.public_key().public_numbers()
    ex, ey = (n.to_bytes(size, "big") for n in (numbers.x, numbers.y))
    z = private.exchange(ec.ECDH(), static)
    return b2(ex) + b2(ey), kdfe(HASHES[alg], z, label, ex, unique[2:2 + size], 8 * SIZES[alg])


def share_rsa(alg, unique, label, secret, seed):
    """RSAES-OAEP with a known seed (RFC 8017, 7.1.1)."""
    n = int.from_bytes(unique[2:], "big")
    k, h = len(unique) - 2, SIZES[alg]

    def mgf(data, length):
        return b"".join(digest(alg, data + u32(i)) for i in range((length + h - 1) // h))[:length]

    block = digest(alg, label) + bytes(k - len(secret) - 2 * h - 2) + b"\1" + secret
    masked = bytes(a ^ b for a, b in zip(block, mgf(seed, len(block))))
    masked_seed = bytes(a ^ b for a, b in zip(seed, mgf(masked, h)))
    return pow(int.from_bytes(b"\0" + masked_seed + masked, "big"), 65537, n).to_bytes(k, "big")


# ---- output ----

def emit(kind, name, rows):
    print(f"static const struct {kind} {name}[] = {{")
    for row in rows:
        print("{" + ", ".join(hex(v) if isinstance(v, int) and v > 255 else text(v) for v in row) + "},")
    print("};\n")


def main():
    print("/* Made by tests/tpm/make_object_vectors.py: do not edit. */\n\n/* clang-format off */\n")
    emit("seeds_vector", "seeds_vectors", [(h, SEEDS[h], PROOFS[h]) for h in (OWNER, ENDORSEMENT)])
    hmac_scheme, none = u16(HMAC) + u16(SHA256), u16(NULL)
    templates = [
        (OWNER, Public(ECC, SHA256, STORAGE | NODA, ecc(3, aes(128), none)), b""),
        (ENDORSEMENT, Public(ECC, SHA256, STORAGE, ecc(3, aes(128), none), policy=sample(32, 9)), b""),
        (ENDORSEMENT, Public(ECC, SHA384, STORAGE, ecc(4, aes(256), none), b2(sample(48, 5)) + b2(b"")), b""),
        (OWNER, Public(ECC, SHA512, SIGNER, ecc(5, none, u16(ECDSA) + u16(SHA512))), b""),
        (OWNER, Public(ECC, SHA1, SIGNER, ecc(3, none, none), b2(bytes(32)) * 2), b"more"),
        (ENDORSEMENT, Public(RSA, SHA256, STORAGE, rsa(2048, aes(128), none), b2(bytes(256))), b""),
        (OWNER, Public(RSA, SHA384, SIGNER, rsa(3072, none, none)), b""),
        (OWNER, Public(KEYEDHASH, SHA256, SIGNER, hmac_scheme), b""),
        (OWNER, Public(KEYEDHASH, SHA256, FIXEDTPM | FIXEDPARENT | USERWITHAUTH, none), b"sealed by the caller"),
        (OWNER, Public(SYMCIPHER, SHA256, STORAGE, aes(128)), b""),
        (OWNER, Public(SYMCIPHER, SHA256, SIGNER | DECRYPT, aes(256)), b""),
        (ENDORSEMENT, Public(KEYEDHASH, SHA384, STORAGE, u16(XOR) + u16(SHA256) + u16(KDF108)), b""),
    ]
    rows, made = [], []
    for hierarchy, public, data in templates:
        template = bytes(public)
        secret, seed = primary(hierarchy, public, data)
        made.append((public, secret, seed))
        rows.append((hierarchy, template, data, bytes(public), secret, seed))
    emit("primary_vector", "primary_vectors", rows)

    # under the last of them, which derives
    rows = []
    fixed = FIXEDTPM | FIXEDPARENT | USERWITHAUTH
    for public in (Public(ECC, SHA256, fixed | SIGN, ecc(3, none, none)),
                   Public(ECC, SHA256, fixed | SIGN, ecc(5, none, none)),
                   Public(KEYEDHASH, SHA384, fixed | SIGN, hmac_scheme),
                   Public(SYMCIPHER, SHA1, fixed | SIGN | DECRYPT, aes(256))):
        label, context = b"a label", sample(20, 6)
        public.unique = b2(label) + b2(context)
        template = bytes(public)
        stream = Derived(SHA256, made[-1][1], label, context)
        secret, seed = make(public, stream, stream)
        rows.append((template, bytes(public), secret, seed))
    emit("derived_vector", "derived_vectors", rows)

    # sealed data under a primary, as TPM2_Load takes it, and as TPM2_Import does
    rows = []
    for parent in (0, 2, 5, 9):
        above, _, seed_of_parent = made[parent]
        bits = 256 if parent == 2 else 128
        seed = sample(SIZES[above.name_alg], 7)
        public = Public(KEYEDHASH, above.name_alg, USERWITHAUTH, none)
        public.unique = b2(digest(above.name_alg, seed + b"the secret"))
        plain = sensitive(KEYEDHASH, b"pw", seed, b"the secret")
        private = outer(above.name_alg, bits, seed_of_parent, public.name(), plain, sample(16, 8))
        inner_key = sample(16, 10)
        inner = cfb(inner_key, bytes(16), b2(digest(public.name_alg, plain + public.name())) + plain)
        if above.kind == ECC:
            curve = CURVE_IDS[int.from_bytes(above.parameters[-4:-2], "big")]
            encrypted, secret = share_ecc(above.name_alg, curve, above.unique, b"DUPLICATE\0", 0x1234567)
        elif above.kind == RSA:
            secret = sample(32, 11)
            encrypted = share_rsa(above.name_alg, above.unique, b"DUPLICATE\0", secret, sample(32, 12))
        else:
            encrypted, secret = b"", b""
        duplicate = outer(above.name_alg, bits, secret, public.name(), inner) if secret else inner
        rows.append((parent, bytes(public), private, inner_key, duplicate, encrypted))
    emit("blob_vector", "blob_vectors", rows)

    # credentials, each for the storage key itself
    rows = []
    for parent in (0, 1, 2, 5):
        above = made[parent][0]
        bits = 256 if parent == 2 else 128
        if above.kind == ECC:
            curve = CURVE_IDS[int.from_bytes(above.parameters[-4:-2], "big")]
            encrypted, secret = share_ecc(above.name_alg, curve, above.unique, b"IDENTITY\0", 0x7654321)
        else:
            secret = sample(32, 13)
            encrypted = share_rsa(above.name_alg, above.unique, b"IDENTITY\0", secret, sample(32, 14))
        credential = sample(SIZES[above.name_alg], 15)
        blob = outer(above.name_alg, bits, secret, above.name(), b2(credential))
        rows.append((parent, credential, blob, encrypted))
    emit("credential_vector", "credential_vectors", rows)


if __name__ == "__main__":
    main()
