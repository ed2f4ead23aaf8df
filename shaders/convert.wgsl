// Which sample of the canvas means the same as this one of a picture? The twin of `engine/compose/colour.rs`: full range to limited
// range (Rec. ITU-T H.273, equations 8-24 to 8-32 turned around) in 16.16 fixed point.

const LUMA_SHARE: u32 = 56283u; // 219 / 255
const CHROMA_SHARE: u32 = 57568u; // 224 / 255

fn limit(sample: u32, chroma: bool) -> u32 {
    if chroma {
        return (sample * CHROMA_SHARE + 128u * 65536u - 128u * CHROMA_SHARE + 32768u) >> 16u;
    }
    return (sample * LUMA_SHARE + 16u * 65536u + 32768u) >> 16u;
}

// Another matrix to the canvas's, limited range, in 16.16 fixed point: a sample of `plane` beside the colour differences at its
// place, whose shares in it are `by`.
fn convert(plane: u32, sample: u32, by: vec2<i32>, blue: u32, red: u32) -> u32 {
    let share = (by.x * (i32(blue) - 128) + by.y * (i32(red) - 128) + 32768) >> 16u;
    return u32(clamp(select(128, i32(sample), plane == 0u) + share, 0, 255));
}
