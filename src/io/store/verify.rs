//! **The question:** is what expired really gone? Tries to open every recording of a copy the way a thief would: with
//! whatever keys lie in the files beside it, by nobody's leave. A key of an hour that has come is a finding by itself,
//! and so is what is filed so far ahead that nothing which began by now can be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;

use crate::base::limits;
use crate::base::media::Wallclock;
use crate::core::record::{Object, folder, utc_text};
use crate::core::retention::{
    Burglary, Hour, KeeperId, Pair, RecordingName, STOLEN_OVERLAP, StolenKey, stolen_keys, stolen_times,
};
use crate::io::store::archive::ArchiveError;
use crate::io::store::keeper_file::KeeperFileError;
use crate::io::store::keepers::{Gleaned, Keepers};
use crate::io::store::spool::waiting_in;
use crate::io::store::vault::{Vault, VaultError};

/// 2020, before there was anything to find.
const FIRST_HOUR: Hour = Hour(438_288);
const PIECE_BYTES: usize = 1 << 20;

/// What is looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copies {
    /// The recordings: a folder or `s3://bucket/prefix`.
    pub vault: String,
    /// Folders of keepers, or single files, images of disks too: one, or those that a thief came by.
    pub keepers: Vec<PathBuf>,
    /// The folder of objects that wait, if there is one.
    pub spool: Option<PathBuf>,
}

/// What a check is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checking {
    /// Reading files; counted in bytes.
    Files,
    /// Trying recordings.
    Recordings,
}

/// Hears what the check is at, how much of it is done, and of how much.
pub type VerifyProgress<'a> = &'a dyn Fn(Checking, u64, u64);

/// A key that should not be there any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PastKey {
    /// In which file.
    pub file: PathBuf,
    /// At which byte of it, hour included.
    pub at: u64,
    /// UTC, RFC 3339: when it should have been destroyed.
    pub expired_at: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Verified {
    /// UTC, RFC 3339: by which time it was judged what has expired.
    pub judged_at: String,
    /// Recordings whose hour has come and of which anything is still there.
    pub expired: u64,
    /// Of those, how many opened: must be 0.
    pub opened: u64,
    /// Recordings whose hour has not come.
    pub current: u64,
    /// Of those, how many opened: where keys were copied with them all should, else the keys are of another keeper.
    pub current_opened: u64,
    /// Recordings filed further ahead of this machine's clock than anything is kept: must be 0. A clock was wrong when
    /// they began, or this one is.
    pub far: u64,
    /// Keys that lie in the keepers' files.
    pub keys: u64,
    /// Of those, how many are of an hour that has come: must be 0.
    pub past_keys: u64,
    /// Of those, how many are of an hour further ahead than anything is kept: must be 0.
    pub far_keys: u64,
    /// What opened though it expired, the first `limits::FINDINGS_TOLD_MAX` of it.
    pub opened_recordings: Vec<String>,
    /// What is filed too far ahead, the first `limits::FINDINGS_TOLD_MAX` of it.
    pub far_recordings: Vec<String>,
    /// Where keys of the past lie, the first `limits::FINDINGS_TOLD_MAX` of them.
    pub past_keys_at: Vec<PastKey>,
}

impl Verified {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.opened == 0 && self.past_keys == 0 && self.far == 0 && self.far_keys == 0
    }
}

/// By which times it is judged.
#[derive(Debug, Clone, Copy)]
struct Judged {
    /// What has expired by this has to be gone.
    now: Wallclock,
    /// Nothing that began by now is filed later.
    last: Hour,
}

impl Judged {
    /// By this machine's clock, or by what keepers refused by if that is later: a clock set back acquits nobody.
    fn by(wall: Wallclock, keepers: Wallclock) -> Self {
        let allowance = limits::CLOCK_ALLOWANCE.as_nanos() as u64;
        Self { now: wall.max(keepers), last: Hour::last_from(Wallclock(wall.0.saturating_add(allowance))) }
    }

