"""The KDS client: what it asks, whom it believes, how long it waits, what it keeps."""
import datetime
import email.utils
import gzip
import hashlib
import os
import pathlib
import re
import stat
import struct
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import fake_kds  # noqa: E402
from fake_kds import Answer, FakeKds, SAMPLES, chain_pem, make_crl, make_tls, report_path, vcek_der  # noqa: E402

TOOL = os.environ.get("KDS_TOOL", "kds_tool")
PARAM, SIZE, FORMAT, NOT_FOUND, IO, BUSY, UNSUPPORTED, AUTH, PEER, POLICY = -1, -2, -3, -5, -6, -7, -9, -12, -14, -17
MAX_SIZE = 1 << 20


class Result:
    def __init__(self, process):
        self.data, self.status = process.stdout, process.returncode
        self.text = process.stderr.decode("ascii")  # every line of ours is ASCII
        assert self.status in (0, 1), self.text
        self.waits = [int(ms) for ms in re.findall(r"^wait (\d+)$", self.text, re.M)]
        self.from_cache = "\nfrom cache\n" in "\n" + self.text
        error = re.findall(r"^error (-\d+): (.*)$", self.text, re.M)
        self.error, self.line = (int(error[0][0]), error[0][1]) if error else (0, "")
        self.log = re.findall(r"^log \d: (.*)$", self.text, re.M)
        assert (self.status == 0) == (self.error == 0)
        if self.error:
            assert self.line and self.data == b""


def run(*arguments, env=None):
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    return Result(subprocess.run([TOOL, *map(str, arguments)], capture_output=True, timeout=120,
                                 env=dict(environment, **(env or {}))))


@pytest.fixture
def kds():
    with FakeKds() as service:
        yield service


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return make_tls(tmp_path_factory.mktemp("tls"))


def refused(result, error, says):
    assert result.error == error, (result.error, result.line)
    assert says in result.line, result.line


def altered(tmp_path, sample, *changes):
    """A copy of a genuine report with other bytes at the given offsets."""
    report = bytearray(report_path(sample).read_bytes())
    for offset, data in changes:
        report[offset:offset + len(data)] = data
    path = tmp_path / "altered.bin"
    path.write_bytes(report)
    return path


# ---- what is asked ----

@pytest.mark.parametrize("sample", SAMPLES)
def test_the_genuine_vcek_of_a_genuine_report_arrives_byte_for_byte(kds, sample):
    product = () if SAMPLES[sample][3] else ("--product", SAMPLES[sample][2])
    result = run("--base", kds.url, *product, "vcek", report_path(sample))
    assert result.data == vcek_der(sample), result.text
    assert f"name {kds.url}{kds.requests[0]}\n" in result.text
    assert len(kds.requests) == 1


def test_a_turin_is_asked_for_by_eight_bytes_and_its_fmc(kds):
    run("--base", kds.url, "vcek", report_path("turin-v5"))
    assert re.fullmatch(r"/vcek/v1/Turin/[0-9a-f]{16}\?fmcSPL=\d+&blSPL=\d+&teeSPL=\d+&snpSPL=\d+&ucodeSPL=\d+",
                        kds.requests[0])


def test_a_milan_is_asked_for_by_64_bytes_and_four_parts(kds):
    run("--base", kds.url, "vcek", report_path("milan-v3"))
    assert re.fullmatch(r"/vcek/v1/Milan/[0-9a-f]{128}\?blSPL=\d+&teeSPL=\d+&snpSPL=\d+&ucodeSPL=\d+", kds.requests[0])


def test_the_reported_tcb_is_asked_for_not_the_current_one(kds, tmp_path):
    report = altered(tmp_path, "milan-v3", (0x38, bytes(8)), (0x1E0, bytes(8)), (0x1F0, bytes(8)))
    assert run("--base", kds.url, "vcek", report).data == vcek_der("milan-v3")


