/** Memory does not depend on how large a cluster is: simulated ones, in processes of their own. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { putStream } from '@tsbk/core/repository/put-stream';
import { openFileStore } from '@tsbk/core/storage/file/open';
import { realClock } from './support/clock.ts';
import type { ScaleResult } from './support/simulation/run.ts';
import { simulatedStore } from './support/simulation/store.ts';

const SCRIPT = resolve(import.meta.dirname, '../bench/scale.ts');
const MIB = 1024 ** 2;

async function simulate(options: Readonly<Record<string, string>>): Promise<ScaleResult> {
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const args = [SCRIPT, '--json', ...flags];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 16 * MIB });
  return JSON.parse(stdout) as ScaleResult;
}

/** The most that any mark of a phase has, of those from `from` to `to` (shares of the phase). */
function most(
  result: ScaleResult,
  of: 'rssBytes' | 'heapBytes',
  { phase, from = 0, to = 1 }: { phase?: string; from?: number; to?: number } = {},
): number {
  const phases = result.phases.filter(({ name }) => phase === undefined || name === phase);
  const marks = phases.flatMap((each) => each.marks);
  const within = marks.filter(({ share }) => share >= from && share <= to);
  assert.ok(within.length > 0);
  return Math.max(...within.map((mark) => mark[of] ?? Number.NaN));
}

describe('memory', () => {
  it('stays within its bound and where it is while a large backup is made and restored', async () => {
    const result = await simulate({ bytes: '2GiB', files: '40', codec: 'none' });
    assert.deepEqual(
      result.phases.map(({ name }) => name),
      ['push', 'fetch'],
    );
    assert.ok(most(result, 'rssBytes') < 300 * MIB);
    for (const phase of ['push', 'fetch']) {
      const early = most(result, 'rssBytes', { phase, to: 0.5 });
      const late = most(result, 'rssBytes', { phase, from: 0.5 });
      assert.ok(late < early + 48 * MIB, `${phase}: ${early} bytes, then ${late}`);
    }
  });

  it('holds nothing of a file once it is backed up', async () => {
    // Enough files to fill whatever is bounded.
    const few = await simulate({ bytes: '15000KiB', files: '30000', until: 'push' });
    const many = await simulate({ bytes: '30000KiB', files: '60000', until: 'push' });
    const perFile = (most(many, 'heapBytes') - most(few, 'heapBytes')) / 30_000;
    assert.ok(perFile < 50, `${perFile} bytes a file`);
  });

  it('holds little of a file that is restored', async () => {
    const few = await simulate({ bytes: '1500KiB', files: '3000' });
    const many = await simulate({ bytes: '6000KiB', files: '12000' });
    const of = { phase: 'fetch' };
    const perFile = (most(many, 'heapBytes', of) - most(few, 'heapBytes', of)) / 9000;
    assert.ok(perFile < 150, `${perFile} bytes a file`);
  });
});

describe('an object in parts', () => {
  const limits = {
    partBytesMin: 1024,
    partBytesMax: 64 * 1024,
    partsMax: 10_000,
    objectBytesMax: 200 * MIB,
  };
  const records = openFileStore({ root: '/nowhere' }, { clock: realClock });
  const { signal } = new AbortController();

  async function put(bytes: number): Promise<number> {
    const remake = (): never => assert.fail('nobody reads');
    const store = simulatedStore({ records, remake, limits });
    const chunk = 64 * 1024;
    async function* source() {
      for (let at = 0; at < bytes; at += chunk) yield Buffer.alloc(Math.min(chunk, bytes - at));
    }
    const key = 'basebackups_005/b/tar_partitions/part_001.tar';
    const options = { signal, partBytes: 4096, partsInFlight: 2 };
    await putStream(store, key, source(), options);
    return (await store.stat(key, { signal }))?.bytes ?? -1;
  }

  it('can be as long as the store allows, though nobody knew its length', async () => {
    assert.equal(await put(limits.objectBytesMax), limits.objectBytesMax);
    assert.equal(await put(5000), 5000);
  });

  it('cannot be longer: that is an error, and nothing is stored', async () => {
    await assert.rejects(put(2 * limits.objectBytesMax), /more than 10000 parts/);
  });
});
