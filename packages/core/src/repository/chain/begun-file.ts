import { PAGE_BYTES } from '../../format/page.ts';
import type { BegunFiles } from '../../ports/extract.ts';

/** A file that is on the disk with some of its pages. */
export interface BegunFile {
  /** Where older pages end, bytes. */
  readonly limit: number;
  /** Whether a page is in place, or beyond the limit: an older one must not be written there. */
  isTaken(page: number): boolean;
}

/** The file of this number; `undefined` if nothing of it is there. */
export function begunFile(files: BegunFiles, number: number): BegunFile | undefined {
  const slot = (files.slots[number] ?? 0) - 1;
  if (slot === -1) return undefined;
  const limit = files.limits[slot] ?? 0;
  const start = files.starts[slot] ?? 0;
  const pages = pagesOf(limit);
  return {
    limit,
    isTaken: (page) => page >= pages || hasBit(files.placed, { start, page }),
  };
}

/** How many pages a file of so many bytes has; the last one may be cut. */
export function pagesOf(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES);
}

interface BitPlace {
  /** Where the file's bits begin, bytes. */
  readonly start: number;
  readonly page: number;
}

export function hasBit(bits: Uint8Array, { start, page }: BitPlace): boolean {
  return ((bits[start + (page >>> 3)] ?? 0) & (1 << (page & 7))) !== 0;
}

export function setBit(bits: Uint8Array, { start, page }: BitPlace): void {
  const at = start + (page >>> 3);
  bits[at] = (bits[at] ?? 0) | (1 << (page & 7));
}
