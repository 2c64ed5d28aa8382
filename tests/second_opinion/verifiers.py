"""Those who judge. Each is asked about a case, in files below a folder, and answers yes or no.

An answer needs an exit status that the program has for it. Anything else (wrong usage, a crash) is
Fault: it must not pass for a refusal.
"""
import json
import os
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

import lab

YES, NO = "yes", "no"


class Fault(Exception):
    pass


def run(*command):
    try:
        done = subprocess.run(list(map(str, command)), capture_output=True, timeout=120,
                              env=dict(os.environ, RUST_BACKTRACE="0"))
    except subprocess.TimeoutExpired as e:
        raise Fault(str(e)) from e
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def answer(command, yes, no):
    """(answer, words) of a command by its exit status."""
    code, words = run(*command)
    if code not in (*yes, *no):
        raise Fault(f"exit {code}: {' '.join(words.split())[-300:]}")
    return (YES if code in yes else NO), words


class Files:
    """A case written out in the forms that the verifiers read."""

    def __init__(self, case, folder):
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        kind = "vlek" if case.vlek else "vcek"
        self.report = self.put("report.bin", case.report)
        self.leaf = self.put(kind + ".der", case.leaf)
        self.ca = self.put("asvk.der" if case.vlek else "ask.der", case.ask)
        self.ark = self.put("ark.der", case.ark)
        self.leaf_pem = self.put("pem/leaf.pem", lab.pem(case.leaf))
        self.ca_pem = self.put("pem/ca.pem", lab.pem(case.ask))
        self.ark_pem = self.put("pem/ark.pem", lab.pem(case.ark))
        self.roots = self.put("pem/roots.pem", lab.pem(case.ask) + lab.pem(case.ark))
        self.extended = self.put("pem/evidence.bin", case.report + lab.table(**{kind: case.leaf}))

    def put(self, name, data):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
        return path


# ---- cvtpm ----

def cvtpm_command(program, case, files):
    command = [program, "verify", "--json", "--report-only", "--report", files.report, "--certs", files.leaf, files.ca,
               "--vmpl", case.vmpl, "--measurement", case.measurement.hex()]
    command += ["--allow-debug"] if case.debug else []
    command += ["--lab-root", files.ark] if case.root == "lab" else []
    return command + (["--at", case.at] if case.at else [])


def cvtpm(program, case, files):
    """(answer, ids of the checks that refuse); the one with a third answer"""
    code, words = run(*cvtpm_command(program, case, files))
    if code not in (0, 1, 3):
        raise Fault(f"exit {code}: {words}")
    outcome = json.loads(words)
    return outcome["verdict"].replace("refused", NO), " ".join(c["id"] for c in outcome["checks"] if c["verdict"] == "refused")


# ---- go-sev-guest: its own program, and ours around the same package ----

# Its embedded roots have no ASVK; so for a VLEK the genuine ASVK and ARK are given as files.
def own_roots(case):
    return case.root == "lab" or case.vlek


def check(program, case, files):
    # Status 1 is wrong usage and a report that cannot be parsed; the two differ by their words.
    command = [program, "-in", files.extended, "-network=false", "-product", case.product, "-vmpl", case.vmpl,
               "-measurement", case.measurement.hex(), "-guest_policy", hex(case.policy & 0x3FFFFFF)]
    command += ["-product_key_path", files.roots] if own_roots(case) else []
    code, words = run(*command)
    if code in (2, 5) or code == 1 and "could not parse" in words:
        return NO, words
    if code:
        raise Fault(f"exit {code}: {' '.join(words.split())[-300:]}")
    return YES, words


def peer_flags(case, files):
    flags = ["-product", case.product, "-vmpl", case.vmpl, "-measurement", case.measurement.hex()]
    flags += ["-roots", files.roots] if own_roots(case) else []
    return flags + (["-at", case.at] if case.at else [])


def peer(program, case, files):
    return answer([program, "snp", *peer_flags(case, files), files.extended], yes=(0,), no=(1,))


# ---- snpguest: chain and attestation are two commands; a yes is a yes of both ----

def snpguest(program, case, files):
    found, words = answer([program, "verify", "certs", files.folder], yes=(0,), no=(1,))
    if found == NO:
        return found, words
    # Version 2 does not name its product.
    product = ["-p", case.product.lower()] if case.report[0] == 2 else []
    return answer([program, "verify", "attestation", *product, files.folder, files.report], yes=(0,), no=(1,))


# ---- openssl: the three certificates, and the signature over the report ----

def openssl(program, case, files):
    at = ["-attime", case.seconds()] if case.at else []
    found, words = answer([program, "verify", *at, "-CAfile", files.ark_pem, "-untrusted", files.ca_pem, files.leaf_pem],
                          yes=(0,), no=(2,))
    if found == NO:
        return found, words
    r, s = (int.from_bytes(case.report[at:at + 72], "little") for at in (0x2A0, 0x2E8))
    key = x509.load_der_x509_certificate(case.leaf).public_key()
    files.put("pem/key.pem", key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    files.put("pem/signature", encode_dss_signature(r, s))
    files.put("pem/signed", case.report[:0x2A0])
    names = {n: os.path.join(files.folder, "pem", n) for n in ("key.pem", "signature", "signed")}
    return answer([program, "dgst", "-sha384", "-verify", names["key.pem"], "-signature", names["signature"],
                   names["signed"]], yes=(0,), no=(1,))


ALL = {"check": check, "peer": peer, "snpguest": snpguest, "openssl": openssl}


def judges(name, case):
    """Whether this verifier's answer says anything about the case."""
    if name == "openssl":  # it knows nothing of what a report or AMD's extensions say
        return case.expect == YES or case.of_chain
    if name in ("check", "peer"):  # they refuse every Turin, so a refused Turin says nothing
        return case.product != "Turin" or case.expect == YES
    return True
