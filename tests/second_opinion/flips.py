"""Each bit of a report, flipped: is each flip refused, by go-sev-guest and by us?"""
import concurrent.futures
import os
import subprocess

import evidence
import verifiers

REPORTS = ["go-sev-guest/attestation", "coco-trustee/evidence-v1", "coco-trustee/evidence-genoa"]


def theirs(program, case, files):
    done = subprocess.run([program, "flip", *map(str, verifiers.peer_flags(case, files)), files.extended],
                          capture_output=True, text=True)
    if done.returncode:
        raise verifiers.Fault(done.stderr)
    return set(done.stdout.splitlines())


def accepted(program, case, files, bit, path):
    report = bytearray(case.report)
    report[bit // 8] ^= 1 << bit % 8
    with open(path, "wb") as f:
        f.write(report)
    command = [path if part == files.report else part for part in verifiers.cvtpm_command(program, case, files)]
    return verifiers.answer(command, yes=(0,), no=(1, 3))[0] == verifiers.YES


def ours(program, case, files):
    """The flips that are not refused. A report whose signer is flipped to a VLEK lacks a certificate: no yes."""
    def one(bit):
        path = os.path.join(files.folder, f"flip-{bit}")
        found = accepted(program, case, files, bit, path)
        os.remove(path)
        return f"0x{bit // 8:03x} bit {bit % 8}" if found else None

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return set(pool.map(one, range(len(case.report) * 8))) - {None}


def compare(programs, folder, count):
    cases = [c for c in evidence.genuine() if c.name in REPORTS]
    for i, case in enumerate(cases):
        files = verifiers.Files(case, os.path.join(folder, str(i)))
        we = ours(programs["cvtpm"], case, files)
        count.add(not we, f"{case.name}: cvtpm accepts {sorted(we)}")
        words = f"{case.name}: {len(case.report) * 8} flips: cvtpm accepts {len(we)}"
        if "peer" in programs:
            they = theirs(programs["peer"], case, files)
            words += f", go-sev-guest accepts {len(they)}: {', '.join(sorted(they)) or 'none'}"
        else:
            count.skipped += 1
            words += ", go-sev-guest not run"
        print(words, flush=True)
