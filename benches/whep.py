#!/usr/bin/env python3
"""What viewers by WHEP cost a node: the same room without them, with them, and without them again, in one run.

    python3 benches/whep.py target/release/tessera [--viewers 200] [--people 6] [--bitrate 1000000] [--span 20]
        [--load BINARY]

A node and a call of --people run throughout; then --viewers come by WHEP (`tessera load -p 0 --viewers`), each with a
connection of their own, stay for --span seconds and leave. Told for each part: processor time of the node by what its
threads do (/metrics) and of the processes beside it, its memory, ticks left out, viewers that were given a smaller
rung, and of the viewers what they got. Takes about half a minute and two and a half --span. Nothing is asserted: a
machine that does other things tells nothing, and neither does a binary built without optimisation.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from joins import Node

SETTLE = 8
COME_MAX = 90
THREADS = ["net", "encode", "decode", "compose", "mix", "package", "other"]


def processor_seconds(process):
    """What a process and its threads took so far."""
    words = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def memory(process):
    """What a process holds in memory, MiB."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def figures(node, beside):
    took = {}
    names = ["tessera_ticks_total", "tessera_ticks_skipped_total", "tessera_datagrams_out_total"]
    names += ["tessera_datagrams_in_total", "tessera_sends_refused_total", "tessera_net_rounds_long_total"]
    names.append("tessera_rung_downs_total")
    for line in node.get("/metrics").splitlines():
        words = line.split()
        if words and words[0] in names:
            took[words[0]] = float(words[-1])
        if words and words[0].startswith("tessera_processor_seconds_total"):
            took[words[0].split('thread="')[1].split('"')[0]] = float(words[-1])
    took["node"] = processor_seconds(node.process)
    took["memory"] = memory(node.process)
    took["beside"] = sum(processor_seconds(process) for process in beside)
    return time.monotonic(), took


def told(label, before, after):
    span = after[0] - before[0]
    rate = {name: (after[1].get(name, 0) - before[1].get(name, 0)) / span for name in after[1]}
    threads = ", ".join(f"{name} {rate[name]:.3f}" for name in THREADS if rate.get(name, 0) >= 0.0005)
    ticks, skipped = rate["tessera_ticks_total"] * span, rate["tessera_ticks_skipped_total"] * span
    refused = rate.get("tessera_sends_refused_total", 0) * span
    long = rate.get("tessera_net_rounds_long_total", 0) * span
    print(f"{label:20} node {rate['node']:.3f} cores ({threads}); beside it {rate['beside']:.3f};"
          f" {after[1]['memory']:.0f} MiB")
    print(f"{'':20} {ticks:.0f} ticks, {skipped:.0f} left out; {rate['tessera_datagrams_out_total']:.0f} datagrams out"
          f" and {rate['tessera_datagrams_in_total']:.0f} in a second, {refused:.0f} refused; {long:.0f} long rounds,"
          f" {rate.get('tessera_rung_downs_total', 0) * span:.0f} to a smaller rung")
    return rate


def load(binary, node, out, options):
    command = [binary, "load", "--url", node.url, "--room", "whep", "--quiet", "--json", str(out), *options]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def wait_for_viewers(node, count):
    end = time.monotonic() + COME_MAX
    while time.monotonic() < end:
        viewers = json.loads(node.get("/v1/rooms/whep"))["viewers"]
        if viewers >= count:
            return viewers
        time.sleep(0.2)
    return viewers


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--load", help="who simulates, if it is another binary than the node's")
    parser.add_argument("--viewers", type=int, default=200)
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--bitrate", type=int, default=1_000_000)
    parser.add_argument("--span", type=int, default=20)
    options = parser.parse_args()
    binary = str(Path(options.binary).resolve())
    loader = str(Path(options.load or options.binary).resolve())
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "node.toml"
        config.write_text(f"[video]\nbitrate = {options.bitrate}\n")
        node = Node(binary, folder, ["--config", str(config)])
        processes = []
        try:
            out = Path(folder) / "call.json"
            stay = SETTLE * 3 + options.span * 3 + options.viewers // 10
            call = load(loader, node, out, ["-p", str(options.people), "-d", f"{stay}s", "--decoders", "1"])
            processes.append(call)
            wait_for_people(node, options.people)
            time.sleep(SETTLE)
            before = figures(node, [call])
            time.sleep(options.span)
            alone = told("without viewers", before, figures(node, [call]))
            seen = Path(folder) / "viewers.json"
            watching = ["-p", "0", "--viewers", str(options.viewers), "-d", f"{options.span + 6}s"]
            audience = load(loader, node, seen, watching)
            processes.append(audience)
            began = time.monotonic()
            came = wait_for_viewers(node, options.viewers)
            print(f"{came} viewers came in {time.monotonic() - began:.1f} s")
            time.sleep(2)
            before = figures(node, [call, audience])
            time.sleep(options.span)
            beset = told(f"with {came} viewers", before, figures(node, [call, audience]))
            audience.wait(timeout=60)
            time.sleep(2)
            before = figures(node, [call])
            time.sleep(options.span // 2)
            after = told("and after them", before, figures(node, [call]))
            cost = beset["node"] - (alone["node"] + after["node"]) / 2
            packets = beset["tessera_datagrams_out_total"] - alone["tessera_datagrams_out_total"]
            print(f"the viewers cost {cost:.3f} cores, {cost / max(packets, 1) * 1e6:.1f} µs a packet")
            got = json.loads(seen.read_text())
            viewers = got["viewers"]
            print(f"they got {viewers['bitrate'] / 1e6:.2f} Mb/s each, {viewers['fps']:.1f} pictures a second or more,")
            print(f"  longest gap {viewers['longest_gap_ms']:.0f} ms, {viewers['freezes']} freezes over 500 ms,")
            print(f"  {viewers['lost']} of {viewers['packets']} packets lost, first picture"
                  f" {viewers['first_picture_ms']['p50']:.0f} ms median, {viewers['first_picture_ms']['p95']:.0f} p95")
            for error in got["errors"]:
                print(f"  error: {error}")
            # It tells what it saw until now.
            call.send_signal(signal.SIGINT)
            call.wait(timeout=60)
            people = json.loads(out.read_text())
            print(f"the call, all the time: {people['participants']}, {people['composite']['fps']:.1f} frames/s,"
                  f" longest gap {people['freezes']['longest_ms']:.0f} ms")
        finally:
            for process in processes:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
            node.process.terminate()
            node.process.wait()


def wait_for_people(node, count):
    end = time.monotonic() + COME_MAX
    while time.monotonic() < end:
        try:
            if len(json.loads(node.get("/v1/rooms/whep"))["participants"]) >= count:
                return
        except OSError:
            # The room is not there yet.
            pass
        time.sleep(0.2)
    sys.exit("the call did not come about; see what `tessera load` says")


if __name__ == "__main__":
    main()
