//! **The question:** how does a node come up and go down? Sockets first, so that a taken port is told before anything
//! runs.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::app::config::{Config, Decoders, Hook, Http, Recording, RemoteKeepers, TcpMedia, Tls};
use crate::app::control::report::RoomReport;
use crate::app::control::{Control, ControlMailbox, ControlParts, Stop, Workers};
use crate::app::node::fleet::{self, FleetTask, machine_name};
use crate::app::node::tcp::TcpError;
use crate::app::node::{calibration, history, metrics, notices, outward, precedence, tcp};
use crate::app::workers::apart::OWN_PROGRAM;
use crate::app::workers::counters::NodeCounters;
use crate::app::workers::decode::Place;
use crate::app::workers::event::Event;
use crate::app::workers::worker::{Reports, Worker};
use crate::app::workers::{self, counters::Counts};
use crate::base::limits::{self, RECORDINGS_TOKEN_LEN_MIN};
use crate::core::access::Steering;
use crate::engine::compose::overlays::load_fonts;
use crate::engine::decode::PixelBudget;
use crate::engine::encode::EncoderChoice;
use crate::engine::flow::Waker;
use crate::io::acme::{Acme, AcmeError};
use crate::io::api::{ControlHandle, DoorCounters, NodeFacts, Pulse};
use crate::io::fleet::{FleetError, Mover};
use crate::io::http::{self, Guard, HttpDoor, HttpError, HttpSetup, Leading, NodeView, Recordings};
use crate::io::keeper::{Identity, IdentityError, KeeperClientError};
use crate::io::live::{LiveRooms, LiveSetup};
use crate::io::push::Pusher;
use crate::io::rtp::{self, LegCommand};
use crate::io::store::{
    Archive, ArchiveError, KeeperFileError, Keepers, Vault, VaultError, is_keeper_in, keep_out_of_dumps,
};
use crate::io::telemetry::panics::Panics;
use crate::io::tokens::Algorithm;
use crate::io::traces::Tracer;
use crate::io::transfer::{Credentials, Destination, DestinationError, Transfers};
use crate::io::webhook::Webhooks;
use crate::io::webrtc::{BindError, Certificate, MediaSocket, NetEvent, NetWorkers, TcpPort, TcpShare};

