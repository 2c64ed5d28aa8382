"""A libvirt of our own: the QEMU driver inside one virsh process, everything below one folder.

No libvirtd, no systemd, nothing of /etc/libvirt. The domains end with it. Commands go to virsh's standard input.
"""
import base64
import copy
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import uuid

import guest as g

LIMIT = 300

# As root libvirt would change users, use control groups and look for virtlogd.
QEMU_CONF = """security_driver = "none"
user = "root"
group = "root"
swtpm_user = "root"
swtpm_group = "root"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
"""
USER_CONF = """security_driver = "none"
namespaces = [ ]
stdio_handler = "file"
"""

DOMAIN = """<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='MiB'>256</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{kernel}</kernel>
    <initrd>{initramfs}</initrd>
    <cmdline>console=ttyS0 panic=-1 quiet</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='maximum'/>
  <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <serial type='file'><source path='{serial}' append='on'/><target port='0'/></serial>
    <channel type='unix'><source mode='bind'/><target type='virtio' name='agent'/></channel>
    {disk}
    <tpm model='{model}'><backend type='emulator' version='2.0'>{backend}</backend></tpm>
  </devices>
</domain>
"""


class Host:
    """libvirt with the programs of `path` first in PATH; a context manager. `user` is (name, uid, gid) of whom it
    shall run as."""

    def __init__(self, path=None, user=None):
        # Short: Unix sockets are below it.
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="lv", dir=os.environ.get("TMPDIR", "/tmp")))
        self.root.chmod(0o755)
        self.environment, self.become = dict(os.environ), {}
        if path:
            self.environment["PATH"] = f"{path}:{os.environ['PATH']}"
        if user:
            os.chown(self.root, *user[1:])
            self.environment.update(USER=user[0], HOME=str(self.root), XDG_RUNTIME_DIR=f"{self.root}/run",
                                    XDG_CONFIG_HOME=f"{self.root}/config", XDG_CACHE_HOME=f"{self.root}/cache")
            self.become = {"user": user[1], "group": user[2], "extra_groups": []}
        self.transcript, self.count = [], 0
        self.begin(user)
        self.run("version")

    def begin(self, user):
        self.write_settings(self.root / "etc", USER_CONF if user else QEMU_CONF, user)
        self.state, self.log = self.root / "lib" / "swtpm", self.root / "log" / "swtpm"
        self.pids = self.root / "run" / "swtpm"
        self.channels = self.root / "lib" / "qemu" / "channel" / "target"
        self.virsh(f"qemu:///embed?root={self.root}")

    @staticmethod
    def write_settings(folder, text, user):
        """qemu.conf in a folder that is made, with those above it, for the user."""
        made = [p for p in (folder, *folder.parents) if not p.exists()]
        folder.mkdir(parents=True)
        (folder / "qemu.conf").write_text(text)
        for path in made:
            if user:
                os.chown(path, *user[1:])

    def popen(self, command, **others):
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, env=self.environment, bufsize=1, **self.become, **others)

    def virsh(self, uri):
        self.process = self.popen(["stdbuf", "-oL", "virsh", "-c", uri])

    def attempt(self, *words):
        """What virsh says to one command."""
        self.count += 1
        mark = f"end-of-command-{self.count}"
        line = " ".join(f"'{w}'" if any(c in " ,=" for c in str(w)) else str(w) for w in words)
        self.process.stdin.write(f"{line}\necho {mark}\n")
        self.process.stdin.flush()
        said = []
        while True:
            text = self.process.stdout.readline()
            if not text:
                raise AssertionError(f"virsh has ended: {''.join(self.transcript + said)}")
            if text.strip() == mark:
                break
            if not text.startswith("virsh # "):  # it repeats what it reads
                said.append(text)
        said = "".join(said).strip()
        self.transcript.append(f"$ {line}\n{said}\n")
        return said

    def run(self, *words):
        said = self.attempt(*words)
        assert "error:" not in said, f"{' '.join(map(str, words))}: {said}"
        return said

    def define(self, kernel, initramfs, model="tpm-crb", backend="", disk=False):
        return Domain(self, kernel, initramfs, model, backend, disk)

    def secret(self, text, number=None):
        """Makes a secret for a TPM, with a UUID of its own or this; its UUID. The embedded driver has none."""
        number = number or str(uuid.uuid4())
        xml = self.root / f"{number}.xml"
        xml.write_text(f"<secret ephemeral='no' private='yes'><uuid>{number}</uuid><description>for a TPM</description>"
                       f"<usage type='vtpm'><name>{number}</name></usage></secret>")
        self.run("secret-define", xml)
        value = self.root / f"{number}.value"
        value.write_text(base64.b64encode(text).decode())
        self.run("secret-set-value", number, "--file", value)
        value.unlink()
        return number

    def close(self):
        for name in self.attempt("list", "--name").split():
            self.attempt("destroy", name)
        self.process.stdin.close()
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.root, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            print("".join(self.transcript))
        self.close()


