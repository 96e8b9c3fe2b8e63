import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTsbkError } from '../../kernel/errors.ts';
import { decodePax, encodePax } from './pax.ts';

function decode(text: string): Record<string, string> {
  const records = decodePax(Buffer.from(text), 'x.tar');
  return Object.fromEntries(
    [...records].map(([key, value]) => [key, Buffer.from(value).toString()]),
  );
}

describe('decodePax', () => {
  it('reads records and lets go of keys that do not matter here', () => {
    const text = '20 mtime=1.123456789\n'.replace('20', '21') + '12 path=a=\n\n' + '11 atime=1\n';
    assert.deepEqual(decode(text), { mtime: '1.123456789', path: 'a=\n' });
  });

  it('keeps empty values, which take back a global record', () => {
    assert.deepEqual(decode('8 path=\n'), { path: '' });
  });

  it('reads any bytes in a value', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1200 }), fc.uint8Array({ maxLength: 5 }), (a, b) => {
        const records = new Map([
          ['path', a],
          ['linkpath', b],
        ]);
        assert.deepEqual(decodePax(encodePax(records), 'x.tar'), records);
      }),
    );
  });

  it('refuses records whose length, separator or end is wrong', () => {
    const bad = ['x', '8 path=', '9 path=\n', '7 path=\n', '0 path=\n', '-8 path=\n', '8path=\n\n'];
    bad.push(
      '4 =\n',
      '3 \n',
      '99999999 path=a\n',
      ' 8 path=\n',
      '8 path=\n\n',
      '7 path\n\n',
      '3 a',
    );
    for (const text of bad) {
      assert.throws(
        () => decode(text),
        (error) => isTsbkError(error, 'tar-invalid'),
        text,
      );
    }
  });

  it('refuses sparse files', () => {
    assert.throws(() => decode('22 GNU.sparse.major=1\n'), /sparse/);
  });
});
