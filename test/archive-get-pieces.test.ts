/** `archive-get` where a segment is not archived and `wal-receive` has stored the beginning of it. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { getWal, type GetOutcome, type GetRequest } from '@tsbk/core/archive/get';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import { toSystemId } from '@tsbk/core/kernel/system-id';
import type { ReportEvent } from '@tsbk/core/ports/report';
import { requireIdentity } from '@tsbk/core/repository/identity';
import type { Repository } from '@tsbk/core/repository/repository';
import { storeWal } from '@tsbk/core/repository/wal-archive';
import { writePiece } from '@tsbk/core/repository/wal-piece';
import { sourceOf } from '@tsbk/core/stream/source';
import { realClock } from './support/clock.ts';
import { tempDirectory, type TempDirectory } from './support/temp-directory.ts';
import { segmentContent, segmentName, SYSTEM_ID } from './support/wal-file.ts';
import { openDirectory } from './support/walg-cases.ts';

const MIB = 1024 * 1024;
const { signal } = new AbortController();
const systemId = toSystemId(SYSTEM_ID);

describe('archive-get and the pieces of an open segment', () => {
  let directory: TempDirectory;
  let target: TempDirectory;
  let repository: Repository;
  let events: ReportEvent[] = [];

  before(async () => {
    directory = await tempDirectory();
    target = await tempDirectory();
    repository = await openDirectory(directory.path);
    await requireIdentity(repository, systemId, { signal });
  });
  after(async () => {
    await directory[Symbol.asyncDispose]();
    await target[Symbol.asyncDispose]();
  });

  const get = async (name: string, more: Partial<GetRequest> = {}): Promise<GetOutcome> => {
    events = [];
    const destination = join(target.path, name);
    const request = { name, destination, patienceMs: 0, systemId, ...more };
    const report = (event: ReportEvent): void => void events.push(event);
    return await getWal(repository, request, { signal, clock: realClock, report });
  };
  const got = (name: string): Buffer => readFileSync(join(target.path, name));
  const archive = (name: string): Promise<unknown> =>
    storeWal(repository, { name, source: () => sourceOf(segmentContent(name)) }, { signal });

  async function receive(name: string, bytes: number, seed = name, run = 1): Promise<Buffer> {
    const content = segmentContent(name, { seed });
    await writePiece(
      repository,
      {
        segment: name,
        from: 0,
        to: bytes,
        run: run.toString(16).padStart(16, '0'),
        segmentBytes: MIB,
        systemId,
        data: content.subarray(0, bytes),
      },
      { signal },
    );
    return content;
  }

  test('gives the beginning, then zeros, where nothing comes after it', async () => {
    const name = segmentName(10);
    const content = await receive(name, 100_000);
    assert.equal(await get(name), 'fetched');
    const expected = Buffer.alloc(MIB);
    content.copy(expected, 0, 0, 100_000);
    assert.ok(got(name).equals(expected));
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ['info'],
    );
  });

  test('gives the archived segment whenever there is one', async () => {
    const name = segmentName(12);
    await receive(name, 100_000, 'something else');
    await archive(name);
    assert.equal(await get(name), 'fetched');
    assert.ok(got(name).equals(segmentContent(name)));
    assert.deepEqual(events, []);
  });

  test('takes no beginning for a segment behind which the archive goes on, but all of it', async () => {
    const [part, whole] = [segmentName(14), segmentName(16)];
    await receive(part, 50_000);
    await archive(segmentName(15));
    await assert.rejects(get(part), (error) => isTsbkError(error, 'wal-hole'));
    assert.equal(existsSync(join(target.path, part)), false);
    await receive(whole, MIB);
    await archive(segmentName(17));
    assert.equal(await get(whole), 'fetched');
  });

  test('says loudly when there are two histories of it', async () => {
    const name = segmentName(26);
    await receive(name, 50_000, 'one', 1);
    await receive(name, 60_000, 'two', 2);
    assert.equal(await get(name), 'fetched');
    assert.ok(events.some((event) => event.kind === 'warning' && event.code === 'pieces-disputed'));
  });

  test('says loudly when more was stored than can be read', async () => {
    const name = segmentName(32);
    await receive(name, 50_000, name, 1);
    await receive(name, 60_000, name, 2);
    const folder = join(directory.path, 'tsbk_wal_pieces', name);
    const longer = readdirSync(folder).filter((piece) => piece.includes('2.'));
    for (const piece of longer) truncateSync(join(folder, piece), 100);
    assert.equal(await get(name), 'fetched');
    assert.ok(
      got(name)
        .subarray(50_000)
        .every((byte) => byte === 0),
    );
    assert.deepEqual(
      events.map((event) => event.kind === 'warning' && event.code),
      ['pieces-damaged'],
    );
  });

  test('gives a standby only what is whole', async () => {
    const [part, whole] = [segmentName(28), segmentName(30)];
    await receive(part, 50_000);
    assert.equal(await get(part, { wholeOnly: true }), 'absent');
    assert.equal(existsSync(join(target.path, part)), false);
    const content = await receive(whole, MIB);
    assert.equal(await get(whole, { wholeOnly: true }), 'fetched');
    assert.ok(got(whole).equals(content));
  });

  test('never takes a beginning for a segment that was in the archive', async () => {
    const name = segmentName(22);
    await receive(name, 50_000);
    await assert.rejects(get(name, { mustExist: () => true }), (error) =>
      isTsbkError(error, 'wal-missing'),
    );
  });

  test('refuses pieces of another cluster, and leaves no file', async () => {
    const name = segmentName(24);
    await receive(name, 50_000);
    await assert.rejects(get(name, { systemId: toSystemId(1n) }), (error) =>
      isTsbkError(error, 'wrong-system-id'),
    );
    assert.equal(existsSync(join(target.path, name)), false);
  });
});
