#!/usr/bin/env python3
"""What half an hour of a call leaves behind: memory, threads, descriptors, and sound beside picture.

    python3 benches/soak.py target/release/tessera [--people 50] [--minutes 30]

A node and a recorded call of --people run throughout; each second somebody else comes into it, or leaves. Memory, threads and
descriptors of the node are read every ten seconds, and memory's slope is told of all and of the second half, when
what a node keeps for later has been filled; with the codec and what the room gives up, for encoders begin and end with
them. Two people who come at the beginning and at the end tell how far sound is from picture. Nothing is asserted.
"""

import argparse
import json
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from joins import Node

SPACING = 10
LIP_SYNC_SPAN = 20


def load(binary, node, people, seconds, *extra):
    command = [binary, "load", "--url", node.url, "--room", "soak", "-p", str(people), "-d", f"{seconds}s", "--quiet"]
    return subprocess.Popen([*command, *extra], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def come_and_go(binary, node, until, counts):
    """Two overlapping people who stay two seconds each: somebody comes or leaves each second."""
    while time.monotonic() < until:
        begun = time.monotonic()
        counts["came"] += 1
        counts["failed"] += load(binary, node, 1, 1, "--first", "100", "--speakers", "0", "--no-video").wait() != 0
        time.sleep(max(0, 2 - (time.monotonic() - begun)))


def lip_sync(binary, node, folder):
    out = Path(folder) / "lips.json"
    load(binary, node, 2, LIP_SYNC_SPAN, "--first", "101", "--decoders", "2", "--speakers", "1", "--json", str(out)).wait()
    return json.loads(out.read_text())


def seen(node):
    proc = Path("/proc") / str(node.process.pid)
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    return {
        "rss_mib": int(status["VmRSS"].split()[0]) / 1024,
        "threads": int(status["Threads"]),
        "descriptors": len(list((proc / "fd").iterdir())),
        "room": " ".join(json.loads(node.get("/v1/rooms/soak")).get(name, "") for name in ("codec", "gives_up")),
    }


def slope(samples):
    """MiB a minute, by least squares."""
    times = [at / 60 for at, _ in samples]
    sizes = [one["rss_mib"] for _, one in samples]
    mid, mean = sum(times) / len(times), sum(sizes) / len(sizes)
    return sum((t - mid) * (s - mean) for t, s in zip(times, sizes)) / sum((t - mid) ** 2 for t in times)


def told(figures):
    figures = figures if isinstance(figures, dict) else {"": figures}
    return "not known" if None in figures.values() else " ".join(f"{key} {one:.0f}".strip() for key, one in figures.items()) + " ms"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=30)
    options = parser.parse_args()
    binary, span = str(Path(options.binary).resolve()), options.minutes * 60
    with tempfile.TemporaryDirectory() as folder:
        node = Node(binary, folder)
        try:
            call = load(binary, node, options.people, int(span + 90), "--decoders", "1", "--speakers", "3")
            time.sleep(20)
            first = lip_sync(binary, node, folder)
            counts, until = {"came": 0, "failed": 0}, time.monotonic() + span
            others = threading.Thread(target=come_and_go, args=(binary, node, until, counts))
            others.start()
            begun, samples, before = time.monotonic(), [], node.figures()
            while time.monotonic() < until:
                samples.append((time.monotonic() - begun, seen(node)))
                time.sleep(SPACING)
            others.join()
            after = node.figures()
            last = lip_sync(binary, node, folder)
            for at, one in samples[:: max(1, len(samples) // 15)]:
                print(f"{at / 60:5.1f} min {one['rss_mib']:7.1f} MiB {one['threads']:4} threads {one['descriptors']:5} descriptors  {one['room']}")
            whole, half = slope(samples), slope(samples[len(samples) // 2 :])
            print(f"slope of all: {whole:+.3f} MiB a minute; of the second half: {half:+.3f}")
            print(f"{counts['came']} came and left, {counts['failed']} of them failed")
            print(f"ticks {after[0] - before[0]:.0f}, left out {after[1] - before[1]:.0f}")
            for label, two in (("first", first), ("last", last)):
                print(f"the {label} two: sound after picture {told(two['audio']['lip_sync_ms'])}, picture {told(two['latency_ms'])}")
            call.terminate()
        finally:
            node.process.terminate()
            node.process.wait()


if __name__ == "__main__":
    main()
