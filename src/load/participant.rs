//! **The question:** how does one simulated person connect? One `PeerConnection` with the m-lines every participant has:
//! camera and microphone out, composite and mix in, and the data channel.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use rtc::interceptor::Registry;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::{configure_nack, configure_rtcp_reports};
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_AV1, MIME_TYPE_OPUS, MediaEngine};
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionCapability, RtpCodecKind,
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

use super::LoadError;
use super::http::Door;
use crate::limits;
use crate::media::RoomId;
use crate::signal;

/// RTP payload type of the camera and the composite.
pub(super) const AV1_PAYLOAD_TYPE: u8 = 45;
/// RTP payload type of the microphone and the mix.
pub(super) const OPUS_PAYLOAD_TYPE: u8 = 111;
/// The two inward tracks.
const TRACKS_IN: usize = 2;
/// How long a connection may take to say goodbye.
const CLOSE_SPAN: Duration = Duration::from_secs(2);

/// One connected simulated person.
pub(super) struct Participant {
    /// Its number among the load's people, as in its barcodes and pilot.
    pub number: usize,
    /// Outward picture.
    pub camera: LocalTrack,
    /// Outward voice.
    pub microphone: LocalTrack,
    /// What the node tells.
    pub channel: Arc<dyn DataChannel>,
    state: watch::Receiver<RTCPeerConnectionState>,
    tracks: mpsc::Receiver<Arc<dyn TrackRemote>>,
    connection: Arc<dyn PeerConnection>,
    resource: Url,
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
    /// Joins `room` as person `number` and waits until media flows.
    ///
    /// # Errors
    /// [`LoadError::Unreachable`], [`LoadError::Refused`], [`LoadError::Connection`] and [`LoadError::NotConnected`].
    pub async fn join(door: &Door, room: &RoomId, number: usize) -> Result<Self, LoadError> {
        let (state_in, mut state) = watch::channel(RTCPeerConnectionState::New);
        let (gathered_in, mut gathered) = watch::channel(false);
        let (tracks_in, tracks) = mpsc::channel(TRACKS_IN);
        let ear = Arc::new(Ear { state: state_in, gathered: gathered_in, tracks: tracks_in });
        let connection = connection(door.is_loopback(), ear).await?;
        let camera = LocalTrack::new(number, RtpCodecKind::Video);
        let microphone = LocalTrack::new(number, RtpCodecKind::Audio);
        for local in [&camera, &microphone] {
            let track = Arc::clone(&local.track) as Arc<dyn TrackLocal>;
            connection.add_transceiver_from_track(track, Some(local.init())).await?;
        }
        for kind in [RtpCodecKind::Video, RtpCodecKind::Audio] {
            let inward = RTCRtpTransceiverInit {
                direction: RTCRtpTransceiverDirection::Recvonly,
                streams: Vec::new(),
                send_encodings: Vec::new(),
            };
            connection.add_transceiver_from_kind(kind, Some(inward)).await?;
        }
        let channel = connection.create_data_channel(signal::LABEL, None).await?;
        let offer = connection.create_offer(None).await?;
        connection.set_local_description(offer).await?;
        let is_late = tokio::time::timeout(limits::CONNECT_SPAN, gathered.wait_for(|done| *done)).await.is_err();
        if is_late {
            return Err(LoadError::NotConnected("no local address was found in time".to_owned()));
        }
        let offer = connection.local_description().await.map(|description| description.sdp).unwrap_or_default();
        let admission = door.join(room, &format!("Load {number}"), offer).await?;
        let resource = admission.resource;
        let settled = settle(&*connection, admission.answer, &mut state).await;
        if let Err(error) = settled {
            let _ = door.leave(&resource).await;
            let _ = connection.close().await;
            return Err(error);
        }
        Ok(Self { number, camera, microphone, tracks, channel, state, connection, resource })
    }

