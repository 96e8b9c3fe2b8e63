/**
 * Bundles the three commands: packages/<name>/src/main.ts → packages/<name>/dist/<command>.mjs, and
 * `tsbk` once more for `backup-push` and for `backup-fetch`.
 * What is imported lazily stays a file of its own, so that a command loads only what it needs.
 *
 *   node scripts/build.ts
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build, type BuildOptions, type Plugin } from 'esbuild';

const ROOT = resolve(import.meta.dirname, '..');

const COMMANDS = [
  { folder: 'cli', command: 'tsbk' },
  { folder: 'archive-command', command: 'tsbk-archive-push' },
  { folder: 'restore-command', command: 'tsbk-archive-get' },
] as const;

/** What worker threads run; found beside the chunk that starts them. */
const ENGINE = join(ROOT, 'packages/core/src/engine');
const PUSH_LANE = { 'lib/push-lane': join(ENGINE, 'push-lane.ts') };
const THREADS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  tsbk: PUSH_LANE,
  'tsbk-archive-push': PUSH_LANE,
};

/** A program whose start is worth a bundle of its own, and what all of it has in one chunk. */
interface FewFiles {
  readonly output: string;
  readonly entry: string;
  readonly core: readonly string[];
}

const CLI = join(ROOT, 'packages/cli/src');
/** What a lane needs for whatever it does. */
const LANE_CORE = [
  'backup/write-files.ts',
  'engine/open-repository.ts',
  'lanes/serve.ts',
  'repository/write-object.ts',
  'restore/extract-tar.ts',
  'restore/sum-files.ts',
] as const;
const FEW_FILES: Readonly<Record<string, readonly FewFiles[]>> = {
  tsbk: [
    ...['backup-push', 'backup-fetch'].map((command) => ({
      output: `tsbk-${command}`,
      entry: join(CLI, `main-${command}.ts`),
      core: [join(CLI, 'frame/run-cli.ts'), join(CLI, `run/${command}.ts`)],
    })),
    // Not itself: it waits for what it imports lazily before it has been evaluated.
    {
      output: 'lib/lane',
      entry: join(ENGINE, 'lane.ts'),
      core: LANE_CORE.map((path) => join(ROOT, 'packages/core/src', path)),
    },
  ],
};

/** What the launchers of archive-get have in common. */
const TAKE_AHEAD = join(ROOT, 'packages/restore-command/src/take-ahead.sh');

/**
 * A file that was cut off must not end as if it had done its work: 70 is `EXIT.internal`, until the
 * last statement says otherwise. And CommonJS packages inside an ES module bundle want `require`.
 */
const BANNER =
  "process.exitCode ??= 70; import { createRequire as tsbkCreateRequire } from 'node:module'; const require = tsbkCreateRequire(import.meta.url);";

/** `0.1.0+a1b2c3d4e5`: the version, and the commit where there is one. */
function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const base = (manifest as { readonly version: string }).version;
  try {
    const commit = execFileSync('git', ['rev-parse', '--short=10', 'HEAD'], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return `${base}+${commit.trim()}`;
  } catch {
    return base;
  }
}

const OPTIONS: BuildOptions = {
  outExtension: { '.js': '.mjs' },
  chunkNames: 'lib/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  mainFields: ['module', 'main'],
  target: 'node20',
  sourcemap: 'linked',
  // Node.js reads each character each time it starts. Names stay, for the sake of stack traces.
  minifyWhitespace: true,
  minifySyntax: true,
  // Native addons cannot be bundled; `lz4-napi` and `sodium-native` are dependencies of each
  // command's package, and `pg-native` and `pg-cloudflare` are never loaded. `openpgp` stays outside
  // for its licence: who installs tsbk can put another version in its place.
  external: [
    '@node-rs/crc32',
    'openpgp',
    'lz4-napi',
    'sodium-native',
    'pg-native',
    'pg-cloudflare',
  ],
  banner: { js: BANNER },
  define: { __TSBK_VERSION__: JSON.stringify(version()) },
  logLevel: 'warning',
};

/**
 * Has everything that is imported lazily import `core` as well, which is there by then. So all of `core` is
 * reached from everywhere alike and lands in one chunk. Split by who else uses what of it, it would be
 * dozens of files, and Node.js takes half a millisecond for each.
 */
function inOneChunk(core: readonly string[]): Plugin {
  const more = core.map((path) => `\nimport ${JSON.stringify(path)};`).join('');
  return {
    name: 'in-one-chunk',
    setup: (bundler) => {
      bundler.onResolve({ filter: /^\.{1,2}\/.*\.ts$/ }, ({ kind, path, resolveDir }) => {
        if (kind !== 'dynamic-import') return undefined;
        return { path: resolve(resolveDir, path), pluginData: 'lazy' };
      });
      bundler.onLoad({ filter: /\.ts$/ }, ({ path, pluginData }) => {
        if (pluginData !== 'lazy') return undefined;
        return { contents: readFileSync(path, 'utf8') + more, loader: 'ts' };
      });
    },
  };
}

async function bundle(folder: string, command: string): Promise<void> {
  const dist = join(ROOT, 'packages', folder, 'dist');
  const outdir = `${dist}-${process.pid}`;
  await build({
    ...OPTIONS,
    entryPoints: { [command]: join(ROOT, 'packages', folder, 'src/main.ts'), ...THREADS[command] },
    outdir,
  });
  for (const { output, entry, core } of FEW_FILES[command] ?? []) {
    await build({
      ...OPTIONS,
      entryPoints: { [output]: entry },
      outdir,
      plugins: [inOneChunk(core)],
    });
  }
  if (command !== 'tsbk-archive-push') copyFileSync(TAKE_AHEAD, join(outdir, 'take-ahead.sh'));
  // A server may be running the old one just now: it is gone for a moment only.
  const old = `${dist}-old-${process.pid}`;
  if (existsSync(dist)) renameSync(dist, old);
  renameSync(outdir, dist);
  rmSync(old, { recursive: true, force: true });
}

for (const { folder, command } of COMMANDS) await bundle(folder, command);
