import type { StoreLimits } from '../ports/blob-store.ts';

const OBJECT_BYTES_MAX = 5 * 1024 ** 4;

export interface PartSizes {
  /** Bytes of part `number`, counted from 1, if the object is long enough. */
  of(number: number): number;
}

/**
 * Sizes of the parts of an object whose length nobody knows yet, such that the longest object fits
 * into the number of parts the store takes. The first tenth are as large as asked; from there on
 * they grow linearly, which needs the least memory of all ways to get there: the last part of a
 * 5 TiB object is about twice its average part.
 */
export function partSizes(limits: StoreLimits, partBytes: number): PartSizes {
  const base = Math.min(Math.max(partBytes, limits.partBytesMin), limits.partBytesMax);
  const even = Math.floor(limits.partsMax / 10);
  const growing = limits.partsMax - even;
  const missing = (limits.objectBytesMax ?? OBJECT_BYTES_MAX) - base * limits.partsMax;
  const step = missing <= 0 ? 0 : Math.ceil((2 * missing) / (growing * (growing + 1)));
  return {
    of: (number) => Math.min(base + step * Math.max(0, number - even), limits.partBytesMax),
  };
}
