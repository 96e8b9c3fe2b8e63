import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { giveToServerUser, scratchPathForServerUser, startFrom } from '@tsbk/test/support/postgres';
import { installedTsbk } from '@tsbk/test/support/tsbk';
import type { Contender, Flavour } from '../contenders/contender.ts';
import { differences, fingerprintOf, type Fingerprint } from '../cluster/fingerprint.ts';
import { putAway } from '../measure/put-away.ts';
import type { Measurement } from '../results.ts';
import { openSite, runSettled, writeScript, type Bench, type OpenSite } from './site.ts';

export interface BackupRestoreTask {
  readonly contender: Contender;
  readonly flavour: Flavour;
  readonly round: number;
  /** Absent: what is restored is not opened. */
  readonly expected?: Fingerprint | undefined;
  readonly record: (measurement: Measurement) => void;
}

/** Backs up into a fresh repository, restores from it, and compares every table of the result. */
export async function backUpAndRestore(bench: Bench, task: BackupRestoreTask): Promise<void> {
  const { contender, flavour, round, record } = task;
  const { store, encrypted } = flavour;
  const base = { store, encrypted, contender: contender.id, round };
  let scenario: 'backup' | 'restore' = 'backup';
  const directory = scratchPathForServerUser('restored');
  try {
    await using open = await openSite(bench, contender, flavour);
    const backup = await runSettled(open.session.backup, open);
    const { bytes: storedBytes } = await open.site.repository.measure();
    record({ ...base, scenario, usage: backup, storedBytes });
    scenario = 'restore';
    const restore = await runSettled(open.session.restore(directory), open);
    const verified = await verify(open, directory, task.expected);
    record({ ...base, scenario, usage: restore, ...(verified === undefined ? {} : { verified }) });
  } catch (error) {
    record({ ...base, scenario, error: error instanceof Error ? error.message : String(error) });
  } finally {
    putAway(directory);
  }
}

async function verify(
  { session, site }: OpenSite,
  directory: string,
  expected: Fingerprint | undefined,
): Promise<Measurement['verified']> {
  if (expected === undefined) return undefined;
  if (session.opens === 'never') return 'not openable by design';
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
    env: { ...installedTsbk().env, ...session.backup.env },
    settings,
  });
  const wrong = differences(expected, await fingerprintOf(restored));
  if (wrong.length > 0) throw new Error(`restored tables differ: ${wrong.slice(0, 10).join(', ')}`);
  return 'same';
}
