"""`cvtpm verify` that gets what is missing from a key distribution service, and revocation lists wherever they come from."""
import json
import os
import pathlib
import re
import stat
import subprocess
import sys
import urllib.parse

import pytest
from cryptography import x509

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import lab  # noqa: E402
from fake_kds import Answer, FakeKds, SAMPLES, load, make_tls, report_path, vcek_der, vcek_key  # noqa: E402
from lab import Ek, Lab, pem  # noqa: E402
from test_verify import CHAIN, CVTPM, FAULT, NO, UNKNOWN, YES, check, data, of, read, write  # noqa: E402


def run(*args, env=None, json_out=True):
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    process = subprocess.run([CVTPM, "verify", *(("--json",) if json_out else ()), *map(str, args)], capture_output=True,
                             timeout=120, env=dict(environment, **(env or {})))
    out, err = process.stdout.decode("ascii"), process.stderr.decode("ascii")
    return process.returncode, json.loads(out) if json_out and out else out, err


def genuine(sample):
    report = report_path(sample)
    return ["--report", report, "--report-only", "--measurement", read(report)[0x90:0xC0].hex(),
            *(["--allow-debug"] if sample == "milan-v2" else [])]


@pytest.fixture
def kds():
    with FakeKds() as service:
        yield service


@pytest.fixture
def cache(tmp_path):
    return ["--cache", tmp_path / "cache"]


class LabKds(FakeKds):
    """One that knows a lab's chip, its chain and its list."""

    def __init__(self, chip, crl=None):
        super().__init__()
        self.chip, self.crl = chip, crl or chip.crl()
        if not chip.vlek:
            self.vceks[vcek_key(chip.product, x509.load_der_x509_certificate(chip.leaf))] = chip.leaf

    def answer_to(self, target):
        kind = "vlek" if self.chip.vlek else "vcek"
        if urllib.parse.urlsplit(target).path == f"/{kind}/v1/{self.chip.product}/cert_chain":
            return Answer(body=pem(self.chip.ask) + pem(self.chip.ark))
        return super().answer_to(target)


def lab_args(tmp_path, chip, certs=None, report=None):
    return ["--report", write(tmp_path, "report.bin", report or chip.report), "--measurement", lab.MEASUREMENT.hex(),
            "--report-only", "--lab-root", write(tmp_path, "ark.pem", pem(chip.ark)),
            *(["--certs", write(tmp_path, "certs", certs)] if certs else [])]


def not_told(outcome, *ids):
    """Could not tell, and these checks are why."""
    code, out, _ = outcome
    assert code == UNKNOWN, out
    assert of(out, "could not tell") == set(ids) and not of(out, "refused")
    return out


# ---- certificates ----

@pytest.mark.parametrize("sample", SAMPLES)
def test_a_report_alone_is_enough_with_a_service(kds, cache, sample):
    product = [] if SAMPLES[sample][3] else ["--product", SAMPLES[sample][2]]
    args = [*genuine(sample), *product, "--kds", kds.url, *cache]
    code, out, err = run(*args)
    assert code == YES and not of(out, "refused"), out
    assert len(kds.requests) == 2
    for request, what in zip(kds.requests, ("VCEK", "ASK")):
        assert re.search(rf"^cvtpm verify: {what} from {re.escape(kds.url + request)}$", err, re.M), err
    code, _, err = run(*args)
    assert code == YES and len(kds.requests) == 2 and err.count("from the cache, once from " + kds.url) == 2


def test_offline_asks_nobody_and_finds_what_was_fetched_once(kds, cache):
    args = [*genuine("milan-v3"), "--kds", kds.url, *cache]
    out = not_told(run(*args, "--offline"), "signature", "fetched")
    assert "offline" in check(out, "fetched")["found"] and not kds.requests
    assert run(*args)[0] == YES
    asked = len(kds.requests)
    assert run(*args, "--offline")[0] == YES and len(kds.requests) == asked


def test_offline_without_a_service_looks_for_what_amd_said(cache):
    out = not_told(run(*genuine("milan-v3"), "--offline", *cache), "signature", "fetched")
    assert "https://kdsintf.amd.com/vcek/v1/Milan/" in check(out, "fetched")["found"]


def test_amd_is_amds_own(cache):
    out = not_told(run(*genuine("milan-v3"), "--kds", "amd", "--offline", *cache), "signature", "fetched")
    assert "https://kdsintf.amd.com/" in check(out, "fetched")["found"]


