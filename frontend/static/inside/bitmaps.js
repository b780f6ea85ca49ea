// Grey pixels as a picture that an <img> shows, at once and exactly: an uncompressed bitmap of 8 bits. Canvases are not asked,
// since some browsers blur what a page reads back.

const HEAD = 14 + 40;
const PALETTE = 256 * 4;

/** A data URL of grey pixels, 0 to 255, row by row. */
export function picture(grey, width, height) {
  const row = (width + 3) & ~3; // rows begin at multiples of four bytes
  const bytes = new Uint8Array(HEAD + PALETTE + row * height);
  const view = new DataView(bytes.buffer);
  bytes.set([0x42, 0x4d]);
  view.setUint32(2, bytes.length, true);
  view.setUint32(10, HEAD + PALETTE, true);
  view.setUint32(14, 40, true);
  view.setInt32(18, width, true);
  view.setInt32(22, height, true);
  view.setUint16(26, 1, true);
  view.setUint16(28, 8, true);
  view.setUint32(34, row * height, true);
  for (let v = 0; v < 256; v++) bytes.set([v, v, v], HEAD + 4 * v);
  for (let y = 0; y < height; y++) bytes.set(grey.subarray(y * width, (y + 1) * width), HEAD + PALETTE + (height - 1 - y) * row);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return `data:image/bmp;base64,${btoa(text)}`;
}
