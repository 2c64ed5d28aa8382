"""Do veraison's decoders, in Go and in Rust, find in our certificates and bundles what is there?

The evidence in an EK certificate is a message wrapper of RFC 9999, and so is a bundle. Theirs is compared
with what python3-cbor2 reads. The crate's own reading of an extension wants a SEQUENCE of three parts where the
RFC has an OCTET STRING, so the crate is given what is in that string.
"""
import os
import subprocess

import cbor2
from cryptography import x509
from pyasn1.codec.der import decoder

from cvtpm_test import Server, tpm2

CMW = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.35")
EKS = {"rsa2048": 0x01C00002, "p256": 0x01C0000A, "p384": 0x01C00016}


def cvtpm(*arguments):
    done = subprocess.run([os.environ["CVTPM"], *map(str, arguments)], capture_output=True, text=True)
    # A bundle that answers no challenge leaves a question open.
    assert done.returncode in (0, 3), done.stdout + done.stderr


def serve(folder):
    """The EK certificates that `cvtpm serve --lab` makes, as a guest reads them, and bundles of that guest's."""
    lab_folder = os.path.join(folder, "Milan")
    at = lambda name: os.path.join(folder, name)
    with Server("--mssim", "127.0.0.1:0", "--startup", "clear", "--lab", "--lab-dir", lab_folder) as server:
        for name, index in EKS.items():
            path = at(f"serve-{name}.der")
            tpm2("nvread", hex(index), "-o", path, tcti=server.tcti())
            yield "EK certificate of a served TPM: " + name, path
        with open(os.path.join(lab_folder, "measurement")) as f:
            trust = ["--measurement", f.read().strip(), "--lab-root", os.path.join(lab_folder, "ark.pem")]
        attest = ["attest", "--tpm", "mssim:%s:%d" % server.address("mssim"), "--ak", at("ak"), "--certs",
                  os.path.join(lab_folder, "certs.pem")]
        cvtpm(*attest, "-o", at("bundle"))
        cvtpm("verify", "--bundle", at("bundle"), "--challenge", at("challenge"), "--challenge-secret", at("secret"), *trust)
        cvtpm(*attest, "--answer", at("challenge"), "-o", at("answer"))
        yield "bundle", at("bundle")
        yield "bundle that answers a challenge", at("answer")


def samples(program, folder):
    """Certificates with each form of evidence."""
    out = os.path.join(folder, "certificates")
    os.makedirs(out)
    subprocess.run([program, out], check=True)
    for form in ("record", "claims", "table", "all"):
        yield "EK certificate, form " + form, os.path.join(out, f"boot-ek-rsa2048-{form}.der")


def wrapper_of(path):
    """The CBOR in a certificate, or a bundle as it is."""
    with open(path, "rb") as f:
        content = f.read()
    if not path.endswith(".der"):
        return content
    cert = x509.load_der_x509_certificate(content)
    value, rest = decoder.decode(cert.extensions.get_extension_for_oid(CMW).value.value)
    assert not rest
    return bytes(value)


def expected(cbor):
    """What both readers print."""
    wrapper = cbor2.loads(cbor)
    line = lambda label, record: f"{label} {record[0]} {record[2]} {record[1].hex()}"
    if isinstance(wrapper, list):
        return ["record", line("-", wrapper)]
    kind = wrapper.pop("__cmwc_t")
    return ["collection " + kind] + [line(label, wrapper[label]) for label in sorted(wrapper)]


def ask(command, want, name, count):
    done = subprocess.run(command, capture_output=True, text=True)
    good = done.returncode == 0 and done.stdout.splitlines() == want
    count.add(good, f"{name}: exit {done.returncode}, {done.stderr.strip() or 'reads something else'}")
    return "reads it" if good else "does not"


def compare(programs, folder, count):
    for name, path in [*serve(folder), *samples(programs["make_certificates"], folder)]:
        cbor = wrapper_of(path)
        with open(path + ".cmw", "wb") as f:
            f.write(cbor)
        want, said = expected(cbor), {}
        for reader, program, command in (("cmw in Go", "peer", ["cmw" if path.endswith(".der") else "bundle", path]), ("cmw in Rust", "cmw-read", [path + ".cmw"])):
            if program in programs:
                said[reader] = ask([programs[program], *command], want, f"{name}: {reader}", count)
            else:
                said[reader] = "not run"
                count.skipped += 1
        print(f"{name}: {want[0]}, {', '.join(f'{r} {s}' for r, s in said.items())}", flush=True)
