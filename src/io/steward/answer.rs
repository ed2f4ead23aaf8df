//! **The question:** what does the cluster's API say of pods? Read as what anybody might have written: what is missing
//! or strange is left out, a pod at a time.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::core::fleet::Pod;
use crate::core::steward::{Marks, PodSeen};

/// Where a pod says what its deletion costs (Kubernetes, "Well-Known Labels, Annotations and Taints").
pub(super) const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
/// Where it says whether a machine may go with it (Kubernetes' cluster autoscaler, FAQ).
pub(super) const SAFE_TO_EVICT: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict";
/// Where ours say of which pool they are.
const POOL: &str = "tessera/pool";

/// A page of `PartialObjectMetadataList`.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    #[serde(default)]
    metadata: PageMeta,
    #[serde(default)]
    items: Option<Vec<Item>>,
}

#[derive(Debug, Default, Deserialize)]
struct PageMeta {
    #[serde(default, rename = "continue")]
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Item {
    metadata: Meta,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    #[serde(default)]
    name: String,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
    #[serde(default)]
    deletion_timestamp: Option<String>,
    #[serde(default)]
    owner_references: Option<Vec<Owner>>,
}

#[derive(Debug, Deserialize)]
struct Owner {
    #[serde(default)]
    kind: String,
}

impl Page {
    /// The pods of it that can be named, and where the next page begins.
    pub(super) fn pods(self, namespace: &str) -> (Vec<PodSeen>, Option<String>) {
        let items = self.items.unwrap_or_default().into_iter();
        let pods = items.filter_map(|item| pod(namespace, item.metadata)).collect();
        (pods, self.metadata.next.filter(|next| !next.is_empty()))
    }
}

fn pod(namespace: &str, meta: Meta) -> Option<PodSeen> {
    let Meta { name, uid, labels, annotations, deletion_timestamp, owner_references } = meta;
    let is_named = format!("{namespace}/{name}").parse::<Pod>().is_ok() && !uid.is_empty();
    let annotations = annotations.unwrap_or_default();
    let text = |key: &str| annotations.get(key).map(String::as_str);
    let marks = Marks {
        deletion_cost: text(DELETION_COST).and_then(|cost| cost.parse().ok()),
        safe_to_evict: text(SAFE_TO_EVICT).and_then(|is_safe| is_safe.parse().ok()),
    };
    let is_of_set = owner_references.iter().flatten().any(|owner| owner.kind == "StatefulSet");
    let number = name.rsplit_once('-').and_then(|(_, number)| number.parse().ok());
    let pool = labels.unwrap_or_default().remove(POOL);
    let (ordinal, is_ending) = (number.filter(|_| is_of_set), deletion_timestamp.is_some());
    is_named.then_some(PodSeen { name, uid, pool, ordinal, is_ending, marks })
}

/// What is asked of one pod, as a JSON merge patch (RFC 7396). Its uid is said with it: a pod that has the name by now
/// and is another one is a conflict then, and not marked.
pub(super) fn patch(uid: &str, marks: Marks) -> serde_json::Value {
    let cost = marks.deletion_cost.map(|cost| (DELETION_COST.to_owned(), cost.to_string().into()));
    let is_safe = marks.safe_to_evict.map(|is_safe| (SAFE_TO_EVICT.to_owned(), is_safe.to_string().into()));
    let annotations: serde_json::Map<String, serde_json::Value> = cost.into_iter().chain(is_safe).collect();
    serde_json::json!({ "metadata": { "uid": uid, "annotations": annotations } })
}

/// What the API says instead of what was asked, a `Status`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    pub(super) reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_read_and_what_cannot_be_one_is_left_out() {
        let text = r#"{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1",
            "metadata":{"resourceVersion":"7","continue":"abc","remainingItemCount":1},"items":[
            {"metadata":{"name":"tessera-cpu-12","uid":"u1","labels":{"tessera/pool":"cpu"},"deletionTimestamp":
             "2026-11-27T10:00:00Z","ownerReferences":[{"kind":"StatefulSet","controller":true}],"annotations":
             {"controller.kubernetes.io/pod-deletion-cost":"-3",
              "cluster-autoscaler.kubernetes.io/safe-to-evict":"true","other":"x"}}},
            {"metadata":{"name":"tessera-77f-4","uid":"u2","labels":null,"annotations":{
              "controller.kubernetes.io/pod-deletion-cost":"many",
              "cluster-autoscaler.kubernetes.io/safe-to-evict":"yes"}}},
            {"metadata":{"name":"../../secrets","uid":"u3"}},{"metadata":{"name":"a"}},{"metadata":{}}]}"#;
        let page: Page = serde_json::from_str(text).unwrap();
        let (pods, next) = page.pods("calls");
        let marks = Marks { deletion_cost: Some(-3), safe_to_evict: Some(true) };
        let (name, uid, pool) = ("tessera-cpu-12".into(), "u1".into(), Some("cpu".into()));
        let first = PodSeen { name, uid, pool, ordinal: Some(12), is_ending: true, marks };
        let second = PodSeen { name: "tessera-77f-4".into(), uid: "u2".into(), ..PodSeen::default() };
        assert_eq!((pods, next.as_deref()), (vec![first, second], Some("abc")));
        let empty: Page = serde_json::from_str(r#"{"metadata":{"continue":""},"items":null}"#).unwrap();
        assert_eq!(empty.pods("calls"), (vec![], None));
    }

    #[test]
    fn only_what_changes_is_asked_for() {
        let marks = Marks { deletion_cost: None, safe_to_evict: Some(false) };
        let told = patch("u1", marks).to_string();
        assert_eq!(told, format!(r#"{{"metadata":{{"annotations":{{"{SAFE_TO_EVICT}":"false"}},"uid":"u1"}}}}"#));
        let both = patch("u1", Marks { deletion_cost: Some(7), ..marks });
        assert_eq!(both["metadata"]["annotations"][DELETION_COST], "7");
    }
}
