#!/usr/bin/python3
"""Makes the known answers that src/crypto is held against, without any code of src/crypto.

usage: make_vectors.py tests >tests/crypto/vectors.h
       make_vectors.py selftest >src/crypto/selftest_data.h

The derivations, the deterministic stream, the keys made from it and the state of a running hash are
written down here a second time, from their descriptions; everything else comes from hashlib, hmac and
the package cryptography. The output is the same in every run: it is
committed, and a change of it is a change of a guest's keys.
"""
import hashlib
import hmac
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

try:  # where newer releases keep them
    from cryptography.hazmat.decrepit.ciphers.modes import CFB, OFB
except ImportError:
    CFB, OFB = modes.CFB, modes.OFB

ALGS = {"CVTPM_SHA1": "sha1", "CVTPM_SHA256": "sha256", "CVTPM_SHA384": "sha384", "CVTPM_SHA512": "sha512",
        "CVTPM_SHA3_256": "sha3_256", "CVTPM_SHA3_384": "sha3_384", "CVTPM_SHA3_512": "sha3_512"}
ALG_IDS = {"CVTPM_SHA1": 4, "CVTPM_SHA256": 0xB, "CVTPM_SHA384": 0xC, "CVTPM_SHA512": 0xD,
           "CVTPM_SHA3_256": 0x27, "CVTPM_SHA3_384": 0x28, "CVTPM_SHA3_512": 0x29}
CURVES = {"CVTPM_P256": ec.SECP256R1(), "CVTPM_P384": ec.SECP384R1(), "CVTPM_P521": ec.SECP521R1()}


def sample(n, salt=0):
    """n bytes that look like nothing in particular."""
    return hashlib.shake_128(salt.to_bytes(2, "big")).digest(n)


# ---- derivations ----

def be32(n):
    return n.to_bytes(4, "big")


def masked(out, bits):
    size = (bits + 7) // 8
    out = bytearray(out[:size])
    if bits % 8:
        out[0] &= (1 << bits % 8) - 1
    return bytes(out)


def labelled(label):
    return label if label.endswith(b"\0") else label + b"\0"


