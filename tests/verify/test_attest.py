"""A machine proves itself: `cvtpm attest` and `cvtpm verify` in two round trips, on a real `cvtpm serve --lab`."""
import hashlib
import json
import pathlib
import random
import struct
import subprocess
import sys

import cbor2
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cvtpm_test import Server, run  # noqa: E402

YES, NO, FAULT, UNKNOWN = 0, 1, 2, 3
SHA256 = 0x0B


# ---- event logs ----

SECURE_BOOT = (bytes.fromhex("61dfe48bca93d211aa0d00e098032b8c") + struct.pack("<QQ", 10, 1) +
               "SecureBoot".encode("utf-16-le") + b"\1")
EVENTS = [(pcr, 0x80000008, b"firmware volume %d" % pcr) for pcr in range(8)] + \
         [(4, 0x80000003, b"loader"), (7, 0x80000001, SECURE_BOOT)] + \
         [(pcr, 0x00000004, bytes(4)) for pcr in range(8)]  # EV_SEPARATOR


def tcg_event(pcr, kind, data, digest=None):
    digest = digest or hashlib.sha256(data).digest()
    return struct.pack("<IIIH", pcr, kind, 1, SHA256) + digest + struct.pack("<I", len(data)) + data


def tcg_log(events):
    spec = b"Spec ID Event03\0" + struct.pack("<IBBBBIHHB", 0, 0, 2, 0, 2, 1, SHA256, 32, 0)
    head = struct.pack("<II", 0, 3) + bytes(20) + struct.pack("<I", len(spec)) + spec
    return head + b"".join(events)


def ima_template(path, content):
    digest = b"sha256:\0" + hashlib.sha256(content).digest()
    name = path.encode() + b"\0"
    return struct.pack("<I", len(digest)) + digest + struct.pack("<I", len(name)) + name


def ima_line(path, content):
    return "10 %s ima-ng sha256:%s %s\n" % (hashlib.sha1(ima_template(path, content)).hexdigest(),
                                           hashlib.sha256(content).hexdigest(), path)


FILES = [("boot_aggregate", b"aggregate"), ("/usr/bin/true", b"true"), ("/usr/bin/false", b"false")]


# ---- machines ----

class Machine:
    """A running TPM whose PCRs are those of its logs."""

    def __init__(self, folder, lab):
        self.folder = folder
        folder.mkdir()
        self.lab = lab
        self.server = Server("--lab", "--lab-dir", lab, "--unix", folder / "tpm", "--tcp", "127.0.0.1:0",
                             "--mssim", "127.0.0.1:0", "--startup", "clear")
        self.address = "unix:%s" % (folder / "tpm")
        self.event_log, self.ima_log = folder / "event.log", folder / "ima.log"
        self.event_log.write_bytes(tcg_log([tcg_event(*e) for e in EVENTS]))
        self.ima_log.write_text("".join(ima_line(*f) for f in FILES))
        with self.server.raw() as tpm:
            for pcr, _, data in EVENTS:
                tpm.pcr_extend(pcr, hashlib.sha256(data).digest())
            for file in FILES:
                tpm.pcr_extend(10, hashlib.sha256(ima_template(*file)).digest())

    def attest(self, *arguments, logs=True):
        named = ["--event-log", self.event_log, "--ima-log", self.ima_log] if logs else []
        return run("attest", "--tpm", self.address, *named, *arguments)

    def gather(self, name, *arguments, **others):
        out = self.folder / name
        result = self.attest("-o", out, *arguments, **others)
        assert result.returncode == YES, result.stderr
        return out

    @property
    def ak(self):
        return self.folder / "ak"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return tmp_path_factory.mktemp("attest") / "lab"


@pytest.fixture(scope="module")
def machine(lab):
    m = Machine(lab.parent / "a", lab)
    yield m
    assert m.server.stop() == 0


@pytest.fixture(scope="module")
def other(lab, machine):
    m = Machine(lab.parent / "b", lab)
    yield m
    assert m.server.stop() == 0


def load(path):
    return cbor2.loads(pathlib.Path(path).read_bytes())


def save(path, value):
    path = pathlib.Path(path)
    path.write_bytes(cbor2.dumps(value, canonical=True))
    path.chmod(0o600)
    return path


