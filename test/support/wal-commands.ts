import { mkdirSync, readdirSync } from 'node:fs';
import { giveToServerUser, scratchPath } from './postgres.ts';
import { installedTsbk, runCommand, type TsbkOptions, type TsbkRun } from './tsbk.ts';

type Env = Readonly<Record<string, string>>;

/** `tsbk-archive-push PATH`, as the server's user runs it. */
export function pushWal(path: string, env: Env, options: TsbkOptions = {}): Promise<TsbkRun> {
  return runCommand(installedTsbk().archivePush, [path], { ...options, env });
}

/** `tsbk-archive-get NAME DESTINATION`, in `cwd`, which stands for the data directory. */
export function getWal(
  [name, destination]: readonly [string, string],
  env: Env,
  options: TsbkOptions = {},
): Promise<TsbkRun> {
  return runCommand(installedTsbk().archiveGet, [name, destination], { ...options, env });
}

/** A fresh directory that belongs to the server's user. */
export function serverFolder(kind: string): string {
  const path = scratchPath(kind);
  mkdirSync(path, { mode: 0o700 });
  giveToServerUser(path);
  return path;
}

/** Paths of the files below a repository directory, sorted; what uploads left behind among them. */
export function filesBelow(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => `${parentPath.slice(root.length)}/${name}`.slice(1))
    .sort();
}
