"""Policies from files: their form, each rule alone, and those made by `policy init`."""
import hashlib
import json
import os
import subprocess

import pytest

import lab
from lab import Ek, Lab, pem
from test_verify import CHAIN, GENUINE, YES, NO, FAULT, UNKNOWN, check, data, genuine_args, ids, of, read, verify, write

CVTPM = os.environ["CVTPM"]
GOOD = {"digest": lab.MEASUREMENT.hex(), "isolation": "svsm"}
HEX16, HEX32, HEX48, HEX64 = ("11" * n for n in (16, 32, 48, 64))


def policy(*args):
    run = subprocess.run([CVTPM, "policy", *map(str, args)], capture_output=True, timeout=120)
    out, err = run.stdout.decode("ascii"), run.stderr.decode("ascii")
    assert all(c == "\n" or " " <= c <= "~" for c in out + err)
    return run.returncode, out, err


def put(tmp_path, content):
    if not isinstance(content, (bytes, str)):
        content = json.dumps(content)
    return write(tmp_path, "policy.json", content.encode() if isinstance(content, str) else content)


# ---- each rule alone ----

def lab_args(tmp_path, chip, rules):
    """The chip's report under a policy that has its measurement and one rule more."""
    path = put(tmp_path, {"measurements": [GOOD], **rules})
    return ["--report", write(tmp_path, "report.bin", chip.report), "--certs", write(tmp_path, "certs.pem", chip.certs),
            "--lab-root", write(tmp_path, "ark.pem", pem(chip.ark)), "--policy", path, "--report-only"]


def tcb(**more):
    parts = dict(boot_loader=0, tee=0, snp=0, microcode=0)
    return {**parts, **more}


MILAN = bytes([4, 0, 0, 0, 0, 0, 24, 0xDB])
# id of the check, the report, a rule that it keeps, one that it breaks (None: there is none)
RULES = [
    ("measurement", {}, {}, {"measurements": [{"digest": HEX48, "isolation": "svsm"}]}),
    ("vmpl", dict(vmpl=2), {"vmpl": 2}, {"vmpl": 0}),
    ("vmpl", {}, {"vmpl": 0}, {"vmpl": 1}),
    ("debug", dict(policy=0xB0000), {"allow_debug": True}, {"allow_debug": False}),
    ("debug", dict(policy=0xB0000), {"allow_debug": True}, {}),
    ("migration", dict(policy=0x70000), {"allow_migration": True}, {"allow_migration": False}),
    ("migration", dict(ma=bytes(32)), {"allow_migration": True}, {}),
    ("guest-policy", {}, {"guest_policy": {"require": ["smt"]}}, {"guest_policy": {"forbid": ["smt"]}}),
    *(("guest-policy", dict(policy=0x30000 | 1 << bit), {"guest_policy": {"require": [name]}},
       {"guest_policy": {"forbid": [name]}})
      for bit, name in ((20, "single-socket"), (21, "cxl"), (22, "aes-256-xts"), (23, "rapl-disabled"),
                        (24, "ciphertext-hiding"), (25, "page-swap-disabled"))),
    ("guest-policy", {}, {"guest_policy": {"forbid": ["single-socket"]}}, {"guest_policy": {"require": ["single-socket"]}}),
    ("minimum-abi", dict(policy=0x30137), {"guest_policy": {"minimum_abi": "1.55"}}, {"guest_policy": {"minimum_abi": "1.56"}}),
    ("minimum-abi", dict(policy=0x30137), {"guest_policy": {"minimum_abi": "0.255"}}, {"guest_policy": {"minimum_abi": "2.0"}}),
    *(("platform-bits", dict(platform=1 << bit), {"platform_info": {"require": [name]}}, {"platform_info": {"forbid": [name]}})
      for bit, name in ((0, "smt"), (1, "tsme"), (2, "ecc"), (3, "rapl-disabled"), (4, "ciphertext-hiding"),
                        (5, "alias-check"), (7, "tio"), (6, "bit-6"), (40, "bit-40"))),
    ("platform-info", dict(platform=0x40), {"platform_info": {"unknown_bits": "warn"}}, {"platform_info": {"unknown_bits": "refuse"}}),
    ("allowed-product", {}, {"products": ["Turin", "Milan"]}, {"products": ["Genoa"]}),
    ("allowed-product", dict(version=2), {"products": ["Milan"]}, {"products": ["Turin"]}),
    *(("minimum-tcb-" + kind, {}, {"minimum_tcb": {"Milan": {kind: tcb(**{part: value})}}},
       {"minimum_tcb": {"Milan": {kind: tcb(**{part: value + 1})}}})
      for kind in ("current", "reported", "committed", "launch")
      for part, value in (("boot_loader", 4), ("tee", 0), ("snp", 24), ("microcode", 0xDB))),
    *(("minimum-tcb-" + kind, dict(product="Turin"), {"minimum_tcb": {"Turin": {kind: tcb(fmc=1)}}},
       {"minimum_tcb": {"Turin": {kind: tcb(fmc=2)}}}) for kind in ("current", "reported", "committed", "launch")),
    ("minimum-tcb", {}, {"minimum_tcb": {"Milan": {"current": tcb()}}}, {"minimum_tcb": {"Genoa": {"current": tcb()}}}),
    ("tcb-committed", dict(committed=bytes([3]) + MILAN[1:]), {"committed_below_current": "warn"}, {"committed_below_current": "refuse"}),
    ("minimum-firmware-current", {}, {"minimum_firmware": {"current": "1.55.29"}}, {"minimum_firmware": {"current": "1.55.30"}}),
    ("minimum-firmware-current", {}, {"minimum_firmware": {"current": "1.54.255"}}, {"minimum_firmware": {"current": "1.56.0"}}),
    ("minimum-firmware-current", {}, {"minimum_firmware": {"current": "0.255.255"}}, {"minimum_firmware": {"current": "2.0.0"}}),
    ("minimum-firmware-committed", {}, {"minimum_firmware": {"committed": "1.55.29"}}, {"minimum_firmware": {"committed": "1.55.30"}}),
    ("mitigations-launch", dict(version=5, poke={0x1F8: 5}), {"mitigation_vectors": {"launch": "0x4"}}, {"mitigation_vectors": {"launch": "0x6"}}),
    ("mitigations-current", dict(version=5, poke={0x200: 5}), {"mitigation_vectors": {"current": "0x5"}}, {"mitigation_vectors": {"current": "0x7"}}),
    ("mitigations-current", dict(version=3), {}, {"mitigation_vectors": {"current": "0x1"}}),
    ("signing-key", {}, {"signing_keys": ["VLEK", "VCEK"]}, {"signing_keys": ["VLEK"]}),
    ("signing-key", dict(vlek=True), {"signing_keys": ["VLEK"]}, {"signing_keys": ["VCEK"]}),
    ("allowed-chip", {}, None, {"chip_ids": [HEX64]}),
    ("allowed-chip", dict(vlek=True), {}, {"chip_ids": [HEX64]}),
    ("guest-svn", dict(poke={4: 7}), {"minimum_guest_svn": 7}, {"minimum_guest_svn": 8}),
    ("host-data", dict(poke={0xC0: 9}), {"host_data": ["09" + "00" * 31, HEX32]}, {"host_data": ["00" * 32]}),
    ("family-id", dict(poke={0x10: 9}), {"family_ids": ["09" + "00" * 15]}, {"family_ids": [HEX16]}),
    ("image-id", dict(poke={0x20: 9}), {"image_ids": ["09" + "00" * 15]}, {"image_ids": [HEX16]}),
    ("id-key", dict(poke={0xE0: 9}), {"id_key_digests": ["09" + "00" * 47]}, {"id_key_digests": [HEX48]}),
    ("id-key", {}, {}, {"id_key_digests": [HEX48]}),
    ("author-key", dict(signer=1, poke={0x110: 9}), {"author_key_digests": ["09" + "00" * 47]}, {"author_key_digests": [HEX48]}),
    ("author-key", dict(poke={0x110: 9}), {}, {"author_key_digests": ["09" + "00" * 47]}),
    ("pinned-boot", {}, None, {"report_ids": [HEX32]}),
]


