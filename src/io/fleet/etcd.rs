//! **The question:** how is one member of etcd asked? Every request has a bound in time, and what comes back is read as
//! what anybody might have written.

use std::time::{Duration, Instant};

use etcd_client::{
    Certificate, Client, Compare, CompareOp, ConnectOptions, Error, EventType, GetOptions, Identity, KeyValue,
    PutOptions, TlsOptions, Txn, TxnOp, TxnOpResponse, WatchOptions, WatchResponse, WatchStream,
};

use crate::base::limits;
use crate::base::media::RoomId;
use crate::core::fleet::{Answer, Fleet, Known, Label, NodeRecord, RoomRecord, Transaction};
use crate::io::fleet::counters::FleetCounters;
use crate::io::fleet::setup::{EtcdIdentity, FleetError, FleetSetup};

/// Why a member was not of use.
#[derive(Debug, thiserror::Error)]
pub(super) enum EtcdError {
    /// It said nothing in time.
    #[error("no answer within {} s", limits::FLEET_CALL_SPAN.as_secs())]
    Silent,
    /// The node's lease is over.
    #[error("the lease is over")]
    LeaseOver,
    /// Another node has this one's name.
    #[error(
        "another node, at {url}, is called {name} too, or was some seconds ago: give each a [fleet] node_id of its own"
    )]
    NameTaken {
        /// The name of both.
        name: Label,
        /// Where the other is reached.
        url: String,
    },
    /// The changes that were asked for are there no more.
    #[error("what is watched was lost: {0}")]
    WatchOver(String),
    /// It said so.
    #[error("{0}")]
    Refused(String),
}

impl From<Error> for EtcdError {
    fn from(error: Error) -> Self {
        match error {
            // Without the headers and the address that the whole error prints.
            Error::GRpcStatus(status) => Self::Refused(format!("{:?}: {}", status.code(), status.message())),
            other => Self::Refused(other.to_string()),
        }
    }
}

/// One member of etcd, and how our keys are called there.
pub(super) struct Etcd {
    client: Client,
    keys: Keys,
    counters: FleetCounters,
}

/// How keys are called.
#[derive(Clone)]
pub(super) struct Keys {
    prefix: String,
}

/// What was seen of a key.
pub(super) enum Seen {
    /// A node's record.
    Node(Label, Option<Known<NodeRecord>>, i64),
    /// A room's.
    Room(RoomId, Option<Known<RoomRecord>>, i64),
}

impl Seen {
    /// Takes it in.
    pub(super) fn apply(self, fleet: &mut Fleet) {
        match self {
            Self::Node(id, Some(known), _) => fleet.see_node(id, known),
            Self::Node(id, None, at) => fleet.miss_node(&id, at),
            Self::Room(room, Some(known), _) => fleet.see_room(room, known),
            Self::Room(room, None, at) => fleet.miss_room(&room, at),
        }
    }
}

impl Keys {
    fn node(&self, id: &Label) -> String {
        format!("{}/nodes/{id}", self.prefix)
    }

    fn room(&self, room: &RoomId) -> String {
        format!("{}/rooms/{room}", self.prefix)
    }

    /// What a key and its value say; `value` is none where the key is gone.
    fn read(&self, kv: &KeyValue, is_there: bool) -> Option<Seen> {
        let key = kv.key_str().ok()?.strip_prefix(&self.prefix)?;
        let (created, changed) = (kv.create_revision(), kv.mod_revision());
        let strange = |error: crate::core::fleet::RecordError| {
            tracing::warn!(%error, "etcd holds a record of a fleet that no node of this version wrote; it is left out");
        };
        if let Some(id) = key.strip_prefix("/nodes/") {
            let id = id.parse().ok()?;
            let value = is_there.then(|| NodeRecord::read(kv.value())).transpose().map_err(strange).ok()?;
            return Some(Seen::Node(id, value.map(|value| Known { value, created, changed }), changed));
        }
        let room = key.strip_prefix("/rooms/")?.parse().ok()?;
        let value = is_there.then(|| RoomRecord::read(kv.value())).transpose().map_err(strange).ok()?;
        Some(Seen::Room(room, value.map(|value| Known { value, created, changed }), changed))
    }
}

