import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTsbkError } from '../kernel/errors.ts';
import type { Frame } from './frame-reader.ts';
import { decodeMessage, decodeNotice, sidenoteOf } from './messages.ts';

describe('decodeMessage', () => {
  it('reads rows with NULL and empty values', () => {
    const body = Buffer.from('\0\x03\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\0', 'latin1');
    assert.deepEqual(decodeMessage({ type: 'D', body }), {
      kind: 'row',
      values: [Buffer.from('ab'), undefined, Buffer.alloc(0)],
    });
  });

  it('reads the names of columns', () => {
    const body = Buffer.from(`\0\x02systemid\0${'\0'.repeat(18)}tli\0${'\0'.repeat(18)}`, 'latin1');
    assert.deepEqual(decodeMessage({ type: 'T', body }), {
      kind: 'columns',
      names: ['systemid', 'tli'],
    });
  });

  it('gives the body of COPY data as it is', () => {
    const body = Buffer.from('dabc');
    const message = decodeMessage({ type: 'd', body });
    assert.ok(message.kind === 'copy-data' && message.body === body);
  });

  it('refuses messages of a type that does not belong here', () => {
    assert.throws(
      () => decodeMessage(frame('R', '\0\0\0\0')),
      (error) => isTsbkError(error, 'protocol-violation'),
    );
  });

  it('refuses a value that is longer than its row, or of negative length', () => {
    for (const length of ['\x7f\xff\xff\xff', '\xff\xff\xff\xfe', '\0\0\0\x09']) {
      assert.throws(
        () => decodeMessage(frame('D', `\0\x01${length}abc`)),
        (error) => isTsbkError(error, 'protocol-violation'),
      );
    }
  });

  it('throws nothing but protocol violations, whatever a message holds', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 255 }),
        fc.uint8Array({ maxLength: 64 }),
        (type, bytes) => {
          const given = { type: String.fromCharCode(type), body: Buffer.from(bytes) };
          try {
            if (sidenoteOf(given) === undefined) decodeMessage(given);
          } catch (error) {
            assert.ok(isTsbkError(error, 'protocol-violation'), String(error));
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('decodeNotice', () => {
  it('prefers the severity that is not translated', () => {
    const body = Buffer.from('SWARNUNG\0VWARNING\0C01000\0Mtext\0Dmore\0Hhelp\0Fx.c\0\0');
    assert.deepEqual(decodeNotice(body), {
      severity: 'WARNING',
      code: '01000',
      message: 'text',
      detail: 'more',
      hint: 'help',
    });
  });

  it('reads as much as there is of one that is cut off', () => {
    assert.equal(decodeNotice(Buffer.from('VERROR\0Mhalf a mess')).severity, 'ERROR');
  });
});

describe('sidenoteOf', () => {
  it('takes out what a server may send at any moment and nothing else', () => {
    assert.deepEqual(sidenoteOf(frame('S', 'in_hot_standby\0off\0')), {
      kind: 'parameter',
      name: 'in_hot_standby',
      value: 'off',
    });
    assert.equal(sidenoteOf(frame('N', 'VNOTICE\0\0'))?.kind, 'notice');
    assert.equal(sidenoteOf(frame('E', 'VERROR\0\0')), undefined);
    assert.equal(sidenoteOf(frame('d', 'x')), undefined);
  });
});

function frame(type: string, body: string): Frame {
  return { type, body: Buffer.from(body, 'latin1') };
}
