/**
 * `wal-show` and `wal-verify` print what WAL-G prints: compared with what wal-g 3.0.8 said of the same
 * repositories, and with a real one where `WALG_BIN` gives its path.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { before, describe, test } from 'node:test';
import { giveToServerUser, scratchPath } from './support/postgres.ts';
import { runTsbk, type TsbkRun } from './support/tsbk.ts';
import { runWalg, walgLacks } from './support/walg.ts';
import { walgCases, walgFolder } from './support/walg-cases.ts';

const GOLDEN = resolve(import.meta.dirname, 'fixtures/walg/wal-show.json');

interface Case {
  readonly name: string;
  readonly repository: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Two timelines with gaps, and what else lies in WAL folders. Only names matter. */
const BRANCHED = 'branched';
const AT_2 = ['--timeline', '2', '--lsn', '0/E000001'];

const CASES: readonly Case[] = [
  { name: 'table', repository: BRANCHED, args: ['wal-show', '--without-backups'] },
  { name: 'json', repository: BRANCHED, args: ['wal-show', '--detailed-json'] },
  {
    name: 'lost and delayed',
    repository: BRANCHED,
    args: ['wal-verify', 'integrity', ...AT_2],
    env: { WALG_UPLOAD_CONCURRENCY: '2', WALG_INTEGRITY_MAX_DELAYED_WALS: '3' },
  },
  {
    name: 'an older timeline',
    repository: BRANCHED,
    args: [
      'wal-verify',
      'timeline',
      'integrity',
      '--json',
      '--timeline',
      '1',
      '--lsn',
      '0/B000000',
    ],
  },
  { name: 'timeline', repository: BRANCHED, args: ['wal-verify', 'timeline', ...AT_2] },
  { name: 'empty table', repository: 'empty', args: ['wal-show'] },
  { name: 'empty json', repository: 'empty', args: ['wal-show', '--detailed-json'] },
  {
    name: 'nothing to look at',
    repository: 'empty',
    args: ['wal-verify', 'integrity', '--json', '--timeline', '1', '--lsn', '0/1000001'],
  },
  { name: 'backups', repository: 'local-delta-lz4-3.0.8', args: ['wal-show', '--detailed-json'] },
  {
    name: 'from a backup',
    repository: 'local-delta-lz4-3.0.8',
    args: ['wal-verify', 'integrity', '--json', '--timeline', '1', '--lsn', '0/1300001'],
  },
];

const roots = new Map<string, string>();

function emptyRepository(): string {
  const root = scratchPath('repository');
  for (const folder of ['wal_005', 'basebackups_005']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  return root;
}

function branchedRepository(): string {
  const root = emptyRepository();
  const put = (name: string, content = ''): void =>
    writeFileSync(join(root, 'wal_005', name), content);
  for (const low of ['01', '02', '03', '05', '06', '09', '0A']) {
    put(`0000000100000000000000${low}.lz4`);
  }
  for (const low of ['0A', '0B', '0C']) put(`0000000200000000000000${low}.lz4`);
  put('00000002.history', '1\t0/A000148\tno recovery target specified\n');
  put('00000001000000000000000A.partial.lz4');
  put('000000010000000000000002.00000028.backup.lz4');
  put('000000010000000000000010_delta.lz4');
  return root;
}

async function run(
  { repository, args, env = {} }: Case,
  program: (args: readonly string[], env: Record<string, string>) => Promise<TsbkRun>,
): Promise<{ readonly text: string; readonly code: number | null }> {
  const root = roots.get(repository) ?? '';
  const segments = repository.endsWith('-3.0.8') ? { WALG_PG_WAL_SIZE: '1' } : {};
  const { stdout, code } = await program(args, { ...env, ...segments, WALG_FILE_PREFIX: root });
  // A checkout sets the times of its files.
  return { text: stdout.replaceAll(/"time":"[^"]*"/g, '"time":""').trimEnd(), code };
}

describe('what WAL-G prints', () => {
  let golden: Record<string, string> = {};

  before(() => {
    golden = JSON.parse(readFileSync(GOLDEN, 'utf8')) as Record<string, string>;
    roots.set(BRANCHED, branchedRepository());
    roots.set('empty', emptyRepository());
    for (const one of walgCases()) roots.set(one.case, walgFolder(one));
    for (const name of [BRANCHED, 'empty']) giveToServerUser(roots.get(name) ?? '');
  });

  for (const one of CASES) {
    test(`is printed by tsbk: ${one.name}`, async () => {
      const { text, code } = await run(one, (args, env) => runTsbk(args, { env }));
      const expected = golden[one.name] ?? '';
      // Below WAL-G's lines stand ours, in words.
      assert.equal(text.slice(0, expected.length), expected);
      assert.match(text.slice(expected.length), /^(?:\nThere is nothing|$)/);
      assert.equal(code, /FAILURE/.test(expected) ? 1 : 0);
    });
  }

  test('is still printed by a real wal-g', { skip: walgLacks() }, async () => {
    const printed: Record<string, string> = {};
    for (const one of CASES) {
      printed[one.name] = (await run(one, (args, env) => runWalg(args, { env }))).text;
    }
    if (process.env['TSBK_WRITE_GOLDEN'] === '1') {
      writeFileSync(GOLDEN, `${JSON.stringify(printed, null, 2)}\n`);
    } else assert.deepEqual(printed, golden);
  });
});
