"""The page of `cvtpm verify --html`: well-formed, self-contained, and deaf to what evidence says."""
import os
import stat

import pytest

import outcomes
from outcomes import HOSTILE, run
from page import Page

WORDS = {0: "Yes", 1: "Refused", 3: "Could not tell"}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    out = {}
    for name, args, _ in outcomes.all_outcomes(folder):
        path = folder / (name + ".html")
        done = run("--html", path, *args)
        assert done.returncode in WORDS, done.stderr
        out[name] = (done.returncode, path.read_bytes().decode("ascii"), done.stdout.decode())
    return out


NAMES = ["genuine-yes", "genuine-refused", "genuine-unknown", "turin-yes", "hcl-yes", "lab-yes", "lab-refused", "hostile", "junk",
         "short", "nothing"]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_well_formed_and_self_contained(pages, name):
    _, text, _ = pages[name]
    page = Page(text)
    assert page.faults == []
    assert text.startswith("<!doctype html>") and '<html lang="en">' in text
    assert "script" not in page.tags and "http://" not in text and "https://" not in text and "url(" not in text
    assert "{{" not in text.replace(HOSTILE.decode("latin-1"), "").replace("{{lab}}", "")
    assert all(c == "\n" or c == "\t" or " " <= c <= "~" for c in text)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_allows_its_style_sheet_and_nothing_else(pages, name):
    import base64
    import hashlib
    import re
    _, text, _ = pages[name]
    style = re.search(r"<style>(.*?)</style>", text, re.S).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"content=\"default-src 'none'; style-src 'sha256-{digest}'\"" in text


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_what_the_text_says(pages, name):
    code, text, printed = pages[name]
    page = Page(text)
    lines = printed.splitlines()
    lab = printed.startswith("LAB")
    head = text[text.index("<h1>") + 4:text.index("</h1>")]
    assert head == ("LAB: " if lab else "") + WORDS[code]
    assert text.count('<p class="lab-bar">') == (2 if lab else 0)
    checks = [line for line in lines if line.startswith("[")]
    assert page.tags.count("tr") >= len(checks)
    shown = page.text()
    for line in checks:
        found = line.split("; found ")[1] if "; found " in line else line.split(": ", 2)[2]
        for word in found.split(" (")[0].split():
            assert word in shown


def test_the_decider_is_named_beside_the_verdict(pages):
    _, text, printed = pages["genuine-refused"]
    header = text[text.index("<header"):text.index("</header>")]
    assert "privilege level (VMPL)" in header and "Expected</dt><dd>1</dd>" in header
    _, text, _ = pages["genuine-unknown"]
    assert "--measurement" in text[text.index("<header"):text.index("</header>")]
    _, text, _ = pages["genuine-yes"]
    assert "No key is bound" in text[text.index("<header"):text.index("</header>")]


def test_a_lab_yes_is_not_green_and_says_so(pages):
    _, text, _ = pages["lab-yes"]
    assert '<body class="lab">' in text and "<title>LAB: Yes" in text
    assert "<body>" in pages["genuine-yes"][1] and "LAB" not in Page(pages["genuine-yes"][1]).text()


def test_hostile_strings_are_text(pages):
    for name in ("hostile", "short"):
        _, text, _ = pages[name]
        page = Page(text)
        assert "script" not in page.tags and "img" not in page.tags and "b" not in page.tags
        assert page.tags.count("title") == 1
    _, text, _ = pages["hostile"]
    shown = Page(text).text()
    for piece in ("<script>alert(1)</script>", "<img src=x onerror=alert(2)>", "<img src=x onerror=alert(3)>",
                  "\\1B[31m\\07\\0D\\0A\\E2\\80\\AE", "{{lab}}"):
        assert piece in shown
    assert "&lt;script&gt;" in text and "<script" not in text and "\x1b" not in text
    assert "short\\x1b[31m.bin" in Page(pages["short"][1]).text()


def test_a_page_shows_all_bytes_of_the_report(pages):
    _, text, _ = pages["genuine-yes"]
    report = outcomes.read(outcomes.data("coco-trustee/evidence-v1.snpreport.bin"))
    table = text[text.index('<table class="bytes">'):]
    rows = table[:table.index("</table>")].split("<tr")[2:]
    at = 0
    for row in rows:
        cells = row.split("<code>")
        offset = int(cells[1].split("<")[0], 16)
        size = int(row.split('<td class="at">')[2].split("<")[0])
        assert offset == at
        value = row[row.index('<td class="value">') + 18:].split("</td>")[0]
        want = report[offset:offset + size]
        if value == "all zero":
            assert want == bytes(size)
        else:
            assert bytes.fromhex(value.replace("<code>", "").replace("</code>", "").replace(" ", "")) == want
        at += size
    assert at == len(report)


@pytest.mark.parametrize("name,parts", [("genuine-yes", 4), ("turin-yes", 5)])
def test_the_tcb_table_has_the_parts_of_the_product(pages, name, parts):
    _, text, _ = pages[name]
    table = text[text.index('<table class="tcb">'):]
    table = table[:table.index("</table>")]
    assert table.count('<th scope="row">') == parts and ("FMC" in table) == (parts == 5)
    assert "<caption>" in table and table.count("<td") == 4 * parts


def test_proven_pcrs_are_on_the_page(pages):
    _, text, _ = pages["hcl-yes"]
    table = text[text.index('<h2 id="pcrs">'):]
    rows = table[:table.index("</table>")].split("<tr>")[2:]
    values = outcomes.read(outcomes.data("coco-trustee/evidence-v1.pcrs.bin"))
    assert len(rows) == 24 == len(values) // 32
    for number, row in enumerate(rows):
        value = row[row.index("<code>") + 6:row.index("</code>")].replace(" ", "")
        assert f'<th scope="row">{number}</th>' in row and bytes.fromhex(value) == values[32 * number:32 * number + 32]
    assert "the AK in it" in Page(text).text() and 'id="pcrs"' not in pages["genuine-yes"][1]


def test_a_page_is_its_owners_and_replaces_another_in_one_step(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    path.chmod(0o644)
    before = os.stat(path).st_ino
    assert run("--html", path, *outcomes.genuine()).returncode == 0
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600 and os.stat(path).st_ino != before
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]
    link = tmp_path / "link.html"
    link.symlink_to(path)
    assert run("--html", link, *outcomes.genuine(measurement="")).returncode == 3
    assert link.is_symlink() and "Could not tell" in path.read_text()


def test_a_page_that_cannot_be_written_is_a_fault_whatever_the_verdict(tmp_path):
    done = run("--html", tmp_path / "no" / "page.html", *outcomes.genuine())
    assert done.returncode == 2 and b"cannot write" in done.stderr and done.stdout.endswith(b"verdict: yes\n")
    done = run("--html", "/dev/full", *outcomes.genuine())
    assert done.returncode == 2 and b"/dev/full" in done.stderr
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_a_page_goes_into_a_pipe(tmp_path):
    done = run("--html", "/dev/stdout", "--quiet", *outcomes.genuine())
    assert done.returncode == 0 and done.stdout.startswith(b"<!doctype html>") and done.stdout.endswith(b"verdict: yes\n")
    assert os.path.islink("/dev/stdout")