    /// Composite and mix, as they open; for the first caller.
    pub fn take_tracks(&mut self) -> mpsc::Receiver<Arc<dyn TrackRemote>> {
        let (_, empty) = mpsc::channel(1);
        std::mem::replace(&mut self.tracks, empty)
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
        let _ = tokio::time::timeout(CLOSE_SPAN, self.connection.close()).await;
        left
    }
}

/// Applies the node's answer and waits until the connection stands.
async fn settle(
    connection: &dyn PeerConnection,
    answer: String,
    state: &mut watch::Receiver<RTCPeerConnectionState>,
) -> Result<(), LoadError> {
    connection.set_remote_description(RTCSessionDescription::answer(answer)?).await?;
    let is_settled = |state: &RTCPeerConnectionState| {
        matches!(
            state,
            RTCPeerConnectionState::Connected | RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed
        )
    };
    match tokio::time::timeout(limits::CONNECT_SPAN, state.wait_for(is_settled)).await {
        Ok(Ok(state)) if *state == RTCPeerConnectionState::Connected => Ok(()),
        Ok(_) => Err(LoadError::NotConnected("the connection failed".to_owned())),
        Err(_) => Err(LoadError::NotConnected(format!("no connection within {} s", limits::CONNECT_SPAN.as_secs()))),
    }
}

impl LocalTrack {
    fn new(number: usize, kind: RtpCodecKind) -> Self {
        let ssrc = rand::random();
        let label = if kind == RtpCodecKind::Video { "camera" } else { "microphone" };
        let coding = RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
            active: true,
            codec: codec(kind).rtp_codec,
            ..Default::default()
        };
        let (stream, track) = (format!("load-{number}"), format!("{label}-{number}"));
        let track = MediaStreamTrack::new(stream, track, label.to_owned(), kind, vec![coding]);
        Self { track: Arc::new(TrackLocalStaticRTP::new(track)), ssrc }
    }

    fn init(&self) -> RTCRtpTransceiverInit {
        RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Sendonly,
            streams: Vec::new(),
            send_encodings: Vec::new(),
        }
    }
}

/// A connection that speaks AV1 and Opus only, over one host address, encrypted with AES-GCM.
async fn connection(is_loopback: bool, ear: Arc<Ear>) -> Result<Arc<dyn PeerConnection>, LoadError> {
    let mut media = MediaEngine::default();
    for kind in [RtpCodecKind::Video, RtpCodecKind::Audio] {
        media.register_codec(codec(kind), kind)?;
        let mid = RTCRtpHeaderExtensionCapability { uri: SDES_MID_URI.to_owned() };
        media.register_header_extension(mid, kind, None)?;
    }
    let level = RTCRtpHeaderExtensionCapability { uri: AUDIO_LEVEL_URI.to_owned() };
    media.register_header_extension(level, RtpCodecKind::Audio, None)?;
    let interceptors = configure_rtcp_reports(configure_nack(Registry::new(), &mut media));
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

fn codec(kind: RtpCodecKind) -> RTCRtpCodecParameters {
    let is_video = kind == RtpCodecKind::Video;
    let rtp_codec = RTCRtpCodec {
        mime_type: if is_video { MIME_TYPE_AV1 } else { MIME_TYPE_OPUS }.to_owned(),
        clock_rate: if is_video { limits::VIDEO_CLOCK } else { limits::SAMPLE_RATE },
        channels: if is_video { 0 } else { 2 },
        sdp_fmtp_line: if is_video { "" } else { "minptime=10;useinbandfec=1;stereo=1" }.to_owned(),
        rtcp_feedback: Vec::new(),
    };
    RTCRtpCodecParameters { rtp_codec, payload_type: if is_video { AV1_PAYLOAD_TYPE } else { OPUS_PAYLOAD_TYPE } }
}

/// Hears what the connection tells. Runs on the connection's own task, so it only ever leaves a note.
struct Ear {
    state: watch::Sender<RTCPeerConnectionState>,
    gathered: watch::Sender<bool>,
    tracks: mpsc::Sender<Arc<dyn TrackRemote>>,
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
