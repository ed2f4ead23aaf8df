//! **The question:** what can be done to a node by HTTP alone, without leave?
