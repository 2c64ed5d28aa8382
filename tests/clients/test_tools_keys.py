"""Keys under tpm2-tools: what one side signs, encrypts or agrees on, openssl checks on the other."""
import hashlib
import hmac
import os
import re
import sys

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

KEYS = {"rsa": "rsa2048", "ecc": "ecc256", "ecc384": "ecc384"}
SIGNING = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign"
MOVABLE = "sensitivedataorigin|userwithauth|sign|decrypt"
DUPLICATE = 0x14B  # TPM_CC_Duplicate


def primary(tools, name="primary", hierarchy="o"):
    tools(f"createprimary -Q -C {hierarchy} -G ecc -c {name}")
    return name


def key(tools, kind, name="key", options=""):
    """A key below `primary`, its public part in NAME.pem."""
    tools(f"create -Q -C primary -G {kind} {options} -u {name}.pub -r {name}.priv")
    tools(f"load -Q -C primary -u {name}.pub -r {name}.priv -c {name} -n {name}.name")
    tools(f"readpublic -Q -c {name} -f pem -o {name}.pem")
    return name


def verify(tools, digest, signature, what, public, options=""):
    tools.openssl(f"dgst -{digest} -verify {public} {options} -signature {signature} {what}")


# ---- signatures ----

@pytest.mark.parametrize("kind,scheme,options", [
    ("rsa2048", "rsassa", ""), ("rsa3072", "rsassa", ""),
    ("rsa2048", "rsapss", "-sigopt rsa_padding_mode:pss"),
    ("ecc256", "ecdsa", ""), ("ecc384", "ecdsa", ""), ("ecc521", "ecdsa", "")])
def test_openssl_verifies_signatures(direct, kind, scheme, options):
    if kind == "ecc521" and "TPM2_ECC_NIST_P521" not in direct("getcap ecc-curves"):
        pytest.skip("libtpms 0.9 has no P-521")
    direct.write("message", os.urandom(1000))
    primary(direct)
    key(direct, kind)
    for digest in ("sha1", "sha256", "sha384", "sha512"):
        direct(f"sign -Q -c key -g {digest} -s {scheme} -f plain -o sig message")
        verify(direct, digest, "sig", "message", "key.pem", options)


@pytest.mark.parametrize("algorithm,scheme,options", [
    ("-algorithm rsa -pkeyopt rsa_keygen_bits:2048", "rsassa", ""),
    ("-algorithm rsa -pkeyopt rsa_keygen_bits:2048", "rsapss", "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1"),
    ("-algorithm ec -pkeyopt ec_paramgen_curve:P-256", "ecdsa", ""),
    ("-algorithm ec -pkeyopt ec_paramgen_curve:P-384", "ecdsa", "")])
def test_signatures_of_openssl_are_verified(direct, algorithm, scheme, options):
    direct.write("message", b"signed by openssl")
    direct.openssl(f"genpkey {algorithm} -out private.pem")
    direct.openssl("pkey -in private.pem -pubout -out public.pem")
    direct.openssl(f"dgst -sha256 -sign private.pem {options} -out sig message")
    kind = "rsa" if "rsa" in scheme else "ecc"
    direct(f"loadexternal -Q -C n -G {kind} -u public.pem -c key")
    direct(f"verifysignature -Q -c key -g sha256 -m message -f {scheme} -s sig")
    direct.write("message", b"signed by nobody")
    direct(f"verifysignature -Q -c key -g sha256 -m message -f {scheme} -s sig", fails="0x2DB")  # TPM_RC_SIGNATURE


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384", "sha512"])
def test_hashes_and_hmacs_of_files_that_need_sequences(direct, digest):
    data = os.urandom(5000)  # beyond what one command takes
    direct.write("data", data)
    primary(direct)
    for size in (0, 100, 5000):
        direct.write("data", data[:size])
        direct(f"hash -C o -g {digest} -o digest -t ticket data")
        assert direct.read("digest") == hashlib.new(digest, data[:size]).digest()
    direct.write("secret", b"the key of an HMAC")
    direct(f"import -Q -C primary -G hmac -i secret -u hmac.pub -r hmac.priv")
    direct("load -Q -C primary -u hmac.pub -r hmac.priv -c hmac")
    for size in (0, 100, 5000):
        direct.write("data", data[:size])
        direct("hmac -c hmac -o mac data")
        assert direct.read("mac") == hmac.new(b"the key of an HMAC", data[:size], "sha256").digest()


# ---- encryption and agreement ----

