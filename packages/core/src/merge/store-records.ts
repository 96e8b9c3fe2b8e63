import { parseControlFile } from '../format/control-file.ts';
import type { Receipt } from '../ports/lanes.ts';
import { finishTimeOf } from '../repository/backup-facts.ts';
import { startTimeOf } from '../repository/catalog.ts';
import type { FileList } from '../repository/file-list.ts';
import { backupFolder, metadataKey, sideRecordKey } from '../repository/layout.ts';
import { formatMetadata } from '../repository/metadata.ts';
import { storeFilesMetadata } from '../repository/new-backup/store-files-metadata.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { formatSentinel, type MadeSentinel } from '../repository/sentinel.ts';
import { formatSideRecord, type SideRecord } from '../repository/side-record.ts';
import { segmentsOfRange } from '../repository/wal-of-backup.ts';
import { createObject, createRecord } from '../repository/write-object.ts';
import { sourceOf } from '../stream/source.ts';
import type { SpooledText } from '../stream/spool.ts';
import type { Folded } from './fold-chain.ts';
import type { MergePlan } from './plan-merge.ts';

interface MergedBackup {
  readonly plan: MergePlan;
  readonly folded: Folded;
  readonly list: FileList;
  /** See `copyNames`. */
  readonly names: Pick<SpooledText, 'read'> | undefined;
  readonly control: Receipt;
  readonly labels: Receipt;
  readonly manifest: Receipt;
  readonly request: { readonly runId: string; readonly toolVersion: string };
}

interface StoredRecords {
  /** Text of the sentinel, which the caller writes last. */
  readonly sentinel: string;
  readonly plainBytes: number;
  readonly storedBytes: number;
}

/**
 * Writes the records of a merged backup but the sentinel. They say of it what the newest of its chain
 * says of itself, but for sizes and objects.
 */
export async function storeMergedRecords(
  repository: Repository,
  made: MergedBackup,
  { signal }: RunOptions,
): Promise<StoredRecords> {
  const { plan, folded, list, control, labels, manifest } = made;
  const { name } = plan;
  const { parts } = folded;
  const tars = [...parts.map(({ receipt }) => receipt), control, labels];
  const sentinel = sentinelOf(repository, made, tars);
  await createRecord(repository, metadataKey(name), formatMetadata(sentinel), { signal });
  const listed = {
    name,
    list,
    parts,
    labels,
    databases: made.names === undefined ? [] : [made.names],
  };
  await storeFilesMetadata(repository, listed, { signal });
  const receipts = [...tars, manifest];
  const record = sideRecordOf(repository, made);
  const text = formatSideRecord(record, backupFolder(name), receipts);
  const object = { key: sideRecordKey(name), source: sourceOf(Buffer.from(text)) };
  await createObject(repository, object, { signal });
  const { plainBytes, storedBytes } = sentinel;
  return { sentinel: formatSentinel(sentinel), plainBytes, storedBytes };
}

function sentinelOf(
  { cipher }: Repository,
  { plan, folded }: MergedBackup,
  tars: readonly Receipt[],
): MadeSentinel {
  const { newest, facts } = plan;
  const { held, plainBytes: packedBytes } = folded.folding;
  const heldBytes = (['global/pg_control', 'backup_label', 'tablespace_map'] as const).map(
    (path) => held.get(path)?.bytes.length ?? 0,
  );
  const plainBytes = heldBytes.reduce((sum, bytes) => sum + bytes, packedBytes);
  return {
    startLsn: facts.startLsn,
    delta: undefined,
    stopLsn: facts.finishLsn,
    pgVersion: facts.pgVersion,
    systemId: facts.systemId,
    plainBytes,
    storedBytes: tars.reduce((sum, { stored }) => sum + stored.bytes, 0),
    dataCatalogBytes: newest.sentinel.dataCatalogBytes ?? plainBytes,
    tablespaces: newest.sentinel.tablespaces,
    userData: facts.userData,
    startTime: startTimeOf(newest),
    finishTime: finishTimeOf(newest),
    hostname: facts.hostname ?? '',
    dataDir: facts.dataDir ?? '',
    permanent: facts.permanent,
    encryption: { cipher: cipher.name, keyId: cipher.keyId },
  };
}

function sideRecordOf(
  { writeCodec, cipher }: Repository,
  { plan, folded, request }: MergedBackup,
): Omit<SideRecord, 'objects'> {
  const { facts, newest, timeline } = plan;
  const { startLsn, finishLsn: stopLsn } = facts;
  const control = folded.folding.held.get('global/pg_control')?.bytes ?? new Uint8Array(0);
  const { segmentBytes } = newest.side ?? parseControlFile(control);
  const segments = segmentsOfRange({ startLsn, stopLsn, timeline, segmentBytes });
  return {
    tool: `tsbk ${request.toolVersion}`,
    run: request.runId,
    codec: writeCodec.name,
    cipher: cipher.name,
    keyId: cipher.keyId,
    segmentBytes,
    timeline,
    walFirst: segments[0] ?? '',
    walLast: segments.at(-1) ?? '',
    delta: undefined,
    merged: plan.links.map(({ backup }) => backup),
  };
}
