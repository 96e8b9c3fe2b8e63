import { mkdir, mkdtemp, readdir, rm, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pushBackup, type PushResult } from '@tsbk/core/backup/push';
import { FakeWal } from '@tsbk/core/format/wal/fake-wal';
import { instantFromMs } from '@tsbk/core/kernel/instant';
import { toSystemId } from '@tsbk/core/kernel/system-id';
import { inlineLanes } from '@tsbk/core/lanes/inline';
import { threadLanes } from '@tsbk/core/lanes/threads';
import type { BackupServer } from '@tsbk/core/ports/backup-server';
import type { Lanes } from '@tsbk/core/ports/lanes';
import type { Report } from '@tsbk/core/ports/report';
import type { Repository } from '@tsbk/core/repository/repository';
import { fetchBackup } from '@tsbk/core/restore/fetch';
import { FAKE_SYSTEM_ID } from '../fake-repository.ts';
import { fetchRequest } from '../fetch-request.ts';
import type { SimulatedCluster } from './cluster.ts';
import { rootOf, simulatedRepository, type SimulatedSetup } from './repository.ts';
import { clockPhase, type ScaleMark, type ScalePhase } from './clock-phase.ts';
import { watchMemory } from './watch-memory.ts';

export interface ScaleOptions {
  readonly bytes: number;
  readonly files: number;
  readonly codec: 'lz4' | 'zstd' | 'none';
  readonly lanes: number;
  /** Whether lanes are worker threads, as they are in a real run; else they share this one. */
  readonly threads: boolean;
  /** Whether the backup is restored afterwards. */
  readonly fetch: boolean;
  /** Where records go and restored files appear for a moment; it should not be a disk. */
  readonly directory?: string | undefined;
  /** An empty directory that becomes a real repository, for other programs to restore. */
  readonly store?: string | undefined;
  /** Hears of each twentieth of a phase. */
  readonly onMark?: (mark: ScaleMark) => void;
}

export interface ScaleResult {
  readonly plainBytes: number;
  readonly storedBytes: number;
  readonly files: number;
  readonly parts: number;
  readonly phases: readonly ScalePhase[];
}

/** A file beside this one; in a bundle the one that stands beside it. */
const LANE = new URL(import.meta.url.endsWith('.ts') ? './lane.ts' : './lane.mjs', import.meta.url);
const PART_BYTES_MAX = 1024 ** 3 - 1;
const SWEEP_EVERY_MS = 300;
const { signal } = new AbortController();

/**
 * A backup and its restore by the very code of `tsbk`, from a data directory and to a store that
 * take no disk. What is restored is removed again at once, so that its size does not matter either.
 */
export async function runScale(options: ScaleOptions): Promise<ScaleResult> {
  const scratch = await mkdtemp(join(options.directory ?? tmpdir(), 'tsbk-scale-'));
  try {
    return await run(options, scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function run(options: ScaleOptions, scratch: string): Promise<ScaleResult> {
  const site = await simulatedSite(options, scratch);
  const memory = watchMemory();
  const phases: ScalePhase[] = [];
  const phase = async <T>(name: string, work: (report: Report) => Promise<T>): Promise<T> => {
    const clock = clockPhase(name, { memory, totalBytes: options.bytes, onMark: options.onMark });
    const result = await work(clock.report);
    phases.push(clock.end());
    return result;
  };
  try {
    const pushed = await phase('push', (report) => push(site, scratch, report));
    if (options.fetch) {
      const destination = join(scratch, 'restored');
      await using _sweeper = sweeping(destination);
      await phase('fetch', (report) => fetch(site, destination, report));
    }
    const { plainBytes, storedBytes, files, parts } = pushed;
    return { plainBytes, storedBytes, files, parts, phases };
  } finally {
    memory.stop();
    await site.lanes.close();
  }
}

interface Site {
  readonly repository: Repository;
  readonly cluster: SimulatedCluster;
  readonly lanes: Lanes;
  readonly segmentBytes: number;
}

async function simulatedSite(options: ScaleOptions, scratch: string): Promise<Site> {
  const { bytes, files, codec } = options;
  const wal = new FakeWal();
  const startLsn = wal.filler(100);
  const stopLsn = wal.filler(100);
  wal.commit(700, instantFromMs(0));
  const { segmentBytes } = wal;
  const facts = { files, bytes, startLsn, stopLsn, segmentBytes };
  const setup = { cluster: facts, codec, scratch, root: options.store };
  await mkdir(join(rootOf(setup), 'wal_005'), { recursive: true });
  const { repository, cluster, recipes } = simulatedRepository(setup);
  for (const [name, content] of wal.segments()) {
    await repository.store.put(`wal_005/${name}`, content, { signal });
  }
  const lanes = recipes.recording(lanesOf(options, repository, setup), (key, stored) =>
    repository.store.learn(key, stored),
  );
  return { repository, cluster, lanes, segmentBytes };
}

function lanesOf(
  { lanes: width, threads }: ScaleOptions,
  repository: Repository,
  setup: SimulatedSetup,
): Lanes {
  if (!threads) return inlineLanes(repository, width);
  return threadLanes({ width, entry: LANE, setup, report: () => {} });
}

async function push(site: Site, scratchDirectory: string, report: Report): Promise<PushResult> {
  const { repository, cluster: source, lanes, segmentBytes } = site;
  return await pushBackup(
    { repository, source, server: simulatedServer(segmentBytes), lanes },
    {
      runId: 'simulation',
      hostname: 'simulation',
      toolVersion: '0',
      label: 'simulated',
      checkpoint: 'fast',
      verifyChecksums: false,
      permanent: false,
      partBytesMax: PART_BYTES_MAX,
      scratchDirectory,
      nameTables: false,
      walTimeoutMs: 10_000,
    },
    { signal, report },
  );
}

async function fetch(site: Site, destination: string, report: Report): Promise<void> {
  const { repository, lanes, segmentBytes } = site;
  await fetchBackup({ repository, lanes }, fetchRequest({ destination, segmentBytes }), {
    signal,
    report,
  });
}

function simulatedServer(segmentBytes: number): BackupServer {
  return {
    identity: {
      systemId: toSystemId(String(FAKE_SYSTEM_ID)),
      versionNumber: 170_005,
      segmentBytes,
      inRecovery: false,
      dataDirectoryMode: 0o700,
      dataDirectory: '/simulated',
    },
    archiverState: async () => undefined,
    databases: async () => undefined,
    async *relations() {},
  };
}

/** Takes away files below `base/` of a directory as they appear, whole or not. */
function sweeping(directory: string): AsyncDisposable {
  let isDone = false;
  const base = join(directory, 'base');
  const sweep = async (): Promise<void> => {
    for (const database of await readdir(base).catch(() => [])) {
      const folder = join(base, database);
      for (const name of await readdir(folder)) await unlink(join(folder, name));
    }
  };
  const work = (async () => {
    while (!isDone) {
      await sweep();
      await sleep(SWEEP_EVERY_MS);
    }
  })();
  return {
    [Symbol.asyncDispose]: async () => {
      isDone = true;
      await work;
    },
  };
}
