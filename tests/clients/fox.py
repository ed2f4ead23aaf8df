"""Firefox, driven by Marionette (its own protocol, which needs no driver): publishes a colour and its fake microphone by
WHIP, then watches by WHEP, as its defaults have it.

python3 fox.py NODE ROOM COLOUR"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time

from common import COLUMNS, ROWS

NODE, ROOM, COLOUR = sys.argv[1:]
# A fake camera and microphone, no questions, and nothing asked of anybody outside. Port 0: any free one, which the
# profile's folder then tells.
with open(os.path.join(os.path.dirname(__file__), "firefox.json"), encoding="utf-8") as named:
    PREFERENCES = json.load(named)
PATIENCE_S = 60
BEGIN = """
const [room, colour, done] = arguments;
const talk = async (pc, path) => {
  await pc.setLocalDescription();
  while (pc.iceGatheringState !== "complete") await new Promise((go) => setTimeout(go, 50));
  const headers = { "content-type": "application/sdp" };
  const response = await fetch(path, { method: "POST", headers, body: pc.localDescription.sdp });
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text}`);
  await pc.setRemoteDescription({ type: "answer", sdp: text });
  return /<([^>]*[?]as=[^>]*)>/.exec(response.headers.get("link") ?? "")?.[1];
};
const begin = async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 160, height: 120 });
  const brush = canvas.getContext("2d");
  setInterval(() => {
    brush.fillStyle = `#${colour}`;
    brush.fillRect(0, 0, 160, 120);
  }, 200);
  const voice = await navigator.mediaDevices.getUserMedia({ audio: true });
  const publisher = new RTCPeerConnection();
  publisher.addTransceiver(canvas.captureStream(5).getVideoTracks()[0], { direction: "sendonly" });
  publisher.addTransceiver(voice.getAudioTracks()[0], { direction: "sendonly" });
  const link = await talk(publisher, `/whip/${room}`);
  while (publisher.connectionState !== "connected") await new Promise((go) => setTimeout(go, 50));
  const viewer = new RTCPeerConnection();
  const [sound, picture] = ["audio", "video"].map((kind) => viewer.addTransceiver(kind, { direction: "recvonly" }));
  await talk(viewer, link);
  const video = document.createElement("video");
  const srcObject = new MediaStream([picture.receiver.track, sound.receiver.track]);
  Object.assign(video, { autoplay: true, srcObject });
  document.body.append(video);
  Object.assign(window, { publisher, viewer, shown: video });
};
begin().then(() => done(null), (error) => done(String(error)));
"""
LOOK = """
const [columns, rows, done] = arguments;
const look = async () => {
  const inbound = [...(await window.viewer.getStats()).values()].find((one) => one.kind === "audio");
  const loudness = Math.sqrt((inbound?.totalAudioEnergy ?? 0) / (inbound?.totalSamplesDuration || 1));
  const video = window.shown;
  if (video.videoWidth === 0) return { pixels: [], loudness };
  const paint = new OffscreenCanvas(columns, rows).getContext("2d");
  paint.drawImage(video, 0, 0, columns, rows);
  const { data } = paint.getImageData(0, 0, columns, rows);
  const hex = (at) => [0, 1, 2].map((n) => data[at + n].toString(16).padStart(2, "0")).join("");
  return { pixels: Array.from({ length: columns * rows }, (_, n) => hex(4 * n)), loudness };
};
look().then(done, (error) => done({ error: String(error) }));
"""


class Marionette:
    """Commands are `length:[0, id, name, parameters]`, answers `length:[1, id, error, result]`."""

    def __init__(self, port):
        self.socket, self.rest, self.sent = socket.create_connection(("127.0.0.1", port)), b"", 0
        self.receive()

    def receive(self):
        while b":" not in self.rest or len(self.rest.split(b":", 1)[1]) < int(self.rest.split(b":", 1)[0]):
            self.rest += self.socket.recv(65536) or sys.exit("Firefox ended")
        length, rest = self.rest.split(b":", 1)
        message, self.rest = rest[: int(length)], rest[int(length) :]
        return json.loads(message)

    def command(self, name, **parameters):
        self.sent += 1
        text = json.dumps([0, self.sent, name, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(text), text))
        _, _, error, result = self.receive()
        return sys.exit(f"{name}: {error}") if error else result

    def script(self, script, *arguments):
        parameters = {"script": script, "args": arguments, "scriptTimeout": PATIENCE_S * 1000}
        return self.command("WebDriver:ExecuteAsyncScript", **parameters)["value"]


def port(profile, firefox):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and firefox.poll() is None:
        try:
            with open(os.path.join(profile, "MarionetteActivePort"), encoding="ascii") as file:
                return int(file.read())
        except (OSError, ValueError):
            time.sleep(0.1)
    sys.exit("Firefox never said its port")


def main():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        with open(os.path.join(profile, "user.js"), "w", encoding="utf-8") as file:
            for key, value in PREFERENCES.items():
                file.write(f"user_pref({json.dumps(key)}, {json.dumps(value)});\n")
        command = ["firefox-esr", "--headless", "--no-remote", "--marionette", "--profile", profile]
        quiet = subprocess.DEVNULL
        firefox = subprocess.Popen(command, stdout=quiet, stderr=quiet, env={**os.environ, "HOME": profile})
        try:
            marionette = Marionette(port(profile, firefox))
            marionette.command("WebDriver:NewSession", capabilities={})
            marionette.command("WebDriver:Navigate", url=NODE)
            if error := marionette.script(BEGIN, ROOM, COLOUR):
                sys.exit(error)
            while True:
                time.sleep(1)
                print(json.dumps(marionette.script(LOOK, COLUMNS, ROWS)), flush=True)
        finally:
            firefox.kill()
            firefox.wait()


main()
