/** What takes received WAL in: never says "durable" of what is not, and never lets memory grow. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isTsbkError, TsbkError } from '@tsbk/core/kernel/errors';
import { toLsn, type Lsn } from '@tsbk/core/kernel/lsn';
import { toSystemId } from '@tsbk/core/kernel/system-id';
import type { BlobStore } from '@tsbk/core/ports/blob-store';
import { WalIntake, type IntakeOptions } from '@tsbk/core/receive/intake';
import type { Repository } from '@tsbk/core/repository/repository';
import { findWal, openWal } from '@tsbk/core/repository/wal-archive';
import { openPieces, segmentsWithPieces } from '@tsbk/core/repository/wal-pieces';
import { orAbort } from '@tsbk/core/stream/abort';
import { collect } from '@tsbk/core/stream/collect';
import { realClock } from './support/clock.ts';
import { eventually } from './support/eventually.ts';
import { tempDirectory, type TempDirectory } from './support/temp-directory.ts';
import { openDirectory } from './support/walg-cases.ts';
import { segmentContent, segmentName, SYSTEM_ID } from './support/wal-file.ts';

const MIB = 1024 * 1024;
const { signal } = new AbortController();
/** Where the first segment of the tests begins. */
const START = toLsn(2 * MIB);

/** A store that can be taken away: writing fails as if nobody answered. */
function breakable(store: BlobStore): BlobStore & { isAway: boolean; puts: string[] } {
  const puts: string[] = [];
  const broken = {
    ...store,
    isAway: false,
    puts,
    put: async (key: string, bytes: Uint8Array, options: Parameters<BlobStore['put']>[2]) => {
      if (broken.isAway) throw new TsbkError('store-unreachable', 'the store is away');
      puts.push(key);
      return await store.put(key, bytes, options);
    },
  };
  return broken;
}

