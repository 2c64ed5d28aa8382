"""`cvtpm acpi` against iasl: the same bytes as from the ASL source beside this file, and tables that decompile."""
import json
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cvtpm_test import run

HERE = os.path.dirname(os.path.abspath(__file__))
GIB4 = 1 << 32

# (name, options of cvtpm acpi, page, localities, doorbell port, PPI address)
CONFIGURATIONS = [
    ("method 7 low", ["--page-base", "0xF000000", "-m", "7"], 0xF000000, 1, None, None),
    ("method 7 high", ["--page-base", "4G", "--start-method", "7"], GIB4, 1, None, None),
    ("method 7 low, PPI", ["--page-base", "0xF000000", "-m", "7", "--ppi"], 0xF000000, 1, None, 0xF005000),
    ("method 8 high", ["--page-base", "4G"], GIB4, 1, 0x505, None),
    ("method 8 low", ["--page-base", "0xF000000"], 0xF000000, 1, 0x505, None),
    ("method 8 low, PPI", ["--page-base", "0xF000000", "--ppi"], 0xF000000, 1, 0x505, 0xF005000),
    ("method 8 low, PPI elsewhere", ["--page-base", "240M", "--ppi", "--ppi-offset", "64K", "--port", "0x99"],
     240 << 20, 1, 0x99, (240 << 20) + 0x10000),
    ("all localities", ["--page-base", "0x140000000", "--localities", "0-3"], 0x140000000, 4, 0x505, None),
    ("all localities, PPI", ["--page-base", "0xFED40000", "--localities", "0-3", "--ppi"], 0xFED40000, 4, 0x505, 0xFED45000),
    ("last page below 4 GiB", ["--page-base", "0xFFFFF000", "-m", "7"], 0xFFFFF000, 1, None, None),
]


def make(folder, options):
    done = run("acpi", "-o", folder, *options)
    assert done.returncode == 0, done.stderr
    return (folder / "tpm2.aml").read_bytes(), (folder / "ssdt.aml").read_bytes()


