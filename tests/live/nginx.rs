//! **The question:** does a cache in front work as `docs/watching.md` says? Debian's nginx with the configuration that
//! stands there.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{PATIENCE, call, get, multivariant, variants, watch};

const DOCUMENT: &str = include_str!("../../docs/watching.md");

/// nginx before a node.
pub(crate) struct Nginx(Child);

impl Nginx {
    /// Runs with this configuration, which says neither who it is nor where it logs; what it writes lies in `folder`.
    pub(crate) fn run(folder: &Path, configuration: &str) -> Self {
        // Started by root, its worker would be somebody who may not write here.
        let user = if rustix::process::getuid().is_root() { "user root;" } else { "" };
        let (file, errors) = (folder.join("nginx.conf"), folder.join("error.log"));
        let head = format!("{user} daemon off; error_log {};", errors.display());
        std::fs::write(&file, format!("{head}\n{configuration}")).unwrap();
        let program = if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" };
        let child = Command::new(program)
            .args(["-e", "stderr", "-c"])
            .arg(&file)
            .arg("-p")
            .arg(folder)
            .stdout(Stdio::null())
            .spawn()
            .expect("nginx is installed");
        Self(child)
    }

    fn start(folder: &Path, node: &str) -> (Self, String) {
        let from = DOCUMENT.find("proxy_cache_path").expect("the document has a configuration");
        let text = &DOCUMENT[from..];
        let text = &text[..text.find("```").expect("which ends")];
        let port = {
            let free = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
            free.local_addr().unwrap().port()
        };
        let folder_text = folder.display().to_string();
        let server = text
            .replace("/var/cache/nginx/hls", &format!("{folder_text}/cache"))
            .replace("listen 80;", &format!("listen 127.0.0.1:{port};"))
            .replace("http://127.0.0.1:8080", node.trim_end_matches('/'));
        assert!(server.contains(node.trim_end_matches('/')) && server.contains(&port.to_string()));
        let configuration = format!(
            "pid {folder_text}/pid; worker_processes 1;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; client_body_temp_path {folder_text}/body; proxy_temp_path {folder_text}/proxy;\n\
             fastcgi_temp_path {folder_text}/fast; uwsgi_temp_path {folder_text}/uwsgi;\n\
             scgi_temp_path {folder_text}/scgi;\n{server}\n}}\n"
        );
        (Self::run(folder, &configuration), format!("http://127.0.0.1:{port}/"))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its master ends its workers.
        let pid = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_nginx_viewers_get_the_same_and_all_but_the_first_from_its_cache() {
    let (node, load) = call(&[]);
    let direct = multivariant(&node.url).await;
    let folder = tempfile::tempdir().unwrap();
    let (_nginx, cached) = Nginx::start(folder.path(), &node.url);
    let until = Instant::now() + PATIENCE;
    while driver_fails(&cached).await {
        assert!(Instant::now() < until, "nginx never listened");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(multivariant(&cached).await.lines().count(), direct.lines().count());
    let report = watch(&cached, 4, 10, "h264-320x180");
    assert!(report.errors.is_empty() && report.followed == 4, "{report:?}");
    // A segment that somebody asks for the second time.
    let list = multivariant(&cached).await;
    let small = variants(&cached, &list).into_iter().rev().find(|(_, _, size)| size == "320x180").expect("a quarter");
    let (_, _, playlist) = get(&small.0).await;
    let name = playlist.lines().find(|line| line.ends_with(".m4s") && !line.starts_with('#')).expect("a segment");
    let url = small.0.replace("index.m3u8", name);
    let (first, second) = (get(&url).await, get(&url).await);
    assert_eq!((first.0, second.0, first.2.len()), (200, 200, second.2.len()));
    assert_eq!(second.1["x-cache"], "HIT", "{:?}", second.1);
    assert!(second.1["cache-control"].to_str().unwrap().contains("max-age=124"), "{:?}", second.1);
    load.stop();
    node.stop();
}

async fn driver_fails(url: &str) -> bool {
    crate::browser::driver::client().get(url).send().await.is_err()
}
