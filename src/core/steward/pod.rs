//! **The question:** what does a cluster tell of a pod that matters here?

/// A pod of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodSeen {
    /// Its name in its namespace.
    pub name: String,
    /// What tells it from another one that has its name later.
    pub uid: String,
    /// The pool of nodes that it is of.
    pub pool: Option<String>,
    /// Its number in its StatefulSet, which takes the one with the highest away first; `None`: it is of none.
    pub ordinal: Option<u32>,
    /// The cluster has asked it to end already.
    pub is_ending: bool,
    /// How it is marked.
    pub marks: Marks,
}

/// How a pod is marked for those who take pods away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// `controller.kubernetes.io/pod-deletion-cost`: of several pods the one with the lowest is deleted first.
    pub deletion_cost: Option<i32>,
    /// `cluster-autoscaler.kubernetes.io/safe-to-evict`: whether a machine may be taken away with the pod on it.
    pub safe_to_evict: Option<bool>,
}
