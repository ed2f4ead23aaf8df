//! **The question:** which recordings are there, and is what expired really gone? `tessera recordings`.

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal as _, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::app::cli::recordings_table::table;
use crate::app::cli::terminal::{complain, say};
use crate::app::cli::{Failure, participant};
use crate::app::config::RemoteKeepers;
use crate::base::limits::{CLOCK_ALLOWANCE, KEEPERS_AGREEING};
use crate::base::media::{ParticipantId, Wallclock};
use crate::core::record::{RecordedFile, utc_text};
use crate::core::retention::{RecordingName, Retention};
use crate::engine::flow::Counter;
use crate::io::keeper::{Identity, IdentityFiles};
use crate::io::store::{
    Archive, ArchiveCounters, ArchiveError, ArchivePlace, Checking, Copies, HeldOf, KeeperFileError, Keepers,
    ReadError, Reading, SpoolPlace, VaultError, is_keeper_in, keep_out_of_dumps, verify_expiry, verify_expiry_with,
};
use crate::io::transfer::{Credentials, Destination, Progress, TransferredFile, transfer};

/// `tessera recordings`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RecordingsArgs {
    #[command(subcommand)]
    action: Action,
}

const EXAMPLES: &str = "\
Examples:
  tessera recordings list
  tessera recordings list --json | jq -r '.recordings[].recording'
  tessera recordings export 00495727-r0123… --out call.mp4
  tessera recordings export --participant p00c0ffee00c0ffee --out ada.tar
  tessera recordings erase --participant p00c0ffee00c0ffee --whole
  tessera recordings hand-over 00495727-r0123… --to https://cloud.example/remote.php/dav/files/ada/Calls
  tessera recordings verify-expiry --store /backup/recordings --keeper /backup/recordings.keeper
  tessera recordings verify-expiry --store /backup/recordings --keeper /backup/keeper-1 --and /backup/keeper-2
  tessera recordings list --keepers a.example:7443,b.example:7443,c.example:7443 --certificates node

Erasing and sweeping need the keeper for themselves: ask a node that runs by DELETE /v1/recordings/…; it sweeps by
itself. So does hand-over without --keep: ask a node that runs by POST /v1/recordings/…/hand-over.

hand-over takes what the host knows you by from the environment only: TESSERA_HAND_OVER_USER and _PASSWORD (WebDAV),
_TOKEN (WebDAV, Dropbox), _APP_KEY and _REFRESH_TOKEN (Dropbox), _AWS_ACCESS_KEY_ID, _AWS_SECRET_ACCESS_KEY, _AWS_REGION
and _AWS_ENDPOINT (S3; without any of these, the plain AWS_…).";

#[derive(Debug, Subcommand)]
enum Action {
    /// Those that have not expired: a table on a terminal, JSON where stdout is none or with --json
    List {
        #[command(flatten)]
        place: Place,
        /// JSON on a terminal too: {"now": …, "recordings": [{"recording": …, "expires_at": …, …}, …]}
        #[arg(long)]
        json: bool,
    },
    /// Write a recording to a file, in the clear; or all that is of one participant alone, as a tar archive
    Export {
        #[command(flatten)]
        place: Place,
        /// Its name, as `list` tells it
        #[arg(required_unless_present = "participant", conflicts_with = "participant")]
        recording: Option<String>,
        /// The id that somebody had in a call, as webhooks and the join's Link header told it
        #[arg(long, value_name = "ID", conflicts_with_all = ["take", "track"])]
        participant: Option<ParticipantId>,
        /// The file; must not exist yet
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
        /// Which part, if the picture's format changed during the call
        #[arg(long, default_value_t = 0)]
        take: u32,
        /// A participant's own track instead: which of those that were recorded, from 0
        #[arg(long, conflicts_with = "take")]
        track: Option<u32>,
    },
    /// Copy a recording to a file host of yours, verify the copy, and erase it here
    HandOver {
        #[command(flatten)]
        place: Place,
        /// Its name, as `list` tells it
        recording: String,
        /// s3://bucket/prefix, https://host/folder (WebDAV) or dropbox:/folder
        #[arg(long, value_name = "URL")]
        to: String,
        /// Do not erase it here
        #[arg(long)]
        keep: bool,
        /// No progress bar
        #[arg(long, short)]
        quiet: bool,
    },
    /// Erase what there is of one participant. A call's picture and sound are one for all who were in it, so that means
    /// every recording in which they take part: without --whole it only says which
    Erase {
        #[command(flatten)]
        place: Place,
        /// The id that somebody had in a call
        #[arg(long, value_name = "ID")]
        participant: ParticipantId,
        /// Erase these recordings, of everybody who was in them
        #[arg(long)]
        whole: bool,
    },
    /// Erase a recording now
    Shred {
        #[command(flatten)]
        place: Place,
        /// Its name, as `list` tells it
        recording: String,
    },
    /// Delete the objects of everything that has expired
    Sweep(Place),
    /// Take this machine's clock as right: what has expired by it is destroyed now. Raises the keeper's time, never
    /// lowers it
    BelieveClock(Place),
    /// Say that a clock was wrong which the keeper believed: destroys every key of the hours that it had passed, so
    /// that recordings can begin again. Put the clock right first: while it is behind what was certain, every key is
    /// destroyed. Nothing that was refused opens again
    ClockWasWrong(Place),
    /// Try to open every expired recording in a copy as a thief would: none must open, and no key of the past be there
    VerifyExpiry {
        #[command(flatten)]
        place: Place,
        /// Another keeper's folder, or a file or the image of a disk that may hold keys; as often as there are
        #[arg(long, value_name = "PATH", conflicts_with = "keepers")]
        and: Vec<PathBuf>,
    },
}

