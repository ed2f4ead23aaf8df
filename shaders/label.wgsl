// How does something drawn once (initials, a name, a logo, a rounded corner) cover what is below? The twin of
// `engine/compose/cpu/place.rs`'s `blend`: 255 covers, 0 leaves.

fn blend(under: u32, over: u32, cover: u32) -> u32 {
    return (under * (255u - cover) + over * cover + 127u) / 255u;
}

// How much byte `at` of a mask covers when all of it is seen by `opacity` of 255.
fn mask_cover(at: u32, opacity: u32) -> u32 {
    return (table_byte(at) * opacity + 127u) / 255u;
}
