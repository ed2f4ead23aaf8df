// How does a picture get another size? The twin of `engine/compose/cpu/scale.rs`, axes from `engine/compose/scale.rs`: a weighted sum of rows and columns in whole numbers,
// rounded once, so that both twins give the same sample. An axis in `tables`: taps, count, `count` starts, `count * taps` weights.

// Header, blocks, references, operations (see `engine/compose/gpu/list.rs`), then the planes of the tick's pictures.
@group(0) @binding(0) var<storage, read> tick: array<u32>;
// What outlives a tick: axes, masks and stills.
@group(0) @binding(1) var<storage, read> tables: array<u32>;
// I420, rows padded to whole words.
@group(0) @binding(2) var<storage, read_write> canvas: array<u32>;
// The canvas as whoever takes it wants it.
@group(0) @binding(3) var<storage, read_write> packed: array<u32>;

// Weights down a column sum to 2^8, along a row to 2^14.
const WEIGHT_BITS: u32 = 22u;

fn byte_of(word: u32, at: u32) -> u32 {
    return extractBits(word, (at & 3u) * 8u, 8u);
}

fn tick_byte(at: u32) -> u32 {
    return byte_of(tick[at >> 2u], at);
}

fn table_byte(at: u32) -> u32 {
    return byte_of(tables[at >> 2u], at);
}

// Sample `x`, `y` of a plane at byte `plane` of the tick, whose rows are `stride` bytes apart.
fn scale(plane: u32, stride: u32, horizontal: u32, vertical: u32, x: u32, y: u32) -> u32 {
    let across = tables[horizontal];
    let across_weights = horizontal + 2u + tables[horizontal + 1u] + x * across;
    let left = tables[horizontal + 2u + x];
    let down = tables[vertical];
    let down_weights = vertical + 2u + tables[vertical + 1u] + y * down;
    let corner = plane + tables[vertical + 2u + y] * stride + left;
    var sum = 0;
    for (var row = 0u; row < down; row++) {
        let weight = i32(tables[down_weights + row]);
        // Axes are padded with zeros, whose samples may lie outside the plane.
        if weight == 0 { continue; }
        let line = corner + row * stride;
        var along = 0;
        for (var column = 0u; column < across; column++) {
            let share = i32(tables[across_weights + column]);
            if share == 0 { continue; }
            along += share * i32(tick_byte(line + column));
        }
        sum += weight * along;
    }
    return u32((sum + (1 << (WEIGHT_BITS - 1u))) >> WEIGHT_BITS);
}