def blocks(bits, block):
    out = b""
    while 8 * len(out) < bits:
        out += block(be32(len(out) // len(block(be32(1))) + 1))
    return masked(out, bits)


def kdfa(alg, key, label, u, v, bits):
    return blocks(bits, lambda i: hmac.new(key, i + labelled(label) + u + v + be32(bits), ALGS[alg]).digest())


def kdfe(alg, z, label, u, v, bits):
    return blocks(bits, lambda i: hashlib.new(ALGS[alg], i + z + labelled(label) + u + v).digest())


def xor(alg, key, newer, older, data):
    mask = kdfa(alg, key, b"XOR", newer, older, 8 * len(data))
    return bytes(a ^ b for a, b in zip(data, mask))


class Stream:
    """HMAC_DRBG of SP 800-90A with SHA-256, in requests of 64 bytes."""

    def __init__(self, seed, label, context, version=1):
        self.key, self.v, self.left = bytes(32), b"\1" * 32, b""
        self.update(seed + version.to_bytes(2, "big") + len(label).to_bytes(2, "big") + label + context)

    def mac(self, data):
        return hmac.new(self.key, data, "sha256").digest()

    def update(self, data=b""):
        self.key = self.mac(self.v + b"\0" + data)
        self.v = self.mac(self.v)
        if data:
            self.key = self.mac(self.v + b"\1" + data)
            self.v = self.mac(self.v)

    def bytes(self, n):
        while len(self.left) < n:
            for _ in range(2):
                self.v = self.mac(self.v)
                self.left += self.v
            self.update()
        out, self.left = self.left[:n], self.left[n:]
        return out


# ---- keys from a stream ----

def ecc_key(curve, stream):
    size = (CURVES[curve].key_size + 7) // 8
    n = ORDERS[curve]
    c = int.from_bytes(stream.bytes(size + 8), "big") % (1 << CURVES[curve].key_size + 64)
    d = c % (n - 1) + 1
    public = ec.derive_private_key(d, CURVES[curve]).public_key().public_numbers()
    return tuple(x.to_bytes(size, "big") for x in (d, public.x, public.y))


ORDERS = {  # SP 800-186
    "CVTPM_P256": 2**256 - 2**224 + 2**192 - 89188191075325690597107910205041859247,
    "CVTPM_P384": 2**384 - 1388124618062372383947042015309946732620727252194336364173,
    "CVTPM_P521": 2**521 - 657877501894328237357444332315020117536923257219387276263472201219398408051703,
}

SMALL = [p for p in range(3, 2000, 2) if all(p % i for i in range(3, int(p**.5) + 1, 2))]


def is_prime(n, k, rounds, stream):
    if any(n % p == 0 for p in SMALL) or pow(2, n - 1, n) != 1:
        return False
    for _ in range(rounds):
        while True:
            base = int.from_bytes(stream.bytes(k // 8), "big")
            if 2 <= base <= n - 2:
                break
        s = ((n - 1) & -(n - 1)).bit_length() - 1
        z = pow(base, (n - 1) >> s, n)
        if z not in (1, n - 1) and all((z := z * z % n) != n - 1 for _ in range(s - 1)):
            return False
    return True


def gcd(a, b):
    while b:
        a, b = b, a % b
    return a


def find_prime(k, e, stream):
    while True:
        start = int.from_bytes(stream.bytes(k // 8), "big") | 3 << k - 2 | 1
        for candidate in range(start, min(start + 2 * 8192, 1 << k), 2):
            if gcd(candidate - 1, e) == 1 and is_prime(candidate, k, 5 if k == 1024 else 4, stream):
                return candidate


def rsa_key(bits, e, stream):
    k = bits // 2
    p = find_prime(k, e, stream)
    while True:
        q = find_prime(k, e, stream)
        if abs(p - q) > 1 << k - 100:
            break
    return max(p, q), min(p, q)


def rsa_private(p, q, e=65537):
    d = pow(e, -1, (p - 1) * (q - 1))
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p),
                                 rsa.RSAPublicNumbers(e, p * q)).private_key()


# ---- the state of a running hash, from FIPS 180-4 and FIPS 202 ----

def primes():
    n = 2
    while True:
        if all(n % i for i in range(2, int(n**.5) + 1)):
            yield n
        n += 1


def root(n, k):
    """The largest integer whose k-th power is not more than n."""
    low, high = 0, 1 << n.bit_length() // k + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**k <= n else (low, middle)
    return low


def fraction(prime, k, bits):
    """The first bits of the fractional part of the prime's k-th root."""
    return root(prime << k * bits, k) % (1 << bits)


def sha2_blocks(data, bits, chain):
    words, rounds = (32, 64) if bits == 32 else (64, 80)
    sigma = {32: ((7, 18, 3), (17, 19, 10), (2, 13, 22), (6, 11, 25)),
             64: ((1, 8, 7), (19, 61, 6), (28, 34, 39), (14, 18, 41))}[bits]
    mask, generator = (1 << words) - 1, primes()
    constants = [fraction(next(generator), 3, words) for _ in range(rounds)]

    def rot(x, n):
        return (x >> n | x << words - n) & mask

    for at in range(0, len(data), 2 * words):
        w = [int.from_bytes(data[at + i * words // 8:at + (i + 1) * words // 8], "big") for i in range(16)]
        for t in range(16, rounds):
            a, b = w[t - 15], w[t - 2]
            w.append((w[t - 16] + w[t - 7] + (rot(a, sigma[0][0]) ^ rot(a, sigma[0][1]) ^ a >> sigma[0][2])
                      + (rot(b, sigma[1][0]) ^ rot(b, sigma[1][1]) ^ b >> sigma[1][2])) & mask)
        a, b, c, d, e, f, g, h = chain
        for t in range(rounds):
            t1 = (h + (rot(e, sigma[3][0]) ^ rot(e, sigma[3][1]) ^ rot(e, sigma[3][2]))
                  + (e & f ^ ~e & g) + constants[t] + w[t])
            t2 = (rot(a, sigma[2][0]) ^ rot(a, sigma[2][1]) ^ rot(a, sigma[2][2])) + (a & b ^ a & c ^ b & c)
            a, b, c, d, e, f, g, h = (t1 + t2) & mask, a, b, c, (d + t1) & mask, e, f, g
        chain = [(x + y) & mask for x, y in zip(chain, (a, b, c, d, e, f, g, h))]
    return b"".join(x.to_bytes(words // 8, "big") for x in chain)


def sha1_blocks(data):
    chain, mask = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0], 2**32 - 1

    def rot(x, n):
        return (x << n | x >> 32 - n) & mask

    for at in range(0, len(data), 64):
        w = [int.from_bytes(data[at + 4 * i:at + 4 * i + 4], "big") for i in range(16)]
        for t in range(16, 80):
            w.append(rot(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1))
        a, b, c, d, e = chain
        for t in range(80):
            f, k = ((b & c ^ ~b & d, 0x5A827999), (b ^ c ^ d, 0x6ED9EBA1),
                    (b & c ^ b & d ^ c & d, 0x8F1BBCDC), (b ^ c ^ d, 0xCA62C1D6))[t // 20]
            a, b, c, d, e = (rot(a, 5) + (f & mask) + e + k + w[t]) & mask, a, rot(b, 30), c, d
        chain = [(x + y) & mask for x, y in zip(chain, (a, b, c, d, e))]
    return b"".join(x.to_bytes(4, "big") for x in chain)


def keccak(state):
    mask = 2**64 - 1
    lanes = [[int.from_bytes(state[8 * (x + 5 * y):][:8], "little") for y in range(5)] for x in range(5)]

    def rot(x, n):
        return (x << n % 64 | x >> 64 - n % 64) & mask if n % 64 else x

    lfsr = 1
    for _ in range(24):
        c = [lanes[x][0] ^ lanes[x][1] ^ lanes[x][2] ^ lanes[x][3] ^ lanes[x][4] for x in range(5)]
        lanes = [[lanes[x][y] ^ c[x - 1] ^ rot(c[(x + 1) % 5], 1) for y in range(5)] for x in range(5)]
        x, y, current = 1, 0, lanes[1][0]
        for t in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, lanes[x][y] = lanes[x][y], rot(current, (t + 1) * (t + 2) // 2)
        lanes = [[lanes[x][y] ^ ~lanes[(x + 1) % 5][y] & lanes[(x + 2) % 5][y] for y in range(5)]
                 for x in range(5)]
        for j in range(7):
            if lfsr & 1:
                lanes[0][0] ^= 1 << (1 << j) - 1
            lfsr = lfsr << 1 ^ (0x171 if lfsr & 0x80 else 0)
    return b"".join(lanes[i % 5][i // 5].to_bytes(8, "little") for i in range(25))


def sponge(data, rate):
    state = bytes(200)
    for at in range(0, len(data), rate):
        block = data[at:at + rate]
        state = bytes(a ^ b for a, b in zip(state, block.ljust(200, b"\0")))
        if len(block) == rate:
            state = keccak(state)
    return state


def hash_state(alg, data):
    block = hashlib.new(ALGS[alg]).block_size
    whole = len(data) // block * block
    if alg == "CVTPM_SHA1":
        state = sha1_blocks(data[:whole]) + data[whole:]
    elif alg.startswith("CVTPM_SHA3_"):
        state = sponge(data, block)
    else:
        bits = 32 if alg == "CVTPM_SHA256" else 64
        skip = 8 if alg == "CVTPM_SHA384" else 0
        generator = primes()
        initial = [fraction(next(generator), 2, bits) for _ in range(skip + 8)][skip:]
        state = sha2_blocks(data[:whole], bits, initial) + data[whole:]
    return (b"\1\0" + ALG_IDS[alg].to_bytes(2, "big") + len(data).to_bytes(8, "big") + state.ljust(200, b"\0"))


def hmac_state(alg, key, data):
    block = hashlib.new(ALGS[alg]).block_size
    if len(key) > block:
        key = hashlib.new(ALGS[alg], key).digest()
    key = key.ljust(block, b"\0")
    return hash_state(alg, bytes(x ^ 0x36 for x in key) + data) + key.ljust(136, b"\0")


# ---- AES ----

def aes(mode, key, iv, data):
    made = {"ECB": lambda: modes.ECB(), "CBC": lambda: modes.CBC(iv), "CFB": lambda: CFB(iv),
            "OFB": lambda: OFB(iv), "CTR": lambda: modes.CTR(iv)}[mode]()
    cipher = Cipher(algorithms.AES(key), made).encryptor()
    return cipher.update(data) + cipher.finalize()


def iv_after(mode, key, iv, data, out):
    """What continues a message of whole blocks; of CFB also what is left of a part of one."""
    if mode == "ECB":
        return iv
    if mode in ("CBC", "CFB"):
        return out[(len(out) - 1) // 16 * 16:].ljust(16, b"\0")
    if mode == "OFB":
        padded = data.ljust((len(data) + 15) // 16 * 16, b"\0")
        last = aes(mode, key, iv, padded)[-16:]
        return bytes(a ^ b for a, b in zip(last, padded[-16:]))
    count = (len(data) + 15) // 16
    return ((int.from_bytes(iv, "big") + count) % 2**128).to_bytes(16, "big")


# ---- output ----

def text(value):
    """A C expression: a number, a name, or bytes as a string of hexadecimal digits."""
    if isinstance(value, bytes):
        digits = value.hex()
        return "\n".join(f'"{digits[i:i + 80]}"' for i in range(0, len(digits), 80)) or '""'
    return str(value)


def table(kind, name, rows):
    print(f"static const struct {kind} {name}[] = {{")
    for row in rows:
        print("{" + ", ".join(text(v) for v in row) + "},")
    print("};\n")


def array(name, value):
    print(f"static const uint8_t {name}[{len(value)}] = {{")
    print(",".join(f"0x{b:02x}" for b in value))
    print("};\n")


HEAD = "/* Made by tests/crypto/make_vectors.py: do not edit. */\n"


def tests():
    print(HEAD)
    print("/* clang-format off */\n")
    table("kdf_vector", "kdfa_vectors", [
        (alg, sample(k, 1), label, sample(u, 2), sample(v, 3), bits,
         kdfa(alg, sample(k, 1), label, sample(u, 2), sample(v, 3), bits))
        for alg in ALGS
        for k, label, u, v, bits in ((16, b"ATH", 32, 32, 256), (32, b"STORAGE", 34, 0, 128),
                                     (0, b"", 0, 0, 8), (64, b"DUPLICATE\0", 0, 66, 521),
                                     (200, b"CFB", 20, 64, 1), (20, b"INTEGRITY", 16, 16, 2055))])
    table("kdf_vector", "kdfe_vectors", [
        (alg, sample(z, 4), label, sample(u, 5), sample(v, 6), bits,
         kdfe(alg, sample(z, 4), label, sample(u, 5), sample(v, 6), bits))
        for alg in ALGS
        for z, label, u, v, bits in ((32, b"SECRET", 32, 32, 256), (66, b"DUPLICATE", 66, 66, 512),
                                     (48, b"IDENTITY\0", 48, 48, 384), (32, b"", 0, 0, 521),
                                     (32, b"SECRET", 32, 32, 1001))])
    table("xor_vector", "xor_vectors", [
        (alg, sample(20), sample(32, 1), sample(16, 2), sample(n, 3),
         xor(alg, sample(20), sample(32, 1), sample(16, 2), sample(n, 3)))
        for alg in ALGS for n in (1, 31, 64, 65, 300)])
    rows = []
    for mode in ("CTR", "OFB", "CBC", "CFB", "ECB"):
        for bits in (128, 192, 256):
            for n in (16, 80) if mode in ("CBC", "ECB") else (1, 16, 47, 80):
                iv = b"\xff" * 15 + b"\xfe" if mode == "CTR" and n == 80 else sample(16, bits)
                out = aes(mode, sample(bits // 8, n), iv, sample(n, 7))
                rows.append((f"CVTPM_AES_{mode}", sample(bits // 8, n), iv, sample(n, 7), out,
                             iv_after(mode, sample(bits // 8, n), iv, sample(n, 7), out)))
    table("aes_vector", "aes_vectors", rows)
    seeds = ((b"", b"", b""), (sample(32), b"PRIMARY", sample(34, 1)), (sample(64), sample(300, 2), sample(1000, 3)))
    table("stream_vector", "stream_vectors", [row + (Stream(*row).bytes(200),) for row in seeds])
    table("ecc_key_vector", "ecc_key_vectors", [
        (curve,) + row[:2] + ecc_key(curve, Stream(row[0], row[1], b"")) for curve in CURVES for row in seeds])
    rows = []
    for bits, e, seed in ((2048, 65537, sample(32)), (2048, 65537, sample(64)), (2048, 4294967295, sample(20)),
                          (3072, 65537, sample(32)), (4096, 65537, sample(32))):
        p, q = rsa_key(bits, e, Stream(seed, b"RSA", b""))
        rows.append((bits, f"{e}u", seed, p.to_bytes(bits // 16, "big"), q.to_bytes(bits // 16, "big")))
    table("rsa_key_vector", "rsa_key_vectors", rows)
    rows = []
    for alg in ALGS:
        block = hashlib.new(ALGS[alg]).block_size
        for n in (0, 1, block - 1, block, 3 * block + 17):
            rows.append((alg, sample(n), hash_state(alg, sample(n)), sample(200, 9),
                         hashlib.new(ALGS[alg], sample(n) + sample(200, 9)).digest()))
    table("hash_state_vector", "hash_state_vectors", rows)
    rows = []
    for alg in ALGS:
        for k, n in ((0, 0), (20, 100), (150, 300)):
            rows.append((alg, sample(k, 8), sample(n), hmac_state(alg, sample(k, 8), sample(n)), sample(200, 9),
                         hmac.new(sample(k, 8), sample(n) + sample(200, 9), ALGS[alg]).digest()))
    table("hmac_state_vector", "hmac_state_vectors", rows)


def selftest():
    """The keys and messages are public ones where there are any: FIPS 180-4 and 202 (abc), RFC 4231 (case 2),
    SP 800-38A (key, IV, text), RFC 6979 (A.2.5 to A.2.7). The RSA key is made from a stream."""
    print(HEAD)
    print("/* clang-format off */\n")
    for alg in ALGS:
        array(alg[6:].lower() + "_of_abc", hashlib.new(ALGS[alg], b"abc").digest())
    array("hmac_of_rfc4231", hmac.new(b"Jefe", b"what do ya want for nothing?", "sha256").digest())
    array("kdfa_521", kdfa("CVTPM_SHA256", b"abc", b"STORAGE", b"u", b"v", 521))
    array("kdfe_384", kdfe("CVTPM_SHA256", b"abc", b"DUPLICATE", b"u", b"v", 384))
    array("stream_40", Stream(b"abc", b"label", b"context").bytes(40))
    key = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    plain = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
    iv = bytes(range(16))
    array("aes_key", key)
    array("aes_plain", plain)
    for mode in ("CTR", "OFB", "CBC", "CFB", "ECB"):
        for bits in (128, 192, 256):
            array(f"aes_{mode.lower()}_{bits}", aes(mode, key[:bits // 8], iv, plain))
    array("aes_gcm", AESGCM(key).encrypt(iv[:12], plain, b"abc"))
    for curve, alg, d in (
            ("CVTPM_P256", hashes.SHA256(), "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"),
            ("CVTPM_P384", hashes.SHA384(), "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d8"
                                            "96d5724e4c70a825f872c9ea60d2edf5"),
            ("CVTPM_P521", hashes.SHA512(), "00fad06daa62ba3b25d2fb40133da757205de67f5bb0018fee8c86e1b68c7e75"
                                            "caa896eb32f1f47c70855836a6d16fcc1466f6d8fbec67db89ec0c08b0e996b8"
                                            "3538")):
        size = (CURVES[curve].key_size + 7) // 8
        name = curve[6:].lower()
        private = ec.derive_private_key(int(d, 16), CURVES[curve])
        public = private.public_key().public_numbers()
        r, s = utils.decode_dss_signature(private.sign(b"sample", ec.ECDSA(alg, deterministic_signing=True)))
        array(f"{name}_d", bytes.fromhex(d))
        array(f"{name}_q", public.x.to_bytes(size, "big") + public.y.to_bytes(size, "big"))
        array(f"{name}_signature", r.to_bytes(size, "big") + s.to_bytes(size, "big"))
        digest = hashlib.new(alg.name, b"sample").digest()
        array(f"{name}_digest", digest)
        array(f"{name}_sum", ((r + int.from_bytes(digest, "big") * int(d, 16)) % ORDERS[curve]).to_bytes(size, "big"))
        array(f"{name}_shared", private.exchange(ec.ECDH(), private.public_key()))
    p, q = rsa_key(2048, 65537, Stream(b"selftest", b"RSA", b""))
    private = rsa_private(p, q)
    array("rsa_n", (p * q).to_bytes(256, "big"))
    array("rsa_p", p.to_bytes(128, "big"))
    array("rsa_signature", private.sign(b"abc", padding.PKCS1v15(), hashes.SHA256()))
    seed = bytes(range(32))
    label = b"IDENTITY\0"
    db = bytearray(hashlib.sha256(label).digest() + bytes(256 - 2 * 32 - 2 - 3) + b"\1abc")
    masked_db = bytes(a ^ b for a, b in zip(db, mgf1(seed, len(db))))
    em = b"\0" + bytes(a ^ b for a, b in zip(seed, mgf1(masked_db, 32))) + masked_db
    array("rsa_oaep", pow(int.from_bytes(em, "big"), 65537, p * q).to_bytes(256, "big"))


def mgf1(seed, n):
    return b"".join(hashlib.sha256(seed + be32(i)).digest() for i in range(n // 32 + 1))[:n]


if __name__ == "__main__":
    commands = {"tests": tests, "selftest": selftest}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]]()
