//! **The question:** what do real participants see and hear of a node?
