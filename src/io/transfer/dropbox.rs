//! **The question:** how does a file reach Dropbox? By an upload session of its HTTP API, whose last answer tells the
//! checksum of what Dropbox then holds.
//!
//! Source: Dropbox' documentation of its HTTP API (`files/upload_session/*`, `files/delete_v2`) and of `content_hash`.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest;
use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::base::limits;
use crate::io::telemetry::log::Redacted;
use crate::io::transfer::client::{client, is_loopback, judge, text, unreachable};
use crate::io::transfer::credentials::Access;
use crate::io::transfer::deadline::Deadline;
use crate::io::transfer::error::TransferError;
use crate::io::transfer::pause::pause;
use crate::io::transfer::source::{Checksum, FileBody};

/// Bytes of the blocks that a content hash is made of.
const BLOCK_BYTES: usize = 4 * 1024 * 1024;

/// Where Dropbox answers.
#[derive(Debug, Clone)]
pub struct DropboxHosts {
    /// Metadata and tokens.
    pub api: Url,
    /// Files.
    pub content: Url,
}

impl Default for DropboxHosts {
    fn default() -> Self {
        let url = |text: &str| Url::parse(text).expect("a well-formed address");
        Self { api: url("https://api.dropboxapi.com/"), content: url("https://content.dropboxapi.com/") }
    }
}

/// Dropbox' `content_hash`: SHA-256 over the SHA-256 of each 4 MiB block.
pub struct ContentHash {
    blocks: digest::Context,
    block: digest::Context,
    block_len: usize,
}

impl Default for ContentHash {
    fn default() -> Self {
        let new = || digest::Context::new(&digest::SHA256);
        Self { blocks: new(), block: new(), block_len: 0 }
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentHash").finish_non_exhaustive()
    }
}

impl ContentHash {
    /// Adds the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.block_len));
            self.block.update(now);
            self.block_len += now.len();
            bytes = rest;
            if self.block_len == BLOCK_BYTES {
                self.close_block();
            }
        }
    }

    /// The hash of all of them.
    ///
    /// # Panics
    /// Never: SHA-256 has 32 bytes.
    #[must_use]
    pub fn finish(mut self) -> Checksum {
        if self.block_len > 0 {
            self.close_block();
        }
        Checksum(self.blocks.finish().as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    fn close_block(&mut self) {
        let block = std::mem::replace(&mut self.block, digest::Context::new(&digest::SHA256));
        self.blocks.update(block.finish().as_ref());
        self.block_len = 0;
    }
}

/// A folder at Dropbox.
pub struct Dropbox {
    client: Client,
    hosts: DropboxHosts,
    /// Begins with a slash, or is empty.
    folder: String,
    access: Access,
    token: Mutex<Option<Redacted<String>>>,
}

impl fmt::Debug for Dropbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dropbox").finish_non_exhaustive()
    }
}

/// What Dropbox answers to a call.
enum Answer {
    Done(Value),
    /// 409: the call itself was understood and cannot be done; what `error` says.
    Conflict(Value),
}

impl Dropbox {
    /// `dropbox:/folder`, at `hosts`.
    ///
    /// # Errors
    /// Why there is no such place.
    pub(super) fn open(url: &str, hosts: DropboxHosts, access: Access) -> Result<Self, String> {
        let folder = url.strip_prefix("dropbox:").unwrap_or(url).trim_end_matches('/');
        if !(folder.is_empty() || folder.starts_with('/')) || folder.contains("//") {
            return Err("give dropbox:/folder".into());
        }
        let token = match &access {
            Access::Token(token) => Some(token.clone()),
            Access::Refresh { .. } => None,
        };
        let client = client(is_loopback(&hosts.content))?;
        Ok(Self { client, hosts, folder: folder.to_owned(), access, token: Mutex::new(token) })
    }

    pub(super) async fn copy(&self, source: &mut FileBody<'_>, deadline: &Deadline<'_>) -> Result<(), TransferError> {
        let path = format!("{}/{}", self.folder, source.name());
        let held = deadline.cut(self.send(&path, source)).await?;
        if held {
            return Ok(());
        }
        let _ = timeout(limits::HAND_OVER_CLEAR_SPAN, self.delete(&path)).await;
        Err(TransferError::Differs)
    }

