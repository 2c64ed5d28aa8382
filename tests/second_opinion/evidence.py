"""What is judged: every genuine report, lab evidence of src/amdsp, and lab evidence with a fault.

The evidence with faults is written by tests/verify/lab.py, that without by src/amdsp (its program is
lab_evidence) except for the VLEK, which src/amdsp does not make.
"""
import base64
import datetime
import os
import re
import struct
import subprocess
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec

from lab import Lab

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data")
YES, NO = "yes", "no"


@dataclass
class Case:
    name: str
    product: str
    report: bytes
    leaf: bytes
    ask: bytes
    ark: bytes
    root: str = "AMD"        # whose root is trusted: AMD's, or "lab": the one in `ark`
    vlek: bool = False
    at: str = None           # None: now
    expect: str = YES        # of everybody who is not in the table of disagreements
    ours: str = None         # of us, where it is another
    refuses: str = None      # the check of ours that refuses
    words: str = None        # what go-sev-guest says when it refuses
    of_chain: bool = False   # the fault is in the certificates' signatures, dates or CA bits
    measurement: bytes = None
    vmpl: int = None
    policy: int = field(init=False)
    debug: bool = field(init=False)

    def __post_init__(self):
        self.policy = struct.unpack_from("<Q", self.report, 8)[0]
        self.debug = bool(self.policy & 1 << 19)
        if self.measurement is None:
            self.measurement = self.report[0x90:0xC0]
        if self.vmpl is None:
            self.vmpl = struct.unpack_from("<I", self.report, 0x30)[0]

    def seconds(self):
        return int(datetime.datetime.fromisoformat(self.at.replace("Z", "+00:00")).timestamp())


def read(*path):
    with open(os.path.join(*path), "rb") as f:
        return f.read()


