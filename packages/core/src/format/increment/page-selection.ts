import type { Lsn } from '../../kernel/lsn.ts';
import { PAGE_BYTES, Pages } from '../page.ts';

const U32 = 0x1_0000_0000n;

/**
 * Finds the pages that a parent backup which began at `base` may not have: those whose last change
 * was logged at or after it, and those that say nothing of when they were changed, because they are
 * new or because what they begin with is no page header. What was logged before `base` was on disk
 * before the parent read its first file.
 */
export class PageSelection {
  readonly #high: number;
  readonly #low: number;

  constructor(base: Lsn) {
    this.#high = Number(base / U32);
    this.#low = Number(base % U32);
  }

  /**
   * Calls `take` with the offset of each such page in `bytes`, whole pages that begin at a multiple
   * of four within their buffer.
   */
  each(bytes: Uint8Array, take: (at: number) => void): void {
    const pages = new Pages(bytes);
    for (let at = 0; at < bytes.length; at += PAGE_BYTES) {
      if (!pages.isOlder(at, this.#high, this.#low) || !pages.hasHeader(at)) take(at);
    }
  }
}