/// Where the recordings and the keeper's folder lie.
#[derive(Debug, Clone, Args)]
struct Place {
    /// Folder or s3://bucket/prefix of the recordings
    #[arg(long, value_name = "PLACE", default_value = "recordings")]
    store: String,
    /// Folder of the keeper [default: the store's, with .keeper added]
    #[arg(long, value_name = "DIR", conflicts_with = "keepers")]
    keeper: Option<PathBuf>,
    /// The three keepers, if they are processes of their own: HOST:PORT,HOST:PORT,HOST:PORT
    #[arg(long, value_name = "LIST", value_delimiter = ',', requires = "certificates")]
    keepers: Vec<String>,
    /// Folder of the node's ca.pem, cert.pem and key.pem
    #[arg(long, value_name = "DIR", requires = "keepers")]
    certificates: Option<PathBuf>,
    /// Folder of objects that wait for the store [default: the store's, with .spool added, if it is there]
    #[arg(long, value_name = "DIR")]
    spool: Option<PathBuf>,
}

impl Place {
    fn archive(&self) -> ArchivePlace {
        let beside = || Path::new(&self.store).with_added_extension("keeper");
        ArchivePlace { vault: self.store.clone(), keeper: self.keeper.clone().unwrap_or_else(beside) }
    }

    /// The keepers in other processes, if there are; those that answer have told the time.
    fn keepers(&self, runtime: &Runtime) -> Result<Option<Keepers>, Failure> {
        let Some(certificates) = self.certificates.as_ref().filter(|_| !self.keepers.is_empty()) else {
            return Ok(None);
        };
        let usage = |error: &dyn std::fmt::Display| Failure::Usage(error.to_string());
        let named = RemoteKeepers::new(self.keepers.clone(), IdentityFiles::in_folder(certificates));
        let named = named.map_err(|error| usage(&error))?;
        let identity = Identity::load(&named.files).map_err(|error| usage(&error))?;
        let keepers = Keepers::new(&named.addresses, &identity, Counter::default());
        let keepers = keepers.map_err(|error| usage(&error))?;
        runtime.block_on(keepers.poll_all());
        let answer = keepers.told().len();
        if answer < KEEPERS_AGREEING {
            return Err(Failure::Failed(format!("{KEEPERS_AGREEING} keepers are needed and {answer} answer")));
        }
        Ok(Some(keepers))
    }

    /// To read by; with the node's own keeper, beside a node that runs.
    fn look(&self, runtime: &Runtime) -> Result<Archive, Failure> {
        match self.keepers(runtime)? {
            None => Ok(Archive::look_at(&self.archive(), runtime.handle().clone())?),
            Some(keepers) => self.ask(keepers, runtime),
        }
    }

    /// To change something; the node's own keeper is locked for it.
    fn own(&self, runtime: &Runtime) -> Result<Archive, Failure> {
        let archive = match self.keepers(runtime)? {
            None => {
                let place = self.archive();
                // A new one would be certain of nothing, know of nothing, and erase nothing for whoever has the keys.
                if !is_keeper_in(&place.keeper).map_err(KeeperFileError::from).map_err(ArchiveError::from)? {
                    return Err(ArchiveError::from(KeeperFileError::None { folder: place.keeper }).into());
                }
                let (handle, counters) = (runtime.handle().clone(), ArchiveCounters::default());
                Archive::open(&place, Retention::default(), handle, counters)?
            }
            Some(keepers) => self.ask(keepers, runtime)?,
        };
        match self.spool() {
            Some(folder) => Ok(archive.with_spool(&SpoolPlace { folder, bytes_max: u64::MAX })?),
            None => Ok(archive),
        }
    }