SCHEMES = {"rsaes": "-pkeyopt rsa_padding_mode:pkcs1",
           "oaep": "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256",
           "null": "-pkeyopt rsa_padding_mode:none"}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("bits", [2048, 3072])
def test_rsa_encryption_is_that_of_openssl(direct, scheme, bits):
    size = bits // 8 if scheme == "null" else 40
    secret = b"\0" + os.urandom(size - 1) if scheme == "null" else os.urandom(size)
    direct.write("secret", secret)
    primary(direct)
    key(direct, f"rsa{bits}", options="-a sensitivedataorigin|userwithauth|decrypt")
    direct.openssl(f"pkeyutl -encrypt -pubin -inkey key.pem {SCHEMES[scheme]} -in secret -out cipher")
    direct(f"rsadecrypt -Q -c key -s {scheme} -o out cipher")
    assert direct.read("out") == secret
    if bits != 2048:
        return  # tpm2_loadexternal knows no more

    direct.openssl(f"genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:{bits} -out private.pem")
    direct.openssl("pkey -in private.pem -pubout -out public.pem")
    direct("loadexternal -Q -C n -G rsa -u public.pem -c public")
    direct(f"rsaencrypt -Q -c public -s {scheme} -o cipher secret")
    direct.openssl(f"pkeyutl -decrypt -inkey private.pem {SCHEMES[scheme]} -in cipher -out out")
    assert direct.read("out") == secret


def test_a_spoilt_rsa_ciphertext_is_refused(direct):
    direct.write("secret", b"secret")
    primary(direct)
    key(direct, "rsa2048", options="-a sensitivedataorigin|userwithauth|decrypt")
    direct.openssl(f"pkeyutl -encrypt -pubin -inkey key.pem {SCHEMES['oaep']} -in secret -out cipher")
    cipher = direct.read("cipher")
    direct.write("cipher", cipher[:-1] + bytes([cipher[-1] ^ 1]))
    direct("rsadecrypt -Q -c key -s oaep -o out cipher", fails="Esys_RSA_Decrypt")  # 0x84; libtpms 0x101


def point(numbers, size):
    """A TPM2B_ECC_POINT."""
    parts = b"".join(size.to_bytes(2, "big") + n.to_bytes(size, "big") for n in (numbers.x, numbers.y))
    return len(parts).to_bytes(2, "big") + parts


@pytest.mark.parametrize("kind,curve", [("ecc256", ec.SECP256R1()), ("ecc384", ec.SECP384R1())])
def test_ecdh_agrees_with_openssl(direct, kind, curve):
    size = curve.key_size // 8
    primary(direct)
    key(direct, f"{kind}:ecdh", options="-a sensitivedataorigin|userwithauth|decrypt")
    mine = ec.generate_private_key(curve)
    theirs = serialization.load_pem_public_key(direct.read("key.pem"))
    direct.write("mine", point(mine.public_key().public_numbers(), size))
    direct("ecdhzgen -Q -c key -u mine -o z")
    shared = mine.exchange(ec.ECDH(), theirs)
    assert direct.read("z")[4:4 + size] == shared

    # The other half: the TPM makes the ephemeral key to a public one of ours.
    direct.write("ours.pem", mine.public_key().public_bytes(serialization.Encoding.PEM,
                                                             serialization.PublicFormat.SubjectPublicKeyInfo))
    direct("loadexternal -Q -C n -G ecc -u ours.pem -c ours")
    direct("ecdhkeygen -Q -c ours -u ephemeral -o z")
    bytes_ = direct.read("ephemeral")
    x, y = bytes_[4:4 + size], bytes_[6 + size:6 + 2 * size]
    ephemeral = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve).public_key()
    assert direct.read("z")[4:4 + size] == mine.exchange(ec.ECDH(), ephemeral)
    direct.write("mine", point(mine.public_key().public_numbers(), size)[:-1] + b"\0")
    direct("ecdhzgen -Q -c key -u mine -o z", fails="0x1E7")  # TPM_RC_ECC_POINT


def coordinates(bytes_):
    """Those of a TPM2B_ECC_POINT, or of a TPMS_ECC_POINT."""
    if len(bytes_) == 2 + int.from_bytes(bytes_[:2], "big"):
        bytes_ = bytes_[2:]
    n = int.from_bytes(bytes_[:2], "big")
    return int.from_bytes(bytes_[2:2 + n], "big"), int.from_bytes(bytes_[4 + n:], "big")


def counter(tools, name):
    """Of a file with a UINT16; the tools write it as the machine has it."""
    return int.from_bytes(tools.read(name), sys.byteorder)