def iasl(folder, *arguments):
    done = subprocess.run(["iasl", *map(str, arguments)], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def without_creator(table):
    """All that says what the table is: not who compiled it, and not the checksum over that."""
    return table[:9] + table[10:28] + table[36:]


@pytest.mark.parametrize("name, options, page, localities, port, ppi", CONFIGURATIONS, ids=lambda x: x if isinstance(x, str) else "")
def test_the_ssdt_is_what_iasl_compiles(tmp_path, name, options, page, localities, port, ppi):
    _, ours = make(tmp_path / "ours", options)
    size = 4096 * localities
    defines = {"PAGE": page, "SIZE": size, "LAST": page + size - 1}
    if page + size > GIB4:
        defines["HIGH"] = 1
    if port:
        defines["PORT"] = port
    if ppi:
        defines.update(PPI=ppi, PPI100=ppi + 0x100)
    if port or ppi:
        defines["DSM"] = 1
    with open(os.path.join(HERE, "ssdt.asl")) as f:
        (tmp_path / "theirs.asl").write_text("".join(f"#define {k} 0x{v:X}\n" for k, v in defines.items()) + f.read())
    iasl(tmp_path, "theirs.asl")
    theirs = (tmp_path / "theirs.aml").read_bytes()
    assert without_creator(ours) == without_creator(theirs)
    assert sum(ours) % 256 == 0 and sum(theirs) % 256 == 0


@pytest.mark.parametrize("options", [["--page-base", "4G"], ["--page-base", "0xF000000", "-m", "7", "--class", "server",
                                                             "--log-size", "64K"]], ids=["8", "7 with a log"])
def test_the_tpm2_table_is_what_iasl_compiles(tmp_path, options):
    """iasl decompiles ours into fields; compiled again, they are the same bytes."""
    ours, _ = make(tmp_path, options)
    iasl(tmp_path, "-d", "tpm2.aml")
    text = (tmp_path / "tpm2.dsl").read_text()
    fields = dict(tuple(part.strip() for part in line.split("]", 1)[1].split(":", 1))
                  for line in text.splitlines() if line.startswith("[") and " : " in line)
    low = "-m" in options
    assert fields["Control Address"] == ("000000000F000040" if low else "0000000100000040")
    assert fields["Start Method"].split()[0] == ("07" if low else "08")
    assert fields["Platform Class"] == ("0001" if low else "0000")
    assert fields["Minimum Log Length"] == ("00010000" if low else "00000000")
    assert fields["Log Address"] == ("000000000F001000" if low else "0000000000000000")
    assert fields["Checksum"][:2] == f"{ours[9]:02X}" and sum(ours) % 256 == 0
    iasl(tmp_path, "-p", "again", "tpm2.dsl")
    assert without_creator((tmp_path / "again.aml").read_bytes()) == without_creator(ours)


def test_the_ssdt_decompiles_without_a_word_of_doubt(tmp_path):
    make(tmp_path, ["--page-base", "240M", "--ppi", "--localities", "0-3"])
    said = iasl(tmp_path, "-d", "ssdt.aml")
    assert "rror" not in said and "arning" not in said
    text = (tmp_path / "ssdt.dsl").read_text()
    for word in ('"MSFT0101"', "6bbf6cab-5463-4714-b7cd-f0203c0368d4", "3dddfaa6-361b-4eb4-a424-8d10089d1653"):
        assert word in text


def test_json(tmp_path):
    done = run("acpi", "--page-base", "0xF000000", "--log-size", "16K", "--ppi", "--json", "--tpm2", tmp_path / "a", "--ssdt",
               tmp_path / "b")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["page"] == 0xF000000 and said["control_area"] == 0xF000040
    assert said["start_method"] == 8 and said["doorbell_port"] == 0x505
    assert said["log"] == {"address": 0xF001000, "size": 0x4000}
    assert said["ppi"] == {"address": 0xF005000, "size": 0x400}
    for table, signature in (("tpm2", b"TPM2"), ("ssdt", b"SSDT")):
        data = open(said[table]["file"], "rb").read()
        assert len(data) == said[table]["size"] and data[:4] == signature


@pytest.mark.parametrize("options, said", [
    ([], "--page-base"),
    (["--page-base", "4G", "--log-size", "0x4001"], "16 KiB at most"),
    (["--page-base", "4G", "--log-size", "64K"], "16 KiB at most"),
    (["--page-base", "4G", "--log-size", "16K", "--localities", "0-3"], "hit itself"),
    (["--page-base", "0xF000000", "--log-size", "64K", "--log-offset", "0xFFF"], "log area overlaps the CRB page"),
    (["--page-base", "0xF000000", "--log-size", "64K", "--ppi"], "log area overlaps the PPI area"),
    (["--page-base", "0xF000000", "--localities", "0-3", "--ppi", "--ppi-offset", "0x3FFF"], "PPI area overlaps"),
    (["--page-base", "4G", "--ppi"], "below 4 GiB"),
    (["--page-base", "0xFFFFF000", "--ppi"], "below 4 GiB"),
    (["--page-base", "0xF000800"], "multiple of 4096"),
    (["--page-base", "0"], "--page-base"),
    (["--page-base", "4G", "-m", "6"], "start method"),
    (["--page-base", "4G", "--class", "desktop"], "client or server"),
    (["--page-base", "4T"], "not a number"),
    (["--page-base", "-1"], "not a number"),
    (["--page-base", "4G", "--port", "0x10000"], "not a number"),
    (["--page-base", "4G", "--log-offset", "0x8000"], "needs --log-size"),
    (["--page-base", "240M", "--ppi-offset", "0x8000"], "needs --ppi"),
    (["--page-base", "4G", "-m", "7", "--port", "0x505"], "start method 7 has none"),
    (["--page-base", "4G", "--localities", "0-4"], "locality 4"),
])
def test_what_cannot_be_is_refused(tmp_path, options, said):
    done = run("acpi", "-o", tmp_path / "out", *options)
    assert done.returncode == 2 and said in done.stderr and not (tmp_path / "out").exists()


def test_where_to_write(tmp_path):
    assert "-o DIR" in run("acpi", "--page-base", "4G").stderr
    assert "-o DIR" in run("acpi", "--page-base", "4G", "--tpm2", tmp_path / "a").stderr
    assert "-o DIR" in run("acpi", "--page-base", "4G", "-o", tmp_path, "--tpm2", tmp_path / "a").stderr
    done = run("acpi", "--page-base", "4G", "-o", tmp_path / "no" / "such")
    assert done.returncode == 2 and "cannot be made" in done.stderr
    (tmp_path / "tpm2.aml").mkdir()
    done = run("acpi", "--page-base", "4G", "-o", tmp_path)
    assert done.returncode == 2 and "cannot be written" in done.stderr
