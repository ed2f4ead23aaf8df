//! Floor 1, words: what every floor above says. Ids, units, times, frames, and every bound in one place. Nothing here
//! decides, and nothing here touches the world.

#[cfg(test)]
pub mod allocations;
pub mod hex;
#[cfg(test)]
pub mod hostile;
pub mod limits;
pub mod media;
