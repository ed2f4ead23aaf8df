#!/usr/bin/env python3
"""How a node's cost grows with people and rooms: rows for docs/benchmarks.md.

    python3 benches/table.py target/release/tessera [--seconds 30] [--only 25,100,3x5]

For each row a node of its own, recorded, with simulated people beside it on the same cores: three of a room speak, or five of a
hundred. Measured while all of a row's rooms are, by /proc and the node's own counters; latency, freezes and who was seen is what the
people report. Nothing is asserted: a machine that does other things tells nothing.
"""

import argparse
import json
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from joins import Node

TICKS = os.sysconf("SC_CLK_TCK")
HD = "[video]\nwidth = 1920\nheight = 1080\n"
# Rooms, people in each, what a configuration adds, what the load adds.
ROWS = {
    "10": (1, 10, "", []),
    "16": (1, 16, "", []),
    "25": (1, 25, "", []),
    "50": (1, 50, "", []),
    "100": (1, 100, "", []),
    "100 av1": (1, 100, '[video]\ncodec = "av1"\n', []),
    "2x100": (2, 100, "", []),
    "3x5": (3, 5, "", []),
    "4x25": (4, 25, "", []),
    "25 at 1080p": (1, 25, HD, ["--width", "640", "--height", "360", "--heedless"]),
}


class People:
    """A load, and the moment from which it measures."""

    def __init__(self, binary, node, room, people, seconds, folder, extra):
        self.out = Path(folder) / f"{room}.json"
        command = [binary, "load", "--url", node.url, "--room", room, "-p", str(people), "-d", f"{seconds}s"]
        command += ["--speakers", "5" if people >= 100 else "3", "--json", str(self.out), *extra]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.measures = threading.Event()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stderr:
            if "measuring" in line:
                self.measures.set()

    def report(self):
        self.process.wait()
        return json.loads(self.out.read_text())


def family(pid):
    """A process and what it started."""
    stats = [(int(name), (Path("/proc") / name / "stat")) for name in os.listdir("/proc") if name.isdigit()]
    parents = {}
    for one, stat in stats:
        try:
            parents[one] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
    return [pid, *(one for one, parent in parents.items() if parent == pid)]


def spent(pids):
    """Seconds of a core."""
    fields = [(Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split() for pid in pids]
    return sum(int(one[11]) + int(one[12]) for one in fields) / TICKS


def peak_mib(pids):
    texts = [(Path("/proc") / str(pid) / "status").read_text() for pid in pids]
    return sum(int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith("VmHWM")) / 1024


def row(binary, label, seconds):
    rooms, people, config, extra = ROWS[label]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "node.toml").write_text(config)
        node = Node(binary, folder, ("--config", "node.toml", "--recordings", "recordings"))
        try:
            loads = [People(binary, node, f"room-{n}", people, seconds, folder, extra) for n in range(rooms)]
            for load in loads:
                load.measures.wait(timeout=180)
            pids, begun = family(node.process.pid), time.monotonic()
            cost, theirs, before = spent(pids), spent(load.process.pid for load in loads), node.figures()
            time.sleep(seconds - 2)
            span = time.monotonic() - begun
            cost, theirs = (spent(pids) - cost) / span, (spent(load.process.pid for load in loads) - theirs) / span
            ticks, skipped, _ = (after - start for after, start in zip(node.figures(), before))
            memory, rooms_now = peak_mib(pids), json.loads(node.get("/v1/rooms"))["rooms"]
            gives = {json.loads(node.get(f"/v1/rooms/{one['room']}"))["gives_up"] for one in rooms_now}
            reports = [load.report() for load in loads]
        finally:
            node.process.terminate()
            node.process.wait()
    seen = sum(one["participants"]["seen"] for one in reports)
    heard = sum(one["audio"]["heard"] for one in reports)
    speak = sum(one["audio"]["expected"] for one in reports)
    worst = max(reports, key=lambda one: one["latency_ms"]["p95"])
    freezes = sum(one["freezes"]["count"] for one in reports)
    longest = max(one["freezes"]["longest_ms"] for one in reports)
    codecs = ", ".join(sorted({one["composite"]["codec"] for one in reports}))
    latency = f"{worst['latency_ms']['p50']:.0f}, {worst['latency_ms']['p95']:.0f} ms"
    print(
        f"| {label} | {codecs} | {cost:.2f} | {theirs:.2f} | {latency} | {freezes}, {longest:.0f} ms | "
        f"{skipped:.0f} of {ticks:.0f} | {seen} of {rooms * people}, {heard} of {speak} | {', '.join(sorted(gives))} | {memory:.0f} MiB |",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--only", default=",".join(ROWS))
    options = parser.parse_args()
    binary = str(Path(options.binary).resolve())
    print("| people | codec | node, cores | load, cores | latency p50, p95 | freezes, longest gap | ticks left out | seen, heard | gives up | memory |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for label in options.only.split(","):
        row(binary, label, options.seconds)


if __name__ == "__main__":
    main()
