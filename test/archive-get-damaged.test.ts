/** What `archive-get` does with what came damaged: it may have been damaged on its way. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { getWal, type GetOutcome } from '@tsbk/core/archive/get';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import type { BlobStore } from '@tsbk/core/ports/blob-store';
import type { ReportEvent } from '@tsbk/core/ports/report';
import type { Repository } from '@tsbk/core/repository/repository';
import { storeWal } from '@tsbk/core/repository/wal-archive';
import { sourceOf } from '@tsbk/core/stream/source';
import { realClock } from './support/clock.ts';
import { sameBytes } from './support/same-bytes.ts';
import { tempDirectory, type TempDirectory } from './support/temp-directory.ts';
import { segmentContent, segmentName } from './support/wal-file.ts';
import { openDirectory } from './support/walg-cases.ts';

const SEGMENT = segmentName(1);
const PATIENCE_MS = 60_000;
const { signal } = new AbortController();

describe('archive-get, of a segment that comes damaged,', { concurrency: true }, () => {
  let directory: TempDirectory;
  let repository: Repository;
  before(async () => {
    directory = await tempDirectory();
    repository = await openDirectory(directory.path);
    const source = (): ReturnType<typeof sourceOf> => sourceOf(segmentContent(SEGMENT));
    await storeWal(repository, { name: SEGMENT, source }, { signal });
  });
  after(() => directory[Symbol.asyncDispose]());

  /** Fetches it from a store whose first answers have a bit that was flipped. */
  async function get(destination: string, damagedAnswers: number, patienceMs = PATIENCE_MS) {
    let answers = 0;
    const events: ReportEvent[] = [];
    const store: BlobStore = {
      ...repository.store,
      get: async (key, options) => {
        const blob = await repository.store.get(key, options);
        if (blob === undefined) return undefined;
        answers += 1;
        return answers > damagedAnswers ? blob : { ...blob, body: flipped(blob.body) };
      },
    };
    const request = { name: SEGMENT, destination, patienceMs };
    const report = (event: ReportEvent): void => void events.push(event);
    const outcome = await getWal({ ...repository, store }, request, {
      signal,
      clock: realClock,
      report,
    }).catch((error: unknown) => error);
    return { outcome: outcome as GetOutcome | Error, answers, events };
  }

  it('fetches it again, and hands over what comes whole', async () => {
    const destination = join(directory.path, 'again');
    const { outcome, answers, events } = await get(destination, 2);
    assert.deepEqual([outcome, answers], ['fetched', 3]);
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ['retry', 'retry'],
    );
    sameBytes(readFileSync(destination), segmentContent(SEGMENT));
  });

  it('believes after three answers that it lies there damaged, however much patience it has', async () => {
    const destination = join(directory.path, 'never');
    const { outcome, answers } = await get(destination, 100);
    assert.ok(isTsbkError(outcome, 'object-corrupt'), String(outcome));
    assert.equal(answers, 3);
    assert.equal(existsSync(destination), false);
  });

  it('fetches it once where it has no patience', async () => {
    const { outcome, answers } = await get(join(directory.path, 'once'), 1, 0);
    assert.ok(isTsbkError(outcome, 'object-corrupt'), String(outcome));
    assert.equal(answers, 1);
  });
});

async function* flipped(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    const copy = Buffer.from(chunk);
    const middle = copy.length >> 1;
    copy[middle] = (copy[middle] ?? 0) ^ 1;
    yield copy;
  }
}