    fn nothing_found(self) -> Verified {
        Verified { judged_at: utc_text(self.now), ..Verified::default() }
    }
}

/// Reads whatever keys lie in the keepers' files and in the spool, and tries them on every wrapped key there is. What
/// has expired is told by this machine's clock, or by what the keeper refused by, or two of several did, if that is
/// later.
///
/// # Errors
/// When something cannot be read, or where a keeper should be nothing is.
pub async fn verify_expiry(copies: &Copies, progress: VerifyProgress<'_>) -> Result<Verified, ArchiveError> {
    let wall = Wallclock::from_system_time(SystemTime::now());
    let loot = loot(copies, wall, progress)?;
    let judged = Judged::by(wall, loot.refused_from());
    let mut verified = judged.nothing_found();
    loot.judge(judged, &mut verified);
    let loot: Vec<_> = loot.keys.into_iter().map(|(_, key)| key).collect();
    let vault = Vault::open(&copies.vault)?;
    let spooled = match &copies.spool {
        Some(spool) => spooled_wraps(spool).map_err(unreadable(spool))?,
        None => BTreeMap::new(),
    };
    let tried = async |recording: RecordingName| {
        let keys: Vec<_> = loot.iter().filter(|key| key.proven || key.hour == recording.hour).collect();
        for (pair, wrapped) in wraps(&vault, recording, spooled.get(&recording)).await? {
            if Burglary::new(recording, pair, &wrapped).succeeds(&keys) {
                return Ok(true);
            }
        }
        Ok(false)
    };
    let mut recordings: BTreeSet<_> = vault.recording().await?.into_iter().collect();
    recordings.extend(spooled.keys());
    try_all(&recordings, judged, verified, progress, tried).await
}

/// Asks the keepers themselves for everything that has expired, and tries every pair of what they give out.
///
/// # Errors
/// When the store cannot be read, or of a recording too few keepers say whether they give it out.
pub async fn verify_expiry_with(
    vault: &str,
    keepers: &Keepers,
    progress: VerifyProgress<'_>,
) -> Result<Verified, ArchiveError> {
    let vault = Vault::open(vault)?;
    let judged = Judged::by(Wallclock::from_system_time(SystemTime::now()), keepers.now());
    let recordings = vault.recording().await?.into_iter().collect();
    let tried = async |recording: RecordingName| {
        let is_due = recording.hour.is_expired(judged.now) || recording.hour > judged.last;
        opens_with(&vault, keepers, recording, is_due).await
    };
    try_all(&recordings, judged, judged.nothing_found(), progress, tried).await
}

async fn try_all(
    recordings: &BTreeSet<RecordingName>,
    judged: Judged,
    mut verified: Verified,
    progress: VerifyProgress<'_>,
    opens: impl AsyncFn(RecordingName) -> Result<bool, ArchiveError>,
) -> Result<Verified, ArchiveError> {
    for (done, recording) in (0..).zip(recordings) {
        progress(Checking::Recordings, done, recordings.len() as u64);
        let opened = opens(*recording).await?;
        if recording.hour > judged.last {
            verified.far += 1;
            if verified.far_recordings.len() < limits::FINDINGS_TOLD_MAX {
                verified.far_recordings.push(recording.to_string());
            }
        }
        if !recording.hour.is_expired(judged.now) {
            verified.current += 1;
            verified.current_opened += u64::from(opened);
            continue;
        }
        verified.expired += 1;
        verified.opened += u64::from(opened);
        if opened && verified.opened_recordings.len() < limits::FINDINGS_TOLD_MAX {
            verified.opened_recordings.push(recording.to_string());
        }
    }
    Ok(verified)
}

