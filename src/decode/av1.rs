//! **The question:** how does an AV1 temporal unit become a picture?
