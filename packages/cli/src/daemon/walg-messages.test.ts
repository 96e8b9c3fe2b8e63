import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { takeMessage } from './walg-messages.ts';

const bytes = (...parts: readonly (string | number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string)));

describe('takeMessage', () => {
  it('reads each message that walg-daemon-client sends', () => {
    const fetch = bytes('f', [0, 12], [2], [0, 1], 'A', [0, 3], 'a/b');
    const expected = [
      [bytes('C', [0, 3]), { kind: 'check' }],
      [bytes('F', [0, 6], 'abc'), { kind: 'push', path: 'abc' }],
      [fetch, { kind: 'fetch', name: 'A', destination: 'a/b' }],
    ] as const;
    for (const [message, request] of expected) {
      const taken = takeMessage(message);
      assert.ok(taken.kind === 'message');
      assert.deepEqual([taken.request, taken.rest.length], [request, 0]);
    }
  });

  it('leaves what follows, and waits for what is not there yet', () => {
    const two = bytes('C', [0, 3], 'F', [0, 4], 'a');
    const taken = takeMessage(two);
    assert.ok(taken.kind === 'message');
    assert.deepEqual(taken.rest, two.subarray(3));
    for (let end = 0; end < 4; end += 1) {
      assert.equal(takeMessage(bytes('F', [0, 4], 'a').subarray(0, end)).kind, 'incomplete');
    }
  });

  it('refuses lengths, letters and vectors that cannot be', () => {
    const wrong = [
      bytes('F', [0, 3]),
      bytes('F', [0, 2]),
      bytes('F', [0xff, 0xff]),
      bytes('X', [0, 3]),
      bytes('f', [0, 3]),
      bytes('f', [0, 7], [1], [0, 1], 'A'),
      bytes('f', [0, 7], [2], [0, 9], 'A'),
      bytes('f', [0, 11], [2], [0, 1], 'A', [0, 1], 'B', 'z'),
      bytes('f', [0, 13], [3], [0, 1], 'A', [0, 1], 'B', [0, 1], 'C'),
    ];
    for (const message of wrong)
      assert.equal(takeMessage(message).kind, 'invalid', message.toString('hex'));
  });

  it('never throws, whatever comes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (random) => {
        takeMessage(Buffer.from(random));
        takeMessage(Buffer.concat([bytes('f', [0, random.length + 3]), random]));
      }),
    );
  });
});
