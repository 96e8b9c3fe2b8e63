import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import {
  separateCopies,
  singleCopy,
  type ArchiveEvent,
  type NextMessage,
} from './archive-events.ts';

type Message = Awaited<ReturnType<NextMessage>>;

const SPACE = { oid: 16_384, location: '/ts' };
const OUT: Message = { kind: 'copy-out' };
const DONE: Message = { kind: 'copy-done' };

describe('singleCopy', () => {
  it('gives archives and manifest in one shape', async () => {
    const stream = [OUT, named('16384.tar'), data('a'), progress(), named('base.tar')];
    const events = await gather(
      singleCopy(script([...stream, data('b'), data('c'), manifest(), data('{}'), DONE]), [
        SPACE,
        undefined,
      ]),
    );
    assert.deepEqual(events, [
      { kind: 'tar', tablespace: SPACE },
      'a',
      { kind: 'tar' },
      'b',
      'c',
      { kind: 'manifest' },
      '{}',
    ]);
  });

  const broken: readonly (readonly [string, readonly Message[]])[] = [
    ['data before an archive', [OUT, data('x')]],
    ['an archive nobody announced', [OUT, named('16385.tar')]],
    ['a name that leads elsewhere', [OUT, named('../../etc/cron.d/x.tar')]],
    ['the same archive twice', [OUT, named('base.tar'), named('base.tar')]],
    ['an archive after the manifest', [OUT, manifest(), named('base.tar')]],
    ['two manifests', [OUT, named('base.tar'), manifest(), manifest()]],
    ['an end without the manifest', [OUT, named('base.tar'), data('x'), DONE]],
    ['an end without an archive', [OUT, manifest(), data('x'), DONE]],
    ['an unknown kind of data', [OUT, copyData('?')]],
    ['an empty message', [OUT, copyData('')]],
    ['rows instead of a copy', [{ kind: 'row', values: [] }]],
    ['rows in the middle', [OUT, named('base.tar'), { kind: 'row', values: [] }]],
  ];
  for (const [what, messages] of broken) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(
        async () => gather(singleCopy(script(messages), [undefined])),
        (error) => isTsbkError(error, 'protocol-violation'),
      );
    });
  }
});

describe('separateCopies', () => {
  it('names archives by their order and completes each tar', async () => {
    const copies = ['a', 'b', '{}'].flatMap((text) => [OUT, copyData(text), DONE]);
    assert.deepEqual(await gather(separateCopies(script(copies), [SPACE, undefined])), [
      { kind: 'tar', tablespace: SPACE },
      'a',
      '\0'.repeat(1024),
      { kind: 'tar' },
      'b',
      '\0'.repeat(1024),
      { kind: 'manifest' },
      '{}',
    ]);
  });

  it('refuses an end before the manifest', async () => {
    const copies = [OUT, copyData('a'), DONE, { kind: 'row', values: [] } satisfies Message];
    await assert.rejects(
      async () => gather(separateCopies(script(copies), [undefined])),
      (error) => isTsbkError(error, 'protocol-violation'),
    );
  });
});

function script(messages: readonly Message[]): NextMessage {
  const left = [...messages];
  return async () => {
    const message = left.shift();
    if (message === undefined) throw new Error('asked for more than the script has');
    return message;
  };
}

async function gather(events: AsyncIterable<ArchiveEvent>): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const event of events) {
    found.push(event.event === 'begin' ? event.archive : event.bytes.toString());
  }
  return found;
}

function copyData(text: string): Message {
  return { kind: 'copy-data', body: Buffer.from(text) };
}

function data(text: string): Message {
  return copyData(`d${text}`);
}

function named(name: string): Message {
  return copyData(`n${name}\0\0`);
}

function manifest(): Message {
  return copyData('m');
}

function progress(): Message {
  return copyData('p\0\0\0\0\0\0\0\x01');
}
