"""`cvtpm verify --hcl`: genuine evidence of Azure from AMD's root to the quote, and each fault by its name."""
import hashlib
import json
import pathlib
import struct
import sys

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import lab  # noqa: E402
from lab import Lab, pem  # noqa: E402
from test_verify import CHAIN, FAULT, NO, UNKNOWN, YES, check, data, of, read, verify, write  # noqa: E402

SAMPLES = [("evidence-v0", "vcek.pem", "Milan"), ("evidence-v1", "vcek.der", "Milan"), ("evidence-v2", "vcek.der", "Milan"),
           ("evidence-genoa", "vcek.pem", "Genoa")]
V2 = SAMPLES[2]


def part(sample, suffix):
    return data("coco-trustee", sample[0] + "." + suffix)


def extra(quote):
    """extraData of a TPMS_ATTEST."""
    at = 8 + struct.unpack_from(">H", quote, 6)[0]
    return quote[at + 2:at + 2 + struct.unpack_from(">H", quote, at)[0]]


def born(sample, hcl=None):
    measurement = read(part(sample, "hcl.bin"))[0xB0:0xE0].hex()
    return ["--hcl", hcl or part(sample, "hcl.bin"), "--certs", part(sample, sample[1]), data(CHAIN[sample[2]]),
            "--measurement", measurement]


def whole(sample, hcl=None, quote=None, signature=None, pcrs=None, nonce=None):
    return [*born(sample, hcl), "--quote", quote or part(sample, "quote.bin"),
            "--quote-signature", signature or part(sample, "quote.sig"), "--pcr-values", pcrs or part(sample, "pcrs.bin"),
            "--quote-nonce", nonce or extra(read(part(sample, "quote.bin"))).hex()]


def without(args, option):
    at = args.index(option)
    return args[:at] + args[at + 2:]


def refused(outcome, *ids):
    code, out, _ = outcome
    assert code == NO and of(out, "refused") == set(ids), of(out, "refused")
    return out


def not_told(outcome, *ids):
    code, out, _ = outcome
    assert code == UNKNOWN and of(out, "could not tell") == set(ids) and not of(out, "refused"), out
    return out


def flipped(tmp_path, path, at, bit=1):
    altered = bytearray(read(path))
    altered[at] ^= bit
    return write(tmp_path, "altered", bytes(altered))


# ---- genuine ----

@pytest.mark.parametrize("sample", SAMPLES, ids=[s[0] for s in SAMPLES])
def test_genuine_evidence_verifies_from_the_root_to_the_quote(sample):
    code, out, err = verify(*whole(sample))
    assert (code, out["lab"], err) == (YES, False, "")
    assert {"hcl", "signature", "chain", "root", "measurement", "binding", "hcl-runtime", "hcl-ak", "quote", "quote-signature",
            "quote-nonce", "quote-pcrs"} <= of(out, "ok")
    assert check(out, "binding")["found"].startswith("hcl: ")


@pytest.mark.parametrize("sample", SAMPLES, ids=[s[0] for s in SAMPLES])
def test_without_a_measurement_it_is_never_a_yes(sample):
    args = without(whole(sample), "--measurement")
    not_told(verify(*args), "measurement", "isolation")


def test_the_birth_of_the_key_can_be_judged_alone():
    code, out, _ = verify(*born(V2))
    assert code == YES and not {c["about"] for c in out["checks"]} & {"quote", "PCRs"}


def test_zeros_of_the_nv_index_may_follow(tmp_path):
    assert verify(*born(V2, write(tmp_path, "padded", read(part(V2, "hcl.bin")) + bytes(100))))[0] == YES


def test_the_caveat_is_stated_and_claims_are_claims():
    _, out, _ = verify(*whole(V2))
    caveat = check(out, "hcl-isolation")
    assert caveat["verdict"] == "warning" and "paravisor" in caveat["found"] and "MEASUREMENT" in caveat["expected"]
    assert check(out, "ak-attributes")["verdict"] == "claimed"
    claims = {c["found"].split(" = ")[0] for c in out["checks"] if c["id"] == "claim"}
    assert {"secure-boot", "tpm-enabled", "vmUniqueId"} <= claims
    assert {c["verdict"] for c in out["checks"] if c["id"] == "claim"} == {"claimed"}


