//! **The question:** how does one simulated person connect? One `PeerConnection` with the m-lines every participant
//! has: camera and microphone out, a screen too if one is shared, composite and mix in, and the data channel.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use rtc::interceptor::{NackResponderBuilder, Registry, Slot};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::{configure_rtcp_reports, configure_twcc_receiver_only};
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_AV1, MIME_TYPE_H264, MIME_TYPE_OPUS, MIME_TYPE_RTX, MediaEngine,
};
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionCapability, RTCRtpRtxParameters, RtpCodecKind,
};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use rtc::sdp::extmap::{AUDIO_LEVEL_URI, SDES_MID_URI};
use tokio::sync::{mpsc, watch};
use webrtc::data_channel::DataChannel;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState, RTCPeerConnectionState,
    RTCSessionDescription, SrtpProtectionProfile,
};

use super::codecs::{Codecs, OPUS_PAYLOAD_TYPE, answered, payload_type, repair_payload_type, with_all_on_the_first};
use super::error::LoadError;
use super::http::Door;
use super::relay::{Links, Relay};
use super::repair::{Repair, RepairCounts};
use super::wants::Wants;
use crate::base::limits;
use crate::base::media::{Codec, RoomId};
use crate::core::signal::{self, VideoTrack};

/// What is said of H.264: constrained baseline, level 3.1 and up, NAL units in fragments (RFC 6184 section 8.1).
const H264_FORMAT: &str = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";
/// What is said of Opus.
const OPUS_FORMAT: &str = "minptime=10;useinbandfec=1;stereo=1";
/// The two inward tracks: composite and mix.
const INWARD: [RtpCodecKind; 2] = [RtpCodecKind::Video, RtpCodecKind::Audio];

/// One connected simulated person.
pub(super) struct Participant {
    /// Its number among the load's people, as in its barcodes and pilot.
    pub number: usize,
    /// What the node takes their pictures in, of those who send any.
    pub codec: Option<Codec>,
    /// Outward picture, of those who have to do with pictures.
    pub camera: Option<LocalTrack>,
    /// Outward voice.
    pub microphone: LocalTrack,
    /// Outward screen, of those who share one.
    pub screen: Option<LocalTrack>,
    /// What the node tells.
    pub channel: Arc<dyn DataChannel>,
    state: watch::Receiver<RTCPeerConnectionState>,
    tracks: mpsc::Receiver<Arc<dyn TrackRemote>>,
    connection: Arc<dyn PeerConnection>,
    resource: Url,
    /// The link their traffic goes through, if that is a bad one.
    pub link: Option<Relay>,
}

/// How a person's traffic goes.
#[derive(Clone)]
pub(super) struct Path {
    /// Through a bad link.
    pub links: Option<Links>,
    /// Where it is counted what they miss.
    pub repairs: Arc<RepairCounts>,
}

/// One outward track and the SSRC it sends with.
#[derive(Clone)]
pub(super) struct LocalTrack {
    /// Where packets are written, and feedback is read.
    pub track: Arc<TrackLocalStaticRTP>,
    /// The source of its packets.
    pub ssrc: u32,
}

impl Participant {
    /// Joins `room` as person `number`, who speaks these `codecs` and wants this of the call, and waits until media
    /// flows. `seat` names the seat that they have already. Behind a bad link a connection that does not stand soon is
    /// tried anew, as the node's own page does.
    ///
    /// # Errors
    /// [`LoadError::Unreachable`], [`LoadError::Refused`], [`LoadError::Connection`] and [`LoadError::NotConnected`].
    pub async fn join(
        door: &Door,
        room: &RoomId,
        number: usize,
        codecs: &Codecs,
        (wants, path): (Wants, &Path),
        seat: Option<&str>,
    ) -> Result<Self, LoadError> {
        // The crate's DTLS forgets to repeat its last flight once anything of the other side's comes twice.
        let attempts = if path.links.is_some() { limits::LOAD_LINKED_ATTEMPTS } else { 1 };
        let (patience, mut attempt) = (limits::CONNECT_SPAN / attempts, 1);
        loop {
            let joined = Self::attempt(door, room, (number, attempt, seat), codecs, (wants, path), patience).await;
            if attempt == attempts || !matches!(joined, Err(LoadError::NotConnected(_))) {
                return joined;
            }
            attempt += 1;
        }
    }

