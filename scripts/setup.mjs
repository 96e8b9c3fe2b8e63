/**
 * Sets everything up that this tree needs and a fresh machine lacks. Plain JavaScript for Node 20,
 * because nothing is installed yet when it runs. Each step looks first whether it is done, so a
 * second run takes a moment. What only some tests need is not insisted on: the step says what is
 * missing and what that means.
 *
 *   node scripts/setup.mjs
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const CACHE = join(ROOT, 'node_modules/.cache/tsbk');
const PNPM = 'pnpm@12.21.0';
const VERSITYGW = 'github.com/versity/versitygw/cmd/versitygw@v1.8.0';

/** Programs the tests compare with, and the Debian package each comes in. */
const TOOLS = [
  { program: 'lz4', debian: 'lz4' },
  { program: 'zstd', debian: 'zstd' },
  { program: 'brotli', debian: 'brotli' },
  { program: 'xz', debian: 'xz-utils' },
  { program: 'gpg', debian: 'gnupg' },
  { program: 'openssl', debian: 'openssl' },
  { program: 'pg_verifybackup', debian: 'postgresql-client-15', folder: '/usr/lib/postgresql' },
  { program: 'pg_amcheck', debian: 'postgresql-client-15', folder: '/usr/lib/postgresql' },
];

/** Runs one step, prints what came of it and how long it took. */
function step(name, work) {
  const start = performance.now();
  const outcome = work();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  process.stdout.write(`setup: ${name}: ${outcome} (${seconds} s)\n`);
}

/** Says beforehand that something will take its time. */
function announce(text) {
  process.stdout.write(`setup: ${text}\n`);
}

/** Whether the program succeeded. Its output is printed only if it did not. */
function succeeds(program, args, options = {}) {
  const result = spawnSync(program, args, { cwd: ROOT, encoding: 'utf8', ...options });
  if (result.status === 0) return true;
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
  if (result.error !== undefined) process.stderr.write(`${program}: ${result.error.message}\n`);
  return false;
}

function mustSucceed(program, args, options) {
  if (!succeeds(program, args, options)) throw new Error(`${program} ${args.join(' ')} failed`);
}

function onPath(program) {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .some((folder) => folder !== '' && existsSync(join(folder, program)));
}

/** Everything that decides what an installation looks like. */
function manifestHash() {
  const folders = readdirSync(join(ROOT, 'packages')).map((name) => `packages/${name}`);
  const files = [
    'pnpm-lock.yaml',
    'pnpm-workspace.yaml',
    ...['.', 'bench', 'test', ...folders].map((folder) => `${folder}/package.json`),
  ].filter((file) => existsSync(join(ROOT, file)));
  const hash = createHash('sha256').update(process.platform + process.arch);
  for (const file of files.sort()) hash.update(`${file}\n`).update(readFileSync(join(ROOT, file)));
  return hash.digest('hex');
}

function installPackages() {
  const stamp = join(CACHE, 'installed');
  const wanted = manifestHash();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return 'up to date';
  mustSucceed('npx', ['--yes', PNPM, 'install', '--frozen-lockfile'], {
    env: { ...process.env, CI: 'true' },
  });
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(stamp, wanted);
  return 'installed';
}

function isThere({ program, folder }) {
  if (onPath(program)) return true;
  if (folder === undefined || !existsSync(folder)) return false;
  return readdirSync(folder).some((version) => existsSync(join(folder, version, 'bin', program)));
}

function installTools() {
  const missing = TOOLS.filter((tool) => !isThere(tool));
  if (missing.length === 0) return 'all there';
  const packages = [...new Set(missing.map(({ debian }) => debian))];
  const without = `tests that need them are skipped: ${packages.join(' ')}`;
  if (process.getuid?.() !== 0 || !onPath('apt-get')) {
    return `missing, ${without} (install them as root)`;
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const installed =
    succeeds('apt-get', ['update', '-qq'], { env }) &&
    succeeds('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], { env });
  return installed ? `installed ${packages.join(' ')}` : `could not be installed, ${without}`;
}

function installS3Server() {
  if (process.env.TSBK_TEST_S3_ENDPOINT) return 'TSBK_TEST_S3_ENDPOINT names one';
  const binary = join(CACHE, 'bin/versitygw');
  if (existsSync(binary)) return 'there';
  mkdirSync(dirname(binary), { recursive: true });
  const shared = sharedBinary();
  if (shared !== undefined && existsSync(shared)) {
    copyWhole(shared, binary);
    return 'copied from an earlier build';
  }
  const instead = 'the tests use the model in test/support instead';
  if (!onPath('go')) return `no Go to build one with: ${instead}`;
  announce('S3 server: building versitygw, which takes some minutes the first time');
  if (!succeeds('go', ['install', VERSITYGW], { env: goEnvironment(dirname(binary)) })) {
    return `could not be built: ${instead}`;
  }
  try {
    if (shared !== undefined) copyWhole(binary, shared);
  } catch {
    // A home that cannot be written only costs the next clone a build.
  }
  return 'built';
}

/** Where other clones on this machine look, too; none without a home directory. */
function sharedBinary() {
  const home = homedir();
  const version = VERSITYGW.slice(VERSITYGW.lastIndexOf('@') + 1);
  return isAbsolute(home) ? join(home, `.cache/tsbk/bin/versitygw-${version}`) : undefined;
}

/** Go wants a home for its caches; without one they lie in ours. */
function goEnvironment(bin) {
  const env = { ...process.env, GOBIN: bin };
  if (isAbsolute(process.env.HOME ?? '')) return env;
  return { GOPATH: join(CACHE, 'go'), GOCACHE: join(CACHE, 'go-build'), ...env };
}

/** By a temporary name, so that nobody runs half a program. */
function copyWhole(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  const temporary = `${to}.${process.pid}`;
  copyFileSync(from, temporary);
  renameSync(temporary, to);
}

function build() {
  // The Node 24 of the tree, which runs TypeScript as it is.
  mustSucceed(join(ROOT, 'node_modules/.bin/node'), ['scripts/build.ts']);
  return 'built';
}

step('packages', installPackages);
step('tools', installTools);
step('S3 server', installS3Server);
step('commands', build);
