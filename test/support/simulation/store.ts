import { TsbkError } from '@tsbk/core/kernel/errors';
import { instantFromMs } from '@tsbk/core/kernel/instant';
import type { BlobInfo, BlobStore, Upload } from '@tsbk/core/ports/blob-store';
import type { ByteSource } from '@tsbk/core/ports/bytes';

const MIB = 1024 ** 2;
/** Those of S3. */
const LIMITS = { partBytesMin: 5 * MIB, partBytesMax: 5 * 1024 * MIB, partsMax: 10_000 };

export interface SimulatedStoreOptions {
  /** Where everything goes but the parts of backups. */
  readonly records: BlobStore;
  /** Makes the stored bytes of a part again. */
  readonly remake: (key: string) => ByteSource;
  /** Length of a part that another thread has stored. */
  readonly storedBytes?: (key: string) => number;
  readonly limits?: BlobStore['limits'];
}

export interface SimulatedStore extends BlobStore {
  /** A part is there that another thread has stored. */
  learn(key: string, bytes: number): void;
}

/**
 * A store that takes no disk for the parts of backups: it counts what it is sent, holds uploads to
 * the limits of S3, and makes the bytes again when they are asked for.
 */
export function simulatedStore(options: SimulatedStoreOptions): SimulatedStore {
  const { records, remake, storedBytes, limits = LIMITS } = options;
  const parts = new Map<string, BlobInfo>();
  const infoOf = (key: string, bytes: number): BlobInfo => ({
    key,
    bytes,
    modified: instantFromMs(0),
    version: key,
  });
  const isPart = (key: string): boolean => key.includes('/tar_partitions/part_');
  const keep = (key: string, bytes: number): 'stored' | 'exists' => {
    if (parts.has(key)) return 'exists';
    parts.set(key, infoOf(key, bytes));
    return 'stored';
  };
  return {
    ...records,
    learn: (key, bytes) => void parts.set(key, infoOf(key, bytes)),
    url: 'simulated:',
    limits,
    stat: async (key, call) => (isPart(key) ? parts.get(key) : await records.stat(key, call)),
    confirm: async (key, call) => (isPart(key) ? parts.has(key) : await records.confirm(key, call)),
    get: async (key, call) => {
      if (!isPart(key)) return await records.get(key, call);
      const bytes = parts.get(key)?.bytes ?? storedBytes?.(key);
      return bytes === undefined ? undefined : { info: infoOf(key, bytes), body: remake(key) };
    },
    put: async (key, bytes, call) =>
      isPart(key) ? keep(key, bytes.length) : await records.put(key, bytes, call),
    upload: async (key, call) =>
      isPart(key) ? countingUpload(key, { keep, limits }) : await records.upload(key, call),
    list: async function* (prefix, call) {
      const found = [...parts.values()].filter(({ key }) => key.startsWith(prefix));
      if (call.shallow !== true) for (const info of found) yield info;
      for await (const info of records.list(prefix, call)) yield info;
    },
    remove: async (key, call) => {
      if (!parts.delete(key)) await records.remove(key, call);
    },
  };
}

/** Refuses what S3 would refuse. */
function countingUpload(
  key: string,
  {
    keep,
    limits,
  }: {
    readonly keep: (key: string, bytes: number) => 'stored' | 'exists';
    readonly limits: BlobStore['limits'];
  },
): Upload {
  const sizes: number[] = [];
  let bytes = 0;
  return {
    part: async ({ number, offset, bytes: content }) => {
      const before = sizes.reduce((sum, size) => sum + size, 0);
      sizes[number - 1] = content.length;
      bytes += content.length;
      const isFit = content.length <= limits.partBytesMax && number <= limits.partsMax;
      if (!isFit || (number === sizes.length && offset < before)) throw refused(key, number);
    },
    complete: async () => {
      const short = sizes.slice(0, -1).findIndex((size) => size < limits.partBytesMin);
      if (short !== -1 || sizes.includes(0)) throw refused(key, short + 1);
      return keep(key, bytes);
    },
    abort: async () => {},
  };
}

function refused(key: string, part: number): TsbkError {
  return new TsbkError('store-failed', `part ${part} of ${key} is not within the limits`);
}
