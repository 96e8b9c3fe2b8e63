import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTsbkError } from '../kernel/errors.ts';
import { parsePostgresConf, quoteConfValue } from './postgres-conf.ts';

function settingsOf(text: string): (readonly [string, string])[] {
  const settings = parsePostgresConf(Buffer.from(text), 'postgresql.conf');
  return settings.map(({ name, value }) => [name, value] as const);
}

describe('parsePostgresConf', () => {
  it('reads every kind of value', () => {
    const values: Readonly<Record<string, string>> = {
      "'on'": 'on',
      replica: 'replica',
      '16MB': '16MB',
      '-1': '-1',
      '0x1F': '0x1F',
      '1.5e-3': '1.5e-3',
      '.5': '.5',
      'pg_catalog.english': 'pg_catalog.english',
      "''": '',
      "'it''s'": "it's",
      "'it\\'s'": "it's",
      "'a\\\\b\\nc\\x'": 'a\\b\ncx',
      "'\\303\\251'": 'é',
      "'é'": 'é',
      "'# none'": '# none',
    };
    for (const [written, value] of Object.entries(values)) {
      assert.deepEqual(settingsOf(`x = ${written} # why`), [['x', value]], written);
    }
  });

  it('needs no equals sign and no spaces', () => {
    assert.deepEqual(settingsOf("a=1\nb 2\n\tC = 3\r\nd'x'\nmy.ext=on#x\ninclude 'f'\n\n# e = 1"), [
      ['a', '1'],
      ['b', '2'],
      ['c', '3'],
      ['d', 'x'],
      ['my.ext', 'on'],
      ['include', 'f'],
    ]);
  });

  it('tells the line of each setting', () => {
    const [setting] = parsePostgresConf(Buffer.from('# x\n\nport = 5432\n'), 'x');
    assert.deepEqual(setting, { name: 'port', value: '5432', line: 3 });
  });

  it('reads what quoteConfValue writes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (a, b) => {
        const value = `${a}${b}'\\\n`.replaceAll('\0', '');
        assert.deepEqual(settingsOf(`x=${quoteConfValue(value)}`), [['x', value]]);
      }),
    );
  });

  it('refuses what PostgreSQL refuses', () => {
    const bad = [
      'x',
      'x =',
      '= 1',
      '5x = 1',
      'x = 1 2',
      "x = 'a",
      "x = 'a' b",
      'x = a;',
      'x-y = 1',
    ];
    bad.push('workmem', 'a.b.c = 1', 'x == 1', "x = 'a\nb'", 'x = 1.5GB', 'x = /a', 'x = "a"');
    for (const text of bad) {
      assert.throws(
        () => settingsOf(`ok = 1\n${text}`),
        (error) => isTsbkError(error, 'record-invalid') && error.message.includes('line 2'),
        text,
      );
    }
  });
});

describe('quoteConfValue', () => {
  it('doubles quotes and backslashes and keeps one line', () => {
    assert.equal(quoteConfValue("a'b\\c\nd"), "'a''b\\\\c\\nd'");
  });

  it('refuses NUL', () => {
    assert.throws(() => quoteConfValue('a\0'), RangeError);
  });
});
