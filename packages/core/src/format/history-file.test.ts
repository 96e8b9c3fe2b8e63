import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTsbkError } from '../kernel/errors.ts';
import { toLsn } from '../kernel/lsn.ts';
import { formatHistoryFile, parseHistoryFile } from './history-file.ts';

/** Written by PostgreSQL 18 after two recoveries. */
const SECOND =
  '1\t0/5000000\tno recovery target specified\n\n2\t0/7000000\tno recovery target specified\n';

describe('parseHistoryFile', () => {
  it('reads what PostgreSQL writes', () => {
    assert.deepEqual(parseHistoryFile(SECOND, '00000003.history'), {
      timeline: 3,
      ancestors: [
        { timeline: 1, switchLsn: 0x5000000n, reason: 'no recovery target specified' },
        { timeline: 2, switchLsn: 0x7000000n, reason: 'no recovery target specified' },
      ],
    });
  });

  it('reads timelines beyond 9, comments, missing reasons and ends of lines of other systems', () => {
    const text = '# by hand\r\n  12\t1A/FF000000\r\n\r\n';
    assert.deepEqual(parseHistoryFile(text, '0000000D.history'), {
      timeline: 13,
      ancestors: [{ timeline: 12, switchLsn: 0x1a_ff000000n, reason: '' }],
    });
  });

  it('reads what formatHistoryFile writes', () => {
    const lsn = fc.bigInt(0n, 2n ** 64n - 1n).map(toLsn);
    const reason = fc.constantFrom('', 'before 2026-01-01 00:00:00+00', 'at restore point "x"');
    fc.assert(
      fc.property(fc.array(fc.tuple(lsn, reason), { minLength: 1 }), (switches) => {
        const ancestors = switches.map(([switchLsn, why], index) => ({
          timeline: 2 * index + 1,
          switchLsn,
          reason: why,
        }));
        const history = { timeline: 255, ancestors };
        assert.deepEqual(parseHistoryFile(formatHistoryFile(history), '000000FF.history'), history);
      }),
    );
  });

  it('refuses what PostgreSQL would refuse', () => {
    const bad: readonly string[] = [
      '',
      '# nothing\n',
      'x\n',
      '1\n',
      '1\t5000000\tno slash\n',
      '1\t0/5000000\tok\n1\t0/7000000\tnot increasing\n',
      '2\t0/5000000\tok\n1\t0/7000000\tdecreasing\n',
      '3\t0/5000000\tnot below the file’s own\n',
      '0\t0/5000000\tno timeline\n',
    ];
    for (const text of bad) {
      assert.throws(
        () => parseHistoryFile(text, '00000003.history'),
        (error) => isTsbkError(error, 'wal-invalid') && error.message.includes('00000003.history'),
        JSON.stringify(text),
      );
    }
  });

  it('refuses a name that is none of a history file', () => {
    assert.throws(() => parseHistoryFile(SECOND, '00000003.partial'), /none of a history file/);
  });
});

describe('formatHistoryFile', () => {
  it('writes the bytes PostgreSQL writes', () => {
    assert.equal(formatHistoryFile(parseHistoryFile(SECOND, '00000003.history')), SECOND);
  });
});