def test_a_signature_as_the_tpm_gives_it_is_taken_too(tmp_path):
    whole_signature = struct.pack(">HHH", 0x14, 0x0B, 256) + read(part(V2, "quote.sig"))
    assert verify(*whole(V2, signature=write(tmp_path, "sig", whole_signature)))[0] == YES
    sha1 = struct.pack(">HHH", 0x14, 0x04, 256) + read(part(V2, "quote.sig"))
    refused(verify(*whole(V2, signature=write(tmp_path, "sig", sha1))), "quote-signature")


def test_pcr_values_may_be_cbor(tmp_path):
    import cbor2
    bank = read(part(V2, "pcrs.bin"))
    values = cbor2.dumps({0x0B: {i: bank[32 * i:32 * i + 32] for i in range(24)}}, canonical=True)
    assert verify(*whole(V2, pcrs=write(tmp_path, "pcrs", values)))[0] == YES


def test_rules_on_pcrs_count_for_such_a_quote(tmp_path):
    bank = read(part(V2, "pcrs.bin"))
    rule = lambda value: write(tmp_path, "policy.json", json.dumps({"pcrs": {"sha256": {"0": [value.hex()]}}}).encode())
    code, out, _ = verify(*whole(V2), "--policy", rule(bank[:32]))
    assert code == YES and check(out, "pcr")["verdict"] == "ok" and check(out, "quote-required")["verdict"] == "ok"
    refused(verify(*whole(V2), "--policy", rule(bytes(32))), "pcr")
    not_told(verify(*born(V2), "--policy", rule(bank[:32])), "pcr", "quote-required")


# ---- faults of the quote ----

def test_without_a_nonce_the_age_cannot_be_told():
    out = not_told(verify(*without(whole(V2), "--quote-nonce")), "quote-nonce")
    assert extra(read(part(V2, "quote.bin"))).hex() in check(out, "quote-nonce")["found"]


def test_a_quote_whose_pcrs_are_missing_says_little():
    not_told(verify(*without(whole(V2), "--pcr-values")), "quote-pcrs")


def test_each_fault_of_a_quote_is_named(tmp_path):
    quote, pcrs = part(V2, "quote.bin"), part(V2, "pcrs.bin")
    size = len(read(quote))
    refused(verify(*whole(V2, nonce="00" * 48)), "quote-nonce")
    refused(verify(*whole(V2, nonce=extra(read(quote)).hex()[:-2])), "quote-nonce")
    refused(verify(*whole(V2, pcrs=flipped(tmp_path, pcrs, 0))), "quote-pcrs")
    refused(verify(*whole(V2, pcrs=flipped(tmp_path, pcrs, 0x2FF))), "quote-pcrs")
    refused(verify(*whole(V2, pcrs=write(tmp_path, "short", read(pcrs)[:-1]))), "pcr-values")
    refused(verify(*whole(V2, signature=flipped(tmp_path, part(V2, "quote.sig"), 100))), "quote-signature")
    refused(verify(*whole(V2, signature=write(tmp_path, "none", b""))), "quote-signature")
    refused(verify(*whole(V2, quote=flipped(tmp_path, quote, size - 1))), "quote-signature", "quote-pcrs")
    refused(verify(*whole(V2, quote=flipped(tmp_path, quote, 0))), "quote")
    refused(verify(*whole(V2, quote=write(tmp_path, "none", b""))), "quote")
    refused(verify(*whole(V2, quote=write(tmp_path, "cut", read(quote)[:-1]))), "quote")


def test_the_quote_of_another_machine_is_refused():
    other = SAMPLES[1]
    args = whole(V2, quote=part(other, "quote.bin"), signature=part(other, "quote.sig"), pcrs=part(other, "pcrs.bin"),
                 nonce=extra(read(part(other, "quote.bin"))).hex())
    refused(verify(*args), "quote-signature")