@pytest.mark.parametrize("name,shape,keeps,breaks", RULES, ids=["%s-%d" % (r[0], i) for i, r in enumerate(RULES)])
def test_a_rule_refuses_alone_and_by_name(tmp_path, name, shape, keeps, breaks):
    chip = Lab(**shape)
    if keeps is None:
        where = {"allowed-chip": ("chip_ids", 0x1A0, 64), "pinned-boot": ("report_ids", 0x140, 32)}[name]
        keeps = {where[0]: [HEX64[:2 * where[2]], chip.report[where[1]:where[1] + where[2]].hex()]}
    code, out, _ = verify(*lab_args(tmp_path, chip, keeps))
    assert code == YES, out["summary"]
    code, out, _ = verify(*lab_args(tmp_path, chip, breaks))
    assert code == NO and of(out, "refused") == {name} and not of(out, "could not tell") - {"isolation"}
    assert check(out, name)["title"] in out["summary"]
    schema = read(os.path.join(os.path.dirname(__file__), "..", "..", "docs", "policy.md")).decode()
    assert "`%s`" % name in schema


def test_a_turin_chip_may_be_written_with_its_8_bytes(tmp_path):
    chip = Lab(product="Turin")
    short = chip.report[0x1A0:0x1A8].hex()
    for value in (short, short.upper(), short + "00" * 56):
        assert verify(*lab_args(tmp_path, chip, {"chip_ids": [value]}))[0] == YES
    assert verify(*lab_args(tmp_path, chip, {"chip_ids": [short + "01" + "00" * 55]}))[0] == NO


def test_a_masked_chip_is_not_on_a_list(tmp_path):
    code, out, _ = verify(*lab_args(tmp_path, Lab(chip=bytes(64)), {"chip_ids": [HEX64]}))
    assert code == NO and of(out, "refused") == {"allowed-chip"}


def test_a_required_revocation_list_that_is_missing_means_could_not_tell(tmp_path):
    chip = Lab()
    args = lab_args(tmp_path, chip, {"require_crl": True})
    code, out, _ = verify(*args)
    assert code == UNKNOWN and of(out, "could not tell") == {"revocation"}
    code, out, _ = verify(*args, "--crl", write(tmp_path, "crl", chip.crl()))
    assert code == YES and check(out, "revocation")["verdict"] == "ok"
    assert verify(*lab_args(tmp_path, chip, {"require_crl": False}))[0] == YES