@pytest.mark.parametrize("name", ["Genoa", "Siena", "Bergamo", "siena"])
def test_siena_and_bergamo_are_asked_for_as_genoa(kds, name):
    result = run("--base", kds.url, "--product", name, "vcek", report_path("genoa-v3"))
    assert result.data == vcek_der("genoa-v3")
    run("--base", kds.url, "chain", name)
    assert kds.requests[1] == "/vcek/v1/Genoa/cert_chain"


@pytest.mark.parametrize("model", [0xA0, 0xAF])
def test_a_report_of_a_bergamo_or_siena_is_asked_for_as_genoa(kds, tmp_path, model):
    run("--base", kds.url, "vcek", altered(tmp_path, "genoa-v3", (0x189, bytes([model]))))
    assert kds.requests[0].startswith("/vcek/v1/Genoa/")


@pytest.mark.parametrize("product", ["Milan", "Genoa", "Turin"])
@pytest.mark.parametrize("vlek", [False, True])
def test_chains_and_lists_of_each_product(kds, product, vlek):
    prefix = "vlek-" if vlek else ""
    assert run("--base", kds.url, prefix + "chain", product).data == chain_pem(product, vlek)
    assert run("--base", kds.url + "/", prefix + "crl", product).data == kds.crl
    kind = "vlek" if vlek else "vcek"
    assert kds.requests == [f"/{kind}/v1/{product}/cert_chain", f"/{kind}/v1/{product}/crl"]


def test_a_service_may_live_below_a_path(kds):
    refused(run("--base", kds.url + "/mirror/", "crl", "Milan"), NOT_FOUND, "answered 404")
    assert kds.requests == ["/mirror/vcek/v1/Milan/crl"]


def test_what_reports_say_of_themselves():
    def told(path):
        return subprocess.run([TOOL, "report", str(path)], capture_output=True, text=True).stdout.split()

    for sample, (_, _, product, tells) in SAMPLES.items():
        assert told(report_path(sample)) == ["0", product if tells else "none", "vcek"]
    assert told(fake_kds.DATA / "coco-trustee/test-vlek-report.bin") == ["0", "Milan", "vlek"]
    assert told(fake_kds.DATA / "coco-trustee/test-vcek.der")[0] == str(FORMAT)


@pytest.mark.parametrize("changes, product, error, says", [
    ((), "Rome", PARAM, "product 'Rome' is not known"),
    ((), "", PARAM, "is not known"),
    ((), "Turin", PARAM, "of a Milan, not of a Turin"),
    (((0x000, b"\x06"),), None, FORMAT, "version 6"),
    (((0x000, b"\x02"), (0x188, bytes(3))), None, PARAM, "version 2 does not say"),
    (((0x188, b"\x1b"),), None, PARAM, "family 0x1b"),
    (((0x1A0, bytes(64)),), None, FORMAT, "masked"),
    (((0x182, b"\x01"),), None, FORMAT, "REPORTED_TCB"),
    (((0x048, b"\x04"),), None, UNSUPPORTED, "signed by a VLEK"),
    (((0x048, b"\x1c"),), None, UNSUPPORTED, "SIGNING_KEY 7"),
])
def test_reports_without_a_vcek_to_ask_for_ask_nothing(kds, tmp_path, changes, product, error, says):
    report = altered(tmp_path, "milan-v3", *changes)
    options = () if product is None else ("--product", product)
    refused(run("--base", kds.url, *options, "vcek", report), error, says)
    assert kds.requests == []


def test_a_turin_with_a_long_chip_id_is_refused(kds, tmp_path):
    refused(run("--base", kds.url, "vcek", altered(tmp_path, "turin-v5", (0x1DF, b"\x01"))), FORMAT, "longer")


@pytest.mark.parametrize("size", [0, 1183, 1185])
def test_a_report_of_another_size_is_refused(kds, tmp_path, size):
    path = tmp_path / "report"
    path.write_bytes((report_path("milan-v3").read_bytes() + b"\0")[:size])
    refused(run("--base", kds.url, "vcek", path), FORMAT, f"not {size}")


