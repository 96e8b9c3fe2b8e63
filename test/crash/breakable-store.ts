import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { openModelStore } from '../support/model-store.ts';
import { giveToServerUser, scratchPath } from '../support/postgres.ts';
import type { Rule } from '../support/s3-model/rules.ts';
import { createBucket, storedBytes, type StoredObject } from '../support/s3-model/state.ts';

interface StoredWal {
  readonly body: Buffer;
  /** Another one for whatever was written again, with the same bytes too. */
  readonly writtenAs: string;
}

/** The repository of a campaign, looked at and broken from outside. */
export interface BreakableStore extends AsyncDisposable {
  readonly kind: 's3' | 'directory';
  readonly env: Readonly<Record<string, string>>;
  /** Objects of the folder of WAL by their name in it, as they are stored. Throws if one was replaced. */
  walObjects(): ReadonlyMap<string, StoredWal>;
  /** S3 only. */
  addRule(rule: Rule): void;
  /** Requests that met the fault of a rule so far. */
  struck(): number;
  /** Leaves room for `bytes` only. */
  fill(bytes: number): void;
  /** There is room again. */
  empty(): void;
  /** Nothing fails any more. */
  heal(): void;
}

const BUCKET = 'tsbk-model';
const WAL_FOLDER = 'main/wal_005/';

export async function openS3(): Promise<BreakableStore> {
  const store = await openModelStore();
  const { model } = store;
  const objects = new WatchedObjects();
  model.state.buckets.set(BUCKET, { ...createBucket(BUCKET), objects });
  const writtenAs = numbersOf();
  return {
    kind: 's3',
    env: store.env,
    walObjects: () => {
      if (objects.replaced.size > 0) {
        throw new Error(`replaced in the archive: ${[...objects.replaced].join(' ')}`);
      }
      const found = [...objects].filter(([key]) => key.startsWith(WAL_FOLDER));
      return new Map(
        found.map(([key, object]) => {
          const { body } = object;
          return [key.slice(WAL_FOLDER.length), { body, writtenAs: writtenAs(object) }];
        }),
      );
    },
    addRule: (rule) => model.addRule(rule),
    struck: () => model.struck(),
    fill: (bytes) => (model.state.modes.quotaBytes = storedBytes(model.state) + bytes),
    empty: () => (model.state.modes.quotaBytes = Number.POSITIVE_INFINITY),
    heal: () => model.clearRules(),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** Notices what is written over, even if it is with the same bytes and between two looks. */
class WatchedObjects extends Map<string, StoredObject> {
  readonly replaced = new Set<string>();

  override set(key: string, object: StoredObject): this {
    const before = this.get(key);
    const isWal = key.startsWith(WAL_FOLDER);
    if (isWal && before !== undefined && before !== object) this.replaced.add(key);
    return super.set(key, object);
  }
}

/** A number for each object that it meets. */
function numbersOf(): (thing: object) => string {
  const known = new WeakMap<object, string>();
  let count = 0;
  return (thing) => {
    const number = known.get(thing) ?? String((count += 1));
    known.set(thing, number);
    return number;
  };
}

/** A directory; on a file system of its own that can be filled, when this process is root. */
export async function openDirectory(): Promise<BreakableStore> {
  const disk = openSmallDisk('128m');
  const root = join(disk.path, 'repository');
  mkdirSync(root, { mode: 0o700 });
  giveToServerUser(root);
  const folder = join(root, 'wal_005');
  return {
    kind: 'directory',
    env: { WALG_FILE_PREFIX: root },
    walObjects: () => {
      const names = existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : [];
      // What is being written may be gone before it is looked at, and is nothing yet.
      const files = names
        .filter((entry) => entry.isFile() && !entry.name.includes('.tmp.'))
        .map(({ name }) => name);
      return new Map(
        files.map((name) => {
          const path = join(folder, name);
          const { ino, mtimeMs } = statSync(path);
          return [name, { body: readFileSync(path), writtenAs: `${ino} ${mtimeMs}` }];
        }),
      );
    },
    addRule: () => {
      throw new Error('a directory has no rules');
    },
    struck: () => 0,
    fill: (bytes) => disk.fill(bytes),
    empty: () => disk.empty(),
    heal: () => {},
    [Symbol.asyncDispose]: async () => disk.close(),
  };
}

/** Whether this process may mount file systems, so that one can be filled. */
export function canMount(): boolean {
  return process.getuid?.() === 0 && process.platform === 'linux';
}

export interface SmallDisk {
  readonly path: string;
  /** Leaves room for so many bytes only. */
  fill(spareBytes: number): void;
  empty(): void;
  close(): void;
}

const FILL_ATTEMPTS = 20;

/** A file system in memory of this size; a plain directory, which is never full, when not root. */
export function openSmallDisk(size: string): SmallDisk {
  const path = scratchPath('disk');
  mkdirSync(path, { mode: 0o755 });
  const mounted = canMount();
  if (mounted) execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=755`, 'tmpfs', path]);
  giveToServerUser(path);
  const filler = join(path, 'filler');
  const empty = (): void => rmSync(filler, { force: true });
  return {
    path,
    fill: (spareBytes) => {
      if (!mounted) return;
      // Others write meanwhile: what was free a moment ago may not be.
      for (let attempt = 1; ; attempt += 1) {
        empty();
        const { bavail, bsize } = statfsSync(path);
        const bytes = Number(bavail) * Number(bsize) - spareBytes;
        if (bytes <= 0) return;
        const { status } = spawnSync('fallocate', ['--length', String(bytes), filler]);
        if (status === 0) return;
        if (attempt === FILL_ATTEMPTS) throw new Error(`${path} could not be filled`);
      }
    },
    empty,
    close: () => {
      if (mounted) execFileSync('umount', ['--lazy', path]);
    },
  };
}
