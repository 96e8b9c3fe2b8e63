import type { DamagedPages, FilesBatch, ReadMember } from '../ports/files.ts';

/** Gathers what happens to files that are read, so that it is told of in few messages. */
export interface FilesBatches {
  member(member: ReadMember, damaged?: DamagedPages): void;
  /** So many bytes of content were read. */
  read(bytes: number): void;
  /** Tells what has not been told yet. */
  flush(): void;
}

const MEMBERS_MAX = 500;
/** Often enough to show progress by. */
const BYTES_MAX = 16 * 1024 * 1024;

/** Gathers for `onBatch`; what that throws comes out here. */
export function filesBatches(onBatch: (batch: FilesBatch) => void): FilesBatches {
  let members: ReadMember[] = [];
  let damaged: DamagedPages[] = [];
  let bytes = 0;

  const flush = (): void => {
    if (members.length + bytes === 0) return;
    const batch = { bytes, members, damaged };
    members = [];
    damaged = [];
    bytes = 0;
    onBatch(batch);
  };
  const flushIfFull = (): void => {
    if (members.length >= MEMBERS_MAX || bytes >= BYTES_MAX) flush();
  };
  return {
    flush,
    member: (member, damage) => {
      members.push(member);
      if (damage !== undefined) damaged.push(damage);
      flushIfFull();
    },
    read: (count) => {
      bytes += count;
      flushIfFull();
    },
  };
}
