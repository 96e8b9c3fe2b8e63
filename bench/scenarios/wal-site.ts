import { copyFileSync, linkSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { giveToServerUser, scratchPath } from '@tsbk/test/support/postgres';
import { copyCluster } from '@tsbk/test/support/postgres/cluster';
import { openTestStore } from '@tsbk/test/support/store';
import type { WalSupply } from '../cluster/wal-supply.ts';
import type { Flavour } from '../contenders/contender.ts';
import type { WalContender, WalSession, WalSite } from '../contenders/wal/wal-contender.ts';
import { childrenOf } from '../measure/process-tree.ts';
import { putAway } from '../measure/put-away.ts';
import { runMeasured, type Surroundings } from '../measure/run-measured.ts';
import { startService } from '../measure/service.ts';

/** A contender in a fresh repository, beside a data directory whose server does not run. */
export interface OpenWalSite extends AsyncDisposable {
  readonly contender: WalContender;
  readonly site: WalSite;
  readonly session: WalSession;
  readonly surroundings: Surroundings;
  /** Puts segments into `pg_wal`; those that are `ready` wait to be archived. */
  readonly offer: (segments: readonly string[], ready: boolean) => void;
}

export async function openWalSite(
  contender: WalContender,
  flavour: Flavour,
  { supply, width, timeoutMs }: { supply: WalSupply; width: number; timeoutMs: number },
): Promise<OpenWalSite> {
  const before = new Set(childrenOf(process.pid));
  const repository = await openTestStore(flavour.store);
  const storePid = childrenOf(process.pid).find((pid) => !before.has(pid));
  const folder = scratchPath(`site-${contender.id}-`);
  mkdirSync(folder);
  const dataDir = scratchPath('archiver');
  copyCluster(supply.base, dataDir);
  emptyWal(dataDir);
  const site = { ...flavour, dataDir, repository, folder, width };
  const session = contender.open(site);
  for (const path of [folder, dataDir]) giveToServerUser(path);
  const surroundings = { storePid, timeoutMs };
  if (session.prepare !== undefined) await runMeasured(session.prepare, surroundings);
  const service = await startService(session.service);
  return {
    contender,
    site,
    session,
    surroundings: { ...surroundings, servicePid: service?.pid },
    offer: (segments, ready) => offer(dataDir, segments, ready),
    [Symbol.asyncDispose]: async () => {
      await service?.[Symbol.asyncDispose]();
      await repository[Symbol.asyncDispose]();
      const directory = repository.env['WALG_FILE_PREFIX'] ?? folder;
      putAway(folder, dataDir, directory);
    },
  };
}

/** `pg_wal` of a copied directory, without what the copy brought. */
export function emptyWal(dataDir: string): void {
  for (const name of readdirSync(join(dataDir, 'pg_wal'))) {
    if (name !== 'archive_status') rmSync(join(dataDir, 'pg_wal', name), { recursive: true });
  }
}

function offer(dataDir: string, segments: readonly string[], ready: boolean): void {
  for (const path of segments) {
    const target = join(dataDir, 'pg_wal', basename(path));
    rmSync(target, { force: true });
    linkOrCopy(path, target);
    const mark = join(dataDir, 'pg_wal/archive_status', `${basename(path)}.ready`);
    if (ready) writeFileSync(mark, '');
  }
  giveToServerUser(join(dataDir, 'pg_wal'));
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}
