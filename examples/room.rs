//! A node in this process, two simulated people in one of its rooms, and what everybody there saw and heard in a file:
//! `cargo run --release --example room`

#![expect(clippy::print_stdout, reason = "it shows what it does")]

use std::error::Error;
use std::time::Duration;

use tessera::app::config::Config;
use tessera::app::load::{self, LoadOptions};
use tessera::app::node::Node;

fn main() -> Result<(), Box<dyn Error>> {
    let mut config = Config::default();
    config.http.listen = "127.0.0.1:0".parse()?;
    config.media.listen = "127.0.0.1:0".parse()?;
    // In the clear, since somebody asks for this file; with `config.recording.enabled` every room is recorded sealed.
    let node = Node::start_recording_to(config, Some("room.mp4".into()))?;
    println!("watch them at {}?room=example&watch", node.url());

    // They come over real WebRTC, and know the node by its URL alone. The room begins with the first of them.
    let people = LoadOptions {
        url: format!("http://{}", node.http_address()),
        room: "example".parse()?,
        participants: 2,
        speakers: 1,
        duration: Duration::from_secs(10),
        ..LoadOptions::default()
    };
    let report = load::run(&people, &|_| ())?;
    print!("{report}");

    // It ends with the last of them, and its recording becomes final.
    let room = node.ended_rooms().recv_timeout(Duration::from_secs(10))?;
    node.stop();
    println!("{:?}", room.recording);
    Ok(())
}