/// Whether what is written of each member can be used; nobody is asked.
pub(super) async fn check(setup: &FleetSetup) -> Result<(), FleetError> {
    for endpoint in &setup.endpoints {
        // With a user it would ask at once.
        let options = options(&FleetSetup { user: None, ..setup.clone() });
        let tried = Client::connect([endpoint], Some(options)).await;
        tried.map_err(|why| FleetError::Endpoint { endpoint: endpoint.clone(), why: why.to_string() })?;
    }
    Ok(())
}

/// How every member is asked.
fn options(setup: &FleetSetup) -> ConnectOptions {
    let mut options = ConnectOptions::new()
        .with_connect_timeout(limits::FLEET_CALL_SPAN / 2)
        // One that is cut off from the others tells nothing new, and would not say so.
        .with_require_leader(true)
        .with_auto_token_refresh(true);
    if let Some((user, password)) = &setup.user {
        options = options.with_user(user.clone(), password.reveal().clone());
    }
    if let Some(tls) = &setup.tls {
        let mut own = TlsOptions::new().ca_certificate(Certificate::from_pem(&tls.ca));
        if let Some(EtcdIdentity { cert, key }) = &tls.identity {
            own = own.identity(Identity::from_pem(cert, key));
        }
        options = options.with_tls(own);
    }
    options
}

impl Etcd {
    /// A connection to one member, which is made as soon as something is asked.
    pub(super) async fn connect(
        endpoint: &str,
        setup: &FleetSetup,
        counters: &FleetCounters,
    ) -> Result<Self, EtcdError> {
        let connected =
            tokio::time::timeout(limits::FLEET_CALL_SPAN, Client::connect([endpoint], Some(options(setup))));
        let client = connected.await.map_err(|_| EtcdError::Silent)??;
        let keys = Keys { prefix: setup.prefix.clone() };
        Ok(Self { client, keys, counters: counters.clone() })
    }

    async fn timed<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, EtcdError> {
        let begun = Instant::now();
        let answered = tokio::time::timeout(limits::FLEET_CALL_SPAN, call).await;
        let took: Duration = begun.elapsed();
        self.counters.requests.add(1);
        self.counters.request_us.add(took.as_micros() as u64);
        let answer = answered.map_err(|_| EtcdError::Silent).and_then(|answer| Ok(answer?));
        self.counters.requests_failed.add(u64::from(answer.is_err()));
        answer
    }

    /// A new lease.
    pub(super) async fn grant(&self) -> Result<i64, EtcdError> {
        let mut client = self.client.lease_client();
        let ttl = limits::FLEET_LEASE_SPAN.as_secs() as i64;
        Ok(self.timed(client.grant(ttl, None)).await?.id())
    }

    /// Says that this node lives.
    pub(super) async fn keep(&self, lease: i64) -> Result<(), EtcdError> {
        let mut client = self.client.lease_client();
        match self.timed(client.keep_alive(lease)).await {
            Err(EtcdError::Refused(why)) if why.contains("lease not found") => Err(EtcdError::LeaseOver),
            answered => answered.map(drop),
        }
    }

    /// Gives the lease back, and with it every key of this node.
    pub(super) async fn revoke(&self, lease: i64) -> Result<(), EtcdError> {
        let mut client = self.client.lease_client();
        self.timed(client.revoke(lease)).await.map(drop)
    }

    /// All that is there, and as of when.
    pub(super) async fn read(&self) -> Result<(Fleet, i64), EtcdError> {
        let mut client = self.client.kv_client().max_decoding_message_size(limits::FLEET_READ_LEN_MAX);
        let all = GetOptions::new().with_prefix();
        let answer = self.timed(client.get(format!("{}/", self.keys.prefix), Some(all))).await?;
        let (mut nodes, mut rooms) = (Vec::new(), Vec::new());
        for seen in answer.kvs().iter().filter_map(|kv| self.keys.read(kv, true)) {
            match seen {
                Seen::Node(id, Some(known), _) => nodes.push((id, known)),
                Seen::Room(room, Some(known), _) => rooms.push((room, known)),
                Seen::Node(..) | Seen::Room(..) => {}
            }
        }
        Ok((Fleet::new(nodes, rooms), revision(answer.header())?))
    }