def ders(raw):
    found = re.findall(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", raw, re.S)
    return [base64.b64decode(f) for f in found] or [raw]


# ---- genuine ----

# report, VCEK or VLEK, product, and the time at which it is judged where that is not now
GENUINE = [
    ("go-sev-guest/attestation.bin", "go-sev-guest/vcek.testcer", "Milan", None),
    ("virtee-sev/report_milan.bin", "virtee-sev/vcek_milan.der", "Milan", None),
    ("coco-trustee/test-report.bin", "coco-trustee/test-vcek.der", "Milan", None),
    ("coco-trustee/hcl-report.snpreport.bin", "coco-trustee/vcek.pem", "Milan", None),
    ("coco-trustee/evidence-v0.snpreport.bin", "coco-trustee/evidence-v0.vcek.pem", "Milan", None),
    ("coco-trustee/evidence-v1.snpreport.bin", "coco-trustee/evidence-v1.vcek.der", "Milan", None),
    ("coco-trustee/evidence-v2.snpreport.bin", "coco-trustee/evidence-v2.vcek.der", "Milan", None),
    ("coco-trustee/evidence-genoa.snpreport.bin", "coco-trustee/evidence-genoa.vcek.pem", "Genoa", None),
    ("coco-trustee/test-vlek-report.bin", "coco-trustee/test-vlek.der", "Milan", "2025-06-01T00:00:00Z"),
    ("routex-lua/report-turin-v5.bin", "routex-lua/vcek-chain-turin.pem", "Turin", None),
]


def genuine_case(name, report, leaf, product, **others):
    ask, ark, asvk = ders(read(DATA, "coco-trustee", product.lower() + "_ask_ark_asvk.pem"))
    vlek = "vlek" in leaf
    return Case(name, product, read(DATA, report), ders(read(DATA, leaf))[0], asvk if vlek else ask, ark, vlek=vlek,
                **others)


def genuine():
    for report, leaf, product, at in GENUINE:
        yield genuine_case(report.split(".")[0], report, leaf, product, at=at)
    report = "coco-trustee/test-report.bin"
    for kind in ("legacy", "new"):  # genuine, but not under SEV-Milan
        yield genuine_case("coco-trustee/test-vcek-invalid-" + kind, report,
                           f"coco-trustee/test-vcek-invalid-{kind}.der", "Milan", expect=NO, refuses="chain",
                           words="crypto/rsa: verification error", of_chain=True)
    yield genuine_case("coco-trustee/test-vlek-report after its VLEK has ended", *GENUINE[8][:3], at="2026-01-01T00:00:00Z",
                       expect=NO, refuses="dates", words="is after 2025-12-10", of_chain=True)


# ---- lab evidence without faults ----

AMDSP = {"Milan": (2, 3, 5), "Genoa": (3, 5), "Turin": (5,)}


def amdsp(program, folder):
    for product, versions in AMDSP.items():
        where = os.path.join(folder, product)
        subprocess.run([program, where, product.upper(), *map(str, versions)], check=True)
        leaf, ask, ark = ders(read(where, "certs.pem"))
        for version in versions:
            yield Case(f"lab {product} v{version}", product, read(where, f"report-v{version}.bin"), leaf, ask, ark, root="lab")


def of_lab(name, lab, report=None, **others):
    others.setdefault("root", "lab")
    return Case(name, lab.product, report or lab.report, lab.leaf, lab.ask, others.pop("ark", lab.ark), vlek=lab.vlek,
                **others)


# ---- faults ----

def days(begin, end):
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    return now + datetime.timedelta(days=begin), now + datetime.timedelta(days=end)


TCB = bytes([4, 0, 0, 0, 0, 0, 24, 0xDB])  # what lab.py certifies


def tcb(at, value):
    changed = bytearray(TCB)
    changed[at] = value
    return bytes(changed)


# name, how lab.py makes it, the check of ours that refuses, words of go-sev-guest, whether it is of the chain
FAULTS = [
    ("another chip", dict(chip=b"\x5a" * 64), "chip-id", "HWID", False),
    ("a reported TCB above the certificate's", dict(reported=tcb(6, 25), current=tcb(6, 25), committed=tcb(6, 25)),
     "certificate-tcb", "REPORTED_TCB", False),
    ("a reported TCB below the certificate's", dict(reported=tcb(7, 0xDA)), "certificate-tcb", "REPORTED_TCB", False),
    ("committed TCB above the current", dict(committed=tcb(6, 25)), "tcb-committed", "COMMITTED_TCB", False),
    ("another key's signature", dict(wrong_key=True), "signature", "ECDSA verification failure", False),
    ("VCEK: salt of 32 bytes", dict(salt=32), "certificate", "signature algorithm is", True),
    ("VCEK: PKCS #1 v1.5", dict(scheme="pkcs1"), "certificate", "signature algorithm is", True),
    ("VCEK: PSS with SHA-256", dict(scheme="sha256"), "certificate", "signature algorithm is", True),
    ("ASK: salt of 32 bytes", dict(ask_salt=32), "ca", "cannot verify signature", True),
    ("VCEK: of another CA with the ASK's name", dict(forged=True), "chain", "crypto/rsa: verification error", True),
    ("VCEK: its dates are over", dict(dates=days(-9, -1)), "dates", "is after", True),
    ("VCEK: its dates are still to come", dict(dates=days(1, 9)), "dates", "is before", True),
    ("ASK: not a CA", dict(ca=False), "ca", "cannot sign this kind", True),
    ("ASK: a CA may be under it", dict(path=1), "ca", None, False),
    ("ASK: RSA 2048", dict(bits=2048), "ca", None, False),
    ("ASK: name of no product", dict(ask_cn="SEV-Napa"), "ca", "issuer common name SEV-Napa", False),
    ("VCEK: another organisation", dict(org="Example"), "certificate", "organization 'Example'", False),
    ("VCEK: two organisations", dict(extra_name=[("2.5.4.10", "Example")]), "certificate", "2 organizations", False),
    ("VCEK: another product's name", dict(product_name="Genoa-B1"), "product", None, False),
    ("VCEK: P-256", dict(curve="P-256"), "certificate", "curve is P-256", False),
    ("VCEK: no TCB part 3.4", dict(drop="3.4"), "certificate", "no extension for field Spl4", False),
    ("VCEK: no microcode part 3.8", dict(drop="3.8"), "certificate", "no extension for field UcodeSpl", False),
    ("VCEK: no chip", dict(drop="4"), "certificate", "missing HWID", False),
    ("VCEK: no product name", dict(drop="2"), "certificate", "no extension for field ProductName", False),
    ("VCEK: an extension of nobody", dict(add="1.3.6.1.4.1.99999.1"), "certificate", "not an AMD KDS OID", False),
    ("VCEK: a critical extension of nobody", dict(add="1.3.6.1.4.1.99999.1", add_critical=True), "certificate",
     "not an AMD KDS OID", False),
    ("VCEK: an unknown extension of AMD's", dict(add="1.3.6.1.4.1.3704.1.6"), "certificate", "not an AMD KDS OID", False),
    ("VCEK: an extension twice", dict(twice="3.4"), "certificate", "duplicate extension", False),
    ("version 6", dict(version=6), "report-version", "report version is: 6", False),
    ("version 1", dict(version=1), "report-version", "report version is: 1", False),
    ("guest policy: bit 26", dict(policy=0x30000 | 1 << 26), "report-policy-bits", "malformed guest policy", False),
    ("guest policy: bit 17 clear", dict(policy=0x10000), "report-policy-bits", "malformed guest policy", False),
    ("a reserved byte", dict(poke={0x210: 1}), "report-reserved", "not all zero", False),
    ("padding of s", dict(poke_unsigned={0x32F: 1}), "report-reserved", "ECDSA verification failure", False),
    ("the last byte", dict(poke_unsigned={0x49F: 1}), "report-reserved", "not all zero", False),
    ("family and model of a Genoa", dict(fms=(0x19, 0x11, 1)), "product", "by any trusted roots", False),
    ("family and model of no product", dict(fms=(0x17, 0x31, 0)), "product", "by any trusted roots", False),
    ("signer: reserved bit 5", dict(signer=0x20), "report-signer-info", "[0x5:0x1f] not all zero", False),
    ("signature algorithm 2", dict(algorithm=2), "signature-algorithm", "unknown signature algorithm", False),
    ("signer: a VLEK, signed by a VCEK", dict(signer=4), None, "missing VLEK certificate", False),
]

# Unusual, and a yes all the same: who is too strict is as wrong as who is too lax.
VARIANTS = [
    ("a version 4", dict(version=4)),
    ("a masked chip", dict(chip=bytes(64))),
    ("HWID in an OCTET STRING", dict(wrapped=True)),
    ("stepping B0", dict(product_name="Milan-B0", fms=(0x19, 0x01, 0))),
    ("version 2 of a B0", dict(version=2, product_name="Milan-B0")),
    ("a Genoa", dict(product="Genoa", fms=(0x19, 0x11, 1))),
    ("a Bergamo", dict(product="Genoa", fms=(0x19, 0xA0, 1))),
    ("a reported TCB below the current", dict(current=tcb(7, 0xDC), committed=tcb(7, 0xDC), launch=tcb(7, 0xDC))),
    ("guest policy: debugging, asked for by --allow-debug", dict(policy=0xB0000)),
    ("guest policy: single socket, ABI 1.31", dict(policy=0x13011F)),
    ("guest policy: bits 21 to 25", dict(policy=0x30000 | 0x1F << 21)),
    ("platform information: SMT, TSME, ECC, RAPL, ciphertext hiding, alias check", dict(platform=0x3F)),
    ("platform information: bit 6, as a genuine Turin sets", dict(version=5, platform=0x67)),
    ("an author key", dict(signer=1)),
    ("a launch mitigation vector", dict(version=5, poke={0x1F8: 1, 0x200: 3})),
]

# The same on other products and versions, where a mistake could differ.
ELSEWHERE = [
    ("another TCB", dict(reported="lower"), "certificate-tcb", "REPORTED_TCB", False),
    ("another key's signature", dict(wrong_key=True), "signature", "ECDSA verification failure", False),
    ("its dates are over", dict(dates=days(-9, -1)), "dates", "is after", True),
    ("no SNP part 3.3", dict(drop="3.3"), "certificate", "no extension for field SnpSpl", False),
]
OF_A_CHIP = [("another chip", dict(chip=b"\x5a" * 64), "chip-id", "HWID", False)]
OF_A_VLEK = [
    ("no provider", dict(drop="5"), "certificate", "missing CSP_ID", False),
    ("ASVK named as an ASK", dict(ask_cn="SEV-Milan"), "ca", "issuer common name SEV-Milan", False),
    ("signer: a VCEK, signed by a VLEK", dict(signer=0), None, "missing VCEK certificate", False),
]


def fault(prefix, base, name, how, refuses, words, of_chain):
    how = dict(how)
    if how.get("reported") == "lower":
        how["reported"] = bytes([1, 4, 0, 23, 0, 0, 0, 0xDB]) if base["product"] == "Turin" else tcb(6, 23)
    if how.get("curve") == "P-256":
        how["curve"] = ec.SECP256R1()
    # Without a certificate of the key that the report names, we cannot tell.
    ours = NO if refuses else "could not tell"
    return of_lab(f"{prefix}: {name}", Lab(**{**base, **how}), expect=NO, ours=ours, refuses=refuses, words=words,
                  of_chain=of_chain)


def lab_cases():
    """Lab evidence of lab.py: sound, unusual, and with one fault."""
    milan = dict(product="Milan", version=3)
    good = Lab(**milan)
    yield of_lab("Milan v3", good)
    yield of_lab("Milan v3: another measurement is expected", good, measurement=bytes(48), expect=NO, refuses="measurement",
                 words="report field MEASUREMENT")
    yield of_lab("Milan v3: another VMPL is expected", good, vmpl=1, expect=NO, refuses="vmpl", words="VMPL 0 is not 1")
    amd = ders(read(DATA, "coco-trustee", "milan_ask_ark_asvk.pem"))[1]
    yield of_lab("Milan v3: under AMD's root", good, root="AMD", ark=amd, expect=NO, refuses="root", words="unknown authority",
                 of_chain=True)
    named = Lab(**milan, ark_cn="ARK-Milan", ark_org="Advanced Micro Devices")
    yield of_lab("Milan v3: a root with AMD's name", named, root="AMD", expect=NO, refuses="chain", words="unknown authority")
    flipped = bytearray(good.report)
    flipped[0x2A0] ^= 1
    yield of_lab("Milan v3: a bit of r", good, bytes(flipped), expect=NO, refuses="signature", words="ECDSA verification failure")
    for name, how in VARIANTS:
        yield of_lab("unusual: " + name, Lab(**{**milan, **how}))
    for row in FAULTS:
        yield fault("Milan v3", milan, *row)
    for product, version in (("Milan", 2), ("Milan", 5), ("Genoa", 3), ("Genoa", 5), ("Turin", 5)):
        base = dict(product=product, version=version)
        yield of_lab(f"{product} v{version}", Lab(**base))
        for row in ELSEWHERE + OF_A_CHIP:
            yield fault(f"{product} v{version}", base, *row)
    vlek = dict(product="Milan", version=3, vlek=True)
    yield of_lab("Milan VLEK v3", Lab(**vlek))
    for row in ELSEWHERE + OF_A_VLEK:
        yield fault("Milan VLEK v3", vlek, *row)