def measurement(bundle):
    return load(bundle)["index-report"][1][0x90:0xC0].hex()


def verify_raw(machine, *arguments):
    return run("verify", "--json", "--lab-root", machine.lab / "ark.pem", "--certs", machine.lab / "certs.pem",
               *arguments)


def verify(machine, *arguments):
    result = verify_raw(machine, *arguments)
    assert result.returncode in (YES, NO, UNKNOWN), result.stderr
    return result.returncode, json.loads(result.stdout)


def of(outcome, verdict):
    return {c["id"] for c in outcome["checks"] if c["verdict"] == verdict}


def found(outcome, name, verdict="refused"):
    texts = [c["found"] for c in outcome["checks"] if c["id"] == name and c["verdict"] == verdict]
    assert texts, "no %s check %s" % (verdict, name)
    return " | ".join(texts)


@pytest.fixture(scope="module")
def measured(machine):
    return ["--measurement-process", measurement(machine.gather("probe", "--ek", "rsa2048"))]


class Answered:
    """Two round trips: the second bundle, and what the verifier kept, to be used many times."""

    def __init__(self, machine, measured, name, *options):
        b1 = machine.gather(name + ".b1", "--ak", machine.ak, *options)
        self.first, self.challenge = b1, machine.folder / (name + ".c")
        kept = machine.folder / (name + ".s")
        code, self.outcome = verify(machine, "--bundle", b1, *measured, "--challenge", self.challenge,
                                    "--challenge-secret", kept)
        assert code == UNKNOWN and of(self.outcome, "could not tell") == {"ak-credential", "quote", "event-log"}
        assert kept.stat().st_mode & 0o777 == 0o600
        self.kept = kept.read_bytes()
        kept.unlink()
        self.bundle = machine.gather(name + ".b2", "--ak", machine.ak, "--answer", self.challenge, *options)


@pytest.fixture(scope="module")
def answered(machine, measured):
    return Answered(machine, measured, "main")


@pytest.fixture(scope="module")
def others(other, measured):
    return Answered(other, measured, "other")


def secret_file(tmp_path, content):
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@pytest.fixture
def judge(machine, measured, answered, tmp_path):
    """Judges a bundle, given as a value, with what the verifier kept."""
    def judge(value, kept=None, *arguments):
        bundle = save(tmp_path / "bundle", value)
        return verify(machine, "--bundle", bundle, *measured, "--challenge-secret",
                      secret_file(tmp_path, kept or answered.kept), *arguments)
    return judge


# ---- it holds ----

@pytest.mark.parametrize("ek", ["rsa2048", "p256", "p384"])
def test_two_round_trips_end_in_a_yes(machine, measured, tmp_path, ek):
    ak = tmp_path / "ak"
    b1 = machine.gather(ek + ".b1", "--ek", ek, "--ak", ak)
    code, _ = verify(machine, "--bundle", b1, *measured, "--challenge", tmp_path / "c", "--challenge-secret",
                     tmp_path / "s")
    assert code == UNKNOWN
    b2 = machine.gather(ek + ".b2", "--ek", ek, "--ak", ak, "--answer", tmp_path / "c")
    code, out = verify(machine, "--bundle", b2, *measured, "--challenge-secret", tmp_path / "s")
    assert (code, out["verdict"]) == (YES, "yes"), out
    assert {"ak-credential", "quote-signature", "quote-nonce", "quote-pcrs", "event-log-pcrs", "event-log-data",
            "ek-pub", "ek-cert"} <= of(out, "ok")
    assert not (tmp_path / "s").exists()


def test_a_live_tpm_is_challenged_at_once(machine, measured):
    code, out = verify(machine, "--tpm", machine.address, *measured)
    assert code == YES and {"ak-credential", "quote-nonce", "quote-pcrs"} <= of(out, "ok")
    for transport in "tcp", "mssim":
        address = "%s:%s:%d" % (transport, *machine.server.address(transport))
        code, out = verify(machine, "--tpm", address, "--ek", "p256", *measured)
        assert code == YES and {"ak-credential", "quote-nonce", "quote-pcrs"} <= of(out, "ok")


