//! **The question:** how do sealed objects lie in a folder or in an S3-compatible bucket? One interface for both (crate
//! `object_store`); what reaches it is sealed already.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    ClientConfigKey, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload, RetryConfig, prefix::PrefixStore,
};

use crate::base::limits;
use crate::core::record::ROOT;
use crate::core::retention::{Hour, RecordingName};
use crate::io::store::credentials::{self, Lacking};
use crate::io::store::spool::Spool;

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is no such object.
    #[error("no such object")]
    Missing,
    /// The bucket keeps what was deleted.
    #[error("{place} keeps old versions of deleted objects: turn versioning and object lock off, or allow it by name")]
    KeepsResidues {
        /// Which bucket.
        place: String,
    },
    /// The place cannot be used at all.
    #[error("cannot use {place}: {why}")]
    Unusable {
        /// The folder or URL.
        place: String,
        /// What is wrong.
        why: String,
    },
    /// The store refused or cannot be reached.
    #[error("the store failed: {0}")]
    Failed(String),
}

impl From<object_store::Error> for VaultError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::Missing,
            other => Self::Failed(credentials::told(&other)),
        }
    }
}

/// Where sealed objects lie; clones share it.
#[derive(Debug, Clone)]
pub struct Vault {
    store: Arc<dyn ObjectStore>,
    place: String,
    /// Where it lies on a local disk.
    folder: Option<PathBuf>,
    /// Whether it has still to be asked whether it keeps what is deleted.
    unproven: Arc<AtomicBool>,
    /// Where objects wait while it is slow or down.
    spool: Option<Arc<Spool>>,
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its path from the vault's root.
    pub path: String,
    /// Its sealed length.
    pub len: u64,
}

impl Vault {
    /// A folder, made (mode 0700) if need be, or `s3://bucket/prefix` with credentials, region and endpoint from the
    /// environment (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT`, `AWS_ALLOW_HTTP`).
    ///
    /// # Errors
    /// When the folder cannot be made or the URL is none.
    pub fn open(place: &str) -> Result<Self, VaultError> {
        if place.starts_with("s3://") {
            return Self::bucket(credentials::environment(), place);
        }
        let unusable = |why: String| VaultError::Unusable { place: place.to_owned(), why };
        let folder = PathBuf::from(place);
        super::disk::make_folder(&folder).map_err(|why| unusable(why.to_string()))?;
        let local = LocalFileSystem::new_with_prefix(&folder).map_err(|why| unusable(why.to_string()))?;
        // A segment that was stored survives a power cut: temporary file, fsync, rename, fsync of the folder.
        let store = Arc::new(local.with_fsync(true).with_automatic_cleanup(true));
        Ok(Self { folder: Some(folder), ..Self::on(store, place) })
    }

    /// What the environment lacks for `place`, as far as that can be seen without asking anybody; `None`: nothing.
    #[must_use]
    pub fn lacking(place: &str) -> Option<Lacking> {
        place.starts_with("s3://").then(credentials::environment).as_ref().and_then(credentials::lacking)
    }

