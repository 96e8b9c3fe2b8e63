import { isTsbkError } from '../kernel/errors.ts';

/**
 * What a person is told of an error: what happened, what to do next, and the code by which
 * `docs/errors.md` lists it. A bug keeps its stack.
 */
export function describeError(error: unknown): string[] {
  if (isTsbkError(error)) {
    const lines = [`${error.message} [${error.code}]`];
    if (error.hint !== undefined) lines.push(`hint: ${error.hint}`);
    return lines;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return [`internal error, please report it: ${stack}`];
}
