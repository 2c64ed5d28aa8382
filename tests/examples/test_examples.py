"""The examples do what docs/firmware.md says of them."""
import os
import pathlib
import subprocess

CVTPM, EXAMPLE = os.environ["CVTPM"], os.environ["CVTPM_EXAMPLE_SVSM"]


def verify(lab, measurement):
    return subprocess.run([CVTPM, "verify", "--ek-cert", lab / "ek.der", "--certs", lab / "certs.pem",
                           "--lab-root", lab / "ark.pem", "--measurement", measurement], capture_output=True, text=True)


def test_an_svsm_proves_its_tpm(tmp_path):
    lab = tmp_path / "lab"
    done = subprocess.run([EXAMPLE, lab], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "guest: index 01C0000A" in done.stdout
    measurement = (lab / "measurement").read_text().strip()
    said = verify(lab, measurement)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "verdict: yes" in said.stdout
    assert verify(lab, "00" * 48).returncode == 1, "another image"


def test_its_firmware_part_sees_public_headers_alone():
    paths = list((pathlib.Path(__file__).resolve().parents[2] / "examples" / "svsm").glob("tpm.[ch]"))
    assert len(paths) == 2
    for path in paths:
        for line in path.read_text().splitlines():
            if line.startswith("#include"):
                assert line.split()[1].strip('"<>') in ("tpm.h", "stddef.h", "stdint.h", "stdbool.h") or \
                    line.startswith('#include "cvtpm/'), line


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    done = subprocess.run([EXAMPLE, tmp_path / "file" / "lab"], capture_output=True, text=True)
    assert done.returncode == 2 and "file/lab" in done.stderr
