import type { ExtractBatch, ExtractedMember } from '../ports/extract.ts';

/** Gathers what happens to the members of a tar, so that it is told of in few messages. */
export interface MemberBatches {
  member(member: ExtractedMember): void;
  warning(warning: ExtractBatch['warnings'][number]): void;
  /** So many bytes of content were read. */
  read(bytes: number): void;
  /** Tells what has not been told yet. */
  flush(): void;
}

const MEMBERS_MAX = 500;
/** Often enough to show progress by. */
const BYTES_MAX = 8 * 1024 * 1024;

/** Gathers for `onBatch`; what that throws comes out here. */
export function memberBatches(onBatch: (batch: ExtractBatch) => void): MemberBatches {
  let members: ExtractedMember[] = [];
  let warnings: ExtractBatch['warnings'][number][] = [];
  let bytes = 0;

  const flush = (): void => {
    if (members.length + warnings.length + bytes === 0) return;
    const batch = { bytes, members, warnings };
    members = [];
    warnings = [];
    bytes = 0;
    onBatch(batch);
  };
  const flushIfFull = (): void => {
    if (members.length + warnings.length >= MEMBERS_MAX || bytes >= BYTES_MAX) flush();
  };
  return {
    flush,
    member: (member) => {
      members.push(member);
      flushIfFull();
    },
    warning: (warning) => {
      warnings.push(warning);
      flushIfFull();
    },
    read: (count) => {
      bytes += count;
      flushIfFull();
    },
  };
}
