"""Does go-tpm-tools accept what our SVSM handlers attest, and refuse what it must?

The evidence is that of the attestation call, made as Linux makes it; the same TPM then stands behind our raw
socket, where an AK is certified under its EK and quotes. go-tpm-tools knows EKs of RSA 2048 alone, so of P-256 the
report part is asked for alone.
"""
import contextlib
import os
import subprocess

POLICY, DEBUG = 0x30000, 1 << 19
LIMIT = 120


class Answer:
    """What one guest got: svsm_evidence's files."""

    def __init__(self, program, lab, folder, ek="rsa2048", vmpl=0, policy=POLICY, serve=False):
        os.makedirs(folder)
        self.lab, self.folder, self.address, self.process = lab, folder, None, None
        command = [program, lab, folder, ek, str(vmpl), hex(policy)]
        if not serve:
            subprocess.run(command, check=True, timeout=LIMIT)
            return
        self.process = subprocess.Popen([*command, "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline()  # "ready: tcp 127.0.0.1:PORT; started"
        if not ready.startswith("ready: tcp "):
            self.close()
            raise OSError(f"svsm_evidence says {ready!r} and serves nothing")
        self.address = ready.split("tcp ")[1].split(";")[0].strip()

    def close(self):
        if self.process:
            self.process.terminate()
            self.process.wait(LIMIT)
            self.process.stdout.close()

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()


def chain(lab):
    """ASK and ARK of a lab, which is what the package calls a product's roots."""
    end = "-----END CERTIFICATE-----\n"
    with open(os.path.join(lab, "certs.pem")) as f:
        certificates = [c + end for c in f.read().split(end) if c.strip()]
    path = os.path.join(lab, "ask_ark.pem")
    with open(path, "w") as f:
        f.write("".join(certificates[1:]))
    return path


def ask(program, answer, roots=True, nonce=None, manifest=None):
    command = [program, "-nonce", nonce or answer.read("nonce").decode(), "-ek", answer.path("ek.tpmt"),
               "-manifest", manifest or answer.path("manifest.bin")]
    if roots:
        with open(os.path.join(answer.lab, "measurement")) as f:
            command += ["-roots", chain(answer.lab), "-measurement", f.read().strip()]
    if answer.address:
        command += ["-tpm", answer.address]
    done = subprocess.run([*command, answer.path("report.ext")], capture_output=True, text=True, timeout=LIMIT)
    return done.returncode, done.stdout, done.stderr


AGREE = "report, manifest and EK agree\n"


def cases(program, lab, folder, peer):
    """Name, words that an answer must have (or lines that say yes), and the answer."""
    make = lambda name, **how: Answer(program, lab, os.path.join(folder, name), **how)
    with contextlib.closing(make("rsa2048", serve=True)) as rsa:
        whole = AGREE + "AK certified under the EK\nquote verifies\n"
        yield "report, AK and quote of a TPM with RSA 2048", 0, whole, ask(peer, rsa)
        yield "another nonce", 1, "REPORT_DATA", ask(peer, rsa, nonce="00" * 64)
        ek = rsa.read("manifest.bin")
        sized = rsa.write("manifest.tpm2b", len(ek).to_bytes(2, "big") + ek)
        yield "a manifest with a size", 1, "manifest is not", ask(peer, rsa, manifest=sized)
        yield "AMD's roots", 1, "unknown authority", ask(peer, rsa, roots=False)
    yield "report of a TPM with P-256", 0, AGREE, ask(peer, make("p256", ek="p256"))
    yield "VMPL 1", 1, "VMPL", ask(peer, make("vmpl1", vmpl=1))
    yield "DEBUG", 1, "debug", ask(peer, make("debug", policy=POLICY | DEBUG))


def compare(programs, folder, count):
    if "svsm" not in programs:
        count.skipped += 7
        return
    os.makedirs(folder)
    try:
        judge(programs, folder, count)
    except (OSError, subprocess.SubprocessError) as e:
        count.add(False, f"SVSM: {e}")


def judge(programs, folder, count):
    for name, want, words, (status, out, err) in cases(programs["svsm_evidence"], os.path.join(folder, "lab"), folder,
                                                       programs["svsm"]):
        good = status == want and (out == words if want == 0 else words in err)
        count.add(good, f"SVSM: {name}: go-tpm-tools: exit {status}, {out!r}, {err.strip()[-300:]}")
        print(f"SVSM: {name}: go-tpm-tools {'yes' if status == 0 else 'no' if status == 1 else 'fault'}", flush=True)