    /// Whether Dropbox holds what was sent.
    async fn send(&self, path: &str, source: &mut FileBody<'_>) -> Result<bool, TransferError> {
        let begun = self.piece("files/upload_session/start", &json!({ "close": false }), Bytes::new()).await?;
        let Answer::Done(begun) = begun else { return Err(unlike()) };
        let id = begun["session_id"].as_str().ok_or_else(unlike)?.to_owned();
        let (mut offset, mut hash) = (0, ContentHash::default());
        loop {
            let piece = source.piece(source.piece_len()).await?;
            if piece.is_empty() {
                break;
            }
            let next = offset + piece.len() as u64;
            hash.update(&piece);
            self.append(&id, offset, next, piece).await?;
            source.sent();
            offset = next;
        }
        // Every byte of the file went by here.
        source.checksum()?;
        let commit = json!({ "path": path, "mode": "overwrite", "autorename": false, "mute": true });
        let finish = json!({ "cursor": { "session_id": id, "offset": offset }, "commit": commit });
        let held = match self.piece("files/upload_session/finish", &finish, Bytes::new()).await? {
            Answer::Done(held) => held,
            Answer::Conflict(why) => return Err(conflict(&why)),
        };
        Ok(held["content_hash"] == hash.finish().to_string() && held["size"] == offset)
    }

    /// Adds a piece; one whose answer was lost may be there already.
    async fn append(&self, id: &str, offset: u64, next: u64, piece: Bytes) -> Result<(), TransferError> {
        let append = json!({ "cursor": { "session_id": id, "offset": offset }, "close": false });
        match self.piece("files/upload_session/append_v2", &append, piece).await? {
            Answer::Done(_) => Ok(()),
            Answer::Conflict(why) if why["correct_offset"] == next => Ok(()),
            Answer::Conflict(why) => Err(conflict(&why)),
        }
    }

    /// A call that carries bytes, tried again while that may help.
    async fn piece(&self, call: &str, argument: &Value, bytes: Bytes) -> Result<Answer, TransferError> {
        let url = self.hosts.content.join(&format!("2/{call}")).expect("a path");
        let argument = HeaderValue::from_str(&ascii(argument)).expect("ASCII without controls");
        let mut tries = 0;
        loop {
            let request = || {
                let request = self.client.post(url.clone()).header("dropbox-api-arg", argument.clone());
                request.header(CONTENT_TYPE, "application/octet-stream").body(bytes.clone())
            };
            let error = match self.call(request).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            tries += 1;
            if !error.may_pass() || tries == limits::HAND_OVER_TRIES {
                return Err(error);
            }
            tokio::time::sleep(pause(tries)).await;
        }
    }

    async fn delete(&self, path: &str) -> Result<Answer, TransferError> {
        let url = self.hosts.api.join("2/files/delete_v2").expect("a path");
        self.call(|| self.client.post(url.clone()).json(&json!({ "path": path }))).await
    }

    /// One call, with a new token when the old one has ended.
    async fn call(&self, request: impl Fn() -> RequestBuilder) -> Result<Answer, TransferError> {
        let mut renewed = false;
        loop {
            let token = match self.known_token() {
                Some(token) => token,
                None => {
                    renewed = true;
                    self.renew().await?
                }
            };
            let response = answer(request().bearer_auth(token.reveal())).await?;
            match response.status() {
                StatusCode::UNAUTHORIZED if !renewed && matches!(self.access, Access::Refresh { .. }) => {
                    *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
                }
                StatusCode::CONFLICT => {
                    let told: Value = serde_json::from_str(&text(response).await?).map_err(|_| unlike())?;
                    return Ok(Answer::Conflict(told["error"].clone()));
                }
                status => {
                    judge(status)?;
                    let told = text(response).await?;
                    return Ok(Answer::Done(serde_json::from_str(&told).unwrap_or_default()));
                }
            }
        }
    }