def test_nothing_is_asked_without_being_told_to(kds):
    code, out, err = run(*genuine("milan-v3"))
    assert code == UNKNOWN and "fetched" not in {c["id"] for c in out["checks"]} and err == ""


def test_nothing_is_asked_where_nothing_is_missing(kds, cache):
    code, _, err = run(*genuine("milan-v3"), "--certs", data("coco-trustee/evidence-v1.vcek.der"), data(CHAIN["Milan"]),
                       "--kds", kds.url, *cache)
    assert code == YES and kds.requests == [] and err == ""


def test_only_the_ca_is_asked_for_where_it_alone_is_missing(kds, cache):
    assert run(*genuine("milan-v3"), "--certs", data("coco-trustee/evidence-v1.vcek.der"), "--kds", kds.url, *cache)[0] == YES
    assert kds.requests == ["/vcek/v1/Milan/cert_chain"]


def test_the_vcek_of_another_chip_is_replaced(kds, cache):
    code, _, _ = run(*genuine("milan-v3"), "--certs", data("coco-trustee/test-vcek.der"), data(CHAIN["Milan"]),
                     "--kds", kds.url, *cache)
    assert code == YES and len(kds.requests) == 1


def test_version_2_needs_a_product_and_a_certificate_tells_it(kds, cache):
    args = [*genuine("milan-v2"), "--kds", kds.url, *cache]
    out = not_told(run(*args), "signature", "fetched")
    assert "--product" in check(out, "fetched")["found"] and not kds.requests
    assert run(*args, "--certs", data("go-sev-guest/vcek.testcer"))[0] == YES
    assert kds.requests == ["/vcek/v1/Milan/cert_chain"]


def test_a_product_that_contradicts_the_report_is_not_asked_for(kds, cache):
    out = not_told(run(*genuine("milan-v3"), "--product", "Genoa", "--kds", kds.url, *cache), "signature", "fetched")
    assert "not of a Genoa" in check(out, "fetched")["found"] and not kds.requests


@pytest.mark.parametrize("answer,says", [
    (Answer(404, b"no"), "404"), (Answer(403, b"no"), "403"), (Answer(200, b"<html>"), "not what was asked for"),
    (Answer(200, vcek_der("genoa-v3")), "not what was asked for"), (Answer(302, b"", {"Location": "/elsewhere"}), "302")])
def test_a_service_that_does_not_help_is_never_a_yes(kds, cache, answer, says):
    kds.always = answer
    outcome = run(*genuine("milan-v3"), "--kds", kds.url, *cache)
    out = not_told(outcome, "signature", "fetched")
    assert says in check(out, "fetched")["found"] and says in outcome[2]
    assert out["summary"].startswith("verdict: could not tell")


def test_a_service_that_is_not_there_is_never_a_yes(cache):
    with FakeKds() as gone:
        url = gone.url
    not_told(run(*genuine("milan-v3"), "--kds", url, *cache), "signature", "fetched")


def test_a_chain_that_cannot_be_had_is_said(kds, cache):
    kds.first = [Answer(body=vcek_der("milan-v3")), Answer(404)]
    not_told(run(*genuine("milan-v3"), "--kds", kds.url, *cache), "chain", "fetched")


def test_a_refusal_stays_one_whatever_the_service_says(kds, cache):
    args = genuine("milan-v3")
    args[args.index("--measurement") + 1] = "00" * 48
    code, out, _ = run(*args, "--kds", kds.url, *cache)
    assert code == NO and of(out, "refused") == {"measurement"}


def test_a_busy_service_is_waited_for_and_it_is_said(kds, cache):
    kds.first = [Answer(429, b"", {"Retry-After": "0"})]
    code, _, err = run(*genuine("milan-v3"), "--kds", kds.url, *cache)
    assert code == YES and "429" in err


def test_what_is_fetched_is_evidence_and_no_more(tmp_path, cache):
    chip = Lab()
    with LabKds(chip) as service:
        args = lab_args(tmp_path, chip)
        code, out, _ = run(*args, "--kds", service.url, *cache)
        assert code == YES and out["lab"] is True
        at = args.index("--lab-root")
        code, out, _ = run(*args[:at], "--kds", service.url, *cache)
        assert code == NO and of(out, "refused") == {"root"}


def test_the_report_in_an_ek_certificate_is_completed_too(tmp_path, cache):
    ek = Ek("p256")
    chip = Lab(report_data=ek.digest())
    args = lab_args(tmp_path, chip)
    args[:2] = ["--ek-cert", write(tmp_path, "ek.der", ek.certificate(cmw=lab.collection(chip.report)))]
    args.remove("--report-only")
    with LabKds(chip) as service:
        assert run(*args)[0] == UNKNOWN
        assert run(*args, "--kds", service.url, *cache)[0] == YES