def test_every_byte_of_quote_and_signature_counts(tmp_path):
    for name, option in (("quote.bin", "quote"), ("quote.sig", "signature")):
        for at in range(0, len(read(part(V2, name))), 13):
            assert verify(*whole(V2, **{option: flipped(tmp_path, part(V2, name), at)}))[0] == NO, (name, at)


# ---- faults of the HCL report ----

HEADER_FAULTS = [(0, "HCLA"), (4, "version"), (12, "attestation key"), (16, "status"), (0x4C4, "runtime data"),
                 (0x4C8, "SEV-SNP"), (0x4CC, "SHA-256"), (0x4D0, "sizes"), (8, "sizes"), (2599, "zeros")]


@pytest.mark.parametrize("at,says", HEADER_FAULTS)
def test_each_fault_of_the_headers_is_named(tmp_path, at, says):
    out = refused(verify(*whole(V2, hcl=flipped(tmp_path, part(V2, "hcl.bin"), at, 8))), "hcl")
    assert len(out["checks"]) == 1 and says in check(out, "hcl")["found"]


@pytest.mark.parametrize("size", [0, 3, 32, 1236, 2000, 1 << 15])
def test_a_report_of_another_size_gets_one_line(tmp_path, size):
    blob = (read(part(V2, "hcl.bin")) + bytes(1 << 15))[:size]
    out = refused(verify(*born(V2, write(tmp_path, "cut", blob))), "hcl")
    assert len(out["checks"]) == 1


def test_runtime_data_that_the_report_does_not_cover_names_no_key(tmp_path):
    hcl = flipped(tmp_path, part(V2, "hcl.bin"), 0x4D4 + 40)
    code, out, _ = verify(*whole(V2, hcl=hcl))
    assert code == NO and of(out, "refused") == {"binding"} and of(out, "could not tell") == {"quote"}
    assert not {"hcl-ak", "hcl-runtime", "claim"} & {c["id"] for c in out["checks"]}


def test_a_report_that_is_altered_is_refused(tmp_path):
    code, out, _ = verify(*whole(V2, hcl=flipped(tmp_path, part(V2, "hcl.bin"), 0x20 + 0x90)))
    assert code == NO and {"signature", "measurement"} <= of(out, "refused")


def test_the_runtime_data_of_another_machine_is_refused(tmp_path):
    blob = bytearray(read(part(V2, "hcl.bin")))
    other = read(part(SAMPLES[1], "hcl.bin"))
    blob[0x4C0:] = other[0x4C0:]
    code, out, _ = verify(*born(V2, write(tmp_path, "mixed", bytes(blob))))
    assert code == NO and of(out, "refused") == {"binding"}


# ---- a paravisor of the laboratory ----

KEY = rsa.generate_private_key(65537, 2048)


