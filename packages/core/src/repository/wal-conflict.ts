import { TsbkError } from '../kernel/errors.ts';
import { formatInstant, type Instant } from '../kernel/instant.ts';
import { formatLsn } from '../kernel/lsn.ts';
import { parseWalFileName } from '../kernel/wal-file.ts';
import { parseHistoryFile } from '../format/history-file.ts';
import { parseWalPageHeader } from '../format/wal/page-header.ts';
import type { ByteSource, ByteStage } from '../ports/bytes.ts';
import { tally } from '../stream/tally.ts';

/** What is known of the content of a WAL file. */
export interface WalContent {
  /** In hexadecimal. */
  readonly sha256: string;
  /** Its first bytes; none where only the digest is known. */
  readonly head: Uint8Array;
}

/** More than a page header, and than most history files. */
const HEAD_BYTES = 8192;

/** A stage that keeps the beginning of what passes. */
export function keepHead(): { readonly stage: ByteStage; readonly head: () => Uint8Array } {
  let head: Uint8Array = new Uint8Array(0);
  return {
    head: () => head,
    stage: async function* (source) {
      for await (const chunk of source) {
        // The chunk is lent.
        if (head.length === 0) head = Uint8Array.from(chunk.subarray(0, HEAD_BYTES));
        yield chunk;
      }
    },
  };
}

/** Reads a source to its end. */
export async function readContent(source: ByteSource): Promise<WalContent> {
  const begin = keepHead();
  const counted = tally();
  for await (const _ of counted.stage(begin.stage(source)));
  return { sha256: counted.result().sha256, head: begin.head() };
}

export interface WalConflict {
  readonly name: string;
  /** The archived object with the store's name before it. */
  readonly object: string;
  readonly modified: Instant | undefined;
  readonly archived: WalContent | undefined;
  readonly offered: WalContent;
  /** Where this call has just stored what was offered. */
  readonly left: string | undefined;
}

/** The refusal, which names both files by what they say of where they come from. */
export function walConflict(conflict: WalConflict): TsbkError {
  const { name, object, modified, archived, offered, left } = conflict;
  const since = modified === undefined ? '' : ` since ${formatInstant(modified)}`;
  return new TsbkError(
    'wal-conflict',
    `${object} already holds other content than ${name} ` +
      `(archived ${archived?.sha256.slice(0, 12) ?? 'nothing'}…, offered ${offered.sha256.slice(0, 12)}…). ` +
      `Archived${since}: ${originOf(name, archived?.head)}; offered: ${originOf(name, offered.head)}`,
    {
      hint:
        (left === undefined
          ? 'Nothing was changed. '
          : `${left} was written at the same moment, and both are left: whichever is wrong must be removed by hand. `) +
        'Most likely two servers archive to one prefix, or a copy of this cluster was started: give each its own prefix.',
    },
  );
}

/** What a WAL file says of the server that wrote it. */
function originOf(name: string, head: Uint8Array = new Uint8Array(0)): string {
  const kind = parseWalFileName(name)?.kind;
  if (kind === 'history') return branchOf(name, head);
  const header = kind === 'backup-history' ? undefined : parseWalPageHeader(head);
  if (header === undefined) return 'unknown';
  const { systemId, version = 'unknown', timeline } = header;
  return `system identifier ${systemId}, PostgreSQL ${version}, timeline ${timeline}`;
}

function branchOf(name: string, head: Uint8Array): string {
  try {
    const parent = parseHistoryFile(Buffer.from(head).toString('latin1'), name).ancestors.at(-1);
    if (parent === undefined) return 'unknown';
    return `a branch of timeline ${parent.timeline} at ${formatLsn(parent.switchLsn)}`;
  } catch {
    return 'unknown';
  }
}