def test_a_bundle_that_answers_nothing_is_never_a_yes(machine, measured, answered):
    for bundle in answered.first, answered.bundle:
        code, out = verify(machine, "--bundle", bundle, *measured)
        assert code == UNKNOWN and of(out, "could not tell") >= {"ak-credential", "quote"}
        assert not of(out, "refused")


def test_identity_alone_must_be_asked_for(machine, measured, answered):
    code, out = verify(machine, "--bundle", answered.first, *measured, "--identity-only")
    assert code == YES and not any(c["about"] in ("AK", "quote") for c in out["checks"])
    code, out = verify(machine, "--tpm", machine.address, *measured, "--identity-only")
    assert code == YES and not any(c["about"] in ("AK", "quote") for c in out["checks"])


def test_without_a_measurement_the_answer_is_unknown(machine, answered, tmp_path):
    code, out = verify(machine, "--bundle", answered.bundle, "--challenge-secret",
                       secret_file(tmp_path, answered.kept))
    assert code == UNKNOWN and "measurement" in of(out, "could not tell")


def test_another_decoder_reads_the_bundle(answered):
    raw = answered.bundle.read_bytes()
    bundle = cbor2.loads(raw)
    assert cbor2.dumps(bundle, canonical=True) == raw  # deterministic
    assert bundle.pop("__cmwc_t").startswith("urn:uuid:")
    for label, record in bundle.items():
        media, value, ind = record
        assert media.startswith("application/") and isinstance(value, bytes) and ind in (2, 4, 6), label
    pcrs = cbor2.loads(bundle["pcrs"][1])
    assert set(pcrs) == {SHA256} and set(pcrs[SHA256]) == set(range(16))


def test_certificates_travel_in_the_bundle(machine, measured, answered):
    b = machine.gather("certs", "--ak", machine.ak, "--certs", machine.lab / "certs.pem")
    result = run("verify", "--bundle", b, "--lab-root", machine.lab / "ark.pem", "--identity-only", *measured)
    assert result.returncode == YES, result.stdout


def test_a_report_with_its_certificate_table(machine, measured, answered, tmp_path):
    table = subprocess.run(["openssl", "storeutl", "-noout", "-certs", machine.lab / "certs.pem"], capture_output=True)
    assert table.returncode == 0
    pems = (machine.lab / "certs.pem").read_text().split("-----END CERTIFICATE-----")
    ders = [subprocess.run(["openssl", "x509", "-outform", "DER"], input=(p + "-----END CERTIFICATE-----\n").encode(),
                           capture_output=True, check=True).stdout for p in pems if "BEGIN" in p]
    guids = ["63da758de6644564adc5f4b93be8accd", "4ab7b379bbac4fe4a02f05aef327c782", "c0b406a4a803495297433fb6014cd0ae"]
    at, entries, body = 24 * (len(ders) + 1), b"", b""
    for guid, der in zip(guids, ders):
        entries += bytes.fromhex(guid) + struct.pack("<II", at + len(body), len(der))
        body += der
    extended = tmp_path / "report.ext"
    report = load(answered.bundle)["index-report"][1]
    extended.write_bytes(report + entries + bytes(24) + body + bytes(100))
    args = ["--lab-root", machine.lab / "ark.pem", "--report-only", *measured]
    result = run("verify", "--report", extended, *args)
    assert result.returncode == YES, result.stdout
    extended.write_bytes(report + entries[:-4] + b"\xff\xff\xff\x7f" + bytes(24) + body)
    result = run("verify", "--report", extended, *args)
    assert result.returncode == NO and "points outside itself" in result.stdout


# ---- what is refused, by name ----

def flip(value, label, at=-1, bit=1):
    media, data, ind = value[label]
    data = bytearray(data)
    data[at] ^= bit
    value[label] = [media, bytes(data), ind]


def alter(value, label, data):
    value[label] = [value[label][0], data, value[label][2]]


def pcr_value(value):
    pcrs = cbor2.loads(value["pcrs"][1])
    pcrs[SHA256][4] = bytes(32)
    alter(value, "pcrs", cbor2.dumps(pcrs, canonical=True))


def log_with(change):
    def tamper(value):
        events = [list(e) for e in EVENTS]
        digests = [None] * len(events)
        change(events, digests)
        alter(value, "event-log", tcg_log([tcg_event(*e, d) for e, d in zip(events, digests)]))
    return tamper


