import { isTsbkError, TsbkError } from '../kernel/errors.ts';
import { formatLsn, parseLsn, toLsn, type Lsn } from '../kernel/lsn.ts';
import type { TreePath } from '../kernel/tree-path.ts';
import { PAGE_BYTES, SEGMENT_PAGES } from '../format/page.ts';
import type { ChangedBlocks, ChangedRelations, WalStretch } from '../ports/changed-blocks.ts';
import type { SqlSession, TextRow } from './sql-session.ts';
import { missingFrom, type WalSummary } from './summary-coverage.ts';

/** The server is asked so often, with so long a pause, for the summary of the newest WAL. */
const TRIES = 100;
const PAUSE_SECONDS = 0.2;
/** A row may have a megabyte. */
const ROWS_AT_ONCE = 50;
/** Words kept: 64 MiB, with which half a terabyte of changes can be named. */
const WORDS_MAX = 16 * 1024 * 1024;
const WORDS_OF_A_FILE = 40;

/**
 * What the server's WAL summaries say was changed in these stretches (PostgreSQL 17 and later,
 * `summarize_wal`), or a clause that says why they do not suffice. Waits some time for the server to
 * summarize what was written last. The session must not be in a transaction.
 */
export async function readWalSummaries(
  session: SqlSession,
  stretches: readonly WalStretch[],
): Promise<ChangedRelations | string> {
  try {
    if (!(await hasUsualPages(session)))
      return 'the server was built with other sizes of pages or files';
    const summaries = await coveringSummaries(session, stretches);
    return typeof summaries === 'string' ? summaries : await readChanges(session, summaries);
  } catch (error) {
    // One that was removed meanwhile, or a role without the right. The backup is not harmed.
    if (isTsbkError(error, 'server-error')) return `WAL summaries: ${error.message}`;
    if (isTsbkError(error, 'server-denied')) return `WAL summaries: ${error.message}`;
    throw error;
  }
}

/** Blocks are counted in them. */
async function hasUsualPages(session: SqlSession): Promise<boolean> {
  const rows = await session.query(
    `select from pg_catalog.pg_settings
     where (name, setting) in (('block_size', $1), ('segment_size', $2))`,
    [String(PAGE_BYTES), String(SEGMENT_PAGES)],
  );
  return rows.length === 2;
}

/** Those that are needed, once they are all there. */
async function coveringSummaries(
  session: SqlSession,
  stretches: readonly WalStretch[],
): Promise<readonly WalSummary[] | string> {
  let missing = '';
  for (let tries = TRIES; tries > 0; tries -= 1) {
    const summaries = await listSummaries(session, stretches);
    const hole = missingFrom(summaries, stretches);
    if (hole === undefined) return summaries;
    missing = hole;
    if (!(await isBehind(session, stretches))) break;
    await session.query('select pg_catalog.pg_sleep($1::float8)', [String(PAUSE_SECONDS)]);
  }
  return `the server has no WAL summary ${missing}`;
}

/** Whether the server is still to summarize what is wanted: a hole in what it has done is for good. */
async function isBehind(session: SqlSession, stretches: readonly WalStretch[]): Promise<boolean> {
  const [row] = await session.query(
    `select 1 from pg_catalog.pg_get_wal_summarizer_state()
     where summarizer_pid is not null and summarized_lsn < $1::pg_lsn`,
    [formatLsn(stretches.at(-1)?.to ?? toLsn(0n))],
  );
  return row !== undefined;
}

async function listSummaries(
  session: SqlSession,
  stretches: readonly WalStretch[],
): Promise<WalSummary[]> {
  const rows = await session.query(
    `select tli::text as timeline, start_lsn::text as from, end_lsn::text as to
     from pg_catalog.pg_available_wal_summaries()
     where exists (select from unnest($1::bigint[], $2::pg_lsn[], $3::pg_lsn[]) s(t, f, e)
                   where tli = t and start_lsn < e and end_lsn > f)`,
    arraysOf(stretches),
  );
  return rows.map((row) => ({
    timeline: Number(row['timeline']),
    from: lsnOf(row['from']),
    to: lsnOf(row['to']),
  }));
}

/**
 * For each file of a main fork the least block that it was cut off at, and the blocks written, four
 * bytes each. Summaries are named one by one: one that is gone by now is an error.
 */