@pytest.mark.parametrize("kind,curve", [("ecc256", ec.SECP256R1()), ("ecc384", ec.SECP384R1())])
def test_a_key_exchange_in_two_phases_agrees_with_openssl(direct, kind, curve):
    size = curve.key_size // 8
    primary(direct)
    key(direct, f"{kind}:ecdh", options="-a sensitivedataorigin|userwithauth|decrypt")
    static, ephemeral = ec.generate_private_key(curve), ec.generate_private_key(curve)
    direct.write("static", point(static.public_key().public_numbers(), size))
    direct.write("ephemeral", point(ephemeral.public_key().public_numbers(), size))
    direct(f"ecephemeral -Q -u theirs -t counter {kind}")
    theirs = ec.EllipticCurvePublicNumbers(*coordinates(direct.read("theirs")), curve).public_key()
    command = (f"zgen2phase -Q -c key -t {counter(direct, 'counter')} --static-public static "
               "--ephemeral-public ephemeral --output-Z1 z1 --output-Z2 z2")
    direct(command)
    shared = static.exchange(ec.ECDH(), serialization.load_pem_public_key(direct.read("key.pem")))
    assert coordinates(direct.read("z1"))[0] == int.from_bytes(shared, "big")
    assert coordinates(direct.read("z2"))[0] == int.from_bytes(ephemeral.exchange(ec.ECDH(), theirs), "big")
    direct(command, fails="0x4C4")  # once: TPM_RC_VALUE


# ---- anonymous signatures ----

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 2**256 - 2**224 + 2**192 - 89188191075325690597107910205041859247
G = (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
     0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)


def add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def times(n, a):
    product = None
    for bit in bin(n)[2:]:
        product = add(product, product)
        product = add(product, a) if bit == "1" else product
    return product


def test_an_anonymous_signature_fits_its_commitment(direct):
    """s * G = r * G + T * Q, where tpm2_commit gave r * G, and T is the hash of nonce and digest."""
    primary(direct)
    key(direct, "ecc256:ecdaa", options=f"-a {SIGNING}")
    direct("commit -Q -c key -t counter -u commitment --eccpoint-K k --eccpoint-L l")
    digest = hashlib.sha256(b"a message").digest()
    direct.write("digest", digest)
    direct(f"sign -Q -c key -g sha256 -s ecdaa --commit-index {counter(direct, 'counter')} -d -o sig digest")
    signature = direct.read("sig")  # a TPMT_SIGNATURE
    assert signature[:4] == bytes.fromhex("001A000B")
    n = int.from_bytes(signature[4:6], "big")
    nonce, s = signature[6:6 + n], int.from_bytes(signature[8 + n:], "big")
    challenge = int.from_bytes(hashlib.sha256(nonce + digest).digest(), "big") % N
    public = serialization.load_pem_public_key(direct.read("key.pem")).public_numbers()
    assert times(s, G) == add(coordinates(direct.read("commitment")), times(challenge, (public.x, public.y)))
    direct(f"sign -Q -c key -g sha256 -s ecdaa --commit-index {counter(direct, 'counter')} -d -o sig digest", fails="0x84")


# ---- symmetric ciphers ----

