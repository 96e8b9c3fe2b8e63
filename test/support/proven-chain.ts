import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { crc32c, crc32cHex } from '@tsbk/core/format/crc32c';
import { formatManifest } from '@tsbk/core/format/format-manifest';
import type { ManifestFile } from '@tsbk/core/format/manifest';
import { instantFromMs } from '@tsbk/core/kernel/instant';
import { toSystemId } from '@tsbk/core/kernel/system-id';
import { formatSideRecord } from '@tsbk/core/repository/side-record';
import { collect } from '@tsbk/core/stream/collect';
import { storeChain, incrementOf, page, PAGE, type ChainFile } from './fake-chain.ts';
import { FAKE_SYSTEM_ID, fakeControlFile, type FakeRepository } from './fake-repository.ts';
import { treeOf } from './file-tree.ts';
import type { Seeded } from './seeded.ts';

/** A full backup and deltas on it, each object proven by a side record as those of tsbk are. */
export interface ProvenChain {
  /** The full one first. */
  readonly names: readonly string[];
  /** What a restore of the newest must put below `base`, by path. */
  readonly files: ReadonlyMap<string, Buffer>;
}

export interface ProvenChainOptions {
  readonly files: number;
  /** Of each file in the full backup. */
  readonly pages: number;
}

const LINKS = 3;
const DIRECTORIES = ['', 'base', 'base/1', 'global', 'pg_xact', 'pg_wal', 'pg_tblspc'];
const SEGMENT_BYTES = 1024 * 1024;

/** Stores such a chain: of each file some pages come from each backup. */
export async function storeProvenChain(
  repository: FakeRepository,
  random: Seeded,
  options: ProvenChainOptions,
): Promise<ProvenChain> {
  const state = new Map<string, Buffer[]>();
  const links = Array.from({ length: LINKS }, (_, link) => {
    const files: Record<string, ChainFile> = {};
    for (let number = 0; number < options.files; number += 1) {
      const path = `base/1/${1000 + number}`;
      files[path] = link === 0 ? fill(state, path, options) : grow(state, path, { link, random });
    }
    return { files: { PG_VERSION: VERSION, ...files }, directories: DIRECTORIES };
  });
  const names = storeChain(repository, links);
  const control: ChainFile = { kind: 'whole', content: fakeControlFile() };
  const listed = { ...links.at(-1)?.files, 'global/pg_control': control };
  await storeManifest(repository, names.at(-1) ?? '', listed);
  for (const name of names) storeSide(repository, name);
  const files = new Map([...state].map(([path, pages]) => [path, Buffer.concat(pages)]));
  return { names, files };
}

const VERSION: ChainFile = { kind: 'whole', content: Buffer.from('17\n') };

type State = Map<string, Buffer[]>;

function fill(state: State, path: string, { pages }: ProvenChainOptions): ChainFile {
  const made = Array.from({ length: pages }, (_, number) => pageOf(path, 0, number));
  state.set(path, made);
  return { kind: 'whole', content: Buffer.concat(made) };
}

/** Some pages change, sometimes there are more; a few files are whole again. */
function grow(
  state: State,
  path: string,
  { link, random }: { readonly link: number; readonly random: Seeded },
): ChainFile {
  const pages = state.get(path) ?? [];
  const before = pages.length;
  const changed = new Map<number, Buffer>();
  for (let count = random.below(4); count > 0; count -= 1) {
    const number = random.below(before);
    changed.set(number, pageOf(path, link, number));
  }
  if (random.below(3) === 0) changed.set(before, pageOf(path, link, before));
  for (const [number, content] of changed) pages[number] = content;
  if (random.below(8) === 0) return { kind: 'whole', content: Buffer.concat(pages) };
  return { kind: 'increment', fileBytes: pages.length * PAGE, pages: [...changed] };
}

function pageOf(path: string, link: number, number: number): Buffer {
  return Buffer.from(page(`${path} page ${number} of backup ${link}; `));
}

async function storeManifest(
  repository: FakeRepository,
  name: string,
  of: Readonly<Record<string, ChainFile>>,
): Promise<void> {
  const files = Object.entries(of).flatMap(([path, file]): ManifestFile[] => {
    if (file.kind === 'skipped') return [];
    const isWhole = file.kind === 'whole';
    const content = isWhole ? file.content : incrementOf(file.fileBytes, file.pages);
    return [
      {
        path: isWhole ? path : path.replace(/(\d+)$/, 'INCREMENTAL.$1'),
        bytes: content.length,
        modified: instantFromMs(0),
        checksumAlgorithm: 'CRC32C',
        checksum: crc32cHex(crc32c(content)),
      },
    ];
  });
  const systemId = toSystemId(FAKE_SYSTEM_ID);
  const manifest = formatManifest({ systemId, walRanges: [], files });
  const bytes = await collect(manifest, { maxBytes: 1e7, what: 'manifest' });
  repository.put(`basebackups_005/${name}/backup_manifest`, bytes);
}

/** Lengths and hashes of everything that the backup's folder has. */
function storeSide(repository: FakeRepository, name: string): void {
  const folder = `basebackups_005/${name}/`;
  const root = join(repository.root, folder);
  const receipts = readdirSync(root, { recursive: true })
    .map(String)
    .filter((path) => statSync(join(root, path)).isFile() && path !== 'files_metadata.json')
    .map((path) => {
      const content = readFileSync(join(root, path));
      const sha256 = createHash('sha256').update(content).digest('hex');
      const id = { bytes: content.length, sha256 };
      return { key: folder + path, plain: id, stored: id };
    });
  const segment = /base_(\w{24})/.exec(name)?.[1] ?? '';
  const record = {
    tool: 'tsbk test',
    run: 'run',
    codec: 'none',
    cipher: 'none',
    keyId: undefined,
    segmentBytes: SEGMENT_BYTES,
    timeline: 1,
    walFirst: segment,
    walLast: segment,
    delta: undefined,
  };
  repository.put(`${folder}tsbk.json`, formatSideRecord(record, folder, receipts));
}

/** What is wrong with a restored directory, by path; nothing if it is what the chain has, and complete. */
export function faultsOf({ files }: ProvenChain, directory: string): string[] {
  const faults: string[] = [];
  const at = (path: string): string => join(directory, path);
  if (!existsSync(at('global/pg_control'))) faults.push('no global/pg_control');
  if (!existsSync(at('backup_label'))) faults.push('no backup_label');
  if (existsSync(at('tsbk_restore_incomplete'))) faults.push('still marked');
  for (const [path, content] of files) {
    if (!existsSync(at(path))) faults.push(`no ${path}`);
    else if (!readFileSync(at(path)).equals(content)) faults.push(`other content: ${path}`);
  }
  const found = existsSync(at('base')) ? treeOf(at('base')) : [];
  for (const { path, kind } of found) {
    if (kind === 'file' && !files.has(`base/${path}`)) faults.push(`not of the backup: ${path}`);
  }
  return faults;
}

/** Whether somebody could take it for a restored one: nothing says that it is not complete. */
export function looksWhole(directory: string): boolean {
  return existsSync(join(directory, 'global/pg_control'));
}
