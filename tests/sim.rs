//! A hundred people, a bad network, a minute, in seconds: the pure cores in virtual time.
//!
//! Every delay, loss, join and leave comes from one seed. `TESSERA_SEED=n` runs that seed alone; a failing run prints
//! its own.

mod network;
mod person;
mod world;

use std::time::Duration;

use world::World;

/// Prints the seed when the run it stands for fails.
struct SeedOnPanic(u64);

impl Drop for SeedOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this run fails again with TESSERA_SEED={}", self.0);
        }
    }
}

fn run(seed: u64, span: Duration) -> world::Digest {
    let _guard = SeedOnPanic(seed);
    let mut world = World::new(seed);
    world.run(span);
    world.finish()
}

fn seeds(default: &[u64]) -> Vec<u64> {
    match std::env::var("TESSERA_SEED") {
        Ok(text) => vec![text.parse().expect("TESSERA_SEED is a number")],
        Err(_) => default.to_vec(),
    }
}

#[test]
fn a_hundred_people_on_a_bad_network_for_a_minute() {
    for seed in seeds(&[1, 2, 0xdead_beef]) {
        let digest = run(seed, Duration::from_secs(60));
        println!("seed {seed}: {digest:?}");
        // That the run was no idle one: people came and went, frames were lost, keyframes were needed.
        assert!(digest.joined > 120 && digest.refused > 0, "seed {seed}: {digest:?}");
        assert!(digest.frames_released > 100_000 && digest.frames_discarded > 100, "seed {seed}: {digest:?}");
        assert!(digest.packets_played > 200_000 && digest.concealed_samples > 0, "seed {seed}: {digest:?}");
        assert!(digest.keyframes_asked > 100 && digest.speaking_changes > 10, "seed {seed}: {digest:?}");
        // And that the cores did well by it.
        assert!(digest.frames_late * 8 < digest.frames_released, "seed {seed}: {digest:?}");
        assert!(digest.packets_discarded * 20 < digest.packets_played, "seed {seed}: {digest:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_minute() {
    let seed = seeds(&[42])[0];
    let span = Duration::from_secs(5);
    assert_eq!(run(seed, span), run(seed, span));
}
