// Where does everything land on the canvas? One workgroup draws one block of 16×16 pixels: its operations in their order, each
// invocation four samples of one plane, kept in registers in between. Twin: `engine/compose/cpu/place.rs`.

// Offsets into the header at the start of `tick`.
const BLOCKS: u32 = 0u;
const REFERENCES: u32 = 1u;
const OPERATIONS: u32 = 2u;
const SIZE: u32 = 3u; // width | height << 16
const STRIDES: u32 = 4u; // words: luma | chroma << 16
const PLANES: u32 = 5u; // three words: where each plane of the canvas starts, words

const BLOCK_WORDS: u32 = 3u;
const OPERATION_WORDS: u32 = 22u;

// Offsets into an operation.
const KIND: u32 = 0u; // kind | opacity << 8 | full range << 16 | other matrix << 17
const ORIGIN: u32 = 1u; // x | y << 16, luma pixels
const EXTENT: u32 = 2u; // width | height << 16
const COLOUR: u32 = 3u; // Y | U << 8 | V << 16
const MASKS: u32 = 4u; // bytes in `tables`: luma, chroma; NONE: no mask
const SOURCES: u32 = 6u; // bytes in `tick` or `tables`: Y, U, V
const SOURCE_STRIDES: u32 = 9u; // bytes: Y, U, V
const AXES: u32 = 12u; // words in `tables`: luma across, luma down, chroma across, chroma down
const CONVERSION: u32 = 16u; // shares of blue and red difference in Y, U, V, 16.16 fixed point

const FLAT: u32 = 0u;
const PICTURE: u32 = 1u;
const STILL: u32 = 2u;
const NONE: u32 = 0xffffffffu;

// Bits of a kind.
const FULL_RANGE: u32 = 0x10000u;
const CONVERTED: u32 = 0x20000u;

// A sample of the picture that `op` paints, scaled and of limited range.
fn picture(op: u32, plane: u32, x: u32, y: u32) -> u32 {
    let axes = op + AXES + select(0u, 2u, plane > 0u);
    let stride = tick[op + SOURCE_STRIDES + plane];
    let sample = scale(tick[op + SOURCES + plane], stride, tick[axes], tick[axes + 1u], x, y);
    if (tick[op + KIND] & FULL_RANGE) != 0u {
        return limit(sample, plane > 0u);
    }
    return sample;
}

// What operation `op` paints at `x`, `y` of its own area in `plane`.
fn paint(op: u32, plane: u32, x: u32, y: u32) -> u32 {
    let kind = tick[op + KIND];
    switch kind & 0xffu {
        case PICTURE: {
            let sample = picture(op, plane, x, y);
            if (kind & CONVERTED) == 0u {
                return sample;
            }
            let at = select(vec2(x, y), vec2(x, y) >> vec2(1u), plane == 0u);
            let shares = op + CONVERSION + 2u * plane;
            let by = vec2(bitcast<i32>(tick[shares]), bitcast<i32>(tick[shares + 1u]));
            return convert(plane, sample, by, picture(op, 1u, at.x, at.y), picture(op, 2u, at.x, at.y));
        }
        case STILL: {
            return table_byte(tick[op + SOURCES + plane] + y * tick[op + SOURCE_STRIDES + plane] + x);
        }
        default: {
            return byte_of(tick[op + COLOUR], plane);
        }
    }
}

// How much of it is seen there, of 255.
fn covering(op: u32, plane: u32, width: u32, x: u32, y: u32) -> u32 {
    let opacity = (tick[op + KIND] >> 8u) & 0xffu;
    let mask = tick[op + MASKS + min(plane, 1u)];
    if mask == NONE {
        return opacity;
    }
    return mask_cover(mask + y * width + x, opacity);
}

@compute @workgroup_size(96)
fn place(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    // Of a block's 96 words 64 are luma, 16 U, 16 V.
    let plane = select(select(1u, 2u, lane >= 80u), 0u, lane < 64u);
    let chroma = min(plane, 1u);
    let own = select(lane, (lane - 64u) & 15u, plane > 0u);
    let block = tick[BLOCKS] + group.x * BLOCK_WORDS;
    let corner = vec2(tick[block] & 0xffffu, tick[block] >> 16u) * (16u >> chroma);
    let row_words = 4u >> chroma;
    let x = corner.x + (own % row_words) * 4u;
    let y = corner.y + own / row_words;
    let stride = (tick[STRIDES] >> (chroma * 16u)) & 0xffffu;
    if (x >> 2u) >= stride || y >= (tick[SIZE] >> 16u) >> chroma {
        return;
    }
    let at = tick[PLANES + plane] + y * stride + (x >> 2u);
    var samples = vec4(canvas[at]) >> vec4(0u, 8u, 16u, 24u) & vec4(0xffu);
    let references = tick[REFERENCES] + tick[block + 1u];
    for (var n = 0u; n < tick[block + 2u]; n++) {
        let op = tick[OPERATIONS] + tick[references + n] * OPERATION_WORDS;
        let origin = vec2(tick[op + ORIGIN] & 0xffffu, tick[op + ORIGIN] >> 16u) >> vec2(chroma);
        let extent = vec2(tick[op + EXTENT] & 0xffffu, tick[op + EXTENT] >> 16u) >> vec2(chroma);
        if y < origin.y || y - origin.y >= extent.y {
            continue;
        }
        for (var i = 0u; i < 4u; i++) {
            // Left of the area the difference wraps around and is too large as well.
            let inside = x + i - origin.x;
            if inside >= extent.x {
                continue;
            }
            let cover = covering(op, plane, extent.x, inside, y - origin.y);
            if cover == 255u {
                samples[i] = paint(op, plane, inside, y - origin.y);
            } else if cover > 0u {
                samples[i] = blend(samples[i], paint(op, plane, inside, y - origin.y), cover);
            }
        }
    }
    canvas[at] = samples.x | samples.y << 8u | samples.z << 16u | samples.w << 24u;
}
