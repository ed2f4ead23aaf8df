//! **The question:** which net thread holds which peer? Shared by all of them and the control thread. Media does not
//! come by here: its addresses are known to the worker that holds the peer. Only a datagram of an address unknown to
//! its worker asks, and only where there is more than one worker; and a TCP connection that just came.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use crossbeam_channel::TrySendError;

use crate::base::limits;
use crate::base::media::PeerId;
use crate::engine::flow::Counter;
use crate::io::webrtc::entry::Entry;
use crate::io::webrtc::pass::{Pass, Siblings, Stray};

/// Who holds what, and the way there.
pub(super) struct Registry {
    owners: RwLock<Owners>,
    doors: Vec<Siblings>,
    /// Peers at each worker.
    loads: Vec<AtomicUsize>,
    strayed: Counter,
    discarded: Counter,
}

/// Workers by what names their peers.
#[derive(Default)]
struct Owners {
    by_ufrag: HashMap<String, usize>,
    by_address: HashMap<SocketAddr, usize>,
    /// Where each peer was added: its commands go there, and are handed on if it moved.
    homes: HashMap<PeerId, usize>,
}

impl Registry {
    /// A registry of workers behind `doors`; strays are counted in `strayed`, those for whom there was no room in
    /// `discarded`.
    pub(super) fn new(doors: Vec<Siblings>, strayed: Counter, discarded: Counter) -> Self {
        let loads = doors.iter().map(|_| AtomicUsize::new(0)).collect();
        Self { owners: RwLock::default(), doors, loads, strayed, discarded }
    }

    /// Whether there is one worker only, so that nothing can stray.
    pub(super) fn is_alone(&self) -> bool {
        self.doors.len() == 1
    }

    /// Chooses the worker with the fewest peers for a new one.
    pub(super) fn settle(&self, peer: PeerId) -> usize {
        let loads = self.loads.iter().enumerate().map(|(at, load)| (load.load(Ordering::Relaxed), at));
        let home = loads.min().map_or(0, |(_, at)| at);
        self.loads[home].fetch_add(1, Ordering::Relaxed);
        self.write(|owners| owners.homes.insert(peer, home));
        home
    }

    /// Where a peer was added; `None` once it is gone.
    pub(super) fn home(&self, peer: PeerId) -> Option<usize> {
        self.read(|owners| owners.homes.get(&peer).copied())
    }

    /// `worker` holds the peer of this `ice-ufrag`.
    pub(super) fn note_ufrag(&self, worker: usize, ufrag: &str) {
        self.write(|owners| owners.by_ufrag.insert(ufrag.to_owned(), worker));
    }

    /// An `ice-ufrag` is no more.
    pub(super) fn forget_ufrag(&self, ufrag: &str) {
        self.write(|owners| owners.by_ufrag.remove(ufrag));
    }

    /// `worker` holds the peer at this address; returns whose peer had it until now.
    pub(super) fn note_address(&self, worker: usize, address: SocketAddr) -> Option<usize> {
        if self.is_alone() { None } else { self.write(|owners| owners.by_address.insert(address, worker)) }
    }

    /// `worker` holds no peer at this address any more.
    pub(super) fn forget_address(&self, worker: usize, address: SocketAddr) {
        if !self.is_alone() {
            self.write(|owners| {
                if owners.by_address.get(&address) == Some(&worker) {
                    owners.by_address.remove(&address);
                }
            });
        }
    }

    /// `worker` let go of a peer for good.
    pub(super) fn forget(&self, worker: usize, peer: PeerId) {
        self.loads[worker].fetch_sub(1, Ordering::Relaxed);
        self.write(|owners| owners.homes.remove(&peer));
    }

    /// Hands a peer over with its names and addresses; it comes back if there is no room now. In one step, so that
    /// whoever learns of its new place finds it there, and it cannot end there before it is known to be there.
    pub(super) fn move_peer(&self, from: usize, to: usize, entry: Box<Entry>) -> Result<(), Box<Entry>> {
        let (ufrag, addresses) = (entry.ufrag.clone(), entry.addresses.clone());
        self.write(|owners| {
            if let Err(Pass::Adopt(entry)) = self.pass(to, Pass::Adopt(entry)) {
                return Err(entry);
            }
            owners.by_ufrag.insert(ufrag, to);
            owners.by_address.extend(addresses.iter().map(|address| (*address, to)));
            Ok(())
        })?;
        self.loads[from].fetch_sub(1, Ordering::Relaxed);
        self.loads[to].fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Who holds the peer whose `ice-ufrag` a STUN request names or, without one, the peer at this address.
    pub(super) fn owner(&self, ufrag: Option<&str>, source: SocketAddr) -> Option<usize> {
        self.read(|owners| match ufrag {
            Some(ufrag) => owners.by_ufrag.get(ufrag).copied(),
            None => owners.by_address.get(&source).copied(),
        })
    }

    /// Hands a datagram to the worker that holds its peer; false if it went round too often and belongs to nobody.
    pub(super) fn pass_stray(&self, to: usize, mut stray: Stray) -> bool {
        stray.hops += 1;
        if stray.hops > limits::STRAY_HOPS_MAX {
            return false;
        }
        self.strayed.add(u64::from(stray.hops == 1));
        let discarded = self.doors[to].strays.try_send(stray).is_err();
        self.discarded.add(u64::from(discarded));
        self.doors[to].waker.wake();
        true
    }

    /// Hands over what has to arrive; it comes back if there is no room now.
    pub(super) fn pass(&self, to: usize, pass: Pass) -> Result<(), Pass> {
        let passed = match self.doors[to].passes.try_send(pass) {
            Err(TrySendError::Full(pass)) => Err(pass),
            // A worker that ended takes nothing more.
            Err(TrySendError::Disconnected(_)) | Ok(()) => Ok(()),
        };
        self.doors[to].waker.wake();
        passed
    }

    fn read<T>(&self, look: impl FnOnce(&Owners) -> T) -> T {
        look(&self.owners.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Owners) -> T) -> T {
        change(&mut self.owners.write().unwrap_or_else(PoisonError::into_inner))
    }
}