def test_isolation_is_the_policys_word(tmp_path):
    chip = Lab()
    for isolation in ("svsm", "process"):
        rules = {"measurements": [{"name": "it", "digest": lab.MEASUREMENT.hex().upper(), "isolation": isolation}]}
        code, out, _ = verify(*lab_args(tmp_path, chip, rules))
        assert code == YES and isolation in check(out, "isolation")["found"]
        assert check(out, "measurement")["found"].endswith(" it")


def test_host_data_is_said_to_be_the_hosts(tmp_path):
    chip = Lab()
    _, out, _ = verify(*lab_args(tmp_path, chip, {"host_data": ["00" * 32]}))
    assert "chosen by the host" in check(out, "host-data")["reason"]
    code, text, _ = policy("check", put(tmp_path, {"host_data": ["00" * 32]}))
    assert code == YES and "HOST_DATA, which the host chooses" in text


def test_an_empty_policy_never_says_yes(tmp_path):
    chip = Lab()
    args = lab_args(tmp_path, chip, {})
    put(tmp_path, {})
    code, out, _ = verify(*args)
    assert code == UNKNOWN and "measurement" in of(out, "could not tell")
    for shape in (dict(vmpl=1), dict(policy=0xB0000), dict(policy=0x70000)):
        args = lab_args(tmp_path, Lab(**shape), {})
        put(tmp_path, {})
        assert verify(*args)[0] == NO


# ---- the EK ----

def ek_args(tmp_path, rules, kind="p256", index=False, **how):
    ek = Ek(kind)
    chip = Lab(report_data=ek.digest())
    der = ek.certificate(lab.record(chip.report), **how)
    path = put(tmp_path, {"measurements": [GOOD], **rules})
    args = ["--ek-cert", write(tmp_path, "ek.der", der), "--certs", write(tmp_path, "certs.pem", chip.certs),
            "--lab-root", write(tmp_path, "ark.pem", pem(chip.ark)), "--policy", path]
    if index:
        report = chip.make_report(hashlib.sha512(der).digest())
        args += ["--ek-cert-report", write(tmp_path, "index.bin", report)]
    return args


@pytest.mark.parametrize("kind", ["rsa2048", "p256", "p384"])
def test_the_algorithm_of_the_ek_can_be_ruled(tmp_path, kind):
    code, out, _ = verify(*ek_args(tmp_path, {"ek": {"algorithms": ["rsa3072", kind]}}, kind))
    assert code == YES, out["summary"]
    code, out, _ = verify(*ek_args(tmp_path, {"ek": {"algorithms": ["rsa3072"]}}, kind))
    assert code == NO and of(out, "refused") == {"ek-algorithm"}


def test_a_report_over_the_ek_certificate_can_be_required(tmp_path):
    rules = {"ek": {"certificate_report": "required"}}
    code, out, _ = verify(*ek_args(tmp_path, rules))
    assert code == UNKNOWN and of(out, "could not tell") == {"ek-cert"}
    assert verify(*ek_args(tmp_path, rules, index=True))[0] == YES
    assert verify(*ek_args(tmp_path, {"ek": {"certificate_report": "optional"}}))[0] == YES


def make_issuer(cn="local CA", days=(-1, 30), ca=True, key=None):
    import datetime
    now = datetime.datetime.now(datetime.timezone.utc)
    key = key or lab.ec.generate_private_key(lab.ec.SECP384R1())
    name = lab.seq(lab.tlv(0x31, lab.seq(lab.oid("2.5.4.10"), lab.utf8("cvtpm"))),
                   lab.tlv(0x31, lab.seq(lab.oid("2.5.4.3"), lab.utf8(cn))))
    der = lab.certificate(name, name, key, 5, [now + datetime.timedelta(days=d) for d in days],
                          lab.ca_extensions(dict(ca=ca), 0), key)
    return key, der


def test_the_issuer_of_the_ek_certificate_can_be_ruled(tmp_path):
    key, der = make_issuer()
    write(tmp_path, "ca.pem", pem(der))
    by_file = {"ek": {"issuers": [{"file": "ca.pem"}]}}
    by_print = {"ek": {"issuers": [{"fingerprint": hashlib.sha256(der).hexdigest()}]}}
    how = dict(issuer_key=key, issuer="local CA")
    code, out, _ = verify(*ek_args(tmp_path, by_file, **how))
    assert code == YES and check(out, "ek-issuer")["verdict"] == "ok"
    code, out, _ = verify(*ek_args(tmp_path, by_print, **how))
    assert code == UNKNOWN and of(out, "could not tell") == {"ek-issuer"}
    assert verify(*ek_args(tmp_path, by_print, **how), "--certs", tmp_path / "ca.pem")[0] == YES
    # by nobody that is named
    code, out, _ = verify(*ek_args(tmp_path, by_file))
    assert code == NO and of(out, "refused") == {"ek-issuer"}
    # by another with the same name
    code, out, _ = verify(*ek_args(tmp_path, by_file, issuer="local CA"))
    assert code == NO and of(out, "refused") == {"ek-issuer"}
    # by one that is given, and not allowed
    other_key, other = make_issuer("other CA")
    args = ek_args(tmp_path, by_print, issuer_key=other_key, issuer="other CA")
    code, out, _ = verify(*args, "--certs", write(tmp_path, "other.pem", pem(other)))
    assert code == NO and of(out, "refused") == {"ek-issuer"}