def test_a_vlek_cannot_be_fetched_but_its_chain_can(tmp_path, cache):
    chip = Lab(vlek=True)
    with LabKds(chip) as service:
        out = not_told(run(*lab_args(tmp_path, chip), "--kds", service.url, *cache), "signature", "fetched")
        assert "VLEK" in check(out, "fetched")["found"] and not service.requests
        assert run(*lab_args(tmp_path, chip, pem(chip.leaf)), "--kds", service.url, *cache)[0] == YES
        assert service.requests == ["/vlek/v1/Milan/cert_chain"]


def test_tls_is_verified_with_the_named_ca(tmp_path, cache):
    ca, tls = make_tls(tmp_path)
    with FakeKds(tls) as service:
        not_told(run(*genuine("milan-v3"), "--kds", service.url, *cache), "signature", "fetched")
        assert service.requests == []
        assert run(*genuine("milan-v3"), "--kds", service.url, "--kds-ca", ca, *cache)[0] == YES


# ---- the cache ----

def test_the_cache_is_the_users_own(tmp_path, kds):
    for env, folder in (({"XDG_CACHE_HOME": str(tmp_path / "xdg"), "HOME": str(tmp_path)}, tmp_path / "xdg/cvtpm/kds"),
                        ({"XDG_CACHE_HOME": "relative", "HOME": str(tmp_path)}, tmp_path / ".cache/cvtpm/kds"),
                        ({"XDG_CACHE_HOME": "", "HOME": str(tmp_path / "h")}, tmp_path / "h/.cache/cvtpm/kds")):
        (tmp_path / "h").mkdir(exist_ok=True)
        assert run(*genuine("milan-v3"), "--kds", kds.url, env=env)[0] == YES
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and len(list(folder.iterdir())) == 2
    assert not pathlib.Path("relative").exists()


def test_without_a_home_a_cache_must_be_named(kds, cache):
    env = {"XDG_CACHE_HOME": "", "HOME": ""}
    code, out, err = run(*genuine("milan-v3"), "--kds", kds.url, env=env)
    assert code == FAULT and out == "" and "--cache" in err
    assert run(*genuine("milan-v3"), "--kds", kds.url, *cache, env=env)[0] == YES


def test_no_cache_is_made_where_no_service_is_named(tmp_path):
    run(*genuine("milan-v3"), env={"XDG_CACHE_HOME": str(tmp_path / "xdg")})
    assert not (tmp_path / "xdg").exists()


def test_a_cache_that_others_may_enter_is_a_fault(tmp_path, kds):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    code, _, err = run(*genuine("milan-v3"), "--kds", kds.url, "--cache", tmp_path / "open")
    assert code == FAULT and "chmod" in err


@pytest.mark.parametrize("args,says", [
    (["--cache", "x"], "--cache"), (["--product", "Milan"], "--product"), (["--kds-ca", "x"], "--kds-ca"),
    (["--crl", "kds"], "--crl kds"), (["--offline", "--kds-ca", "x"], "--kds-ca"),
    (["--kds", "http://kds.invalid"], "https"), (["--kds", "ftp://127.0.0.1"], "https"), (["--kds", ""], "URL"),
    (["--kds", "amd", "--kds", "amd"], "twice")])
def test_a_wrong_call_is_a_fault(tmp_path, args, says):
    code, out, err = run(*genuine("milan-v3"), *args, env={"HOME": str(tmp_path), "XDG_CACHE_HOME": ""})
    assert code == FAULT and out == "" and says in err


def test_standard_output_has_the_verdict_alone(kds, cache):
    code, out, err = run(*genuine("milan-v3"), "--quiet", "--kds", kds.url, *cache, json_out=False)
    assert code == YES and out == "verdict: yes\n" and len(err.splitlines()) == 2


# ---- revocation lists of a service ----

def test_a_list_is_fetched_only_where_it_is_wanted(tmp_path, cache):
    chip = Lab()
    policy = write(tmp_path, "policy.json", b'{"require_crl": true}')
    with LabKds(chip) as service:
        args = [*lab_args(tmp_path, chip, chip.certs), "--kds", service.url, *cache]
        code, out, _ = run(*args)
        assert code == YES and check(out, "revocation")["verdict"] == "not checked" and service.requests == []
        code, out, err = run(*args, "--crl", "kds")
        assert code == YES and check(out, "revocation")["verdict"] == "ok"
        assert service.requests == ["/vcek/v1/Milan/crl"] and "revocation list from " + service.url in err
        args[args.index("--report-only"):args.index("--report-only") + 1] = ["--report-only", "--policy", policy]
        code, out, _ = run(*args)
        assert code == YES and check(out, "revocation")["verdict"] == "ok" and len(service.requests) == 1
        assert run(*args, "--offline")[0] == YES


