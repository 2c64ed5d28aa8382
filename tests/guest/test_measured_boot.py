"""OVMF and Linux measure a boot into our TPM; `cvtpm verify`, outside, takes quote, PCRs and logs apart."""
import glob
import hashlib
import json
import shutil

import cbor2
import pytest

import cvtpm_test as ct
import doors

YES, NO, UNKNOWN = 0, 1, 3
FIRMWARE = "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"
POLICY = """dont_measure fsmagic=0x9fa0
dont_measure fsmagic=0x62656572
dont_measure fsmagic=0x73636673
measure func=FILE_CHECK mask=MAY_READ uid=0
"""  # proc, sysfs, securityfs
IMA = "/sys/kernel/security/ima"


@pytest.fixture(scope="module")
def with_tools(images, tmp_path_factory):
    """An initramfs that has the program under test, and tpm2-tools."""
    device = glob.glob("/usr/lib/*/libtss2-tcti-device.so.0")
    if not shutil.which("tpm2") or not device:
        pytest.skip("tpm2-tools are not installed (make deps)")
    return images.initramfs(tmp_path_factory.mktemp("initramfs") / "initrd.gz", programs=[ct.CVTPM, "tpm2"],
                            libraries=device)


@pytest.fixture
def firmware(short_path):
    code, variables = FIRMWARE
    if not glob.glob(code):
        pytest.skip("OVMF is not installed (make deps-guest)")
    shutil.copy(variables, short_path / "variables.fd")
    return code, short_path / "variables.fd"


class Verifier:
    """Outside: judges what comes from the guest."""

    def __init__(self, folder, guest):
        self.folder, self.guest = folder, guest
        self.secret = folder / "secret"

    def attest(self, name, *arguments):
        """A bundle of the guest's, as a file here."""
        self.guest.run(f"cvtpm attest --ak /tmp/ak -o /tmp/{name} {' '.join(arguments)}")
        path = self.folder / name
        path.write_bytes(self.guest.read(f"/tmp/{name}"))
        return path

    def verify(self, bundle, *arguments):
        lab = self.folder / "lab"
        measurement = cbor2.loads(bundle.read_bytes())["index-report"][1][0x90:0xC0].hex()
        done = ct.run("verify", "--json", "--lab-root", lab / "ark.pem", "--certs", lab / "certs.pem",
                      "--measurement", measurement, "--bundle", bundle, "--challenge-secret", self.secret,
                      *arguments)
        assert done.returncode in (YES, NO, UNKNOWN), done.stderr
        return done.returncode, json.loads(done.stdout)

    def challenge(self):
        """Writes a challenge into the guest; gives its nonce."""
        challenge = self.folder / "challenge"
        code, outcome = self.verify(self.attest("b1"), "--challenge", challenge)
        assert code == UNKNOWN, outcome["summary"]  # nothing is known of the AK yet
        self.guest.write("/tmp/challenge", challenge.read_bytes())
        return cbor2.loads(challenge.read_bytes())["nonce"][1]


def verdicts(outcome, name):
    return [c["verdict"] for c in outcome["checks"] if c["id"] == name]


def refused(outcome):
    return {c["id"] for c in outcome["checks"] if c["verdict"] == "refused"}


def tpm2(guest, tool, arguments):
    return guest.run(f"tpm2 {tool} -T device:/dev/tpmrm0 {arguments}")


