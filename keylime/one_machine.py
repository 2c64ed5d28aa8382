#!/usr/bin/env python3
"""A whole Keylime on one machine: verifier, registrar, tenant and an agent whose TPM is cvtpm.

    keylime/one_machine.py --keylime build/keylime --cvtpm build/release/cvtpm

gets Keylime (keylime/setup), starts everything on loopback with TLS, adds the machine, prints its state, and keeps
it until Ctrl-C. Needs root or the right to make a user namespace, Debian's packages of `scripts/deps keylime`, and
the ports 8881, 8889 to 8891 and 9002. No systemd, nothing of Keylime edited, no tmpfs mounted (KEYLIME_TEST spares
the agent that).
KEYLIME_AGENT names a Rust agent to be used in place of the Python one of keylime 6.6.0.

The tests in tests/keylime import it.
"""
import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
import re
import select
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
AS_ROOT = ["unshare", "--map-root-user"] if os.geteuid() else []  # keylime-policy runs for nobody else
LIMIT = 300  # seconds after which something that should have happened counts as not happening; machines may be busy
RSA_CERTIFICATE = "0x01C00002"
RSA_EK = "0x81010001"
Ports = collections.namedtuple("Ports", "verifier proxy registrar registrar_tls agent")
KEYLIMES_OWN = Ports(8881, 8889, 8890, 8891, 9002)
STATES = ("Registered", "Start", "Saved", "Get Quote", "Get Quote (retry)", "Provide V", "Provide V (retry)", "Failed",
          "Terminated", "Invalid Quote", "Tenant Quote Failed")  # of Keylime, and its words


def free_ports():
    """Ports for a Keylime beside others, below those that the kernel gives to clients."""
    found = []
    while len(found) < len(Ports._fields):
        port = random.randrange(20000, 32000)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return Ports(*found)


