"""Getting the programs of other people: by their ordinary clients, at pinned versions, once.

Each function gives the paths of its programs below the folder it is given. Missing: this machine has
no client or no network, and what depends on them is not run. Broken: everything was there, and what
is ours does not build.
"""
import hashlib
import os
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
PEER = os.path.join(HERE, "..", "peer")
CHECK = "github.com/google/go-sev-guest/tools/check"
SNPGUEST = "0.11.0"


class Missing(Exception):
    """Why something cannot be had."""


class Broken(Exception):
    """What does not build."""


def step(error, *command, cwd=None, **env):
    done = subprocess.run(command, cwd=cwd, env=dict(os.environ, **env), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    if done.returncode:
        words = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise error(f"`{' '.join(command[:3])}` failed: {words[-1] if words else done.returncode}")
    return done.stdout


def client(name, language):
    if not shutil.which(name):
        raise Missing(f"no {language} on this machine (`{name}`)")


def go(folder):
    """go-sev-guest's check, and our peer; go.mod and go.sum pin both."""
    client("go", "Go")
    step(Missing, "go", "mod", "download", cwd=PEER)
    found = {}
    for name, package in (("check", CHECK), ("peer", ".")):
        found[name] = os.path.join(folder, "bin", name)
        step(Broken, "go", "build", "-mod=readonly", "-buildvcs=false", "-o", found[name], package, cwd=PEER)
    return found


def svsm(folder):
    """Our program around go-tpm-tools: a module of its own, with newer packages than the peer's."""
    client("go", "Go")
    module = os.path.join(PEER, "svsm")
    step(Missing, "go", "mod", "download", cwd=module)
    path = os.path.join(folder, "bin", "svsm")
    step(Broken, "go", "build", "-mod=readonly", "-buildvcs=false", "-o", path, ".", cwd=module)
    return {"svsm": path}


def snpguest(folder):
    root = os.path.join(folder, "snpguest")
    path = os.path.join(root, "bin", "snpguest")
    if os.path.exists(path) and SNPGUEST in step(Missing, path, "--version").split():
        return {"snpguest": path}
    client("cargo", "Rust")
    print(f"obtaining snpguest {SNPGUEST}: once, some minutes", flush=True)
    step(Missing, "cargo", "install", "snpguest", "--version", SNPGUEST, "--locked", "--force", "--root", root)
    return {"snpguest": path}


def fingerprint(paths):
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as f:
            digest.update(f.read())
    return digest.hexdigest()


def write_lock(folder, template):
    """The pinned versions and checksums of Cargo.lock.in, for whatever registry this machine uses."""
    step(Missing, "cargo", "generate-lockfile", cwd=folder)
    with open(os.path.join(folder, "Cargo.lock")) as f:
        sources = {line.split('"')[1] for line in f if line.startswith("source = ")}
    if len(sources) != 1:
        raise Missing(f"packages of {len(sources)} registries")
    with open(template) as f:
        text = f.read().replace("@registry@", sources.pop())
    with open(os.path.join(folder, "Cargo.lock"), "w") as f:
        f.write(text)


def cmw_read(folder):
    """Our reader around veraison's crate."""
    ours = os.path.join(PEER, "cmw-rs")
    files = [os.path.join(ours, name) for name in ("Cargo.toml", "Cargo.lock.in", "src/main.rs")]
    build = os.path.join(folder, "cmw-rs")
    path, stamp = os.path.join(build, "target", "debug", "cmw-read"), os.path.join(build, "built-from")
    if os.path.exists(path) and os.path.exists(stamp):
        with open(stamp) as f:
            if f.read() == fingerprint(files):
                return {"cmw-read": path}
    client("cargo", "Rust")
    print("building the reader around the crate cmw: once, some minutes", flush=True)
    os.makedirs(os.path.join(build, "src"), exist_ok=True)
    shutil.copy(files[0], build)
    shutil.copy(files[2], os.path.join(build, "src"))
    write_lock(build, files[1])
    step(Missing, "cargo", "fetch", "--locked", cwd=build)
    step(Broken, "cargo", "build", "--locked", "--offline", cwd=build, CARGO_TARGET_DIR=os.path.join(build, "target"))
    with open(stamp, "w") as f:
        f.write(fingerprint(files))
    return {"cmw-read": path}


PARTS = {"check": go, "peer": go, "svsm": svsm, "snpguest": snpguest, "cmw-read": cmw_read}


def everything(folder):
    """(paths by name, reasons of what is missing by name, messages of what is broken by name)"""
    os.makedirs(os.path.join(folder, "bin"), exist_ok=True)
    found, missing, broken = {}, {}, {}
    for get in dict.fromkeys(PARTS.values()):
        names = [name for name, part in PARTS.items() if part is get]
        try:
            found.update(get(folder))
        except Missing as e:
            missing.update((name, str(e)) for name in names)
        except Broken as e:
            broken.update((name, str(e)) for name in names)
    return found, missing, broken
