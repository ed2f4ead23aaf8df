//! A scripted conversation of real speech, a cough and a door.

use crate::app::load::container;
use crate::base::limits;
use crate::base::media::ParticipantId;
use crate::core::mix::{Activity, Dominance, Loudness};
use crate::engine::decode::OpusDecoder;

const TICKS_PER_SECOND: usize = 50;

/// Levels of a shipped clip of speech, silence before its first and after its last word taken away.
fn speech(file: &[u8]) -> Vec<Loudness> {
    let mut decoder = OpusDecoder::new().unwrap();
    let mut samples = Vec::new();
    for packet in container::ogg_opus_packets(file).unwrap() {
        samples.extend_from_slice(decoder.decode(&packet).unwrap());
    }
    let levels: Vec<_> = samples.chunks_exact(limits::PCM_SAMPLES).map(Loudness::of_samples).collect();
    let first = levels.iter().position(|l| l.0 > 87.0).unwrap();
    let last = levels.iter().rposition(|l| l.0 > 87.0).unwrap();
    levels[first..=last].to_vec()
}

fn clips() -> [Vec<Loudness>; 4] {
    [
        speech(include_bytes!("../../../app/load/assets/voice1.ogg")),
        speech(include_bytes!("../../../app/load/assets/voice2.ogg")),
        speech(include_bytes!("../../../app/load/assets/voice3.ogg")),
        speech(include_bytes!("../../../app/load/assets/voice4.ogg")),
    ]
}

/// People in rooms of their own noise.
struct Conversation {
    dominance: Dominance,
    activities: Vec<Activity>,
    tick: usize,
    /// Each change of the word: when, and to whom.
    changes: Vec<(usize, u64)>,
}

impl Conversation {
    fn new(people: u64) -> Self {
        let mut dominance = Dominance::new();
        (0..people).for_each(|n| dominance.join(ParticipantId(n)));
        let activities = (0..people).map(|_| Activity::default()).collect();
        let mut conversation = Self { dominance, activities, tick: 0, changes: Vec::new() };
        conversation.run(2 * TICKS_PER_SECOND, |_, _| None);
        conversation
    }

    /// `sound(person, tick of this scene)` is what somebody says above their noise.
    fn run(&mut self, ticks: usize, sound: impl Fn(usize, usize) -> Option<Loudness>) {
        for at in 0..ticks {
            for (n, activity) in self.activities.iter_mut().enumerate() {
                let noise = 127.0 - 62.0 + ((self.tick * (n + 3)) % 5) as f32;
                let level = Loudness(sound(n, at).map_or(noise, |said| said.0.max(noise)));
                activity.hear(level);
                self.dominance.hear(ParticipantId(n as u64), activity.is_speech(), level);
            }
            let before = self.dominance.dominant();
            self.dominance.advance();
            if let Some(now) = self.dominance.dominant().filter(|now| Some(*now) != before) {
                self.changes.push((self.tick, now.0));
            }
            self.tick += 1;
        }
    }
}

fn said(clip: &[Loudness], at: usize) -> Option<Loudness> {
    clip.get(at % (clip.len() + 10)).copied()
}

/// Where the clip's phrases begin: at its begin, and after each pause of a quarter of a second.
fn phrases(clip: &[Loudness]) -> Vec<usize> {
    let pause = |n: &usize| clip[n - 12..*n].iter().all(|l| l.0 < 85.0) && clip[*n].0 >= 85.0;
    std::iter::once(0).chain((12..clip.len()).filter(pause)).collect()
}

/// A cough: a burst of 140 ms, another of 120 ms.
fn cough(at: usize) -> Option<Loudness> {
    (at < 7 || (10..16).contains(&at)).then_some(Loudness(127.0 - 12.0 - (at % 14) as f32))
}

/// A door: full scale at once, then 60 dB down within 600 ms.
fn door(at: usize) -> Option<Loudness> {
    (at < 30).then_some(Loudness(127.0 - 3.0 - at as f32 * 2.0))
}

