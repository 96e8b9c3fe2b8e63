import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ArchiveEvent } from './archive-events.ts';
import { splitArchives } from './split-archives.ts';

const BEGIN: ArchiveEvent = { event: 'begin', archive: { kind: 'tar' } };

describe('splitArchives', () => {
  it('gives each archive its own bytes', async () => {
    const found: string[] = [];
    for await (const archive of splitArchives(events(BEGIN, 'ab', 'c', BEGIN, BEGIN, 'd'))) {
      let text = '';
      for await (const chunk of archive.body) text += Buffer.from(chunk).toString();
      found.push(text);
    }
    assert.deepEqual(found, ['abc', '', 'd']);
  });

  it('skips what was left unread, also of an archive that was never looked at', async () => {
    const found: string[] = [];
    for await (const archive of splitArchives(
      events(BEGIN, 'a', 'b', BEGIN, 'c', BEGIN, 'd', 'e'),
    )) {
      if (found.push('') === 2) continue;
      for await (const chunk of archive.body) {
        found[found.length - 1] = Buffer.from(chunk).toString();
        break;
      }
    }
    assert.deepEqual(found, ['a', '', 'd']);
  });

  it('ends a body whose turn is over', async () => {
    const archives = splitArchives(events(BEGIN, 'a', BEGIN, 'b'));
    const first = await archives.next();
    await archives.next();
    const body = first.done === true ? undefined : first.value.body[Symbol.asyncIterator]();
    assert.deepEqual(await body?.next(), { done: true, value: undefined });
  });

  it('refuses data that belongs to no archive', async () => {
    await assert.rejects(async () => splitArchives(events('a')).next(), /before the beginning/);
  });
});

async function* events(...script: (ArchiveEvent | string)[]): AsyncGenerator<ArchiveEvent> {
  for (const step of script) {
    yield typeof step === 'string' ? { event: 'data', bytes: Buffer.from(step) } : step;
  }
}
