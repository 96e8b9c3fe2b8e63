/**
 * The built commands, run as a user runs them: through their launchers, with an environment that
 * holds nothing but what the test gives. As root they run as the server's user, because
 * `archive_command` does, and the repository's files must belong to one user.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { scratchPath, serverUser, stageForServerUser } from './postgres.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** Paths that the server's user can execute. */
export interface InstalledTsbk {
  readonly cli: string;
  readonly archivePush: string;
  readonly archiveGet: string;
  /** What the commands need from the environment to find their interpreter. */
  readonly env: Readonly<Record<string, string>>;
}

let installed: InstalledTsbk | undefined;

/**
 * A copy of this tree's commands: the tree may be closed to the server's user, and a build that runs
 * meanwhile must not change what a server under test executes.
 */
export function installedTsbk(): InstalledTsbk {
  installed ??= install();
  return installed;
}

function install(): InstalledTsbk {
  const packages = copyOfTree();
  const node = stageForServerUser(process.execPath);
  return {
    cli: join(packages, 'packages/cli/bin/tsbk'),
    archivePush: join(packages, 'packages/archive-command/bin/tsbk-archive-push'),
    archiveGet: join(packages, 'packages/restore-command/bin/tsbk-archive-get'),
    env: { PATH: `${dirname(node)}:/usr/local/bin:/usr/bin:/bin`, HOME: '/nonexistent' },
  };
}

function copyOfTree(): string {
  const copy = scratchPath('tree');
  for (const name of ['cli', 'archive-command', 'restore-command']) {
    const from = join(ROOT, 'packages', name);
    const to = join(copy, 'packages', name);
    mkdirSync(to, { recursive: true });
    for (const part of ['bin', 'dist']) execFileSync('cp', ['-a', join(from, part), to]);
  }
  copyPackages(join(copy, 'node_modules'));
  execFileSync('chmod', ['-R', 'go+rX', copy]);
  return copy;
}

/** What is not in the bundles, once for all commands, each package with those it depends on. */
function copyPackages(to: string): void {
  mkdirSync(to);
  const own = join(ROOT, 'packages/cli/node_modules');
  const found = ['@node-rs/crc32', 'lz4-napi', 'openpgp', 'sodium-native']
    .map((name) => join(own, name))
    .filter((path) => existsSync(path));
  // pnpm puts a package's dependencies beside it, as links to where they lie beside theirs.
  const folders = new Set(found.map((path) => folderOf(path)));
  for (const folder of folders) {
    execFileSync('cp', ['-aL', '--no-clobber', `${folder}/.`, to]);
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (!entry.isSymbolicLink()) continue;
      folders.add(folderOf(join(folder, entry.name)));
    }
  }
}

/** The `node_modules` in which a package really lies. */
function folderOf(path: string): string {
  const real = realpathSync(path);
  return real.slice(0, real.lastIndexOf('/node_modules/') + '/node_modules'.length);
}

export interface TsbkRun {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
  /** Largest resident set that was seen. */
  readonly peakBytes: number;
}

export interface TsbkOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Called with the process as soon as it runs, for those who want to kill it. */
  readonly onStart?: (pid: number) => void;
  /** Called for each piece of standard error. */
  readonly onStderr?: (text: string) => void;
  /** Kills the process that runs longer, and rejects. No bound if absent. */
  readonly timeoutMs?: number;
}

/** Runs `tsbk` with arguments. Resolves whatever its exit code is. */
export function runTsbk(args: readonly string[], options: TsbkOptions = {}): Promise<TsbkRun> {
  return runCommand(installedTsbk().cli, args, options);
}

/** Runs one of the commands, or any program, as the server's user. */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: TsbkOptions = {},
): Promise<TsbkRun> {
  const start = performance.now();
  const child = spawn(program, args, {
    cwd: options.cwd ?? '/',
    env: { ...installedTsbk().env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...serverUser(),
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
    options.onStderr?.(text);
  });
  let peakBytes = 0;
  const { pid } = child;
  const watch = setInterval(() => {
    if (pid !== undefined) peakBytes = Math.max(peakBytes, residentPeak(pid));
  }, 50);
  if (pid !== undefined) options.onStart?.(pid);
  let isLate = false;
  const end = (): void => {
    isLate = true;
    child.kill('SIGKILL');
    // What it started may hold them open for longer.
    child.stdout.destroy();
    child.stderr.destroy();
  };
  const { timeoutMs } = options;
  const bound = timeoutMs === undefined ? undefined : setTimeout(end, timeoutMs);
  try {
    return await new Promise<TsbkRun>((done, fail) => {
      child.once('error', fail);
      child.once('close', (code, signal) => {
        const command = [program, ...args].join(' ');
        const late = `killed after ${timeoutMs} ms: ${command}\n${output.stderr.slice(-1000)}`;
        if (isLate) fail(new Error(late));
        else done({ code, signal, ...output, ms: performance.now() - start, peakBytes });
      });
    });
  } finally {
    clearInterval(watch);
    clearTimeout(bound);
  }
}

/** Peak resident set of a process and its children, as the kernel keeps it; 0 where it does not. */
function residentPeak(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const own = Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
    const below =
      children === '' ? [] : children.split(' ').map((child) => residentPeak(Number(child)));
    return Math.max(own, ...below);
  } catch {
    return 0;
  }
}
