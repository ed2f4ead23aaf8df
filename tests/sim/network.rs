//! The randomness and the network of the simulation.

use std::time::Duration;

/// A small seeded generator (splitmix64, public domain by Sebastiano Vigna; written from its definition).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.bits() % bound
    }

    /// True in `parts` of 10,000 cases.
    pub fn chance(&mut self, parts: u64) -> bool {
        self.below(10_000) < parts
    }
}

/// One person's way to the node.
#[derive(Debug, Clone)]
pub struct Path {
    transit_us: u64,
    jitter_us: u64,
    /// Parts of 10,000.
    loss: u64,
    /// Parts of 10,000.
    duplication: u64,
}

impl Path {
    /// Most paths are good, some are bad.
    pub fn random(random: &mut Random) -> Self {
        let bad = random.chance(2_000);
        Self {
            transit_us: 5_000 + random.below(80_000),
            jitter_us: if bad { 10_000 + random.below(50_000) } else { 200 + random.below(4_000) },
            loss: if bad { 100 + random.below(400) } else { random.below(30) },
            duplication: random.below(100),
        }
    }

    /// Whether a packet is lost for good.
    pub fn loses(&self, random: &mut Random) -> bool {
        random.chance(self.loss)
    }

    /// Whether a packet comes twice.
    pub fn duplicates(&self, random: &mut Random) -> bool {
        random.chance(self.duplication)
    }

    /// How long a packet is on its way: most near the fastest, few near the slowest, one in a thousand far beyond.
    pub fn transit(&self, random: &mut Random) -> Duration {
        let jitter = random.below(self.jitter_us).min(random.below(self.jitter_us));
        let spike = if random.chance(10) { 100_000 + random.below(200_000) } else { 0 };
        Duration::from_micros(self.transit_us + jitter + spike)
    }

    /// How long a keyframe request is on its way back.
    pub fn back(&self) -> Duration {
        Duration::from_micros(self.transit_us)
    }
}
