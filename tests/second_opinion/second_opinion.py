"""A second opinion: do verifiers of other people answer as `cvtpm verify` does?

usage: second_opinion.py [--others FOLDER] [--flip]

CVTPM, CVTPM_LAB_EVIDENCE, CVTPM_MAKE_CERTIFICATES and CVTPM_SVSM_EVIDENCE name our programs. Prints
one line for each case, then what could not be run and why, what failed, and last the count. See
docs/second-opinion.md.
"""
import argparse
import concurrent.futures
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "verify"), os.path.join(HERE, "..", "support")]

import evidence
import flips
import obtain
import svsm
import verifiers
import wrappers
from disagreements import DISAGREEMENTS


class Count:
    """What passed, failed and was skipped; a failure and a reason to skip in words."""

    def __init__(self):
        self.passed, self.failures, self.skipped = 0, [], 0

    def add(self, good, words):
        if good:
            self.passed += 1
        else:
            self.failures.append(words)

    def line(self):
        return f"{self.passed} passed, {len(self.failures)} failed, {self.skipped} skipped"


# ---- reports ----

def judge(case, folder, programs):
    """Everybody's (answer, words) on a case; None in place of one who is not there."""
    files = verifiers.Files(case, folder)
    found = {}
    for name in ("cvtpm", *verifiers.ALL):
        if name != "cvtpm" and not verifiers.judges(name, case):
            continue
        ask = verifiers.cvtpm if name == "cvtpm" else verifiers.ALL[name]
        try:
            found[name] = ask(programs[name], case, files) if name in programs else None
        except verifiers.Fault as e:
            found[name] = ("fault", str(e))
    return found


def compare_ours(case, found, count):
    ours, ids = found["cvtpm"]
    want = case.ours or case.expect
    good = ours == want and (not case.refuses or case.refuses in ids.split())
    count.add(good, f"{case.name}: cvtpm says {ours} ({ids}), expected {want} {case.refuses or ''}")


def compare_theirs(case, name, found, table, count):
    if found is None:
        count.skipped += 1
        return
    theirs, words = found
    listed = table.get((case.name, name))
    if listed is None:
        count.add(theirs == case.expect, f"{case.name}: {name} says {theirs}, expected {case.expect}: {brief(words)}")
        if theirs == case.expect == "no" and name in ("check", "peer") and case.words is not None:
            count.add(case.words in words, f"{case.name}: {name} refuses for another reason: {brief(words)}")
        return
    count.add(theirs == listed[0] != case.expect,
              f"{case.name}: {name} says {theirs}; the table of disagreements has {listed[0]} ({listed[1]})")


def brief(words):
    return " ".join(words.split())[-300:]


def show(case, found):
    says = [f"{name} {'not run' if f is None else f[0]}" for name, f in found.items()]
    print(f"{case.name}: {', '.join(says)}", flush=True)


def compare(cases, programs, folder, count):
    rows = [((case, name), (theirs, why)) for name, theirs, why, its in DISAGREEMENTS for case in its]
    table = dict(rows)
    count.add(len(table) == len(rows), "the table of disagreements names a case twice for one verifier")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [(c, pool.submit(judge, c, os.path.join(folder, str(i)), programs)) for i, c in enumerate(cases)]
        judged = [(case, job.result()) for case, job in jobs]
    both = 0
    for case, found in judged:
        show(case, found)
        compare_ours(case, found, count)
        for name in found.keys() - {"cvtpm"}:
            compare_theirs(case, name, found[name], table, count)
        both += all((found.get(n) or ("",))[0] == "no" for n in ("cvtpm", "check"))
    for case, name in table.keys() - {(c.name, n) for c, found in judged for n in found}:
        count.add(False, f"{case}: in the table of disagreements, but {name} does not judge such a case")
    if "check" in programs:
        count.add(both >= 12, f"only {both} faults are refused by cvtpm and by check")


# ---- the program ----

OURS = {"cvtpm": "CVTPM", "lab_evidence": "CVTPM_LAB_EVIDENCE", "make_certificates": "CVTPM_MAKE_CERTIFICATES",
        "svsm_evidence": "CVTPM_SVSM_EVIDENCE"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--others", default=os.path.join(HERE, "..", "..", "build", "second-opinion"),
                        help="where programs of other people are kept")
    parser.add_argument("--flip", action="store_true", help="flip each bit of reports instead: minutes")
    a = parser.parse_args()
    programs = {name: os.path.abspath(os.environ[variable]) for name, variable in OURS.items()}
    found, missing, broken = obtain.everything(os.path.abspath(a.others))
    programs.update(found, openssl="openssl")
    count = Count()
    with tempfile.TemporaryDirectory(prefix="cvtpm-opinion-") as folder:
        if a.flip:
            flips.compare(programs, folder, count)
        else:
            cases = [*evidence.genuine(), *evidence.amdsp(programs["lab_evidence"], folder), *evidence.lab_cases()]
            compare(cases, programs, os.path.join(folder, "cases"), count)
            for what, run in (("message wrappers", lambda: wrappers.compare(programs, folder, count)),
                              ("SVSM", lambda: svsm.compare(programs, os.path.join(folder, "svsm"), count))):
                try:
                    run()
                except (AssertionError, OSError, subprocess.SubprocessError) as e:
                    count.add(False, f"{what}: {brief(str(e))}")
    print()
    for name, why in missing.items():
        print(f"{name}: not run: {why}")
    for name, why in broken.items():
        count.add(False, f"{name}: {why}")
    for failure in count.failures:
        print("failed: " + failure)
    print(count.line())
    return 1 if count.failures else 0


if __name__ == "__main__":
    sys.exit(main())
