#!/usr/bin/python3
"""How much of a stack the freestanding core needs at most, found from its call graph.

usage: check_stack.py PAINTED-STACK CORPUS OUR-ARCHIVE WOLFCRYPT-ARCHIVE ...

The archives are those of check_freestanding.py, compiled with -fcallgraph-info=su,da. The deepest path from
any public function is looked for twice: with all frames, and with those of our layers alone (`own`: everything
but src/crypto and wolfCrypt). A call through a pointer is resolved by what the source has there, by the rules
below, and each function whose address is taken must be one that a rule leads to. What a platform's callbacks
and the four mem* functions take is theirs, and comes on top: how deep they are called is printed.

Then the program PAINTED-STACK (painted_stack.c) executes the commands of CORPUS, and none may be seen to take more
than the graph says. Speaks TAP.
"""
import fnmatch
import pathlib
import re
import subprocess
import sys

from call_graph import Function, Graph, cycles
from check_freestanding import OUTSIDE, Tap

OWN_LIMIT = 12 * 1024
ALL_LIMIT = 48 * 1024

# What stands in the source at the call -> whom it calls: functions by name, "table:NAME" for all functions of a
# table, "here" for those whose address the calling function takes, "\1" a part of the match. "outside": whoever
# uses the core gives the function.
RULES = [(re.compile(pattern), targets.split()) for pattern, targets in (
    # the engine
    (r"command->run\(", "table:command_*"),
    (r"group->next\(", "table:groups"),
    (r"parts\[i\]\(", "table:parts.*"),
    (r"\bload\(t, ", "load_index load_object"),
    (r"\beach\(", "collect collect_handle collect_key count_one plan_removal outside"),
    (r"engine->(\w+)\(", r"native_\1 outside"),
    (r"client->execute\(", "execute_own execute_as_user outside"),
    (r"issuer->sign\(", "sign_with_boot_key outside"),
    (r"issuer->approve\(", "approve_anything outside"),
    (r"provider->ops->(\w+)\(", r"provider_\1 outside"),
    (r"store->ops->(\w+)\(", r"memory_\1 outside"),
    # cryptography
    (r"source->bytes\(", "from_drbg from_stream derived_bytes"),
    (r"s->cancelled\(", "is_cancelled"),
    (r"drbg->entropy\(", "entropy_of_a_test outside"),
    (r"\bmake\(d, ", "kdfa_block kdfe_block"),
    (r"\? \w+ : \w+\)\(|FOR_EACH_SIZE\(|CALL\(mulx|\bwrite\(d, ", "here"),
    (r"\*Transform_Sha(256|512)(_Len)?_p\)", r"Transform_Sha\1*"),
    (r"\*SHA3_BLOCK(_N)?\)", "sha3_block*"),
    # what the platform gives
    (r"platform(?:->|\.)\w+\(", "outside"),
    (r"\bbus(?:->|\.)\w+\(", "outside"),
    (r"callbacks\.\w+\(|\bcall->\w+\(", "outside"),
    (r"\bt->(?:exchange|pause)", "outside"),
    (r"\bmemory->\w+\(", "outside"),
)]

# In the archive, their address taken, and never called by the core.
NOT_CALLED = {
    "provider_derived_key": "the sealed store calls it, which is hosted",
    "provider_close": "whoever opened the provider calls it",
    "memory_close": "whoever opened the store calls it",
}

# A function that is in every circle of its calls -> how often it can be on a path, and why. The number is
# computed where it follows from tables.
RECURSION = {
    "type_read": ("tables", "one call for each table within another, and no table leads back to itself"),
    "type_write": ("tables", "the same"),
    "entropy_of_a_test": (1, "a DRBG under test draws from the instance's, and that one from the platform"),
    "execute_as_user": (1, "what the owner does beneath TPM2_Startup it does with its own client, by execute_own"),
}


def layer_of(name):
    return "crypto" if "src_crypto_" in name or "wolfcrypt" in name else "own"


class Source:
    """The text of a call, from where the compiler says it is to the end of the statement."""

    def __init__(self, folder):
        self.folder, self.lines = folder, {}

    def __getitem__(self, site):
        name, line = site
        if name not in self.lines:
            path = self.folder / name
            self.lines[name] = path.read_text(errors="replace").splitlines() if path.exists() else []
        text = ""
        for part in self.lines[name][int(line) - 1:int(line) + 2]:
            text += part.strip() + " "
            if part.rstrip().endswith((";", "{")):
                break
        return text


def resolve(graph, f, text, used):
    """The functions that a call in `f` can reach, and the callback's name if whoever uses the core may give it; None
    where no rule fits, or one leads nowhere."""
    for pattern, targets in RULES:
        m = pattern.search(text)
        if not m:
            continue
        used.add(pattern)
        found, outside = set(), None
        for target in map(m.expand, targets):
            if target == "outside":
                outside = re.findall(r"\w+", m[0])[-1]
            elif target == "here":
                found |= f.takes
            elif target.startswith("table:"):
                found |= {g for name, inside in graph.tables.items() if fnmatch.fnmatchcase(name, target[6:]) for g in inside}
            else:
                found |= {g for g in graph.functions if fnmatch.fnmatchcase(g.name, target)
                          and (g in graph.taken or g.layer == "crypto")}
        return (found, outside) if found or outside else None
    return None


