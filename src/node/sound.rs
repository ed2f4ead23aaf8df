//! **The question:** what does one room hear at one audio tick?
