/**
 * Sets up, then runs a program of this tree with the tree's own Node 24 first on the path. Arguments and
 * exit code are passed on.
 *
 *   node scripts/run.mjs scripts/demo.ts --s3
 */
import { spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

function run(program, argv, env) {
  const { status, signal, error } = spawnSync(program, argv, { cwd: ROOT, stdio: 'inherit', env });
  if (error !== undefined) throw error;
  return status ?? 128 + (constants.signals[signal] ?? 0);
}

function setUpAndRun([program, ...args]) {
  const setup = run(process.execPath, [join(ROOT, 'scripts/setup.mjs')], process.env);
  if (setup !== 0) return setup;
  const PATH = [join(ROOT, 'node_modules/.bin'), process.env.PATH].join(delimiter);
  // `node` is looked up again: the tree's own is newer than the one that runs this.
  return run('node', [join(ROOT, program), ...args], { ...process.env, PATH });
}

process.exitCode = setUpAndRun(process.argv.slice(2));
