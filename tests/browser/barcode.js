// Reads the strip that simulated people's pictures carry (src/app/load/barcode.rs) from an area of a 2D canvas, and draws one.
const COLUMNS = 13;
const CELLS = 26;
const fixed = { 0: false, 12: true, 13: true, 25: false };

function level(paint, { x, y, width, height }, cell) {
  const [column, row] = [cell % COLUMNS, Math.floor(cell / COLUMNS)];
  const across = (width - width / 10) / COLUMNS;
  const down = height / 6 / 2;
  const left = Math.round(x + width / 20 + (column + 0.25) * across);
  const top = Math.round(y + height / 12 + (row + 0.25) * down);
  const { data } = paint.getImageData(left, top, Math.max(1, Math.round(across / 2)), Math.max(1, Math.round(down / 2)));
  let sum = 0;
  for (let at = 0; at < data.length; at += 4) sum += data[at] + data[at + 1] + data[at + 2];
  return sum / (data.length / 4) / 3;
}

function checksum(payload) {
  let register = 0x3f;
  for (let at = 15; at >= 0; at -= 1) {
    const feedback = ((register >> 5) & 1) ^ ((payload >> at) & 1);
    register = (register << 1) & 0x3f;
    if (feedback) register ^= 0b11;
  }
  return register;
}

/** What it says, all 16 bits, or null. */
function readStrip(paint, area) {
  const levels = Array.from({ length: CELLS }, (_, cell) => level(paint, area, cell));
  const [black, white] = [(levels[0] + levels[25]) / 2, (levels[12] + levels[13]) / 2];
  const threshold = (black + white) / 2;
  if (white - black < 60) return null;
  let bits = 0;
  for (const [cell, value] of levels.entries()) {
    const isWhite = value > threshold;
    if (cell in fixed) {
      if (fixed[cell] !== isWhite) return null;
    } else bits = (bits << 1) | isWhite;
  }
  const payload = bits >> 6;
  return checksum(payload) === (bits & 0x3f) ? payload : null;
}

/** The number of whose it is, or null. */
function readBarcode(paint, area) {
  const payload = readStrip(paint, area);
  return payload === null ? null : payload >> 9;
}

function drawStrip(paint, { x, y, width, height }, payload) {
  const bits = (payload << 6) | checksum(payload);
  const [across, down] = [(width - width / 10) / COLUMNS, height / 6 / 2];
  let left = CELLS - 4;
  for (let cell = 0; cell < CELLS; cell += 1) {
    const isWhite = fixed[cell] ?? (bits >> (left -= 1)) & 1;
    paint.fillStyle = isWhite ? "#fff" : "#000";
    const [column, row] = [cell % COLUMNS, Math.floor(cell / COLUMNS)];
    paint.fillRect(x + width / 20 + column * across, y + height / 12 + row * down, across, down);
  }
}
