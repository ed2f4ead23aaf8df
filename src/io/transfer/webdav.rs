//! **The question:** how does a file reach a WebDAV folder (RFC 4918), such as Nextcloud's? Under an aside name, read
//! back, and only then under its own.

use std::fmt;
use std::io;
use std::pin::pin;

use bytes::Bytes;
use futures_util::stream;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Client, Method, RequestBuilder, StatusCode, Url};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::base::limits;
use crate::io::transfer::client::{client, is_loopback, judge, unreachable};
use crate::io::transfer::credentials::Login;
use crate::io::transfer::deadline::Deadline;
use crate::io::transfer::error::TransferError;
use crate::io::transfer::source::FileBody;

/// What a file is called until it was read back. Not `.part`: Nextcloud refuses that.
const ASIDE: &str = ".unverified";

/// A folder on a WebDAV host.
pub struct WebDav {
    client: Client,
    folder: Url,
    login: Login,
}

impl fmt::Debug for WebDav {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebDav").finish_non_exhaustive()
    }
}

impl WebDav {
    /// `https://host/folder`; `http` on this machine only.
    ///
    /// # Errors
    /// Why there is no such place.
    pub(super) fn open(url: &str, login: Login) -> Result<Self, String> {
        let folder = Url::parse(url).map_err(|error| error.to_string())?;
        if folder.cannot_be_a_base() || folder.query().is_some() || folder.fragment().is_some() {
            return Err("it names no folder".into());
        }
        if folder.scheme() != "https" && !is_loopback(&folder) {
            return Err("a recording would travel in the clear; use https".into());
        }
        Ok(Self { client: client(is_loopback(&folder))?, folder, login })
    }

    pub(super) async fn copy(&self, source: &mut FileBody<'_>, deadline: &Deadline<'_>) -> Result<(), TransferError> {
        let (aside, own) = (self.below(&format!("{}{ASIDE}", source.name())), self.below(source.name()));
        deadline.cut(self.make_folder()).await?;
        let copied = async {
            self.put(&aside, source).await?;
            self.verify(&aside, source).await?;
            self.rename(&aside, &own).await?;
            self.look(&own, source).await
        };
        let copied = deadline.cut(copied).await;
        if copied.is_err() {
            let _ = timeout(limits::HAND_OVER_CLEAR_SPAN, self.request(Method::DELETE, &aside).send()).await;
        }
        copied
    }

    /// Makes the folder, and those above it that are missing.
    async fn make_folder(&self) -> Result<(), TransferError> {
        let segments: Vec<&str> = self.folder.path_segments().into_iter().flatten().filter(|s| !s.is_empty()).collect();
        // From below: most of them are there.
        let mut missing = segments.len();
        while missing > 0 && self.make(&segments[..missing]).await? == StatusCode::CONFLICT {
            missing -= 1;
        }
        for depth in missing + 1..=segments.len() {
            self.make(&segments[..depth]).await?;
        }
        Ok(())
    }

    // 405: it is there already (RFC 4918 section 9.3.1). What else stands against it the file will tell.
    async fn make(&self, segments: &[&str]) -> Result<StatusCode, TransferError> {
        let mut url = self.folder.clone();
        // With the slash at its end: some hosts send elsewhere without.
        url.set_path(&format!("/{}/", segments.join("/")));
        let make = Method::from_bytes(b"MKCOL").expect("a method");
        let status = self.answer(self.request(make, &url)).await?;
        if status == StatusCode::UNAUTHORIZED || status.is_server_error() {
            judge(status)?;
        }
        Ok(status)
    }

    async fn put(&self, url: &Url, source: &mut FileBody<'_>) -> Result<(), TransferError> {
        let (pieces, taken) = mpsc::channel::<Result<Bytes, io::Error>>(2);
        let body = stream::unfold(taken, async |mut taken| taken.recv().await.map(|piece| (piece, taken)));
        let request = self
            .request(Method::PUT, url)
            .header(CONTENT_TYPE, source.media_type())
            .header(CONTENT_LENGTH, source.len())
            .body(Body::wrap_stream(body));
        let mut answer = pin!(request.send());
        // In this order: an answer to the whole comes only after the whole was given.
        tokio::select! {
            biased;
            given = give(source, pieces) => given?,
            early = &mut answer => {
                judge(early.map_err(|error| unreachable(&error))?.status())?;
                return Err(TransferError::Failed("it answered before it had the whole".into()));
            }
        }
        let answer = timeout(limits::HAND_OVER_PIECE_SPAN, answer).await.map_err(|_| silent())?;
        judge(answer.map_err(|error| unreachable(&error))?.status())
    }

