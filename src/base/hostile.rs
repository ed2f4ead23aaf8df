//! **The question:** what might somebody send who means no good, or whose program is broken? Tests of every floor ask.
//!
//! What comes follows from the seed alone. `TESSERA_FUZZ_ROUNDS=n` lets each such test go on for n rounds.

/// How many each test tries in `make test`.
const ROUNDS: u64 = 4_000;

/// How many to try.
pub fn rounds() -> u64 {
    std::env::var("TESSERA_FUZZ_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS)
}

/// Seeded misfortune.
pub struct Mutator(u64);

impl Mutator {
    /// The same for the same `seed`, which is not 0.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// Xorshift (Marsaglia 2003).
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Below `end`; 0 if that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.draw() % end.max(1) as u64).unwrap()
    }

    fn noise(&mut self, longest: usize) -> Vec<u8> {
        (0..self.below(longest + 1)).map(|_| self.draw() as u8).collect()
    }

    /// One of `right` with one to four things wrong in it, or noise.
    pub fn bytes(&mut self, right: &[Vec<u8>]) -> Vec<u8> {
        if right.is_empty() || self.below(8) == 0 {
            return self.noise(1_500);
        }
        let at = self.below(right.len());
        let mut bytes = right[at].clone();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(7) {
                0 => bytes.truncate(at),
                1 => bytes.extend(self.noise(40)),
                2 => drop(bytes.splice(at..at, self.noise(8))),
                3 => drop(bytes.drain(at..(at + 1 + self.below(8)).min(bytes.len()))),
                4 if at + 2 <= bytes.len() => bytes[at..at + 2].copy_from_slice(&[0xff; 2]),
                5 if at + 2 <= bytes.len() => bytes[at..at + 2].copy_from_slice(&[0; 2]),
                _ if at < bytes.len() => bytes[at] = self.draw() as u8,
                _ => {}
            }
        }
        bytes
    }

    /// The same for texts; what is no UTF-8 becomes the replacement character.
    pub fn text(&mut self, right: &[String]) -> String {
        let right: Vec<Vec<u8>> = right.iter().map(|text| text.clone().into_bytes()).collect();
        String::from_utf8_lossy(&self.bytes(&right)).into_owned()
    }

    /// One of `right`, with lines left out, twice, elsewhere or with other characters in them.
    pub fn lines(&mut self, right: &[String]) -> String {
        let at = self.below(right.len());
        let mut lines: Vec<String> = right[at].lines().map(str::to_owned).collect();
        for _ in 0..=self.below(5) {
            let (at, other) = (self.below(lines.len()), self.below(lines.len()));
            match self.below(6) {
                0 if lines.len() > 1 => drop(lines.remove(at)),
                1 => lines.insert(other, lines[at].clone()),
                2 => lines.swap(at, other),
                3 => lines[at] = lines[at].replace(char::is_numeric, "9"),
                4 => lines[at] = lines[at].repeat(1 + self.below(200)),
                _ => lines[at] = self.text(std::slice::from_ref(&lines[at])),
            }
        }
        lines.join(if self.below(10) == 0 { "\n" } else { "\r\n" }) + "\r\n"
    }
}