    /// One connection, which stands within `patience`.
    async fn attempt(
        door: &Door,
        room: &RoomId,
        (number, attempt, seat): (usize, u32, Option<&str>),
        codecs: &Codecs,
        (wants, path): (Wants, &Path),
        patience: Duration,
    ) -> Result<Self, LoadError> {
        let Wants { pictures, .. } = wants;
        let (ear, mut state, mut gathered, tracks) = Ear::new();
        let is_near = door.is_loopback() || path.links.is_some();
        let connection = connection(is_near, codecs, ear, Repair::new(Arc::clone(&path.repairs))).await?;
        let local = |codec, label| LocalTrack::new(number, codec, label);
        let pictures_as = codecs.iter().next().unwrap_or(Codec::Av1);
        let camera = pictures.camera.then(|| local(pictures_as, "camera"));
        let microphone = local(Codec::Opus, "microphone");
        let screen = pictures.screen.then(|| local(pictures_as, "screen"));
        let outward: Vec<&LocalTrack> = camera.iter().chain([&microphone]).chain(&screen).collect();
        let inward = if pictures.camera { &INWARD[..] } else { &INWARD[1..] };
        let channel = lay_out(&*connection, &outward, inward).await?;
        let offer = offer(&*connection, &mut gathered).await?;
        let admission = door.join(room, (&format!("Load {number}"), seat), wants, offer).await?;
        let resource = admission.resource;
        let codec = pictures.camera.then(|| answered(&admission.answer)).flatten();
        let mut answer = with_all_on_the_first(&admission.answer);
        let mut link = None;
        if let Some(links) = &path.links {
            let (relay, through) = Relay::open(links, (number, attempt), &answer).await?;
            (link, answer) = (Some(relay), through);
        }
        let settled = settle(&*connection, answer, &mut state, patience).await;
        if let Err(error) = settled {
            let _ = door.leave(&resource).await;
            let _ = connection.close().await;
            return Err(error);
        }
        Ok(Self { number, codec, camera, microphone, screen, tracks, channel, state, connection, resource, link })
    }

    /// Composite and mix, as they open; for the first caller.
    pub fn take_tracks(&mut self) -> mpsc::Receiver<Arc<dyn TrackRemote>> {
        let (_, empty) = mpsc::channel(1);
        std::mem::replace(&mut self.tracks, empty)
    }

    /// Camera and screen, as far as there are.
    pub fn tracks_of_pictures(&self) -> impl Iterator<Item = (VideoTrack, &LocalTrack)> {
        let camera = self.camera.iter().map(|local| (VideoTrack::Camera, local));
        camera.chain(self.screen.iter().map(|local| (VideoTrack::Screen, local)))
    }

    /// What names their seat to the node.
    pub fn seat(&self) -> Option<String> {
        self.resource.path_segments()?.next_back().map(str::to_owned)
    }

    /// Whether the connection stands, as far as this side knows.
    pub fn is_connected(&self) -> bool {
        *self.state.borrow() == RTCPeerConnectionState::Connected
    }

    /// Leaves the room: DELETE, then the connection closes.
    ///
    /// # Errors
    /// When the node does not take the DELETE; the connection is closed nevertheless.
    pub async fn leave(&self, door: &Door) -> Result<(), LoadError> {
        let left = door.leave(&self.resource).await;
        let _ = tokio::time::timeout(limits::LOAD_CLOSE_SPAN, self.connection.close()).await;
        left
    }
}

