import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { archiveEverything } from '@tsbk/test/support/archiving-server';
import { giveToServerUser, scratchPathForServerUser, startFrom } from '@tsbk/test/support/postgres';
import { installedTsbk } from '@tsbk/test/support/tsbk';
import type { Flavour } from '../contenders/contender.ts';
import { putAway } from '../measure/put-away.ts';
import { openSite, runSettled, writeScript, type Bench, type OpenSite } from '../scenarios/site.ts';
import type { ChangingTable } from './changing-table.ts';
import type { DeltaContender, DeltaSession } from './delta-contender.ts';
import type { DeltaMeasurement } from './results.ts';

export interface DeltaTask {
  readonly contender: DeltaContender;
  readonly round: number;
  readonly sizeGib: number;
  readonly table: ChangingTable;
  readonly record: (measurement: DeltaMeasurement) => void;
}

type Opened = OpenSite<DeltaSession>;

const FLAVOUR: Flavour = { store: 'directory', codec: 'lz4', encrypted: false };

/**
 * A full backup, then a delta after each change of these shares of the pages, and one after a change of
 * so many pages.
 */
export async function measureCurve(
  bench: Bench,
  task: DeltaTask,
  { shares, pages }: { readonly shares: readonly number[]; readonly pages: number },
): Promise<void> {
  await inRepository(bench, task, async (open, base) => {
    task.record({ ...base, scenario: 'full', share: 0, ...(await taken(open, open.session.full)) });
    const same = { share: pages / task.table.pages, pages };
    const points = [...shares.map((share) => ({ share })), ...(pages > 0 ? [same] : [])];
    for (const point of points) {
      await task.table.change(point.share);
      await archiveEverything(bench.server);
      const outcome = await taken(open, open.session.delta);
      task.record({ ...base, scenario: 'delta', ...point, ...outcome });
    }
  });
}

/** A full backup and a chain of deltas of this share each, restored and compared. */
export async function measureChain(
  bench: Bench,
  task: DeltaTask,
  { share, links }: { readonly share: number; readonly links: number },
): Promise<void> {
  const directory = scratchPathForServerUser('restored');
  await inRepository(bench, task, async (open, base) => {
    await runSettled(open.session.full, open);
    for (let link = 0; link < links; link += 1) {
      await task.table.change(share);
      await runSettled(open.session.delta, open);
    }
    const expected = await task.table.fingerprint(bench.server);
    await archiveEverything(bench.server);
    const usage = await runSettled(open.session.restore(directory), open);
    await compare(open, directory, { table: task.table, expected });
    task.record({ ...base, scenario: 'restore', share, links, usage });
  }).finally(() => putAway(directory));
}

/** Opens a fresh repository; what fails in it is recorded. */
async function inRepository(
  bench: Bench,
  { contender, round, sizeGib, record }: DeltaTask,
  work: (
    open: Opened,
    base: Pick<DeltaMeasurement, 'contender' | 'round' | 'sizeGib'>,
  ) => Promise<void>,
): Promise<void> {
  const base = { contender: contender.id, round, sizeGib };
  try {
    await using open = await openSite(bench, contender, FLAVOUR);
    await work(open, base);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    record({ ...base, scenario: 'delta', share: 0, error: text });
  }
}

async function taken(
  open: Opened,
  command: DeltaSession['delta'],
): Promise<Pick<DeltaMeasurement, 'usage' | 'storedBytes'>> {
  const before = await open.site.repository.measure();
  const usage = await runSettled(command, open);
  const after = await open.site.repository.measure();
  return { usage, storedBytes: after.bytes - before.bytes };
}

async function compare(
  { session, site }: Opened,
  directory: string,
  { table, expected }: { readonly table: ChangingTable; readonly expected: string },
): Promise<void> {
  const settings: Record<string, string> = {};
  if (session.opens === 'by-harness' && session.archiveGet !== undefined) {
    const script = writeScript(join(site.folder, 'restore-command'), session.archiveGet);
    giveToServerUser(site.folder);
    settings['restore_command'] = `${script} %f %p`;
    writeFileSync(join(directory, 'recovery.signal'), '');
  }
  await using restored = await startFrom(directory, {
    version: site.server.version,
    waitFor: 'end-of-recovery',
    env: { ...installedTsbk().env, ...session.full.env },
    settings,
  });
  const found = await table.fingerprint(restored);
  if (found !== expected) throw new Error(`restored ${found}, not ${expected}`);
}