    /// Says whether the member and most others agree still, which one that is cut off cannot.
    pub(super) async fn probe(&self) -> Result<(), EtcdError> {
        let mut client = self.client.kv_client();
        let count = GetOptions::new().with_prefix().with_count_only();
        self.timed(client.get(format!("{}/nodes/", self.keys.prefix), Some(count))).await.map(drop)
    }

    /// What changes from a revision on.
    pub(super) async fn watch(&self, from: i64) -> Result<WatchStream, EtcdError> {
        let mut client = self.client.watch_client().max_decoding_message_size(limits::FLEET_READ_LEN_MAX);
        let options = WatchOptions::new().with_prefix().with_start_revision(from);
        self.timed(client.watch(format!("{}/", self.keys.prefix), Some(options))).await
    }

    /// What a watch told.
    pub(super) fn changes(&self, told: &WatchResponse) -> Result<Vec<Seen>, EtcdError> {
        if told.canceled() {
            return Err(EtcdError::WatchOver(told.cancel_reason().to_owned()));
        }
        let seen = told.events().iter().filter_map(|event| {
            let is_there = event.event_type() == EventType::Put;
            event.kv().and_then(|kv| self.keys.read(kv, is_there))
        });
        Ok(seen.collect())
    }

    /// Writes all of it or nothing; then it says what stands there. After an error either may be so.
    pub(super) async fn commit(&self, asked: &Transaction) -> Result<Answer, EtcdError> {
        let mut client = self.client.kv_client();
        let (mut compares, mut writes, mut reads) = (Vec::new(), Vec::new(), Vec::new());
        for node in &asked.nodes {
            let key = self.keys.node(&node.id);
            compares.push(is_as_seen(&key, node.seen));
            reads.push(TxnOp::get(key.clone(), None));
            let options = PutOptions::new().with_lease(node.record.lease);
            writes.push(TxnOp::put(key, node.record.write(), Some(options)));
        }
        for room in &asked.rooms {
            let key = self.keys.room(&room.room);
            compares.push(is_as_seen(&key, room.seen));
            reads.push(TxnOp::get(key.clone(), None));
            writes.push(match &room.record {
                Some((record, lease)) => TxnOp::put(key, record.write(), Some(PutOptions::new().with_lease(*lease))),
                None => TxnOp::delete(key, None),
            });
        }
        let answer = self.timed(client.txn(Txn::new().when(compares).and_then(writes).or_else(reads))).await?;
        let revision = revision(answer.header())?;
        if answer.succeeded() {
            return Ok(Answer::Done(revision));
        }
        let (mut nodes, mut rooms) = (Vec::new(), Vec::new());
        let mut answers = answer.op_responses().into_iter().map(|one| match one {
            TxnOpResponse::Get(got) => got.kvs().first().and_then(|kv| self.keys.read(kv, true)),
            _ => None,
        });
        for node in &asked.nodes {
            let known = match answers.next().flatten() {
                Some(Seen::Node(_, known, _)) => known,
                _ => None,
            };
            nodes.push((node.id.clone(), known));
        }
        for room in &asked.rooms {
            let known = match answers.next().flatten() {
                Some(Seen::Room(_, known, _)) => known,
                _ => None,
            };
            rooms.push((room.room.clone(), known));
        }
        Ok(Answer::Changed { revision, nodes, rooms })
    }
}

fn is_as_seen(key: &str, seen: Option<i64>) -> Compare {
    // A key that is not there has revision 0.
    Compare::mod_revision(key, CompareOp::Equal, seen.unwrap_or(0))
}

fn revision(header: Option<&etcd_client::ResponseHeader>) -> Result<i64, EtcdError> {
    let revision = header.map(etcd_client::ResponseHeader::revision);
    revision.ok_or_else(|| EtcdError::Refused("an answer without a revision".into()))
}
