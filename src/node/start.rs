//! **The question:** how does a node come up and go down? Sockets first, so that a taken port is told before anything runs.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::compose::ink::load_fonts;
use crate::flow::Waker;
use crate::http::{self, Desk, HttpDoor, HttpError, HttpSetup, Telling};
use crate::limits;
use crate::node::config::{Config, Tls};
use crate::node::control::{Control, ControlInlet, ControlParts, Lanes};
use crate::node::counters::NodeCounters;
use crate::node::event::Event;
use crate::node::lane::{Lane, Reports};
use crate::node::report::RoomReport;
use crate::node::{compose_lane, decode_lane, measure, mix_lane, package_lane};
use crate::telemetry::metrics::Metrics;
use crate::webrtc::{BindError, Certificate, MediaSocket, Net, NetEvent, NetWiring};

/// Why a node did not start. Each is one clear line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The media socket.
    #[error(transparent)]
    Media(#[from] BindError),
    /// The HTTP socket or its certificate.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The encoder.
    #[error(transparent)]
    Encoder(#[from] crate::encode::EncodeError),
    /// The compositor.
    #[error(transparent)]
    Compositor(#[from] crate::compose::DeviceError),
    /// Threads or file descriptors.
    #[error("the operating system refused a thread or a file descriptor: {0}")]
    System(#[from] io::Error),
}

/// A running node. Stop it with [`Node::stop`]; a node that is let go without it ends its rooms all the same.
pub struct Node {
    url: String,
    http: SocketAddr,
    media: SocketAddr,
    control_waker: Waker,
    stop_control: Sender<()>,
    control: Option<JoinHandle<()>>,
    stop_http: watch::Sender<bool>,
    ready: Arc<AtomicBool>,
    runtime: Option<Runtime>,
    ended: Receiver<RoomReport>,
    counters: NodeCounters,
}

impl Node {
    /// Opens the sockets, starts the threads.
    ///
    /// # Errors
    /// A taken port, an unusable certificate, or a system without threads left; each message is one clear line.
    pub fn start(config: Config) -> Result<Self, StartError> {
        Self::start_recording_to(config, None)
    }

    /// As [`Node::start`]; the next room is recorded to exactly `record_to`, in the clear, for whoever asked for that file.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn start_recording_to(config: Config, record_to: Option<PathBuf>) -> Result<Self, StartError> {
        // Whoever needs words before it is done asks again at the next tick.
        thread::Builder::new().name("fonts".into()).spawn(load_fonts)?;
        let socket = MediaSocket::bind(config.media.listen, &config.media.advertise)?;
        let door = HttpDoor::open(&http_setup(&config, &socket))?;
        let encoder = measure::choose_encoder(&config)?;
        let compositors = measure::choose_compositor(&config)?;
        let (http, url, media) = (door.address(), door.url(), socket.address());
        let counts = measure::Counts::default();
        let metrics = Arc::new(measure::metrics(&counts));
        let control_waker = Waker::new()?;
        let (desk, commands) = Desk::new(control_waker.clone(), counts.node.commands_refused.clone());
        let (net_sender, net_events) = bounded(limits::EVENTS_LEN);
        let (sender, events) = bounded(limits::EVENTS_LEN);
        let (stop_control, stop) = bounded(1);
        let (ended_sender, ended) = bounded(limits::ROOMS_MAX);
        let reports = Reports::new(sender, control_waker.clone(), counts.node.events_refused.clone());
        let candidates = socket.candidates().to_vec();
        let lanes = lanes(&config, socket, net_sender, &control_waker, &reports, &counts)?;
        let parts = ControlParts {
            config: config.clone(),
            encoder,
            compositors,
            certificate: Certificate::generate(),
            candidates,
            lanes,
            reports,
            counts: counts.clone(),
            record_to,
            ended: ended_sender,
        };
        let inlet = ControlInlet { commands, net_events, events, stop, waker: control_waker.clone() };
        let control = thread::Builder::new().name("control".into()).spawn(move || Control::new(parts).run(&inlet))?;
        let ready = Arc::new(AtomicBool::new(true));
        let (stop_http, runtime) = serve(&config, door, desk, metrics, ready.clone())?;
        Ok(Self {
            url,
            http,
            media,
            control_waker,
            stop_control,
            control: Some(control),
            stop_http,
            ready,
            runtime: Some(runtime),
            ended,
            counters: counts.node,
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

    /// Rooms that ended, in order, each once.
    #[must_use]
    pub fn ended_rooms(&self) -> &Receiver<RoomReport> {
        &self.ended
    }

    /// Ends every room, closes the recordings, and returns once all threads are gone.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.ready.store(false, Ordering::Release);
        // A control thread that is gone already needs no telling.
        let _ = self.stop_control.try_send(());
        self.control_waker.wake();
        if let Some(control) = self.control.take() {
            let _ = control.join();
        }
        let _ = self.stop_http.send(true);
        // Requests that still run get the door's own grace, then the runtime goes.
        drop(self.runtime.take());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end();
    }
}

fn lanes(
    config: &Config,
    socket: MediaSocket,
    net_events: Sender<NetEvent>,
    control: &Waker,
    reports: &Reports<Event>,
    counts: &measure::Counts,
) -> io::Result<Lanes> {
    let (control, net_counters) = (control.clone(), counts.net.clone());
    let net = Lane::start("net-0", move |inlet| {
        let (commands, waker) = (inlet.commands, inlet.waker);
        let wiring = NetWiring { commands, events: net_events, control, waker, counters: net_counters };
        Net::new(socket, wiring).run();
    })?;
    let decode = (0..config.threads.decode()).map(|n| {
        let (reports, counters) = (reports.clone(), counts.node.clone());
        Lane::start(&format!("decode-{n}"), move |inlet| decode_lane::run(&inlet, &reports, &counters))
    });
    let compose = (0..config.threads.compose()).map(|n| {
        let (reports, counters) = (reports.clone(), counts.node.clone());
        Lane::start(&format!("compose-{n}"), move |inlet| compose_lane::run(&inlet, &reports, &counters))
    });
    let mix = (0..config.threads.mix()).map(|n| {
        let (reports, counters) = (reports.clone(), counts.node.clone());
        Lane::start(&format!("mix-{n}"), move |inlet| mix_lane::run(&inlet, &reports, &counters))
    });
    let package = Lane::start("package", |inlet| package_lane::run(&inlet))?;
    Ok(Lanes {
        net,
        decode: decode.collect::<io::Result<_>>()?,
        compose: compose.collect::<io::Result<_>>()?,
        mix: mix.collect::<io::Result<_>>()?,
        package,
    })
}

fn http_setup(config: &Config, socket: &MediaSocket) -> HttpSetup {
    let tls = match &config.http.tls {
        Tls::Off => http::Tls::Off,
        Tls::Files { cert, key } => http::Tls::Files { cert: cert.clone(), key: key.clone() },
        Tls::SelfSigned => {
            http::Tls::SelfSigned { names: socket.candidates().iter().map(|a| a.ip().to_string()).collect() }
        }
    };
    HttpSetup { listen: config.http.listen, tls }
}

fn serve(
    config: &Config,
    door: HttpDoor,
    desk: Desk,
    metrics: Arc<Metrics>,
    ready: Arc<AtomicBool>,
) -> io::Result<(watch::Sender<bool>, Runtime)> {
    let threads = config.threads.http.get() as usize;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(threads).thread_name("http").enable_all().build()?;
    let (stop, mut stopped) = watch::channel(false);
    let telling = Telling { canvas: config.video.size(), metrics: Arc::new(move || metrics.render()), ready };
    let shutdown = async move {
        // An error means the node itself is gone, which is a reason to stop too.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    runtime.spawn(async move {
        if let Err(error) = door.serve(desk, telling, shutdown).await {
            tracing::error!(%error, "the HTTP door failed");
        }
    });
    Ok((stop, runtime))
}
