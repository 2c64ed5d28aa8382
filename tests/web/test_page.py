"""The page of `cvtpm verify --html` in a real browser.

Pictures of every kind of outcome are left in the folder that PICTURES names,
for people to look at.
"""
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "output"))
import outcomes  # noqa: E402
from browser import Browser  # noqa: E402

PICTURES = os.environ["PICTURES"]
WORDS = {0: "Yes", 1: "Refused", 3: "Could not tell"}
LOOKS = [(1200, False), (1200, True), (400, False), (400, True)]
NAMES = ["genuine-yes", "genuine-refused", "genuine-unknown", "turin-yes", "hcl-yes", "lab-yes", "lab-refused", "hostile", "junk",
         "short", "nothing"]

# Text of less than this contrast with what lies behind it is hard to read (WCAG 2, AA).
CONTRAST_MIN = 4.5
FAINT = """
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
function rgba(colour) {
	canvas.clearRect(0, 0, 1, 1);
	canvas.fillStyle = colour;
	canvas.fillRect(0, 0, 1, 1);
	return canvas.getImageData(0, 0, 1, 1).data;
}
function luminance(c) {
	const part = [0, 1, 2].map(i => c[i] / 255).map(x => x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4);
	return .2126 * part[0] + .7152 * part[1] + .0722 * part[2];
}
/* What is behind: the first opaque colour, or every colour of a stripe. */
function behind(element) {
	for (let e = element; e; e = e.parentElement) {
		const style = getComputedStyle(e);
		const stripes = style.backgroundImage.match(/rgb\\([^)]*\\)/g);
		if (stripes)
			return stripes.map(rgba);
		if (rgba(style.backgroundColor)[3] === 255)
			return [rgba(style.backgroundColor)];
	}
	return [rgba('white')];
}
const faint = [];
for (const e of document.querySelectorAll('body *')) {
	if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
		continue;
	const front = luminance(rgba(getComputedStyle(e).color));
	for (const colour of behind(e)) {
		const back = luminance(colour);
		const ratio = (Math.max(front, back) + .05) / (Math.min(front, back) + .05);
		if (ratio < arguments[0])
			faint.push(e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 40) + ' ' + ratio.toFixed(2));
	}
}
return faint;
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    out = {}
    for name, args, _ in outcomes.all_outcomes(folder):
        path = folder / (name + ".html")
        done = outcomes.run("--html", path, *args)
        out[name] = (path.as_uri(), done.returncode, done.stdout.startswith(b"LAB"))
    return out


@pytest.fixture(scope="module")
def browser():
    os.makedirs(PICTURES, exist_ok=True)
    with Browser() as b:
        yield b


@pytest.mark.parametrize("width,dark", LOOKS)
@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_readable(browser, pages, name, width, dark):
    url, code, lab = pages[name]
    browser.look(width, dark=dark)
    browser.open(url)
    assert browser.messages() == []
    verdict = ("LAB: " if lab else "") + WORDS[code]
    assert browser.run("return document.title").startswith(verdict)
    box = browser.run("const h = document.querySelector('h1'), r = h.getBoundingClientRect();"
                      "return [h.innerText, r.top, r.bottom, parseFloat(getComputedStyle(h).fontSize)]")
    assert box[0] == verdict and 0 <= box[1] < box[2] < 450 and box[3] >= 28  # large, and in sight at once
    assert browser.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert browser.run("return getComputedStyle(document.documentElement).colorScheme") == "light dark"
    light = browser.run("return parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])")
    assert (light < 64) if dark else (light > 192)
    assert browser.run(FAINT, CONTRAST_MIN) == []
    browser.picture(os.path.join(PICTURES, f"{name}-{width}-{'dark' if dark else 'light'}.png"))
    assert browser.messages() == []


@pytest.mark.parametrize("name", NAMES)
def test_a_page_opens_whole(browser, pages, name):
    browser.look(1200)
    browser.open(pages[name][0])
    browser.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    hidden = browser.run("return [...document.querySelectorAll('td, th')].filter("
                         "e => e.getBoundingClientRect().height === 0 && e.textContent).length")
    assert hidden == 0 and browser.run(FAINT, CONTRAST_MIN) == []
    assert browser.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    browser.picture(os.path.join(PICTURES, f"{name}-open.png"))


def test_what_is_folded_is_printed(browser, pages):
    browser.look(1000, media="print")
    browser.open(pages["genuine-yes"][0])
    assert browser.run("return document.querySelector('table.bytes').checkVisibility({contentVisibilityAuto: true})")
    assert browser.run("return document.querySelector('table.bytes').getBoundingClientRect().height") > 300
    browser.picture(os.path.join(PICTURES, "genuine-yes-print.png"))


def test_hostile_strings_are_inert(browser, pages):
    browser.look(1200)
    for name in ("hostile", "short"):
        browser.open(pages[name][0])
        assert browser.run("return document.querySelectorAll('script, img, b, iframe, object, [onerror]').length") == 0
        assert browser.messages() == []
    browser.open(pages["hostile"][0])
    assert "<script>alert(1)</script>" in browser.run("return document.body.textContent")


def test_the_policy_of_the_page_would_stop_a_script(browser, pages, tmp_path):
    with open(pages["genuine-yes"][0][len("file://"):], encoding="ascii") as f:
        text = f.read()
    bad = tmp_path / "bad.html"
    bad.write_text(text.replace("<main>", "<script>document.title = 'owned'</script><img src='x.png' alt='' "
                                          "onerror='document.title=1'><p style='color: red'>x</p><main>"))
    browser.open(bad.as_uri())
    assert browser.run("return document.title").startswith("Yes")
    assert len([level for level, _ in browser.messages() if level == "SEVERE"]) >= 3  # the browser says what it stopped


def test_every_link_leads_somewhere(browser, pages):
    browser.look(1200)
    browser.open(pages["lab-refused"][0])
    assert browser.run("return [...document.links].every(a => document.querySelector(a.getAttribute('href')))")
    browser.run("document.links[0].click()")
    assert browser.run("const r = document.querySelector(':target').getBoundingClientRect();"
                       "return r.height > 0 && r.top < innerHeight && r.bottom > 0")
