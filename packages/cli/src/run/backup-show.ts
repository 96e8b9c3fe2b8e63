import { EXIT } from '@tsbk/core/kernel/exit';
import { formatInstant } from '@tsbk/core/kernel/instant';
import { formatLsn } from '@tsbk/core/kernel/lsn';
import { formatSize } from '@tsbk/core/kernel/size';
import { openRepository } from '@tsbk/core/engine/open-repository';
import { stringifyJson, type JsonObject, type JsonValue } from '@tsbk/core/format/json';
import { factsOf, type BackupFacts } from '@tsbk/core/repository/backup-facts';
import { readBackup, type BackupDetail } from '@tsbk/core/repository/catalog';
import { newestBackup } from '@tsbk/core/repository/newest-backup';
import { readChain, type Chain } from '@tsbk/core/repository/chain/read-chain';
import { missingWal, walOfBackup } from '@tsbk/core/repository/wal-of-backup';
import type { TablespaceEntry } from '@tsbk/core/repository/tablespace-spec';
import type { Run } from '../command.ts';
import { indentJson } from '../render/indent-json.ts';

/** `tsbk backup-show NAME|LATEST` */
export const runBackupShow: Run = async (context) => {
  const { signal } = context;
  await using repository = await openRepository(context.settings, {
    signal,
    report: context.report,
  });
  const [asked = 'LATEST'] = context.positionals;
  const name = asked === 'LATEST' ? await newestBackup(repository, { signal }) : asked;
  const backup = await readBackup(repository, name, { signal });
  const segmentBytes = context.config.walSegmentBytes;
  const segments = await walOfBackup(repository, backup, { signal, segmentBytes });
  const missing = await missingWal(repository, segments, { signal });
  const chain = await readChain(repository, backup, { signal });
  const shown = { backup, chain, segments, missing };
  const text =
    context.flags.on('json') === true ? indentJson(stringifyJson(asJson(shown)), 2) : asText(shown);
  context.out(`${text}\n`);
  return EXIT.ok;
};

interface Shown {
  readonly backup: BackupDetail;
  readonly chain: Chain;
  /** WAL that the backup needs to become consistent. */
  readonly segments: readonly string[];
  readonly missing: readonly string[];
}

function asText({ backup, chain, segments, missing }: Shown): string {
  const facts = factsOf(backup);
  const lines: (readonly [string, string])[] = [
    ['name', backup.name],
    ['kind', kindOf(backup)],
    ...chainLines(chain),
    ...(backup.side?.merged ?? []).map((name) => ['merged of', name] as const),
    ['started', show(facts.startTime, formatInstant)],
    ['finished', show(facts.finishTime, formatInstant)],
    ['permanent', facts.permanent ? 'yes' : 'no'],
    ['server', `${version(facts.pgVersion)}, system identifier ${show(facts.systemId, String)}`],
    ['from', `${show(facts.hostname, String)}:${show(facts.dataDir, String)}`],
    ['WAL', `${range(facts)}, ${walText(segments, missing)}`],
    [
      'size',
      `${show(facts.plainBytes, formatSize)}, stored ${show(facts.storedBytes, formatSize)}`,
    ],
    ['tars', String(backup.tars.length)],
    ['made by', madeBy(backup)],
    ...tablespacesOf(backup).map(({ oid, location }) => [`tablespace ${oid}`, location] as const),
    ['user data', show(facts.userData, (value) => stringifyJson(value))],
  ];
  const width = Math.max(...lines.map(([label]) => label.length));
  return lines.map(([label, value]) => `${label.padEnd(width)}  ${value}`).join('\n');
}

/** 64-bit integers are texts here, so that every reader of JSON keeps them whole. */
function asJson({ backup, chain, segments, missing }: Shown): JsonObject {
  const facts = factsOf(backup);
  const orNull = <T>(value: T | undefined, convert: (value: T) => JsonValue): JsonValue =>
    value === undefined ? null : convert(value);
  const same = <T extends JsonValue>(value: T): T => value;
  return {
    name: backup.name,
    kind: kindOf(backup),
    chain: chain.links.map(({ name }) => name),
    merged: orNull(backup.side?.merged, (names) => names),
    chain_problem: orNull(chain.problem?.message, same),
    start_time: orNull(facts.startTime, formatInstant),
    finish_time: orNull(facts.finishTime, formatInstant),
    permanent: facts.permanent,
    pg_version: orNull(facts.pgVersion, same),
    system_identifier: orNull(facts.systemId, String),
    hostname: orNull(facts.hostname, same),
    data_dir: orNull(facts.dataDir, same),
    start_lsn: orNull(facts.startLsn, formatLsn),
    stop_lsn: orNull(facts.finishLsn, formatLsn),
    wal_segments: segments,
    wal_missing: missing,
    plain_bytes: orNull(facts.plainBytes, same),
    stored_bytes: orNull(facts.storedBytes, same),
    tablespaces: tablespacesOf(backup).map((entry) => ({ ...entry })),
    user_data: orNull(facts.userData, same),
    made_by: madeBy(backup),
    objects: backup.tars.map(({ key, bytes }) => ({ key, bytes })),
  };
}

/** What a delta builds on, down to the full backup. */
function chainLines({ links, problem }: Chain): (readonly [string, string])[] {
  const parents = links.slice(1).map(({ name }): [string, string] => ['builds on', name]);
  return problem === undefined ? parents : [...parents, ['BROKEN', problem.message]];
}

function show<T>(value: T | undefined, format: (value: T) => string): string {
  return value === undefined ? '-' : format(value);
}

function range({ startLsn, finishLsn }: BackupFacts): string {
  return `${show(startLsn, formatLsn)} to ${show(finishLsn, formatLsn)}`;
}

function madeBy({ side, sentinel }: BackupDetail): string {
  // The side record may be there and not be readable here.
  return side?.tool ?? (sentinel.encryption === undefined ? 'wal-g' : 'tsbk');
}

function tablespacesOf({ sentinel }: BackupDetail): readonly TablespaceEntry[] {
  return sentinel.tablespaces?.tablespaces ?? [];
}

function walText(segments: readonly string[], missing: readonly string[]): string {
  const range =
    segments.length > 1 ? `${segments[0]} … ${segments.at(-1)}` : (segments[0] ?? 'unknown');
  const state = missing.length === 0 ? 'all archived' : `MISSING: ${missing.join(' ')}`;
  return segments.length === 0 ? range : `${range}, ${state}`;
}

function kindOf({ sentinel }: BackupDetail): string {
  return sentinel.delta === undefined
    ? 'full'
    : `delta ${sentinel.delta.count} from ${sentinel.delta.from}`;
}

function version(number: number | undefined): string {
  if (number === undefined) return 'PostgreSQL';
  return `PostgreSQL ${Math.floor(number / 10_000)}.${number % 10_000}`;
}