async fn opens_with(
    vault: &Vault,
    keepers: &Keepers,
    recording: RecordingName,
    is_due: bool,
) -> Result<bool, ArchiveError> {
    let Gleaned { shares, said, silent, why } = keepers.whatever_is_released(recording).await;
    let mut opened = false;
    for pair in shares.pairs() {
        opened |= match vault.get(&Object::Wrap(pair).path(recording)).await {
            Ok(wrapped) => shares.unwrap(recording, pair, &wrapped).is_ok(),
            Err(VaultError::Missing) => false,
            Err(error) => return Err(error.into()),
        };
    }
    let given = shares.keepers().len();
    if opened || is_judged(said, given, silent, is_due) {
        return Ok(opened);
    }
    let why = format!("whether {recording} opens cannot be judged, for too few keepers answer: {why}");
    Err(VaultError::Failed(why).into())
}

/// Whether a recording that did not open is known not to: enough said something, and if it must not open those who were
/// silent would not make a pair with those who gave something out.
fn is_judged(said: usize, given: usize, silent: usize, is_due: bool) -> bool {
    said >= limits::KEEPERS_AGREEING && !(is_due && silent > 0 && given + silent >= limits::KEEPERS_AGREEING)
}

type Wraps = Vec<(Pair, Vec<u8>)>;

/// Every wrapped key of a recording, in the store and on its way there.
async fn wraps(vault: &Vault, recording: RecordingName, spooled: Option<&Wraps>) -> Result<Wraps, ArchiveError> {
    let mut wraps = spooled.cloned().unwrap_or_default();
    let prefix = format!("{}/", folder(recording));
    for listed in vault.list(&format!("{prefix}wrap")).await? {
        let Some(Object::Wrap(pair)) = listed.path.strip_prefix(&prefix).and_then(Object::parse) else { continue };
        let wrapped = vault.get(&listed.path).await;
        let told = |error| VaultError::Failed(format!("{prefix}: {error}"));
        wraps.push((pair, wrapped.map_err(told)?.to_vec()));
    }
    Ok(wraps)
}

fn spooled_wraps(spool: &Path) -> io::Result<BTreeMap<RecordingName, Wraps>> {
    let mut wraps: BTreeMap<RecordingName, Wraps> = BTreeMap::new();
    for (file, path) in waiting_in(spool)? {
        let mut parts = path.splitn(4, '/').skip(1);
        let named = parts.next().and_then(|hour| hour.parse().ok()).zip(parts.next().and_then(|id| id.parse().ok()));
        let object = parts.next().and_then(Object::parse);
        if let (Some((hour, recording)), Some(Object::Wrap(pair))) = (named, object) {
            wraps.entry(RecordingName { hour, recording }).or_default().push((pair, std::fs::read(file)?));
        }
    }
    Ok(wraps)
}

/// What lies in the files.
#[derive(Default)]
struct Loot {
    keys: Vec<(PathBuf, StolenKey)>,
    /// What each keeper refused by whose head was found, the latest.
    times: BTreeMap<KeeperId, Wallclock>,
}

impl Loot {
    /// What the only keeper refused by, or two of several: one clock wrongly ahead judges nobody else's recordings.
    fn refused_from(&self) -> Wallclock {
        let mut times: Vec<_> = self.times.values().copied().collect();
        times.sort_unstable();
        let at = times.len().saturating_sub(limits::KEEPERS_AGREEING);
        times.get(at).copied().unwrap_or(Wallclock(0))
    }

    /// Counts the keys, and those that are findings by themselves.
    fn judge(&self, judged: Judged, verified: &mut Verified) {
        for (path, key) in self.keys.iter().filter(|(_, key)| key.proven) {
            verified.keys += 1;
            verified.far_keys += u64::from(key.hour > judged.last);
            if !key.hour.is_expired(judged.now) {
                continue;
            }
            verified.past_keys += 1;
            if verified.past_keys_at.len() < limits::FINDINGS_TOLD_MAX {
                let expired_at = utc_text(key.hour.start());
                verified.past_keys_at.push(PastKey { file: path.clone(), at: key.at, expired_at });
            }
        }
    }
}

