import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { promisify } from 'node:util';
import { serverProgram, type PostgresVersion } from './installation.ts';
import { scratchPath } from './scratch.ts';
import { giveToServerUser, serverUser } from './server-user.ts';

const run = promisify(execFile);

/** What is fixed when a cluster is made. */
export interface ClusterShape {
  readonly version: PostgresVersion;
  /** Size of a WAL segment in MiB; 16 if absent. */
  readonly walSegmentMb?: number | undefined;
  /** Data checksums; on if absent, in every version. */
  readonly checksums?: boolean | undefined;
  /** `initdb --allow-group-access`: modes 0750 and 0640. */
  readonly groupAccess?: boolean | undefined;
  /**
   * Run `initdb` for this cluster alone. Otherwise clusters of one shape are copies of one
   * template and **share its system identifier**.
   */
  readonly newSystemId?: boolean | undefined;
}

const templates = new Map<string, Promise<string>>();

/**
 * Makes a fresh cluster at `dataDir`. `initdb` takes seconds, a copy of a template a tenth of one;
 * so each shape is initialised once a process.
 */
export async function makeCluster(dataDir: string, shape: ClusterShape): Promise<void> {
  if (shape.newSystemId === true) {
    await initdb(dataDir, shape);
    return;
  }
  const key = JSON.stringify([
    shape.version,
    shape.walSegmentMb ?? 16,
    shape.checksums ?? true,
    shape.groupAccess ?? false,
  ]);
  let template = templates.get(key);
  if (template === undefined) {
    const path = scratchPath('template');
    template = initdb(path, shape).then(() => path);
    templates.set(key, template);
  }
  await run('cp', ['-a', '--reflink=auto', await template, dataDir]);
}

async function initdb(dataDir: string, shape: ClusterShape): Promise<void> {
  if (!existsSync(dataDir)) mkdirSync(dataDir, { mode: 0o700 });
  giveToServerUser(dataDir);
  const checksums = shape.checksums ?? true;
  const args = [
    `--pgdata=${dataDir}`,
    '--username=postgres',
    '--auth=trust',
    '--locale=C',
    '--encoding=UTF8',
    '--no-sync',
    ...(shape.walSegmentMb === undefined ? [] : [`--wal-segsize=${shape.walSegmentMb}`]),
    ...(shape.groupAccess === true ? ['--allow-group-access'] : []),
    ...(checksums ? ['--data-checksums'] : []),
    ...(!checksums && shape.version >= 18 ? ['--no-data-checksums'] : []),
  ];
  await run(serverProgram(shape.version, 'initdb'), args, {
    ...serverUser(),
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
  });
}

/** Copies a data directory, owner and modes included, for the server's user. */
export function copyCluster(from: string, to: string): void {
  execFileSync('cp', ['-a', '--reflink=auto', from, to]);
  giveToServerUser(to);
}
