import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { openModelStore } from './model-store.ts';
import type { StoredObject } from './s3-model/state.ts';
import { openTestStore, type StoreKind } from './store.ts';

/** An archive (lz4) of which single files can fail. Each change lasts until `heal`. */
export interface BreakableArchive extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
  /** The store fails whenever it is asked for the file. */
  breakAt(name: string): void;
  /** The file has a flipped bit. */
  damage(name: string): void;
  /** The file is not there. */
  hide(name: string): void;
  /** The archive ends before the file: neither it nor anything behind it is there. */
  endBefore(name: string): void;
  /** Everything is as before. */
  heal(): void;
}

export function openBreakableArchive(kind: StoreKind): Promise<BreakableArchive> {
  return kind === 's3' ? onModel() : inDirectory();
}

async function onModel(): Promise<BreakableArchive> {
  const store = await openModelStore();
  const taken = new Map<string, StoredObject>();
  const bucket = store.model.state.buckets.values().next().value;
  if (bucket === undefined) throw new Error('the model has no bucket');
  const take = (name: string): { key: string; object: StoredObject } => {
    const key = `main/wal_005/${name}.lz4`;
    const object = bucket.objects.get(key);
    if (object === undefined) throw new Error(`there is no ${key}`);
    taken.set(key, object);
    return { key, object };
  };
  const hide = (name: string): void => void bucket.objects.delete(take(name).key);
  return {
    env: store.env,
    breakAt: (name) => {
      const fault = { kind: 'status', status: 503, code: 'ServiceUnavailable' } as const;
      store.model.addRule({ key: new RegExp(name), times: 1e9, fault });
    },
    damage: (name) => {
      const { key, object } = take(name);
      bucket.objects.set(key, { ...object, body: flipped(object.body) });
    },
    hide,
    endBefore: (name) => {
      const names = [...bucket.objects.keys()].map((key) => basename(key, '.lz4'));
      for (const each of namesFrom(names, name)) hide(each);
    },
    heal: () => {
      store.recover();
      for (const [key, object] of taken) bucket.objects.set(key, object);
      taken.clear();
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

async function inDirectory(): Promise<BreakableArchive> {
  const store = await openTestStore('directory');
  const undo: (() => void)[] = [];
  const folder = join(store.env['WALG_FILE_PREFIX'] ?? '', 'wal_005');
  const pathOf = (name: string): string => join(folder, `${name}.lz4`);
  const hide = (name: string): void => {
    const path = pathOf(name);
    const aside = join(folder, '..', name);
    renameSync(path, aside);
    undo.push(() => renameSync(aside, path));
  };
  return {
    env: store.env,
    breakAt: (name) => {
      // Of a file that is not there nobody learns so who may not look into the folder.
      const closed = existsSync(pathOf(name)) ? pathOf(name) : folder;
      const { mode } = statSync(closed);
      chmodSync(closed, 0);
      undo.push(() => chmodSync(closed, mode));
    },
    damage: (name) => {
      const path = pathOf(name);
      const whole = readFileSync(path);
      writeFileSync(path, flipped(whole));
      undo.push(() => writeFileSync(path, whole));
    },
    hide,
    endBefore: (name) => {
      const names = readdirSync(folder).map((file) => basename(file, '.lz4'));
      for (const each of namesFrom(names, name)) hide(each);
    },
    heal: () => {
      for (const step of undo.splice(0).reverse()) step();
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** Of these, the segments from one on. */
function namesFrom(names: readonly string[], from: string): string[] {
  return names.filter((name) => /^[0-9A-F]{24}$/.test(name) && name >= from);
}

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  const middle = copy.length >> 1;
  copy.writeUInt8(copy.readUInt8(middle) ^ 1, middle);
  return copy;
}
