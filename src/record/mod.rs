//! **The question:** how do a call's frames become the bytes of its recording?
