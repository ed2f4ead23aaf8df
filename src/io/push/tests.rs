//! **The question:** what does another server see of a call, and where does a call never go? Servers of a few lines, by
//! hand, that say what they are told to and keep what they are asked.

use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::*;
use crate::base::limits;

mod streams;

const ANSWER: &str = "v=0\r\na=ice-ufrag:x\r\na=candidate:1 1 udp 1 127.0.0.1 4000 typ host\r\n";

/// A server that answers each request by `answer`, which is given the request's first line.
struct Server {
    port: u16,
    asked: std::sync::Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, asked) = (listener.local_addr().unwrap().port(), std::sync::Arc::<Mutex<Vec<String>>>::default());
        let kept = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
                while !is_whole(&bytes) {
                    match stream.read(&mut part).await {
                        Ok(0) | Err(_) => break,
                        Ok(count) => bytes.extend_from_slice(&part[..count]),
                    }
                }
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let said = answer(text.lines().next().unwrap_or_default());
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                let _ = stream.write_all(said.as_bytes()).await;
            }
        });
        Self { port, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

/// Each body here ends with this line, and a request without one with an empty one.
fn is_whole(request: &[u8]) -> bool {
    request.ends_with(b"a=end\r\n") || request.starts_with(b"DELETE") && request.ends_with(b"\r\n\r\n")
}

fn said(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

fn created(location: &str) -> String {
    said("201 Created", &format!("Content-Type: application/sdp\r\nLocation: {location}\r\n"), ANSWER)
}

async fn call(url: &str, token: Option<&str>) -> Result<PushAnswer, PushError> {
    let target = PushTarget::parse(url, token, true).unwrap();
    let pusher = Pusher::new(tokio::runtime::Handle::current(), true);
    let (told, tells) = oneshot::channel();
    pusher.call(target.into(), "v=0\r\na=end\r\n".into(), move |answer| drop(told.send(answer)));
    tells.await.unwrap()
}

#[tokio::test]
async fn an_offer_is_posted_with_its_token_and_what_came_of_it_is_deleted() {
    let server = Server::start(|line| match line.starts_with("DELETE") {
        true => said("200 OK", "", ""),
        false => created("/session/7"),
    });
    let server = server.await;
    let answer = call(&server.url("/whip/stage?key=1"), Some("t0ken")).await.unwrap();
    assert_eq!(answer.sdp, ANSWER);
    drop(answer.session.expect("it named one"));
    while server.asked().len() < 2 {
        tokio::task::yield_now().await;
    }
    let asked = server.asked();
    assert!(asked[0].starts_with("POST /whip/stage?key=1 HTTP/1.1\r\n"), "{}", asked[0]);
    assert!(asked[1].starts_with("DELETE /session/7 HTTP/1.1\r\n"), "{}", asked[1]);
    let lower: Vec<String> = asked.iter().map(|text| text.to_lowercase()).collect();
    assert!(lower.iter().all(|text| text.contains("authorization: bearer t0ken\r\n")));
    assert!(lower[0].contains("content-type: application/sdp\r\n"));
}

#[tokio::test]
async fn what_came_of_an_offer_and_is_of_no_use_is_deleted() {
    let server = Server::start(|line| match line.starts_with("DELETE") {
        true => said("200 OK", "", ""),
        false => said("201 Created", "Location: /session/9\r\nContent-Type: text/plain\r\n", "no"),
    });
    let server = server.await;
    assert!(matches!(call(&server.url("/whip/stage"), None).await, Err(PushError::BadAnswer(_))));
    while server.asked().len() < 2 {
        tokio::task::yield_now().await;
    }
    assert!(server.asked()[1].starts_with("DELETE /session/9 HTTP/1.1\r\n"), "{}", server.asked()[1]);
}

#[tokio::test]
async fn a_redirect_is_followed_without_the_token_and_not_without_end() {
    let last = Server::start(|_| created("/session/7")).await;
    let elsewhere = last.url("/whip/other");
    let first = Server::start(move |_| said("307 Temporary Redirect", &format!("Location: {elsewhere}\r\n"), "")).await;
    call(&first.url("/whip/stage"), Some("t0ken")).await.unwrap();
    let shown = |server: &Server| server.asked()[0].to_lowercase().contains("bearer t0ken");
    assert!(shown(&first) && !shown(&last), "it is the first server's");
    assert!(last.asked()[0].starts_with("POST /whip/other ") && last.asked()[0].ends_with("a=end\r\n"));

    let round = Server::start(|_| said("308 Permanent Redirect", "Location: /again\r\n", "")).await;
    assert_eq!(call(&round.url("/"), None).await.err(), Some(PushError::Redirect("without end")));
    assert_eq!(round.asked().len(), limits::PUSH_REDIRECTS_MAX + 1);
    for (status, location) in [
        ("302 Found", "Location: /again\r\n"),
        ("307 Temporary Redirect", ""),
        ("307 Temporary Redirect", "Location: file:///etc/passwd\r\n"),
        ("307 Temporary Redirect", "Location: http://a:b@127.0.0.1/\r\n"),
    ] {
        let server = Server::start(move |_| said(status, location, "")).await;
        let refused = call(&server.url("/"), None).await.err().expect("it goes nowhere");
        assert!(matches!(refused, PushError::Redirect(_) | PushError::Refused(_)), "{refused}");
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test]
async fn what_is_no_answer_is_told_in_words_that_hold_no_secret() {
    let large = "x".repeat(limits::SDP_LEN_MAX + 1);
    let sdp = "Content-Type: application/sdp\r\n";
    for (says, word) in [
        (said("401 Unauthorized", "", "s3cret"), "401"),
        (said("503 Service Unavailable", "", ""), "503"),
        (said("201 Created", "Content-Type: text/html\r\n", "<p>s3cret"), "type"),
        (said("201 Created", sdp, "v=0\r\n"), "address"),
        (said("201 Created", sdp, &large), "more than"),
        ("s3cret\r\n\r\n".into(), "reached"),
    ] {
        let server = Server::start(move |_| says.clone()).await;
        let refused = call(&server.url("/s3cret"), Some("s3cret")).await.err().expect("it is no answer");
        let text = format!("{refused} {refused:?}");
        assert!(text.contains(word) && !text.contains("s3cret") && !text.contains("127.0.0.1"), "{text}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = call(&format!("http://{closed}/s3cret"), Some("s3cret")).await.err().expect("nobody is there");
    let text = format!("{refused} {refused:?}");
    assert!(matches!(refused, PushError::Unreachable(_)) && !text.contains("s3cret"), "{text}");
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_not_gone_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = PushTarget::parse(&format!("https://localhost:{port}/whip"), None, false).unwrap();
    let pusher = Pusher::new(tokio::runtime::Handle::current(), false);
    let (told, tells) = oneshot::channel();
    pusher.call(target.into(), "v=0\r\n".into(), move |answer| drop(told.send(answer.err())));
    assert_eq!(tells.await.unwrap(), Some(PushError::Private));
    let came = tokio::time::timeout(std::time::Duration::ZERO, listener.accept()).await;
    assert!(came.is_err(), "nobody connected");
}
