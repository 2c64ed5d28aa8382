"""What a page must be whatever it shows, checked without a browser."""
import html.parser

VOID = {"meta", "br", "hr", "img", "input", "link", "wbr", "circle", "path"}
ALLOWED = {"html", "head", "meta", "title", "style", "body", "main", "header", "footer", "section", "div", "span", "p",
           "h1", "h2", "h3", "strong", "code", "a", "ul", "ol", "li", "dl", "dt", "dd", "table", "caption", "thead",
           "tbody", "tr", "th", "td", "details", "summary", "svg", "circle", "path"}


class Page(html.parser.HTMLParser):
    """Reads a page strictly: what is not balanced, not known or not quoted is a fault."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.ids, self.links, self.faults = [], [], [], [], []
        self.texts, self.headings = [], []
        self.feed(text)
        self.close()
        if self.open:
            self.faults.append(f"left open: {self.open}")
        for link in self.links:
            if not link.startswith("#") or link[1:] not in self.ids:
                self.faults.append(f"a link to {link}")
        if len(set(self.ids)) != len(self.ids):
            self.faults.append("an id twice")

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in ALLOWED:
            self.faults.append(f"<{tag}>")
        names = [name for name, _ in attrs]
        if len(set(names)) != len(names):
            self.faults.append(f"<{tag}> with an attribute twice")
        for name, value in attrs:
            if name.startswith("on") or name in ("src", "style", "action", "formaction", "srcdoc", "xlink:href"):
                self.faults.append(f"<{tag} {name}>")
            if name == "href":
                self.links.append(value)
            if name == "id":
                self.ids.append(value)
        if tag in ("h1", "h2", "h3"):
            level = int(tag[1])
            if level > (self.headings[-1] if self.headings else 0) + 1:
                self.faults.append(f"<{tag}> after <h{self.headings[-1] if self.headings else 0}>")
            self.headings.append(level)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.faults.append(f"</{tag}> inside {self.open[-3:]}")
            return
        self.open.pop()

    def handle_data(self, text):
        if not self.open or self.open[-1] != "style":
            self.texts.append(text)

    def text(self):
        return " ".join(" ".join(self.texts).split())