    /// The node's own keeper, to be told something of its clock; others are told by `flag` when they start.
    fn own_keeper(&self, runtime: &Runtime, flag: &str) -> Result<Archive, Failure> {
        if self.keepers.is_empty() {
            return self.own(runtime);
        }
        Err(Failure::Usage(format!("each keeper has a clock of its own: tessera keeper {flag}")))
    }

    fn ask(&self, keepers: Keepers, runtime: &Runtime) -> Result<Archive, Failure> {
        let (handle, counters) = (runtime.handle().clone(), ArchiveCounters::default());
        Ok(Archive::with_keepers(&self.store, keepers, Retention::default(), handle, counters)?)
    }

    fn spool(&self) -> Option<PathBuf> {
        let beside = || Some(Path::new(&self.store).with_added_extension("spool")).filter(|folder| folder.is_dir());
        self.spool.clone().or_else(beside)
    }
}

/// Runs it.
#[must_use]
pub fn run(args: RecordingsArgs) -> ExitCode {
    keep_out_of_dumps();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Failed(format!("the operating system refused: {error}")));
    match runtime.and_then(|runtime| act(&runtime, args.action)) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn act(runtime: &Runtime, action: Action) -> Result<ExitCode, Failure> {
    match action {
        Action::List { place, json } => list(runtime, &place, json || !std::io::stdout().is_terminal())?,
        Action::Export { place, participant: Some(participant), out, .. } => {
            let archive = place.look(runtime)?;
            let count = runtime.block_on(participant::export(&archive, participant, &out))?;
            say!(
                "{} (of {count} recordings), in the clear: it does not expire by itself. It holds what is of \
                 {participant} alone; a call's picture and sound are in its recording",
                out.display()
            );
        }
        Action::Erase { place, participant, whole } => erase(runtime, &place, participant, whole)?,
        Action::Export { place, recording, out, take, track, .. } => {
            let archive = place.look(runtime)?;
            let recording = recording.unwrap_or_default();
            let file = track.map_or(RecordedFile::Take(take), RecordedFile::Track);
            let len = runtime.block_on(export(&archive, parse(&recording)?, file, &out))?;
            say!("{} ({len} bytes), in the clear: it does not expire by itself", out.display());
        }
        Action::HandOver { place, recording, to, keep, quiet } => {
            let (recording, credentials) = (parse(&recording)?, Credentials::from_environment());
            let destination = Destination::parse(&to, &credentials);
            let destination = destination.map_err(|error| Failure::Usage(error.to_string()))?;
            let archive = if keep { place.look(runtime)? } else { place.own(runtime).map_err(ask_the_node)? };
            give_away(runtime, &archive, recording, &destination, keep, quiet)?;
        }
        Action::Shred { place, recording } => {
            runtime.block_on(place.own(runtime)?.shred(parse(&recording)?))?;
            say!("erased");
        }
        Action::Sweep(place) => {
            let archive = place.own(runtime)?;
            archive.custody().tick();
            let bar = bar("sweeping [{bar:40}] {pos} of {len} objects");
            let swept = runtime.block_on(archive.sweep_telling(&|done, of| show(&bar, done, of)));
            bar.finish_and_clear();
            print(&json!(swept));
            if archive.custody().certain() == Wallclock(0) {
                complain!(
                    "nothing is swept by this keeper's first reading alone: it takes a synchronised clock, a day of \
                     running, or `tessera recordings believe-clock`"
                );
            }
            return Ok(if swept.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Action::BelieveClock(place) => {
            let archive = place.own_keeper(runtime, "--believe-clock")?;
            archive.custody().believe_clock().map_err(|error| Failure::Failed(error.to_string()))?;
            say!("believed; {} hour keys are left", archive.custody().stats().keys);
        }
        Action::ClockWasWrong(place) => {
            let archive = place.own_keeper(runtime, "--clock-was-wrong")?;
            let before = archive.custody().now();
            let now = archive.custody().clock_was_wrong().map_err(|error| Failure::Failed(error.to_string()))?;
            let (told, keys) = (utc_text(now), archive.custody().stats().keys);
            // Two readings of one clock differ a little.
            if now.0.saturating_add(CLOCK_ALLOWANCE.as_nanos() as u64) >= before.0 {
                let still = "the clock says so too: put it right first, if it is wrong. What was refused stays lost";
                return Err(Failure::Failed(format!("the keeper's time is {told} as before; {still}")));
            }
            say!("the keeper's time is {told} now, and {keys} hour keys are left; what was refused stays lost");
        }
        Action::VerifyExpiry { place, and } => return verify(runtime, &place, and),
    }
    Ok(ExitCode::SUCCESS)
}

fn erase(runtime: &Runtime, place: &Place, of: ParticipantId, whole: bool) -> Result<(), Failure> {
    let archive = if whole { place.own(runtime)? } else { place.look(runtime)? };
    let held = runtime.block_on(participant::erase(&archive, of, whole))?;
    for HeldOf { recording, captions, tracks, .. } in &held {
        say!("{recording}: in its picture and sound, {} captions, {} own tracks", captions.len(), tracks.len());
    }
    match (held.len(), whole) {
        (0, _) => say!("no recording that has not expired holds {of}"),
        (count, true) => say!("{count} recordings erased, of everybody who was in them"),
        (count, false) => say!(
            "nothing is erased: what is in the picture and sound of {count} recordings cannot be taken out of them. \
             --whole erases them, of everybody who was in them"
        ),
    }
    Ok(())
}

fn list(runtime: &Runtime, place: &Place, as_json: bool) -> Result<(), Failure> {
    let archive = place.look(runtime)?;
    // A store far away takes its time for each.
    let spinner = ProgressBar::new_spinner().with_message("opening what the store has");
    spinner.enable_steady_tick(SPINNER_TURN);
    let recordings = runtime.block_on(archive.list(|_| true));
    spinner.finish_and_clear();
    let (recordings, now) = (recordings?, archive.custody().now());
    if as_json {
        print(&json!({ "now": utc_text(now), "recordings": recordings }));
    } else {
        say!("{}", table(&recordings, now));
    }
    Ok(())
}

/// Between two pictures of a spinner.
const SPINNER_TURN: Duration = Duration::from_millis(120);

fn verify(runtime: &Runtime, place: &Place, and: Vec<PathBuf>) -> Result<ExitCode, Failure> {
    let reading = bar("reading [{bar:40}] {bytes} of {total_bytes}, {eta} to go");
    let trying = bar("trying [{bar:40}] {pos} of {len} recordings, {eta} to go");
    let progress = |checking, done, of| match checking {
        Checking::Files => show(&reading, done, of),
        Checking::Recordings => {
            reading.finish_and_clear();
            show(&trying, done, of);
        }
    };
    let verified = match place.keepers(runtime)? {
        None => {
            let ArchivePlace { vault, keeper } = place.archive();
            let keepers = [keeper].into_iter().chain(and).collect();
            runtime.block_on(verify_expiry(&Copies { vault, keepers, spool: place.spool() }, &progress))?
        }
        Some(keepers) => runtime.block_on(verify_expiry_with(&place.store, &keepers, &progress))?,
    };
    [reading, trying].iter().for_each(ProgressBar::finish_and_clear);
    print(&json!(verified));
    Ok(if verified.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn export(archive: &Archive, recording: RecordingName, wanted: RecordedFile, out: &Path) -> Result<u64, Failure> {
    let failed = |error: std::io::Error| Failure::Failed(format!("cannot write {}: {error}", out.display()));
    let mut reading = archive.read_file(recording, wanted).await?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(EXPORT_MODE).open(out).map_err(failed)?;
    let written = write(&mut reading, &mut file, &failed).await;
    if written.is_err() {
        // What was cut, by its hour or by a full disk, is not left behind in the clear.
        let _ = std::fs::remove_file(out);
    }
    written
}

async fn write(
    reading: &mut Reading,
    file: &mut File,
    failed: &impl Fn(std::io::Error) -> Failure,
) -> Result<u64, Failure> {
    let bar = bar("writing [{bar:40}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} to go");
    let mut at = 0;
    loop {
        let piece = reading.next(&(at..reading.len())).await?;
        if piece.is_empty() {
            break;
        }
        file.write_all(&piece).map_err(failed)?;
        at += piece.len() as u64;
        show(&bar, at, reading.len());
    }
    file.sync_all().map_err(failed)?;
    bar.finish_and_clear();
    Ok(at)
}

/// In the clear, so for the account alone that asked for it.
const EXPORT_MODE: u32 = 0o600;

/// A bar on stderr; where that is no terminal, nothing shows.
fn bar(template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("the template is well formed").progress_chars("=> ");
    ProgressBar::new(0).with_style(style)
}

fn show(bar: &ProgressBar, done: u64, of: u64) {
    bar.set_length(of);
    bar.set_position(done);
}

/// The keeper is most often taken by the node, which does the same by itself.
fn ask_the_node(failure: Failure) -> Failure {
    let way_out = "if a node has it, ask that one by POST /v1/recordings/…/hand-over, or give --keep";
    match failure {
        Failure::Usage(why) => Failure::Usage(format!("{why}; {way_out}")),
        Failure::Failed(why) => Failure::Failed(format!("{why}; {way_out}")),
    }
}

fn give_away(
    runtime: &Runtime,
    archive: &Archive,
    recording: RecordingName,
    destination: &Destination,
    keep: bool,
    quiet: bool,
) -> Result<(), Failure> {
    let bar =
        if quiet { ProgressBar::hidden() } else { bar("{msg:12} [{bar:40}] {bytes}/{total_bytes} {bytes_per_sec}") };
    let told = |progress: Progress| {
        let (message, bytes, of) = match progress {
            Progress::Sending { bytes, of } => ("sending", bytes, of),
            Progress::Verifying { bytes, of } => ("verifying", bytes, of),
            Progress::Waiting { .. } => ("trying again", 0, 0),
        };
        bar.set_message(message);
        show(&bar, bytes, of);
    };
    let files = runtime.block_on(transfer(archive, recording, destination, keep, &told));
    bar.finish_and_clear();
    let files = files.map_err(|error| Failure::Failed(error.to_string()))?;
    for TransferredFile { name, bytes, sha256 } in files {
        say!("{name} ({bytes} bytes, SHA-256 {sha256}), verified at {}", destination.place());
    }
    say!("{}; what lies there does not expire by itself", if keep { "kept here too" } else { "erased here" });
    Ok(())
}

fn parse(name: &str) -> Result<RecordingName, Failure> {
    name.parse().map_err(|error| Failure::Usage(format!("{name} is no recording's name: {error}")))
}

fn print(value: &serde_json::Value) {
    say!("{}", serde_json::to_string_pretty(value).expect("plain data"));
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        let way_out = "name it by --keeper, or the three by --keepers";
        match error {
            ArchiveError::Keeper(KeeperFileError::None { .. }) => Self::Usage(format!("{error}: {way_out}")),
            error => Self::Usage(error.to_string()),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        Self::Failed(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::store::LocalKeeper;

    fn nothing_but_a_store(home: &Path) -> (Place, PathBuf) {
        let object = home.join("store/rec/00480000/r0/av/0000/000001");
        std::fs::create_dir_all(object.parent().unwrap()).unwrap();
        std::fs::write(&object, b"sealed").unwrap();
        let store = home.join("store").to_str().unwrap().to_owned();
        (Place { store, keeper: None, keepers: Vec::new(), certificates: None, spool: None }, object)
    }

    fn acts(place: &Place, what: fn(Place) -> Action) -> Result<ExitCode, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        act(&runtime, what(place.clone()))
    }

    #[test]
    fn what_changes_something_makes_no_keeper_and_names_the_way_to_the_right_one() {
        const RECORDING: &str = "00480000-r00000000000000000000000000000000";
        let home = tempfile::tempdir().unwrap();
        let (place, object) = nothing_but_a_store(home.path());
        let actions: [fn(Place) -> Action; 4] = [Action::Sweep, Action::BelieveClock, Action::ClockWasWrong, |place| {
            Action::Shred { place, recording: RECORDING.to_owned() }
        }];
        for what in actions {
            let refused = acts(&place, what).err().unwrap().to_string();
            assert!(refused.contains("no keeper in") && refused.contains("--keeper"), "{refused}");
            assert!(object.exists() && !home.path().join("store.keeper").exists(), "nothing was made or deleted");
        }
    }

    #[test]
    fn a_clock_that_says_what_it_said_before_was_not_wrong() {
        let home = tempfile::tempdir().unwrap();
        let (place, _) = nothing_but_a_store(home.path());
        drop(LocalKeeper::open(&home.path().join("store.keeper"), Counter::default()).unwrap());
        let told = acts(&place, Action::ClockWasWrong).err().unwrap().to_string();
        assert!(told.contains("as before"), "{told}");
        assert!(acts(&place, Action::BelieveClock).is_ok());
        assert!(acts(&place, Action::Sweep).is_ok());
    }
}
