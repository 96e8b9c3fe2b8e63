/** What a receiver does at its start with what earlier runs left, and where it goes on. */
import assert from 'node:assert/strict';
import { readdirSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import { toLsn, type Lsn } from '@tsbk/core/kernel/lsn';
import { toSystemId } from '@tsbk/core/kernel/system-id';
import type { ByteSource } from '@tsbk/core/ports/bytes';
import type { Report, ReportEvent } from '@tsbk/core/ports/report';
import type { ReceiveContext } from '@tsbk/core/receive/context';
import { findStart } from '@tsbk/core/receive/find-start';
import { tidyPieces } from '@tsbk/core/receive/tidy-pieces';
import type { Repository } from '@tsbk/core/repository/repository';
import { storeWal } from '@tsbk/core/repository/wal-archive';
import { segmentsWithPieces } from '@tsbk/core/repository/wal-pieces';
import { writePiece } from '@tsbk/core/repository/wal-piece';
import { collect } from '@tsbk/core/stream/collect';
import { sourceOf } from '@tsbk/core/stream/source';
import { realClock } from './support/clock.ts';
import { tempDirectory, type TempDirectory } from './support/temp-directory.ts';
import { segmentContent, segmentName, SYSTEM_ID } from './support/wal-file.ts';
import { openDirectory } from './support/walg-cases.ts';

const MIB = 1024 * 1024;
const { signal } = new AbortController();
const way = { timeline: 1, history: { timeline: 1, ancestors: [] }, segmentBytes: MIB };

describe('a receiver that begins', () => {
  let directory: TempDirectory;
  let repository: Repository;
  let events: ReportEvent[];
  const report: Report = (event) => void events.push(event);
  beforeEach(async () => {
    events = [];
    directory = await tempDirectory();
    repository = await openDirectory(directory.path);
  });
  afterEach(() => directory[Symbol.asyncDispose]());

  const archive = async (number: number, seed?: string): Promise<void> => {
    const name = segmentName(number);
    const content = segmentContent(name, seed === undefined ? {} : { seed });
    await storeWal(repository, { name, source: () => sourceOf(content) }, { signal });
  };
  const receive = async (number: number, to = 100_000, run = 'aa'): Promise<void> => {
    const segment = segmentName(number);
    const data = segmentContent(segment).subarray(0, to);
    const facts = { segmentBytes: MIB, systemId: toSystemId(SYSTEM_ID) };
    const piece = { segment, run: run.padStart(16, '0'), from: 0, to, data, ...facts };
    await writePiece(repository, piece, { signal });
  };
  const tidy = (): Promise<void> => {
    const context = { repository, signal, clock: realClock, report };
    return tidyPieces(context as unknown as ReceiveContext);
  };
  const pieces = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const name of segmentsWithPieces(repository, { signal })) found.push(name);
    return found;
  };
  const start = async (server: number, slot?: number): Promise<number> => {
    const lsn = (number: number): Lsn => toLsn(number * MIB);
    const slotLsn = slot === undefined ? undefined : lsn(slot);
    const request = { way, slotLsn, serverLsn: lsn(server) };
    return Number((await findStart(repository, request, { signal })).lsn) / MIB;
  };

  test('removes pieces whose segment is archived with their content', async () => {
    await receive(2);
    await archive(2);
    await tidy();
    assert.deepEqual(await pieces(), []);
  });

  test('keeps pieces, and stops, where the archive holds something else under the name', async () => {
    await receive(2);
    await archive(2, 'another server');
    await assert.rejects(tidy(), (error) => isTsbkError(error, 'wal-conflict'));
    assert.deepEqual(await pieces(), [segmentName(2)]);
  });

  test('keeps what is damaged of them, and says so', async () => {
    await receive(2);
    await receive(2, 50_000, 'bb');
    await archive(2);
    const folder = join(directory.path, 'tsbk_wal_pieces', segmentName(2));
    const [damaged = ''] = readdirSync(folder).filter((name) => name.includes('aa'));
    truncateSync(join(folder, damaged), 100);
    await tidy();
    assert.deepEqual(readdirSync(folder), [damaged]);
    assert.deepEqual(
      events.map((event) => event.kind === 'warning' && event.code),
      ['pieces-damaged'],
    );
  });

  // A piece is read once before, to prove what it is.
  for (const [what, folder, hits] of [
    ['the archived segment', 'wal_005/', [1, 2]],
    ['a piece', 'tsbk_wal_pieces/', [2]],
  ] as const) {
    test(`reads again what differs when ${what} has come damaged`, async () => {
      await receive(2);
      await archive(2);
      let reads = 0;
      const damaged: number[] = [];
      const { store } = repository;
      repository = {
        ...repository,
        store: {
          ...store,
          get: async (key, options) => {
            const blob = await store.get(key, options);
            if (blob === undefined || !key.startsWith(folder)) return blob;
            reads += 1;
            if (!hits.some((hit) => hit === reads)) return blob;
            damaged.push(reads);
            return { ...blob, body: flipped(blob.body, 1 / 25) };
          },
        },
      };
      await tidy();
      assert.deepEqual(damaged, hits);
      assert.deepEqual(await pieces(), []);
    });
  }

  test('goes on behind the last archived segment, and at the slot where there is one', async () => {
    for (const number of [2, 3, 4]) await archive(number);
    assert.equal(await start(9), 5);
    assert.equal(await start(9, 4), 5);
    assert.equal(await start(9, 6), 5);
  });

  test('goes back to a segment that was passed over by those stored after it', async () => {
    for (const number of [2, 3, 5, 6]) await archive(number);
    assert.equal(await start(9), 4);
  });

  test('does not take for a hole what lies before the archive begins', async () => {
    for (const number of [7, 8]) await archive(number);
    assert.equal(await start(12), 9);
  });

  test('goes back to the first segment of which there are only pieces', async () => {
    for (const number of [5, 6]) await archive(number);
    for (const number of [4, 7]) await receive(number);
    assert.equal(await start(9), 4);
  });

  test('finds the end of an archive that is far behind the server', async () => {
    await archive(3);
    assert.equal(await start(1000), 4);
  });

  test('begins where the server is, where nothing was ever archived', async () => {
    assert.equal(await start(1000), 1000);
  });
});

/** With one bit changed, at this share of its length. */
async function* flipped(body: ByteSource, share: number): ByteSource {
  const content = Buffer.from(await collect(body, { maxBytes: 2 * MIB, what: 'an object' }));
  const at = Math.floor(content.length * share);
  content.writeUInt8(content.readUInt8(at) ^ 1, at);
  yield content;
}