/// Why a node did not start. Each is one clear line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The media socket.
    #[error(transparent)]
    Media(#[from] BindError),
    /// The TCP port of media.
    #[error(transparent)]
    Tcp(#[from] TcpError),
    /// The HTTP socket or its certificate.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The certificate of an issuer.
    #[error(transparent)]
    Acme(#[from] AcmeError),
    /// The encoder.
    #[error(transparent)]
    Encoder(#[from] crate::engine::encode::EncodeError),
    /// The compositor.
    #[error(transparent)]
    Compositor(#[from] crate::engine::compose::DeviceError),
    /// Where recordings go.
    #[error("recordings: {0}")]
    Archive(#[from] ArchiveError),
    /// Where recordings may leave to.
    #[error("hand_over: {0}")]
    HandOver(#[from] DestinationError),
    /// The node's certificate for its keepers.
    #[error("retention: {0}")]
    Identity(#[from] IdentityError),
    /// The token that opens every recording.
    #[error(
        "TESSERA_RECORDINGS_TOKEN: it opens every recording, so it has at least {RECORDINGS_TOKEN_LEN_MIN} printable \
         ASCII characters, such as `openssl rand -hex 16` tells; unset it and the node makes one"
    )]
    Token,
    /// A keeper's address.
    #[error("retention: {0}")]
    Keeper(#[from] KeeperClientError),
    /// The fleet.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// Threads or file descriptors.
    #[error("the operating system refused a thread or a file descriptor: {0}")]
    System(#[from] io::Error),
}

/// A running node. Stop it with [`Node::stop`]; a node that is let go without it ends its rooms all the same.
pub struct Node {
    url: String,
    http: SocketAddr,
    media: SocketAddr,
    handle: ControlHandle,
    stop_control: Sender<Stop>,
    control: Option<JoinHandle<()>>,
    left: watch::Receiver<()>,
    stop_http: watch::Sender<bool>,
    ready: Arc<AtomicBool>,
    runtime: Option<Runtime>,
    ended: Receiver<RoomReport>,
    counters: NodeCounters,
    panics: Panics,
    told_token: Option<String>,
    keepers: Option<Keepers>,
    webhooks: Webhooks,
    tracer: Tracer,
    fleet: FleetTask,
}

impl Node {
    /// Reads what a start reads and the configuration itself does not: the certificate's files. Nothing is opened. What
    /// can be used and will be missed is told, in a line each.
    ///
    /// # Errors
    /// As [`Node::start`] of them.
    pub fn check(config: &Config) -> Result<Vec<String>, StartError> {
        door_tls(config, &[], None).check()?;
        Ok(notices::certificates(config).into_iter().chain(notices::store(config)).collect())
    }

    /// Opens the sockets, starts the threads.
    ///
    /// # Errors
    /// A taken port, an unusable certificate, or a system without threads left; each message is one clear line.
    pub fn start(config: Config) -> Result<Self, StartError> {
        Self::start_recording_to(config, None)
    }

    /// As [`Node::start`]; the next room is recorded to exactly `record_to`, in the clear, for anyone who asked for
    /// that file.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn start_recording_to(config: Config, record_to: Option<PathBuf>) -> Result<Self, StartError> {
        let counts = Counts::default();
        let panics = Panics::new(counts.node.threads_failed.clone());
        begin_fonts(panics.clone())?;
        let (sockets, tcp, door, acme) = open_sockets(&config, counts.http.clone())?;
        let (candidates, media) = (sockets[0].candidates().to_vec(), sockets[0].address());
        let tcp_candidates = tcp.as_ref().map_or_else(Vec::new, |port| port.candidates().to_vec());
        let chosen = calibration::choose_encoder(&config)?;
        let compositors = calibration::choose_compositor(&config)?;
        let facts = Arc::new(calibration::facts(&config, &chosen, &compositors));
        let (http, url, runtime) = (door.address(), door.url(), http_runtime(&config, acme)?);
        let is_sealed = record_to.is_none() && config.recording.enabled;
        let archive = is_sealed.then(|| open_archive(&config, &runtime, &counts, &panics)).transpose()?;
        let (webhooks, tracer) = outward::begin(&config, &runtime, &counts, archive.as_ref());
        let (token, told_token) = recordings_token(std::env::var_os("TESSERA_RECORDINGS_TOKEN"))?;
        let recordings = archive.clone().map(|held| recordings(&config, held, token, &runtime, &counts)).transpose()?;
        let control_waker = Waker::new()?;
        let (handle, requests) = ControlHandle::new(control_waker.clone(), counts.node.commands_refused.clone());
        let ((net, net_events), (ended_sender, ended)) = (bounded(limits::EVENTS_LEN), bounded(limits::ROOMS_MAX));
        let ((sender, events), (stop_control, stop)) = (bounded(limits::EVENTS_LEN), bounded(limits::STOPS_LEN));
        let reports = Reports::new(sender, control_waker.clone(), counts.node.events_refused.clone());
        let workers = start_workers(&config, (sockets, tcp), &net, &reports, (&control_waker, &counts, &panics))?;
        let (ready, live) = (Arc::new(AtomicBool::new(true)), live_rooms(&config, chosen.choice, &counts));
        let (fleet, leading) = fleet::join(&config, &runtime, &reports, (&counts, &panics))?;
        let parts = ControlParts {
            live: live.clone(),
            config: config.clone(),
            encoder: chosen.choice,
            encode_costs: chosen.costs,
            compositors,
            certificate: Certificate::generate(),
            candidates,
            tcp_candidates,
            workers,
            reports,
            counts: counts.clone(),
            record_to,
            archive: archive.clone(),
            mover: Mover::new(runtime.handle().clone(), leading.placement.clone(), leading.trust.clone()),
            pusher: Pusher::new(runtime.handle().clone(), config.push.allow_private),
            webhooks: webhooks.clone(),
            tracer: tracer.clone(),
            ended: ended_sender,
        };
        let mailbox = ControlMailbox { requests, net_events, events, stop, waker: control_waker.clone() };
        let (control, left) = spawn_control(parts, mailbox, panics.clone())?;
        let keepers = archive.as_ref().and_then(|archive| archive.custody().keepers().cloned());
        let view = node_view(&config, (&runtime, &counts, &panics), (facts, ready.clone(), live, leading, recordings));
        let stop_http = serve(&runtime, door, (handle.clone(), view), panics.clone());
        Ok(Self {
            url,
            http,
            media,
            handle,
            stop_control,
            control: Some(control),
            left,
            stop_http,
            ready,
            runtime: Some(runtime),
            ended,
            counters: counts.node,
            panics,
            told_token: told_token.filter(|_| archive.is_some()),
            keepers,
            webhooks,
            tracer,
            fleet,
        })
    }

    /// Where a browser on this machine finds the page.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The HTTP door's address, its port never 0.
    #[must_use]
    pub fn http_address(&self) -> SocketAddr {
        self.http
    }

    /// The media socket's address, its port never 0.
    #[must_use]
    pub fn media_address(&self) -> SocketAddr {
        self.media
    }

    /// What the node counts.
    #[must_use]
    pub fn counters(&self) -> &NodeCounters {
        &self.counters
    }

    /// Names the first thread that panicked and that the node cannot go on without: it is to be stopped.
    #[must_use]
    pub fn lost(&self) -> watch::Receiver<Option<String>> {
        self.panics.lost()
    }

    /// The token that recordings are read with, if it was made at start and nobody knows it yet.
    #[must_use]
    pub fn told_token(&self) -> Option<&str> {
        self.told_token.as_deref()
    }

    /// The keepers in other processes, if it is they who hold the keys.
    #[must_use]
    pub fn keepers(&self) -> Option<&Keepers> {
        self.keepers.as_ref()
    }

    /// Rooms that ended, in order, each once.
    #[must_use]
    pub fn ended_rooms(&self) -> &Receiver<RoomReport> {
        &self.ended
    }

    /// Begins no room any more and lets those that run end by themselves within `span`; with the last of them, and
    /// after `span` in any case, [`Node::left`] is done. [`Node::stop`] is still due then.
    pub fn leave(&self, span: Duration) {
        // A control thread that is gone already needs no telling.
        let _ = self.stop_control.try_send(Stop::After(span));
        self.handle.wake();
    }

    /// Is done once a thread hangs that the node cannot go on without: nothing is to be waited for any more.
    pub fn hangs(&self) -> impl Future<Output = ()> + use<> {
        let handle = self.handle.clone();
        async move {
            let mut missed = 0;
            while missed < limits::PULSES_MISSED_MAX {
                tokio::time::sleep(limits::HEALTH_SPAN).await;
                missed = if handle.pulse().await == Pulse::None { missed + 1 } else { 0 };
            }
        }
    }

    /// Is done once no room is left of a node that leaves.
    pub fn left(&self) -> impl Future<Output = ()> + use<> {
        let mut left = self.left.clone();
        async move { while left.changed().await.is_ok() {} }
    }

    /// Ends every room, closes the recordings, and returns once all threads are gone.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.ready.store(false, Ordering::Release);
        // A control thread that is gone already needs no telling.
        let _ = self.stop_control.try_send(Stop::Now);
        self.handle.wake();
        if let Some(control) = self.control.take() {
            let _ = control.join();
        }
        self.fleet.stop();
        let _ = self.stop_http.send(true);
        // Requests that still run get the door's own grace, then the runtime goes.
        if let Some(runtime) = self.runtime.take() {
            // What the end of its rooms gave them to say is said by now.
            self.webhooks.end(&runtime);
            self.tracer.end(&runtime);
            // Whatever hangs on a disk would be waited for without end.
            runtime.shutdown_timeout(limits::HTTP_SHUTDOWN_SPAN);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads which fonts the system has. Anyone who needs words before it is done asks again at the next tick.
fn begin_fonts(panics: Panics) -> io::Result<()> {
    let body = move || panics.minor("fonts", load_fonts);
    thread::Builder::new().name("fonts".into()).spawn(body).map(drop)
}

/// Everything that others reach this node by: media's sockets, the door, and what keeps its certificate.
type Sockets = (Vec<MediaSocket>, Option<TcpPort>, HttpDoor, Option<Acme>);

fn open_sockets(config: &Config, counters: DoorCounters) -> Result<Sockets, StartError> {
    let (listen, advertise) = (config.media.listen, &config.media.advertise);
    let sockets = MediaSocket::bind_several(listen, advertise, config.threads.net())?;
    let descriptors = raise_descriptors();
    let share = TcpShare::of(descriptors);
    let acme = match &config.http.tls {
        Tls::Acme(acme) => Some(Acme::open(acme.setup(), counters.certificate.clone())?),
        Tls::Off | Tls::Files { .. } | Tls::SelfSigned => None,
    };
    let tls = door_tls(config, sockets[0].candidates(), acme.as_ref());
    let mut door = HttpDoor::open(&http_setup(config, tls, counters, (descriptors, share)))?;
    let tcp = tcp::open(&config.media, sockets[0].address(), &mut door, share)?;
    Ok((sockets, tcp, door, acme))
}

fn start_workers(
    config: &Config,
    (sockets, tcp): (Vec<MediaSocket>, Option<TcpPort>),
    net_events: &Sender<NetEvent>,
    reports: &Reports<Event>,
    (control, counts, panics): (&Waker, &Counts, &Panics),
) -> io::Result<Workers> {
    let mut net = NetWorkers::start(sockets, net_events, control, &counts.net, panics)?;
    if let Some(port) = tcp {
        net.open(port, &counts.net, panics)?;
    }
    let legs = match config.media.legs.is_off() {
        true => None,
        false => Some(legs_worker(reports.clone(), panics)?),
    };
    let pixels = PixelBudget::new(limits::DECODE_PIXELS_MAX);
    let decode = (0..config.threads.decode()).map(|n| {
        let (reports, counters, pixels) = (reports.clone(), counts.node.clone(), pixels.clone());
        let name = format!("decode-{n}");
        let place = match config.media.decoders {
            Decoders::Process => Place::Process(OWN_PROGRAM.as_ref()),
            Decoders::Thread => Place::Thread,
        };
        Worker::start(&name, panics, move |mailbox| {
            workers::decode::run(&mailbox, &reports, &counters, &pixels, &place);
        })
    });
    let compose = (0..config.threads.compose()).map(|n| {
        let (reports, counters) = (reports.clone(), counts.node.clone());
        Worker::start(&format!("compose-{n}"), panics, move |mailbox| {
            workers::compose::run(&mailbox, &reports, &counters);
        })
    });
    let mix = (0..config.threads.mix()).map(|n| {
        let (reports, counters) = (reports.clone(), counts.node.clone());
        Worker::start(&format!("mix-{n}"), panics, move |mailbox| {
            precedence::take();
            workers::mix::run(&mailbox, &reports, &counters);
        })
    });
    let of_package = reports.clone();
    let package = Worker::start("package", panics, move |mailbox| workers::package::run(&mailbox, of_package))?;
    let threads = &config.threads;
    tracing::debug!(decode = threads.decode(), compose = threads.compose(), mix = threads.mix(), "workers run");
    Ok(Workers {
        net,
        legs,
        decode: decode.collect::<io::Result<_>>()?,
        compose: compose.collect::<io::Result<_>>()?,
        mix: mix.collect::<io::Result<_>>()?,
        package,
    })
}

/// Where rooms can be watched by HLS.
fn live_rooms(config: &Config, encoder: EncoderChoice, counts: &Counts) -> LiveRooms {
    let hls = &config.hls;
    if !hls.enabled {
        return LiveRooms::default();
    }
    let (window, len_max, threads) = (hls.window(), hls.len_max(), config.video.encoder_threads());
    let captions_language = config.captions.language.tag().map(str::to_owned);
    let captions_always = config.captions.always_listed;
    let any_origin = hls.any_origin;
    let setup = LiveSetup { window, len_max, any_origin, encoder, threads, captions_always, captions_language };
    LiveRooms::new(setup, counts.live.clone())
}

fn legs_worker(reports: Reports<Event>, panics: &Panics) -> io::Result<Worker<LegCommand>> {
    Worker::start_minor("legs", panics, move |mailbox| {
        let served = rtp::run(&mailbox.commands, &mailbox.waker, |event| reports.send(Event::Leg(event)));
        if let Err(error) = served {
            tracing::error!(%error, "the plain-RTP legs failed");
        }
    })
}

fn door_tls(config: &Config, candidates: &[SocketAddr], acme: Option<&Acme>) -> http::Tls {
    match (&config.http.tls, acme) {
        (_, Some(acme)) => http::Tls::Kept(acme.certificates()),
        (Tls::Files { cert, key }, None) => http::Tls::Files { cert: cert.clone(), key: key.clone() },
        (Tls::SelfSigned, None) => {
            http::Tls::SelfSigned { names: candidates.iter().map(|a| a.ip().to_string()).collect() }
        }
        (Tls::Off | Tls::Acme(_), None) => http::Tls::Off,
    }
}

fn http_setup(
    config: &Config,
    tls: http::Tls,
    counters: DoorCounters,
    (descriptors, share): (u64, TcpShare),
) -> HttpSetup {
    let Http { listen, token, hosts, origins, embed_origins, ice_servers, .. } = config.http.clone();
    let policy = config.policy();
    let machine = machine_name();
    let own = [machine.parse().ok(), config.fleet.name(&machine)];
    let certified = match &config.http.tls {
        Tls::Acme(acme) => acme.domains(),
        Tls::Off | Tls::Files { .. } | Tls::SelfSigned => &[],
    };
    let hosts = hosts.into_iter().chain(own.into_iter().flatten()).chain(certified.iter().cloned()).collect();
    let streams = if config.media.tcp == TcpMedia::Off { 0 } else { share.waiting };
    let sockets = config.threads.net() + streams + if config.media.legs.is_off() { 0 } else { limits::LEGS_MAX };
    let connections_max = http::connections_max(config.http.connections, descriptors, sockets);
    warn_of_strangers(config);
    warn_of_open_secrets(config);
    for why in notices::certificates(config) {
        tracing::warn!("whoever connects will refuse a certificate: {why}");
    }
    if let Some(lacking) = notices::store(config) {
        tracing::info!("{lacking}");
    }
    let keys = config.keyring_beside(config.fleet.trust().map(|trust| trust.pass_key()));
    let guard = Guard { policy, token, keys, hosts, origins, embed_origins, ice_servers, connections_max, counters };
    HttpSetup { listen, tls, guard }
}

/// As many descriptors as the system lets this process have; how many that are.
fn raise_descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Refused, it stays as it was.
    let _ = setrlimit(Resource::Nofile, most);
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Says what others see and may do, where others reach the door.
fn warn_of_strangers(config: &Config) {
    if !config.http.is_reached_by_others() {
        return;
    }
    if config.http.tls == Tls::Off {
        tracing::warn!(
            "HTTP is plain and other machines reach it: whoever is on the way reads and changes what is said, tokens \
             included, and browsers give no camera; set acme, or tls_cert and tls_key, or tls_self_signed, or a proxy \
             that speaks HTTPS before it"
        );
    }
    if config.policy().steering == Steering::Off {
        tracing::warn!(
            "other machines reach this node and [http] token is not set: nobody steers rooms over HTTP without an \
             access token"
        );
    }
    if !config.policy().is_locked {
        tracing::warn!(
            "other machines reach this node and [access] keys is not set: whoever reaches it joins, watches and looks \
             at every room; docs/access.md"
        );
    }
}

/// Of a file's mode: others than its owner and group may read it.
const READABLE_BY_ALL: u32 = 0o004;

/// Says which secrets every user of this machine can read.
fn warn_of_open_secrets(config: &Config) {
    // What cannot be looked at was read a moment ago all the same.
    let is_open = |path: &Path| std::fs::metadata(path).is_ok_and(|file| file.mode() & READABLE_BY_ALL != 0);
    for file in config.webhooks.hooks.iter().flat_map(Hook::secret_files).filter(|file| is_open(file.as_ref())) {
        tracing::warn!(
            file,
            "every user of this machine can read this secret, and with it speak to your server as this node; chmod \
             o-r the file, and take another secret"
        );
    }
    for key in config.scoped_keys().map(|(key, _)| key).filter(|key| key.algorithm() == Algorithm::Hs256) {
        if is_open(key.path()) {
            tracing::warn!(
                key = %key.id(),
                file = %key.path().display(),
                "every user of this machine can read this secret, and with it make tokens for every room; \
                 chmod o-r the file, and take another secret"
            );
        }
    }
}

/// What serves HTTP, and keeps its certificate.
fn http_runtime(config: &Config, acme: Option<Acme>) -> io::Result<Runtime> {
    let threads = config.threads.http.get() as usize;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(threads).thread_name("http").enable_all().build()?;
    if let Some(acme) = acme {
        acme.keep(runtime.handle());
    }
    Ok(runtime)
}

/// What the door tells by itself, without asking the control thread.
fn node_view(
    config: &Config,
    (runtime, counts, panics): (&Runtime, &Counts, &Panics),
    (facts, ready, live, leading, recordings): (
        Arc<NodeFacts>,
        Arc<AtomicBool>,
        LiveRooms,
        Leading,
        Option<Recordings>,
    ),
) -> NodeView {
    NodeView {
        canvas: config.video.size(),
        facts,
        certificate: counts.http.certificate.clone(),
        metrics: metrics::rendering(counts),
        history: history::begin(runtime, counts, panics),
        ready,
        live,
        captions: counts.captions.clone(),
        leading,
        recordings,
    }
}

/// The thread, and what closes once it is over.
fn spawn_control(
    parts: ControlParts,
    mailbox: ControlMailbox,
    panics: Panics,
) -> io::Result<(JoinHandle<()>, watch::Receiver<()>)> {
    let (runs, left) = watch::channel(());
    let run = move || {
        let _runs = runs;
        panics.vital("control", || Control::new(parts).run(&mailbox));
    };
    Ok((thread::Builder::new().name("control".into()).spawn(run)?, left))
}

/// The archive, its keeper ticking and its sweeper sweeping from now on.
fn open_archive(
    config: &Config,
    runtime: &Runtime,
    counts: &Counts,
    panics: &Panics,
) -> Result<Arc<Archive>, StartError> {
    // From now on it holds the keys of recordings that are being made or read.
    keep_out_of_dumps();
    let recording = &config.recording;
    let archive = match &config.retention.keepers {
        None => {
            let (place, handle) = (recording.place(), runtime.handle().clone());
            let is_new = !is_keeper_in(&place.keeper).map_err(KeeperFileError::from).map_err(ArchiveError::from)?;
            let archive = Archive::open(&place, recording.retention(), handle, counts.archive.clone())?;
            if is_new {
                runtime.spawn(tell_of_strange_recordings(archive.vault().clone(), place.keeper));
            }
            archive
        }
        Some(keepers) => archive_with(keepers, recording, runtime, counts)?,
    };
    if !recording.allow_versions {
        archive.vault().demand_proof();
        match runtime.block_on(archive.vault().check_residues()) {
            // Calls go on without it, and what is recorded waits; nothing is stored there before it was asked.
            Err(VaultError::Failed(why)) if recording.spool_place().is_some() => {
                tracing::error!(why, "the store cannot be reached; recordings wait in the spool");
            }
            checked => checked.map_err(ArchiveError::from)?,
        }
    }
    let archive = match recording.spool_place() {
        Some(spool) => archive.with_spool(&spool)?,
        None => archive,
    };
    let archive = Arc::new(archive);
    runtime.spawn(panics.clone().vital_task("sweeper", archive.clone().run()));
    runtime.spawn(panics.clone().vital_task("keepers", archive.clone().run_keepers()));
    runtime.spawn(panics.clone().vital_task("spool", archive.clone().run_spool()));
    Ok(archive)
}

/// A store that is not empty beside a keeper that was made just now, for want of one: most often its folder is not
/// where it was. Nothing that lies there is swept before more than the keeper's first reading makes a time certain.
async fn tell_of_strange_recordings(vault: Vault, keeper: PathBuf) {
    // A store that is down tells nothing, and the node goes on without.
    if vault.hours().await.is_ok_and(|hours| !hours.is_empty()) {
        tracing::error!(
            keeper = %keeper.display(),
            "the store holds recordings and no keeper was there: a new one was made, which opens none of them; if it \
             lies elsewhere or is not mounted, stop this node and put it back"
        );
    }
}

/// What the HTTP door shows of the archive, and the way to the configured host; where every recording takes it by
/// itself, from now on.
fn recordings(
    config: &Config,
    archive: Arc<Archive>,
    token: String,
    runtime: &Runtime,
    counts: &Counts,
) -> Result<Recordings, DestinationError> {
    let transfers = match &config.hand_over.url {
        None => None,
        Some(url) => {
            let destination = Destination::parse(url, &Credentials::from_environment())?;
            Some(Transfers::new(archive.clone(), destination, counts.hand_over.clone()))
        }
    };
    if let Some(transfers) = transfers.clone().filter(|_| config.hand_over.automatic) {
        runtime.spawn(transfers.run_automatic());
    }
    Ok(Recordings { archive, token: token.into(), links: http::LinkKey::random(), transfers })
}

/// With keepers in other processes. Those that are down do not keep the node from starting: calls need none of them.
fn archive_with(
    keepers: &RemoteKeepers,
    recording: &Recording,
    runtime: &Runtime,
    counts: &Counts,
) -> Result<Archive, StartError> {
    let identity = Identity::load(&keepers.files)?;
    let keepers = Keepers::new(&keepers.addresses, &identity, counts.archive.keeper_errors.clone())?;
    runtime.block_on(keepers.poll_all());
    let (vault, retention, handle) = (recording.place().vault, recording.retention(), runtime.handle().clone());
    Ok(Archive::with_keepers(&vault, keepers, retention, handle, counts.archive.clone())?)
}

/// The token that was given, or a new one, which then has to be told.
fn recordings_token(given: Option<OsString>) -> Result<(String, Option<String>), StartError> {
    let Some(given) = given.filter(|given| !given.is_empty()) else {
        let token = crate::io::api::ResourceToken::random().to_string();
        return Ok((token.clone(), Some(token)));
    };
    let token = given.into_string().map_err(|_| StartError::Token)?;
    // What a header cannot carry nobody could ever show.
    let is_shown = token.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && token.trim() == token;
    if is_shown && token.len() >= RECORDINGS_TOKEN_LEN_MIN { Ok((token, None)) } else { Err(StartError::Token) }
}

fn serve(
    runtime: &Runtime,
    door: HttpDoor,
    (control, view): (ControlHandle, NodeView),
    panics: Panics,
) -> watch::Sender<bool> {
    let (stop, mut stopped) = watch::channel(false);
    let shutdown = async move {
        // An error means the node itself is gone, which is a reason to stop too.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    runtime.spawn(panics.clone().vital_task("http", async move {
        if let Err(error) = door.serve(control, view, shutdown).await {
            tracing::error!(%error, "the HTTP door failed");
            panics.lose("http");
        }
    }));
    stop
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recordings_token_that_could_be_guessed_or_never_shown_is_refused() {
        for bad in [
            "?",
            "fifteen letters",
            " a token with a blank before it",
            "a token with a\nline end",
            "ein Schlüssel zu allem",
        ] {
            let told = recordings_token(Some(bad.into())).unwrap_err().to_string();
            assert!(told.contains("at least 16") && !told.contains(bad), "{told}");
        }
        let given = "sixteen letters!";
        assert_eq!(recordings_token(Some(given.into())).unwrap(), (given.to_owned(), None));
        for none in [None, Some(OsString::new())] {
            let (token, told) = recordings_token(none).unwrap();
            assert!(token.len() >= RECORDINGS_TOKEN_LEN_MIN && told == Some(token));
        }
    }
}