    /// `s3://bucket/prefix` as `builder` is set up.
    ///
    /// # Errors
    /// When the URL is none, or the set-up lacks something.
    pub fn bucket(builder: AmazonS3Builder, place: &str) -> Result<Self, VaultError> {
        // Anyone who stores tries again for ever, and has a spool meanwhile.
        let value = |key| builder.get_config_value(&key);
        let is_plain = value(AmazonS3ConfigKey::Endpoint).is_some_and(|endpoint| endpoint.starts_with("http://"));
        let is_allowed =
            value(AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp)).is_some_and(|word| word != "false");
        if is_plain && !is_allowed {
            let why = "its AWS_ENDPOINT is http://, without TLS; set AWS_ALLOW_HTTP=true if that is meant".to_owned();
            return Err(VaultError::Unusable { place: place.to_owned(), why });
        }
        if let Some(half) = credentials::lacking(&builder).filter(|lacking| lacking.is_final()) {
            return Err(VaultError::Unusable { place: place.to_owned(), why: half.to_string() });
        }
        let retries = RetryConfig { max_retries: 1, retry_timeout: limits::UPLOAD_PATIENCE, ..RetryConfig::default() };
        let bucket = builder.with_url(place).with_retry(retries).build();
        let bucket = bucket.map_err(|why| VaultError::Unusable { place: place.to_owned(), why: why.to_string() })?;
        let prefix = place.strip_prefix("s3://").and_then(|rest| rest.split_once('/')).map_or("", |(_, prefix)| prefix);
        Ok(Self::on(Arc::new(PrefixStore::new(bucket, prefix)), place))
    }

    /// Any store; `place` is what it is called.
    #[must_use]
    pub fn on(store: Arc<dyn ObjectStore>, place: &str) -> Self {
        Self { store, place: place.to_owned(), folder: None, unproven: Arc::default(), spool: None }
    }

    /// From now on what is stored here may wait in `spool`.
    pub(super) fn set_spool(&mut self, spool: Arc<Spool>) {
        self.spool = Some(spool);
    }

    pub(super) fn spool(&self) -> Option<&Arc<Spool>> {
        self.spool.as_ref()
    }

    /// Stores nothing before [`Vault::check_residues`] has passed: a store that is down at the node's start is asked
    /// later.
    pub fn demand_proof(&self) {
        self.unproven.store(true, Ordering::Relaxed);
    }

    /// The folder or URL.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Refuses a bucket that keeps versions of what is deleted (versioning; object lock needs it): writes a small
    /// object, looks whether it was given a version, and deletes it.
    ///
    /// # Errors
    /// When the bucket keeps versions, is not there, refuses, or cannot be reached ([`VaultError::Failed`]: may be
    /// tried again).
    pub async fn check_residues(&self) -> Result<(), VaultError> {
        let probe = Path::from("probe");
        let put = self.store.put(&probe, PutPayload::from_static(b"tessera")).await.map_err(|why| self.refused(why))?;
        self.store.delete(&probe).await.map_err(|why| self.refused(why))?;
        if put.version.is_some_and(|version| version != "null") {
            return Err(VaultError::KeepsResidues { place: self.place.clone() });
        }
        self.unproven.store(false, Ordering::Relaxed);
        Ok(())
    }

    // What no waiting mends.
    fn refused(&self, error: object_store::Error) -> VaultError {
        use object_store::Error;
        match error {
            Error::NotFound { .. } | Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                VaultError::Unusable { place: self.place.clone(), why: credentials::told(&error) }
            }
            other => other.into(),
        }
    }

    /// Writes an object that is written once; one that is there already stays and is as good.
    ///
    /// # Errors
    /// When the store refuses or cannot be reached.
    pub async fn put(&self, path: &str, sealed: Bytes) -> Result<(), VaultError> {
        if self.unproven.load(Ordering::Relaxed) {
            self.check_residues().await?;
        }
        let put = self.store.put_opts(&Path::from(path), sealed.into(), PutMode::Create.into()).await;
        match put {
            // A try whose answer was lost may have gone through.
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// A whole object.
    ///
    /// # Errors
    /// When there is none, or the store cannot be reached.
    pub async fn get(&self, path: &str) -> Result<Bytes, VaultError> {
        Ok(self.store.get(&Path::from(path)).await?.bytes().await?)
    }

    /// Every object under `folder`, at most `limits::LISTED_OBJECTS_MAX`, in order of their paths.
    ///
    /// # Errors
    /// When the store cannot be reached, or there are more.
    pub async fn list(&self, folder: &str) -> Result<Vec<Listed>, VaultError> {
        let mut objects = pin!(self.listing(folder));
        let mut listed = Vec::new();
        while let Some(object) = objects.try_next().await? {
            if listed.len() == limits::LISTED_OBJECTS_MAX {
                return Err(VaultError::Failed(format!("more than {} objects", limits::LISTED_OBJECTS_MAX)));
            }
            listed.push(object);
        }
        listed.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(listed)
    }

    /// Every object under `folder`, however many, as the store tells them.
    pub(super) fn listing(&self, folder: &str) -> impl Stream<Item = Result<Listed, VaultError>> + Send + use<> {
        let listed = |object: ObjectMeta| Listed { path: object.location.to_string(), len: object.size };
        self.store.list(Some(&Path::from(folder))).map_ok(listed).map_err(VaultError::from)
    }

    /// Whether anything lies under `folder`.
    pub(super) async fn has_any(&self, folder: &str) -> Result<bool, VaultError> {
        Ok(pin!(self.listing(folder)).try_next().await?.is_some())
    }

    /// The names of the folders directly under `folder`, in order.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub async fn folders(&self, folder: &str) -> Result<Vec<String>, VaultError> {
        let listed = match self.store.list_with_delimiter(Some(&Path::from(folder))).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(Vec::new()),
            listed => listed?,
        };
        let mut names: Vec<_> =
            listed.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned)).collect();
        names.sort();
        Ok(names)
    }

    /// The hours that anything is filed under, in order.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub async fn hours(&self) -> Result<Vec<Hour>, VaultError> {
        let names = self.folders(ROOT).await?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Every recording that is filed, expired or not, in order.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub async fn recording(&self) -> Result<Vec<RecordingName>, VaultError> {
        let mut all = Vec::new();
        for hour in self.hours().await? {
            let names = self.folders(&format!("{ROOT}/{hour}")).await?;
            all.extend(
                names.iter().filter_map(|name| name.parse().ok()).map(|recording| RecordingName { hour, recording }),
            );
        }
        Ok(all)
    }

    /// Deletes an object; one that is not there is as good.
    ///
    /// # Errors
    /// When the store refuses or cannot be reached.
    pub async fn delete(&self, path: &str) -> Result<(), VaultError> {
        match self.store.delete(&Path::from(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes what a listing does not show: half-written files that a killed process left in `folder` of a local disk,
    /// and the empty folders around them. To be called when everything listed there has been deleted.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn clear(&self, folder: &str) -> Result<(), VaultError> {
        let Some(root) = &self.folder else { return Ok(()) };
        match tokio::fs::remove_dir_all(root.join(folder)).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(VaultError::Failed(error.to_string())),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn a_bucket_without_tls_is_refused_unless_that_is_meant() {
        let at = |endpoint: &str| AmazonS3Builder::new().with_region("eu").with_endpoint(endpoint);
        let told = Vault::bucket(at("http://store"), "s3://calls/x").unwrap_err().to_string();
        assert!(told.contains("AWS_ALLOW_HTTP=true"), "{told}");
        assert!(Vault::bucket(at("http://store").with_allow_http(true), "s3://calls/x").is_ok());
        assert!(Vault::bucket(at("https://store"), "s3://calls/x").is_ok());
    }

    #[test]
    fn a_folder_keeps_whole_objects_and_forgets_deleted_ones() {
        let home = tempfile::tempdir().unwrap();
        let place = home.path().join("recordings");
        runtime().block_on(async {
            let vault = Vault::open(place.to_str().unwrap()).unwrap();
            vault.check_residues().await.unwrap();
            assert_eq!(vault.folders("rec").await.unwrap(), [""; 0]);
            for path in ["rec/2/b/fin", "rec/1/a/av/0000/init", "rec/1/a/hdr"] {
                vault.put(path, Bytes::from_static(b"sealed")).await.unwrap();
            }
            vault.put("rec/1/a/hdr", Bytes::from_static(b"another")).await.unwrap();
            assert_eq!(&vault.get("rec/1/a/hdr").await.unwrap()[..], b"sealed", "an object is written once");
            assert_eq!(vault.folders("rec").await.unwrap(), ["1", "2"]);
            let listed = vault.list("rec/1").await.unwrap();
            let paths: Vec<_> = listed.iter().map(|object| (object.path.as_str(), object.len)).collect();
            assert_eq!(paths, [("rec/1/a/av/0000/init", 6), ("rec/1/a/hdr", 6)]);
            for object in listed {
                vault.delete(&object.path).await.unwrap();
            }
            vault.delete("rec/1/a/hdr").await.unwrap();
            assert!(matches!(vault.get("rec/1/a/hdr").await, Err(VaultError::Missing)));
            assert_eq!(vault.folders("rec").await.unwrap(), ["2"]);
        });
        assert!(!place.join("rec/1").exists(), "empty folders go too");
        assert!(matches!(Vault::open("/proc/nowhere"), Err(VaultError::Unusable { .. })));
    }
}
