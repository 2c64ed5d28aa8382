"""`cvtpm qemu-args`: addresses that follow from the memory, words that a shell and QEMU take as they are meant."""
import json
import os
import shlex
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cvtpm_test import run


def said(*options):
    done = run("qemu-args", "--json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def value(words, option, beginning=""):
    found = [words[i + 1] for i, word in enumerate(words) if word == option and words[i + 1].startswith(beginning)]
    assert len(found) == 1, (option, beginning, words)
    return found[0]


@pytest.mark.parametrize("memory, base", [
    ("256M", 4), ("2G", 4), ("2815M", 4),  # all of it below 4 GiB
    ("2816M", 5), ("3G", 5), ("4G", 6), ("3073M", 6), ("32G", 34),
])
def test_the_page_is_at_the_first_gib_behind_the_memory(memory, base):
    all_of_it = said("--dir", "/run/vm", "--memory", memory)
    assert all_of_it["page_base"] == base << 30
    hexed = f"0x{base << 30:x}"
    assert f"--page-base={hexed}" in all_of_it["acpi"] and f"--page-base={hexed}" in all_of_it["serve"]
    assert value(all_of_it["qemu"], "-device", "nvdimm") == f"nvdimm,memdev=cvtpm-page,addr={hexed}"
    assert value(all_of_it["qemu"], "-machine") == "q35,nvdimm=on" and "kernel" not in all_of_it
    assert value(all_of_it["qemu"], "-m").startswith(memory if memory.endswith("M") else f"{int(memory[:-1]) * 1024}M")


def test_a_slice_of_low_memory():
    all_of_it = said("--dir", "/run/vm", "--memory", "1G", "--numa")
    sizes = [word.split("size=")[1].split(",")[0] for word in all_of_it["qemu"] if "size=" in word]
    assert sizes == ["240M", "2M", "782M"] and all_of_it["page_base"] == 240 << 20
    assert all_of_it["kernel"] == "memmap=0x200000$0xf000000"
    assert [w for w in all_of_it["qemu"] if w.startswith("node")] == [f"node,memdev=cvtpm-{n}" for n in ("low", "page", "high")]


def test_the_doorbell_belongs_to_start_method_8():
    with_bell, polled = said("--dir", "/d"), said("--dir", "/d", "-m", "7")
    assert "--doorbell=connect:/d/bell" in with_bell["serve"]
    assert "path=/d/bell" in value(with_bell["qemu"], "-chardev") and "0x505" in value(with_bell["qemu"], "-device", "isa")
    assert not any("bell" in word for word in polled["serve"] + polled["qemu"])
    assert "--start-method=7" in polled["acpi"] and "--start-method=8" not in with_bell["acpi"]


def test_ppi_and_event_log_reach_both_commands():
    all_of_it = said("--dir", "/d", "--ppi", "confirm", "--event-log", "/log")
    assert "--ppi" in all_of_it["acpi"] and "--ppi=confirm" in all_of_it["serve"] and "kernel" in all_of_it
    assert "--log-size=16K" in all_of_it["acpi"] and "--event-log=/log" in all_of_it["serve"]


def test_odd_names_survive_shell_and_qemu(tmp_path):
    folder = tmp_path / "it's, a $folder"
    all_of_it = said("--dir", folder, "--", "--state", "a b")
    assert f"--crb-page={folder}/page" in all_of_it["serve"] and all_of_it["serve"][-2:] == ["--state", "a b"]
    assert value(all_of_it["qemu"], "-qmp") == f"unix:{str(folder).replace(',', ',,')}/qmp,server=on,wait=off"
    text = run("qemu-args", "--dir", folder, "--", "--state", "a b").stdout
    lines = [line for line in text.replace("\\\n", "").splitlines() if line and not line.startswith("#")]
    assert [shlex.split(line) for line in lines] == [all_of_it["acpi"], all_of_it["serve"], all_of_it["qemu"]]


def test_what_it_prints_for_acpi_works(tmp_path):
    for options in ([], ["--numa", "--ppi", "allow", "--event-log", "/log"], ["--memory", "64G", "--event-log", "/log"]):
        acpi = said("--dir", tmp_path, *options)["acpi"]
        assert acpi[:2] == ["cvtpm", "acpi"]
        done = run(*acpi[1:])
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "tpm2.aml").exists()


@pytest.mark.parametrize("options, why", [
    ([], "--dir DIR"), (["--dir", "d", "--memory", "242M"], "from 243M"), (["--dir", "d", "--memory", "1000000001"], "whole MiB"),
    (["--dir", ""], "--dir DIR"), (["--dir", "d", "4G"], "'4G' is not expected"), (["--dir", "d\udcff"], "must be UTF-8"),
    (["--dir", "d", "--", "--state", "s\udcff"], "must be UTF-8"), (["--dir", "d", "-m", "6"], "7 or 8"),
    (["--dir", "d", "--", "--localities", "0-3"], "the tables would say something else"),
    (["--dir", "d", "--", "--page=5G"], "the tables would say something else"),
    (["--dir", "d", "--ppi", "yes"], "block, confirm or allow"),
])
def test_wrong_use(options, why):
    done = run("qemu-args", *options)
    assert done.returncode == 2 and why in done.stderr and not done.stdout