fn loot(copies: &Copies, wall: Wallclock, progress: VerifyProgress<'_>) -> Result<Loot, ArchiveError> {
    let mut files = Vec::new();
    for keeper in &copies.keepers {
        let before = files.len();
        files_under(keeper, &mut files).map_err(unreadable(keeper))?;
        if files.len() == before {
            return Err(KeeperFileError::None { folder: keeper.clone() }.into());
        }
    }
    if let Some(spool) = &copies.spool {
        files_under(spool, &mut files).map_err(unreadable(spool))?;
    }
    let (mut done, all) = (0, files.iter().map(|(_, len)| len).sum());
    let mut loot = Loot::default();
    for (path, len) in files {
        let told = &mut |bytes| progress(Checking::Files, done + bytes, all);
        let keys = keys_in(&path, len, wall, &mut loot.times, told);
        let keys = keys.map_err(unreadable(&path))?;
        done += len;
        loot.keys.extend(keys.into_iter().map(|key| (path.clone(), key)));
    }
    Ok(loot)
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> VaultError + '_ {
    move |error| VaultError::Failed(format!("cannot read {}: {error}", path.display()))
}

/// Every file below `path`, or itself, with its length; what is neither file nor folder is left out.
fn files_under(path: &Path, files: &mut Vec<(PathBuf, u64)>) -> io::Result<()> {
    let about = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        about => about?,
    };
    if about.is_dir() {
        let mut inside = std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        inside.sort();
        return inside.iter().try_for_each(|path| files_under(path, files));
    }
    if about.is_file() {
        files.push((path.to_owned(), about.len()));
    }
    Ok(())
}