@pytest.mark.parametrize("fault", [dict(days=(-9, -2)), dict(days=(2, 9)), dict(ca=False)])
def test_an_issuer_that_is_out_of_date_or_no_ca_does_not_count(tmp_path, fault):
    key, der = make_issuer(**fault)
    write(tmp_path, "ca.pem", pem(der))
    code, out, _ = verify(*ek_args(tmp_path, {"ek": {"issuers": [{"file": "ca.pem"}]}}, issuer_key=key, issuer="local CA"))
    assert code == NO and of(out, "refused") == {"ek-issuer"}


def test_an_ek_without_a_certificate_has_no_allowed_issuer(tmp_path):
    ek = Ek("p256")
    chip = Lab(report_data=ek.digest())
    args = lab_args(tmp_path, chip, {"ek": {"issuers": [{"fingerprint": HEX32}]}})[:-1]
    code, out, _ = verify(*args, "--ek-public", write(tmp_path, "ek.pub", ek.tpm2b))
    assert code == UNKNOWN and of(out, "could not tell") == {"ek-issuer"}


# ---- quotes ----

@pytest.mark.parametrize("rules", [
    {"quote": "required"}, {"pcrs": {"sha256": {"0": ["00" * 32]}}}, {"event_log": {"tcg": "required"}},
    {"event_log": {"ima": "required"}}])
def test_rules_for_the_machine_are_not_met_by_an_ek_alone(tmp_path, rules):
    code, out, _ = verify(*ek_args(tmp_path, rules))
    assert code == UNKNOWN and not of(out, "refused")


# ---- with options ----

def test_options_add_to_a_policy(tmp_path):
    chip = Lab()
    args = lab_args(tmp_path, chip, {"measurements": [{"digest": HEX48, "isolation": "svsm"}]})
    assert verify(*args)[0] == NO
    assert verify(*args, "--measurement", lab.MEASUREMENT.hex())[0] == YES
    assert verify(*args, "--measurement", lab.MEASUREMENT.hex(), "--vmpl", "0")[0] == YES


@pytest.mark.parametrize("rules,option,word", [
    ({}, ["--allow-debug"], "allow_debug"), ({"allow_debug": False}, ["--allow-debug"], "allow_debug"),
    ({"guest_policy": {"forbid": ["debug"]}}, ["--allow-debug"], "allow_debug"),
    ({}, ["--vmpl", "1"], "--vmpl"), ({"vmpl": 1}, ["--vmpl", "0"], "--vmpl"),
    ({}, ["--measurement-process", lab.MEASUREMENT.hex()], "isolation"),
    ({"ek": {"algorithms": ["p256"]}}, [], "--report-only"), ({"quote": "required"}, [], "--report-only"),
    ({"ek": {"certificate_report": "required"}}, [], "--report-only"),
    ({"ek": {"issuers": [{"fingerprint": HEX32}]}}, [], "--report-only"),
    ({"quote": "required"}, ["--identity-only"], "--report-only")])
def test_options_cannot_weaken_a_policy(tmp_path, rules, option, word):
    code, out, err = verify(*lab_args(tmp_path, Lab(), rules), *option, text=True)
    assert code == FAULT and out == "" and word in err


def test_a_policy_may_name_a_lab_root_and_lab_is_still_said(tmp_path):
    chip = Lab()
    write(tmp_path, "ark.pem", pem(chip.ark))
    args = lab_args(tmp_path, chip, {"lab_roots": ["ark.pem"]})
    at = args.index("--lab-root")
    code, out, _ = verify(*args[:at], *args[at + 2:])
    assert code == YES and out["lab"] is True
    code, text, _ = policy("check", tmp_path / "policy.json")
    assert code == YES and "LAB" in text


# ---- form ----

def m(**more):
    return json.dumps({"measurements": [{**GOOD, **more}]})


