#!/usr/bin/env python3
"""Writes src/command/rows/*.rs (one Rust table per command group, and help.rs) from what a live redis-server 7.0.15 tells.

Run from the top of the tree:  python3 tests/tools/generate_rows.py [--force] [OUTDIR]
It starts its own redis-server on a free port of 127.0.0.1 and stops it again. The rows are hand-maintained after the first
run (the handler column lives in them): an existing file is left alone unless --force is given. To compare with a newer
Redis, write to another OUTDIR and diff.
"""
import os, socket, subprocess, sys, tempfile, time

FLAGS = "write readonly denyoom module admin pubsub noscript blocking loading stale skip_monitor skip_slowlog asking " \
        "fast no_auth no_mandatory_keys no_async_loading no_multi movablekeys allow_busy".split()
# Flags that COMMAND does not show: taken from the observable behaviour they stand for.
HIDDEN = {
    "protected": "debug module|load module|loadex module|unload".split(),
    "may_replicate": "eval evalsha fcall pfcount publish spublish".split(),
}
# How keys are found where the key specs say "movable", "incomplete" or "variable".
MOVABLE = {
    "set": "Set", "bitfield": "Bitfield", "sort": "Sort", "sort_ro": "SortReadOnly", "migrate": "Migrate",
    "georadius": "GeoRadius", "georadiusbymember": "GeoRadius", "xread": "XRead", "xreadgroup": "XRead",
}
for n in "eval evalsha eval_ro evalsha_ro fcall fcall_ro".split(): MOVABLE[n] = "Counted { store: 0, count: 2 }"
for n in "zunionstore zinterstore zdiffstore".split(): MOVABLE[n] = "Counted { store: 1, count: 2 }"
for n in "zunion zinter zdiff zintercard sintercard lmpop zmpop".split(): MOVABLE[n] = "Counted { store: 0, count: 1 }"
for n in "blmpop bzmpop".split(): MOVABLE[n] = "Counted { store: 0, count: 2 }"
GROUPS = ["string", "bitmap", "generic", "hash", "connection", "server", "transactions", "list", "set", "sorted_set",
          "stream", "hyperloglog", "geo", "pubsub", "scripting", "cluster"]


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.reader = self.socket.makefile("rb")

    def call(self, *args):
        parts = [a.encode() for a in args]
        self.socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        return self.read()

    def read(self):
        line = self.reader.readline()[:-2]
        kind, rest = line[:1], line[1:]
        if kind in b"$=":
            return None if int(rest) < 0 else self.reader.read(int(rest) + 2)[:-2].decode()
        if kind == b":":
            return int(rest)
        if kind in b"*~":
            return None if int(rest) < 0 else [self.read() for _ in range(int(rest))]
        if kind == b"%":
            return dict((self.read(), self.read()) for _ in range(int(rest)))
        if kind == b"-":
            raise RuntimeError(rest.decode())
        return rest.decode()


def start(*options):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    folder = tempfile.mkdtemp()
    server = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder,
                               "--enable-debug-command", "yes", *options], stdout=subprocess.DEVNULL)
    for _ in range(100):
        try:
            client = Client(port)
            client.call("HELLO", "3")
            return server, client
        except (OSError, RuntimeError):
            time.sleep(0.05)
    raise SystemExit("redis-server did not start (apt-get install redis-server)")


def text(s):
    return '"' + s.replace("\\", "\\\\").replace('"', '\\"') + '"'


def bits(prefix, names):
    return " | ".join(prefix + n.upper() for n in names) if names else "0"


def keyspec(spec):
    begin, find = spec["begin_search"], spec["find_keys"]
    b, f = begin["spec"], find["spec"]
    if begin["type"] == "index" and f == {"lastkey": 0, "keystep": 1, "limit": 0} and "notes" not in spec:
        return f"KeySpec::key({b['index']}, {bits('k::', spec['flags'])})"
    begin = {"index": lambda: f"Begin::Index({b['index']})",
             "keyword": lambda: f"Begin::Keyword {{ word: {text(b['keyword'])}, start: {b['startfrom']} }}",
             "unknown": lambda: "Begin::Unknown"}[begin["type"]]()
    find = {"range": lambda: f"Find::Range {{ last: {f['lastkey']}, step: {f['keystep']}, limit: {f['limit']} }}",
            "keynum": lambda: f"Find::Count {{ at: {f['keynumidx']}, first: {f['firstkey']}, step: {f['keystep']} }}",
            "unknown": lambda: "Find::Unknown"}[find["type"]]()
    flags = bits("k::", spec["flags"])
    return f"KeySpec {{ notes: {text(spec.get('notes', ''))}, flags: KeyFlags({flags}), begin: {begin}, find: {find} }}"