/// The m-lines of a participant, in the contract's order.
async fn lay_out(
    connection: &dyn PeerConnection,
    outward: &[&LocalTrack],
    inward: &[RtpCodecKind],
) -> Result<Arc<dyn DataChannel>, LoadError> {
    for local in outward {
        let track = Arc::clone(&local.track) as Arc<dyn TrackLocal>;
        connection.add_transceiver_from_track(track, Some(one_way(RTCRtpTransceiverDirection::Sendonly))).await?;
    }
    for kind in inward {
        connection.add_transceiver_from_kind(*kind, Some(one_way(RTCRtpTransceiverDirection::Recvonly))).await?;
    }
    Ok(connection.create_data_channel(signal::LABEL, None).await?)
}

fn one_way(direction: RTCRtpTransceiverDirection) -> RTCRtpTransceiverInit {
    RTCRtpTransceiverInit { direction, streams: Vec::new(), send_encodings: Vec::new() }
}

/// The offer, once it holds this side's addresses.
async fn offer(connection: &dyn PeerConnection, gathered: &mut watch::Receiver<bool>) -> Result<String, LoadError> {
    let offer = connection.create_offer(None).await?;
    connection.set_local_description(offer).await?;
    let is_late = tokio::time::timeout(limits::CONNECT_SPAN, gathered.wait_for(|done| *done)).await.is_err();
    if is_late {
        return Err(LoadError::NotConnected("no local address was found in time".to_owned()));
    }
    Ok(connection.local_description().await.map(|description| description.sdp).unwrap_or_default())
}

/// Applies the node's answer and waits until the connection stands, within `patience`.
async fn settle(
    connection: &dyn PeerConnection,
    answer: String,
    state: &mut watch::Receiver<RTCPeerConnectionState>,
    patience: Duration,
) -> Result<(), LoadError> {
    connection.set_remote_description(RTCSessionDescription::answer(answer)?).await?;
    let is_settled = |state: &RTCPeerConnectionState| {
        matches!(
            state,
            RTCPeerConnectionState::Connected | RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed
        )
    };
    match tokio::time::timeout(patience, state.wait_for(is_settled)).await {
        Ok(Ok(state)) if *state == RTCPeerConnectionState::Connected => Ok(()),
        Ok(_) => Err(LoadError::NotConnected("the connection failed".to_owned())),
        Err(_) => Err(LoadError::no_connection(patience)),
    }
}

impl LocalTrack {
    fn new(number: usize, codec: Codec, label: &str) -> Self {
        let (ssrc, kind) = (rand::random(), kind_of(codec));
        let coding = RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters {
                ssrc: Some(ssrc),
                rtx: codec.is_video().then(|| RTCRtpRtxParameters { ssrc: rand::random() }),
                ..Default::default()
            },
            active: true,
            codec: format(codec).rtp_codec,
            ..Default::default()
        };
        let (stream, track) = (format!("load-{number}"), format!("{label}-{number}"));
        let track = MediaStreamTrack::new(stream, track, label.to_owned(), kind, vec![coding]);
        Self { track: Arc::new(TrackLocalStaticRTP::new(track)), ssrc }
    }
}