    async fn verify(&self, url: &Url, source: &FileBody<'_>) -> Result<(), TransferError> {
        let asked = timeout(limits::HAND_OVER_STALL, self.request(Method::GET, url).send()).await;
        let mut back = asked.map_err(|_| silent())?.map_err(|error| unreachable(&error))?;
        if back.status() == StatusCode::NOT_FOUND {
            return Err(TransferError::Differs);
        }
        judge(back.status())?;
        let mut verifying = source.verify();
        loop {
            let more = timeout(limits::HAND_OVER_STALL, back.chunk()).await.map_err(|_| silent())?;
            match more.map_err(|error| unreachable(&error))? {
                Some(bytes) => verifying.add(&bytes)?,
                None => return verifying.finish(source),
            }
        }
    }

    async fn rename(&self, from: &Url, to: &Url) -> Result<(), TransferError> {
        let rename = |to: &str| {
            let request = self.request(Method::from_bytes(b"MOVE").expect("a method"), from);
            request.header("destination", to).header("overwrite", "T")
        };
        let mut status = self.answer(rename(to.as_str())).await?;
        // A host behind a proxy may not know its own address (RFC 4918 section 10.3 allows the path alone).
        if matches!(status.as_u16(), 400 | 502) {
            status = self.answer(rename(to.path())).await?;
        }
        judge(status)
    }

    /// Whether it lies there, as long as it should be.
    async fn look(&self, url: &Url, source: &FileBody<'_>) -> Result<(), TransferError> {
        let asked = timeout(limits::HAND_OVER_STALL, self.request(Method::HEAD, url).send()).await;
        let found = asked.map_err(|_| silent())?.map_err(|error| unreachable(&error))?;
        let len = found.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let there = found.status().is_success() && len.is_none_or(|len| len == source.len());
        if there { Ok(()) } else { Err(TransferError::Differs) }
    }

    async fn answer(&self, request: RequestBuilder) -> Result<StatusCode, TransferError> {
        let answer = timeout(limits::HAND_OVER_PIECE_SPAN, request.send()).await.map_err(|_| silent())?;
        Ok(answer.map_err(|error| unreachable(&error))?.status())
    }

    fn request(&self, method: Method, url: &Url) -> RequestBuilder {
        let request = self.client.request(method, url.clone());
        match &self.login {
            Login::None => request,
            Login::Basic { user, password } => request.basic_auth(user, Some(password.reveal())),
            Login::Bearer(token) => request.bearer_auth(token.reveal()),
        }
    }

    fn below(&self, name: &str) -> Url {
        let mut url = self.folder.clone();
        url.path_segments_mut().expect("looked at when it was opened").pop_if_empty().push(name);
        url
    }
}

/// Gives out all of it, as fast as it is taken.
async fn give(source: &mut FileBody<'_>, pieces: mpsc::Sender<Result<Bytes, io::Error>>) -> Result<(), TransferError> {
    loop {
        let piece = source.next().await?;
        if piece.is_empty() {
            return Ok(());
        }
        match timeout(limits::HAND_OVER_STALL, pieces.send(Ok(piece))).await {
            Ok(Ok(())) => {}
            // Nobody takes it any more: the answer says why.
            Ok(Err(_)) => std::future::pending().await,
            Err(_) => return Err(TransferError::Failed("it takes nothing more".into())),
        }
    }
}

fn silent() -> TransferError {
    TransferError::Failed("it does not answer".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_lies_below_its_folder_with_or_without_a_slash() {
        for folder in ["https://cloud.example/dav/My%20calls", "https://cloud.example/dav/My%20calls/"] {
            let dav = WebDav::open(folder, Login::None).unwrap();
            assert_eq!(dav.below("a-1.mp4").as_str(), "https://cloud.example/dav/My%20calls/a-1.mp4");
        }
    }

    #[test]
    fn nothing_travels_in_the_clear_but_on_this_machine() {
        assert!(WebDav::open("http://cloud.example/dav", Login::None).unwrap_err().contains("https"));
        WebDav::open("http://127.0.0.1:8080/dav", Login::None).unwrap();
        assert!(WebDav::open("https://cloud.example/dav?a=b", Login::None).is_err());
    }
}