    fn known_token(&self) -> Option<Redacted<String>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A new access token, for some hours (OAuth 2, RFC 6749 section 6).
    async fn renew(&self) -> Result<Redacted<String>, TransferError> {
        let Access::Refresh { app, app_secret, refresh } = &self.access else { return Err(unlike()) };
        let url = self.hosts.api.join("oauth2/token").expect("a path");
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", refresh.reveal()), ("client_id", app)];
        form.extend(app_secret.iter().map(|secret| ("client_secret", secret.reveal().as_str())));
        let body = url_encoded(&form);
        let request = self.client.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        let response = answer(request).await?;
        if response.status() == StatusCode::BAD_REQUEST {
            return Err(TransferError::Refused("it does not accept the refresh token".into()));
        }
        judge(response.status())?;
        let told: Value = serde_json::from_str(&text(response).await?).map_err(|_| unlike())?;
        let token = Redacted::new(told["access_token"].as_str().ok_or_else(unlike)?.to_owned());
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(token)
    }
}

async fn answer(request: RequestBuilder) -> Result<Response, TransferError> {
    request.timeout(limits::HAND_OVER_PIECE_SPAN).send().await.map_err(|error| unreachable(&error))
}

fn unlike() -> TransferError {
    TransferError::Failed("it does not answer as Dropbox does".into())
}

/// What a 409 means: `error_summary`'s words, with which all its errors begin.
fn conflict(why: &Value) -> TransferError {
    let words = why.to_string();
    let passing = ["incorrect_offset", "too_many", "not_found", "closed", "internal"];
    if words.contains("insufficient_space") {
        TransferError::Refused("there is no room for it".into())
    } else if passing.iter().any(|word| words.contains(word)) {
        TransferError::Failed("the upload has to begin again".into())
    } else {
        let tag = why[".tag"].as_str().unwrap_or("it does not say why");
        TransferError::Refused(tag.chars().take(80).collect())
    }
}

/// JSON for a header: what is not ASCII is escaped, as Dropbox asks.
fn ascii(value: &Value) -> String {
    let mut text = String::new();
    for unit in value.to_string().encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte @ 0x20..0x7f) => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\u{unit:04x}")),
        }
    }
    text
}

fn url_encoded(form: &[(&str, &str)]) -> String {
    let mut url = Url::parse("form:").expect("a well-formed address");
    url.query_pairs_mut().extend_pairs(form);
    url.query().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(bytes: &[u8], step: usize) -> String {
        let mut hash = ContentHash::default();
        bytes.chunks(step).for_each(|bytes| hash.update(bytes));
        hash.finish().to_string()
    }

    #[test]
    fn a_content_hash_is_that_of_the_blocks_hashes() {
        let sha = |bytes: &[u8]| digest::digest(&digest::SHA256, bytes).as_ref().to_vec();
        let hex = |bytes: Vec<u8>| Checksum(bytes.try_into().unwrap()).to_string();
        assert_eq!(hash(b"", 1), hex(sha(b"")));
        assert_eq!(hash(b"abc", 1), hex(sha(&sha(b"abc"))));
        let long: Vec<u8> = (0..2 * BLOCK_BYTES + 5).map(|n| (n % 251) as u8).collect();
        let blocks: Vec<u8> = long.chunks(BLOCK_BYTES).flat_map(sha).collect();
        for step in [7919, 65_536, BLOCK_BYTES, long.len()] {
            assert_eq!(hash(&long, step), hex(sha(&blocks)), "{step}");
        }
        let whole = &long[..2 * BLOCK_BYTES];
        let blocks: Vec<u8> = whole.chunks(BLOCK_BYTES).flat_map(sha).collect();
        assert_eq!(hash(whole, 1 << 20), hex(sha(&blocks)), "no empty block at the end");
    }

    #[test]
    fn a_header_is_ascii_and_the_same_json() {
        let value = json!({ "path": "/Anrufe/Prüfung \u{1f642}\u{7f}" });
        let text = ascii(&value);
        assert!(text.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn a_conflict_is_no_or_not_now() {
        let offset = json!({ ".tag": "lookup_failed", "lookup_failed": { ".tag": "incorrect_offset" } });
        assert!(matches!(conflict(&offset), TransferError::Failed(_)));
        let full = json!({ ".tag": "path", "path": { "reason": { ".tag": "insufficient_space" } } });
        assert!(matches!(conflict(&full), TransferError::Refused(_)));
    }

    #[test]
    fn a_form_is_encoded() {
        assert_eq!(url_encoded(&[("a", "1 &"), ("b", "é")]), "a=1+%26&b=%C3%A9");
    }
}
