import { ceilToMicrosecond, type Instant } from '../kernel/instant.ts';
import type { JsonValue } from '../format/json.ts';
import type { BackupPosition } from '../ports/backup-source.ts';
import type { ServerIdentity } from '../ports/backup-server.ts';
import type { Receipt } from '../ports/lanes.ts';
import type { FileList } from '../repository/file-list.ts';
import { backupFolder, metadataKey, sideRecordKey } from '../repository/layout.ts';
import { formatMetadata } from '../repository/metadata.ts';
import { storeLabels } from '../repository/new-backup/store-labels.ts';
import { storeFilesMetadata } from '../repository/new-backup/store-files-metadata.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import { formatSentinel, type MadeSentinel } from '../repository/sentinel.ts';
import { formatSideRecord } from '../repository/side-record.ts';
import { createObject, createRecord } from '../repository/write-object.ts';
import { mapParallel } from '../stream/parallel.ts';
import { sourceOf } from '../stream/source.ts';
import type { CopiedBackup } from './copied-backup.ts';
import type { NamedDatabase } from './name-databases.ts';
import type { Delta } from './parent.ts';

interface RecordInputs {
  readonly name: string;
  readonly delta: Delta | undefined;
  readonly start: BackupPosition;
  /** Segments the backup needs, first to last. */
  readonly segments: readonly string[];
  readonly copied: CopiedBackup;
  readonly list: FileList;
  readonly databases: readonly NamedDatabase[];
  readonly identity: ServerIdentity;
  readonly startTime: Instant;
  readonly request: {
    readonly runId: string;
    readonly hostname: string;
    readonly toolVersion: string;
    readonly permanent: boolean;
    readonly userData?: JsonValue | undefined;
  };
}

export interface StoredRecords {
  /** Text of the sentinel, which the caller writes last. */
  readonly sentinel: string;
  readonly plainBytes: number;
  readonly storedBytes: number;
  readonly finishTime: Instant;
}

/**
 * Stores the labels and the records of a copied backup but the sentinel: metadata, files metadata, side
 * record. None of them makes it appear.
 */
export async function storeRecords(
  repository: Repository,
  inputs: RecordInputs,
  { signal }: RunOptions,
): Promise<StoredRecords> {
  const { name, copied, list, databases } = inputs;
  const finishTime = ceilToMicrosecond(repository.clock.now());
  const labels = await storeLabels(repository, { name, labels: copied.labels }, { signal });
  const tars = [...copied.parts.map(({ receipt }) => receipt), copied.control, labels];
  const { name: cipher, keyId } = repository.cipher;
  const sentinel = { ...makeSentinel(inputs, tars, finishTime), encryption: { cipher, keyId } };

  const metadata = formatMetadata(sentinel);
  const listed = { name, list, parts: copied.parts, labels, databases };
  const writes: readonly ((both: AbortSignal) => Promise<void>)[] = [
    (both) => createRecord(repository, metadataKey(name), metadata, { signal: both }),
    (both) => storeFilesMetadata(repository, listed, { signal: both }),
    (both) => storeSideRecord(repository, inputs, [...tars, copied.manifest], { signal: both }),
  ];
  await mapParallel(writes, { width: writes.length, signal }, (write, both) => write(both));
  const { plainBytes, storedBytes } = sentinel;
  return { sentinel: formatSentinel(sentinel), plainBytes, storedBytes, finishTime };
}

function makeSentinel(
  { start, delta, copied, identity, startTime, request }: RecordInputs,
  tars: readonly Receipt[],
  finishTime: Instant,
): Omit<MadeSentinel, 'encryption'> {
  const dataDir = identity.dataDirectory ?? '';
  const linked = copied.tablespaces.filter(({ location }) => location.startsWith('/'));
  const spec = {
    basePrefix: dataDir,
    tablespaces: linked.map(({ oid, location }) => ({ oid: String(oid), location })),
  };
  return {
    startLsn: start.startLsn,
    delta: delta?.parent.link,
    stopLsn: copied.stopLsn,
    pgVersion: identity.versionNumber,
    systemId: identity.systemId,
    plainBytes: copied.plainBytes,
    storedBytes: tars.reduce((sum, { stored }) => sum + stored.bytes, 0),
    dataCatalogBytes: copied.catalogBytes ?? copied.plainBytes,
    tablespaces: linked.length === 0 ? undefined : spec,
    userData: request.userData,
    startTime,
    finishTime,
    hostname: request.hostname,
    dataDir,
    permanent: request.permanent,
  };
}

async function storeSideRecord(
  repository: Repository,
  { name, delta, start, segments, identity, request }: RecordInputs,
  receipts: readonly Receipt[],
  { signal }: RunOptions,
): Promise<void> {
  const text = formatSideRecord(
    {
      tool: `tsbk ${request.toolVersion}`,
      run: request.runId,
      codec: repository.writeCodec.name,
      cipher: repository.cipher.name,
      keyId: repository.cipher.keyId,
      segmentBytes: identity.segmentBytes,
      timeline: start.timeline,
      walFirst: segments[0] ?? '',
      walLast: segments.at(-1) ?? '',
      delta: delta && { parent: delta.parent.name, source: delta.source },
    },
    backupFolder(name),
    receipts,
  );
  const object = { key: sideRecordKey(name), source: sourceOf(Buffer.from(text)) };
  await createObject(repository, object, { signal });
}
