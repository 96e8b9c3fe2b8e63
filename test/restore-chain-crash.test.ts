/**
 * SIGKILL for a restore of a chain, into a new directory and in place, and for a merge, at random moments:
 * nothing half-made can be taken for whole, and the same command again ends right or says what to do.
 */
import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { checkRepository } from '@tsbk/core/check/check-repository';
import { fakeRepository, type FakeRepository } from './support/fake-repository.ts';
import { contentOfTree } from './support/file-tree.ts';
import { giveToServerUser, scratchPath, scratchPathForServerUser } from './support/postgres.ts';
import {
  faultsOf,
  looksWhole,
  storeProvenChain,
  type ProvenChain,
} from './support/proven-chain.ts';
import { seeded, type Seeded } from './support/seeded.ts';
import { runTsbk, type TsbkRun } from './support/tsbk.ts';

const LONG = process.env['TSBK_TEST_LONG'] !== undefined;
/** Many, or these, which strike in the middle. */
const seedsOf = (first: number, few: readonly number[]): readonly number[] =>
  LONG ? Array.from({ length: 40 }, (_, index) => first + index) : few;
const MARK = 'tsbk_restore_incomplete';

/** When the process is killed. */
type Moment =
  | { readonly failpoint: string }
  /** Milliseconds after it has said this, or after its start. */
  | { readonly after: string; readonly ms: number };

interface Moments {
  /** Words of a phase in which it may happen. */
  readonly phases: readonly string[];
  /** Calls of the store, and about how many there are. */
  readonly calls: readonly (readonly [string, number])[];
}

function momentOf(random: Seeded, { phases, calls }: Moments): Moment {
  if (random.below(3) > 0) return { after: random.pick(phases), ms: random.below(150) };
  const [call, most] = random.pick(calls);
  const done = random.pick(['', '-done']);
  return { failpoint: `${call}${done}:${random.between(1, most)}:kill` };
}

const RESTORE: Moments = {
  phases: ['restoring base_', 'restoring base_', 'completing the directory'],
  calls: [
    ['get', 60],
    ['list', 8],
  ],
};
const MERGE: Moments = {
  phases: ['reading base_', 'writing the records'],
  calls: [
    ['put', 9],
    ['upload', 2],
    ['get', 50],
    ['remove', 1],
  ],
};

/** Runs it with this moment in its way. It may have ended before. */
async function killed(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  moment: Moment,
): Promise<TsbkRun> {
  if ('failpoint' in moment) {
    return await runTsbk(args, { env: { ...env, TSBK_FAILPOINT: moment.failpoint } });
  }
  let pid = 0;
  let timer: NodeJS.Timeout | undefined;
  const run = await runTsbk(args, {
    env,
    onStart: (started) => (pid = started),
    onStderr: (text) => {
      if (!text.includes(moment.after)) return;
      timer ??= setTimeout(() => process.kill(pid, 'SIGKILL'), moment.ms);
    },
  });
  clearTimeout(timer);
  return run;
}

