//! **The question:** do tenants, partners and keys go together, and what follows from them? What the whole of the
//! configuration says of whose rooms run here.

use std::collections::BTreeSet;

use crate::app::config::Config;
use crate::app::config::access::KeyFile;
use crate::app::config::branding::Branding;
use crate::app::config::tenants::{Dress, PartnerConfig, TenantConfig};
use crate::app::config::webhooks::Hook;
use crate::base::limits;
use crate::core::access::{Scope, TENANT_MARK, TenantId, Tenants};
use crate::core::fleet::Label;
use crate::io::tokens::{AccessKey, Keyring};

/// What is wrong: the text that its section begins with, which of those it is, and why.
type Wrong = (&'static str, usize, String);

impl Config {
    /// Whose rooms run here beside the operator's.
    #[must_use]
    pub fn tenants(&self) -> Tenants {
        let tenants = self.tenant.iter().map(TenantConfig::tenant);
        Tenants::new(tenants.collect(), self.partner.iter().map(PartnerConfig::partner).collect())
    }

    /// What tokens are read by: the operator's keys, and those of tenants and partners as far as these reach.
    #[must_use]
    pub fn keyring(&self) -> Keyring {
        self.keyring_beside(None)
    }

    /// The same, and where there are keys one more: what people are let in by whose room moved. What it signs names its
    /// room.
    #[must_use]
    pub fn keyring_beside(&self, passes: Option<AccessKey>) -> Keyring {
        let mut keys: Vec<_> = self.scoped_keys().map(|(file, scope)| (file.key().clone(), scope)).collect();
        if let Some(passes) = passes.filter(|_| !keys.is_empty()) {
            keys.push((passes, Scope::Node));
        }
        Keyring::scoped(keys, self.access.longest())
    }

    /// Every key that signs tokens, the operator's first, and how far each reaches.
    pub fn scoped_keys(&self) -> impl Iterator<Item = (&KeyFile, Scope)> {
        let own = self.access.keys.iter().map(|key| (key, Scope::Node));
        let of_tenant = |tenant: &'_ TenantConfig| Scope::of(tenant.id.clone());
        let of_tenants =
            self.tenant.iter().flat_map(move |tenant| tenant.keys.iter().map(move |k| (k, of_tenant(tenant))));
        let of_partner = |partner: &'_ PartnerConfig| Scope::Tenants(partner.tenants.clone().into());
        let of_partners = self.partner.iter().flat_map(move |p| p.keys.iter().map(move |key| (key, of_partner(p))));
        own.chain(of_tenants).chain(of_partners)
    }

    /// How rooms of each tenant begin to look that has a look of its own. Takes tens of milliseconds for large
    /// pictures.
    #[must_use]
    pub fn dresses(&self) -> Vec<(TenantId, Dress)> {
        let own = self.tenant.iter().filter(|tenant| {
            tenant.layout.is_some() || tenant.logo.is_some() || tenant.background.is_some() || tenant.clock.is_some()
        });
        own.map(|tenant| {
            let (video, size) = (&self.video, self.video.size());
            let branding = Branding {
                logo: tenant.logo.as_ref().unwrap_or(&video.logo).picture(size),
                background: tenant.background.as_ref().unwrap_or(&video.background).background(size),
                clock: tenant.clock.unwrap_or(video.clock),
            };
            (tenant.id.clone(), Dress { layout: tenant.layout.clone().unwrap_or(video.layout.clone()), branding })
        })
        .collect()
    }

    /// Where what is recorded lies, if that was said.
    #[must_use]
    pub fn store_region(&self) -> Option<Label> {
        self.recording.region.parse().ok()
    }

    /// Whether tenants, partners and keys go together.
    pub(super) fn check_tenants(&self) -> Result<(), Wrong> {
        const TENANT: &str = "[[tenant]]";
        const PARTNER: &str = "[[partner]]";
        if !self.recording.region.is_empty() && self.store_region().is_none() {
            let why = "region names where the store is, such as eu-central: letters, digits, '-', '_' and '.'";
            return Err(("[recording]", 0, why.into()));
        }
        if self.tenant.len() > limits::TENANTS_MAX {
            return Err((TENANT, limits::TENANTS_MAX, format!("at most {} tenants", limits::TENANTS_MAX)));
        }
        if self.partner.len() > limits::PARTNERS_MAX {
            return Err((PARTNER, limits::PARTNERS_MAX, format!("at most {} partners", limits::PARTNERS_MAX)));
        }
        let mut ids = BTreeSet::new();
        for (n, tenant) in self.tenant.iter().enumerate() {
            if !ids.insert(&tenant.id) {
                return Err((TENANT, n, format!("id: two tenants are called {}", tenant.id)));
            }
            if tenant.retention_hours.is_some_and(|hours| hours.get() > self.recording.retention_hours.get()) {
                let most = self.recording.retention_hours.get();
                let why =
                    format!("retention_hours: a tenant's is at most the node's, [recording] retention_hours ({most})");
                return Err((TENANT, n, why));
            }
        }
        let mut called = BTreeSet::new();
        for (n, partner) in self.partner.iter().enumerate() {
            if !called.insert(&partner.id) {
                return Err((PARTNER, n, format!("id: two partners are called {}", partner.id)));
            }
            if let Some(unknown) = partner.tenants.iter().find(|tenant| !ids.contains(tenant)) {
                return Err((PARTNER, n, format!("tenants: there is no [[tenant]] with the id {unknown}")));
            }
        }
        let unknown = self.webhooks.hooks.iter().filter_map(Hook::tenant).find(|tenant| !ids.contains(tenant));
        if let Some(unknown) = unknown {
            return Err(("[webhooks]", 0, format!("hooks: there is no [[tenant]] with the id {unknown}")));
        }
        self.check_keys()
    }

    fn check_keys(&self) -> Result<(), Wrong> {
        if self.tenant.is_empty() {
            return Ok(());
        }
        let (mut ids, mut count) = (BTreeSet::new(), 0);
        for (key, _) in self.scoped_keys() {
            count += 1;
            if !ids.insert(key.id().as_str()) {
                let why = format!("keys: two of them are called {}; a token could not say whose it is", key.id());
                return Err(("[[tenant]]", 0, why));
            }
        }
        match count {
            0 => {
                let why = format!(
                    "keys: nobody could come in: rooms of tenants ({{id}}{TENANT_MARK}…) take tokens, and no key signs \
                     any; give the tenant, its partner or [access] one"
                );
                Err(("[[tenant]]", 0, why))
            }
            _ if count > limits::TENANT_KEYS_MAX + limits::ACCESS_KEYS_MAX => {
                Err(("[[tenant]]", 0, format!("keys: at most {} of all tenants together", limits::TENANT_KEYS_MAX)))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        fs::write(&file, "fedcba9876543210fedcba9876543210\n").unwrap();
        let key = |id: &str| format!("{{ id = \"{id}\", algorithm = \"HS256\", file = \"{}\" }}", file.display());
        let text = text.replace("KEY1", &key("k1")).replace("KEY2", &key("k2"));
        Config::parse(Path::new("tessera.toml"), &text).map_err(|error| error.to_string())
    }

    #[test]
    fn tenants_have_keys_quotas_and_a_look_of_their_own() {
        let text = "[recording]\nretention_hours = 48\nregion = \"eu\"\n[[tenant]]\nid = \"acme\"\nkeys = [KEY1]\n\
                    rooms_max = 3\nrecordings_max = 0\nlayout = \"speaker\"\nbackground = \"#102030\"\n\
                    retention_hours = 24\nregion = \"eu\"\n[[tenant]]\nid = \"globex\"\n[[partner]]\n\
                    id = \"reseller\"\n\
                    tenants = [\"acme\", \"globex\"]\nkeys = [KEY2]\nparticipants_max = 100\n";
        let config = parse(text).unwrap();
        assert!(config.policy().is_locked && config.store_region().is_some());
        let tenants = config.tenants();
        let acme = tenants.of(&"acme~daily".parse().unwrap()).unwrap();
        assert_eq!((acme.quota.rooms, acme.quota.recordings, acme.quota.viewers), (Some(3), Some(0), None));
        assert_eq!(acme.retention.unwrap().span(), Duration::from_secs(24 * 3600));
        assert_eq!(tenants.quotas(&"globex~x".parse().unwrap()).count(), 2);
        let scopes: Vec<(String, bool)> = config
            .scoped_keys()
            .map(|(key, scope)| (key.id().to_string(), scope.covers(&"globex~x".parse().unwrap())))
            .collect();
        assert_eq!(scopes, [("k1".to_owned(), false), ("k2".to_owned(), true)]);
        let dresses = config.dresses();
        assert_eq!(dresses.len(), 1, "globex looks like the node");
        assert_eq!(dresses[0].1.layout, "speaker".to_owned().try_into().unwrap());
        assert!(dresses[0].1.branding.background.is_some());
        assert!(Config::default().tenants().is_empty() && !Config::default().policy().is_locked);
    }

    #[test]
    fn what_does_not_go_together_is_told_with_its_line() {
        let tenant = "[[tenant]]\nid = \"acme\"\nkeys = [KEY1]\n";
        for (text, line, told) in [
            (format!("{tenant}[[tenant]]\nid = \"acme\"\n"), 4, "two tenants are called acme"),
            (format!("{tenant}[[tenant]]\nid = \"a\"\nkeys = [KEY1]\n"), 1, "two of them are called k1"),
            (format!("{tenant}[access]\nkeys = [KEY1]\n"), 1, "two of them are called k1"),
            (format!("{tenant}[[partner]]\nid = \"p\"\ntenants = [\"b\"]\n"), 4, "no [[tenant]] with the id b"),
            (
                format!("{tenant}[[partner]]\nid = \"p\"\ntenants = []\n[[partner]]\nid = \"p\"\ntenants = []\n"),
                7,
                "two partners",
            ),
            (format!("[recording]\nretention_hours = 24\n{tenant}retention_hours = 25\n"), 3, "at most the node's"),
            ("[[tenant]]\nid = \"acme\"\n".to_owned(), 1, "nobody could come in"),
            ("[[tenant]]\nid = \"a~b\"\n".to_owned(), 2, "lower-case letters"),
            (format!("{tenant}quota = 3\n"), 4, "unknown field"),
            ("[recording]\nregion = \"e u\"\n".to_owned(), 1, "region names"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.starts_with(&format!("tessera.toml:{line}:")) && error.contains(told), "{text}: {error}");
        }
    }
}