def jwk(key=KEY, **changes):
    import base64
    n = key.public_key().public_numbers().n
    text = base64.urlsafe_b64encode(n.to_bytes((n.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()
    return {"kid": "HCLAkPub", "key_ops": ["sign"], "kty": "RSA", "e": "AQAB", "n": text, **changes}


def lab_args(tmp_path, runtime, **o):
    text = runtime if isinstance(runtime, bytes) else json.dumps(runtime).encode()
    chip = Lab(report_data=hashlib.sha256(text).digest() + o.pop("tail", bytes(32)), **o)
    blob = b"HCLA" + struct.pack("<IIII", 2, 0x4D4 + len(text), 2, 0) + bytes(12) + chip.report
    blob += struct.pack("<IIIII", 20 + len(text), 1, 2, 1, len(text)) + text
    return ["--hcl", write(tmp_path, "hcl", blob), "--certs", write(tmp_path, "certs", chip.certs), "--lab-root",
            write(tmp_path, "ark", pem(chip.ark)), "--measurement", lab.MEASUREMENT.hex()]


def quote_args(tmp_path, key=KEY, nonce=b"nonce of mine", magic=b"\xffTCG"):
    bank = bytes(range(256)) * 3
    attest = magic + struct.pack(">H", 0x8018) + struct.pack(">H", 34) + b"\0\x0b" + bytes(32)
    attest += struct.pack(">H", len(nonce)) + nonce + struct.pack(">QIIB", 1000, 1, 0, 1) + bytes(8)
    attest += struct.pack(">IHB", 1, 0x0B, 3) + b"\x07\0\0" + struct.pack(">H", 32) + hashlib.sha256(bank[:96]).digest()
    signature = key.sign(attest, padding.PKCS1v15(), hashes.SHA256())
    return ["--quote", write(tmp_path, "quote", attest), "--quote-signature", write(tmp_path, "sig", signature),
            "--pcr-values", write(tmp_path, "pcrs", bank), "--quote-nonce", b"nonce of mine".hex()]


def test_lab_evidence_verifies_and_says_lab(tmp_path):
    code, out, _ = verify(*lab_args(tmp_path, {"keys": [jwk()]}), *quote_args(tmp_path))
    assert code == YES and out["lab"] is True and "LAB" in out["summary"]


def test_each_fault_of_lab_evidence_is_named(tmp_path):
    other = rsa.generate_private_key(65537, 2048)
    good = {"keys": [jwk()]}
    refused(verify(*lab_args(tmp_path, good), *quote_args(tmp_path, key=other)), "quote-signature")
    refused(verify(*lab_args(tmp_path, good), *quote_args(tmp_path, nonce=b"nonce of his")), "quote-nonce")
    refused(verify(*lab_args(tmp_path, good), *quote_args(tmp_path, nonce=b"")), "quote-nonce")
    refused(verify(*lab_args(tmp_path, good), *quote_args(tmp_path, magic=b"\xffTCH")), "quote")
    refused(verify(*lab_args(tmp_path, good, vmpl=2)), "vmpl")
    refused(verify(*lab_args(tmp_path, good, tail=bytes(31) + b"\1")), "binding")
    for runtime in (b"{", b"[]", b'{"keys":[],"keys":[]}', {"keys": [jwk()], "vm-configuration": {"secure-boot": "yes"}}):
        refused(verify(*lab_args(tmp_path, runtime)), "hcl-runtime")
    for keys in ([], [jwk(kid="HCLEkPub")], [jwk(), jwk(other)], [jwk(key_ops=["encrypt"])], [jwk(key_ops=["sign", "encrypt"])],
                 [jwk(e="Aw")], [jwk(rsa.generate_private_key(65537, 1024))], [jwk(kty="EC")]):
        refused(verify(*lab_args(tmp_path, {"keys": keys})), "hcl-ak")


def test_without_a_key_no_quote_is_looked_at(tmp_path):
    code, out, _ = verify(*lab_args(tmp_path, {"keys": []}), *quote_args(tmp_path))
    assert code == NO and check(out, "quote")["verdict"] == "could not tell"
    assert "quote-signature" not in {c["id"] for c in out["checks"]}


# ---- wrong calls ----

@pytest.mark.parametrize("args", [
    ["--report", "x"], ["--ek-cert", "x"], ["--bundle", "x"], ["--ek-public", "x"], ["--hcl", "x"], ["--quote", "x"],
    ["--quote-signature", "x"], ["--quote-nonce", "00"], ["--pcr-values", "x"]])
def test_options_that_do_not_go_together_are_a_fault(args):
    code, out, err = verify(*born(V2), *args)
    assert code == FAULT and not out and "--" in err


@pytest.mark.parametrize("nonce", ["", "0", "xx", "00" * 67, "00 "])
def test_a_nonce_that_is_none_is_a_fault(nonce):
    code, out, err = verify(*without(whole(V2), "--quote-nonce"), "--quote-nonce", nonce)
    assert code == FAULT and not out and "--quote-nonce" in err


def test_a_quote_needs_an_hcl_report():
    code, _, err = verify("--report", part(V2, "snpreport.bin"), "--quote", "x", "--quote-signature", "x")
    assert code == FAULT and "--hcl" in err