def change_data(events, digests):
    digests[9] = hashlib.sha256(events[9][2]).digest()
    events[9][2] = b"another variable"


def change_digest(events, digests):
    events[8][2] = b"another loader"


def add_entry(events, digests):
    events.insert(9, [4, 0x80000003, b"extra"])
    digests.append(None)


def ima_entry(value):
    alter(value, "ima-log", "".join(ima_line(*f) for f in [FILES[0], ("/usr/bin/true", b"evil"), FILES[2]]).encode())


ONE = [
    # name, change, exactly these are refused, a text that names it
    ("secret", lambda v: flip(v, "secret"), {"ak-credential"}, "another secret"),
    ("signature", lambda v: flip(v, "signature"), {"quote-signature"}, "signature"),
    ("nonce", lambda v: flip(v, "quote", v["quote"][1].index(cbor2.loads(v["kept"])["nonce"][1])),
     {"quote-signature", "quote-nonce"}, "nonce"),
    ("firmware version", lambda v: flip(v, "quote", v["quote"][1].index(b"\x00\x00\x00\x01\x00\x0b\x03") - 1),
     {"quote-signature"}, "signature"),
    ("PCR value", pcr_value, {"quote-pcrs"}, "digest"),
    ("log data", log_with(change_data), {"event-log-data"}, "entry 11 "),
    ("log digest", log_with(change_digest), {"event-log-entry", "event-log-pcrs"}, "PCR"),
    ("log entry added", log_with(add_entry), {"event-log-entry", "event-log-pcrs"}, "entry 11 "),
    ("log truncated", lambda v: alter(v, "event-log", v["event-log"][1][:-3]), {"event-log"}, "entry 19 "),
    ("IMA entry", ima_entry, {"event-log-entry", "event-log-pcrs"}, ""),
    ("platform certificate", lambda v: flip(v, "platform-certificate"), {"platform-certificate-issuer"}, "sign"),
]


@pytest.mark.parametrize("name,change,ids,text", ONE, ids=[c[0] for c in ONE])
def test_one_thing_changed_is_refused_by_name(answered, judge, name, change, ids, text):
    value = load(answered.bundle)
    value["kept"] = answered.kept
    change(value)
    del value["kept"]
    code, out = judge(value)
    assert code == NO and of(out, "refused") == ids, (of(out, "refused"), out["summary"])
    if text:
        assert any(text in c["found"] + c["expected"] for c in out["checks"] if c["verdict"] == "refused")


