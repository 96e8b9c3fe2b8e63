import { dataDirectory } from '../cluster/data-directory.ts';
import { listDataDirectory, type Listed } from '../cluster/list-data-directory.ts';
import { parseTablespaceMap, type TablespaceLink } from '../format/tablespace-map.ts';
import { TsbkError } from '../kernel/errors.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import type { FilesBackup, FilesEnd } from '../ports/backup-source.ts';
import type { ServerIdentity } from '../ports/backup-server.ts';
import type { DeltaTask, FilesTask, KnownFile } from '../ports/files.ts';
import type { Lanes } from '../ports/lanes.ts';
import type { Report } from '../ports/report.ts';
import type { FileList } from '../repository/file-list.ts';
import { partitionsFolder, partName } from '../repository/layout.ts';
import type { Repository } from '../repository/repository.ts';
import { eachParallel } from '../stream/parallel.ts';
import type { Spool } from '../stream/spool.ts';
import type { CopiedBackup } from './copied-backup.ts';
import { fileRecords, type FileRecords } from './file-records.ts';
import type { PackedPart } from '../repository/new-backup/open-parts.ts';
import type { Delta, KnownFiles } from './parent.ts';
import { planParts, survey, type PlannedPart } from './plan-files.ts';
import { readControlFile, type ControlCopy } from './read-control-file.ts';
import { storeControl } from '../repository/new-backup/store-control.ts';
import { storeManifest } from './store-manifest.ts';
import { weighFiles } from './weigh-files.ts';

interface CopyInputs {
  readonly repository: Repository;
  readonly lanes: Lanes;
  readonly backup: FilesBackup;
  readonly spool: Spool;
  /** Where the members are listed. */
  readonly list: FileList;
  readonly name: string;
  readonly identity: ServerIdentity;
  readonly delta: Delta | undefined;
}

interface CopyOptions {
  readonly partBytesMax: number;
  readonly verifyChecksums: boolean;
  readonly signal: AbortSignal;
  readonly report: Report;
}

const MAJOR = 10_000;

/**
 * Copies a data directory between start and stop of a backup: the lanes read the files by
 * themselves, `pg_control` comes last, and the manifest is made of what the lanes told. Throws
 * `page-checksum` once all files have been read if a page was wrong, `file-unreadable`,
 * `control-file-invalid`, and what lanes and server throw.
 */
export async function copyFiles(inputs: CopyInputs, options: CopyOptions): Promise<CopiedBackup> {
  const { repository, backup, spool, list, name, identity } = inputs;
  const { report } = options;
  const signal = AbortSignal.any([options.signal, backup.lost]);
  const { clock } = repository;
  const directory = dataDirectory(backup.directory);

  const first = await readControlFile(directory, { clock, signal });
  requireSameCluster(first, identity, backup.directory);
  const records = fileRecords({ list, spool, report });
  const parts = await writeParts(inputs, first, { ...options, signal, records });
  records.requireSound();

  const control = await readControlFile(directory, { clock, signal });
  const stored = await storeControl(repository, { name, ...control }, { signal });
  await records.control(control);
  const end = await backup.stop();
  const links = requireKnownTablespaces(end, parts.tablespaces, identity);
  const labels = { ...end, mode: identity.dataDirectoryMode === 0o750 ? 0o640 : 0o600 };
  await records.labels(labels, clock.now());
  const manifest = await storeManifest(
    repository,
    { name, lines: records.manifestLines(), start: backup.start, end, identity },
    { signal },
  );
  return {
    parts: parts.parts,
    control: stored,
    manifest,
    labels,
    tablespaces: links.map(({ oid, location }) => ({ oid, location })),
    plainBytes: records.bytes(),
    catalogBytes: records.fileBytes(),
    stopLsn: end.stopLsn,
    timeline: end.timeline,
  };
}

interface WrittenParts {
  readonly parts: readonly PackedPart[];
  /** OIDs of those that lie elsewhere. */
  readonly tablespaces: ReadonlySet<number>;
}