def deepest(entries, recursion, weight, end=None):
    """(bytes, path) of the deepest path, or of the deepest that ends with a call of `end`. In a circle the path may
    pass the function that RECURSION names as often as it says, and `left` counts that."""
    known = {}
    part_of = {f: (counted, bound) for part, counted, bound in recursion for f in part}
    nowhere = (-1, None)

    def down(f, left):
        counted, bound = part_of.get(f, (None, 0))
        if f is counted:
            left -= 1
            if left < 0:
                return nowhere
        if (f, left) not in known:
            best = (0, None) if end is None or f is end else nowhere
            for g in f.calls:
                same = counted is not None and part_of.get(g, (None, 0))[0] is counted
                below = down(g, left if same else part_of.get(g, (None, 0))[1])
                if below[0] > best[0]:
                    best = below
            known[f, left] = nowhere if best is nowhere else (weight(f) + best[0], (f, best[1]))
        return known[f, left]

    return max((down(f, part_of.get(f, (None, 0))[1]) for f in entries), key=lambda r: r[0])


def size(f):
    return f.size


def own_size(f):
    return f.size if f.layer == "own" else 0


def show(title, depth, path, weight):
    print(f"# {title}: {depth} bytes")
    while path:
        f, path = path
        n = 1
        while path and path[0] is f:
            n, path = n + 1, path[1]
        print(f"#   {weight(f):6}  {f.name}{f' ({n} times)' if n > 1 else ''}  {f.where}")


def check_painted(tap, program, corpus, limit):
    """What commands were seen to take, against what the graph says that the engine takes at most."""
    run = subprocess.run([program, corpus], capture_output=True, text=True)
    seen = sorted(((int(size), name) for size, name in map(str.split, run.stdout.splitlines())), reverse=True)
    for depth, name in seen[:16]:
        print(f"# seen: {depth:6} bytes by {name}")
    tap.check("no command is seen to take more than that",
              [f"{program} ended with {run.returncode}: {run.stderr}"] if run.returncode else
              [f"{len(seen)} commands were executed"] if len(seen) < 80 else
              [f"{name}: {depth} bytes, not {limit}" for depth, name in seen if depth > limit])


def main(painted, corpus, ours, *wolfcrypt):
    sys.setrecursionlimit(10000)
    tap = Tap()
    graph = Graph({ours: layer_of, **{w: lambda _: "crypto" for w in wolfcrypt}})
    build = pathlib.Path(ours).resolve().parents[2]
    source = Source(build)

    callbacks, unresolved, reached, rules = {}, [], set(), set()
    for f in graph.functions:
        for site in sorted(f.indirect):
            found = resolve(graph, f, source[site], rules)
            if found is None:
                unresolved.append(f"{f.name} ({site[0]}:{site[1]}): {source[site]}")
                continue
            f.calls |= found[0]
            reached |= found[0]
            if found[1]:
                callback = callbacks.setdefault(found[1], Function(found[1], "outside", 0, ""))
                f.calls.add(callback)

    engine = graph.tables["cvtpm_engine_native"]
    entries = [f for f in graph.functions if f.layer == "own" and f.name.startswith("cvtpm_")]
    entries += engine | graph.tables["memory_ops"]
    used, todo = set(entries), list(entries)
    while todo:
        new = todo.pop().calls - used
        used |= new
        todo += new

    unresolved = [u for u in unresolved if any(u.startswith(f"{f.name} ") for f in used)]
    recursion, unlisted = [], []
    for part in cycles(used, lambda f: f.calls):
        counted = [f for f in part if f.name in RECURSION]
        rest = part - set(counted)
        if len(counted) != 1 or cycles(rest, lambda f: f.calls & rest):
            unlisted.append(" ".join(sorted(f.name for f in part)))
            continue
        bound = RECURSION[counted[0].name][0]
        recursion.append((part, counted[0], graph.nesting("type_") if bound == "tables" else bound))

    tap.check("the graph holds the core", [] if len(entries) > 50 and len(used) > 900 else
              [f"{len(entries)} public functions, {len(used)} that they reach"])
    tap.check("nothing is called that is not here but the four mem* functions",
              [f"{f.name} calls {name}" for name, by in graph.outside.items() if name not in OUTSIDE for f in by & used])
    tap.check("every call through a pointer is resolved", sorted(set(unresolved)))
    tap.check("every rule is needed", [r.pattern for r, _ in RULES if r not in rules] +
              [name for name in NOT_CALLED if name not in {f.name for f in graph.taken - reached}])
    tap.check("every function whose address is taken is one that some call reaches",
              sorted(f.name for f in graph.taken & used | {f for f in graph.taken if f.layer == "own"}
                     if f not in reached | set(entries) and f.name not in NOT_CALLED))
    tap.check("no frame has a size that is known at run time only", [f"{f.name} {f.where}" for f in used if f.unbounded])
    tap.check("what calls itself is listed with a bound", unlisted)
    for part, counted, bound in sorted(recursion, key=lambda r: r[1].name):
        print(f"# {counted.name} is on a path at most {bound} times: {RECURSION[counted.name][1]}")
    if unlisted:
        return 1

    for title, limit, weight in (("own frames", OWN_LIMIT, own_size), ("all frames", ALL_LIMIT, size)):
        depth, path = deepest(entries, recursion, weight)
        of_engine = deepest(engine, recursion, weight)[0]
        show(f"deepest path by {title}", depth, path, weight)
        print(f"# from the engine's functions alone: {of_engine} bytes")
        tap.check(f"{title} take at most {limit} bytes on any path", [] if 0 < depth <= limit else [f"{depth} bytes"])
    for name, f in sorted(callbacks.items()):
        print(f"# {name} is called with at most {deepest(entries, recursion, size, f)[0]} bytes in use")
    check_painted(tap, painted, corpus, of_engine)
    return tap.end()


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
