/** `BLCKSZ` and `RELSEG_SIZE` of every server that is not built otherwise on purpose. */
export const PAGE_BYTES = 8192;
export const SEGMENT_PAGES = 131_072;

/** Where the words of the page header are (`PageHeaderData`, `storage/bufpage.h`), in bytes. */
const CHECKSUM_OFFSET = 8;
const FLAGS_OFFSET = 10;
const LOWER_OFFSET = 12;
const UPPER_OFFSET = 14;
const SPECIAL_OFFSET = 16;
const VERSION_OFFSET = 18;

const HEADER_BYTES = 24;
/** `PD_VALID_FLAG_BITS`, and the last layout version that there is. */
const FLAGS = 0x7;
const LAYOUT_VERSION_MAX = 5;

/** Rows of 32 words, each column summed by itself so that a processor can sum several at once. */
const COLUMNS = 32;
const PAGE_WORDS = PAGE_BYTES / Int32Array.BYTES_PER_ELEMENT;
const FNV_PRIME = 16_777_619;
const START = Int32Array.from([
  0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c,
  0xf8d4474f, 0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb,
  0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2, 0x304a0979, 0x85aa43d4,
  0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
]);

/** Pages in memory, little-endian. Read by `Pages` methods at the offset of a page's first byte. */
export class Pages {
  readonly #view: DataView;
  readonly #words: Int32Array;

  /** `bytes` must begin at a multiple of four within its buffer. */
  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  }

  /** The page has never been used: it is zeros, or has no header yet. */
  isNew(at: number): boolean {
    return this.#view.getUint16(at + UPPER_OFFSET, true) === 0;
  }

  /** Whether its last change was logged before the position `high/low`. */
  isOlder(at: number, high: number, low: number): boolean {
    const pageHigh = this.#view.getUint32(at, true);
    return pageHigh < high || (pageHigh === high && this.#view.getUint32(at + 4, true) < low);
  }

  /**
   * Whether it begins with what PostgreSQL writes on a page that is in use; a new one does not. Those
   * who ask want to trust the position in it, so one that has never had any is none either.
   */
  hasHeader(at: number): boolean {
    const view = this.#view;
    const lower = view.getUint16(at + LOWER_OFFSET, true);
    const upper = view.getUint16(at + UPPER_OFFSET, true);
    const special = view.getUint16(at + SPECIAL_OFFSET, true);
    // The size of a page takes the upper byte of the word whose lower one is the layout's version.
    const version = view.getUint16(at + VERSION_OFFSET, true) - PAGE_BYTES;
    return (
      lower >= HEADER_BYTES &&
      lower <= upper &&
      upper <= special &&
      special <= PAGE_BYTES &&
      (view.getUint16(at + FLAGS_OFFSET, true) & ~FLAGS) === 0 &&
      version >= 0 &&
      version <= LAYOUT_VERSION_MAX &&
      (view.getUint32(at, true) !== 0 || view.getUint32(at + 4, true) !== 0)
    );
  }

  /** The checksum that the header holds. */
  stored(at: number): number {
    return this.#view.getUint16(at + CHECKSUM_OFFSET, true);
  }

  /**
   * The checksum that the content gives (`pg_checksum_page`); `block` is the page's number in the
   * relation, over all of its segments.
   */
  computed(at: number, block: number): number {
    const folded = foldPage(this.#words, at >> 2) ^ block;
    return ((folded >>> 0) % 65_535) + 1;
  }
}

/**
 * Four columns at a time: more would not fit the registers, fewer would wait for multiplications.
 * The checksum's own two bytes count as zeros.
 */
// Every index below is within the arrays, which the type of a typed array does not say.
function foldPage(words: Int32Array, first: number): number {
  let folded = 0;
  for (let column = 0; column < COLUMNS; column += 4) {
    let a = START[column] as number;
    let b = START[column + 1] as number;
    let c = START[column + 2] as number;
    let d = START[column + 3] as number;
    const last = first + PAGE_WORDS;
    for (let at = first + column; at < last; at += COLUMNS) {
      a ^= words[at] as number;
      b ^= words[at + 1] as number;
      // The third word of a page begins with its checksum.
      c ^= at === first ? (words[at + 2] as number) & 0xffff0000 : (words[at + 2] as number);
      d ^= words[at + 3] as number;
      a = mixed(a);
      b = mixed(b);
      c = mixed(c);
      d = mixed(d);
    }
    // Two rounds of zeros, for more mixing.
    folded ^= mixed(mixed(a)) ^ mixed(mixed(b)) ^ mixed(mixed(c)) ^ mixed(mixed(d));
  }
  return folded;
}

function mixed(sum: number): number {
  return Math.imul(sum, FNV_PRIME) ^ (sum >>> 17);
}