# ---- whom we ask ----

@pytest.mark.parametrize("base", [
    "", "kdsintf.amd.com/", "ftp://127.0.0.1/", "file:///etc/passwd", "https://", "http://kdsintf.amd.com",
    "http://128.0.0.1", "http://10.0.0.1:80", "http://localhost.example", "http://127.0.0.1.example",
    "http://[::2]", "https://user@host", "https://user:word@host", "https://host/?a=b", "https://host/#a",
    "https://host name", "https://host\n", "https://host\x1b[31m", "https://h\u00f6st", "https://" + "a" * 300,
    "gopher://127.0.0.1", "http://127.0.0.1@10.0.0.1/",
])
def test_other_urls_are_refused_before_anything_is_asked(base):
    result = run("--base", base, "crl", "Milan")
    assert result.error == PARAM, result.line
    assert "key distribution service" in result.line


def test_no_base_url_is_no_service():
    refused(run("crl", "Milan"), PARAM, "(nothing)")


def test_https_with_the_right_ca(tls):
    with FakeKds(tls[1]) as kds:
        result = run("--base", kds.url, "--ca", tls[0], "vcek", report_path("turin-v5"))
        assert result.data == vcek_der("turin-v5"), result.text


def test_https_without_the_ca_is_refused_and_says_so(tls):
    with FakeKds(tls[1]) as kds:
        refused(run("--base", kds.url, "vcek", report_path("turin-v5")), AUTH, "no TLS connection that can be trusted")
        assert kds.requests == []


@pytest.mark.parametrize("name", ["test CA", "other CA"])
def test_https_with_another_ca_is_refused(tls, tmp_path, name):
    other, _ = make_tls(tmp_path, ca=name)
    with FakeKds(tls[1]) as kds:
        refused(run("--base", kds.url, "--ca", other, "crl", "Milan"), AUTH, "no TLS connection that can be trusted")
        assert kds.requests == []


@pytest.mark.parametrize("host, days", [("127.0.0.2", (-1, 30)), ("localhost", (-1, 30)), ("kdsintf.amd.com", (-1, 30)),
                                        ("127.0.0.1", (-30, -1)), ("127.0.0.1", (1, 30))])
def test_a_certificate_of_another_host_or_date_is_refused(tmp_path, host, days):
    ca, pair = make_tls(tmp_path, host, days)
    with FakeKds(pair) as kds:
        refused(run("--base", kds.url, "--ca", ca, "crl", "Milan"), AUTH, "no TLS connection that can be trusted")
        assert kds.requests == []


def test_a_missing_ca_file_is_named(tls, tmp_path):
    with FakeKds(tls[1]) as kds:
        result = run("--base", kds.url, "--ca", tmp_path / "nothing.pem", "crl", "Milan")
        assert result.error == IO and "nothing.pem" in result.line


def test_plain_http_on_a_tls_port_gives_nothing(tls):
    with FakeKds(tls[1]) as kds:
        result = run("--base", kds.url.replace("https", "http"), "--tries", 1, "crl", "Milan")
        assert result.error == IO


def test_https_to_a_port_without_tls_is_refused(kds):
    refused(run("--base", kds.url.replace("http", "https"), "crl", "Milan"), AUTH, "no TLS connection")
    assert kds.requests == []


def test_loopback_does_not_go_through_a_proxy(kds):
    env = {"http_proxy": "http://127.0.0.1:1", "all_proxy": "http://127.0.0.1:1"}
    assert run("--base", kds.url, "crl", "Milan", env=env).data == kds.crl


