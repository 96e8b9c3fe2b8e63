import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { crc32c, crc32cHex } from '@tsbk/core/format/crc32c';
import { formatManifest } from '@tsbk/core/format/format-manifest';
import { isPagedFile } from '@tsbk/core/format/increment/paged-file';
import { asObject } from '@tsbk/core/format/json-fields';
import { parseJson, stringifyJson, type JsonObject } from '@tsbk/core/format/json';
import { parseManifest, type ManifestFile } from '@tsbk/core/format/manifest';
import { collect } from '@tsbk/core/stream/collect';
import { incrementOf, PAGE, type ChainFile } from './fake-chain.ts';
import { fakeTar, type FakeMember } from './fake-repository.ts';

/** A full backup in a repository that is a directory, and what it restores to. */
export interface WholeBackup {
  readonly name: string;
  readonly directory: string;
}

/** How many files a delta stores in which way. */
export type Kinds = Record<ChainFile['kind'], number>;

/** Files that lie in tars of their own. */
const APART = new Set(['global/pg_control', 'backup_label', 'tablespace_map']);

/**
 * Makes a delta of a full backup, in place, by comparing what it and its parent restore to: the
 * label and `pg_control` stay in their tars, everything else goes into a new one. Its manifest has
 * lines as PostgreSQL makes them for increments, with sums that nobody can check.
 */
export async function deltify(
  root: string,
  { parent, child }: { readonly parent: WholeBackup; readonly child: WholeBackup },
): Promise<Kinds> {
  const folder = join(root, 'basebackups_005', child.name);
  const manifest = parseManifest(
    readFileSync(join(child.directory, 'backup_manifest')),
    'backup_manifest',
  );
  const kinds: Kinds = { whole: 0, increment: 0, skipped: 0 };
  const members: FakeMember[] = [];
  const listed: [string, JsonObject][] = [];
  const lines: ManifestFile[] = [];
  for (const file of manifest.files) {
    if (APART.has(file.path)) {
      lines.push(file);
      continue;
    }
    const stored = storedAs(file.path, { parent, child });
    kinds[stored.kind] += 1;
    listed.push([
      `/${file.path}`,
      { IsIncremented: stored.kind === 'increment', IsSkipped: stored.kind === 'skipped' },
    ]);
    const content = payloadOf(stored);
    if (content !== undefined) members.push({ name: `/${file.path}`, content });
    lines.push(
      stored.kind === 'increment' && content !== undefined ? incremental(file, content) : file,
    );
  }
  const directories = readdirSync(child.directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(child.directory.length));
  members.unshift(...directories.map((path) => ({ name: `${path}/` })), { name: '/' });
  listed.push(...directories.map((path): [string, JsonObject] => [path, {}]));

  for (const name of readdirSync(join(folder, 'tar_partitions'))) {
    if (name.startsWith('part_')) rmSync(join(folder, 'tar_partitions', name));
  }
  for (const name of readdirSync(folder)) {
    if (/^(?:tsbk\.json|backup_manifest)/.test(name)) rmSync(join(folder, name));
  }
  writeFileSync(join(folder, 'tar_partitions/part_001.tar'), fakeTar(members));
  writeFileSync(
    join(folder, 'files_metadata.json'),
    stringifyJson({ Files: Object.fromEntries(listed) }),
  );
  const made = await collect(formatManifest({ ...manifest, files: lines }), {
    maxBytes: 2 ** 28,
    what: 'manifest',
  });
  writeFileSync(join(folder, 'backup_manifest'), made);
  const [sentinel, parents] = [child, parent].map(({ name }) =>
    join(root, 'basebackups_005', `${name}_backup_stop_sentinel.json`),
  );
  const read = (path = ''): JsonObject =>
    asObject(parseJson(readFileSync(path, 'utf8'), { what: path }), path);
  writeFileSync(
    sentinel ?? '',
    stringifyJson({
      ...read(sentinel),
      DeltaFrom: parent.name,
      DeltaFullName: parent.name,
      DeltaCount: 1,
      DeltaLSN: read(parents)['LSN'] ?? null,
    }),
  );
  return kinds;
}

function storedAs(
  path: string,
  { parent, child }: { readonly parent: WholeBackup; readonly child: WholeBackup },
): ChainFile {
  const content = readFileSync(join(child.directory, path));
  const before = join(parent.directory, path);
  if (!existsSync(before)) return { kind: 'whole', content };
  const old = readFileSync(before);
  if (old.equals(content)) return { kind: 'skipped' };
  if (!isPagedFile(path, content.length)) return { kind: 'whole', content };
  const pages: (readonly [number, Uint8Array])[] = [];
  for (let number = 0; number * PAGE < content.length; number += 1) {
    const page = content.subarray(number * PAGE, (number + 1) * PAGE);
    if (!page.equals(old.subarray(number * PAGE, (number + 1) * PAGE))) pages.push([number, page]);
  }
  return { kind: 'increment', fileBytes: content.length, pages };
}

function payloadOf(file: ChainFile): Uint8Array | undefined {
  if (file.kind === 'skipped') return undefined;
  return file.kind === 'whole' ? file.content : incrementOf(file.fileBytes, file.pages);
}

function incremental(file: ManifestFile, payload: Uint8Array): ManifestFile {
  const path = join(dirname(file.path), `INCREMENTAL.${file.path.replace(/^.*\//, '')}`);
  return { ...file, path, bytes: payload.length, checksum: crc32cHex(crc32c(payload)) };
}
