import { encodeIncrementHead } from '@tsbk/core/format/increment/walg-increment';
import type { JsonObject } from '@tsbk/core/format/json';
import { FakeWal } from '@tsbk/core/format/wal/fake-wal';
import { parseBackupName } from '@tsbk/core/kernel/backup-name';
import { instantFromMs } from '@tsbk/core/kernel/instant';
import type { FakeMember, FakeRepository } from './fake-repository.ts';

export const PAGE = 8192;

/** A file as one backup of a chain has it. */
export type ChainFile =
  | { readonly kind: 'whole'; readonly content: Uint8Array; readonly mode?: number }
  | { readonly kind: 'skipped' }
  | {
      readonly kind: 'increment';
      readonly fileBytes: number;
      /** In the order of the increment. */
      readonly pages: readonly (readonly [number, Uint8Array])[];
      readonly mode?: number;
    };

/** Builders of a chain's files, for tests. */
export const page = (text: string): Uint8Array => Buffer.alloc(PAGE, text);
export const ZEROS: Uint8Array = Buffer.alloc(PAGE);
export const whole = (...pages: readonly Uint8Array[]): ChainFile => ({
  kind: 'whole',
  content: Buffer.concat(pages),
});
export const text = (content: string): ChainFile => ({
  kind: 'whole',
  content: Buffer.from(content),
});
export const increment = (
  pages: number,
  changed: Readonly<Record<number, Uint8Array>>,
): ChainFile => ({
  kind: 'increment',
  fileBytes: pages * PAGE,
  pages: Object.entries(changed).map(([number, bytes]) => [Number(number), bytes]),
});
export const skipped: ChainFile = { kind: 'skipped' };

/** A backup of a chain. */
export interface ChainLink {
  /** By path without a leading slash. */
  readonly files: Readonly<Record<string, ChainFile>>;
  /** Directories that the tars have, beside those of the files. */
  readonly directories?: readonly string[];
  /** Names without a leading slash, as WAL-G's remote backups have them. */
  readonly isRemote?: boolean;
  /** Files and tars stand in the sentinel, as before WAL-G 2.0. */
  readonly isOld?: boolean;
  /** Without `TarFileSets`. */
  readonly hidesTars?: boolean;
  /** Left out of `TarFileSets`. */
  readonly forgets?: readonly string[];
  /** Without any list of files. */
  readonly hidesFiles?: boolean;
  /** Parent by its place in the chain; the one before if not given. */
  readonly parent?: number;
  /** Over what the sentinel has. */
  readonly sentinel?: JsonObject;
}

/** Stores backups that build on each other, the full one first, and their WAL. Gives their names. */
export function storeChain(repository: FakeRepository, links: readonly ChainLink[]): string[] {
  const wal = new FakeWal();
  const names: string[] = [];
  const starts: bigint[] = [];
  for (const [index, link] of links.entries()) {
    const startLsn = wal.filler(100);
    const stopLsn = wal.filler(100);
    const time = instantFromMs(Date.UTC(2026, 10, 22, index));
    const parent = index === 0 ? undefined : (link.parent ?? index - 1);
    const from = parent === undefined ? undefined : names[parent];
    const segment = (index + 1).toString(16).toUpperCase().padStart(24, '0');
    const suffix = from === undefined ? '' : `_D_${parseBackupName(from)?.segment}`;
    const name = repository.backup({
      name: `base_${segment.replace(/^.{8}/, '00000001')}${suffix}`,
      startLsn,
      stopLsn,
      startTime: time,
      finishTime: time,
      tars: tarsOf(link),
      ...(link.isOld === true || link.hidesFiles === true ? {} : { filesMetadata: listOf(link) }),
      sentinel: {
        ...(link.isOld === true ? listOf(link) : {}),
        ...(parent === undefined
          ? {}
          : {
              DeltaFrom: names[parent] ?? '',
              DeltaFullName: names[0] ?? '',
              DeltaCount: index,
              [link.isOld === true ? 'DeltaFromLSN' : 'DeltaLSN']: starts[parent] ?? 0n,
            }),
        ...link.sentinel,
      },
    });
    names.push(name);
    starts.push(startLsn);
  }
  wal.commit(700, instantFromMs(0));
  repository.archive(wal);
  return names;
}

/** The tar of a file: files are spread over two. */
export function tarOf(path: string): string {
  return /[02468]$/.test(path) ? 'part_001.tar' : 'part_003.tar';
}

function tarsOf({ files, directories = [], isRemote = false }: ChainLink) {
  const slash = isRemote ? '' : '/';
  const tars: Record<string, FakeMember[]> = { 'part_001.tar': [], 'part_003.tar': [] };
  for (const path of directories) tars['part_001.tar']?.push({ name: `${slash}${path}/` });
  for (const [path, file] of Object.entries(files)) {
    const content = payloadOf(file);
    if (content === undefined || file.kind === 'skipped') continue;
    const mode = file.mode === undefined ? {} : { mode: file.mode };
    tars[tarOf(path)]?.push({ name: slash + path, content, ...mode });
  }
  return tars;
}

function payloadOf(file: ChainFile): Uint8Array | undefined {
  switch (file.kind) {
    case 'whole':
      return file.content;
    case 'skipped':
      return undefined;
    case 'increment':
      return incrementOf(file.fileBytes, file.pages);
  }
}

/** In any order of the pages. */
export function incrementOf(
  fileBytes: number,
  pages: readonly (readonly [number, Uint8Array])[],
): Uint8Array {
  const numbers = pages.map(([number]) => number);
  const head = encodeIncrementHead({ fileBytes, blocks: Uint32Array.from(numbers).toSorted() });
  numbers.forEach((number, index) => head.writeUInt32LE(number, 16 + 4 * index));
  return Buffer.concat([head, ...pages.map(([, page]) => page)]);
}

function listOf({ files, directories = [], forgets = [], ...link }: ChainLink): JsonObject {
  const { isRemote = false, hidesTars = false } = link;
  const slash = isRemote ? '' : '/';
  const listed = Object.entries(files).map(([path, { kind }]) => [
    slash + path,
    {
      IsIncremented: kind === 'increment',
      IsSkipped: kind === 'skipped',
      MTime: '2026-11-22T00:00:00Z',
      UpdatesCount: 0,
    },
  ]);
  const folders = isRemote
    ? []
    : directories.map((path) => [`/${path}`, { IsIncremented: false, IsSkipped: false }]);
  const tars = ['part_001.tar', 'part_003.tar'].map((tar) => [
    tar,
    Object.keys(files)
      .filter((path) => tarOf(path) === tar && !forgets.includes(path))
      .map((path) => slash + path),
  ]);
  return {
    Files: Object.fromEntries([...listed, ...folders]),
    ...(hidesTars ? {} : { TarFileSets: Object.fromEntries(tars) }),
  };
}