/// A connection that speaks these codecs and Opus only, over one host address, encrypted with AES-GCM, and tells as
/// browsers do what comes (transport-wide feedback, receiver reports) and what does not (NACK, answered by RTX).
async fn connection(
    is_loopback: bool,
    codecs: &Codecs,
    ear: Arc<Ear>,
    repair: Repair,
) -> Result<Arc<dyn PeerConnection>, LoadError> {
    let mut media = MediaEngine::default();
    for codec in codecs.iter().chain([Codec::Opus]) {
        media.register_codec(format(codec), kind_of(codec))?;
        if let Some(repair) = repair_format(codec) {
            media.register_codec(repair, kind_of(codec))?;
        }
    }
    for kind in [RtpCodecKind::Video, RtpCodecKind::Audio] {
        let mid = RTCRtpHeaderExtensionCapability { uri: SDES_MID_URI.to_owned() };
        media.register_header_extension(mid, kind, None)?;
    }
    let level = RTCRtpHeaderExtensionCapability { uri: AUDIO_LEVEL_URI.to_owned() };
    media.register_header_extension(level, RtpCodecKind::Audio, None)?;
    for parameter in ["", "pli"] {
        let feedback = RTCPFeedback { typ: "nack".to_owned(), parameter: parameter.to_owned() };
        media.register_feedback(feedback, RtpCodecKind::Video);
    }
    let repairs = Registry::new()
        .with(Slot::NackResponder, NackResponderBuilder::new().build())
        .with(Slot::NackGenerator, repair);
    let interceptors = configure_rtcp_reports(configure_twcc_receiver_only(repairs, &mut media)?);
    let settings = SettingEngineBuilder::new()
        .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm])
        .with_include_loopback_candidate(is_loopback)
        .build();
    let address = if is_loopback { "127.0.0.1:0" } else { "0.0.0.0:0" };
    let built = PeerConnectionBuilder::new()
        .with_media_engine(media)
        .with_interceptor_registry(interceptors)
        .with_setting_engine(settings)
        .with_handler(ear)
        .with_udp_addrs(vec![address])
        .build()
        .await?;
    Ok(Arc::new(built))
}

fn kind_of(codec: Codec) -> RtpCodecKind {
    if codec.is_video() { RtpCodecKind::Video } else { RtpCodecKind::Audio }
}

/// How `codec` is offered.
fn format(codec: Codec) -> RTCRtpCodecParameters {
    let (mime_type, line, kind) = match codec {
        Codec::H264 => (MIME_TYPE_H264, H264_FORMAT, payload_type(codec)),
        Codec::Opus => (MIME_TYPE_OPUS, OPUS_FORMAT, OPUS_PAYLOAD_TYPE),
        _ => (MIME_TYPE_AV1, "", payload_type(codec)),
    };
    let rtp_codec = RTCRtpCodec {
        mime_type: mime_type.to_owned(),
        clock_rate: if codec.is_video() { limits::VIDEO_CLOCK } else { limits::SAMPLE_RATE },
        channels: if codec.is_video() { 0 } else { 2 },
        sdp_fmtp_line: line.to_owned(),
        rtcp_feedback: Vec::new(),
    };
    RTCRtpCodecParameters { rtp_codec, payload_type: kind }
}

/// How the repair of `codec` is offered (RFC 4588), of those that are repaired.
fn repair_format(codec: Codec) -> Option<RTCRtpCodecParameters> {
    if !codec.is_video() {
        return None;
    }
    let rtp_codec = RTCRtpCodec {
        mime_type: MIME_TYPE_RTX.to_owned(),
        clock_rate: limits::VIDEO_CLOCK,
        channels: 0,
        sdp_fmtp_line: ["apt=", &payload_type(codec).to_string()].concat(),
        rtcp_feedback: Vec::new(),
    };
    Some(RTCRtpCodecParameters { rtp_codec, payload_type: repair_payload_type(codec) })
}

/// Hears what the connection tells. Runs on the connection's own task, so it only ever leaves a note.
struct Ear {
    state: watch::Sender<RTCPeerConnectionState>,
    gathered: watch::Sender<bool>,
    tracks: mpsc::Sender<Arc<dyn TrackRemote>>,
}

/// Where [`Ear`]'s notes of state, gathered addresses and tracks are read.
type Notes =
    (Arc<Ear>, watch::Receiver<RTCPeerConnectionState>, watch::Receiver<bool>, mpsc::Receiver<Arc<dyn TrackRemote>>);

