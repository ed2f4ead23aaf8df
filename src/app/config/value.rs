//! **The question:** is this number a value of its key? Whole numbers within their range, told in the operator's words.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};

/// A whole number from `MIN` to `MAX`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "i64")]
pub struct Within<const MIN: u32, const MAX: u32>(pub(super) u32);

impl<const MIN: u32, const MAX: u32> Within<MIN, MAX> {
    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl<const MIN: u32, const MAX: u32> TryFrom<i64> for Within<MIN, MAX> {
    type Error = ValueError;

    fn try_from(value: i64) -> Result<Self, ValueError> {
        let parsed = u32::try_from(value).ok().filter(|v| (MIN..=MAX).contains(v));
        parsed.map(Self).ok_or(ValueError::Range { value, min: MIN, max: MAX })
    }
}

impl<const MIN: u32, const MAX: u32> From<Within<MIN, MAX>> for i64 {
    fn from(value: Within<MIN, MAX>) -> Self {
        value.0.into()
    }
}

impl<const MIN: u32, const MAX: u32> FromStr for Within<MIN, MAX> {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        text.parse::<i64>().map_err(|_| ValueError::Number)?.try_into()
    }
}

/// One side of the canvas in pixels: even (4:2:0 halves it), 160 to 3840.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "i64")]
pub struct Side(pub(super) u32);

impl Side {
    const MIN: u32 = 160;
    const MAX: u32 = 3840;

    /// The pixels.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<i64> for Side {
    type Error = ValueError;

    fn try_from(value: i64) -> Result<Self, ValueError> {
        let parsed = u32::try_from(value).ok().filter(|v| (Self::MIN..=Self::MAX).contains(v));
        let side = parsed.ok_or(ValueError::Range { value, min: Self::MIN, max: Self::MAX })?;
        if side % 2 == 0 { Ok(Self(side)) } else { Err(ValueError::Odd(side)) }
    }
}

impl From<Side> for i64 {
    fn from(value: Side) -> Self {
        value.0.into()
    }
}

impl FromStr for Side {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        text.parse::<i64>().map_err(|_| ValueError::Number)?.try_into()
    }
}

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Within<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_i64(WholeNumber(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Side {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_i64(WholeNumber(PhantomData))
    }
}

/// Reads a whole number and parses it further; what is no number is told in the operator's words.
struct WholeNumber<T>(PhantomData<T>);

impl<T: TryFrom<i64, Error = ValueError>> Visitor<'_> for WholeNumber<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<T, E> {
        T::try_from(value).map_err(E::custom)
    }
}

/// Why a number is no value of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Outside its range.
    #[error("{value} is out of range; choose a number from {min} to {max}")]
    Range {
        /// What stood there.
        value: i64,
        /// The least allowed.
        min: u32,
        /// The most allowed.
        max: u32,
    },
    /// A side that 4:2:0 cannot halve.
    #[error("{0} is odd; choose an even number")]
    Odd(u32),
    /// No whole number at all.
    #[error("not a whole number")]
    Number,
}