@pytest.fixture
def cipher(direct):
    """Loads an AES key that openssl knows, too, as `key`: cipher(256); its digits."""
    def load(bits):
        secret = os.urandom(bits // 8)
        direct.write("secret", secret)
        primary(direct)
        direct("import -Q -C primary -G aes -i secret -u key.pub -r key.priv")
        direct("load -Q -C primary -u key.pub -r key.priv -c key")
        return secret.hex()
    return load


@pytest.mark.parametrize("bits", [128, 256])
@pytest.mark.parametrize("mode", ["ctr", "ofb", "cbc", "cfb", "ecb"])
def test_streams_are_encrypted_and_decrypted_as_by_openssl(direct, cipher, mode, bits):
    """Five commands' worth of data: each goes on with what the one before answered."""
    secret, iv = cipher(bits), os.urandom(16)
    whole = mode in ("cbc", "ecb")
    direct.write("iv", iv)
    direct.write("plain", os.urandom(4992 if whole else 5000))
    options = f"-aes-{bits}-{mode} -K {secret} -nopad" + ("" if mode == "ecb" else f" -iv {iv.hex()}")
    direct.openssl(f"enc {options} -in plain -out theirs")
    given = "" if mode == "ecb" else "-t iv"
    direct(f"encryptdecrypt -Q -c key -G {mode} {given} -o ours plain")
    assert direct.read("ours") == direct.read("theirs")
    direct(f"encryptdecrypt -Q -d -c key -G {mode} {given} -o back theirs")
    assert direct.read("back") == direct.read("plain")


@pytest.mark.parametrize("mode", ["ctr", "ofb", "cbc", "cfb"])
def test_a_stream_goes_on_with_the_iv_that_was_answered(direct, cipher, mode):
    secret, iv, plain = cipher(128), os.urandom(16), os.urandom(2048)
    direct.write("plain", plain)
    direct.write("part1", plain[:1040])
    direct.write("part2", plain[1040:])
    direct.write("iv", iv)
    direct.openssl(f"enc -aes-128-{mode} -K {secret} -nopad -iv {iv.hex()} -in plain -out theirs")
    direct(f"encryptdecrypt -Q -c key -G {mode} -t iv:next -o ours1 part1")
    direct(f"encryptdecrypt -Q -c key -G {mode} -t next -o ours2 part2")
    assert direct.read("ours1") + direct.read("ours2") == direct.read("theirs")


def test_padded_data_is_that_of_openssl(direct, cipher):
    secret, iv = cipher(256), os.urandom(16)
    direct.write("iv", iv)
    direct.write("plain", os.urandom(1500))
    direct.openssl(f"enc -aes-256-cbc -K {secret} -iv {iv.hex()} -in plain -out theirs")
    direct("encryptdecrypt -Q -c key -G cbc -t iv -e -o ours plain")
    assert direct.read("ours") == direct.read("theirs")


def test_a_cipher_key_has_its_own_mode(direct):
    direct.write("plain", bytes(16))
    primary(direct)
    direct("create -Q -C primary -G aes128cbc -u key.pub -r key.priv")
    direct("load -Q -C primary -u key.pub -r key.priv -c key")
    direct("encryptdecrypt -Q -c key -G cbc -o out plain")
    direct("encryptdecrypt -Q -c key -G ctr -o out plain", fails="0x3C9")  # TPM_RC_MODE, parameter 3
    direct("createprimary -Q -C o -G aes -c parent")  # a storage key that names no mode
    direct("create -Q -C parent -G ecc -u child.pub -r child.priv")
    direct("load -Q -C parent -u child.pub -r child.priv -c child")


# ---- import and duplication ----

@pytest.mark.parametrize("kind,how", [
    ("rsa", "-algorithm rsa -pkeyopt rsa_keygen_bits:2048"), ("ecc", "-algorithm ec -pkeyopt ec_paramgen_curve:P-256"),
    ("ecc", "-algorithm ec -pkeyopt ec_paramgen_curve:P-384")])
def test_a_private_key_of_openssl_is_imported_and_signs(tools, kind, how):
    tools.openssl(f"genpkey {how} -out private.pem")
    tools.openssl("pkey -in private.pem -pubout -out public.pem")
    tools.write("message", b"signed by a key that was imported")
    primary(tools)
    tools(f"import -Q -C primary -G {kind} -i private.pem -p auth -u key.pub -r key.priv")
    tools("load -Q -C primary -u key.pub -r key.priv -c key")
    tools("sign -Q -c key -p auth -g sha256 -f plain -o sig message")
    verify(tools, "sha256", "sig", "message", "public.pem")
    tools("sign -Q -c key -p wrong -g sha256 -f plain -o sig message", fails="0x98E")  # TPM_RC_AUTH_FAIL of the session


@pytest.mark.parametrize("inner", ["null", "aes"])
@pytest.mark.parametrize("kind", ["rsa2048", "ecc256"])
def test_a_key_is_duplicated_and_signs_below_its_new_parent(tools, kind, inner):
    primary(tools)
    tools("createprimary -Q -C n -G rsa -c other")
    tools("readpublic -Q -c other -o other.pub")
    tools.policy(f"policycommandcode {DUPLICATE:#x}")
    key(tools, kind, options=f"-L policy -p auth -a {MOVABLE}")
    wrap = {"null": ("", ""), "aes": ("-G aes -o inner", "-G aes -k inner")}[inner]
    out = wrap[0] or "-G null"
    with tools.session(f"policycommandcode {DUPLICATE:#x}") as s:
        tools(f"duplicate -Q -C other -c key -p session:{s} -r dup -s seed {out}")
    tools(f"import -Q -C other -u key.pub -i dup -r moved.priv -s seed -L policy {wrap[1]}")
    tools("load -Q -C other -u key.pub -r moved.priv -c moved")
    tools.write("message", b"signed below another parent")
    tools("sign -Q -c moved -p auth -g sha256 -f plain -o sig message")
    verify(tools, "sha256", "sig", "message", "key.pem")
    tools("load -Q -C primary -u key.pub -r moved.priv -c moved", fails="0x1DF")  # TPM_RC_INTEGRITY


def test_duplication_takes_the_policy_of_its_role(direct):
    """USER's authorisation is none for the DUP role, and PolicyDuplicationSelect names the new parent."""
    primary(direct)
    direct("createprimary -Q -C n -G ecc -c other")
    direct("createprimary -Q -C n -G rsa -c stranger")
    for name in ("other", "stranger"):
        direct(f"readpublic -Q -c {name} -o {name}.pub -n {name}.name")
    direct.policy("policyduplicationselect -N other.name")
    key(direct, "ecc256", options=f"-L policy -a {MOVABLE}")
    direct("duplicate -Q -C other -c key -G null -r dup -s seed", fails="0x124")  # TPM_RC_AUTH_TYPE
    for parent, fails in (("stranger", "0x99D"), ("other", None)):  # TPM_RC_POLICY_FAIL
        with direct.session("policyduplicationselect -n key.name -N other.name") as s:
            direct(f"duplicate -Q -C {parent} -c key -G null -p session:{s} -r dup -s seed", fails=fails)
    direct("import -Q -C other -u key.pub -i dup -r moved.priv -s seed -L policy")
    direct("load -Q -C other -u key.pub -r moved.priv -c moved")


# ---- attestation ----

@pytest.mark.parametrize("kind,scheme", [("rsa2048", "rsassa"), ("ecc256", "ecdsa")])
def test_certificates_of_the_tpm_are_signed_over_what_they_say(tools, kind, scheme):
    primary(tools)
    tools(f"create -Q -C primary -G {kind}:{scheme}:null -a {SIGNING}|restricted -u ak.pub -r ak.priv")
    tools("load -Q -C primary -u ak.pub -r ak.priv -c ak")
    tools("readpublic -Q -c ak -f pem -o ak.pem")
    tools(f"create -Q -C primary -G {kind} -u key.pub -r key.priv -t ticket -d hash --creation-data creation")
    tools("load -Q -C primary -u key.pub -r key.priv -c key -n key.name")
    name = tools.read("key.name")

    def signed(what, *expected):
        """`attest` is signed by the AK, was made by a TPM and has these bytes in it."""
        verify(tools, "sha256", "sig", "attest", "ak.pem")
        attest = tools.read("attest")
        assert attest[:6] == b"\xffTCG\x80" + bytes([what])
        for part in expected:
            assert part in attest

    tools("certify -Q -c key -C ak -g sha256 -o attest -s sig -f plain")
    signed(0x17, name)
    tools(f"certifycreation -Q -C ak -c key -d hash -t ticket -g sha256 -s {scheme} -o sig -f plain "
          "--attestation attest -q 1122334455")
    assert hashlib.sha256(tools.read("creation")[2:]).digest() in tools.read("hash")
    signed(0x1A, name, tools.read("hash"), bytes.fromhex("1122334455"))
    ticket = bytearray(tools.read("ticket"))
    ticket[-1] ^= 1
    tools.write("ticket", bytes(ticket))
    tools(f"certifycreation -Q -C ak -c key -d hash -t ticket -g sha256 -s {scheme} -o sig --attestation attest",
          fails="0x4E0")  # TPM_RC_TICKET of the fourth parameter
    tools(f"gettime -Q -c ak -g sha256 -s {scheme} -o sig -f plain --attestation attest -q 1122334455")
    signed(0x19, bytes.fromhex("1122334455"))

    tools.write("data", b"what the index holds")
    tools("nvdefine -Q 0x1500016 -C o -s 20 -a ownerread|ownerwrite|authread")
    tools("nvwrite -Q 0x1500016 -C o -i data")
    tools(f"nvcertify -Q -C ak -c o -g sha256 -s {scheme} -o sig -f plain --attestation attest --size 13 --offset 5 "
          "-q 1122334455 0x1500016")
    signed(0x14, b"what the index holds"[5:18], bytes.fromhex("1122334455"))

    tools("pcrevent -Q 16 data")
    tools("quote -Q -c ak -l sha256:0,16 -q 1122334455 -m attest -s sig -f plain -o pcrs")
    values = bytes(32) + hashlib.sha256(bytes(32) + hashlib.sha256(b"what the index holds").digest()).digest()
    signed(0x18, hashlib.sha256(values).digest(), bytes.fromhex("1122334455"))


def audited(digest, command, parameters, answer=b"", names=b""):
    """A SHA-256 audit digest after one more command, by its code, the names of its handles and its parameters."""
    code = command.to_bytes(4, "big")
    return hashlib.sha256(digest + hashlib.sha256(code + names + parameters).digest() +
                          hashlib.sha256(bytes(4) + code + answer).digest()).digest()


def attestation_key(tools):
    primary(tools, hierarchy="e")
    tools(f"create -Q -C primary -G ecc256:ecdsa:null -a {SIGNING}|restricted -u ak.pub -r ak.priv")
    tools("load -Q -C primary -u ak.pub -r ak.priv -c ak")
    tools("readpublic -Q -c ak -f pem -o ak.pem")


def signed_audit(tools, what):
    """What `attest` says of audit, behind the firmware's version; it is signed by the AK."""
    verify(tools, "sha256", "sig", "attest", "ak.pem")
    attest = tools.read("attest")
    assert attest[:6] == b"\xffTCG\x80" + bytes([what])
    start = attest.index(bytes.fromhex("00051122334455")) + 7 + 17 + 8
    return attest[start:]


def test_audited_commands_are_those_that_were_sent(tools):
    attestation_key(tools)
    digest_of_them = "getcommandauditdigest -Q -c ak -g sha256 -q 1122334455 -m attest -s sig -f plain"
    tools("setcommandauditstatus -Q TPM2_CC_StirRandom")  # two commands, of which the first sets the hash, SHA-256
    digest = audited(bytes(32), 0x140, bytes.fromhex("000B 00000001 00000146 00000000"), names=bytes.fromhex("40000001"))
    for i in range(3):
        tools.write("data", bytes([i]) * 20)
        tools("stirrandom -Q data")
        digest = audited(digest, 0x146, b"\0\x14" + bytes([i]) * 20)
    tools("getrandom -Q 8 -o random")  # is not audited
    commands = hashlib.sha256(bytes.fromhex("00000140 00000146")).digest()
    counter = (1).to_bytes(8, "big") + b"\0\x0b"
    tools(digest_of_them)
    assert signed_audit(tools, 0x15) == counter + b"\0\x20" + digest + b"\0\x20" + commands
    tools(digest_of_them)  # a signature ends it
    assert signed_audit(tools, 0x15) == counter + b"\0\0" + b"\0\x20" + commands
    assert re.search(r"AUDIT_COUNTER_1: 0x1\b", tools("getcap properties-variable"))
    tools("setcommandauditstatus -Q -c TPM2_CC_StirRandom")
    tools(digest_of_them)
    assert signed_audit(tools, 0x15).endswith(b"\0\x20" + hashlib.sha256(bytes.fromhex("00000140")).digest())


def test_a_session_audits_what_it_was_used_for(direct):
    attestation_key(direct)
    direct("startauthsession -Q -S session --audit-session")
    digest = bytes(32)
    for _ in range(2):
        direct("getrandom -Q 8 -S session -o random")
        digest = audited(digest, 0x17B, b"\0\x08", b"\0\x08" + direct.read("random"))
    direct("getsessionauditdigest -Q -c ak -g sha256 -q 1122334455 -m attest -s sig -f plain -S session")
    assert signed_audit(direct, 0x16)[1:] == b"\0\x20" + digest


@pytest.mark.parametrize("kind", ["rsa", "ecc"])
def test_a_credential_is_for_one_key_with_one_name(direct, kind):
    primary(direct)
    direct(f"createek -Q -G {kind} -c ek -u ek.pub")
    direct(f"createak -Q -C ek -G {kind} -g sha256 -s {'rsassa' if kind == 'rsa' else 'ecdsa'} -c ak -u ak.pub -n ak.name")
    name = direct.read("ak.name").hex()
    secret = direct.write("secret", os.urandom(32))

    def activate(fails=None):
        with direct.session("policysecret -c e") as s:
            direct(f"activatecredential -Q -c ak -C ek -i blob -o out -P session:{s}", fails=fails)

    direct(f"makecredential -Q -T none -u ek.pub -s secret -n {name} -o blob")
    activate()
    assert direct.read("out") == direct.read("secret")
    direct(f"makecredential -Q -T none -u ek.pub -s {secret} -n {name[:-2]}{int(name[-2:], 16) ^ 1:02x} -o blob")
    activate(fails="integrity")