def test_a_list_that_revokes_is_a_refusal(tmp_path, cache):
    chip = Lab()
    with LabKds(chip, chip.crl([0x10001])) as service:
        code, out, _ = run(*lab_args(tmp_path, chip), "--kds", service.url, *cache, "--crl", "kds")
        assert code == NO and of(out, "refused") == {"revocation"}


@pytest.mark.parametrize("answer", [Answer(404), Answer(200, b"no list"), Answer(500, b"", {"Retry-After": "0"})])
def test_a_list_that_cannot_be_had_is_never_a_yes(tmp_path, cache, answer):
    chip = Lab()
    with LabKds(chip) as service:
        service.always = answer
        not_told(run(*lab_args(tmp_path, chip, chip.certs), "--kds", service.url, *cache, "--crl", "kds"),
                 "revocation", "fetched")


def test_a_list_in_a_file_spares_the_question(tmp_path, cache):
    chip = Lab()
    policy = write(tmp_path, "policy.json", b'{"require_crl": true}')
    with LabKds(chip) as service:
        assert run(*lab_args(tmp_path, chip, chip.certs), "--kds", service.url, *cache, "--policy", policy,
                   "--crl", write(tmp_path, "crl", chip.crl()))[0] == YES
        assert service.requests == []


# ---- revocation lists of a certificate table ----

def table_args(tmp_path, chip, crl, appended):
    table = lab.table(vcek=chip.leaf, ask=chip.ask, crl=crl)
    if appended:
        return lab_args(tmp_path, chip, report=chip.report + table)
    return lab_args(tmp_path, chip, table)


@pytest.mark.parametrize("appended", [False, True])
def test_the_list_of_a_table_is_used(tmp_path, appended):
    chip = Lab()
    code, out, _ = run(*table_args(tmp_path, chip, chip.crl(), appended))
    assert code == YES and check(out, "revocation")["verdict"] == "ok"
    assert "which the host chooses" in check(out, "revocation")["found"]
    for bad in (chip.crl([0x10001]), chip.crl(key=lab.rsa_key("other")), b"nonsense", chip.crl()[:-1], b""):
        code, out, _ = run(*table_args(tmp_path, chip, bad, appended))
        assert code == NO and of(out, "refused") == {"revocation"}


def test_the_old_list_of_a_table_is_held_against_nobody_who_did_not_ask(tmp_path):
    chip = Lab()
    old = chip.crl(days=(-9, -2))
    policy = write(tmp_path, "policy.json", b'{"require_crl": true}')
    code, out, _ = run(*table_args(tmp_path, chip, old, False))
    assert code == YES and check(out, "revocation")["verdict"] == "not checked"
    assert "not in date" in check(out, "revocation")["found"]
    not_told(run(*table_args(tmp_path, chip, old, False), "--policy", policy), "revocation")
    assert run(*table_args(tmp_path, chip, chip.crl(), False), "--policy", policy)[0] == YES
    good = write(tmp_path, "crl", chip.crl())
    code, out, _ = run(*table_args(tmp_path, chip, old, False), "--crl", good)
    assert code == YES and check(out, "revocation")["verdict"] == "ok"
    revoked = write(tmp_path, "crl", chip.crl([0x10001]))
    assert run(*table_args(tmp_path, chip, chip.crl(), False), "--crl", revoked)[0] == NO


def test_the_list_of_a_table_does_not_spare_the_service(tmp_path, cache):
    chip = Lab()
    with LabKds(chip, chip.crl([0x10001])) as service:
        code, out, _ = run(*table_args(tmp_path, chip, chip.crl(), False), "--kds", service.url, *cache, "--crl", "kds")
        assert code == NO and of(out, "refused") == {"revocation"}


def test_tables_with_lists_without_end_are_refused(tmp_path):
    chip = Lab()
    files = [write(tmp_path, "t%d" % i, lab.table(crl=chip.crl())) for i in range(9)]
    assert run(*lab_args(tmp_path, chip, chip.certs), "--certs", *files[:8])[0] == YES
    code, out, _ = run(*lab_args(tmp_path, chip, chip.certs), "--certs", *files)
    assert code == NO and of(out, "refused") == {"certificates"}
