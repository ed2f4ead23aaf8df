//! **The question:** what does a person without a picture look like?

use crate::base::media::ParticipantId;

/// A colour as screens mean it: BT.709 primaries, 8 bits a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rgb {
    /// Red.
    pub red: u8,
    /// Green.
    pub green: u8,
    /// Blue.
    pub blue: u8,
}

impl Rgb {
    /// From its three channels.
    #[must_use]
    pub const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }
}

/// Twelve hues of like darkness, so that white letters read equally well on each.
const PALETTE: [Rgb; 12] = [
    Rgb::new(0x2f, 0x5d, 0x8a),
    Rgb::new(0x8a, 0x4b, 0x2f),
    Rgb::new(0x3a, 0x70, 0x4c),
    Rgb::new(0x70, 0x43, 0x85),
    Rgb::new(0x86, 0x3e, 0x58),
    Rgb::new(0x2c, 0x6e, 0x73),
    Rgb::new(0x7a, 0x62, 0x27),
    Rgb::new(0x4b, 0x50, 0x96),
    Rgb::new(0x59, 0x6e, 0x2c),
    Rgb::new(0x93, 0x40, 0x40),
    Rgb::new(0x3d, 0x63, 0xa0),
    Rgb::new(0x5d, 0x54, 0x6b),
];

/// The colour of a participant's panel: the same on every node and after every restart.
#[must_use]
pub fn colour_of(participant: ParticipantId) -> Rgb {
    // Ids in tests and load runs are small numbers; a multiplicative hash (Knuth, TAOCP 6.4) spreads those too.
    let spread = participant.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    PALETTE[usize::try_from(spread).expect("32 bits fit") % PALETTE.len()]
}

/// The initials of a display name: first letters of its first and last word, upper case, at most two letters; empty
/// when the name has no letter or digit.
#[must_use]
pub fn initials_of(name: &str) -> String {
    let mut firsts = name
        .split(|c: char| c.is_whitespace() || matches!(c, '-' | '_' | '.' | ',' | '@'))
        .filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
    let first = firsts.next();
    let last = firsts.next_back();
    first.into_iter().chain(last).map(upper).collect()
}

/// Upper case where that stays one letter ('ß' would become two).
fn upper(letter: char) -> char {
    let mut upper = letter.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(single), None) => single,
        _ => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_first_and_last() {
        assert_eq!(initials_of("Ada Lovelace"), "AL");
        assert_eq!(initials_of("ada"), "A");
        assert_eq!(initials_of("Jean-Luc van Damme"), "JD");
        assert_eq!(initials_of("  élodie   d'arc "), "ÉD");
        assert_eq!(initials_of("Participant 17"), "P1");
        assert_eq!(initials_of("Ολυμπία Σ."), "ΟΣ");
        assert_eq!(initials_of("жанна"), "Ж");
        assert_eq!(initials_of("ß"), "ß");
        assert_eq!(initials_of("***"), "");
        assert_eq!(initials_of(""), "");
    }

    #[test]
    fn neighbours_rarely_share_a_colour() {
        let distinct: std::collections::HashSet<Rgb> = (0..24).map(|id| colour_of(ParticipantId(id))).collect();
        assert!(distinct.len() >= 8, "only {} colours among 24 people", distinct.len());
        assert_eq!(colour_of(ParticipantId(7)), colour_of(ParticipantId(7)));
    }
}