def test_a_netrc_is_not_used(kds, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    seen = []
    kds.always = Answer(raw=lambda handler: (seen.append(handler.headers.get("Authorization")),
                                             handler.wfile.write(b"HTTP/1.1 404 Not Found\r\n\r\n")))
    assert run("--base", kds.url, "crl", "Milan", env={"HOME": str(tmp_path)}).error == NOT_FOUND
    assert seen == [None]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(kds, status):
    with FakeKds() as other:
        kds.always = Answer(status, headers={"Location": other.url + "/vcek/v1/Milan/crl"})
        result = run("--base", kds.url, "crl", "Milan")
        refused(result, PEER, f"answered {status}, a redirect to {other.url}/vcek/v1/Milan/crl")
        assert other.requests == [] and len(kds.requests) == 1


def test_a_hostile_location_is_escaped(kds):
    kds.always = Answer(302, headers={"Location": "http://x/\x1b[2J\u00fc" + "A" * 2000})
    result = run("--base", kds.url, "crl", "Milan")
    assert result.error == PEER and "\x1b" not in result.text and len(result.line) < 1024


# ---- patience ----

def test_429_waits_as_long_as_it_was_told(kds):
    kds.first = [Answer(429, headers={"Retry-After": "7"}), Answer(429, headers={"Retry-After": "11"})]
    result = run("--base", kds.url, "crl", "Milan")
    assert result.data == kds.crl and result.waits == [7000, 11000]
    assert "answered 429, waiting 7 s" in result.log[0]


def test_429_waits_until_the_date_it_was_told(kds):
    when = email.utils.format_datetime(datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=40),
                                       usegmt=True)
    kds.first = [Answer(429, headers={"Retry-After": when})]
    result = run("--base", kds.url, "crl", "Milan")
    assert result.data == kds.crl and 0 < result.waits[0] <= 41000 and result.waits[0] > 1000


@pytest.mark.parametrize("after", [None, "0", "soon", "-5", ""])
def test_429_without_a_time_waits_longer_each_time(kds, after):
    kds.always = Answer(429, headers={} if after is None else {"Retry-After": after})
    result = run("--base", kds.url, "crl", "Milan")
    refused(result, BUSY, "answered 429, too many requests, 4 times")
    assert result.waits == [1000, 2000, 4000] and len(kds.requests) == 4


def test_429_that_wants_more_than_our_patience_is_given_up_at_once(kds):
    kds.always = Answer(429, headers={"Retry-After": "61"})
    result = run("--base", kds.url, "crl", "Milan")
    refused(result, BUSY, "left alone for 61 s")
    assert result.waits == [] and len(kds.requests) == 1


