"""aiortc (https://aiortc.readthedocs.io): publishes a colour and a tone by WHIP, then watches by WHEP.

python3 peer.py NODE ROOM COLOUR HZ SENT WATCHED [HASH]: codecs by their names in SDP; HASH: the only fingerprint told."""

import asyncio
import fractions
import math
import sys
import time
from array import array

import av
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCRtpSender
from aiortc import RTCSessionDescription
from common import COLUMNS, ROWS, Sight, post

NODE, ROOM, COLOUR, HZ, SENT, WATCHED, *HASH = sys.argv[1:]
WIDTH, HEIGHT, RATE = 160, 120, 5
SAMPLE_RATE, PACKET = 48000, 960


class Paced(MediaStreamTrack):
    """Makes frames at their times."""

    def __init__(self, spacing):
        super().__init__()
        self.spacing, self.made, self.began = spacing, 0, time.monotonic()

    async def recv(self):
        await asyncio.sleep(max(0, self.began + self.made * self.spacing - time.monotonic()))
        frame = self.frame(self.made)
        self.made += 1
        return frame


class Colour(Paced):
    kind = "video"

    def frame(self, number):
        picture = av.VideoFrame(WIDTH, HEIGHT, "rgb24")
        plane = picture.planes[0]
        plane.update(bytes.fromhex(COLOUR) * (plane.line_size // 3) * HEIGHT)
        picture = picture.reformat(format="yuv420p")
        picture.pts, picture.time_base = number * 90000 // RATE, fractions.Fraction(1, 90000)
        return picture


class Tone(Paced):
    kind = "audio"

    def frame(self, number):
        sound = av.AudioFrame(format="s16", layout="mono", samples=PACKET)
        turns = ((number * PACKET + at) * int(HZ) / SAMPLE_RATE for at in range(PACKET))
        sound.planes[0].update(array("h", [int(6000 * math.sin(2 * math.pi * turn)) for turn in turns]).tobytes())
        sound.sample_rate, sound.pts = SAMPLE_RATE, number * PACKET
        sound.time_base = fractions.Fraction(1, SAMPLE_RATE)
        return sound


def only(side, name):
    return [codec for codec in side.getCapabilities("video").codecs if codec.mimeType == f"video/{name}"]


async def talk(connection, url):
    await connection.setLocalDescription(await connection.createOffer())
    lines = connection.localDescription.sdp.splitlines(keepends=True)
    told = lambda line: not HASH or not line.startswith("a=fingerprint:") or HASH[0] in line
    answer, link = await asyncio.to_thread(post, url, "".join(filter(told, lines)))
    await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    return link


async def main():
    publisher = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    publisher.addTransceiver(Tone(PACKET / SAMPLE_RATE), direction="sendonly")
    camera = publisher.addTransceiver(Colour(1 / RATE), direction="sendonly")
    camera.setCodecPreferences(only(RTCRtpSender, SENT))
    link = await talk(publisher, f"{NODE}whip/{ROOM}")
    while publisher.connectionState != "connected":
        await asyncio.sleep(0.1)

    sight = Sight()
    viewer = RTCPeerConnection(RTCConfiguration(iceServers=[]))

    @viewer.on("track")
    def _(track):
        asyncio.ensure_future(take(track, sight))

    viewer.addTransceiver("audio", direction="recvonly")
    screen = viewer.addTransceiver("video", direction="recvonly")
    screen.setCodecPreferences(only(RTCRtpReceiver, WATCHED))
    await talk(viewer, link)
    while True:
        await asyncio.sleep(1)
        sight.tell()


async def take(track, sight):
    looked = 0
    while True:
        frame = await track.recv()
        if track.kind == "audio":
            sight.hear(frame.planes[0])
        elif time.monotonic() > looked + 0.5:
            looked = time.monotonic()
            plane = frame.reformat(COLUMNS, ROWS, "rgb24").planes[0]
            data = bytes(plane)
            sight.look([data[y * plane.line_size :][: 3 * COLUMNS] for y in range(ROWS)])


asyncio.run(main())
