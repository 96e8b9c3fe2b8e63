import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { CONTENDERS } from './contenders/all.ts';
import { WAL_CONTENDERS } from './contenders/wal/all.ts';
import { WAL_RECEIVERS } from './contenders/wal/receivers.ts';

const SCENARIOS = ['plain', 'encrypted', 'wal', 'durable', 'loss', 'effect'] as const;

export interface Options {
  readonly sizeGib: number;
  readonly rounds: number;
  /** Of what concerns WAL, which takes longest. */
  readonly walRounds: number;
  readonly codec: 'lz4' | 'zstd';
  readonly stores: readonly ('directory' | 's3')[];
  readonly scenarios: ReadonlySet<(typeof SCENARIOS)[number]>;
  /** Ids of contenders; empty for all. */
  readonly only: readonly string[];
  readonly width: number;
  /** WAL files that are archived and replayed. */
  readonly segments: number;
  readonly out: string;
  /** Makes the page of results that are there, and measures nothing. */
  readonly render: boolean;
  /** Whether scenarios that are not chosen stay in the results as an earlier run has left them. */
  readonly keep: boolean;
  /** Whether the first round's restores are opened and compared. */
  readonly verify: boolean;
}

export const USAGE = `usage: npm run bench -- [options]
  --size GIB         database to back up (2)
  --rounds N         rounds, contenders taking turns in each (3)
  --wal-rounds N     rounds of wal and durable, which take longest (as --rounds)
  --segments N       WAL segments of 16 MiB to archive and replay (500)
  --codec NAME       lz4 or zstd, at the levels that WAL-G uses (lz4)
  --store LIST       dir, s3 or both (dir,s3)
  --scenarios LIST   of plain, encrypted, wal, durable, loss, effect (all); encrypted and effect use the
                     directory, loss S3
  --only LIST        contenders by id, for example tsbk-remote,wal-g
  --no-verify        do not open and compare what the first round restored
  --quick            0.2 GiB, one round, directory only
  --out FOLDER       for results.json and report.html (bench)
  --keep             of scenarios that are not chosen, keep what is in results.json
  --render           make report.html of the results.json that is there
`;

/** Throws a TypeError that says what is wrong. */
export function readOptions(args: readonly string[], home: string): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      size: { type: 'string' },
      rounds: { type: 'string' },
      'wal-rounds': { type: 'string' },
      segments: { type: 'string' },
      codec: { type: 'string', default: 'lz4' },
      store: { type: 'string' },
      scenarios: { type: 'string', default: SCENARIOS.join(',') },
      only: { type: 'string', default: '' },
      'no-verify': { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      out: { type: 'string', default: home },
      keep: { type: 'boolean', default: false },
      render: { type: 'boolean', default: false },
    },
  });
  const { codec, quick } = values;
  const rounds = positive('--rounds', values.rounds ?? (quick ? '1' : '3'));
  if (codec !== 'lz4' && codec !== 'zstd') throw new TypeError('--codec is lz4 or zstd');
  return {
    sizeGib: positive('--size', values.size ?? (quick ? '0.2' : '2')),
    rounds,
    walRounds: positive('--wal-rounds', values['wal-rounds'] ?? String(rounds)),
    codec,
    stores: listOf(values.store ?? (quick ? 'dir' : 'dir,s3')).map(storeOf),
    scenarios: new Set(listOf(values.scenarios).map(scenarioOf)),
    only: listOf(values.only).map(contenderOf),
    width: Math.min(4, availableParallelism()),
    segments: Math.ceil(positive('--segments', values.segments ?? (quick ? '24' : '500'))),
    out: values.out,
    keep: values.keep,
    render: values.render,
    verify: !values['no-verify'],
  };
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new TypeError(`${option} is a number above 0, not ${text}`);
  return value;
}

function storeOf(name: string): 'directory' | 's3' {
  if (name === 'dir') return 'directory';
  if (name === 's3') return 's3';
  throw new TypeError(`--store is a list of dir and s3, not ${name}`);
}

function scenarioOf(name: string): (typeof SCENARIOS)[number] {
  const known = SCENARIOS.find((scenario) => scenario === name);
  if (known === undefined) throw new TypeError(`--scenarios is a list of ${SCENARIOS.join(', ')}`);
  return known;
}

function contenderOf(id: string): string {
  const ids = [...CONTENDERS, ...WAL_CONTENDERS, ...WAL_RECEIVERS].map((contender) => contender.id);
  if (!ids.includes(id)) throw new TypeError(`--only is a list of ${ids.join(', ')}`);
  return id;
}

function listOf(text: string): string[] {
  return text.split(',').filter((part) => part !== '');
}
