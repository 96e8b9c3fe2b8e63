import { rename, rm } from 'node:fs/promises';
import { formatSize } from '../kernel/size.ts';
import type { SystemId } from '../kernel/system-id.ts';
import type { WalFileName } from '../kernel/wal-file.ts';
import type { Report } from '../ports/report.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { openPieces, type SegmentPrefix } from '../repository/wal-pieces.ts';
import { mustStillBeAbsent, requireArchiveEnd } from './archive-end.ts';
import { temporaryFor } from './temporary-file.ts';
import { writeVerified } from './verified-file.ts';

interface PiecesRequest {
  readonly file: WalFileName;
  readonly destination: string;
  readonly mustExist?: ((name: string) => boolean) | undefined;
  readonly wholeOnly?: boolean | undefined;
  readonly systemId?: SystemId | undefined;
}

/**
 * Puts a segment in place that the archive does not have, out of what `wal-receive` stored of it
 * while it was written, filled up with zeros: recovery reads to where they begin and takes that for
 * the end of WAL, which it is. `false` if there is nothing of it. Only for a segment that is proven
 * absent; one that must be in the archive, or behind which the archive goes on (`wal-hole`), is not
 * replaced by its beginning. The outcome is told.
 */
export async function getFromPieces(
  repository: Repository,
  request: PiecesRequest,
  { signal, report }: RunOptions & { readonly report: Report },
): Promise<boolean> {
  const { file, destination, systemId } = request;
  if (file.kind !== 'segment') return false;
  const prefix = await openPieces(repository, file.name, { signal });
  if (prefix === undefined) return false;
  const isWhole = prefix.bytes === prefix.segmentBytes;
  if (!isWhole && (request.wholeOnly === true || request.mustExist?.(file.name) === true)) {
    return false;
  }
  const temporary = temporaryFor(destination);
  try {
    const source = { content: prefix.content(), info: { key: prefix.folder } };
    await writeVerified({ path: temporary, file, source, sha256: undefined, systemId, signal });
    // Reading the pieces took its time: the beginning of a segment must not stand for the whole.
    if (!isWhole) {
      await requireArchiveEnd(repository, file, { signal });
      await mustStillBeAbsent(repository, file.name, { signal });
    }
    signal.throwIfAborted();
    await rename(temporary, destination);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  tell(prefix, report);
  return true;
}

function tell(
  { segment, bytes, segmentBytes, folder, isDisputed, unproven }: SegmentPrefix,
  report: Report,
): void {
  const text = `${segment} is not archived; its first ${formatSize(bytes)} come from ${folder}`;
  if (isDisputed) {
    const more = 'there are pieces of two histories, of which the longer one was taken';
    return report({ kind: 'warning', code: 'pieces-disputed', text: `${text}: ${more}` });
  }
  if (unproven.length > 0 && bytes < segmentBytes) {
    const more =
      'recovery ends there, and more of it was stored, but a piece is damaged or missing';
    return report({ kind: 'warning', code: 'pieces-damaged', text: `${text}: ${more}` });
  }
  report({ kind: 'info', text: bytes === segmentBytes ? text : `${text}: recovery ends there` });
}