impl Ear {
    fn new() -> Notes {
        let (state, states) = watch::channel(RTCPeerConnectionState::New);
        let (gathered, gatherings) = watch::channel(false);
        let (tracks, opened) = mpsc::channel(INWARD.len());
        (Arc::new(Self { state, gathered, tracks }), states, gatherings, opened)
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Ear {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.gathered.send_replace(true);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.state.send_replace(state);
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        // More tracks than were offered are not ours to read.
        let _ = self.tracks.try_send(track);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The offer of person 7, who speaks these `codecs`, and their camera.
    async fn offered(codecs: &Codecs) -> (String, LocalTrack) {
        let (ear, _state, mut gathered, _tracks) = Ear::new();
        let connection = connection(true, codecs, ear, Repair::new(Arc::default())).await.unwrap();
        let pictures_as = codecs.iter().next().unwrap();
        let (camera, microphone) =
            (LocalTrack::new(7, pictures_as, "camera"), LocalTrack::new(7, Codec::Opus, "microphone"));
        lay_out(&*connection, &[&camera, &microphone], &INWARD).await.unwrap();
        let sdp = offer(&*connection, &mut gathered).await.unwrap();
        connection.close().await.unwrap();
        (sdp, camera)
    }

    #[tokio::test]
    async fn the_offer_has_the_contracts_lines_in_their_order() {
        let (sdp, camera) = offered(&"av1".parse().unwrap()).await;
        let sections: Vec<&str> = sdp.split("\nm=").skip(1).collect();
        let expected = [
            ("video ", "a=sendonly", "AV1/90000"),
            ("audio ", "a=sendonly", "opus/48000/2"),
            ("video ", "a=recvonly", "AV1/90000"),
            ("audio ", "a=recvonly", "opus/48000/2"),
            ("application ", "a=sctp-port", "webrtc-datachannel"),
        ];
        assert_eq!(sections.len(), expected.len(), "{sdp}");
        for (section, (kind, direction, codec)) in sections.iter().zip(expected) {
            assert!(section.starts_with(kind) && section.contains(direction) && section.contains(codec), "{section}");
        }
        assert!(sections[1].contains(AUDIO_LEVEL_URI) && sections[0].contains(&format!("a=ssrc:{}", camera.ssrc)));
        assert!(sdp.contains(" 127.0.0.1 ") && sdp.contains("typ host"), "{sdp}");
        assert!(!sdp.contains("H264"), "who speaks AV1 alone offers nothing else: {sdp}");
    }

    #[cfg(feature = "h264")]
    #[tokio::test]
    async fn the_first_codec_is_sent_and_each_is_taken_in_the_order_asked_for() {
        for (codecs, sent, taken) in
            [("av1,h264", &[45][..], &[45, 102][..]), ("h264,av1", &[102], &[102, 45]), ("h264", &[102], &[102])]
        {
            let (sdp, _) = offered(&codecs.parse().unwrap()).await;
            let lines: Vec<&str> = sdp.lines().filter(|line| line.starts_with("m=video ")).collect();
            let kinds =
                lines.iter().map(|line| line.split_ascii_whitespace().skip(3).map(|kind| kind.parse::<u8>().unwrap()));
            let kinds: Vec<Vec<u8>> = kinds.map(Iterator::collect).collect();
            let repairs = |kind: &u8| kinds[1].contains(&(kind - 1));
            let coded: Vec<Vec<u8>> =
                kinds.iter().map(|line| line.iter().filter(|kind| !repairs(kind)).copied().collect()).collect();
            assert_eq!(coded, [sent, taken], "{codecs}: {sdp}");
            assert!(coded.concat().iter().all(|kind| sdp.contains(&["apt=", &kind.to_string()].concat())), "{sdp}");
            assert!(kinds.iter().all(|line| line.iter().any(repairs)), "each is repaired: {sdp}");
            let whole = sdp.matches("packetization-mode=1").count();
            assert_eq!(whole, lines.iter().filter(|line| line.contains(" 102")).count(), "{sdp}");
        }
    }
}
