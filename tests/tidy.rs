//! Taste is a test: floors, clocks, sizes and heads.
