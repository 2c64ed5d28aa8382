"""Each command has a manual page with exactly its options, and so has the shell's completion."""
import os
import re
import shutil
import subprocess

import pytest

CVTPM = os.environ["CVTPM"]
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
MAN = os.path.join(ROOT, "docs", "man")
COMPLETION = os.path.join(ROOT, "completions", "cvtpm.bash")


def help_of(*command):
    done = subprocess.run([CVTPM, *command, "--help"], capture_output=True, timeout=60, env={**os.environ, "COLUMNS": "80"})
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


COMMANDS = re.findall(r"^  ([a-z][a-z-]*)  ", help_of(), re.M)


# Commands that are several: each part has options of its own, and they share a page.
PARTS = {"swtpm": ("socket", "chardev", "setup", "ioctl")}
CALLS = [(c,) + part for c in COMMANDS for part in ([(p,) for p in PARTS[c]] if c in PARTS else [()])]


def options_in_help(*call):
    """{long option: its short form, or None} as argp lists them."""
    if call[0] in PARTS and len(call) == 1:
        return {name: short for part in PARTS[call[0]] for name, short in options_in_help(call[0], part).items()}
    options = help_of(*call).split("\nExample")[0]
    lines = re.findall(r"^ {2,6}(?:(-.), )?(?:-(\w), )?--([a-z][a-z0-9-]*)", options, re.M)
    return {"--" + name: short or None for short, _, name in lines}


def options_in_page(path):
    with open(path, encoding="ascii") as f:
        text = f.read()
    out = {}
    for line in re.findall(r"^\.It (Fl .*)$", text, re.M):
        short = re.match(r"Fl (\\&)?(.) ,", line)
        name = re.search(r"Fl -([a-z][a-z0-9-]*)", line)
        out["--" + name.group(1)] = "-" + short.group(2) if short else None
    return out


def page(name):
    return os.path.join(MAN, name + ".1")


def test_every_command_has_a_page_and_every_page_a_command():
    pages = {f[:-2] for f in os.listdir(MAN) if f.endswith(".1")}
    assert pages == {"cvtpm"} | {"cvtpm-" + c for c in COMMANDS} and len(COMMANDS) >= 5


@pytest.mark.parametrize("command", COMMANDS)
def test_a_page_has_the_options_of_its_command_and_no_others(command):
    in_help, in_page = options_in_help(command), options_in_page(page("cvtpm-" + command))
    assert len(in_help) >= 3 and in_page == in_help


@pytest.mark.parametrize("call", CALLS, ids="-".join)
def test_a_help_has_examples_in_whole_lines_and_the_exit_status(call):
    text = help_of(*call)
    examples = re.search(r"^Examples?\b[^\n]*:\n(.*?)\n\n", text, re.M | re.S).group(1)
    for line in examples.splitlines():
        assert line.startswith("  ") or line.startswith("`"), line  # nothing that argp has wrapped
    assert re.search(r"^Exit status: 0 ", text, re.M)


def test_the_first_page_lists_the_commands():
    with open(page("cvtpm"), encoding="ascii") as f:
        text = f.read()
    assert set(re.findall(r"^\.It Cm ([a-z-]+)$", text, re.M)) == set(COMMANDS)
    for command in COMMANDS:
        assert ".Xr cvtpm-%s 1" % command in text


@pytest.mark.parametrize("name", ["cvtpm"] + ["cvtpm-" + c for c in COMMANDS])
def test_a_page_is_sound(name):
    with open(page(name), encoding="ascii") as f:
        text = f.read()
    assert text.isascii() and not re.search(r"[ \t]$", text, re.M)
    assert ".Dt %s 1" % name.upper() in text
    sections = re.findall(r"^\.Sh (.*)$", text, re.M)
    assert sections[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"] and {"EXIT STATUS", "EXAMPLES"} <= set(sections)
    for other in re.findall(r"^\.Xr (\S+) 1", text, re.M):
        assert os.path.exists(page(other)), other
    done = subprocess.run(["groff", "-mdoc", "-ww", "-z", "-Tutf8", page(name)], capture_output=True, timeout=60)
    assert done.returncode == 0 and done.stderr == b""


def complete(*words):
    """What bash would offer for the last of the words."""
    script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _cvtpm; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", script, "bash", COMPLETION, CVTPM, *words], capture_output=True, timeout=60,
                          cwd=MAN)
    assert done.stderr == b""
    return set(done.stdout.decode().split())


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
@pytest.mark.parametrize("call", CALLS, ids="-".join)
def test_completion_offers_the_options_of_a_command_and_no_others(call):
    assert complete(*call, "--") == set(options_in_help(*call))
    short = {s for s in options_in_help(*call).values() if s} | alone(call)
    assert complete(*call, "-") == set(options_in_help(*call)) | short


def alone(call):
    """Options that are a letter and nothing else."""
    return set(re.findall(r"^  (-\w)(?: \S+)?  ", help_of(*call), re.M))


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
def test_completion_offers_commands_words_and_files():
    assert complete("") == set(COMMANDS) | {"--help", "--version"}
    assert complete("ver") == {"verify"}
    assert complete("serve", "--startup", "") == {"clear", "state", "none"}
    assert complete("serve", "--startup", "=", "st") == {"state"}
    assert complete("serve", "--startup", "=") == {"clear", "state", "none"}
    assert complete("verify", "--report", "cvtpm-v") == {"cvtpm-verify.1"}
    assert {"init", "show"} <= complete("ca", "")
    assert complete("swtpm", "") == set(PARTS["swtpm"])
    assert complete("swtpm", "setup", "--cipher", "") == {"aes-128-cbc", "aes-256-cbc"}
    assert "libtpms" in complete("serve", "--engine", "")