fn keys_in(
    path: &Path,
    len: u64,
    wall: Wallclock,
    times: &mut BTreeMap<KeeperId, Wallclock>,
    progress: &mut dyn FnMut(u64),
) -> io::Result<Vec<StolenKey>> {
    let file = File::open(path)?;
    // What may be a key or not; what is one is found whatever its hour.
    let hours = FIRST_HOUR..=Hour(Hour::containing(wall).0.saturating_add(10 * limits::HOUR_KEYS_MAX as u32));
    let mut found: BTreeMap<u64, StolenKey> = BTreeMap::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut at = 0;
    while at < len {
        progress(at);
        let mut filled = 0;
        while filled < piece.len() {
            match file.read_at(&mut piece[filled..], at + filled as u64)? {
                0 => break,
                read => filled += read,
            }
        }
        for (keeper, time) in stolen_times(&piece[..filled]) {
            let latest = times.entry(keeper).or_insert(time);
            *latest = time.max(*latest);
        }
        stolen_keys(&piece[..filled], at, &hours, |key| {
            let known = found.get(&key.at).is_some_and(|known| known.proven);
            if !known && (key.proven || found.len() < limits::GUESSED_KEYS_MAX) {
                found.insert(key.at, key);
            }
        });
        at += (PIECE_BYTES - STOLEN_OVERLAP) as u64;
    }
    Ok(found.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::retention::{BootId, Clocks, KeyShares, RecordingId, Retention, Secret};
    use crate::io::store::keeper_file::KeeperFile;

    fn clocks(wall: Wallclock) -> Clocks {
        Clocks { wall, boot: BootId([1; 16]), since_boot: std::time::Duration::ZERO, synchronised: false }
    }

    fn check(copies: &Copies) -> Verified {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(verify_expiry(copies, &|_, _, _| {})).unwrap()
    }

    /// A store with one recording of each of two hours, and its keeper, at a time when both could be read.
    fn store(home: &Path, wall: Wallclock) -> Copies {
        let copies =
            Copies { vault: home.join("store").display().to_string(), keepers: vec![home.join("keeper")], spool: None };
        let (mut file, mut keeper) = KeeperFile::open(&copies.keepers[0], clocks(wall)).unwrap();
        for hours in [3, 5] {
            let retention = Retention::new(std::time::Duration::from_secs(hours * 3600)).unwrap();
            let hour = keeper.reserve(clocks(wall), retention).unwrap();
            let recording = RecordingName { hour, recording: RecordingId::random() };
            let share = keeper.release(clocks(wall), recording.recording, hour).unwrap();
            for wrap in KeyShares::Alone(share).wrap(recording, &Secret::random()) {
                let path = home.join("store").join(Object::Wrap(wrap.pair).path(recording));
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, wrap.bytes).unwrap();
            }
        }
        file.save(&mut keeper).unwrap();
        copies
    }

    fn ago(hours: u64) -> Wallclock {
        Wallclock(Wallclock::from_system_time(SystemTime::now()).0 - hours * 3600 * 1_000_000_000)
    }

    fn told(verified: &Verified) -> [u64; 6] {
        let Verified { expired, opened, current, current_opened, keys, past_keys, .. } = verified;
        [*expired, *opened, *current, *current_opened, *keys, *past_keys]
    }

    #[test]
    fn a_copy_made_before_the_hour_is_found_to_open_whatever_the_keeper_would_say() {
        let home = tempfile::tempdir().unwrap();
        let copies = store(home.path(), ago(4));
        let verified = check(&copies);
        assert_eq!(told(&verified), [1, 1, 1, 1, 2, 1]);
        assert!(!verified.is_clean());
        let past = &verified.past_keys_at[0];
        assert!(
            past.file.ends_with("keeper/keys") && past.at.is_multiple_of(64) && past.expired_at.ends_with(":00:00Z")
        );
        assert_eq!(verified.opened_recordings.len(), 1);
        // The keeper itself, started since, has destroyed the one and holds the other.
        let (mut file, mut keeper) = KeeperFile::open(&copies.keepers[0], clocks(ago(0))).unwrap();
        keeper.believe(clocks(ago(0)));
        file.save(&mut keeper).unwrap();
        let verified = check(&copies);
        assert_eq!((told(&verified), verified.is_clean()), ([1, 0, 1, 1, 1, 0], true));
    }

    #[test]
    fn a_key_is_found_in_whatever_file_lies_beside_and_in_the_image_of_a_disk() {
        let home = tempfile::tempdir().unwrap();
        let mut copies = store(home.path(), ago(4));
        let (keys, found) = (std::fs::read(copies.keepers[0].join("keys")).unwrap(), check(&copies));
        let elsewhere = home.path().join("elsewhere/below");
        std::fs::create_dir_all(&elsewhere).unwrap();
        copies.keepers = vec![home.path().join("elsewhere")];
        // Across the end of the first piece that is read.
        let before = PIECE_BYTES - found.past_keys_at[0].at as usize - 30;
        std::fs::write(elsewhere.join("left over"), [vec![0x11; before], keys.clone()].concat()).unwrap();
        assert_eq!(told(&check(&copies)), [1, 1, 1, 1, 2, 1]);
        copies.keepers = vec![elsewhere.join("left over")];
        assert_eq!(told(&check(&copies)), [1, 1, 1, 1, 2, 1]);
        std::fs::write(elsewhere.join("left over"), b"nothing").unwrap();
        assert_eq!(told(&check(&copies)), [1, 0, 1, 0, 0, 0]);
        // Keys and wrapped keys that wait for the store.
        let (spool, vault) = (home.path().join("spool"), PathBuf::from(&copies.vault));
        std::fs::create_dir_all(&spool).unwrap();
        std::fs::write(spool.join("keys"), keys).unwrap();
        let mut wraps = Vec::new();
        files_under(&vault, &mut wraps).unwrap();
        for (n, (path, _)) in wraps.iter().enumerate() {
            let name = path.strip_prefix(&vault).unwrap().display().to_string().replace('/', "@");
            std::fs::rename(path, spool.join(format!("{n:016x}@{name}"))).unwrap();
        }
        std::fs::remove_dir_all(vault.join("rec")).unwrap();
        copies.spool = Some(spool);
        assert_eq!(told(&check(&copies)), [1, 1, 1, 1, 2, 1]);
    }

    #[test]
    fn a_clock_that_is_set_back_acquits_nobody() {
        let home = tempfile::tempdir().unwrap();
        let copies = store(home.path(), ago(1));
        assert_eq!((told(&check(&copies)), check(&copies).is_clean()), ([0, 0, 2, 2, 2, 0], true));
        // The keeper has refused by a later time than this machine's clock has, and has not destroyed yet.
        let leads = Wallclock(ago(0).0 + 3 * 3600 * 1_000_000_000);
        let (mut file, mut keeper) = KeeperFile::open(&copies.keepers[0], clocks(ago(0))).unwrap();
        keeper.advance(Clocks { since_boot: limits::CLOCK_DOUBTED_SPAN, ..clocks(leads) }, None);
        file.save(&mut keeper).unwrap();
        let verified = check(&copies);
        assert_eq!(told(&verified), [1, 1, 1, 1, 2, 1]);
        assert_eq!((verified.judged_at, verified.opened_recordings.len()), (utc_text(leads), 1));
    }

    #[test]
    fn what_a_clock_wrongly_ahead_made_is_a_finding_whether_or_not_its_hour_has_come() {
        let home = tempfile::tempdir().unwrap();
        let year = 365 * 24 * 3600 * 1_000_000_000;
        let copies = store(home.path(), Wallclock(ago(0).0 + year));
        let verified = check(&copies);
        assert_eq!((verified.far, verified.far_keys, verified.keys, verified.far_recordings.len()), (2, 2, 2, 2));
        assert!(!verified.is_clean());
    }

    #[test]
    fn of_several_keepers_no_single_one_judges() {
        let at = |times: &[u64]| {
            let times = (0..).zip(times).map(|(n, time)| (KeeperId([n; 8]), Wallclock(*time))).collect();
            Loot { keys: Vec::new(), times }.refused_from().0
        };
        assert_eq!([at(&[]), at(&[5]), at(&[5, 9]), at(&[5, 900, 7])], [0, 5, 5, 7]);
    }

    #[test]
    fn where_fewer_than_two_keepers_answer_nothing_is_judged() {
        let home = tempfile::tempdir().unwrap();
        let copies = store(home.path(), ago(4));
        let folders =
            crate::io::keeper::make_certificates(&home.path().join("pki"), &["127.0.0.1".to_owned()]).unwrap();
        let files = crate::io::keeper::IdentityFiles::in_folder(&folders[0]);
        let identity = crate::io::keeper::Identity::load(&files).unwrap();
        let addresses = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"].map(String::from);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let keepers = Keepers::new(&addresses, &identity, crate::engine::flow::Counter::default()).unwrap();
        let refused = runtime.block_on(verify_expiry_with(&copies.vault, &keepers, &|_, _, _| {}));
        assert!(refused.is_err_and(|error| error.to_string().contains("cannot be judged")));
    }

    #[test]
    fn what_is_known_not_to_open() {
        // What was said, given out, and by how many nothing was said; of three.
        for (said, given, silent, due, current) in [
            (3, 0, 0, true, true),
            (3, 1, 0, true, true),
            (2, 0, 1, true, true),
            (2, 1, 1, false, true),
            (1, 0, 2, false, false),
            (0, 0, 3, false, false),
        ] {
            let judged = [true, false].map(|is_due| is_judged(said, given, silent, is_due));
            assert_eq!(judged, [due, current], "{said} said, {given} gave");
        }
    }

    #[test]
    fn where_no_keeper_is_the_check_says_so() {
        let home = tempfile::tempdir().unwrap();
        let mut copies = store(home.path(), ago(4));
        copies.keepers = vec![home.path().join("nowhere")];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let refused = runtime.block_on(verify_expiry(&copies, &|_, _, _| {}));
        assert!(refused.is_err_and(|error| error.to_string().contains("nowhere")));
    }
}
