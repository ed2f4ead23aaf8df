//! **The question:** does a running room's picture follow its layout? A real node, real participants with cameras and a
//! screen, and the recording of what everyone saw, in which each picture is recognised by its barcode.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tessera::app::config::Config;
use tessera::app::load::barcode;
use tessera::app::node::Node;
use tessera::base::media::{Bitmap, Outbox, ParticipantId, PlaneRef, Size};
use tessera::core::scene::{Input, Layout, Rect, SceneCore};

const CANVAS: Size = Size::new(1280, 720);
const FPS: usize = 5;
/// How long each layout stays: the motion, and enough still pictures after it.
const STAY: Duration = Duration::from_secs(4);

/// The speaker small over the picture of the first seat: nothing lies where any other layout puts it.
const STUDIO: &str = r#"{"layout":"custom","regions":[
    {"show":{"seat":1},"rect":{"x":0.5,"y":0.5,"width":0.5,"height":0.5}},
    {"show":{"seat":2},"rect":{"x":0,"y":0,"width":0.4,"height":0.4}}]}"#;

/// What is shown now is looked at afterwards, in the recording; nothing tells meanwhile how much of it there is.
fn stay() {
    // For as long as it shall be seen.
    std::thread::sleep(STAY);
}

struct Call {
    node: Node,
    load: Child,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Call {
    /// Three people, the first of whom shares a screen.
    fn start(recording: &Path) -> Self {
        let mut config = Config::default();
        config.http.listen = "127.0.0.1:0".parse().unwrap();
        config.media.listen = "127.0.0.1:0".parse().unwrap();
        // Another test looks for the mark of a recording.
        config.recording.mark = false;
        let node = Node::start_recording_to(config, Some(recording.to_owned())).expect("the node starts");
        let url = format!("http://{}/", node.http_address());
        let load = Command::new(env!("CARGO_BIN_EXE_tessera"))
            .args(["load", "--url", &url, "--room", "staged", "--participants", "3", "--screens", "1"])
            .args(["--speakers", "0", "--decoders", "0", "--duration", "600s", "--quiet"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { node, load, client: crate::browser::driver::client(), runtime }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/v1/rooms/staged{path}", self.node.http_address())
    }

    fn get(&self, path: &str) -> Value {
        let request = self.client.get(self.url(path));
        self.runtime.block_on(async { request.send().await.expect("the node answers").json().await.expect("JSON") })
    }

    fn put(&self, path: &str, body: &str) -> (u16, Value) {
        self.put_as(path, "application/json", body.into())
    }

    fn put_as(&self, path: &str, kind: &str, body: Vec<u8>) -> (u16, Value) {
        let request = self.client.put(self.url(path)).header("content-type", kind).body(body);
        self.runtime.block_on(async {
            let response = request.send().await.expect("the node answers");
            (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
        })
    }

    fn wait_until_everyone_is_there(&self) {
        let until = Instant::now() + Duration::from_secs(90);
        loop {
            let room = self.get("");
            let people = room["participants"].as_array().map_or(&[][..], Vec::as_slice);
            let shares = people.iter().any(|person| person["screen"] == true);
            if people.len() == 3 && shares && people.iter().all(|person| person["camera"] == true) {
                return;
            }
            assert!(Instant::now() < until, "never three cameras and a screen: {room}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn end(mut self) {
        self.load.kill().expect("it runs");
        self.load.wait().expect("it was ours");
        self.node.stop();
    }
}

/// Where the pictures of three people, the first of whom shares a screen, lie under a layout.
fn places(document: &str, page: usize) -> Vec<Rect> {
    let (mut core, mut out) = (SceneCore::with_layout(CANVAS, Layout::parse(document).unwrap()), Outbox::new());
    let now = Instant::now();
    for id in 0..3 {
        core.handle(now, Input::Joined { participant: ParticipantId(id), name: "Load".into() }, &mut out);
    }
    let participant = ParticipantId(0);
    let track = tessera::base::media::TrackId { participant, kind: tessera::base::media::TrackKind::Screen };
    core.handle(now, Input::Shape { track, size: Size::new(320, 180) }, &mut out);
    core.handle(now, Input::ScreenFrame { participant }, &mut out);
    core.handle(now, Input::Page(page), &mut out);
    core.scene().tiles.iter().map(|tile| tile.rect).collect()
}

/// The recording's pictures, `FPS` a second, luma alone.
fn pictures(recording: &Path) -> Vec<Vec<u8>> {
    let told = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(recording)
        .args(["-vf", &format!("fps={FPS}"), "-pix_fmt", "gray", "-color_range", "tv", "-f", "rawvideo", "-"])
        .output()
        .expect("ffmpeg is installed by make test");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    told.stdout.chunks_exact((CANVAS.width * CANVAS.height) as usize).map(<[u8]>::to_vec).collect()
}

/// Whose pictures lie at `places`; `None` unless each has one.
fn shown(picture: &[u8], places: &[Rect]) -> Option<Vec<u16>> {
    let plane = || PlaneRef { data: picture, stride: CANVAS.width as usize };
    let read = |rect: &Rect| {
        let [x, y, width, height] = [rect.x, rect.y, rect.width, rect.height].map(|side| side as usize);
        barcode::read(plane(), (x, y, width, height)).map(|code| code.number)
    };
    places.iter().map(read).collect()
}

#[test]
fn the_picture_follows_the_layout_and_shows_the_screen() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("staged.mp4");
    let call = Call::start(&recording);
    call.wait_until_everyone_is_there();
    stay();
    assert_eq!(call.get("/layout"), json!({ "layout": { "layout": "grid" }, "page": 1, "pages": 1 }));
    let grid = r#"{"layout":"grid","screens":false}"#;
    for document in [grid, STUDIO] {
        assert_eq!(call.put("/layout", document).0, 204);
        stay();
    }
    let told = call.get("/layout");
    assert_eq!((&told["layout"]["layout"], &told["page"], &told["pages"]), (&json!("custom"), &json!(1), &json!(2)));
    let (status, problem) = call.put("/layout", r#"{"layout":"mosaic"}"#);
    assert_eq!((status, &problem["type"]), (400, &json!("urn:tessera:problem:bad-layout")));
    assert!(problem["detail"].as_str().unwrap().starts_with("layout: unknown variant `mosaic`"), "{problem}");
    assert_eq!(call.put("/page", r#"{"page":2}"#).0, 204);
    stay();
    assert_eq!(call.get("/layout")["page"], json!(2));
    call.end();
    let pictures = pictures(&recording);
    let seen = |document: &str, page: usize| {
        let places = places(document, page);
        pictures.iter().filter_map(|picture| shown(picture, &places)).collect::<Vec<_>>()
    };
    let presented = seen(r#"{"layout":"grid"}"#, 0);
    assert!(!presented.is_empty(), "the screen was never large with three people beside it");
    for people in &presented {
        let mut beside = people[1..].to_vec();
        beside.sort_unstable();
        assert_eq!((people[0], beside), (0, vec![0, 1, 2]), "the screen is the first one's, everyone is beside it");
    }
    for (document, page, tiles) in [(grid, 0, 3), (STUDIO, 0, 2), (STUDIO, 1, 1)] {
        let seen = seen(document, page);
        assert!(!seen.is_empty(), "{document}, page {page}, was never seen in {} pictures", pictures.len());
        assert!(seen.iter().all(|people| people.len() == tiles), "{seen:?}");
    }
}

/// Everybody in the middle, so that nothing but what a room is dressed with lies at the edges.
const MIDDLE: &str = r#"{"layout":"custom","regions":[
    {"show":{"seat":1},"rect":{"x":0.3,"y":0.3,"width":0.4,"height":0.4}}]}"#;
const LOGO: Size = Size::new(432, 216);

/// Where banner, logo and clock lie.
fn branding() -> Vec<Rect> {
    let (mut core, mut out) = (SceneCore::with_layout(CANVAS, Layout::parse(MIDDLE).unwrap()), Outbox::new());
    let logo = Bitmap::new(LOGO, vec![255; (LOGO.width * LOGO.height * 4) as usize]);
    for input in [Input::Banner("Quarterly figures".into()), Input::Logo(Some(logo)), Input::Clock("12:00 UTC".into())]
    {
        core.handle(Instant::now(), input, &mut out);
    }
    core.scene().overlays.iter().map(|overlay| overlay.rect).collect()
}

/// The darkest and the brightest sample of `rect`, a margin left out.
fn range(picture: &[u8], rect: &Rect) -> (u8, u8) {
    const MARGIN: u32 = 4;
    let lines = (rect.y + MARGIN..rect.bottom() - MARGIN).map(|y| (y * CANVAS.width) as usize);
    let (from, to) = ((rect.x + MARGIN) as usize, (rect.right() - MARGIN) as usize);
    let samples = lines.flat_map(|line| &picture[line + from..line + to]);
    samples.fold((255, 0), |(least, most), sample| (least.min(*sample), most.max(*sample)))
}

/// A PNG of one colour.
pub fn plain_png(size: Size, rgba: [u8; 4]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, size.width, size.height);
    encoder.set_color(png::ColorType::Rgba);
    let pixels = rgba.repeat((size.width * size.height) as usize);
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    file
}

#[test]
fn a_dressed_room_is_seen_with_banner_logo_and_clock() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("dressed.mp4");
    let call = Call::start(&recording);
    call.wait_until_everyone_is_there();
    assert_eq!(call.put("/layout", MIDDLE).0, 204);
    stay();
    assert_eq!(call.put_as("/logo", "image/png", plain_png(LOGO, [255; 4])).0, 204);
    assert_eq!(call.put_as("/banner", "text/plain", b"Quarterly figures".to_vec()).0, 204);
    assert_eq!(call.put("/clock", "").0, 204);
    stay();
    call.end();
    let pictures = pictures(&recording);
    let [banner, logo, clock] = branding().try_into().expect("three lie over the tiles");
    let bare = |picture: &[u8]| [banner, logo, clock].iter().all(|rect| range(picture, rect).1 < 100);
    let dressed = |picture: &[u8]| {
        let written = |rect: &Rect| matches!(range(picture, rect), (..100, 151..));
        range(picture, &logo).0 > 170 && written(&banner) && written(&clock)
    };
    let first_bare = pictures.iter().position(|picture| bare(picture));
    let first_dressed = pictures.iter().position(|picture| dressed(picture));
    let ranges = pictures.last().map(|last| [banner, logo, clock].map(|rect| range(last, &rect)));
    assert!(first_bare.is_some(), "the edges were never bare in {} pictures, at last {ranges:?}", pictures.len());
    assert!(first_dressed > first_bare, "dressed at {first_dressed:?}, bare at {first_bare:?}, at last {ranges:?}");
}
