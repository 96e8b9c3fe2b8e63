import { PAGE_BYTES } from '@tsbk/core/format/page';

/** What a page of a test says of itself. */
export type PageKind = 'before' | 'at' | 'after' | 'new' | 'nothing known';

/** The start of the parent backup in these tests: a position whose halves both count. */
export const BASE = 0x2_1000_0100n;

const LSN_OF: Readonly<Record<Exclude<PageKind, 'new' | 'nothing known'>, bigint>> = {
  before: BASE - 1n,
  at: BASE,
  after: 0x3_0000_0000n,
};

/** A page as PostgreSQL writes it, filled with `fill`, without a checksum. */
export function pageOf(kind: PageKind, fill: number): Buffer {
  if (kind === 'new') return Buffer.alloc(PAGE_BYTES);
  const page = Buffer.alloc(PAGE_BYTES, fill);
  if (kind === 'nothing known') return page.fill(0xff, 0, 24);
  const lsn = LSN_OF[kind];
  page.writeUInt32LE(Number(lsn >> 32n), 0);
  page.writeUInt32LE(Number(lsn & 0xffff_ffffn), 4);
  page.writeUInt16LE(0, 8);
  page.writeUInt16LE(0, 10);
  page.writeUInt16LE(28, 12);
  page.writeUInt16LE(8000, 14);
  page.writeUInt16LE(PAGE_BYTES, 16);
  page.writeUInt16LE(PAGE_BYTES | 4, 18);
  page.writeUInt32LE(0, 20);
  return page;
}

/** The numbers of the pages in a WAL-G increment, read without any of tsbk's code. */
export function blocksIn(increment: Buffer): number[] {
  const count = increment.readUInt32LE(12);
  return Array.from({ length: count }, (_, index) => increment.readUInt32LE(16 + 4 * index));
}

/** What a restore makes of an older file and a WAL-G increment, without any of tsbk's code. */
export function patched(older: Buffer, increment: Buffer): Buffer {
  if (increment.toString('latin1', 0, 4) !== 'wi1U') throw new Error('this is no increment');
  const result = Buffer.alloc(Number(increment.readBigUInt64LE(4)));
  older.copy(result);
  const blocks = blocksIn(increment);
  const pages = 16 + 4 * blocks.length;
  if (increment.length !== pages + blocks.length * PAGE_BYTES)
    throw new Error('its length is wrong');
  for (const [index, block] of blocks.entries()) {
    const from = pages + index * PAGE_BYTES;
    increment.copy(result, block * PAGE_BYTES, from, from + PAGE_BYTES);
  }
  return result;
}
