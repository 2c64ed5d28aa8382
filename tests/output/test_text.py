"""`cvtpm verify` on a terminal, in a pipe, and in a gate that wants one line."""
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

import pytest

import outcomes
from outcomes import CVTPM, run

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def terminal(*args, columns=80, **env):
    """(exit status, what a terminal of that width got)"""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS")}
    process = subprocess.Popen([CVTPM, "verify", *map(str, args)], stdout=slave, stderr=slave,
                               env={**clean, "TERM": "xterm", **env})
    os.close(slave)
    out = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        out += part
    os.close(master)
    return process.wait(), out.decode("ascii").replace("\r\n", "\n")


def unwrapped(text):
    return re.sub(r"\s+", "", COLOUR.sub("", text))


@pytest.mark.parametrize("columns", [40, 80, 133])
@pytest.mark.parametrize("args", [outcomes.genuine(), outcomes.genuine(measurement="00" * 48)], ids=["yes", "no"])
def test_a_terminal_gets_every_line_at_its_width(args, columns):
    code, out = terminal("-v", *args, columns=columns)
    piped = run(*args)
    assert code == piped.returncode
    plain = COLOUR.sub("", out)
    assert max(len(line) for line in plain.splitlines()) <= columns
    assert unwrapped(out) == unwrapped(piped.stdout.decode())


def test_colour_is_for_verdicts_alone():
    _, out = terminal("-v", *outcomes.genuine(measurement="00" * 48))
    coloured = re.findall(r"\x1b\[[0-9;]+m([^\x1b]*)\x1b\[0m", out)
    assert set(coloured) == {"ok", "refused", "could not tell", "not checked"}
    assert "\x1b" not in re.sub(r"\x1b\[[0-9;]+m[^\x1b]*\x1b\[0m", "", out)


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_colour_can_be_switched_off(env):
    _, out = terminal(*outcomes.genuine(), **env)
    assert "\x1b" not in out
    _, out = terminal(*outcomes.genuine(), NO_COLOR="")
    assert "\x1b" in out


def test_a_terminal_gets_what_did_not_pass_and_a_count():
    piped = run(*outcomes.genuine(measurement="00" * 48)).stdout.decode().splitlines()
    _, out = terminal(*outcomes.genuine(measurement="00" * 48), columns=10000)
    lines = COLOUR.sub("", out).splitlines()
    passed = [line for line in piped if line.startswith("[ok]")]
    assert lines[:-2] == [line for line in piped[:-1] if not line.startswith("[ok]")]
    assert lines[-2] == f"[ok] {len(passed)} checks passed (-v lists them)" and lines[-1] == piped[-1]


def test_a_pipe_gets_every_line_whatever_the_environment():
    args = outcomes.genuine()
    plain = run(*args).stdout
    assert run(*args, env={**os.environ, "COLUMNS": "40", "TERM": "xterm"}).stdout == plain
    assert run("-v", *args).stdout == plain and b"\x1b" not in plain


@pytest.mark.parametrize("option", ["-q", "--quiet"])
def test_quiet_is_the_last_line(option, tmp_path):
    for name, args, _ in outcomes.all_outcomes(tmp_path):
        whole, quiet = run(*args), run(option, *args)
        assert quiet.returncode == whole.returncode, name
        assert quiet.stdout.splitlines() == whole.stdout.splitlines()[-1:], name


def test_a_lab_outcome_says_lab_on_a_terminal_too(tmp_path):
    args = outcomes.lab_files(tmp_path, outcomes.lab.Lab())
    _, out = terminal(*args)
    lines = COLOUR.sub("", out).splitlines()
    assert lines[0].startswith("LAB: ") and any(line.startswith("LAB verdict: yes") for line in lines)


def test_hostile_evidence_cannot_reach_the_terminal(tmp_path):
    args = outcomes.hostile(tmp_path)
    for options in ([], ["-v"]):
        _, out = terminal(*options, *args, NO_COLOR="1")
        assert all(c == "\n" or " " <= c <= "~" for c in out)


@pytest.mark.parametrize("options", [["--json", "-q"], ["-q", "-v"], ["--json", "-v"]], ids=str)
def test_contradicting_forms_are_wrong_usage(options):
    done = run(*options, *outcomes.genuine())
    assert done.returncode == 2 and not done.stdout and b"one of them" in done.stderr
