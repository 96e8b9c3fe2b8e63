import { isTsbkError, type TsbkError } from '../kernel/errors.ts';
import { isSegmentSize, type TimelineId } from '../kernel/wal-file.ts';
import { ByteReader } from '../format/byte-reader.ts';
import type { TimelineHistory } from '../format/history-file.ts';
import { parseWalPageHeader } from '../format/wal/page-header.ts';
import { readCatalog, type Catalog } from '../repository/catalog.ts';
import { segmentSizeByName } from '../repository/segment-size.ts';
import { WAL_FOLDER } from '../repository/layout.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { openWal } from '../repository/wal-archive.ts';
import { readHistory } from '../repository/wal-way/read-history.ts';
import { listWal, walFileOf, type WalListing } from '../repository/wal-way/wal-listing.ts';
import { mapParallel } from '../stream/parallel.ts';

/** What there is to restore from, at one moment. Its size does not depend on the number of segments. */
export interface ArchiveState {
  readonly segmentBytes: number;
  readonly listing: WalListing;
  readonly histories: ReadonlyMap<TimelineId, TimelineHistory>;
  /** Histories that PostgreSQL would refuse. */
  readonly badHistories: readonly TsbkError[];
  readonly catalog: Catalog;
}

export interface ReadArchiveRequest {
  /** Size of segments, as the server says; the archive is asked if it is absent. */
  readonly segmentBytes?: number | undefined;
  /** Size where the archive does not tell either. */
  readonly assumedSegmentBytes: number;
  /** Begin with this segment and what the store lists after it; with everything if absent. */
  readonly from?: string;
}

const READS_AT_ONCE = 8;
const LONG_HEADER_BYTES = 40;
const NO_BACKUPS: Catalog = { backups: [], broken: [] };

/** Lists the archive once, and reads its histories and the small records of its backups. */
export async function readArchive(
  repository: Repository,
  request: ReadArchiveRequest,
  { signal, backups = true }: RunOptions & { readonly backups?: boolean },
): Promise<ArchiveState> {
  const catalog = backups ? await readCatalog(repository, { signal }) : NO_BACKUPS;
  const segmentBytes =
    request.segmentBytes ??
    (await segmentSizeOf(repository, { signal })) ??
    segmentSizeByName(catalog.backups) ??
    request.assumedSegmentBytes;
  const from = request.from === undefined ? {} : { from: request.from };
  const listing = await listWal(repository, { ...from, segmentBytes }, { signal });
  const { histories, badHistories } = await readHistories(repository, listing, { signal });
  return { segmentBytes, listing, histories, badHistories, catalog };
}

async function readHistories(
  repository: Repository,
  listing: WalListing,
  { signal }: RunOptions,
): Promise<Pick<ArchiveState, 'histories' | 'badHistories'>> {
  const histories = new Map<TimelineId, TimelineHistory>();
  const badHistories: TsbkError[] = [];
  if (repository.cipher.unreadable !== undefined) return { histories, badHistories };
  await mapParallel(
    [...listing.histories],
    { width: READS_AT_ONCE, signal },
    async (timeline, both) => {
      try {
        const history = await readHistory(repository, timeline, { signal: both });
        if (history !== undefined) histories.set(timeline, history);
      } catch (error) {
        if (!isTsbkError(error, 'wal-invalid') && !isTsbkError(error, 'object-corrupt'))
          throw error;
        badHistories.push(error);
      }
    },
  );
  return { histories, badHistories };
}

/** What the first archived segment says of itself; `undefined` if there is none, or it cannot be read. */
async function segmentSizeOf(
  repository: Repository,
  { signal }: RunOptions,
): Promise<number | undefined> {
  if (repository.cipher.unreadable !== undefined) return undefined;
  const name = await firstSegment(repository, { signal });
  const opened = name === undefined ? undefined : await openWal(repository, name, { signal });
  if (opened === undefined) return undefined;
  const reader = new ByteReader(opened.content);
  try {
    const bytes = parseWalPageHeader(await reader.take(LONG_HEADER_BYTES))?.segmentBytes;
    return bytes !== undefined && isSegmentSize(bytes) ? bytes : undefined;
  } catch (error) {
    if (!isTsbkError(error, 'object-corrupt')) throw error;
    return undefined;
  } finally {
    await reader.close();
  }
}

async function firstSegment(
  { store, walExtensions }: Repository,
  { signal }: RunOptions,
): Promise<string | undefined> {
  const extensions = new Set(walExtensions);
  for await (const { key } of store.list(WAL_FOLDER, { signal, shallow: true })) {
    const file = walFileOf(key.slice(WAL_FOLDER.length), extensions);
    if (file?.kind === 'segment') return file.name;
  }
  return undefined;
}