# text, line, what the message has to name
MALFORMED = [
    ("", 1, ""), ("[]", 1, "must be an object"), ("null", 1, ""), ("{", 1, ""), ('{"vmpl": 0,}', 1, ""), ("{} {}", 1, ""),
    ('{\n"vmpl": 0,\n"vmpl": 0}', 3, "vmpl"), ('{"measurements": [{"name": "a",\n"name": "b"}]}', 2, "name"),
    ("{'vmpl': 0}", 1, ""), ('{"vmpl": 0} x', 1, ""), ('// no\n{}', 1, ""), (b"{\"vmpl\": \0 0}", 1, ""),
    (b"\xff\xfe{}", 1, ""), (b'{"_comment": "\xc3\x28"}', 1, ""),
    ('{\n\n"vmlp": 0}', 3, "vmlp: there is no such member"), ('{"Vmpl": 0}', 1, "Vmpl: there is no such member"),
    ('{"\\u0076mpl": 0,\n"vmpl ": 1}', 2, "vmpl : there is no such member"),
    ('{"version": 2}', 1, "version: must be 1"), ('{"version": "1"}', 1, "version: must be 1"),
    ('{"_comment": 1}', 1, "_comment: a comment is a string"), ('{"_comment": ["a",\n{}]}', 1, "_comment"),
    ('{"vmpl": 4}', 1, "vmpl: must be a whole number from 0 to 3"), ('{"vmpl": -1}', 1, "vmpl"), ('{"vmpl": "0"}', 1, "vmpl"),
    ('{"vmpl": 0.0}', 1, "vmpl"), ('{"vmpl": true}', 1, "vmpl"), ('{"vmpl": null}', 1, "vmpl"),
    ('{"vmpl": 99999999999999999999}', 1, ""),
    ('{"allow_debug": 1}', 1, "allow_debug: must be true or false"), ('{"allow_migration": "no"}', 1, "allow_migration"),
    ('{"require_crl": "true"}', 1, "require_crl"), ('{"measurements": {}}', 1, "measurements: must be a list"),
    ('{"measurements": []}', 1, "measurements: an empty list"), ('{"measurements": [1]}', 1, "measurements[0]"),
    ('{"measurements": [\n{"isolation": "svsm"}]}', 2, 'measurements[0]: "digest" is missing'),
    ('{"measurements": [\n{"digest": "%s"}]}' % HEX48, 2, 'measurements[0]: "isolation" is missing'),
    ('{"measurements": [\n{"digest": "%s", "isolation": "none"}]}' % HEX48, 2, "measurements[0].isolation"),
    (m(digest="11"), 1, "measurements[0].digest: must have 96 hexadecimal digits, and has 2"),
    (m(digest="zz" * 48), 1, "measurements[0].digest"), (m(digest=11), 1, "measurements[0].digest"),
    (m(digest=HEX48 + "11"), 1, "measurements[0].digest"), (m(name=""), 1, "measurements[0].name"),
    (m(name="a" * 121), 1, "measurements[0].name"), (m(name="\x1b[2J"), 1, "measurements[0].name"),
    (m(vmpl=0), 1, "measurements[0].vmpl: there is no such member"),
    ('{"measurements": [{"digest": "%s", "isolation": "svsm"},\n{"digest": "%s", "isolation": "process"}]}' % (HEX48, HEX48), 2,
     "measurements[1]: the same digest as item 0"),
    ('{"guest_policy": []}', 1, "guest_policy"), ('{"guest_policy": {"require": ["smt",\n"SMT"]}}', 2, "guest_policy.require[1]"),
    ('{"guest_policy": {"require": "smt"}}', 1, "guest_policy.require: must be a list"),
    ('{"guest_policy": {"require": []}}', 1, "guest_policy.require"), ('{"guest_policy": {"require": ["smt", "smt"]}}', 1, "twice"),
    ('{"guest_policy": {"require": ["debug"]}}', 1, "guest_policy.require"), ('{"guest_policy": {"require": ["bit-20"]}}', 1, "guest_policy"),
    ('{"guest_policy": {"require": ["cxl"], "forbid": ["cxl"]}}', 1, "cxl is both required and forbidden"),
    ('{"guest_policy": {"minimum_abi": "1"}}', 1, "guest_policy.minimum_abi"), ('{"guest_policy": {"minimum_abi": 1.55}}', 1, "minimum_abi"),
    ('{"guest_policy": {"minimum_abi": "1.256"}}', 1, "minimum_abi"), ('{"guest_policy": {"minimum_abi": "1.2.3"}}', 1, "minimum_abi"),
    ('{"platform_info": {"require": ["bit-64"]}}', 1, "platform_info.require[0]"),
    ('{"platform_info": {"require": ["bit-06"]}}', 1, "platform_info.require[0]"),
    ('{"platform_info": {"require": ["bit-0", "smt"]}}', 1, "twice"),
    ('{"platform_info": {"require": ["ecc"], "forbid": ["bit-2"]}}', 1, "ecc is both"),
    ('{"platform_info": {"unknown_bits": "ignore"}}', 1, "platform_info.unknown_bits"), ('{"platform_info": {"unknown_bits": true}}', 1, "unknown_bits"),
    ('{"products": ["Rome"]}', 1, "products[0]"), ('{"products": []}', 1, "products"), ('{"products": ["milan"]}', 1, "products[0]"),
    ('{"minimum_tcb": {"current": {}}}', 1, "minimum_tcb.current: there is no such member"),
    ('{"minimum_tcb": {"Milan": {\n"current": {"boot_loader": 1}}}}', 2, 'minimum_tcb.Milan.current: "tee" is missing'),
    (json.dumps({"minimum_tcb": {"Milan": {"current": tcb(snp=256)}}}), 1, "minimum_tcb.Milan.current.snp"),
    (json.dumps({"minimum_tcb": {"Milan": {"current": tcb(fmc=1)}}}), 1, "minimum_tcb.Milan.current.fmc: there is no such member"),
    (json.dumps({"minimum_tcb": {"Turin": {"current": tcb()}}}), 1, '"fmc" is missing'),
    (json.dumps({"minimum_tcb": {"Milan": {"curent": tcb()}}}), 1, "minimum_tcb.Milan.curent"),
    (json.dumps({"products": ["Genoa"], "minimum_tcb": {"Milan": {"current": tcb()}}}), 1, "minimum_tcb has Milan"),
    ('{"committed_below_current": "accept"}', 1, "committed_below_current"),
    ('{"minimum_firmware": "1.55.0"}', 1, "minimum_firmware"), ('{"minimum_firmware": {"current": "1.55"}}', 1, "minimum_firmware.current"),
    ('{"minimum_firmware": {"current": "1.55.-1"}}', 1, "minimum_firmware.current"), ('{"minimum_firmware": {"build": 3}}', 1, "minimum_firmware.build"),
    ('{"mitigation_vectors": {"launch": 3}}', 1, "mitigation_vectors.launch"), ('{"mitigation_vectors": {"launch": "3"}}', 1, "mitigation_vectors.launch"),
    ('{"mitigation_vectors": {"launch": "0x0"}}', 1, "mitigation_vectors.launch"),
    ('{"mitigation_vectors": {"launch": "0x11111111111111111"}}', 1, "mitigation_vectors.launch"),
    ('{"mitigation_vectors": {"launch": "0xg"}}', 1, "mitigation_vectors.launch"),
    ('{"signing_keys": "VCEK"}', 1, "signing_keys"), ('{"signing_keys": ["ARK"]}', 1, "signing_keys[0]"),
    ('{"chip_ids": ["%s",\n"11"]}' % HEX64, 2, "chip_ids[1]"), ('{"chip_ids": ["%s"]}' % ("00" * 64), 1, "chip_ids[0]: is zero"),
    ('{"chip_ids": ["%s"]}' % HEX32, 1, "chip_ids[0]"), ('{"chip_ids": [12]}', 1, "chip_ids[0]"),
    ('{"minimum_guest_svn": 4294967296}', 1, "minimum_guest_svn"), ('{"minimum_guest_svn": -1}', 1, "minimum_guest_svn"),
    ('{"host_data": "%s"}' % HEX32, 1, "host_data: must be a list"), ('{"host_data": ["%s"]}' % HEX16, 1, "host_data[0]: must have 64"),
    ('{"host_data": []}', 1, "host_data"), ('{"family_ids": ["%s"]}' % HEX32, 1, "family_ids[0]"), ('{"image_ids": [null]}', 1, "image_ids[0]"),
    ('{"id_key_digests": ["%s"]}' % ("00" * 48), 1, "id_key_digests[0]: is zero"), ('{"id_key_digests": ["%s"]}' % HEX32, 1, "id_key_digests[0]"),
    ('{"author_key_digests": ["%s"]}' % ("00" * 48), 1, "author_key_digests[0]"), ('{"report_ids": ["x"]}', 1, "report_ids[0]"),
    ('{"ek": true}', 1, "ek"), ('{"ek": {"certificate_report": true}}', 1, "ek.certificate_report"),
    ('{"ek": {"algorithms": ["RSA 2048"]}}', 1, "ek.algorithms[0]"), ('{"ek": {"issuers": [{}]}}', 1, "ek.issuers[0]"),
    ('{"ek": {"issuers": [{"fingerprint": "%s"}]}}' % HEX48, 1, "ek.issuers[0].fingerprint"),
    ('{"ek": {"issuers": [{"file": "/no/such/file"}]}}', 1, "ek.issuers[0].file: cannot open /no/such/file"),
    ('{"ek": {"issuers": [{"file": "policy.json"}]}}', 1, "ek.issuers[0].file: policy.json is not one certificate"),
    ('{"lab_roots": ["policy.json"]}', 1, "lab_roots[0]"), ('{"lab_roots": "ark.pem"}', 1, "lab_roots"),
    ('{"quote": true}', 1, "quote"), ('{"quote": "optional", "pcrs": {"sha256": {"0": ["%s"]}}}' % HEX32, 1, "quote"),
    ('{"pcrs": []}', 1, "pcrs"), ('{"pcrs": {"sha3": {}}}', 1, "pcrs.sha3"), ('{"pcrs": {"sha256": []}}', 1, "pcrs.sha256"),
    ('{"pcrs": {"sha256": {\n"24": ["%s"]}}}' % HEX32, 2, "pcrs.sha256.24"), ('{"pcrs": {"sha256": {"00": ["%s"]}}}' % HEX32, 1, "pcrs.sha256.00"),
    ('{"pcrs": {"sha256": {"-1": ["%s"]}}}' % HEX32, 1, "pcrs.sha256.-1"), ('{"pcrs": {"sha256": {"0": "%s"}}}' % HEX32, 1, "pcrs.sha256.0"),
    ('{"pcrs": {"sha384": {"0": ["%s"]}}}' % HEX32, 1, "pcrs.sha384.0[0]: must have 96"), ('{"pcrs": {"sha256": {"0": []}}}', 1, "pcrs.sha256.0"),
    ('{"event_log": {"tcg": true}}', 1, "event_log.tcg"), ('{"event_log": {"deny": ["%s"]}}' % HEX32, 1, "event_log.deny[0]"),
    ('{"event_log": {"deny": ["md5:00"]}}', 1, "event_log.deny[0]"), ('{"event_log": {"tcg": "required", "deny": ["sha256:00"]}}', 1, "event_log.deny[0]"),
    ('{"event_log": {"deny": ["sha256:%s"]}}' % HEX32, 1, "event_log.deny"), ('{"event_log": {"secure_boot": "required"}}', 1, "event_log.secure_boot"),
    ('{"allow_debug": true, "guest_policy": {"forbid": ["debug"]}}', 1, "allow_debug"),
    ('{"allow_migration": true, "guest_policy": {"forbid": ["migration"]}}', 1, "allow_migration"),
]