async function writeParts(
  { lanes, backup, list, name, identity, delta }: CopyInputs,
  { control }: ControlCopy,
  options: CopyOptions & { readonly records: FileRecords },
): Promise<WrittenParts> {
  const { partBytesMax, records, report, signal } = options;
  const major = Math.floor(identity.versionNumber / MAJOR);
  const { known, changes } = delta ?? {};
  const listing = (): AsyncIterable<Listed> => {
    const listed = listDataDirectory(backup.directory, {
      versionNumber: identity.versionNumber,
      tablespaceFolder: `PG_${major}_${control.catalogVersion}`,
    });
    return known && changes ? weighFiles(listed, { known, changes }) : listed;
  };
  const surveyed = await survey(listing());
  records.expect(surveyed.bytes);
  const tablespaces = new Set<number>();
  const plan = planParts(surveyed, noted(listing(), { tablespaces, report }), {
    width: lanes.width,
    partBytesMax,
  });
  const verify = options.verifyChecksums && control.dataChecksumVersion > 0;
  const parts: PackedPart[] = [];
  let number = 0;
  await eachParallel(plan, { width: lanes.width, signal }, async (part, both) => {
    number += 1;
    const task = taskOf(part, {
      key: `${partitionsFolder(name)}${partName(number)}`,
      root: backup.directory,
      verifyBefore: verify ? backup.start.startLsn : undefined,
      delta: delta && known && deltaTask(part, delta, known),
    });
    const names = list.tar();
    const onBatch = records.intake(names);
    const receipt = await lanes.writeFiles(task, { signal: both, onBatch });
    parts.push({ receipt, names });
  });
  await records.settled();
  parts.sort((a, b) => (a.receipt.key < b.receipt.key ? -1 : 1));
  return { parts, tablespaces };
}

function taskOf(
  { directories, files }: PlannedPart,
  task: Omit<FilesTask, 'directories' | 'files'>,
): FilesTask {
  return { ...task, directories, files };
}

function deltaTask(
  { files }: PlannedPart,
  { parent, changes }: Delta,
  known: KnownFiles,
): DeltaTask {
  const ofFile = (path: TreePath): KnownFile | undefined => {
    const file = known.of(path);
    return file && { ...file, changed: changes?.of(path) };
  };
  return { base: parent.startLsn, known: files.map(ofFile) };
}

/** The listing, and on the way what of it is for people and what for later. */
async function* noted(
  listing: AsyncIterable<Listed>,
  { tablespaces, report }: { readonly tablespaces: Set<number>; readonly report: Report },
): AsyncGenerator<Listed, void, undefined> {
  for await (const listed of listing) {
    if (listed.kind === 'tablespace') tablespaces.add(listed.oid);
    if (listed.kind === 'skipped') {
      const path = Buffer.from(listed.path, 'latin1').toString();
      report({
        kind: 'warning',
        code: 'file-skipped',
        text: `${path} is neither file nor directory: it is not backed up`,
      });
    }
    yield listed;
  }
}

function requireSameCluster(
  { control }: ControlCopy,
  { systemId }: ServerIdentity,
  directory: string,
): void {
  if (control.systemId === systemId) return;
  throw new TsbkError(
    'wrong-system-id',
    `${directory} is of the cluster with system identifier ${control.systemId}, the server of ${systemId}`,
    { hint: 'Connect to the server of that directory (PGHOST, PGPORT).' },
  );
}

/**
 * A tablespace made while the backup started may be among the files and not in the map. Restored as
 * a plain directory it would be in the way of recovery, which makes it again.
 */
function requireKnownTablespaces(
  { tablespaceMap }: FilesEnd,
  listed: ReadonlySet<number>,
  { versionNumber }: ServerIdentity,
): readonly TablespaceLink[] {
  const links = parseTablespaceMap(tablespaceMap, Math.floor(versionNumber / MAJOR));
  const known = new Set(links.map(({ oid }) => oid));
  const unknown = [...listed].filter((oid) => !known.has(oid));
  if (unknown.length === 0) return links;
  throw new TsbkError(
    'server-changed',
    `tablespace ${unknown.join(', ')} was made while the backup started`,
    { hint: 'Take the backup again.' },
  );
}
