//! **The question:** what do HTTP clients ask of the node?
