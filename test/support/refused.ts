import assert from 'node:assert/strict';
import type { ErrorCode } from '@tsbk/core/kernel/error-codes';
import type { TsbkRun } from './tsbk.ts';

/** A run that ended with this exit code and error, and said each of `parts` to people. */
export function refused(
  run: TsbkRun,
  exit: number,
  code: ErrorCode,
  ...parts: readonly string[]
): void {
  assert.equal(run.code, exit, run.stderr);
  assert.ok(run.stderr.includes(`[${code}]`), run.stderr);
  for (const part of parts) {
    assert.ok(run.stderr.includes(part), `${part} is not in:\n${run.stderr}`);
  }
}