describe('a chain of three backups', () => {
  let site: FakeRepository;
  let chain: ProvenChain;
  let env: Readonly<Record<string, string>>;

  before(async () => {
    site = fakeRepository(scratchPathForServerUser('repository'));
    chain = await storeProvenChain(site, seeded(11), { files: 40, pages: 60 });
    giveToServerUser(site.root);
    env = { WALG_FILE_PREFIX: site.root, TSBK_LANES: '2', WALG_COMPRESSION_METHOD: 'none' };
  });
  after(() => rmSync(site.root, { recursive: true }));

  async function succeeds(args: readonly string[], where = env): Promise<TsbkRun> {
    const run = await runTsbk(args, { env: where });
    assert.equal(run.code, 0, `${args.join(' ')}: ${run.stderr.slice(-2000)}`);
    return run;
  }

  for (const seed of seedsOf(1, [1, 15])) {
    it(`is restored by the same command again, or by what that says, after a kill (seed ${seed})`, async (t) => {
      const directory = scratchPathForServerUser('killed');
      const args = ['backup-fetch', directory, 'LATEST', '--target-immediate'];
      const moment = momentOf(seeded(seed), RESTORE);
      const { signal } = await killed(args, env, moment);
      if (looksWhole(directory)) {
        // It is, or says of itself that it may not be.
        assert.deepEqual(
          faultsOf(chain, directory).filter((fault) => fault !== 'still marked'),
          [],
        );
      }
      const state = stateOf(directory);
      t.diagnostic(`${JSON.stringify(moment)}: ${signal ?? 'it had ended'}, ${state}`);
      const again = await runTsbk(args, { env });
      if (again.code !== 0) {
        assert.match(again.stderr, /\[target-not-empty\]/);
        if (state === 'marked') {
          assert.match(again.stderr, /holds a restore that was interrupted/);
          assert.match(again.stderr, /hint: .*--delta/);
        } else {
          assert.equal(state, 'whole');
        }
        await succeeds([...args, '--delta']);
      }
      assert.deepEqual(faultsOf(chain, directory), []);
      rmSync(directory, { recursive: true });
    });
  }

  describe('in a directory that has gone on', () => {
    let gone: string;
    before(async () => {
      gone = scratchPathForServerUser('gone-on');
      await succeeds(['backup-fetch', gone, 'LATEST', '--target-immediate']);
      goOn(gone, chain);
      giveToServerUser(gone);
    });
    after(() => rmSync(gone, { recursive: true }));

    for (const seed of seedsOf(101, [129])) {
      it(`is brought to its state by the same command again after a kill (seed ${seed})`, async (t) => {
        const directory = scratchPathForServerUser('killed');
        cpSync(gone, directory, { recursive: true });
        giveToServerUser(directory);
        const args = ['backup-fetch', directory, 'LATEST', '--target-immediate', '--delta'];
        const moment = momentOf(seeded(seed), RESTORE);
        const { signal } = await killed(args, env, moment);
        const state = stateOf(directory);
        t.diagnostic(`${JSON.stringify(moment)}: ${signal ?? 'it had ended'}, ${state}`);
        if (looksWhole(directory)) await isOldOrNew(directory);
        await succeeds(args);
        assert.deepEqual(faultsOf(chain, directory), []);
        rmSync(directory, { recursive: true });
      });
    }

    /** What has a control file is what it was, or what it should be. */
    async function isOldOrNew(directory: string): Promise<void> {
      const [was, is] = [await contentOfTree(gone), await contentOfTree(directory)];
      const paths = new Set([...Object.keys(was), ...Object.keys(is)]);
      const changed = [...paths].filter((path) => was[path] !== is[path]);
      if (changed.every((path) => path === MARK || path === 'postmaster.pid')) return;
      assert.deepEqual(
        faultsOf(chain, directory).filter((fault) => fault !== 'still marked'),
        [],
      );
    }
  });

  for (const seed of seedsOf(201, [224])) {
    it(`is merged by the next run after a kill, and what is left is told and goes (seed ${seed})`, async (t) => {
      const root = scratchPath('merged');
      cpSync(site.root, root, { recursive: true });
      giveToServerUser(root);
      const where = { ...env, WALG_FILE_PREFIX: root };
      const newest = chain.names.at(-1) ?? '';
      const name = newest.replace(/_D_.*/, '');
      const moment = momentOf(seeded(seed), MERGE);
      const { signal } = await killed(['backup-merge', newest], where, moment);
      const isThere = existsSync(join(root, `basebackups_005/${name}_backup_stop_sentinel.json`));
      const left = leftOf(root, name);
      t.diagnostic(
        `${JSON.stringify(moment)}: ${signal ?? 'it had ended'}, ${isThere ? 'merged' : `${left.length} objects`}`,
      );
      const { stdout } = await succeeds(['backup-list', '--json'], where);
      const listed = (JSON.parse(stdout) as { backup_name: string }[]).map((b) => b.backup_name);
      assert.deepEqual(listed.toSorted(), [...chain.names, ...(isThere ? [name] : [])].toSorted());
      if (!isThere) {
        await isTold(root, { name, isLeft: left.length > 0 });
        await succeeds(['st', 'claims', '--remove'], where);
        assert.deepEqual(leftOf(root, name), []);
        await succeeds(['backup-merge', newest], where);
      }
      const directory = scratchPathForServerUser('of-merged');
      await succeeds(['backup-fetch', directory, name, '--target-immediate'], where);
      assert.deepEqual(faultsOf(chain, directory), []);
      for (const path of [directory, root]) rmSync(path, { recursive: true });
    });
  }

  /** By the commands that look for what killed runs have left. */
  async function isTold(
    root: string,
    { name, isLeft }: { readonly name: string; readonly isLeft: boolean },
  ): Promise<void> {
    const claims = await succeeds(['st', 'claims'], { ...env, WALG_FILE_PREFIX: root });
    assert.equal(claims.stdout.includes(`${name}: `), isLeft, claims.stdout);
    const opened = await fakeRepository(root).open();
    const probe = { conditionalWrites: async () => ({ put: true, upload: true }) };
    const found = await checkRepository(opened, probe, { signal: AbortSignal.timeout(60_000) });
    const texts = JSON.stringify(found);
    assert.equal(texts.includes(`${name} is no complete backup`), isLeft, texts);
  }
});

/** What a kill has left of a restore. */
function stateOf(directory: string): 'nothing' | 'marked' | 'whole' | 'bare' {
  if (!existsSync(directory) || readdirSync(directory).length === 0) return 'nothing';
  if (existsSync(join(directory, MARK))) return 'marked';
  return looksWhole(directory) ? 'whole' : 'bare';
}

/** Files change, grow, shrink, go and come, as under a server. */
function goOn(directory: string, { files }: ProvenChain): void {
  for (const [number, path] of [...files.keys()].entries()) {
    const at = join(directory, path);
    if (number % 7 === 0) rmSync(at);
    else if (number % 7 === 1) truncateSync(at, 8192);
    else if (number % 3 === 0) writeFileSync(at, readFileSync(at).fill('changed', 8192, 16_384));
  }
  writeFileSync(join(directory, 'base/1/999'), 'foreign');
  mkdirSync(join(directory, 'base/2'));
  writeFileSync(join(directory, 'base/2/1'), 'foreign');
}

/** Everything that is stored of a backup and of its name. */
function leftOf(root: string, name: string): string[] {
  const folder = join(root, 'basebackups_005');
  const own = [`${name}/`, `${name}_backup`];
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((path) => own.some((start) => path.startsWith(start)));
}
