#!/usr/bin/env python3
"""What a call notices when others join and leave at once, or when a compiler runs beside it.

    python3 benches/joins.py target/release/tessera [--people 16] [--bursts 1,10,50] [--busy 2]

A node and a call of --people run throughout; into their room come, one burst after the other, so many more people at
once, who stay for eight seconds. Then --busy processes burn a core each for twenty seconds. Told for each: ticks that
the room left out, the longest time without a new picture that anyone of the first call saw, the newcomers' connections,
and what the room gave up. Nothing is asserted: a machine that does other things tells nothing.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

STAY = 8
PAUSE = 4
BUSY_SPAN = 20


def spinning(count):
    """Processes that take all they get, as a compiler does."""
    return [subprocess.Popen([sys.executable, "-c", "while True: sum(range(10000))"]) for _ in range(count)]


class Node:
    def __init__(self, binary, folder, extra=("--recordings", "recordings")):
        command = [binary, "serve", "--http", "127.0.0.1:0", "--media", "127.0.0.1:0", *extra]
        log = open(Path(folder) / "node.log", "w")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder)
        line = self.process.stdout.readline()
        self.url = next(word for word in line.split() if word.startswith("http"))
        self.folder = folder

    def get(self, path):
        with urllib.request.urlopen(self.url.rstrip("/") + path, timeout=5) as answer:
            return answer.read().decode()

    def metric(self, name):
        lines = (line.split() for line in self.get("/metrics").splitlines() if line.startswith(name))
        return sum(float(words[-1]) for words in lines)

    def figures(self):
        ticks, skipped = self.metric("tessera_ticks_total"), self.metric("tessera_ticks_skipped_total")
        return ticks, skipped, self.metric("tessera_reliefs_total")


def load(binary, node, people, seconds, folder, name, extra=()):
    out = Path(folder) / f"{name}.json"
    command = [binary, "load", "--url", node.url, "--room", "joins", "-p", str(people), "-d", f"{seconds}s", "--quiet"]
    process = subprocess.Popen([*command, "--json", str(out), *extra], stderr=subprocess.DEVNULL)
    return process, out


def told(label, node, before, extra=""):
    ticks, skipped, reliefs = (after - start for after, start in zip(node.figures(), before))
    share = 100 * skipped / max(ticks, 1)
    print(f"{label:24} {ticks:6.0f} ticks, {skipped:4.0f} left out ({share:.1f} %), {reliefs:.0f} reliefs {extra}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--people", type=int, default=16)
    parser.add_argument("--bursts", default="1,10,50")
    parser.add_argument("--busy", type=int, default=2)
    options = parser.parse_args()
    binary, bursts = str(Path(options.binary).resolve()), [int(count) for count in options.bursts.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        node = Node(binary, folder)
        try:
            whole = 15 + len(bursts) * (STAY + 2 * PAUSE + 6) + (BUSY_SPAN + 20 if options.busy else 0)
            call, report = load(binary, node, options.people, whole, folder, "call")
            time.sleep(12)
            before = node.figures()
            time.sleep(5)
            told("nobody comes", node, before)
            for count in bursts:
                before = node.figures()
                guests, out = load(binary, node, count, STAY, folder, f"burst{count}", ["--speakers", "0", "--first", str(options.people)])
                guests.wait(timeout=120)
                time.sleep(PAUSE)
                came = json.loads(out.read_text())["participants"]
                told(f"{count} come and go", node, before, f"({came['connected']} of {came['asked']} connected)")
            if options.busy:
                before, busy = node.figures(), spinning(options.busy)
                time.sleep(BUSY_SPAN)
                told(f"{options.busy} busy processes", node, before, node.get("/v1/rooms/joins").split("gives_up")[-1])
                for process in busy:
                    process.kill()
                    process.wait()
                before = node.figures()
                time.sleep(10)
                told("and after them", node, before)
            call.wait(timeout=whole + 60)
            seen = json.loads(report.read_text())
            print(f"the call: {seen['participants']}, longest gap {seen['freezes']['longest_ms']:.0f} ms,")
            face = max(seen["faces"], key=lambda face: face["longest_gap_ms"])
            still = max(look["longest_picture_gap_ms"] for look in seen["decoders"])
            print(f"  freezes over 500 ms {seen['freezes']['count']}, the picture stood still for {still:.0f} ms at most,")
            print(f"  and the face of person {face['number']} for {face['longest_gap_ms']:.0f} ms; latency {seen['latency_ms']}")
            print(f"  voices {seen['audio']['heard']} of {seen['audio']['expected']}")
        finally:
            node.process.terminate()
            node.process.wait()


if __name__ == "__main__":
    main()
