//! **The question:** who is seen where?
