// How does the canvas leave the device? As I420 with packed rows, four bytes an invocation. Twin: rows copied one by one.

fn canvas_byte(plane: u32, stride: u32, x: u32, y: u32) -> u32 {
    return byte_of(canvas[tick[PLANES + plane] + y * stride + (x >> 2u)], x);
}

fn packed_byte(at: u32) -> u32 {
    let width = tick[SIZE] & 0xffffu;
    let luma = width * (tick[SIZE] >> 16u);
    if at < luma {
        return canvas_byte(0u, tick[STRIDES] & 0xffffu, at % width, at / width);
    }
    let half = width / 2u;
    let beyond = at - luma;
    let plane = 1u + beyond / (luma / 4u);
    if plane > 2u {
        return 0u;
    }
    let inside = beyond % (luma / 4u);
    return canvas_byte(plane, tick[STRIDES] >> 16u, inside % half, inside / half);
}

@compute @workgroup_size(64)
fn pack(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= arrayLength(&packed) {
        return;
    }
    let at = id.x * 4u;
    packed[id.x] = packed_byte(at) | packed_byte(at + 1u) << 8u | packed_byte(at + 2u) << 16u | packed_byte(at + 3u) << 24u;
}
