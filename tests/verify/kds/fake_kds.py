"""A service that behaves like AMD's key distribution service, and misbehaves on request.

It serves genuine certificates under the paths of AMD 57230, chapter 4, and shares no code with the
client: what a VCEK is for, it reads from the certificate.
"""
import datetime
import http.server
import pathlib
import ssl
import threading
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DATA = pathlib.Path(__file__).resolve().parents[2] / "data"
AMD = "1.3.6.1.4.1.3704.1."
SPL = {"blSPL": "3.1", "teeSPL": "3.2", "snpSPL": "3.3", "ucodeSPL": "3.8"}


def pems(name):
    text = (DATA / name).read_bytes()
    end = b"-----END CERTIFICATE-----\n"
    blocks = [part[part.index(b"-----BEGIN"):] + end for part in text.replace(b"\r", b"").split(end)
              if b"-----BEGIN" in part]
    return [x509.load_pem_x509_certificate(block) for block in blocks]


def der(cert):
    return cert.public_bytes(serialization.Encoding.DER)


def load(name):
    data = (DATA / name).read_bytes()
    return x509.load_der_x509_certificate(data) if data[0] == 0x30 else pems(name)[0]


# report, the certificate that it is signed with, product, whether the report tells the product
SAMPLES = {
    "milan-v2": ("go-sev-guest/attestation.bin", "go-sev-guest/vcek.testcer", "Milan", False),
    "milan-v3": ("coco-trustee/evidence-v1.snpreport.bin", "coco-trustee/evidence-v1.vcek.der", "Milan", True),
    "genoa-v3": ("coco-trustee/evidence-genoa.snpreport.bin", "coco-trustee/evidence-genoa.vcek.pem", "Genoa", True),
    "turin-v5": ("routex-lua/report-turin-v5.bin", "routex-lua/vcek-chain-turin.pem", "Turin", True),
}


def report_path(sample):
    return DATA / SAMPLES[sample][0]


def vcek_der(sample):
    return der(load(SAMPLES[sample][1]))


def vcek_key(product, cert):
    """What a VCEK is asked for by: the path and the query, as a set."""
    values = {e.oid.dotted_string: e.value.value for e in cert.extensions
              if e.oid.dotted_string.startswith(AMD)}
    wanted = dict(SPL, **({"fmcSPL": "3.9"} if product == "Turin" else {}))
    query = {name: int.from_bytes(values[AMD + suffix][2:], "big") for name, suffix in wanted.items()}
    return f"/vcek/v1/{product}/{values[AMD + '4'].hex()}", frozenset(query.items())


def chain_pem(product, vlek=False):
    ask, ark, asvk = pems(f"coco-trustee/{product.lower()}_ask_ark_asvk.pem")
    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in (asvk if vlek else ask, ark))


def make_crl(days, start=None):
    key = ec.generate_private_key(ec.SECP256R1())
    start = start or datetime.datetime.utcnow() - datetime.timedelta(hours=1)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ARK-Milan")])
    crl = (x509.CertificateRevocationListBuilder().issuer_name(name).last_update(start)
           .next_update(start + datetime.timedelta(days=days)).sign(key, hashes.SHA256()))
    return crl.public_bytes(serialization.Encoding.DER)


class Answer:
    """status, headers and body; or `raw`, a function that is given the handler and does what it wants."""

    def __init__(self, status=200, body=b"", headers=(), raw=None):
        self.status, self.body, self.headers, self.raw = status, body, dict(headers), raw


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        kds = self.server.kds
        with kds.lock:
            kds.requests.append(self.path)
            answer = kds.first.pop(0) if kds.first else kds.always or kds.answer_to(self.path)
        if answer.raw:
            self.close_connection = True
            answer.raw(self)
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        try:
            self.wfile.write(answer.body)
        except OSError:
            pass  # the client has seen enough

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # clients that refuse to go on are what some tests are about


class FakeKds:
    """A running service; a context manager. `first`: answers to the first requests; `always`: to all."""

    def __init__(self, tls=None):
        self.requests, self.first, self.always, self.lock = [], [], None, threading.Lock()
        self.crl = make_crl(30)
        self.vceks = {}
        for report, cert, product, _ in SAMPLES.values():
            cert = load(cert)
            self.vceks[vcek_key(product, cert)] = der(cert)
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.kds = self
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})

    def answer_to(self, target):
        url = urllib.parse.urlsplit(target)
        parts = url.path.strip("/").split("/")
        if len(parts) == 4 and parts[1] == "v1" and parts[0] in ("vcek", "vlek"):
            vlek, product = parts[0] == "vlek", parts[2]
            if product in ("Milan", "Genoa", "Turin") and parts[3] == "cert_chain":
                return Answer(body=chain_pem(product, vlek))
            if product in ("Milan", "Genoa", "Turin") and parts[3] == "crl":
                return Answer(body=self.crl)
            query = frozenset((name, int(value)) for name, value in urllib.parse.parse_qsl(url.query))
            if (url.path, query) in self.vceks:
                return Answer(body=self.vceks[url.path, query])
        return Answer(404, b"not found")

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def make_tls(folder, host="127.0.0.1", days=(-1, 30), ca="test CA"):
    """A CA and a host's certificate: (path of the CA, (certificate, key))."""
    import ipaddress

    now = datetime.datetime.utcnow()
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, ca)])
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test host")])
    try:
        alternative = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        alternative = x509.DNSName(host)
    day = datetime.timedelta(days=1)

    def build(subject, public, extension, critical, first, last):
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(ca_name).public_key(public)
                .serial_number(x509.random_serial_number()).not_valid_before(now + first * day)
                .not_valid_after(now + last * day).add_extension(extension, critical).sign(ca_key, hashes.SHA256()))

    root = build(ca_name, ca_key.public_key(), x509.BasicConstraints(True, None), True, -400, 400)
    cert = build(name, key.public_key(), x509.SubjectAlternativeName([alternative]), False, *days)
    paths = [folder / n for n in ("tls-ca.pem", "tls.pem", "tls.key")]
    paths[0].write_bytes(root.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    paths[2].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
    return paths[0], (paths[1], paths[2])
