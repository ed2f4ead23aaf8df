//! **The question:** how does a test run three members of etcd, and lose them?

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::keepers::process::wait_until;

/// Debian package etcd-server.
const ETCD: &str = "/usr/bin/etcd";

/// Three members on this machine.
pub struct Etcd {
    folder: TempDir,
    /// Ports for clients, then those for the other members.
    ports: [[u16; 2]; 3],
    members: [Option<Child>; 3],
}

impl Etcd {
    /// Starts them, and waits until they agree.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ports = [(); 3].map(|()| [(); 2].map(|()| free_port()));
        let mut etcd = Self { folder, ports, members: [const { None }; 3] };
        etcd.start_all();
        etcd
    }

    /// Starts those that do not run, and waits until they agree.
    pub fn start_all(&mut self) {
        for n in 0..3 {
            if self.members[n].is_none() {
                self.members[n] = Some(self.member(n));
            }
        }
        wait_until("etcd agrees", || self.leader().is_some());
    }

    fn member(&self, n: usize) -> Child {
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let [client, peer] = self.ports[n].map(url);
        let all = self.ports.iter().enumerate().map(|(n, [_, peer])| format!("m{n}=http://127.0.0.1:{peer}"));
        Command::new(ETCD)
            .args(["--name", &format!("m{n}"), "--initial-cluster", &all.collect::<Vec<_>>().join(",")])
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .arg("--data-dir")
            .arg(self.folder.path().join(format!("m{n}")))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{ETCD} (Debian package etcd-server): {error}"))
    }

    /// Where clients ask each.
    pub fn endpoints(&self) -> Vec<String> {
        self.ports.iter().map(|[client, _]| format!("http://127.0.0.1:{client}")).collect()
    }

    /// The member that leads, once there is one.
    pub fn leader(&self) -> Option<usize> {
        (0..3).filter(|n| self.members[*n].is_some()).find(|n| {
            let metrics = super::get(&format!("{}/metrics", self.endpoints()[*n]));
            metrics.is_some_and(|(_, text)| text.lines().any(|line| line == "etcd_server_is_leader 1"))
        })
    }

    /// As a power cut does.
    pub fn kill(&mut self, n: usize) {
        if let Some(mut member) = self.members[n].take() {
            let _ = member.kill();
            let _ = member.wait();
        }
    }

    /// All of them.
    pub fn kill_all(&mut self) {
        (0..3).for_each(|n| self.kill(n));
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill_all();
    }
}

/// A port that nothing listens at.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("loopback has free ports").port()
}