def argument(a):
    kind = "".join(p.capitalize() for p in a["type"].split("-"))
    out = f"Arg {{ name: {text(a['name'])}, kind: Kind::{kind}, "
    if "key_spec_index" in a: out += f"key_spec: {a['key_spec_index']}, "
    if "token" in a: out += f"token: Some({text(a['token'])}), "
    for field in ("since", "deprecated_since"):
        if field in a: out += f"{field}: {text(a[field])}, "
    for flag in a.get("flags", []): out += f"{flag}: true, "
    if "arguments" in a: out += "args: &[" + ", ".join(map(argument, a["arguments"])) + "], "
    return out + "..ARG }"


def row(info, docs, group):
    full, arity, flags, first, last, step, acl, tips, specs, subs = info
    container, _, name = full.rpartition("|")
    flags = flags + [f for f in HIDDEN if full in HIDDEN[f]]
    out = f"Row {{ name: {text(name)}, "
    if container: out += f"full_name: {text(full)}, container: {text(container)}, "
    else: out += f"full_name: {text(full)}, "
    out += f"handler: {'Some(describe::help)' if name == 'help' else 'None'}, arity: {arity}, flags: Flags({bits('f::', flags)}), "
    out += f"acl: Categories({bits('c::', [a[1:] for a in acl])}), "
    if first or last or step: out += f"first_key: {first}, last_key: {last}, step: {step}, "
    if specs: out += "keyspecs: &[" + ", ".join(map(keyspec, specs)) + "], "
    if full in MOVABLE: out += f"movable: Movable::{MOVABLE[full]}, "
    out += f"group: {text(docs['group'])}, since: {text(docs['since'])}, summary: {text(docs['summary'])}, "
    for field in ("complexity", "deprecated_since", "replaced_by"):
        if field in docs: out += f"{field}: {text(docs[field])}, "
    if "doc_flags" in docs: out += f"doc_flags: DocFlags({bits('d::', docs['doc_flags'])}), "
    if "history" in docs:
        out += "history: &[" + ", ".join(f"({text(v)}, {text(t)})" for v, t in docs["history"]) + "], "
    if tips: out += "tips: &[" + ", ".join(map(text, tips)) + "], "
    if "arguments" in docs: out += "args: &[" + ", ".join(map(argument, docs["arguments"])) + "], "
    if subs:
        subs = sorted(subs, key=lambda s: s[0])
        out += "subcommands: &[" + ", ".join(row(s, docs["subcommands"][s[0]], group) for s in subs) + "], "
    return out + "..ROW }"


# What Redis 7.2 added and 7.0.15 cannot tell: the same shape, written by hand.
def added_in_7_2(everything, docs):
    def sub(parent, name, arity, like, summary, complexity, args):
        model = next(s for s in everything[parent][9] if s[0] == like)
        entry = list(model)
        entry[0], entry[1], entry[7] = f"{parent}|{name}", arity, []
        everything[parent][9].append(entry)
        docs[parent].setdefault("subcommands", {})[entry[0]] = {
            "summary": summary, "since": "7.2.0", "group": docs[parent]["group"], "complexity": complexity, **args}

    on_off = {"arguments": [{"name": "enabled", "type": "oneof", "arguments": [
        {"name": "on", "type": "pure-token", "token": "ON"}, {"name": "off", "type": "pure-token", "token": "OFF"}]}]}
    sub("client", "no-touch", 3, "client|setname",
        "Controls whether commands sent by the client affect the LRU/LFU of accessed keys.", "O(1)", on_off)
    sub("client", "setinfo", 4, "client|setname",
        "Sets information specific to the client or connection.", "O(1)",
        {"arguments": [{"name": "attr", "type": "oneof", "arguments": [
            {"name": "libname", "type": "string", "token": "LIB-NAME"},
            {"name": "libver", "type": "string", "token": "LIB-VER"}]}]})
    sub("cluster", "myshardid", 2, "cluster|myid", "Returns the shard ID of a node.", "O(1)", {})
    wait = list(everything["wait"])
    wait[0], wait[1] = "waitaof", 4
    everything["waitaof"] = wait
    docs["waitaof"] = {
        "summary": "Blocks until all of the preceding write commands sent by the connection are written to the "
                   "append-only file of the master and/or replicas.",
        "since": "7.2.0", "group": "generic", "complexity": "O(1)",
        "arguments": [{"name": n, "type": "integer"} for n in ("numlocal", "numreplicas", "timeout")]}


