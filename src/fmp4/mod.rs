//! **The question:** which boxes, in which order, with which bytes?
