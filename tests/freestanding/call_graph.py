"""The call graph of freestanding archives, with what each function takes of the stack.

C functions: from gcc's -fcallgraph-info=su,da, one .ci file beside each object. Assembler: from the
disassembly. Tables of functions and of types: from the relocations of the objects' read-only data, which
-fdata-sections puts into a section of its own for each.
"""
import collections
import pathlib
import re
import subprocess

FIELD = re.compile(r'(\w+): "((?:[^"\\]|\\.)*)"')
ALIGNMENT = 32  # what gcc may lose where it aligns a frame ("dynamic,bounded")


class Function:
    def __init__(self, name, layer, size, where):
        self.name, self.layer, self.size, self.where = name, layer, size, where
        self.calls = set()      # Functions
        self.indirect = set()   # (file, line) of calls through pointers
        self.takes = set()      # Functions whose address it takes
        self.unbounded = False  # a frame whose size is known at run time only

    def __repr__(self):
        return self.name


def plain(title):
    """A function's name: statics have their file before it, and names of the assembler's own a star."""
    return title.rsplit(":", 1)[-1].lstrip("*")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def objects_of(archive):
    return sorted(p for p in pathlib.Path(f"{archive}.p").iterdir() if p.suffix == ".o")


class Graph:
    """`archives`: path -> a function from an object's name to the layer that it belongs to."""

    def __init__(self, archives):
        self.functions = []
        self.own = {}                                       # object -> name -> Function
        self.globals = {}                                   # name -> Function
        self.outside = collections.defaultdict(set)         # name that nobody defines -> Functions that need it
        self.data = collections.defaultdict(set)            # section of read-only data -> what it points to
        self.tables = collections.defaultdict(set)          # name of a table -> Functions in it
        self.taken = set()                                  # Functions whose address is somewhere
        pending = []
        for archive, layer in archives.items():
            for o in objects_of(archive):
                self.own[o] = {}
                edges = self.read_c(o, layer(o.name)) if o.name.endswith(".c.o") else self.read_asm(o, layer(o.name))
                pending += [(o, *e) for e in edges]
        for o, source, target, site in pending:
            if target == "__indirect_call":
                source.indirect.add(site)
            elif (f := self.find(o, target)) is not None:
                source.calls.add(f)
            else:
                self.outside[target].add(source)
        for o in self.own:
            self.read_relocations(o)

    def add(self, o, title, layer, size, where, is_global):
        f = Function(plain(title), layer, size, where)
        self.functions.append(f)
        self.own[o][f.name] = f
        if is_global:
            self.globals[f.name] = f
        return f

    def find(self, o, title):
        name = plain(title)
        return self.own[o].get(name) or (None if ":" in title else self.globals.get(name))

    # ---- C ----

    def read_c(self, o, layer):
        path = o.with_suffix(".ci")
        if not path.exists():
            raise SystemExit(f"{path} is not there: build it again with gcc (-fcallgraph-info)")
        edges = []
        for line in path.read_text().splitlines():
            fields = dict(FIELD.findall(line))
            if line.startswith("node:"):
                m = re.search(r"\\n(\d+) bytes \(([a-z,]+)\)", fields["label"])
                if not m:
                    continue  # something that is defined elsewhere
                f = self.add(o, fields["title"], layer, int(m[1]), fields["label"].split("\\n")[1], ":" not in fields["title"])
                f.unbounded = m[2] == "dynamic"
                f.size += ALIGNMENT if m[2] == "dynamic,bounded" else 0
            elif line.startswith("edge:"):
                site = tuple(fields.get("label", "?:0:0").rsplit(":", 2)[:2])
                edges.append((fields["sourcename"], fields["targetname"], site))
        return [(self.find(o, s), t, site) for s, t, site in edges]

    # ---- assembler ----

    def read_asm(self, o, layer):
        starts = {}
        for line in run("readelf", "-sW", o).splitlines():
            p = line.split()
            # section 1 is .text, the first that an assembler makes
            if len(p) == 8 and p[6] == "1" and (p[3] == "FUNC" or (p[3], p[4]) == ("NOTYPE", "GLOBAL")):
                starts[int(p[1], 16)] = (p[7], p[4] == "GLOBAL")
        dump = [line.strip().split("\t") for line in run("objdump", "-dr", "--no-show-raw-insn", o).splitlines()]
        for p in dump:
            m = len(p) == 2 and re.match(r"(?:call|jmp)\s+([0-9a-f]+) <([\w.]+)>$", p[1].strip())
            if m and p[1].startswith("call"):
                starts.setdefault(int(m[1], 16), (m[2], False))
        edges, f = [], None
        for p in dump:
            if len(p) == 2 and re.fullmatch(r"[0-9a-f]+:", p[0]):
                at = int(p[0][:-1], 16)
                if at in starts:
                    f = self.add(o, starts[at][0], layer, 8, o.name, starts[at][1])
                if f:
                    edges += self.read_instruction(f, p[1].split("#")[0].strip(), starts)
            elif f and len(p) >= 2 and "R_X86_64_PLT32" in p[-2]:
                edges.append((f, re.split(r"[-+]0x", p[-1])[0], ("?", "0")))
        return edges

    def read_instruction(self, f, text, starts):
        """Adds what it takes: all that the function ever pushes or reserves, whatever it gives back between."""
        op, _, rest = text.partition(" ")
        rest = rest.strip()
        if op.startswith("push"):
            f.size += 8
        elif op == "call" and "<" in rest:
            to = re.match(r"([0-9a-f]+) <", rest)
            if int(to[1], 16) in starts:
                return [(f, starts[int(to[1], 16)][0], ("?", "0"))]
            f.size += 8  # a label of its own, or a name that the relocation behind it gives
        elif op in ("call", "jmp") and rest.startswith("*"):
            return [(f, "__indirect_call", (f.where, f.name))]
        elif rest.endswith(",%rsp"):
            value = re.match(r"\$0x([0-9a-f]+),%rsp$", rest)
            if op == "sub" and value:
                f.size += int(value[1], 16)
            elif op == "and" and value:  # aligns to at most 64
                f.size += 64
            elif not (op == "add" and value) and not (op == "mov" and rest.startswith("%r")):
                f.unbounded = True
        return []

    # ---- pointers ----

    def read_relocations(self, o):
        """Who takes whose address, and which data points to what."""
        section = ""
        for line in run("objdump", "-rw", o).splitlines():
            if line.startswith("RELOCATION RECORDS"):
                section = line.split("[", 1)[1].split("]")[0]
                continue
            p = line.split()
            if len(p) != 3 or p[1] not in ("R_X86_64_64", "R_X86_64_32S", "R_X86_64_32"):
                continue
            name, _, offset = p[2].partition("+0x")
            target = name.removeprefix(".text.")
            f = self.own[o].get(target) if name.startswith(".text.") and not int(offset or "0", 16) else \
                self.globals.get(name)
            if section.startswith(".text") and f:
                taker = self.own[o].get(section.removeprefix(".text."))
                if taker:
                    taker.takes.add(f)
                self.taken.add(f)
            elif section.startswith((".rodata", ".data.rel.ro")):
                if f:
                    self.tables[section.split(".", 2)[2]].add(f)
                    self.taken.add(f)
                elif not name.startswith(".text"):
                    here = (o if "compound_literal" in section else None, section.split(".", 2)[2])
                    there = name.split(".", 2)[2] if name.startswith(".rodata.") else name
                    self.data[here].add((o if "compound_literal" in there else None, there))

    def nesting(self, prefix):
        """How many tables whose names begin with `prefix` follow each other at most, one pointing to the next."""
        known, above = {}, []

        def depth(node):
            if node in above:
                raise SystemExit(f"the tables point in a circle: {[n for _, n in above]}")
            if node not in known:
                above.append(node)
                known[node] = node[1].startswith(prefix) + max(map(depth, self.data.get(node, ())), default=0)
                above.pop()
            return known[node]

        return max(map(depth, list(self.data)), default=0)


def cycles(functions, edges):
    """The strongly connected components with more than one function, or with one that calls itself (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(f):
        index[f] = low[f] = len(index)
        stack.append(f)
        for g in edges(f):
            if g not in index:
                visit(g)
                low[f] = min(low[f], low[g])
            elif g in stack:
                low[f] = min(low[f], index[g])
        if low[f] == index[f]:
            part = set(stack[stack.index(f):])
            del stack[stack.index(f):]
            if len(part) > 1 or f in edges(f):
                found.append(part)

    for f in functions:
        if f not in index:
            visit(f)
    return found
