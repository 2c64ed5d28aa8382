"""Test suites of other people's client libraries, run as they are against the engine.

Each package of theirs is one test here: what it runs must succeed, but for the names below, each with its reason; and one of
these names that succeeds is no longer one. The modules come from the Go module proxy, pinned by go.sum.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
os.environ.setdefault("CVTPM_TEST_ENGINE", "native")
sys.path.insert(0, str(HERE.parent / "support"))
from cvtpm_test import CVTPM, ENGINE  # noqa: E402
from swtpm_test import free_port  # noqa: E402

if not shutil.which("go"):
    pytest.skip("go is not installed", allow_module_level=True)

TIMEOUT = 1800
CANONICAL = "github.com/canonical/go-tpm2"
GOOGLE = "github.com/google/go-tpm"

# Of both engines.
FAILS = {
    CANONICAL: {f"objectSuite.TestCreate{test}": "wants private areas with five numbers of an RSA key, as the newest reference has"
                for test in ("RSA", "WithCreationPCR", "WithOutsideInfo", "WithParentAuthSession", "WithParentPWSession")},
    f"{CANONICAL}/policyutil": {
        "policyExecuteSuite.TestPolicySecretWithNV": "counts on an index that it has not written into the policy's session",
        **{f"policySuiteNoTPM.TestAuthorizePolicy{test}": "no TPM; counts on what an older Go signs with ECDSA"
           for test in ("", "DifferentKey", "DifferentPolicyAlgorithm", "DifferentSigningAlgorithm", "MultipleAlgs",
                        "NoPolicyRef")}},
    f"{GOOGLE}/tpm2/test": {"TestTestParms/rsa3072_-_unsupported": "is supported here"},
}
# Of the native engine besides: what it has not is in docs/spec-coverage.md.
NATIVE = {
    CANONICAL: {
        "capabilitiesSuite.TestGetCapabilityAlgs1": "no EC Schnorr", "capabilitiesSuite.TestGetCapabilityAlgs2": "no EC Schnorr",
        "capabilitiesSuite.TestGetCapabilityTPMProperties1": "TPM_PT_CONTEXT_GAP_MAX is beyond 65535",
        "capabilitiesSuite.TestGetManufacturer": "knows five manufacturers"},
    f"{GOOGLE}/tpm2/test": {
        "TestCommit": "no BN P-256", "TestTestParms/rsa4096_-_unsupported": "is supported here"},
}
# Packages, and how many tests each must have run to count.
PACKAGES = {CANONICAL: 800, f"{CANONICAL}/policyutil": 250, f"{CANONICAL}/objectutil": 100, f"{CANONICAL}/util": 90,
            f"{CANONICAL}/cryptutil": 10, f"{GOOGLE}/tpm2/test": 250, f"{GOOGLE}/legacy/tpm2/test": 120}


def go(*arguments, check=True, **others):
    done = subprocess.run(["go", *arguments], cwd=HERE, capture_output=True, text=True, timeout=TIMEOUT, **others)
    assert not check or done.returncode == 0, f"go {arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done


@pytest.fixture(scope="module")
def modules():
    if go("mod", "download", check=False).returncode:
        pytest.skip("the modules cannot be had (network)")


@pytest.fixture
def environment(tmp_path):
    """With a program tpm2-simulator, which go-tpm2 starts: [-m] [-e] PORT."""
    program = tmp_path / "tpm2-simulator"
    program.write_text(f'#!/bin/sh\nfor port; do :; done\nexec {CVTPM} serve --engine {ENGINE} --mssim "127.0.0.1:$port" --ek p256 '
                       "--pcr-banks sha1,sha256,sha384,sha512 2>/dev/null\n")
    program.chmod(0o755)
    return dict(os.environ, CVTPM=CVTPM, XDG_RUNTIME_DIR=str(tmp_path), PATH=f"{tmp_path}:{os.environ['PATH']}")


def results(text):
    """The names that passed, and those that failed, of a run's output; not the names that only sum up."""
    passed = set(re.findall(r"^PASS: \S+ (\S+)|^\s*--- PASS: (\S+)", text, re.M))
    failed = set(re.findall(r"^(?:FAIL|PANIC|MISS): \S+ (\S+)|^\s*--- FAIL: (\S+)", text, re.M))
    passed, failed = ({a or b for a, b in found} for found in (passed, failed))
    if any("." in name for name in failed):
        failed.discard("Test")  # go-check's, of all of its suites
    return passed, {name for name in failed if not any(other.startswith(name + "/") for other in failed)}


@pytest.mark.parametrize("package", PACKAGES)
def test_suite(package, environment, modules, tmp_path):
    go("test", "-vet=off", "-c", "-o", str(tmp_path / "suite"), package)
    options = ["-test.v"]
    if package.startswith(CANONICAL):
        options += ["-check.v", "-use-mssim", "-mssim-port", str(free_port())]
    folder = go("list", "-f", "{{.Dir}}", package).stdout.strip()
    done = subprocess.run([tmp_path / "suite", *options], cwd=folder, env=environment, capture_output=True, text=True,
                          errors="replace", timeout=TIMEOUT)
    passed, failed = results(done.stdout)
    print(f"{package}: {len(passed)} passed, {len(failed)} failed as expected")
    expected = {**FAILS.get(package, {}), **(NATIVE.get(package, {}) if ENGINE == "native" else {})}
    assert failed == set(expected), done.stdout[-20000:]
    assert len(passed) >= PACKAGES[package]