class Session(Host):
    """The same with a libvirtd of an ordinary user's: it has secrets."""

    def begin(self, user):
        self.write_settings(self.root / "config" / "libvirt", USER_CONF, user)
        # Two of them on one machine are two machines to libvirt, or it refuses to migrate.
        settings = self.root / "config" / "libvirt" / "libvirtd.conf"
        settings.write_text(f'host_uuid = "{uuid.uuid4()}"\n')
        (self.root / "run").mkdir(mode=0o700)
        os.chown(self.root / "run", *user[1:])
        self.state = self.root / "config" / "libvirt" / "qemu" / "swtpm"
        self.log = self.root / "cache" / "libvirt" / "qemu" / "log"
        self.pids = self.root / "run" / "libvirt" / "qemu" / "run" / "swtpm"
        self.channels = self.root / "config" / "libvirt" / "qemu" / "channel" / "target"
        self.daemon = self.popen(["libvirtd", "-f", str(settings)])
        self.daemon_log = []
        threading.Thread(target=lambda: self.daemon_log.extend(self.daemon.stdout), daemon=True).start()
        end = time.monotonic() + LIMIT
        while not (self.root / "run" / "libvirt" / "libvirt-sock").exists():
            assert self.daemon.poll() is None and time.monotonic() < end, "".join(self.daemon_log)
            time.sleep(0.1)
        self.virsh("qemu:///session")

    @property
    def uri(self):
        """How another one reaches it."""
        return f"qemu+unix:///session?socket={self.root}/run/libvirt/libvirt-sock"

    def close(self):
        super().close()
        self.daemon.terminate()
        try:
            self.daemon.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
        shutil.rmtree(self.root, ignore_errors=True)


class Domain:
    """One machine of the host's, and, while it runs, its guest."""
    count = 0

    def __init__(self, host, kernel, initramfs, model, backend, disk):
        Domain.count += 1
        self.host, self.name, self.uuid = host, f"vm{Domain.count}", str(uuid.uuid4())
        self.serial = host.root / f"{self.name}.console"
        text = ""
        if disk:
            image = host.root / f"{self.name}.qcow2"
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "64M"], check=True)
            text = (f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{image}'/>"
                    "<target dev='vda' bus='virtio'/></disk>")
        self.xml = host.root / f"{self.name}.xml"
        self.xml.write_text(DOMAIN.format(name=self.name, uuid=self.uuid, kernel=kernel, initramfs=initramfs,
                                     serial=self.serial, model=model, backend=backend, disk=text))
        host.run("define", self.xml)
        self.guest = None

    @property
    def state(self):
        """Where libvirt keeps its TPM."""
        return self.host.state / self.uuid / "tpm2"

    @property
    def log(self):
        return (self.host.log / f"{self.name}-swtpm.log").read_text()

    @property
    def channel(self):
        """The socket that leads into the guest; libvirt names it."""
        found, = self.host.channels.glob(f"domain-*-{self.name}/agent")
        return found

    @property
    def tpm_pid(self):
        found = list(self.host.pids.glob(f"*-{self.name}-swtpm.pid"))
        assert len(found) == 1, found
        return int(found[0].read_text())

    def start(self, *how):
        self.host.run("start", self.name, *how)
        return self.connect(up=True)

    def connect(self, up=False):
        """The guest, after a start (`up`: it boots) or a restore."""
        self.guest = DomainGuest(self, up)
        return self.guest

    def virsh(self, command, *words):
        return self.host.run(command, self.name, *words)

    def moved(self, host):
        """It has been migrated there."""
        other = copy.copy(self)
        other.host = host
        return other

    @property
    def running(self):
        return self.host.attempt("domstate", self.name) == "running"

    def remove(self, *how):
        if self.running:
            self.virsh("destroy")
        return self.virsh("undefine", *(how or ("--tpm",)))


class DomainGuest(g.Guest):
    """The host's hand in a guest that libvirt runs."""

    def __init__(self, domain, up):
        self.domain, self.log, self.qmp = domain, domain.serial, None
        end = time.monotonic() + LIMIT
        self.agent = socket.socket(socket.AF_UNIX)
        self.agent.settimeout(LIMIT)
        while True:
            try:
                self.agent.connect(str(domain.channel))
                break
            except (OSError, ValueError):
                assert time.monotonic() < end, "no channel to the guest"
                time.sleep(0.05)
        if up:
            self.wait_up()

    def said(self):
        return "".join(self.domain.host.transcript[-5:]) + self.log.read_text(errors="replace")[-3000:]
