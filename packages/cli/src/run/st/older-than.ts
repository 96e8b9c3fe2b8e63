import { parseDuration } from '@tsbk/core/kernel/duration';
import { TsbkError } from '@tsbk/core/kernel/errors';
import type { GivenFlags } from '@tsbk/core/settings/argv';

/** `--older-than` in milliseconds, `undefined` if it was not given. */
export function olderThan(flags: GivenFlags): number | undefined {
  const text = flags.text('older-than');
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new TsbkError('usage', '--older-than must be a duration such as 12h or 2d');
}