#[test]
fn the_word_follows_a_conversation_within_600_ms() {
    let clips = clips();
    let mut worst = 0;
    for offset in 0..8 {
        let mut conversation = Conversation::new(5);
        for turn in 0..12_usize {
            let (who, begin) = (turn * 3 % 4, conversation.tick);
            let clip = &clips[who];
            let phrases = phrases(clip);
            let start = phrases[offset % phrases.len()];
            conversation.run(4 * TICKS_PER_SECOND, |n, at| if n == who { said(clip, start + at) } else { None });
            let turns: Vec<_> = conversation.changes.iter().filter(|(at, _)| *at >= begin).collect();
            assert_eq!(turns.len(), 1, "offset {offset}, turn {turn}: one change a turn, {turns:?} from {begin}");
            assert_eq!(turns[0].1, who as u64);
            worst = worst.max(turns[0].0 - begin);
        }
    }
    println!("slowest switch: {} ms", worst * 20);
    assert!(worst * 20 < 600, "{} ms", worst * 20);
}

#[test]
fn a_cough_or_a_door_takes_no_word() {
    let clips = clips();
    let mut conversation = Conversation::new(3);
    conversation.run(100, |n, at| if n == 2 { door(at % 75) } else { None });
    conversation.run(100, |n, at| if n == 1 { cough(at % 60) } else { None });
    assert_eq!(conversation.dominance.dominant(), None, "nobody spoke yet");
    conversation.run(10 * TICKS_PER_SECOND, |n, at| match n {
        0 => said(&clips[0], at),
        1 => cough(at % 97),
        _ => door(at % 131),
    });
    let speakers: Vec<_> = conversation.changes.iter().map(|(_, who)| *who).collect();
    assert_eq!(speakers, [0]);
    // Also not in a pause of the speaker.
    conversation.run(2 * TICKS_PER_SECOND, |n, at| match n {
        1 => at.checked_sub(30).and_then(cough),
        2 => at.checked_sub(70).and_then(door),
        _ => None,
    });
    assert_eq!(conversation.dominance.dominant(), Some(ParticipantId(0)));
}

#[test]
fn two_who_talk_at_once_do_not_fight_over_the_word() {
    let clips = clips();
    let mut conversation = Conversation::new(2);
    conversation.run(20 * TICKS_PER_SECOND, |n, at| said(&clips[n], at + 37 * n));
    assert!(conversation.changes.len() <= 3, "20 s of equals: {:?}", conversation.changes);
}

#[test]
fn who_goes_on_much_louder_gets_the_word_in_the_end() {
    let clips = clips();
    let mut conversation = Conversation::new(2);
    let quieter = |at| said(&clips[0], at).map(|l| Loudness(l.0 - 15.0));
    conversation.run(3 * TICKS_PER_SECOND, |n, at| if n == 0 { quieter(at) } else { None });
    assert_eq!(conversation.dominance.dominant(), Some(ParticipantId(0)));
    conversation.run(5 * TICKS_PER_SECOND, |n, at| if n == 0 { quieter(at) } else { said(&clips[1], at) });
    assert_eq!(conversation.dominance.dominant(), Some(ParticipantId(1)));
}

#[test]
fn speaking_begins_at_once_ends_after_a_pause_and_leaving_frees_the_word() {
    let mut conversation = Conversation::new(2);
    conversation.run(10, |n, _| (n == 0).then_some(Loudness(100.0)));
    assert_eq!(conversation.dominance.speaking().collect::<Vec<_>>(), [ParticipantId(0)]);
    conversation.run(25, |_, _| None);
    assert_eq!(conversation.dominance.speaking().count(), 1, "a pause between words");
    conversation.run(10, |_, _| None);
    assert_eq!(conversation.dominance.speaking().count(), 0);
    conversation.run(25, |n, _| (n == 0).then_some(Loudness(100.0)));
    assert_eq!(conversation.dominance.dominant(), Some(ParticipantId(0)));
    conversation.dominance.leave(ParticipantId(0));
    assert!(conversation.dominance.advance(), "people are told");
    assert_eq!((conversation.dominance.dominant(), conversation.dominance.speaking().count()), (None, 0));
}
