//! **The question:** how does a file reach an S3-compatible bucket? In parts; it appears there only when all of them
//! are, and is read back.

use std::fmt;
use std::time::Duration;

use futures_util::TryStreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, BackoffConfig, ClientConfigKey, Error, MultipartUpload, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, RetryConfig,
};
use tokio::time::timeout;

use crate::base::limits;
use crate::io::transfer::client::innermost;
use crate::io::transfer::deadline::Deadline;
use crate::io::transfer::error::TransferError;
use crate::io::transfer::source::FileBody;

/// A bucket and a prefix in it.
pub struct S3 {
    bucket: AmazonS3,
    prefix: String,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3").finish_non_exhaustive()
    }
}

impl S3 {
    /// `s3://bucket/prefix` as `builder` is set up.
    ///
    /// # Errors
    /// Why there is no such place.
    pub(super) fn open(builder: AmazonS3Builder, url: &str) -> Result<Self, String> {
        let retries =
            RetryConfig { backoff: BackoffConfig::default(), max_retries: 2, retry_timeout: Duration::from_secs(60) };
        let client = AmazonS3ConfigKey::Client;
        let span = format!("{}s", limits::HAND_OVER_PIECE_SPAN.as_secs());
        let builder = builder.with_config(client(ClientConfigKey::Timeout), span);
        // One object is deleted by a request that every host knows.
        let bucket = builder.with_url(url).with_retry(retries).with_disable_bulk_delete(true).build();
        let bucket = bucket.map_err(|why| why.to_string())?;
        let prefix = url.strip_prefix("s3://").and_then(|rest| rest.split_once('/')).map_or("", |(_, prefix)| prefix);
        Ok(Self { bucket, prefix: prefix.trim_matches('/').to_owned() })
    }

    pub(super) async fn copy(&self, source: &mut FileBody<'_>, deadline: &Deadline<'_>) -> Result<(), TransferError> {
        let path = match self.prefix.as_str() {
            "" => Path::from(source.name()),
            prefix => Path::from(format!("{prefix}/{}", source.name())),
        };
        let sent = self.send(&path, source, deadline).await;
        if let Err(error) = sent {
            // It may have arrived all the same: a host that was cut off answers nobody, and may still be at it.
            self.clear(&path).await;
            tokio::time::sleep(limits::HAND_OVER_CLEAR_AGAIN_AFTER).await;
            self.clear(&path).await;
            return Err(error);
        }
        let verified = deadline.cut(self.verify(&path, source)).await;
        if verified.is_err() {
            self.clear(&path).await;
        }
        verified
    }

    async fn send(&self, path: &Path, source: &mut FileBody<'_>, deadline: &Deadline<'_>) -> Result<(), TransferError> {
        let name = source.name().to_owned();
        let told = |error: Error| judge(&error, &name);
        if source.len() <= source.piece_len() as u64 {
            let whole = source.piece(source.piece_len()).await?;
            let options = PutOptions { attributes: about(source), ..PutOptions::default() };
            deadline.cut(async { self.bucket.put_opts(path, whole.into(), options).await.map_err(told) }).await?;
            source.sent();
        } else {
            let options = PutMultipartOptions { attributes: about(source), ..PutMultipartOptions::default() };
            let begun = async { self.bucket.put_multipart_opts(path, options).await.map_err(told) };
            let mut upload = deadline.cut(begun).await?;
            let sent = deadline.cut(parts(upload.as_mut(), source, &told)).await;
            if let Err(error) = sent {
                // What was sent is worth nothing without the rest; a bucket would keep it for ever.
                let _ = timeout(limits::HAND_OVER_CLEAR_SPAN, upload.abort()).await;
                return Err(error);
            }
        }
        Ok(())
    }

    /// What was not verified stays nowhere. A bucket that does not let it go is told of: it lies there in the clear.
    async fn clear(&self, path: &Path) {
        let cleared = match timeout(limits::HAND_OVER_CLEAR_SPAN, self.bucket.delete(path)).await {
            Ok(Ok(()) | Err(Error::NotFound { .. })) => return,
            Ok(Err(error)) => innermost(&error),
            Err(_) => "it did not answer in time".to_owned(),
        };
        tracing::error!(
            why = cleared,
            "a hand-over that failed may have left its object in the bucket; delete it there"
        );
    }

    async fn verify(&self, path: &Path, source: &FileBody<'_>) -> Result<(), TransferError> {
        let told = |error: Error| match error {
            Error::NotFound { .. } => TransferError::Differs,
            error => judge(&error, source.name()),
        };
        let mut verifying = source.verify();
        let mut back = self.bucket.get(path).await.map_err(told)?.into_stream();
        loop {
            let more = timeout(limits::HAND_OVER_STALL, back.try_next()).await;
            match more.map_err(|_| TransferError::Failed("it gives nothing more".into()))?.map_err(told)? {
                Some(bytes) => verifying.add(&bytes)?,
                None => return verifying.finish(source),
            }
        }
    }
}

async fn parts(
    upload: &mut dyn MultipartUpload,
    source: &mut FileBody<'_>,
    told: &(dyn Fn(Error) -> TransferError + Send + Sync),
) -> Result<(), TransferError> {
    loop {
        let piece = source.piece(source.piece_len()).await?;
        if piece.is_empty() {
            break;
        }
        upload.put_part(piece.into()).await.map_err(told)?;
        source.sent();
    }
    upload.complete().await.map(|_| ()).map_err(told)
}

fn about(source: &FileBody<'_>) -> Attributes {
    Attributes::from_iter([(Attribute::ContentType, source.media_type())])
}

/// The outer reasons name the address and the whole path, and a bucket's own words may.
fn judge(error: &Error, name: &str) -> TransferError {
    match error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            TransferError::Refused("it does not accept the credentials, or they do not allow this".into())
        }
        Error::NotFound { .. } => TransferError::Refused("there is no such bucket".into()),
        other => TransferError::Failed(innermost(other).replace(name, "…").chars().take(200).collect()),
    }
}