class Keeper:
    """Ends the process groups that it was told of when this process is gone, however it went. Its folder goes then,
    too; it has a short name, for sockets."""

    PROGRAM = """
import os, shutil, signal, sys
groups = set()
for line in sys.stdin:
    (groups.discard if line[0] == "-" else groups.add)(abs(int(line)))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
shutil.rmtree(sys.argv[1])
"""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="kl-", dir="/tmp")
        self.process = subprocess.Popen([sys.executable, "-c", self.PROGRAM, self.folder], stdin=subprocess.PIPE,
                                        text=True, start_new_session=True)

    def tell(self, number):
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Process:
    """A program in a process group of its own: Keylime's servers have workers, which outlive a parent that
    alone is told to stop, and keep its ports."""

    def __init__(self, keeper, command, log, port=None, **others):
        self.keeper, self.log = keeper, pathlib.Path(log)
        self.name = self.log.stem
        if port and listening(port):
            raise RuntimeError(f"{self.name}: somebody listens on port {port} already")
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(list(map(str, command)), stdout=out, stderr=subprocess.STDOUT,
                                            start_new_session=True, **others)
        keeper.tell(self.process.pid)
        if port:
            try:
                self.wait_until(lambda: listening(port), f"port {port}")
            except BaseException:
                self.stop()
                raise

    def wait_until(self, condition, what):
        end = time.monotonic() + LIMIT
        while not condition():
            if self.process.poll() is not None or time.monotonic() > end:
                if condition():
                    return
                raise RuntimeError(f"{self.name}: no {what}:\n{self.text()[-3000:]}")
            time.sleep(0.1)

    def text(self):
        return self.log.read_text(errors="replace")

    def stop(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.signal(number):
                end = time.monotonic() + 30
                while self.signal(0) and time.monotonic() < end:
                    self.process.poll()  # else it would stay in its group
                    time.sleep(0.05)
        self.process.wait()
        self.keeper.tell(-self.process.pid)

    def signal(self, number):
        """To the whole group; false: there is nobody left in it."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return False
        return True


def listening(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


class Site:
    """The operator's side, and one machine beside it. A context manager."""

    def __init__(self, work, keylime, cvtpm, agent=None, ports=KEYLIMES_OWN):
        self.work, self.keylime, self.cvtpm = (pathlib.Path(p).resolve() for p in (work, keylime, cvtpm))
        self.rust_agent = agent
        self.ports = ports
        self.servers = {}
        self.tpm = self.agent = self.uuid = None
        self.lab = self.work / "lab"
        for folder in ("server", "agent", "pins"):
            shutil.rmtree(self.work / folder, ignore_errors=True)
            (self.work / folder).mkdir(parents=True)
        self.script = self.work / "cvtpm-keylime-ek-check"
        self.script.unlink(missing_ok=True)
        self.script.symlink_to(self.cvtpm)
        self.keeper = Keeper()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.ExitStack() as last_first:  # and each, whatever becomes of the others
            last_first.callback(self.keeper.close)
            for name in list(self.servers):
                last_first.callback(self.stop_server, name)
            last_first.callback(self.stop_machine)

    # ---- the operator's side ----

    def env(self, **more):
        conf = {f"KEYLIME_{c.upper()}_CONFIG": str(self.keylime / "conf" / f"{c}.conf")
                for c in ("verifier", "registrar", "tenant", "ca", "logging")}
        ports = {"VERIFIER_PORT": self.ports.verifier, "VERIFIER_REGISTRAR_PORT": self.ports.registrar_tls,
                 "REGISTRAR_PORT": self.ports.registrar, "REGISTRAR_TLS_PORT": self.ports.registrar_tls,
                 "TENANT_VERIFIER_PORT": self.ports.verifier, "TENANT_REGISTRAR_PORT": self.ports.registrar_tls,
                 "AGENT_PORT": self.ports.agent, "AGENT_CONTACT_PORT": self.ports.agent,
                 "AGENT_REGISTRAR_PORT": self.ports.registrar}
        return {**os.environ, **conf, **{f"KEYLIME_{name}": str(port) for name, port in ports.items()},
                "KEYLIME_DIR": str(self.work / "server"), "CVTPM_KEYLIME_CONF": str(self.work / "keylime.conf"), **more}

    def program(self, name):
        return self.keylime / "ve-7.14.3" / "bin" / name

    def start_servers(self, gate=None):
        """The verifier first: it makes server/cv_ca, the TLS authority of all."""
        self.start_server("verifier", self.ports.verifier)
        self.start_registrar(gate)

    def start_registrar(self, gate=None):
        """With a gate: cvtpm_ek_gate.py, which has this script judge every registration."""
        more = {"KEYLIME_REGISTRAR_DURABLE_ATTESTATION_IMPORT": "cvtpm_ek_gate",
                "KEYLIME_REGISTRAR_PERSISTENT_STORE_URL": f"file://{gate}", "PYTHONPATH": str(HERE)} if gate else {}
        self.start_server("registrar", self.ports.registrar_tls, **more)

    def start_server(self, name, port, **env):
        self.servers[name] = Process(self.keeper, [self.program(f"keylime_{name}")], self.work / f"{name}.log", port,
                                     env=self.env(XDG_RUNTIME_DIR=self.keeper.folder, **env), cwd=self.work)

    def stop_server(self, name):
        server = self.servers.pop(name)
        server.stop()
        with contextlib.suppress(OSError):  # what a server that was killed leaves
            os.unlink(f"/run/keylime/shared_data.{server.process.pid}.sock")

    def log(self, name):
        return (self.work / f"{name}.log").read_text(errors="replace")

    def configure(self, policy=None, **conf):
        """Writes the script's policy and configuration; what is not given trusts the lab of `cvtpm serve --lab`."""
        measurement = (self.lab / "measurement").read_text().strip()
        good = {"measurements": [{"digest": measurement, "isolation": "svsm"}], "lab_roots": ["lab/ark.pem"]}
        good.update(policy or {})
        (self.work / "policy.json").write_text(json.dumps({k: v for k, v in good.items() if v is not None}))
        (self.work / "keylime.conf").write_text(json.dumps(
            {"policy": "policy.json", "certificates": ["lab/certs.pem"], **conf}))

    def tenant_env(self, script=None):
        return self.env(KEYLIME_TENANT_REQUIRE_EK_CERT="False",
                        KEYLIME_TENANT_EK_CHECK_SCRIPT=str(script or self.script))

    def tenant(self, *arguments, script=None):
        """Runs keylime_tenant: (exit status, everything that it printed)."""
        result = subprocess.run([self.program("keylime_tenant"), *map(str, arguments)], env=self.tenant_env(script),
                                cwd=self.work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT)
        return result.returncode, result.stdout.decode(errors="replace")

    def add(self, *policies, script=None):
        return self.tenant("-c", "add", "-v", "127.0.0.1", "-t", "127.0.0.1", "-tp", self.ports.agent, "-u", self.uuid,
                           *policies, script=script)

    def state(self):
        """What the verifier says of the agent, as `keylime_tenant -c cvstatus` prints it (which takes a second, most
        of it to start); {} where it knows none."""
        ca = self.work / "server" / "cv_ca"
        tls = ssl.create_default_context(cafile=ca / "cacert.crt")
        tls.load_cert_chain(ca / "client-cert.crt", ca / "client-private.pem")
        url = f"https://127.0.0.1:{self.ports.verifier}/v2.1/agents/{self.uuid}"
        try:
            with urllib.request.urlopen(url, timeout=LIMIT, context=tls) as answer:
                found = json.load(answer)["results"]
                return {**found, "operational_state": STATES[found["operational_state"]]}
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return {}

    def wait_state(self, wanted, attestations=0):
        """Waits for an operational state (a set of them), and for so many good quotes."""
        end, state = time.monotonic() + LIMIT, {}
        while time.monotonic() < end:
            state = self.state()
            if state.get("operational_state") in wanted and state.get("attestation_count", 0) >= attestations:
                return state
            time.sleep(0.2)
        raise RuntimeError(f"never {wanted}: {state}\n{self.log('verifier')[-3000:]}")

    def delete(self):
        self.tenant("-c", "delete", "-u", self.uuid)
        end = time.monotonic() + LIMIT
        while self.state() and time.monotonic() < end:
            time.sleep(0.3)

    def forget(self):
        """Takes the agent out of the registrar."""
        return self.tenant("-c", "regdelete", "-u", self.uuid)

    def write_environment(self):
        """A file for a shell's `.`, in which keylime_tenant, tpm2-tools and cvtpm work on all this."""
        env = {name: value for name, value in self.tenant_env().items() if os.environ.get(name) != value}
        env.update(TPM2TOOLS_TCTI=self.tcti, WORK=str(self.work), AGENT=self.uuid)
        path = f"{self.program('')}:{self.work}:{self.cvtpm.parent}"
        lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(env.items())]
        (self.work / "env").write_text("\n".join(lines) + f"\nexport PATH={shlex.quote(path)}:$PATH\n")
        return self.work / "env"

    # ---- the machine ----

    def start_tpm(self, *options):
        """`cvtpm serve`: several clients at once, so that PCRs can be extended beside a running agent."""
        self.tpm = Process(self.keeper, [self.cvtpm, "serve", "--lab", "--lab-dir", self.lab, "--mssim", "127.0.0.1:0",
                                         "--startup", "clear", "--pcr-banks", "sha1,sha256", "--flush-on-disconnect",
                                         *options], self.work / "tpm.log")
        self.tpm.wait_until(lambda: "ready:" in self.tpm.text(), "TPM")
        port = re.search(r"mssim 127\.0\.0\.1:(\d+)", self.tpm.text())[1]
        self.tcti = f"mssim:host=127.0.0.1,port={port}"
        self.tpm2("readpublic", "-Q", "-c", RSA_EK, "-o", "ek.pub")
        self.tpm2("nvread", "-Q", RSA_CERTIFICATE, "-o", "ek.der")

    def tpm2(self, tool, *arguments):
        return subprocess.run([f"tpm2_{tool}", *map(str, arguments)], cwd=self.work, check=True, text=True,
                              timeout=LIMIT, capture_output=True,
                              env=dict(os.environ, TPM2TOOLS_TCTI=self.tcti)).stdout

    def boot(self):
        """What firmware and kernel leave behind: an event log, an IMA list, and PCRs extended as they say."""
        (self.work / "ima.list").unlink(missing_ok=True)
        log = subprocess.run([sys.executable, HERE / "evlog.py", self.work / "evlog.bin"], check=True, text=True,
                             capture_output=True)
        for extend in log.stdout.split():
            self.tpm2("pcrextend", extend)
        self.run_binaries("boot_aggregate", "/usr/bin/ls", "/usr/bin/dash")

    def run_binaries(self, *names):
        """IMA measures these files."""
        subprocess.run([sys.executable, HERE / "ima_list.py", "ima.list", *names], cwd=self.work, check=True,
                       timeout=LIMIT, env=dict(os.environ, TPM2TOOLS_TCTI=self.tcti))

    def make_policies(self):
        """runtime.json and mb.json, by Keylime's own tool, from the lists as they are."""
        for command in (["runtime", "-m", "ima.list", "-o", "runtime.json"],
                        ["measured-boot", "-i", "-e", "evlog.bin", "-o", "mb.json"]):
            subprocess.run([*AS_ROOT, self.program("keylime-policy"), "create", *command], cwd=self.work,
                           env=self.env(), check=True, capture_output=True, timeout=LIMIT)
        return ["--runtime-policy", self.work / "runtime.json", "--mb-policy", self.work / "mb.json"]

    def start_agent(self, uuid="hash_ek", registers=True):
        """Starts the agent, which registers, unless it is said to be refused: then its process is returned."""
        common = dict(self.env(), TPM2TOOLS_TCTI=self.tcti, TCTI=self.tcti, KEYLIME_DIR=str(self.work / "agent"),
                      KEYLIME_AGENT_UUID=uuid, KEYLIME_AGENT_RUN_AS="",
                      KEYLIME_AGENT_ENABLE_REVOCATION_NOTIFICATIONS="False")
        ca = self.work / "server" / "cv_ca" / "cacert.crt"
        if self.rust_agent:
            env = dict(common, KEYLIME_AGENT_CONFIG=str(self.keylime / "conf" / "agent.conf"),
                       KEYLIME_AGENT_ENABLE_REVOCATION_NOTIFICATIONS="false",
                       KEYLIME_AGENT_REVOCATION_ACTIONS_DIR=str(self.work / "agent"),
                       KEYLIME_AGENT_TRUSTED_CLIENT_CA=str(ca), KEYLIME_AGENT_IMA_ML_PATH=str(self.work / "ima.list"),
                       KEYLIME_AGENT_MEASUREDBOOT_ML_PATH=str(self.work / "evlog.bin"),
                       RUST_LOG="keylime_agent=info,keylime=info")
            command = [self.rust_agent]
        else:
            if "proxy" not in self.servers:
                self.servers["proxy"] = Process(self.keeper, [sys.executable, HERE / "regproxy.py", self.ports.proxy,
                                                              self.ports.registrar, self.work / "ek.pub"],
                                                self.work / "proxy.log", self.ports.proxy)
            bin66 = self.keylime / "ve-6.6.0" / "bin"
            # With "generate", its default, this agent sets passwords on owner and endorsement hierarchies, and takes
            # persistent keys out of their place. It writes tpmdata.yml without cutting off what was longer before,
            # and cannot read that at its next start; nothing in the file is of use then.
            (self.work / "agent" / "tpmdata.yml").unlink(missing_ok=True)
            env = dict(common, KEYLIME_TEST="on", PATH=f"{bin66}:{os.environ['PATH']}",
                       KEYLIME_AGENT_EK_HANDLE=RSA_EK, KEYLIME_AGENT_TPM_OWNERPASSWORD="",
                       KEYLIME_AGENT_CONFIG=str(self.keylime / "conf66" / "agent.conf"),
                       KEYLIME_AGENT_TRUSTED_CLIENT_CA=f"['{ca}']", KEYLIME_AGENT_REGISTRAR_PORT=str(self.ports.proxy),
                       IMA_ML=str(self.work / "ima.list"), MB_ML=str(self.work / "evlog.bin"))
            command = [bin66 / "python", HERE / "agent66.py"]
        self.agent = Process(self.keeper, command, self.work / "agent.log", self.ports.agent if registers else None,
                             env=env, cwd=self.work)
        if not registers:
            return self.agent
        # Its port answers before the registrar has heard of it.
        self.agent.wait_until(lambda: "activated" in self.agent.text(), "agent's activation")
        found = re.search(r"Agent UUID: (\S+)", self.agent.text())
        self.uuid = found[1] if found else uuid
        return self.agent

    def stop_agent(self):
        agent, self.agent = self.agent, None
        if agent:
            agent.stop()

    def stop_machine(self):
        self.stop_agent()
        tpm, self.tpm = self.tpm, None
        if tpm:
            tpm.stop()
            if re.search("Sanitizer|runtime error:", tpm.text()):  # of a build that looks for such things
                raise RuntimeError(tpm.text())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--keylime", default="build/keylime", help="the folder of keylime/setup (default: %(default)s)")
    parser.add_argument("--cvtpm", default="build/release/cvtpm", help="(default: %(default)s)")
    parser.add_argument("--work", help="a folder for logs and databases, which stays (default: a new one)")
    parser.add_argument("--gate", action="store_true", help="have the registrar judge evidence, too (cvtpm_ek_gate.py)")
    options = parser.parse_args()
    if not os.access(options.cvtpm, os.X_OK):
        return f"{options.cvtpm} is no program: build it with `make all`, or name it with --cvtpm"
    if subprocess.run([HERE / "setup", options.keylime]).returncode:
        return "no Keylime"
    work = options.work or tempfile.mkdtemp(prefix="cvtpm-keylime-")
    with Site(work, options.keylime, options.cvtpm, os.environ.get("KEYLIME_AGENT")) as site:
        print(f"logs, databases, policies: {site.work}")
        site.start_servers(gate=site.script if options.gate else None)
        print(f"verifier on port {site.ports.verifier}, registrar on {site.ports.registrar_tls}")
        site.start_tpm()
        site.boot()
        print(f"a machine has booted; its TPM: {site.tcti}")
        site.configure()
        site.start_agent()
        environment = site.write_environment()
        print(f"its agent has registered: {site.uuid}")
        status, out = site.add(*site.make_policies())
        print("\n".join(line.split(" - ", 3)[-1] for line in out.splitlines()
                        if "ek_check output" in line or "with script" in line))
        if status:
            return f"add failed:\n{out}"
        state = site.wait_state({"Get Quote"}, 1)
        print(f"the verifier: {state['operational_state']}, {state['attestation_count']} good quotes")
        print(f"to try things, in another shell:  . {environment}\nCtrl-C ends all")
        try:
            select.select([], [], [])
        except KeyboardInterrupt:
            print()
    if not options.work:
        shutil.rmtree(work)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RuntimeError as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        sys.exit(130)