@pytest.mark.parametrize("text,line,names", MALFORMED, ids=range(len(MALFORMED)))
def test_an_error_names_file_line_and_member(tmp_path, text, line, names):
    path = put(tmp_path, text)
    code, out, err = policy("check", path)
    assert code == FAULT and out == "" and err.count("\n") == 1
    assert "policy.json, line %d:" % line in err and names in err
    code, out, err = verify("--report", data(GENUINE[6][1]), "--policy", path, text=True)
    assert code == FAULT and out == "" and names in err


def test_a_line_is_found_behind_anything(tmp_path):
    before = {"_comment": "\"}],{[\\", "_comment2": ["\\\"", "{"], "products": ["Milan"], "ek": {"algorithms": ["p256"], "_comment": "]"},
              "minimum_guest_svn": 12, "require_crl": False, "host_data": [HEX32]}
    for indent in (None, 0, 3):
        text = json.dumps(before, indent=indent)[:-1] + ',\n\n"vmpl":\n7}'
        code, _, err = policy("check", put(tmp_path, text))
        assert code == FAULT and "line %d: vmpl:" % (text[:text.index('"vmpl"')].count("\n") + 1) in err


def test_hostile_policies_are_errors_of_printable_ascii(tmp_path):
    for text in ('{"\\u001b[31m\\u202e": 1}', '{"%s": 1}' % ("a" * 5000), "[" * 100000, '{"a":' * 3000, "{" + " " * (1 << 20) + "}",
                 '{"measurements": [{"digest": "\\u001b]0;x\\u0007", "isolation": "svsm"}]}', '"' * 7, '{"_comment": "\\ud800"}',
                 '{"lab_roots": ["../../../../../../etc/passwd"]}', '{"lab_roots": ["/dev/zero"]}', '{"lab_roots": ["a\\u0000b"]}'):
        code, out, err = policy("check", put(tmp_path, text))
        assert code == FAULT and out == "" and err.count("\n") == 1 and len(err) < 600


