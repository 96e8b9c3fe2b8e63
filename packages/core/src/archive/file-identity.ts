import type { BigIntStats } from 'node:fs';

/** The attributes by which a file is known; plain, so that threads can hand it over. */
export type FileStamp = Pick<BigIntStats, 'dev' | 'ino' | 'size' | 'mtimeNs' | 'ctimeNs'>;

export function fileStamp({ dev, ino, size, mtimeNs, ctimeNs }: FileStamp): FileStamp {
  return { dev, ino, size, mtimeNs, ctimeNs };
}

/**
 * What tells one state of a file from every other, short of its content, in the form that
 * `stat -L -c '%d:%i:%s:%.9Y:%.9Z'` prints: device, inode, bytes, modification and change time.
 * The change time moves with every write, and no program sets it back.
 */
export function fileIdentity(stamp: FileStamp): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = stamp;
  return `${dev}:${ino}:${size}:${seconds(mtimeNs)}:${seconds(ctimeNs)}`;
}

const SECOND_NS = 1_000_000_000n;
/** The clock that stamps files goes in steps of up to 10 ms. */
const STEP_NS = 100_000_000n;
/** File systems that keep whole or every second second exist. */
const COARSE_STEP_NS = 2n * SECOND_NS;

/**
 * Whether a write after `probe` was stamped would have given the file another change time than the
 * one it has. Both stamps must come from one clock, so files of two file systems, of which one may be
 * a server's, need more distance.
 */
export function isOlder(file: FileStamp, probe: FileStamp): boolean {
  const isFine = file.dev === probe.dev && probe.ctimeNs % SECOND_NS !== 0n;
  return file.ctimeNs + (isFine ? STEP_NS : COARSE_STEP_NS) < probe.ctimeNs;
}

function seconds(ns: bigint): string {
  return `${ns / SECOND_NS}.${(ns % SECOND_NS).toString().padStart(9, '0')}`;
}
