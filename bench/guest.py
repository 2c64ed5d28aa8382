#!/usr/bin/python3
"""How long a TPM command takes for a stock Linux guest, by the doors to the TPM.

usage: guest.py [--engine NAME] [--rounds N] [--count N] [--json FILE]

One run: a guest for each door, all of the same kernel, initramfs and size, all up at once and idle but for
the one that is asked; round by round each is asked in turn. Emulation (TCG) makes guests slow, hence
compare doors, not microseconds with other machines'. How to read it: docs/bench.md.
"""
import argparse
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "guest")]
import cvtpm_test as ct  # noqa: E402
import doors  # noqa: E402
import guest as g  # noqa: E402

# The driver looks at START once, and then sleeps 700 to 1,000 us before it looks again (tpm_msleep(1) in
# drivers/char/tpm): what took less was answered before its first look.
FIRST_LOOK_NS = 700_000
DOORBELL, SWTPM = "door 1, doorbell", "QEMU + swtpm"


@contextlib.contextmanager
def page(folder, method, engine):
    door = doors.Page(folder, method=method)
    with door.serve("--engine", engine):
        yield door.door, door.how


@contextlib.contextmanager
def control(folder, engine):
    with doors.serve_control(folder / "ctrl", "--engine", engine):
        yield doors.emulator(folder / "ctrl"), {}


@contextlib.contextmanager
def swtpm(folder):
    command = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder}", "--ctrl", f"type=unixio,path={folder}/ctrl",
               "--terminate"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        ct.wait_until((folder / "ctrl").exists, "swtpm")
        yield doors.emulator(folder / "ctrl"), {}
    finally:
        process.terminate()
        process.wait()


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def summary(values):
    return {"count": len(values), "mean_us": statistics.mean(values) / 1000,
            "p50_us": statistics.median(values) / 1000, "p90_us": percentile(values, 0.9) / 1000,
            "before_first_look": sum(v < FIRST_LOOK_NS for v in values) / len(values)}


def measure(guests, what, rounds, count):
    """Nanoseconds by door."""
    found = {name: [] for name in guests}
    for number in range(rounds):
        names = list(guests)
        for name in names[number % len(names):] + names[:number % len(names)]:
            said = g.values(guests[name].run(f"guest latency /dev/tpm0 {what} {count}"))
            found[name] += map(int, said["ns"])
    return found


def show(title, found):
    reference = found[SWTPM]["p50_us"]
    print(f"\n{title:<28}{'p50 us':>9}{'p90 us':>9}{'mean us':>9}{'ratio':>8}{'before the first look':>24}")
    for name, s in found.items():
        print(f"  {name:<26}{s['p50_us']:>9.0f}{s['p90_us']:>9.0f}{s['mean_us']:>9.0f}{reference / s['p50_us']:>7.1f}x"
              f"{100 * s['before_first_look']:>22.0f} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--engine", default="libtpms")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--count", type=int, default=200, help="commands of each round")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    try:
        images = g.Images()
    except g.Missing as e:
        sys.exit(f"bench-guest: {e}")

    load, processors = os.getloadavg()[0], os.cpu_count()
    print(f"load {load:.1f} on {processors} processors" +
          (": busy, so that these numbers say little; wait for a quiet machine" if load > processors else ""))
    ways = {DOORBELL: lambda folder: page(folder, 8, options.engine),
            "door 1, polled": lambda folder: page(folder, 7, options.engine),
            "door 2, QEMU + cvtpm": lambda folder: control(folder, options.engine),
            SWTPM: swtpm}
    with contextlib.ExitStack() as stack:
        base = pathlib.Path(tempfile.mkdtemp(prefix="cv"))
        stack.callback(shutil.rmtree, base, ignore_errors=True)
        initramfs = images.initramfs(base / "initrd.gz")
        guests = {}
        for number, (name, way) in enumerate(ways.items()):
            folder = base / str(number)
            folder.mkdir(mode=0o700)
            door, how = stack.enter_context(way(folder))
            guests[name] = stack.enter_context(g.Guest(folder, images.kernel, initramfs, door=door, **how))
        found = {}
        for what, title in (("pcr-read", "PCR_Read"), ("quote", "Quote, P-256")):
            measured = measure(guests, what, options.rounds, options.count)
            found[what] = {name: summary(values) for name, values in measured.items()}
            show(title, found[what])
    read = found["pcr-read"]
    ratio = read[SWTPM]["p50_us"] / read[DOORBELL]["p50_us"]
    print(f"\nPCR_Read by the doorbell, engine {options.engine}: {ratio:.1f} times as fast as QEMU + swtpm at p50; "
          f"{100 * read[DOORBELL]['before_first_look']:.0f} % answered before the driver's first look")
    if options.json:
        said = {"engine": options.engine, "load": load, **found}
        pathlib.Path(options.json).write_text(json.dumps(said, indent=1) + "\n")


if __name__ == "__main__":
    main()
