/**
 * Everything a change must pass: lint, format, types, unused code, generated pages, then the tests.
 * The test runner's summary is the last thing printed.
 *
 *   node scripts/suite.ts [--tests-only] [test file …]
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');

const CHECKS = [
  ['lint', 'oxlint', '--type-aware', '--deny-warnings'],
  ['format', 'oxfmt', '--check', '.'],
  ['types', 'tsc', '-b'],
  ['unused code', 'knip'],
  ['generated pages', 'node', 'scripts/docs.ts', '--check'],
] as const;

/** Longer than any test takes, short enough to end a hang. */
const TEST_TIMEOUT_MS = 600_000;

/** Two at a time, because servers start in them and the smallest machines have two processors. */
const TEST_OPTIONS = [
  '--test',
  '--test-reporter=spec',
  '--test-concurrency=2',
  `--test-timeout=${TEST_TIMEOUT_MS}`,
];

function run(program: string, args: readonly string[]): boolean {
  return spawnSync(program, args, { cwd: ROOT, stdio: 'inherit' }).status === 0;
}

function failedChecks(): readonly string[] {
  return CHECKS.filter(([name, program, ...rest]) => {
    process.stdout.write(`check: ${name}\n`);
    return !run(program, rest);
  }).map(([name]) => name);
}

function allTests(): readonly string[] {
  const found = globSync(
    ['packages/*/src/**/*.test.ts', 'bench/**/*.test.ts', 'test/**/*.test.ts'],
    {
      cwd: ROOT,
      exclude: (path) => path.includes('node_modules'),
    },
  );
  if (found.length === 0) throw new Error('no tests were found');
  return found.sort();
}

const args = process.argv.slice(2);
const files = args.filter((arg) => !arg.startsWith('--'));
const failed = args.includes('--tests-only') || files.length > 0 ? [] : failedChecks();
process.stdout.write(
  failed.length === 0 ? 'tests:\n' : `failed checks: ${failed.join(', ')}; tests all the same:\n`,
);
const passed = run('node', [...TEST_OPTIONS, ...(files.length > 0 ? files : allTests())]);
process.exitCode = passed && failed.length === 0 ? 0 : 1;