def quote_by_tools(guest, verifier, bundle, nonce):
    """The same bundle with a quote that tpm2_quote made with the same AK. IMA has measured the tools meanwhile, so
    values and list are of now."""
    ak = cbor2.loads(guest.read("/tmp/ak"))
    guest.write("/tmp/ak.pub", ak["public"][1])
    guest.write("/tmp/ak.priv", ak["private"][1])
    tpm2(guest, "startauthsession", "--policy-session -S /tmp/session")
    tpm2(guest, "policysecret", "-S /tmp/session -c e")
    tpm2(guest, "load", "-C 0x8101000a -P session:/tmp/session -u /tmp/ak.pub -r /tmp/ak.priv -c /tmp/ak.ctx")
    tpm2(guest, "flushcontext", "/tmp/session")
    tpm2(guest, "quote", f"-c /tmp/ak.ctx -l sha256:0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15 -q {nonce.hex()} "
         "-m /tmp/quote -s /tmp/signature -o /tmp/pcrs -F values")
    value = cbor2.loads(bundle.read_bytes())
    old = value["quote"][1]
    value["quote"][1], value["signature"][1] = guest.read("/tmp/quote"), guest.read("/tmp/signature")
    assert value["quote"][1] != old
    pcrs = guest.read("/tmp/pcrs")
    value["pcrs"][1] = cbor2.dumps({0x0B: {n: pcrs[32 * n:32 * n + 32] for n in range(16)}}, canonical=True)
    value["ima-log"][1] = guest.read(f"{IMA}/ascii_runtime_measurements")
    path = verifier.folder / "by-tools"
    path.write_bytes(cbor2.dumps(value, canonical=True))
    return path


def check_boot_aggregate(guest):
    """IMA's first entry is the hash of the firmware's PCRs."""
    pcrs = b"".join(bytes.fromhex(guest.run(f"cat /sys/class/tpm/tpm0/pcr-sha256/{n}")) for n in range(10))
    first = guest.run(f"head -n 1 {IMA}/ascii_runtime_measurements").split()
    assert first[4] == "boot_aggregate" and first[3] == "sha256:" + hashlib.sha256(pcrs).hexdigest()


@pytest.mark.slow
def test_a_measured_boot_is_verified_outside(machines, with_tools, firmware, short_path):
    ctrl = short_path / "ctrl"
    with doors.serve_control(ctrl, "--evidence", "--lab", "--lab-dir", short_path / "lab"):
        with machines.boot(*doors.emulator(ctrl), initramfs=with_tools, firmware=firmware, memory=512) as guest:
            check_boot_aggregate(guest)
            for pcr in range(8):
                assert guest.run(f"cat /sys/class/tpm/tpm0/pcr-sha256/{pcr}").strip() != "0" * 64
            guest.write("/tmp/policy", POLICY.encode())
            guest.run(f"cat /tmp/policy >{IMA}/policy; echo measured >/tmp/measured; cat /tmp/measured")
            assert "/tmp/measured" in guest.run(f"cat {IMA}/ascii_runtime_measurements")

            verifier = Verifier(short_path, guest)
            nonce = verifier.challenge()
            bundle = verifier.attest("b2", "--answer", "/tmp/challenge")
            secret = verifier.secret.read_bytes()

            def judge(bundle):
                verifier.secret.write_bytes(secret)  # each answer uses it up
                verifier.secret.chmod(0o600)
                return verifier.verify(bundle)

            code, outcome = judge(bundle)
            assert code == YES, outcome["summary"]
            for name in ("quote-signature", "quote-nonce", "quote-pcrs", "event-log-pcrs"):
                assert verdicts(outcome, name) and set(verdicts(outcome, name)) <= {"ok"}, name

            code, outcome = judge(quote_by_tools(guest, verifier, bundle, nonce))
            assert code == YES, outcome["summary"]

            # A log that leaves something out, and one that says something else, are found.
            value = cbor2.loads(bundle.read_bytes())
            for label, ids in (("ima-log", {"event-log-pcrs"}), ("event-log", {"event-log-pcrs", "event-log-data"})):
                altered = dict(value)
                log = value[label][1]
                altered[label] = [value[label][0], log.replace(b"/tmp/measured", b"/tmp/mea5ured") if label == "ima-log"
                                  else log.replace("SecureBoot".encode("utf-16-le"), "SecureBo0t".encode("utf-16-le")),
                                  *value[label][2:]]
                assert altered[label] != value[label], label
                path = short_path / "altered"
                path.write_bytes(cbor2.dumps(altered, canonical=True))
                code, outcome = judge(path)
                assert code == NO and refused(outcome) & ids, (label, refused(outcome))

            # The quote does not speak for what is measured afterwards.
            guest.run("guest send /dev/tpm0 " + ct.pcr_extend(4, b"\x44" * 32).hex())
            later = verifier.attest("b3", "--answer", "/tmp/challenge")
            code, outcome = judge(later)
            assert code == NO and "event-log-pcrs" in refused(outcome)
