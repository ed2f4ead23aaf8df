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

// BT.601 to BT.709, limited range, in 16.16 fixed point: a sample of `plane` beside the colour differences at its place.
fn convert(plane: u32, sample: u32, blue: u32, red: u32) -> u32 {
    let u = i32(blue) - 128;
    let v = i32(red) - 128;
    switch plane {
        case 0u: {
            return u32(clamp(i32(sample) + ((-7573 * u - 13627 * v + 32768) >> 16u), 0, 255));
        }
        case 1u: {
            return u32(clamp(128 + ((66758 * u + 7512 * v + 32768) >> 16u), 0, 255));
        }
        default: {
            return u32(clamp(128 + ((4918 * u + 67196 * v + 32768) >> 16u), 0, 255));
        }
    }
}
