//! **The question:** who is here, in what role, who speaks?
