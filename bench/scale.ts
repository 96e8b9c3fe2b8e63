/**
 * Backups and restores of any size without a disk: `node bench/scale.ts --bytes 64GiB --files 1000`.
 * Drives the code of `tsbk`, bundled and in worker threads as a user runs it, from a simulated data
 * directory and to a simulated store, and prints memory over time and time per GiB and per 100,000
 * files. `--inline` has one thread do everything.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

const ROOT = resolve(import.meta.dirname, '..');
/** Where what is not bundled, native code, can be found. */
const CACHE = join(ROOT, 'packages/cli/node_modules/.cache');
/** As `bin/tsbk` starts Node.js; and told to collect, the simulation knows what is held. */
const NODE_OPTIONS = ['--expose-gc', '--max-semi-space-size=8'];

mkdirSync(CACHE, { recursive: true });
const outdir = mkdtempSync(join(CACHE, 'scale-'));
try {
  await bundle();
  const args = [...NODE_OPTIONS, join(outdir, 'scale.mjs'), ...process.argv.slice(2)];
  const { status, signal, error } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (error !== undefined) throw error;
  process.exitCode = signal === null ? (status ?? 1) : 1;
} finally {
  rmSync(outdir, { recursive: true });
}

/** Stripping types takes some forty MiB a thread, which no user of `tsbk` pays. */
async function bundle(): Promise<void> {
  await build({
    entryPoints: {
      scale: join(import.meta.dirname, 'scale-run.ts'),
      lane: join(ROOT, 'test/support/simulation/lane.ts'),
    },
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    external: ['@node-rs/crc32', 'lz4-napi', 'sodium-native'],
    banner: {
      js: "import { createRequire as tsbkCreateRequire } from 'node:module'; const require = tsbkCreateRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
}
