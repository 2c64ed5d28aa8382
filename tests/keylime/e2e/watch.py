"""What the operator does and sees."""
import base64
import contextlib
import hashlib
import json
import re
import sqlite3
import urllib.error
import urllib.request

from cryptography.hazmat.primitives.serialization import load_pem_public_key

import lab

ZERO, ONE = "00" * 32, "00" * 31 + "01"


def b64(data):
    return base64.b64encode(data).decode()


# ---- tenant and verifier ----

def asked(site):
    """How often the verifier was asked to take an agent."""
    return len(re.findall(r"POST /v[0-9.]+/agents/", site.log("verifier")))


def added(site, *policies):
    status, out = site.add(*policies)
    assert status == 0, out
    return site.wait_state({"Get Quote"}, 1)


def failed(site):
    """Why the verifier gave the machine up, as the operator sees it; the verifier forgets it then."""
    site.wait_state({"Invalid Quote", "Failed"})
    _, out = site.tenant("-c", "cvstatus", "-u", site.uuid)
    site.delete()
    found = re.search('"operational_state": "Invalid Quote".*"last_event_id": "([^"]*)"', out)
    return found[1] if found else out


def refused(site, *reasons, script=None):
    """`add` ends with 1, the operator sees the reasons, and the verifier never hears of the agent."""
    before = asked(site)
    status, out = site.add(script=script)
    if status == 0:
        site.delete()
    assert status == 1, out
    assert asked(site) == before, "it reached the verifier"
    for reason in reasons:
        assert reason in out, out
    return out


# ---- registrar ----

@contextlib.contextmanager
def database(site):
    with contextlib.closing(sqlite3.connect(site.work / "server" / "reg_data.sqlite", timeout=60)) as db, db:
        yield db


def row(site, uuid=None):
    """What the registrar keeps of an agent."""
    with database(site) as db:
        db.row_factory = sqlite3.Row
        return dict(db.execute("select * from registrarmain where agent_id = ?", (uuid or site.uuid,)).fetchone())


def register(site, uuid, **fields):
    """Asks the registrar as an agent does: (HTTP status, what the registrar logs meanwhile)."""
    before = len(site.log("registrar"))
    request = urllib.request.Request(f"http://127.0.0.1:{site.ports.registrar}/v2.1/agents/{uuid}",
                                     json.dumps(fields).encode(), {"Content-Type": "application/json"}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            status = answer.status
    except urllib.error.HTTPError as error:
        status = error.code
    return status, site.log("registrar")[before:]


def registered(site):
    """The agents that the operator sees with reglist."""
    status, out = site.tenant("-c", "reglist")
    assert status == 0, out
    return out


def turned_away(site, words, says):
    """Starts an agent that the registrar refuses with these words in its log, and that gives up with these."""
    before = site.log("registrar").count(words)
    agent = site.start_agent(registers=False)
    agent.wait_until(lambda: site.log("registrar").count(words) > before or "activated" in agent.text(),
                     f"'{words}' in the registrar's log")
    assert "activated" not in agent.text(), "it was not refused"
    if not site.rust_agent:  # others may try again
        agent.process.wait(300)
        assert says in agent.text(), agent.text()
    site.stop_agent()


# ---- evidence ----

class Key:
    """The EK of the running TPM, for lab.Ek.certificate()."""

    def __init__(self, site):
        self.rsa = True
        self.public = load_pem_public_key(site.tpm2("print", "-t", "TPM2B_PUBLIC", "-f", "pem", "ek.pub").encode())
        self.tpm2b = (site.work / "ek.pub").read_bytes()
        self.key = self

    def public_key(self):
        return self.public

    certificate = lab.Ek.certificate


def trust(site, chip, **conf):
    """Has the script trust another lab's chip."""
    for name, content in (("other-ark.pem", lab.pem(chip.ark)), ("other-certs.pem", chip.certs)):
        (site.work / name).write_bytes(content)
    site.configure({"measurements": [{"digest": lab.MEASUREMENT.hex(), "isolation": "svsm"}],
                    "lab_roots": ["other-ark.pem"]}, certificates=["other-certs.pem"], **conf)


def evidence(site, chip, report=None):
    """An EK certificate for the TPM's own key, with a report of another lab's chip."""
    key = Key(site)
    report = report or chip.make_report(hashlib.sha512(key.tpm2b).digest())
    return b64(key.certificate(lab.record(report)))