const CONTENTS = `
  declare tsbk_changes no scroll cursor for
  select reltablespace::text as space, reldatabase::text as database, relfilenode::text as relation,
    (relblocknumber / ${SEGMENT_PAGES})::text as segment,
    min(relblocknumber) filter (where is_limit_block)::text as cut,
    pg_catalog.encode(string_agg(distinct pg_catalog.int4send(block), ''::bytea
      order by pg_catalog.int4send(block)) filter (where not is_limit_block), 'hex') as blocks
  from unnest($1::bigint[], $2::pg_lsn[], $3::pg_lsn[]) s(t, f, e),
    pg_catalog.pg_wal_summary_contents(s.t, s.f, s.e),
    lateral (select (relblocknumber % ${SEGMENT_PAGES})::int4 as block) b
  where relforknumber = 0
  group by reltablespace, reldatabase, relfilenode, relblocknumber / ${SEGMENT_PAGES}`;

async function readChanges(
  session: SqlSession,
  summaries: readonly WalSummary[],
): Promise<ChangedRelations | string> {
  const changes = new Changes();
  await session.query('begin');
  try {
    await session.query(CONTENTS, arraysOf(summaries));
    for (;;) {
      const rows = await session.query(`fetch ${ROWS_AT_ONCE} from tsbk_changes`);
      for (const row of rows) changes.add(row);
      if (changes.words > WORDS_MAX)
        return 'more has changed than WAL summaries are worth reading for';
      if (rows.length < ROWS_AT_ONCE) return changes;
    }
  } finally {
    await session.query('rollback').catch(() => undefined);
  }
}

const NOTHING = new Uint32Array(0);
const DEFAULT_TABLESPACE = '1663';
const FILE =
  /^(?:base|pg_tblspc\/(?<space>\d+)\/PG_[^/]+)\/(?<database>\d+)\/(?<relation>\d+)(?:\.(?<segment>\d+))?$/;

class Changes implements ChangedRelations {
  /** By tablespace, database and relation. Relation 0: the database was made or dropped. */
  readonly #cuts = new Map<string, number>();
  /** The same with the number of the segment. */
  readonly #blocks = new Map<string, Uint32Array>();
  words = 0;

  add(row: TextRow): void {
    const relation = `${row['space']}/${row['database']}/${row['relation']}`;
    const { cut, blocks, segment } = row;
    if (typeof cut === 'string') {
      this.#cuts.set(relation, Math.min(this.#cuts.get(relation) ?? Infinity, Number(cut)));
    }
    const numbers = typeof blocks === 'string' ? numbersIn(blocks) : NOTHING;
    if (numbers.length > 0) this.#blocks.set(`${relation}.${segment}`, numbers);
    this.words += numbers.length + WORDS_OF_A_FILE;
  }

  of(path: TreePath): ChangedBlocks {
    const parts = FILE.exec(path)?.groups;
    if (parts === undefined) return { blocks: NOTHING, from: 0 };
    const { space = DEFAULT_TABLESPACE, database, relation, segment = '0' } = parts;
    const inDatabase = `${space}/${database}`;
    if (this.#cuts.has(`${inDatabase}/0`)) return { blocks: NOTHING, from: 0 };
    const cut = this.#cuts.get(`${inDatabase}/${relation}`) ?? Infinity;
    return {
      blocks: this.#blocks.get(`${inDatabase}/${relation}.${segment}`) ?? NOTHING,
      from: Math.max(0, cut - Number(segment) * SEGMENT_PAGES),
    };
  }
}

/** Numbers of four bytes, the most significant first, sorted as such. In memory of their own. */
function numbersIn(hex: string): Uint32Array {
  const bytes = Buffer.from(hex, 'hex');
  return Uint32Array.from({ length: bytes.length / 4 }, (_, index) =>
    bytes.readUInt32BE(4 * index),
  );
}

function arraysOf(stretches: readonly WalStretch[]): string[] {
  const array = (items: readonly string[]): string => `{${items.join(',')}}`;
  return [
    array(stretches.map(({ timeline }) => String(timeline))),
    array(stretches.map(({ from }) => formatLsn(from))),
    array(stretches.map(({ to }) => formatLsn(to))),
  ];
}

function lsnOf(text: string | null | undefined): Lsn {
  const lsn = parseLsn(text ?? '');
  if (lsn !== undefined) return lsn;
  throw new TsbkError('protocol-violation', `the server has a WAL summary at ${text}`, {
    hint: 'Connect directly to PostgreSQL, not through a pooler.',
  });
}
