import { isTsbkError } from '@tsbk/core/kernel/errors';
import { describeError } from '@tsbk/core/engine/describe-error';

/** An error for people: what happened, what to do next, and the code that the documentation lists. */
export function errorText(error: unknown): string {
  const [first = '', ...more] = describeError(error);
  return [`tsbk: ${first}`, ...more].map((line) => `${line}\n`).join('');
}

/** An error for machines, one line. */
export function errorJson(error: unknown, exitCode: number): string {
  const known = isTsbkError(error) ? error : undefined;
  return `${JSON.stringify({
    kind: 'error',
    code: known?.code ?? 'internal',
    message: known?.message ?? describeError(error).join('\n'),
    hint: known?.hint,
    exitCode,
  })}\n`;
}
