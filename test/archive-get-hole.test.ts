/**
 * What `archive-get` answers for a segment that is not in the archive: whether the archive ends there, or has
 * a hole that recovery must not take for its end. With servers: recovery-answers.test.ts.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { getWal, type GetOutcome } from '@tsbk/core/archive/get';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import { toSystemId } from '@tsbk/core/kernel/system-id';
import { formatSegment } from '@tsbk/core/kernel/wal-file';
import type { Report, ReportEvent } from '@tsbk/core/ports/report';
import { requireIdentity } from '@tsbk/core/repository/identity';
import type { Repository } from '@tsbk/core/repository/repository';
import { storeWal } from '@tsbk/core/repository/wal-archive';
import { sourceOf } from '@tsbk/core/stream/source';
import { realClock } from './support/clock.ts';
import { askFor, cannotKnow } from './support/get-answers.ts';
import { giveToServerUser } from './support/postgres.ts';
import { tempDirectory, type TempDirectory } from './support/temp-directory.ts';
import { serverFolder } from './support/wal-commands.ts';
import { backupHistoryContent, segmentContent, SYSTEM_ID } from './support/wal-file.ts';
import { openDirectory } from './support/walg-cases.ts';

const MIB = 1024 * 1024;
const systemId = toSystemId(SYSTEM_ID);
const { signal } = new AbortController();

const segment = (number: number, timeline = 1): string =>
  formatSegment({ timeline, number: BigInt(number) }, MIB);

let directory: TempDirectory;
let repository: Repository;
beforeEach(async () => {
  directory = await tempDirectory();
  repository = await openDirectory(directory.path);
  await requireIdentity(repository, systemId, { signal });
});
afterEach(() => directory[Symbol.asyncDispose]());

async function archive(...names: readonly string[]): Promise<void> {
  for (const name of names) {
    const content = segmentContent(name.replace('.partial', ''));
    await storeWal(repository, { name, source: () => sourceOf(content) }, { signal });
  }
}

async function archiveText(name: string, text: string): Promise<void> {
  await storeWal(repository, { name, source: () => sourceOf(Buffer.from(text)) }, { signal });
}

function get(name: string, patienceMs = 0, report: Report = () => {}): Promise<GetOutcome> {
  const request = { name, destination: join(directory.path, 'RECOVERYXLOG'), patienceMs, systemId };
  return getWal(repository, request, { signal, clock: realClock, report });
}

/** The answer is an error that names the segment and what is behind it, and leaves nothing. */
async function isHole(name: string, next: string): Promise<void> {
  await assert.rejects(get(name), (error) => {
    assert.ok(isTsbkError(error, 'wal-hole'), String(error));
    assert.ok(error.retry);
    assert.match(error.message, new RegExp(`^${name} .*, but ${next} behind it is`));
    assert.match(error.hint ?? '', /tsbk wal-verify --heal/);
    return true;
  });
  assert.equal(existsSync(join(directory.path, 'RECOVERYXLOG')), false);
}

describe('archive-get, of a segment that is not archived,', () => {
  it('says that it is not there where nothing of its timeline is behind it', async () => {
    await archive(segment(1), segment(2));
    assert.equal(await get(segment(3)), 'absent');
    // What belongs to the segment itself is not behind it.
    await archive(`${segment(3)}.partial`);
    await archiveText(`${segment(3)}.00000028.backup`, backupHistoryContent());
    assert.equal(await get(segment(3)), 'absent');
  });

  it('names a hole where the next one is there, or any later one', async () => {
    await archive(segment(1), segment(3), segment(4));
    await isHole(segment(2), segment(3));
    await archive(segment(0x1000));
    await isHole(segment(5), segment(0x1000));
  });

  it('names a hole where the timeline ended later with a partial segment, as after a failover', async () => {
    await archive(segment(1), `${segment(4)}.partial`, segment(4, 2), segment(5, 2));
    await archiveText('00000002.history', '1\t0/400100\tno recovery target specified\n');
    await isHole(segment(3), `${segment(4)}.partial`);
    assert.equal(await get(segment(4)), 'absent');
  });

  it('says that it is not there where only another timeline goes on', async () => {
    await archive(segment(1), segment(2, 2), segment(3, 2));
    assert.equal(await get(segment(2)), 'absent');
    await archive(segment(9));
    assert.equal(await get(segment(4, 2)), 'absent');
  });

  it('says that it is not there on a timeline that begins only behind it', async () => {
    await archive(segment(1), segment(2), segment(3), segment(5, 2), segment(7, 2));
    await archiveText('00000002.history', '1\t0/500000\tno recovery target specified\n');
    assert.equal(await get(segment(4, 2)), 'absent');
    await isHole(segment(6, 2), segment(7, 2));
  });

  it('takes the first segment of a timeline for a hole, and any if no history tells where that began', async () => {
    await archive(segment(3), segment(6, 2), segment(6, 3));
    await archiveText('00000002.history', '1\t0/500000\tno recovery target specified\n');
    await isHole(segment(5, 2), segment(6, 2));
    await isHole(segment(4, 3), segment(6, 3));
  });

  it('waits for it, and hands it over when it comes', async () => {
    await archive(segment(1), segment(3));
    const events: ReportEvent[] = [];
    let coming: Promise<void> | undefined;
    const outcome = await get(segment(2), 60_000, (event) => {
      events.push(event);
      coming ??= archive(segment(2));
    });
    await coming;
    assert.equal(outcome, 'fetched');
    assert.match(JSON.stringify(events[0]), /recovery must not end there/);
  });

  it('exits with 200 for a hole, and with 75 on a standby', async () => {
    const root = serverFolder('repository');
    const moved = await openDirectory(root);
    for (const name of [segment(1), segment(3)]) {
      await storeWal(moved, { name, source: () => sourceOf(segmentContent(name)) }, { signal });
    }
    giveToServerUser(root);
    const env = { WALG_FILE_PREFIX: root, TSBK_GET_PATIENCE: '0' };
    const named = new RegExp(`${segment(2)} .*${segment(3)} .*\\[wal-hole\\][^]*--heal`);
    await cannotKnow(named, (at) => askFor(segment(2), at, env));
  });
});
