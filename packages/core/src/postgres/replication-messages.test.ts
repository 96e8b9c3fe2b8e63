import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { toInstant } from '../kernel/instant.ts';
import { toLsn } from '../kernel/lsn.ts';
import { decodeWalsenderMessage, encodeStatus } from './replication-messages.ts';

function header(type: string, ...numbers: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(1 + numbers.length * 8);
  bytes.write(type, 'latin1');
  for (const [index, number] of numbers.entries()) bytes.writeBigUInt64BE(number, 1 + index * 8);
  return bytes;
}

test('WAL is read with its place and the end of the server', () => {
  const body = Buffer.concat([header('w', 0x1_0000_0010n, 0x1_0000_0020n, 7n), Buffer.from('abc')]);
  assert.deepEqual(decodeWalsenderMessage(body), {
    kind: 'wal',
    lsn: toLsn(0x1_0000_0010n),
    serverEnd: toLsn(0x1_0000_0020n),
    data: Buffer.from('abc'),
  });
});

test('a keepalive is read with its wish for a reply', () => {
  for (const replyWanted of [true, false]) {
    const body = Buffer.concat([header('k', 5n, 7n), Buffer.from([replyWanted ? 1 : 0])]);
    const expected = { kind: 'keepalive', serverEnd: toLsn(5n), replyWanted };
    assert.deepEqual(decodeWalsenderMessage(body), expected);
  }
});

test('what is cut short or unknown is a violation of the protocol', () => {
  for (const body of [
    header('w', 1n, 2n),
    header('k', 1n),
    header('x', 1n, 2n, 3n),
    Buffer.alloc(0),
  ]) {
    assert.throws(
      () => decodeWalsenderMessage(body),
      (error) => isTsbkError(error, 'protocol-violation'),
    );
  }
});

test('a status says what was received and what is durable, and applies nothing', () => {
  const now = toInstant(946_684_800_000_000_000n + 3_000_000n);
  const bytes = encodeStatus({ write: toLsn(0x20n), flush: toLsn(0x10n) }, now);
  assert.equal(
    bytes.toString('hex'),
    `72${'00'.repeat(7)}20${'00'.repeat(7)}10${'00'.repeat(8)}${'00'.repeat(6)}0bb800`,
  );
  assert.equal(bytes.length, 34);
});
