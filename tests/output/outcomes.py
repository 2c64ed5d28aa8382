"""Outcomes of every kind, as `cvtpm verify` says them; for the tests of text, JSON and pages."""
import hashlib
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "verify"))
import lab  # noqa: E402

CVTPM = os.environ["CVTPM"]
DATA = os.path.join(HERE, "..", "data")
MEASUREMENT = lab.MEASUREMENT.hex()

# Markup, quotes, terminal controls, a right-to-left override.
HOSTILE = b"<script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;\x1b[31m\x07\r\n\xe2\x80\xae</title>{{lab}}"


def run(*args, **how):
    return subprocess.run([CVTPM, "verify", *map(str, args)], capture_output=True, timeout=120, **how)


def data(path):
    return os.path.join(DATA, path)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(folder, name, content):
    path = os.path.join(str(folder), name)
    with open(path, "wb") as f:
        f.write(content)
    return path


def genuine(*more, measurement=None):
    report = data("coco-trustee/evidence-v1.snpreport.bin")
    digest = read(report)[0x90:0xC0].hex() if measurement is None else measurement
    args = ["--report", report, "--report-only", "--certs", data("coco-trustee/evidence-v1.vcek.der"),
            data("coco-trustee/milan_ask_ark_asvk.pem"), "--at", "2025-12-01T00:00:00Z"]
    return args + (["--measurement", digest] if digest else []) + list(more)


def turin():
    report = data("routex-lua/report-turin-v5.bin")
    return ["--report", report, "--report-only", "--certs", data("routex-lua/vcek-chain-turin.pem"),
            "--measurement", read(report)[0x90:0xC0].hex(), "--at", "2025-12-01T00:00:00Z"]


def hcl():
    """A report whose REPORT_DATA binds runtime data, and a quote with PCRs by the AK in there."""
    name = "coco-trustee/evidence-v1."
    return ["--hcl", data(name + "hcl.bin"), "--quote", data(name + "quote.bin"), "--quote-signature",
            data(name + "quote.sig"), "--quote-nonce", b"challenge".hex(), "--pcr-values", data(name + "pcrs.bin"),
            *genuine()[3:]]


def lab_files(folder, chip, cmw=None, root=True, **certificate):
    """An EK certificate with the report inside, and the report index's."""
    ek = lab.Ek("p384")
    chip.report = chip.make_report(ek.digest())
    cert = ek.certificate(cmw(chip) if cmw else lab.record(chip.report), **certificate)
    index = chip.make_report(hashlib.sha512(cert).digest())
    args = ["--ek-cert", write(folder, "ek.der", cert), "--ek-cert-report", write(folder, "index.bin", index),
            "--certs", write(folder, "certs.pem", chip.certs), "--measurement", MEASUREMENT]
    return args + (["--lab-root", write(folder, "ark.pem", lab.pem(chip.ark))] if root else [])


def hostile(folder):
    """Evidence with a hostile string wherever one fits, judged as far as possible."""
    text = HOSTILE
    chip = lab.Lab(vlek=True, csp="<img src=x onerror=alert(3)>",
                   extra_name=(("2.5.4.11", text),), ask_cn="SEV-VLEK-Milan")
    claims = {"isolation": "svsm", text.decode("latin-1"): text.decode("latin-1"), 270: text.decode("latin-1")}
    return lab_files(folder, chip, lambda c: lab.collection(c.report, claims=claims), issuer=text, manufacturer=text,
                     model=text)


def all_outcomes(folder):
    """(name, arguments, exit status) of each kind."""
    os.makedirs(os.path.join(str(folder), "h"), exist_ok=True)
    chip = lab.Lab()
    yes = lab_files(folder, chip)
    return [
        ("genuine-yes", genuine(), 0),
        ("genuine-refused", genuine("--vmpl", "1", measurement="00" * 48), 1),
        ("genuine-unknown", genuine(measurement=""), 3),
        ("turin-yes", turin(), 0),
        ("hcl-yes", hcl(), 0),
        ("lab-yes", yes, 0),
        ("lab-refused", yes[:yes.index("--lab-root")], 1),
        ("hostile", hostile(os.path.join(str(folder), "h")), None),
        ("junk", ["--report", write(folder, "junk.bin", b"\xff" * 1184), "--report-only"], 1),
        ("short", ["--report", write(folder, "<b>short\x1b[31m.bin", b"\xff" * 11)], 1),
        ("nothing", ["--ek-cert", write(folder, "no.der", b"")], 1),
    ]