@pytest.mark.parametrize("after", [str(n) for n in (10**11, 2**63 - 1, 2**61 + 1, (2**64 + 1000) // 1000,
                                                    (2**64 + 60000) // 1000)])
def test_an_absurd_time_is_given_up_at_once(kds, after):
    kds.always = Answer(429, headers={"Retry-After": after})
    result = run("--base", kds.url, "crl", "Milan")
    refused(result, BUSY, f"left alone for {after} s")
    assert result.waits == [] and len(kds.requests) == 1


def test_a_time_that_is_no_number_of_seconds_is_no_time(kds):
    kds.always = Answer(429, headers={"Retry-After": str(2**64 + 1)})
    assert run("--base", kds.url, "crl", "Milan").waits == [1000, 2000, 4000]


def test_the_patience_is_for_all_waiting_together(kds):
    kds.always = Answer(429, headers={"Retry-After": "25"})
    result = run("--base", kds.url, "--tries", 100, "crl", "Milan")
    assert result.error == BUSY and result.waits == [25000, 25000] and len(kds.requests) == 3


def test_who_does_not_want_to_wait_is_heard(kds):
    kds.always = Answer(503)
    result = run("--base", kds.url, "--give-up", 2, "crl", "Milan")
    refused(result, BUSY, "gave up while waiting")
    assert len(kds.requests) == 2


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_the_services_own_trouble_is_waited_for(kds, status):
    kds.first = [Answer(status), Answer(status, headers={"Retry-After": "3"})]
    result = run("--base", kds.url, "vcek", report_path("milan-v3"))
    assert result.data == vcek_der("milan-v3") and result.waits == [1000, 3000]


def test_trouble_that_lasts_is_told(kds):
    kds.always = Answer(503)
    refused(run("--base", kds.url, "crl", "Milan"), PEER, "answered 503, its own trouble, 4 times")
    assert len(kds.requests) == 4


@pytest.mark.parametrize("status, error", [(404, NOT_FOUND), (400, PEER), (401, PEER), (403, PEER), (204, PEER),
                                           (206, PEER)])
def test_a_plain_no_is_not_asked_again(kds, cache, status, error):
    kds.always = Answer(status, b"" if status == 204 else kds.crl)
    result = run("--base", kds.url, "--cache", cache, "crl", "Milan")
    refused(result, error, f"answered {status}")
    assert result.waits == [] and len(kds.requests) == 1 and list(cache.iterdir()) == []


def test_a_vcek_that_is_not_known_names_what_to_check(kds, tmp_path):
    report = altered(tmp_path, "milan-v3", (0x1A0, b"\x55"))
    refused(run("--base", kds.url, "vcek", report), NOT_FOUND, "check that the product is right")


def test_nobody_there_is_told(kds):
    kds.server.server_close()
    result = run("--base", kds.url, "crl", "Milan")
    refused(result, IO, "not reached")
    assert result.waits == [1000, 2000, 4000]


# ---- bad answers ----

def send(*pieces, pause=0.0):
    def raw(handler):
        try:
            for piece in pieces:
                handler.wfile.write(piece)
                handler.wfile.flush()
                time.sleep(pause)
        except OSError:
            pass
    return Answer(raw=raw)


def test_a_silent_service_is_left_after_the_time_limit(kds):
    done = threading.Event()
    kds.always = Answer(raw=lambda handler: done.wait(60))
    try:
        refused(run("--base", kds.url, "--request-ms", 400, "crl", "Milan"), IO, "no answer in time")
        assert len(kds.requests) == 1
    finally:
        done.set()


def test_a_service_that_drips_is_left_after_the_time_limit(kds):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    kds.always = send(head, *[b"0"] * 1000, pause=0.05)
    refused(run("--base", kds.url, "--request-ms", 600, "crl", "Milan"), IO, "no answer in time")


def test_an_announced_oversize_answer_is_refused(kds, cache):
    kds.always = Answer(body=b"0" * (MAX_SIZE + 1))
    refused(run("--base", kds.url, "--cache", cache, "crl", "Milan"), SIZE, "larger than 1048576")
    assert list(cache.iterdir()) == []


def test_an_endless_answer_is_refused(kds):
    piece = b"10000\r\n" + b"0" * 65536 + b"\r\n"
    kds.always = send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *[piece] * 64)
    refused(run("--base", kds.url, "crl", "Milan"), SIZE, "larger than")


def test_endless_headers_are_refused(kds):
    kds.always = send(b"HTTP/1.1 200 OK\r\n", *[b"X: " + b"y" * 8000 + b"\r\n"] * 1000)
    assert run("--base", kds.url, "--tries", 1, "crl", "Milan").error == IO


def test_a_truncated_answer_is_asked_for_again(kds):
    half = Answer(body=kds.crl[:50], headers={"Content-Length": str(len(kds.crl)), "Connection": "close"})
    half.raw = send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(kds.crl), kds.crl[:50]).raw
    kds.first = [half]
    result = run("--base", kds.url, "crl", "Milan")
    assert result.data == kds.crl and result.waits == [1000]
    kds.always = half
    refused(run("--base", kds.url, "crl", "Milan"), IO, "cut off")


@pytest.mark.parametrize("what, of", [("vcek", report_path("genoa-v3")), ("chain", "Milan"), ("crl", "Milan")])
def test_a_truncation_that_http_does_not_show_is_seen(kds, cache, what, of):
    run("--base", kds.url, what, of)
    body = kds.answer_to(kds.requests[0]).body
    cuts = [1, len(body) // 2, len(body) - 30]
    for cut in cuts:
        kds.always = send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body[:cut])
        result = run("--base", kds.url, "--cache", cache, what, of)
        refused(result, FORMAT, "not what was asked for")
        assert list(cache.iterdir()) == []


@pytest.mark.parametrize("junk", [b"", b"\r\n", b"hello\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/9.9 200 OK\r\n\r\n",
                                  b"HTTP/1.1 abc\r\n\r\n", bytes(100)])
def test_what_is_not_http_is_refused(kds, junk):
    kds.always = send(junk)
    assert run("--base", kds.url, "--tries", 1, "crl", "Milan").error == IO


def test_a_compressed_answer_is_not_unpacked(kds):
    kds.always = Answer(body=gzip.compress(kds.crl), headers={"Content-Encoding": "gzip"})
    refused(run("--base", kds.url, "crl", "Milan"), FORMAT, "not what was asked for")


def bad_vceks():
    genuine = vcek_der("milan-v3")
    two = genuine + vcek_der("genoa-v3")
    return {
        "a web page": (b"<html>please log in</html>", "not what was asked for"),
        "nothing": (b"", "nothing"),
        "another chip": (vcek_der("milan-v2"), "another chip"),
        "another product": (vcek_der("genoa-v3"), "another chip"),
        "a Turin": (vcek_der("turin-v5"), "without the extensions"),
        "a CA": (chain_pem("Milan"), "more than one"),
        "two": (two, "more than one"),
        "more behind it": (genuine + b"x", "other bytes"),
        "a VLEK": ((fake_kds.DATA / "coco-trustee/test-vlek.der").read_bytes(), "without the extensions"),
    }


@pytest.mark.parametrize("which", bad_vceks())
def test_what_is_not_the_vcek_that_was_asked_for_is_refused_and_not_kept(kds, cache, which):
    body, says = bad_vceks()[which]
    kds.always = Answer(body=body)
    refused(run("--base", kds.url, "--cache", cache, "vcek", report_path("milan-v3")), FORMAT, says)
    assert list(cache.iterdir()) == []


def test_the_certificate_of_another_tcb_is_refused(kds, cache, tmp_path):
    kds.always = Answer(body=vcek_der("milan-v3"))
    report = altered(tmp_path, "milan-v3", (0x187, b"\x01"))
    refused(run("--base", kds.url, "--cache", cache, "vcek", report), FORMAT, "another TCB")
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("body", [chain_pem("Milan") * 1 + chain_pem("Genoa"), vcek_der("milan-v3"), make_crl(1)])
def test_what_is_not_a_chain_is_refused(kds, body):
    kds.always = Answer(body=body)
    refused(run("--base", kds.url, "chain", "Milan"), FORMAT, "not what was asked for")


def test_a_chain_in_another_order_is_refused(kds):
    end = b"-----END CERTIFICATE-----\n"
    ask, ark, _ = chain_pem("Milan").split(end)
    kds.always = Answer(body=ark + end + ask + end)
    refused(run("--base", kds.url, "chain", "Milan"), FORMAT, "not a CA and then its root")


@pytest.mark.parametrize("body", [vcek_der("milan-v3"), make_crl(1) + b"x", chain_pem("Milan")])
def test_what_is_not_a_list_is_refused(kds, body):
    kds.always = Answer(body=body)
    refused(run("--base", kds.url, "crl", "Milan"), FORMAT, "revocation list")


# ---- the cache ----

def only_file(cache):
    files = list(cache.iterdir())
    assert len(files) == 1, files
    return files[0]


@pytest.mark.parametrize("what, of", [("vcek", report_path("turin-v5")), ("chain", "Genoa"), ("crl", "Milan")])
def test_what_was_fetched_is_kept_and_not_asked_for_again(kds, cache, what, of):
    old_mask = os.umask(0)
    try:
        first = run("--base", kds.url, "--cache", cache, what, of)
    finally:
        os.umask(old_mask)
    assert not first.from_cache and first.status == 0
    second = run("--base", kds.url, "--cache", cache, what, of)
    assert second.from_cache and second.data == first.data and len(kds.requests) == 1
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    file = only_file(cache)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and file.read_bytes() == first.data
    assert file.name == hashlib.sha256((kds.url + kds.requests[0]).encode()).hexdigest()


def test_offline_takes_from_the_cache_and_asks_nobody(kds, cache):
    for what, of in (("vcek", report_path("milan-v3")), ("chain", "Milan"), ("crl", "Milan")):
        online = run("--base", kds.url, "--cache", cache, what, of)
        asked = len(kds.requests)
        offline = run("--base", kds.url, "--cache", cache, "--offline", what, of)
        assert offline.data == online.data and offline.from_cache and len(kds.requests) == asked


def test_offline_without_it_says_what_to_do(kds, cache):
    refused(run("--base", kds.url, "--offline", "crl", "Milan"), NOT_FOUND, "there is no cache folder")
    refused(run("--base", kds.url, "--offline", "--cache", cache, "crl", "Milan"), NOT_FOUND, "fetch it once online")
    assert kds.requests == []


def test_services_do_not_share_answers(kds, cache):
    run("--base", kds.url, "--cache", cache, "crl", "Milan")
    with FakeKds() as other:
        assert run("--base", other.url, "--cache", cache, "crl", "Milan").data == other.crl
        assert len(other.requests) == 1


@pytest.mark.parametrize("what, of", [("vcek", report_path("milan-v3")), ("chain", "Milan"), ("crl", "Milan")])
@pytest.mark.parametrize("damage", ["empty", "cut", "longer", "other", "huge"])
def test_a_damaged_file_is_as_good_as_none(kds, cache, what, of, damage):
    good = run("--base", kds.url, "--cache", cache, what, of).data
    file = only_file(cache)
    file.write_bytes({"empty": b"", "cut": good[:-30], "longer": good + (b"x" if what != "chain" else chain_pem("Genoa")),
                      "other": b"<html>", "huge": b"0" * (MAX_SIZE + 1)}[damage])
    offline = run("--base", kds.url, "--cache", cache, "--offline", what, of)
    assert offline.error == NOT_FOUND
    again = run("--base", kds.url, "--cache", cache, what, of)
    assert again.data == good and not again.from_cache and only_file(cache).read_bytes() == good


def test_a_vcek_of_another_chip_in_the_cache_is_not_used(kds, cache):
    good = run("--base", kds.url, "--cache", cache, "vcek", report_path("milan-v3")).data
    only_file(cache).write_bytes(vcek_der("genoa-v3"))
    again = run("--base", kds.url, "--cache", cache, "vcek", report_path("milan-v3"))
    assert again.data == good and "another chip" in again.log[0]


@pytest.mark.parametrize("kind", ["link", "fifo", "open to others"])
def test_a_file_that_is_not_plain_and_ours_is_not_read(kds, cache, tmp_path, kind):
    good = run("--base", kds.url, "--cache", cache, "crl", "Milan").data
    file = only_file(cache)
    if kind == "open to others":
        file.chmod(0o666)
    else:
        file.unlink()
        target = tmp_path / "elsewhere"
        target.write_bytes(good)
        file.symlink_to(target) if kind == "link" else os.mkfifo(file)
    assert run("--base", kds.url, "--cache", cache, "--offline", "crl", "Milan").error == NOT_FOUND
    assert run("--base", kds.url, "--cache", cache, "crl", "Milan").data == good
    assert stat.S_ISREG(file.lstat().st_mode) and stat.S_IMODE(file.lstat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701, 0o777])
