"""GStreamer's webrtcbin, as Debian has it: publishes a colour and a tone by WHIP, then watches by WHEP, in H.264.

/usr/bin/python3 gst.py NODE ROOM COLOUR HZ VP8|H264"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

from common import COLUMNS, ROWS, Sight, post  # noqa: E402

NODE, ROOM, COLOUR, HZ, SENT = sys.argv[1:]
ENCODE = {
    "VP8": "vp8enc deadline=1 keyframe-max-dist=30 ! rtpvp8pay",
    "H264": "openh264enc gop-size=30 ! h264parse ! rtph264pay config-interval=-1 aggregate-mode=zero-latency",
}[SENT]
PUBLISH = f"""
    videotestsrc is-live=true pattern=solid-color foreground-color={int("ff" + COLOUR, 16)} !
    video/x-raw,width=160,height=120,framerate=5/1 ! videoconvert ! {ENCODE} !
    application/x-rtp,media=video,encoding-name={SENT},payload=96 ! rtc.
    audiotestsrc is-live=true freq={HZ} volume=0.3 ! audioconvert ! opusenc ! rtpopuspay !
    application/x-rtp,media=audio,encoding-name=OPUS,payload=97 ! rtc.
    webrtcbin name=rtc bundle-policy=max-bundle"""
SOUND = "application/x-rtp,media=audio,encoding-name=OPUS,clock-rate=48000,encoding-params=(string)2,payload=111"
PICTURE = (
    "application/x-rtp,media=video,encoding-name=H264,clock-rate=90000,packetization-mode=(string)1,"
    "profile-level-id=(string)42e01f,level-asymmetry-allowed=(string)1,payload=102"
)
HEAR = "rtpopusdepay ! opusdec ! audioconvert ! audio/x-raw,format=S16LE ! appsink name=sink"
SEE = f"""rtph264depay ! h264parse ! openh264dec ! videorate ! video/x-raw,framerate=2/1 ! videoconvert !
    videoscale add-borders=false ! video/x-raw,format=RGB,width={COLUMNS},height={ROWS},pixel-aspect-ratio=1/1 !
    appsink name=sink"""

Gst.init(None)
LOOP = GLib.MainLoop()


def talk(rtc, url, then):
    """Offers what the element has, all candidates in it, and gives `then` the answer's link."""

    def offered(promise):
        reply = promise.get_reply()
        offer = reply.get_value("offer")
        # The offer lives as long as the reply.
        rtc.kept = reply, offer
        rtc.emit("set-local-description", offer, Gst.Promise.new())

    def gathered(*_):
        if rtc.get_property("ice-gathering-state") != GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            return
        answer, link = post(url, rtc.get_property("local-description").sdp.as_text())
        _, message = GstSdp.SDPMessage.new_from_text(answer)
        kind = GstWebRTC.WebRTCSDPType.ANSWER
        description = GstWebRTC.WebRTCSessionDescription.new(kind, message)
        rtc.emit("set-remote-description", description, Gst.Promise.new())
        GLib.idle_add(then, link)

    rtc.connect("notify::ice-gathering-state", gathered)
    rtc.emit("create-offer", None, Gst.Promise.new_with_change_func(offered))


def ends_on_error(pipeline):
    bus = pipeline.get_bus()
    bus.add_signal_watch()
    bus.connect("message::error", lambda _, message: (print(message.parse_error(), file=sys.stderr), LOOP.quit()))


def take(pipeline, pad, sight):
    is_sound = "media=(string)audio" in pad.get_current_caps().to_string()
    sink = Gst.parse_bin_from_description(HEAR if is_sound else SEE, True)

    def sample(element):
        buffer = element.emit("pull-sample").get_buffer()
        data = buffer.extract_dup(0, buffer.get_size())
        if is_sound:
            sight.hear(data)
        else:
            stride = len(data) // ROWS
            sight.look([data[y * stride :][: 3 * COLUMNS] for y in range(ROWS)])
        return Gst.FlowReturn.OK

    end = sink.get_by_name("sink")
    end.set_property("emit-signals", True)
    end.set_property("sync", False)
    end.connect("new-sample", sample)
    pipeline.add(sink)
    sink.sync_state_with_parent()
    pad.link(sink.get_static_pad("sink"))


def watch(url):
    sight = Sight()
    pipeline = Gst.Pipeline.new("watch")
    rtc = Gst.ElementFactory.make("webrtcbin", "rtc")
    rtc.set_property("bundle-policy", "max-bundle")
    pipeline.add(rtc)
    ends_on_error(pipeline)
    for caps in (SOUND, PICTURE):
        receive = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
        rtc.emit("add-transceiver", receive, Gst.Caps.from_string(caps))
    rtc.connect("pad-added", lambda _, pad: take(pipeline, pad, sight))
    pipeline.set_state(Gst.State.PLAYING)
    talk(rtc, url, lambda _: None)
    watch.kept = pipeline
    GLib.timeout_add_seconds(1, lambda: sight.tell() or True)


def main():
    pipeline = Gst.parse_launch(PUBLISH)
    ends_on_error(pipeline)
    rtc = pipeline.get_by_name("rtc")
    for line in range(2):
        send = GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY
        rtc.emit("get-transceiver", line).set_property("direction", send)
    begun = []

    def begin(_):
        # Each m-line that comes to be asks again.
        if not begun:
            begun.append(True)
            talk(rtc, f"{NODE}whip/{ROOM}", watch)

    rtc.connect("on-negotiation-needed", begin)
    pipeline.set_state(Gst.State.PLAYING)
    LOOP.run()
    sys.exit("the pipeline ended")


main()
