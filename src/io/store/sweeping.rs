//! **The question:** how is everything deleted that lies under a folder, however much it is?

use std::pin::pin;

use futures_util::TryStreamExt;
use futures_util::future::join_all;

use crate::base::limits;
use crate::io::store::vault::{Vault, VaultError};

/// What deleting came to.
#[derive(Debug, Default)]
pub(super) struct Deleting {
    /// Objects that may be gone now.
    pub(super) objects: u64,
    /// Objects that could not be deleted, and listings that failed.
    pub(super) failed: u64,
    /// Objects that were seen so far.
    known: u64,
    /// What failed first.
    pub(super) error: Option<VaultError>,
}

impl Deleting {
    /// Deletes every object under `folder`; whatever cannot be is passed over. `progress` hears how many are done, and
    /// of how many that are known so far.
    pub(super) async fn all_under(&mut self, vault: &Vault, folder: &str, progress: &(dyn Fn(u64, u64) + Sync)) {
        let mut listing = pin!(vault.listing(folder));
        let mut is_over = false;
        while !is_over {
            let mut paths = Vec::new();
            while !is_over && paths.len() < limits::SWEEP_LISTED_AT_ONCE {
                match listing.try_next().await {
                    Ok(Some(listed)) => paths.push(listed.path),
                    Ok(None) => is_over = true,
                    Err(error) => {
                        self.fail(error);
                        is_over = true;
                    }
                }
            }
            self.known += paths.len() as u64;
            for few in paths.chunks(limits::SWEEP_AT_ONCE) {
                for deleted in join_all(few.iter().map(|path| vault.delete(path))).await {
                    match deleted {
                        Ok(()) => self.objects += 1,
                        Err(error) => self.fail(error),
                    }
                    progress(self.objects + self.failed, self.known);
                }
            }
        }
    }

    /// Something could not be deleted or listed.
    pub(super) fn fail(&mut self, error: VaultError) {
        self.failed += 1;
        self.error.get_or_insert(error);
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::stream::BoxStream;
    use futures_util::{StreamExt, stream};
    use object_store::path::Path;
    use object_store::{
        CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
        PutOptions, PutPayload, PutResult, Result,
    };

    use super::*;

    /// A store with more objects than are ever listed at once, of which some may be deleted.
    #[derive(Debug, Default)]
    struct Vast {
        deleted: Arc<AtomicUsize>,
    }

    const OBJECTS: usize = limits::LISTED_OBJECTS_MAX + 1;

    impl fmt::Display for Vast {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("vast")
        }
    }

    #[async_trait::async_trait]
    impl ObjectStore for Vast {
        async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
            unreachable!("nothing is put")
        }

        async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
            unreachable!("nothing is put")
        }

        async fn get_opts(&self, _: &Path, _: GetOptions) -> Result<GetResult> {
            unreachable!("nothing is got")
        }

        fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
            let deleted = self.deleted.clone();
            paths
                .map(move |path| match deleted.fetch_add(1, Ordering::Relaxed) {
                    // One that is not let go hinders none of the others.
                    0 => Err(object_store::Error::NotImplemented {
                        operation: "delete".into(),
                        implementer: "vast".into(),
                    }),
                    _ => path,
                })
                .boxed()
        }

        fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
            let prefix = prefix.cloned().unwrap_or_default();
            let named = move |n: usize| ObjectMeta {
                location: prefix.clone().join(n.to_string()),
                last_modified: Default::default(),
                size: 1,
                e_tag: None,
                version: None,
            };
            stream::iter((0..OBJECTS).map(move |n| Ok(named(n)))).boxed()
        }

        async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
            unreachable!("folders are not asked for")
        }

        async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
            unreachable!("nothing is copied")
        }
    }

    #[tokio::test]
    async fn more_objects_than_are_ever_listed_are_deleted_and_what_stays_is_told_with_its_reason() {
        let store = Vast::default();
        let deleted = store.deleted.clone();
        let (vault, mut deleting) = (Vault::on(Arc::new(store), "vast"), Deleting::default());
        assert!(vault.list("rec/00500000").await.is_err(), "they are too many to be listed");
        assert!(vault.has_any("rec/00500000").await.unwrap());
        deleting.all_under(&vault, "rec/00500000", &|done, known| assert!(done <= known)).await;
        assert_eq!(deleted.load(Ordering::Relaxed), OBJECTS);
        assert_eq!((deleting.objects, deleting.failed), (OBJECTS as u64 - 1, 1));
        assert!(deleting.error.is_some());
    }
}