describe('the intake of received WAL', () => {
  let directory: TempDirectory;
  let repository: Repository;
  let store: ReturnType<typeof breakable>;

  beforeEach(async () => {
    directory = await tempDirectory();
    const opened = await openDirectory(directory.path);
    store = breakable(opened.store);
    repository = { ...opened, store };
  });
  afterEach(() => directory[Symbol.asyncDispose]());

  const open = (options: Partial<IntakeOptions> = {}): WalIntake =>
    new WalIntake({
      repository,
      timeline: 1,
      start: START,
      segmentBytes: MIB,
      systemId: toSystemId(SYSTEM_ID),
      run: '00000000000000aa',
      flushMs: 5,
      flushBytes: 64 * 1024,
      scratchDirectory: directory.path,
      clock: realClock,
      report: () => {},
      signal,
      onDurable: () => {},
      ...options,
    });

  /** Segments 2, 3, … one after the other. */
  const wal = (segments: number): Buffer =>
    Buffer.concat(Array.from({ length: segments }, (_, n) => segmentContent(segmentName(n + 2))));

  const again = (error: unknown): undefined => {
    if (!isTsbkError(error, 'object-missing')) throw error;
  };

  /** Up to where a reader of the repository alone can get. */
  async function proven(): Promise<Lsn> {
    for (let number = 2; ; number += 1) {
      const name = segmentName(number);
      if ((await findWal(repository, name, { signal })) !== undefined) continue;
      const prefix = await openPieces(repository, name, { signal }).catch(again);
      // Folded meanwhile: whoever looks for pieces looks for the whole once more.
      if (prefix?.bytes === MIB || (await findWal(repository, name, { signal }))) continue;
      return toLsn(number * MIB + (prefix?.bytes ?? 0));
    }
  }

  test('says that WAL is durable only when a reader of the repository gets it', async () => {
    const content = wal(3);
    const seen: Lsn[] = [];
    await using intake = open({ onDurable: () => void seen.push(intake.position.flush) });
    let checks = 0;
    for (let at = 0; at < content.length;) {
      const bytes = Math.min(7000 + ((at * 31) % 90_000), content.length - at);
      await intake.append(toLsn(START + BigInt(at)), content.subarray(at, at + bytes));
      at += bytes;
      await sleep(2);
      const { flush } = intake.position;
      if (at % 3 !== 0) continue;
      assert.ok(flush <= (await proven()), 'less is there than was said');
      checks += 1;
    }
    await intake.drained({ signal });
    assert.equal(intake.position.flush, START + BigInt(content.length));
    assert.equal(await proven(), START + BigInt(content.length));
    assert.ok(checks > 5 && seen.length > 5);
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => Number(a - b)),
    );
  });

  test('archives each whole segment as it was sent, and leaves no piece of it', async () => {
    const content = wal(2);
    await using intake = open();
    for (let at = 0; at < content.length; at += 50_000) {
      await intake.append(toLsn(START + BigInt(at)), content.subarray(at, at + 50_000));
      await sleep(1);
    }
    await intake.drained({ signal });
    for (const [index, name] of [segmentName(2), segmentName(3)].entries()) {
      await eventually(`${name} is archived`, () => findWal(repository, name, { signal }));
      const opened = await openWal(repository, name, { signal });
      assert.ok(opened !== undefined);
      const bytes = await collect(opened.content, { maxBytes: MIB, what: name });
      assert.ok(bytes.equals(content.subarray(index * MIB, (index + 1) * MIB)));
    }
    assert.ok(store.puts.some((key) => key.startsWith('tsbk_wal_pieces/')));
    await eventually('no pieces are left', async () => {
      for await (const _ of segmentsWithPieces(repository, { signal })) return undefined;
      return true;
    });
  });

  test('keeps whoever appends waiting while the store is away, and loses nothing of it', async () => {
    const content = wal(6);
    store.isAway = true;
    await using intake = open();
    let appended = 0;
    const work = (async () => {
      for (let at = 0; at < content.length; at += 65_536) {
        await intake.append(toLsn(START + BigInt(at)), content.subarray(at, at + 65_536));
        appended = at + 65_536;
      }
    })();
    await sleep(300);
    assert.equal(appended, 4 * MIB, 'four segments are held at most');
    assert.equal(intake.position.flush, START);
    store.isAway = false;
    await work;
    await intake.drained({ signal });
    assert.equal(await proven(), START + BigInt(content.length));
  });

  test('makes no pieces of segments of which the server has the end already', async () => {
    const content = wal(3);
    await using intake = open();
    intake.heardServerEnd(toLsn(START + BigInt(content.length)));
    await intake.append(START, content.subarray(0, MIB + 300_000));
    await sleep(100);
    assert.deepEqual(
      store.puts.filter((key) => key.startsWith('tsbk_wal_pieces/')),
      [],
    );
    await intake.append(toLsn(START + BigInt(MIB + 300_000)), content.subarray(MIB + 300_000));
    await intake.drained({ signal });
    assert.equal(await proven(), START + BigInt(content.length));
  });

  test('holds segments of more than 16 MiB in a file, and stores them the same', async () => {
    const segmentBytes = 32 * MIB;
    const name = '000000010000000000000001';
    const content = segmentContent(name, { segmentBytes });
    await using intake = open({ segmentBytes, start: toLsn(segmentBytes) });
    for (let at = 0; at < content.length; at += MIB) {
      await intake.append(toLsn(segmentBytes + at), content.subarray(at, at + MIB));
    }
    await intake.drained({ signal });
    const found = await eventually('it is archived', () => openWal(repository, name, { signal }));
    const bytes = await collect(found.content, { maxBytes: segmentBytes, what: name });
    assert.ok(bytes.equals(content));
  });

  test('never says of a whole segment that it is durable while a host that cannot read has pieces only', async () => {
    const content = wal(1);
    const unreadable = new TsbkError('key-missing', 'only the public key is here');
    const real = repository.store;
    const slow: BlobStore = {
      ...real,
      // The whole segment never gets there.
      put: async (key, bytes, options) => {
        if (key.startsWith('wal_005/')) await orAbort(new Promise(() => {}), options.signal);
        return await real.put(key, bytes, options);
      },
    };
    const blind = { ...repository, store: slow, cipher: { ...repository.cipher, unreadable } };
    await using intake = open({ repository: blind });
    await intake.append(START, content.subarray(0, 900_000));
    await intake.drained({ signal });
    await intake.append(toLsn(START + 900_000n), content.subarray(900_000));
    const almost = START + BigInt(MIB - 1);
    await eventually('all but the last byte is durable', async () =>
      intake.position.flush === almost ? true : undefined,
    );
  });

  test('refuses WAL that does not follow on what it has', async () => {
    await using intake = open();
    await assert.rejects(intake.append(toLsn(START + 8192n), Buffer.alloc(10)), (error) =>
      isTsbkError(error, 'protocol-violation'),
    );
  });

  test('fails for good when another history of a segment is archived', async () => {
    const name = segmentName(2);
    {
      await using first = open();
      await first.append(START, segmentContent(name, { seed: 'other' }));
      await first.drained({ signal });
      await eventually('it is archived', () => findWal(repository, name, { signal }));
    }
    await using intake = open({ run: '00000000000000bb' });
    await intake.append(START, segmentContent(name));
    await eventually('it fails', async () => (intake.failed.aborted ? true : undefined));
    assert.ok(isTsbkError(intake.failed.reason, 'wal-conflict'));
  });
});
