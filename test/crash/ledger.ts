import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { parseLsn } from '@tsbk/core/kernel/lsn';
import { eventually } from '../support/eventually.ts';
import type { Server } from '../support/postgres.ts';

/** A transaction whose commit the server has confirmed. */
export interface Entry {
  /** End of the WAL right after that: the commit lies before it. */
  readonly lsn: bigint;
  /** Of the entry and, through it, of all before it of the same writer. */
  readonly digest: string;
}

/**
 * What clients know to be committed, kept outside of the server. Each writer has a chain: an entry
 * names the digest of the one before, so that one that is lost, changed or made up shows.
 */
export interface Ledger {
  /** Confirmed entries by writer, in order: entry `n` is at `n - 1`. */
  readonly confirmed: readonly (readonly Entry[])[];
  /** Process ids of the sessions that are connected. */
  backends(): number[];
  /** Lets the writers wait, with their sessions open. Resolves when none is at a transaction. */
  pause(): Promise<void>;
  /** Ends the writers. Throws if the server itself has lost an entry that it had confirmed. */
  stop(): Promise<void>;
}

const WRITERS = 3;

/** Long enough that a few hundred fill a segment, and stored as it is. */
const PAD_BYTES_MIN = 300;
const PAD_BYTES_MAX = 3000;

/** Of an entry whose session was lost before it could ask; its successors have positions. */
const SOMEWHERE = 2n ** 64n;

const CREATE = `
  create table ledger (writer int, n bigint, previous text not null, pad text not null,
                       primary key (writer, n));
  alter table ledger alter column pad set storage external`;

/** The digest that an entry's successor names; computed in SQL too, see `ledger-check.ts`. */
function digestOf(previous: string, writer: number, n: number, pad: string): string {
  return createHash('sha256').update(`${previous}:${writer}:${n}:${pad}`).digest('hex');
}

/** Writers wait while `mustWait` says so. */
export async function startLedger(server: Server, mustWait: () => boolean): Promise<Ledger> {
  await server.query(CREATE);
  const run: Run = {
    mustWait,
    server,
    running: true,
    paused: false,
    busy: new Set(),
    pids: new Map(),
  };
  const confirmed = Array.from({ length: WRITERS }, (): Entry[] => []);
  const work = Promise.all(confirmed.map((entries, writer) => write(run, writer, entries)));
  // Whoever stops the ledger hears of it.
  work.catch(() => undefined);
  return {
    confirmed,
    backends: () => [...run.pids.values()],
    pause: async () => {
      run.paused = true;
      await eventually('the writers to pause', async () =>
        run.busy.size === 0 ? true : undefined,
      );
    },
    stop: async () => {
      run.running = false;
      await work;
    },
  };
}

interface Run {
  readonly server: Server;
  readonly mustWait: () => boolean;
  running: boolean;
  paused: boolean;
  /** Writers at a transaction. */
  readonly busy: Set<number>;
  readonly pids: Map<number, number>;
}

async function write(run: Run, writer: number, entries: Entry[]): Promise<void> {
  while (run.running) {
    const session = await connect(run.server);
    if (session === undefined) {
      await sleep(50);
      continue;
    }
    try {
      await writeInSession(run, session, writer, entries);
    } catch (error) {
      // A session that is lost is what this is about; a lost entry is not.
      if (error instanceof LostEntry) throw error;
    } finally {
      run.busy.delete(writer);
      run.pids.delete(writer);
      await session.end().catch(() => undefined);
    }
  }
}

async function connect(server: Server): Promise<Client | undefined> {
  const session = new Client({
    host: server.socketDir,
    port: server.port,
    user: server.user,
    database: 'postgres',
    connectionTimeoutMillis: 5000,
  });
  session.on('error', () => undefined);
  try {
    await session.connect();
    return session;
  } catch {
    await session.end().catch(() => undefined);
    return undefined;
  }
}

class LostEntry extends Error {}

async function writeInSession(
  run: Run,
  session: Client,
  writer: number,
  entries: Entry[],
): Promise<void> {
  run.busy.add(writer);
  const { rows: identity } = await session.query<{ pid: number }>('select pg_backend_pid() as pid');
  run.pids.set(writer, identity[0]?.pid ?? 0);
  await adoptUnconfirmed(session, writer, entries);
  while (run.running) {
    if (run.paused || run.mustWait()) {
      run.busy.delete(writer);
      await sleep(20);
      continue;
    }
    run.busy.add(writer);
    const n = entries.length + 1;
    const previous = entries.at(-1)?.digest ?? '';
    const pad = padOf(writer, n);
    await session.query('insert into ledger values ($1, $2, $3, $4)', [writer, n, previous, pad]);
    const digest = digestOf(previous, writer, n, pad);
    // Confirmed from here on, wherever it lies.
    entries.push({ lsn: SOMEWHERE, digest });
    entries[n - 1] = { lsn: await endOfWal(session), digest };
    await sleep(8 + ((n * 7 + writer) % 25));
  }
}

/**
 * A commit whose confirmation was lost with its session is there or is not. One that is there counts
 * from now on; one that was confirmed must be there.
 */
async function adoptUnconfirmed(session: Client, writer: number, entries: Entry[]): Promise<void> {
  const { rows } = await session.query<{ n: string; previous: string; pad: string }>(
    'select n, previous, pad from ledger where writer = $1 order by n desc limit 1',
    [writer],
  );
  const last = rows[0];
  const n = Number(last?.n ?? 0);
  if (n < entries.length || n > entries.length + 1) {
    throw new LostEntry(
      `the server itself has ${n} entries of writer ${writer}, and had confirmed ${entries.length}`,
    );
  }
  if (last === undefined || n === entries.length) return;
  entries.push({
    lsn: await endOfWal(session),
    digest: digestOf(last.previous, writer, n, last.pad),
  });
}

async function endOfWal(session: Client): Promise<bigint> {
  const { rows } = await session.query<{ lsn: string }>(
    'select pg_current_wal_insert_lsn()::text as lsn',
  );
  return parseLsn(rows[0]?.lsn ?? '') ?? 0n;
}

function padOf(writer: number, n: number): string {
  const length = PAD_BYTES_MIN + ((n * 997 + writer * 131) % (PAD_BYTES_MAX - PAD_BYTES_MIN));
  // Half of it does not compress, so that objects have a middle at which a connection can be cut.
  const noise = createHash('shake128', { outputLength: length >> 2 })
    .update(`${writer}:${n}`)
    .digest('hex');
  return noise + '-'.repeat(length >> 1);
}
