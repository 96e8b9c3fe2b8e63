import type { PlannedTar } from './planned-link.ts';

/** What making a file costs, as bytes that are written in the same time: some 100 microseconds. */
const FILE_COST_BYTES = 64 * 1024;
/** Bytes in a tar for each one stored, where nobody has recorded them. */
const USUAL_RATIO = 3;

/** What of a tar decides when it is unpacked. */
export type OrderedTar = Pick<PlannedTar, 'last' | 'plainBytes' | 'storedBytes' | 'files'>;

/**
 * Those with `pg_control` and labels last. Of the others first what takes longest: what comes last is
 * what the lanes end at different times with.
 */
export function byTurn(a: OrderedTar, b: OrderedTar): number {
  if (a.last !== b.last) return a.last ? 1 : -1;
  return costOf(b) - costOf(a);
}

function costOf({ plainBytes, storedBytes, files = 0 }: OrderedTar): number {
  return (plainBytes ?? storedBytes * USUAL_RATIO) + files * FILE_COST_BYTES;
}
