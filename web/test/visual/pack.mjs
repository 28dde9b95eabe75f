// Makes a picture small enough to be kept: a palette instead of four bytes for each pixel. Where there are more than 256
// colours, the nearest ones become one; they are then at most 4 of 255 off, which is within the tolerance.
import { createHash } from 'node:crypto';
import { crc32, deflateSync } from 'node:zlib';
import { PNG } from 'pngjs';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** Steps of the colours, from all there are to every eighth. */
const STEPS = [1, 2, 4, 8];
const MOST_COLOURS = 256;

const hashOf = (png) => createHash('sha256').update(png).digest('hex');

/** Whether a kept picture was made of exactly this one: then nothing has to be compared. */
export const isMadeOf = (kept, png) => kept.includes(hashOf(png));

/** The picture with a palette, and with the hash of what it was made of. */
export function packed(png) {
  const { width, height, data } = PNG.sync.read(png);
  for (const step of STEPS) {
    const indexed = withPalette(width, height, data, step);
    if (indexed === null) continue;
    const head = Buffer.alloc(13);
    head.writeUInt32BE(width, 0);
    head.writeUInt32BE(height, 4);
    head.set([8, 3, 0, 0, 0], 8);
    const made = Buffer.from(`Source\0${hashOf(png)}`);
    return Buffer.concat([SIGNATURE, chunk('IHDR', head), chunk('tEXt', made), chunk('PLTE', indexed.palette), chunk('IDAT', deflateSync(indexed.rows, { level: 9, memLevel: 9 })), chunk('IEND', Buffer.alloc(0))]);
  }
  return png;
}

/** `null` where the colours are too many. */
function withPalette(width, height, data, step) {
  const near = Array.from({ length: 256 }, (_, value) => Math.min(255, Math.round(value / step) * step));
  const colours = new Map();
  // Each row begins with the number of its filter, 0.
  const rows = Buffer.alloc((width + 1) * height);
  for (let y = 0, from = 0; y < height; y += 1) {
    for (let x = 1; x <= width; x += 1, from += 4) {
      const colour = (near[data[from]] << 16) | (near[data[from + 1]] << 8) | near[data[from + 2]];
      let number = colours.get(colour);
      if (number === undefined) {
        number = colours.size;
        if (number === MOST_COLOURS) return null;
        colours.set(colour, number);
      }
      rows[y * (width + 1) + x] = number;
    }
  }
  return { rows, palette: Buffer.from([...colours.keys()].flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255])) };
}

function chunk(type, content) {
  const named = Buffer.concat([Buffer.from(type), content]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(content.length);
  sum.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, sum]);
}