def write(path, content, force):
    if os.path.exists(path) and not force:
        print("kept", path)
        return
    with open(path, "w") as f:
        f.write(content)
    subprocess.run(["rustfmt", "--edition", "2024", "--config-path", "rustfmt.toml", path], check=True)
    print("wrote", path)


def help_table(client, cluster, containers):
    out = "//! The text of every `X HELP` of Redis 7.0, without its first line (which names the command as the client wrote it)\n" \
          "//! and its last two (HELP itself), which `command::describe::write_help` adds. Pure table, read by nobody else.\n\n" \
          "/// (container, lines between the heading and HELP), sorted by container.\n" \
          "pub static HELP: &[(&str, &[&str])] = &[\n"
    for name in containers:
        lines = (cluster if name == "cluster" else client).call(name, "HELP")
        assert lines[-2:] == ["HELP", "    Prints this help."], (name, lines)
        assert lines[0] == f"{name.upper()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", lines[0]
        out += f"    ({text(name)}, &[{', '.join(map(text, lines[1:-2]))}]),\n"
    return out + "];\n"


def main():
    force = "--force" in sys.argv
    rest = [a for a in sys.argv[1:] if a != "--force"]
    folder = rest[0] if rest else "src/command/rows"
    os.makedirs(folder, exist_ok=True)
    server, client = start()
    clustered, cluster = start("--cluster-enabled", "yes")
    try:
        everything = {entry[0]: entry for entry in client.call("COMMAND")}
        docs = client.call("COMMAND", "DOCS")
        containers = sorted([n for n, e in everything.items() if any(s[0].endswith("|help") for s in e[9])] + ["debug"])
        help_text = help_table(client, cluster, containers)
    finally:
        for process in (server, clustered):
            process.terminate()
            process.wait()
    added_in_7_2(everything, docs)
    for group in GROUPS:
        shown = group.replace("_", "-")
        names = sorted(n for n in everything if docs[n]["group"] == shown)
        body = ", ".join(row(everything[n], docs[n], shown) for n in names)
        uses = ["ROW", "Row", "Flags", "Categories", "flag as f", "category as c"]
        for word, use in (("ARG ", "ARG"), ("Arg {", "Arg"), ("Kind::", "Kind"), ("KeySpec", "KeySpec"),
                          ("KeyFlags(", "KeyFlags"), ("k::", "key_flag as k"), ("Begin::", "Begin"), ("Find::", "Find"),
                          ("Movable::", "Movable"), ("DocFlags(", "DocFlags"), ("(d::", "doc_flag as d")):
            if word in body: uses.append(use)
        head = f"//! The commands of group *{shown}*: one row each, sorted by name. Pure table; `command::row` explains the columns,\n" \
               "//! `command::lookup` serves the rows whose `handler` is filled in (or that a control command stands behind).\n" \
               + ("use crate::command::describe;\n" if "describe::" in body else "") + \
               f"use crate::command::row::{{{', '.join(uses)}}};\n\n" \
               f"/// The rows of group {shown}.\npub static ROWS: &[Row] = &[{body}];\n"
        write(f"{folder}/{group}.rs", head, force)
    write(f"{folder}/help.rs", help_text, force)


main()