def test_a_policy_that_cannot_be_read_is_a_fault(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        for code, out, err in (policy("check", path), verify("--report", data(GENUINE[6][1]), "--policy", path, text=True)):
            assert code == FAULT and out == "" and str(path) in err


def test_comments_are_allowed_everywhere(tmp_path):
    rules = {"_comment": "a", "_comment_x": ["b", "c"], "measurements": [{**GOOD, "_comment": "d"}],
             "guest_policy": {"_comment": "e"}, "minimum_tcb": {"_comment": "f", "Milan": {"_comment": "g", "launch": {**tcb(), "_comment": "h"}}},
             "pcrs": {"_comment": "i", "sha256": {"_comment": "j", "0": [HEX32]}}}
    assert policy("check", put(tmp_path, rules))[0] == YES


def test_check_says_what_is_accepted(tmp_path):
    code, out, _ = policy("check", put(tmp_path, {}))
    assert code == YES and "No measurement is allowed" in out and "host may debug is refused" in out
    code, out, _ = policy("check", put(tmp_path, {"allow_debug": True, "measurements": [{**GOOD, "isolation": "process"}]}))
    assert code == YES and "host may debug is ACCEPTED" in out and "root there can do what the TPM can" in out


@pytest.mark.parametrize("args", [[], ["check"], ["init"], ["show", "x"], ["check", "a", "b"], ["init", "--report", "/no/such"],
                                  ["init", "--report", "x", "--ek-cert", "y"], ["init", "--report", "x", "--isolation", "none"],
                                  ["init", "--report", "x", "--product", "Rome"], ["check", "x", "--product", "Milan"]])
def test_a_wrong_call_is_a_fault(args):
    code, out, err = policy(*args)
    assert code == FAULT and out == "" and err.startswith("cvtpm policy: ")


# ---- policy init ----

def init_args(sample):
    _, report, certs, needs = sample
    at = ["--at", "1748736000"] if "--at" in needs else []
    return ["init", "--report", data(report), "--certs", *(data(c) for c in certs), *at]


@pytest.mark.parametrize("sample", GENUINE, ids=ids)
@pytest.mark.parametrize("isolation", ["svsm", "process"])
def test_a_genuine_report_verifies_with_the_policy_made_for_it(tmp_path, sample, isolation):
    path = tmp_path / "policy.json"
    code, out, err = policy(*init_args(sample), "--isolation", isolation, "-o", path)
    assert code == YES and out == "" and "verdict: yes" in err
    assert policy("check", path)[0] == YES
    args, _ = genuine_args(sample)
    code, out, _ = verify(*args, "--policy", path)
    assert (code, out["verdict"], out["lab"]) == (YES, "yes", False)
    for needed in ("minimum-tcb-current", "allowed-product", "signing-key", "minimum-firmware-current"):
        assert needed in of(out, "ok")
    assert isolation in check(out, "isolation")["found"]


@pytest.mark.parametrize("sample", GENUINE, ids=ids)
def test_a_genuine_report_is_refused_by_the_policies_of_the_others(tmp_path, sample):
    args, _ = genuine_args(sample)
    own = read(data(sample[1]))[0x90:0xC0]
    for other in GENUINE:
        if read(data(other[1]))[0x90:0xC0] == own:
            continue
        path = tmp_path / (other[0] + ".json")
        assert policy(*init_args(other), "-o", path)[0] == YES
        less = [a for a in args if a != "--allow-debug"]
        if "--vmpl" in less:
            del less[less.index("--vmpl"):less.index("--vmpl") + 2]
        code, out, _ = verify(*less, "--policy", path)
        assert code == NO and "measurement" in of(out, "refused")


def test_init_writes_comments_and_demands_what_the_report_has(tmp_path):
    chip = Lab(product="Genoa", policy=0x30137 | 1 << 20, platform=0x2C, poke={0xC0: 5, 0xE0: 9, 4: 3})
    code, out, err = policy("init", "--report", write(tmp_path, "r.bin", chip.report), "--name", "mine", "--isolation", "svsm")
    made = json.loads(out)
    assert code == YES and "could not tell" in err
    assert made["measurements"] == [{"name": "mine", **GOOD}]
    assert made["guest_policy"] == {"require": ["single-socket"], "forbid": ["migration", "debug", "cxl"], "minimum_abi": "1.55"}
    assert made["platform_info"] == {"require": ["rapl-disabled", "alias-check"], "forbid": ["smt"], "unknown_bits": "refuse"}
    assert made["products"] == ["Genoa"] and made["minimum_guest_svn"] == 3 and made["id_key_digests"] == ["09" + "00" * 47]
    assert chip.report[0x1A0:0x1E0].hex() in made["_comment_chip_ids"] and "chip_ids" not in made
    assert "chosen by the host" in made["_comment_host_data"] and "host_data" not in made


def test_init_takes_an_ek_certificate(tmp_path):
    ek = Ek("p384")
    chip = Lab(report_data=ek.digest())
    der = write(tmp_path, "ek.der", ek.certificate(lab.record(chip.report)))
    base = ["--ek-cert", der, "--certs", write(tmp_path, "certs.pem", chip.certs), "--lab-root", write(tmp_path, "ark.pem", pem(chip.ark))]
    path = tmp_path / "policy.json"
    code, _, err = policy("init", *base, "-o", path)
    assert code == YES and "LAB" in err
    assert json.loads(path.read_text())["ek"] == {"algorithms": ["p384"]}
    assert verify(*base, "--policy", path)[0] == YES
    assert policy("init", *base, "-o", path)[0] == FAULT  # never over a file that is there


def test_init_leaves_a_claimed_isolation_to_the_person(tmp_path):
    ek = Ek("p256")
    chip = Lab(report_data=ek.digest())
    der = write(tmp_path, "ek.der", ek.certificate(lab.collection(chip.report, claims={"isolation": "svsm"})))
    code, out, err = policy("init", "--ek-cert", der)
    assert code == FAULT and out == "" and "--isolation" in err
    assert policy("init", "--ek-cert", der, "--isolation", "svsm")[0] == YES


def test_init_makes_no_policy_from_evidence_that_is_refused(tmp_path):
    for fault in (dict(wrong_key=True), dict(poke={0x4C: 1}), dict(forged=True)):
        chip = Lab(**fault)
        code, out, err = policy("init", "--report", write(tmp_path, "r.bin", chip.report), "--certs", write(tmp_path, "c", chip.certs),
                                "--lab-root", write(tmp_path, "ark.pem", pem(chip.ark)))
        assert code == NO and out == "" and "no policy is made" in err
    code, out, err = policy("init", "--report", write(tmp_path, "r.bin", b"short"))
    assert code != YES and out == ""


def test_a_version_2_report_without_certificates_does_not_tell_its_product(tmp_path):
    sample = GENUINE[0]
    path = tmp_path / "policy.json"
    code, _, err = policy("init", "--report", data(sample[1]), "--product", "Milan", "-o", path)
    assert code == YES and "could not tell" in err
    code, out, _ = verify("--report", data(sample[1]), "--report-only", "--policy", path)
    assert code == UNKNOWN and {"allowed-product", "minimum-tcb"} <= of(out, "could not tell")
    args, _ = genuine_args(sample)
    assert verify(*args, "--policy", path)[0] == YES
    # without --product, no minimum can be written, and the file says so
    code, out, _ = policy("init", "--report", data(sample[1]))
    made = json.loads(out)
    assert code == YES and "minimum_tcb" not in made and "--product" in made["_comment_minimum_tcb"]
    assert policy("init", "--report", data(GENUINE[-1][1]), "--product", "Milan")[0] == FAULT
