//! **The question:** would a cluster take what `k8s/` says, would the node take what the chart configures, and does a
//! pod's command run as its manifest confines it? Nothing here needs a cluster; `.ci/kube` fetches what it takes.

mod base;
mod chart;
mod container;
mod image;
mod router;
mod steward;
mod tools;
mod watching;