@pytest.mark.parametrize("bit", [1, 4, 5, 16, 17, 18])
def test_the_attributes_of_an_ak_are_rules(answered, judge, bit):
    value = load(answered.bundle)
    public = bytearray(value["ak"][1])
    public[9 - bit // 8] ^= 1 << bit % 8  # size, type, nameAlg, then objectAttributes
    alter(value, "ak", bytes(public))
    code, out = judge(value)
    assert code == NO and {"ak-attributes", "ak-name"} <= of(out, "refused")


@pytest.mark.parametrize("label", ["secret", "quote", "signature", "pcrs", "ak", "ek-public"])
def test_what_is_missing_is_never_a_yes(answered, judge, label):
    value = load(answered.bundle)
    del value[label]
    code, out = judge(value)
    if label == "ek-public":  # the certificate has the key, too
        assert code == YES
    else:
        assert code == UNKNOWN and not of(out, "refused")


MIXED = [
    ("AK", ["ak"], {"ak-name", "quote-signature"}),
    ("AK with its quote", ["ak", "quote", "signature", "pcrs"], {"ak-name", "quote-nonce"}),
    ("AK, quote and secret", ["ak", "quote", "signature", "pcrs", "secret"],
     {"ak-name", "quote-nonce", "ak-credential"}),
    ("identity", ["ek-certificate", "ek-public", "index-report", "issuer", "platform-certificate"], {"ek-name"}),
    ("EK public area", ["ek-public"], {"ek-name", "ek-certificate-key", "binding"}),
    ("EK certificate", ["ek-certificate"], {"ek-certificate-key"}),
    ("index report", ["index-report"], {"binding"}),
    ("platform certificate", ["platform-certificate"], {"platform-certificate-holder"}),
]


@pytest.mark.parametrize("name,labels,ids", MIXED, ids=[m[0] for m in MIXED])
def test_bundles_of_two_machines_do_not_mix(answered, others, judge, name, labels, ids):
    value, foreign = load(answered.bundle), load(others.bundle)
    for label in labels:
        value[label] = foreign[label]
    code, out = judge(value)
    assert code == NO and ids <= of(out, "refused"), out["summary"]


def test_a_replayed_answer_is_refused(machine, measured, answered, judge):
    fresh = Answered(machine, measured, "again")
    code, out = judge(load(answered.bundle), fresh.kept)
    assert code == NO and of(out, "refused") == {"ak-credential", "quote-nonce"}


def test_the_answer_of_another_machine_is_refused(answered, others, judge):
    code, out = judge(load(others.bundle))
    assert code == NO and {"ek-name", "ak-name", "ak-credential", "quote-nonce"} <= of(out, "refused")


def test_an_old_challenge_is_refused(answered, judge):
    for age, text in ((3700, "ago"), (-3700, "not come")):
        kept = cbor2.loads(answered.kept)
        made = struct.unpack(">q", kept["made-at"][1])[0]
        kept["made-at"][1] = struct.pack(">q", made - age)
        code, out = judge(load(answered.bundle), cbor2.dumps(kept, canonical=True))
        assert code == NO and of(out, "refused") == {"challenge-age"}
        assert text in found(out, "challenge-age")


def test_a_secret_is_used_once(machine, measured, answered, tmp_path):
    kept = secret_file(tmp_path, answered.kept)
    arguments = ["--bundle", answered.bundle, *measured, "--challenge-secret", kept]
    assert verify(machine, *arguments)[0] == YES
    again = verify_raw(machine, *arguments)
    assert again.returncode == FAULT and "used once" in again.stderr and not again.stdout


def test_a_refused_answer_uses_the_secret_up(machine, measured, answered, tmp_path):
    kept = secret_file(tmp_path, answered.kept)
    bad = tmp_path / "bad"
    bad.write_bytes(b"no bundle")
    code, out = verify(machine, "--bundle", bad, *measured, "--challenge-secret", kept)
    assert code == NO and of(out, "refused") == {"bundle"} and not kept.exists()


def test_a_secret_that_others_may_read_is_not_used(machine, measured, answered, tmp_path):
    kept = secret_file(tmp_path, answered.kept)
    kept.chmod(0o640)
    result = verify_raw(machine, "--bundle", answered.bundle, *measured, "--challenge-secret", kept)
    assert result.returncode == FAULT and "known to others" in result.stderr
    damaged = secret_file(tmp_path, answered.kept[:-1])
    result = verify_raw(machine, "--bundle", answered.bundle, *measured, "--challenge-secret", damaged)
    assert result.returncode == FAULT and "truncated" in result.stderr


def test_a_refused_machine_gets_no_challenge(machine, answered, tmp_path):
    result = verify_raw(machine, "--bundle", answered.first, "--measurement", "00" * 48, "--challenge", tmp_path / "c",
                        "--challenge-secret", tmp_path / "s")
    assert result.returncode == NO and "no challenge" in result.stderr
    assert not (tmp_path / "c").exists() and not (tmp_path / "s").exists()


def test_a_challenge_for_another_key_is_not_answered(machine, other, answered, others, tmp_path):
    result = machine.attest("-o", tmp_path / "b", "--ak", machine.ak, "--answer", others.challenge)
    assert result.returncode == NO and "another EK" in result.stderr
    second = tmp_path / "second.ak"
    machine.gather("second", "--ak", second)
    result = machine.attest("-o", tmp_path / "b", "--ak", second, "--answer", answered.challenge)
    assert result.returncode == NO and "another AK" in result.stderr
    result = machine.attest("-o", tmp_path / "b", "--ak", other.ak)
    assert result.returncode == NO and "another EK" in result.stderr
    assert not (tmp_path / "b").exists()


def test_a_tampered_challenge_is_not_opened(machine, answered, tmp_path):
    for label in "credential", "encrypted-secret":
        value = load(answered.challenge)
        data = bytearray(value[label][1])
        data[-1] ^= 1
        value[label][1] = bytes(data)
        result = machine.attest("-o", tmp_path / "b", "--ak", machine.ak, "--answer", save(tmp_path / "c", value))
        assert result.returncode == FAULT and "cannot open the challenge" in result.stderr


def test_pcrs_without_a_log_are_a_warning_and_a_missing_log_is_not_checked(machine, measured, answered, judge):
    value = load(answered.bundle)
    del value["ima-log"]
    code, out = judge(value)
    assert code == YES and "10" in found(out, "event-log-beyond", "warning")
    del value["event-log"]
    code, out = judge(value)
    assert code == YES and "event-log" in of(out, "not checked")


# ---- what a policy wants ----

def replayed(pcr):
    value = bytes(32)
    for number, _, data in EVENTS:
        if number == pcr:
            value = hashlib.sha256(value + hashlib.sha256(data).digest()).digest()
    return value.hex()


def hexed(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


FULL = {"quote": "required", "event_log": {"tcg": "required", "ima": "required", "secure_boot": "required",
                                           "deny": [hexed(b"never seen")]},
        "pcrs": {"sha256": {"0": ["00" * 32, replayed(0)], "7": [replayed(7)]}}}


@pytest.fixture
def judge_by(machine, measured, answered, tmp_path):
    def judge_by(rules, change=None):
        value = load(answered.bundle)
        if change:
            change(value)
        policy = tmp_path / "policy.json"
        policy.write_text(json.dumps({"measurements": [{"name": "it", "digest": measured[1], "isolation": "process"}],
                                      **rules}))
        return verify(machine, "--bundle", save(tmp_path / "bundle", value), "--policy", policy, "--challenge-secret",
                      secret_file(tmp_path, answered.kept))
    return judge_by


def test_a_policy_on_quote_pcrs_and_logs_is_kept(judge_by):
    code, out = judge_by(FULL)
    assert code == YES, out["summary"]
    assert {"quote-required", "pcr", "event-log-required", "event-log-denied", "secure-boot"} <= of(out, "ok")


@pytest.mark.parametrize("rules,ids,text", [
    ({"pcrs": {"sha256": {"4": ["11" * 32]}}}, {"pcr"}, replayed(4)),
    ({"event_log": {"tcg": "required", "deny": [hexed(b"loader")]}}, {"event-log-denied"}, "entry 10 "),
    ({"event_log": {"ima": "required", "deny": [hexed(b"true")]}}, {"event-log-denied"}, "entry 2 "),
], ids=["PCR value", "denied event", "denied file"])
def test_one_rule_broken_is_refused_by_name(judge_by, rules, ids, text):
    code, out = judge_by(rules)
    assert code == NO and of(out, "refused") == ids
    assert text in found(out, *ids)


@pytest.mark.parametrize("rules,label,ids", [
    ({"event_log": {"tcg": "required"}}, "event-log", {"event-log-required"}),
    ({"event_log": {"ima": "required"}}, "ima-log", {"event-log-required"}),
    ({"event_log": {"tcg": "required", "secure_boot": "required"}}, "event-log", {"event-log-required", "secure-boot"}),
    ({"quote": "required"}, "quote", {"quote", "quote-required", "event-log"}),
    ({"pcrs": {"sha256": {"0": [replayed(0)]}}}, "pcrs", {"quote-pcrs", "quote-required", "pcr", "event-log"}),
    ({"pcrs": {"sha256": {"23": ["00" * 32]}}}, None, {"pcr"}),
    ({"pcrs": {"sha384": {"0": ["00" * 48]}}}, None, {"pcr"}),
])
def test_what_a_policy_wants_and_nothing_proves_is_unknown(judge_by, rules, label, ids):
    code, out = judge_by(rules, (lambda v: v.pop(label)) if label else None)
    assert code == UNKNOWN and of(out, "could not tell") == ids and not of(out, "refused")


# ---- hostile bundles ----

def test_a_truncated_bundle_is_refused(machine, measured, answered, tmp_path):
    raw = answered.bundle.read_bytes()
    bad = tmp_path / "bad"
    for size in [0, 1, 2, 10, *range(20, len(raw), len(raw) // 25), len(raw) - 1]:
        bad.write_bytes(raw[:size])
        code, out = verify(machine, "--bundle", bad, *measured, "--challenge-secret",
                           secret_file(tmp_path, answered.kept))
        assert code == NO and of(out, "refused") == {"bundle"}, size
    bad.write_bytes(raw + b"\0")
    assert verify(machine, "--bundle", bad, *measured)[0] == NO


def test_a_bundle_with_a_flipped_bit_is_never_a_yes(answered, machine, measured, tmp_path):
    """All but what decides nothing: the issuer's own certificate, and remarks in a log."""
    value = load(answered.bundle)
    for label in "event-log", "ima-log":
        del value[label]
    raw, rng = cbor2.dumps(value, canonical=True), random.Random(1)
    issuer = raw.index(value["issuer"][1])
    after = issuer + len(value["issuer"][1])
    bad = tmp_path / "bad"
    for at in [*range(60), *(rng.randrange(len(raw)) for _ in range(120))]:
        if issuer <= at < after:
            continue
        flipped = bytearray(raw)
        flipped[at] ^= 1 << rng.randrange(8)
        bad.write_bytes(flipped)
        code, _ = verify(machine, "--bundle", bad, *measured, "--challenge-secret",
                         secret_file(tmp_path, answered.kept))
        assert code in (NO, UNKNOWN), at


STRANGE = [
    ("unknown label", lambda v: v.update({"extra": ["text/plain", b"x", 4]}), "unknown label"),
    ("another type", lambda v: v.update({"secret": v["quote"]}), "unknown type"),
    ("another collection", lambda v: v.update({"__cmwc_t": "urn:uuid:" + "0" * 36}), "another type"),
    ("no type", lambda v: v.pop("__cmwc_t"), "without a type"),
    ("another indicator", lambda v: v["quote"].__setitem__(2, 2), "indicator"),
    ("a collection inside", lambda v: v.update({"quote": {"a": 1}}), "not a record"),
    ("empty", lambda v: v["quote"].__setitem__(1, b""), "empty"),
    ("too large", lambda v: v["ak"].__setitem__(1, bytes(2000)), "larger"),
]


@pytest.mark.parametrize("name,change,text", STRANGE, ids=[s[0] for s in STRANGE])
def test_a_bundle_of_another_shape_is_refused(answered, judge, name, change, text):
    value = load(answered.bundle)
    change(value)
    code, out = judge(value)
    assert code == NO and of(out, "refused") == {"bundle"} and text in found(out, "bundle")


# ---- usage ----

def test_addresses_that_lead_nowhere_say_what_to_do(tmp_path):
    for address, text in (("unix:%s/none" % tmp_path, "No such file"), ("tcp:127.0.0.1", "HOST:PORT"),
                          ("tcp:127.0.0.1:1", "refused"), ("somewhere", "unix:PATH"),
                          ("device:%s/none" % tmp_path, "No such file")):
        result = run("attest", "-o", tmp_path / "b", "--tpm", address)
        assert result.returncode == FAULT and text in result.stderr, result.stderr
        assert result.stderr.count("\n") == 1


def test_options_that_do_not_fit_are_usage_errors(machine, answered, tmp_path):
    for arguments in (["--bundle", answered.bundle, "--tpm", machine.address],
                      ["--bundle", answered.bundle, "--challenge", tmp_path / "c"],
                      ["--bundle", answered.bundle, "--ek-cert", answered.bundle],
                      ["--bundle", answered.bundle, "--report-only"],
                      ["--tpm", machine.address, "--challenge", tmp_path / "c"]):
        assert run("verify", *arguments).returncode == FAULT
    result = machine.attest("-o", tmp_path / "b", "--answer", answered.challenge)
    assert result.returncode == FAULT and "--ak" in result.stderr


def test_a_bank_that_is_off_cannot_be_shown(machine, tmp_path):
    result = machine.attest("-o", tmp_path / "b", "--pcrs", "sha512:0")
    assert result.returncode == FAULT and "sha512" in result.stderr


def test_a_tpm_that_was_not_started_is_told(lab, machine, tmp_path):
    with Server("--lab", "--lab-dir", lab, "--unix", tmp_path / "tpm") as server:
        result = run("attest", "-o", tmp_path / "b", "--tpm", "unix:%s" % (tmp_path / "tpm"))
        assert result.returncode == FAULT and "TPM2_Startup" in result.stderr
        assert server.stop() == 0
