import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TsbkError } from '../kernel/errors.ts';
import { toLsn } from '../kernel/lsn.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import type { ChangedRelations } from '../ports/changed-blocks.ts';
import type { SqlSession, TextRow } from './sql-session.ts';
import { readWalSummaries } from './wal-summaries.ts';

const STRETCH = [{ timeline: 1, from: toLsn(16n), to: toLsn(48n) }];
const ALL = [
  { timeline: '1', from: '0/0', to: '0/20' },
  { timeline: '1', from: '0/20', to: '0/30' },
];

interface Script {
  /** What is there at each look; the last one for good. */
  readonly summaries: readonly (readonly TextRow[])[];
  readonly contents?: readonly TextRow[];
  /** How many of the sizes that blocks are counted in are the usual ones. */
  readonly usualSizes?: number;
  readonly fails?: { readonly at: string; readonly error: TsbkError };
}

/** A session that answers what a server would. */
function sessionOf({ summaries, contents = [], usualSizes = 2, fails }: Script) {
  const asked: string[] = [];
  let looks = 0;
  let fetched = 0;
  const answer = (text: string): readonly TextRow[] => {
    if (text.includes('pg_available_wal_summaries')) {
      looks += 1;
      return summaries[Math.min(looks, summaries.length) - 1] ?? [];
    }
    if (text.includes('block_size')) return Array.from({ length: usualSizes }, () => ({}));
    if (text.includes('summarizer_state')) return looks < summaries.length ? [{ one: '1' }] : [];
    if (!text.startsWith('fetch')) return [];
    fetched += 50;
    return contents.slice(fetched - 50, fetched);
  };
  const query = (text: string): Promise<TextRow[]> => {
    asked.push(text);
    if (fails !== undefined && text.includes(fails.at)) return Promise.reject(fails.error);
    return Promise.resolve([...answer(text)]);
  };
  return { session: { query } as unknown as SqlSession, asked };
}

function row(relation: string, more: TextRow): TextRow {
  const [space = '', database = '', number = ''] = relation.split('/');
  return { space, database, relation: number, segment: '0', cut: null, blocks: null, ...more };
}

async function changesOf(contents: readonly TextRow[]): Promise<ChangedRelations> {
  const { session } = sessionOf({ summaries: [ALL], contents });
  const changes = await readWalSummaries(session, STRETCH);
  assert.ok(typeof changes !== 'string');
  return changes;
}

const numbers = (changes: ChangedRelations, path: string): readonly [readonly number[], number] => {
  const { blocks, from } = changes.of(path as TreePath);
  return [[...blocks], from];
};

describe('readWalSummaries', () => {
  it('gives the blocks of each file, also in tablespaces and later segments', async () => {
    const changes = await changesOf([
      row('1663/5/100', { blocks: '0000000100000102' }),
      row('1663/5/100', { segment: '2', blocks: '00000007' }),
      row('16400/5/100', { blocks: '00000009' }),
    ]);
    assert.deepEqual(numbers(changes, 'base/5/100'), [[1, 258], Infinity]);
    assert.deepEqual(numbers(changes, 'base/5/100.1'), [[], Infinity]);
    assert.deepEqual(numbers(changes, 'base/5/100.2'), [[7], Infinity]);
    assert.deepEqual(numbers(changes, 'pg_tblspc/16400/PG_17_1/5/100'), [[9], Infinity]);
    assert.deepEqual(numbers(changes, 'base/6/100'), [[], Infinity]);
  });

  it('counts every block as changed from where a relation was cut off', async () => {
    const changes = await changesOf([
      row('1663/5/100', { segment: '1', cut: '131082' }),
      row('1663/5/100', { segment: '2', cut: '262150', blocks: '00000001' }),
      row('1663/5/101', { cut: '0' }),
    ]);
    assert.deepEqual(numbers(changes, 'base/5/100'), [[], 131_082]);
    assert.deepEqual(numbers(changes, 'base/5/100.1'), [[], 10]);
    assert.deepEqual(numbers(changes, 'base/5/100.2'), [[1], 0]);
    assert.deepEqual(numbers(changes, 'base/5/101'), [[], 0]);
  });

  it('counts everything as changed in a database that was made or dropped', async () => {
    const changes = await changesOf([row('1663/5/0', { cut: '0' })]);
    assert.deepEqual(numbers(changes, 'base/5/100.3'), [[], 0]);
    assert.deepEqual(numbers(changes, 'base/6/100'), [[], Infinity]);
  });

  it('reads all rows, and ends the transaction', async () => {
    const contents = Array.from({ length: 120 }, (_, index) =>
      row(`1663/5/${index + 1}`, { blocks: '00000001' }),
    );
    const { session, asked } = sessionOf({ summaries: [ALL], contents });
    const changes = await readWalSummaries(session, STRETCH);
    assert.ok(typeof changes !== 'string');
    assert.deepEqual(numbers(changes, 'base/5/120'), [[1], Infinity]);
    assert.equal(asked.at(-1), 'rollback');
  });

  it('waits for the newest summary, and not for one that is missing for good', async () => {
    const late = sessionOf({ summaries: [[], ALL.slice(0, 1), ALL] });
    assert.ok(typeof (await readWalSummaries(late.session, STRETCH)) !== 'string');
    assert.equal(late.asked.filter((text) => text.includes('pg_sleep')).length, 2);
    const hole = sessionOf({ summaries: [ALL.slice(1)] });
    assert.equal(
      await readWalSummaries(hole.session, STRETCH),
      'the server has no WAL summary from 0/10 to 0/30 of timeline 1',
    );
    assert.equal(hole.asked.filter((text) => text.includes('pg_sleep')).length, 0);
  });

  it('does not count in blocks of another size', async () => {
    const { session } = sessionOf({ summaries: [ALL], usualSizes: 1 });
    const answer = await readWalSummaries(session, STRETCH);
    assert.equal(answer, 'the server was built with other sizes of pages or files');
  });

  it('says so when it may not look, or when a summary is gone by then', async () => {
    for (const [at, code] of [
      ['pg_available_wal_summaries', 'server-denied'],
      ['pg_wal_summary_contents', 'server-error'],
    ] as const) {
      const error = new TsbkError(code, 'no such thing');
      const { session, asked } = sessionOf({ summaries: [ALL], fails: { at, error } });
      assert.equal(await readWalSummaries(session, STRETCH), 'WAL summaries: no such thing');
      assert.ok(asked.at(-1) === 'rollback' || at === 'pg_available_wal_summaries');
    }
    const error = new TsbkError('connection-lost', 'gone');
    const { session } = sessionOf({ summaries: [ALL], fails: { at: 'fetch', error } });
    await assert.rejects(() => readWalSummaries(session, STRETCH), error);
  });
});