def test_a_folder_that_others_may_enter_is_refused(kds, cache, mode):
    cache.mkdir()
    cache.chmod(mode)
    refused(run("--base", kds.url, "--cache", cache, "crl", "Milan"), POLICY, "chmod 700")
    assert kds.requests == []


def test_a_folder_that_cannot_be_made_is_named(kds, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    refused(run("--base", kds.url, "--cache", file, "crl", "Milan"), IO, str(file))
    refused(run("--base", kds.url, "--cache", tmp_path / "no" / "such", "crl", "Milan"), IO, "cannot make")


def test_an_answer_that_cannot_be_kept_is_still_an_answer(kds, cache):
    run("--base", kds.url, "--cache", cache, "crl", "Milan")
    file = only_file(cache)
    file.unlink()
    (file / "x").mkdir(parents=True)  # nothing can be renamed to that name
    result = run("--base", kds.url, "--cache", cache, "crl", "Milan")
    assert result.data == kds.crl and "cannot write" in result.log[-1]
    assert only_file(cache) == file  # no temporary file is left


def test_many_at_once_share_a_cache(kds, cache):
    results = []
    threads = [threading.Thread(target=lambda: results.append(
        run("--base", kds.url, "--cache", cache, "vcek", report_path("genoa-v3")))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [r.data for r in results] == [vcek_der("genoa-v3")] * 8
    assert only_file(cache).read_bytes() == vcek_der("genoa-v3")


# ---- how lists grow old ----

NOW = 1_800_000_000


@pytest.fixture
def dated(kds):
    """A list that is good from an hour before NOW for ten days."""
    start = datetime.datetime.utcfromtimestamp(NOW - 3600)
    kds.crl = make_crl(10, start)
    return kds


def aged_run(kds, cache, age, *options):
    """Asks again when the file in the cache is `age` seconds old."""
    run("--base", kds.url, "--cache", cache, "--now", NOW, "crl", "Milan")
    os.utime(only_file(cache), (NOW, NOW))
    kds.requests.clear()
    return run("--base", kds.url, "--cache", cache, "--now", NOW + age, *options, "crl", "Milan")


@pytest.mark.parametrize("age, options, cached", [
    (0, (), True), (86399, (), True), (86400, (), False), (86400, ("--crl-age", 1000000), True),
    (10 * 86400 - 3601, ("--crl-age", 10000000), True), (10 * 86400 - 3600, ("--crl-age", 10000000), False),
    (61, ("--crl-age", 60), False), (-1, (), False),
])
def test_a_list_is_fetched_anew_when_it_is_old(dated, cache, age, options, cached):
    result = aged_run(dated, cache, age, *options)
    assert result.status == 0 and result.from_cache == cached and len(dated.requests) == (not cached)


@pytest.mark.parametrize("age, found", [(9 * 86400, True), (10 * 86400 - 3601, True), (10 * 86400 - 3600, False)])
def test_offline_a_list_serves_until_its_next_update(dated, cache, age, found):
    result = aged_run(dated, cache, age, "--offline")
    assert result.from_cache == found and dated.requests == []
    if not found:
        refused(result, NOT_FOUND, "too old")


def test_an_old_list_is_no_substitute_when_the_service_fails(dated, cache):
    run("--base", dated.url, "--cache", cache, "--now", NOW, "crl", "Milan")
    os.utime(only_file(cache), (NOW, NOW))
    dated.always = Answer(404)
    refused(run("--base", dated.url, "--cache", cache, "--now", NOW + 90000, "crl", "Milan"), NOT_FOUND, "404")


def test_certificates_do_not_grow_old(kds, cache):
    run("--base", kds.url, "--cache", cache, "vcek", report_path("milan-v3"))
    os.utime(only_file(cache), (0, 0))
    assert run("--base", kds.url, "--cache", cache, "--now", 1 << 40, "vcek", report_path("milan-v3")).from_cache
