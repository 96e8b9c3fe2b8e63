import { TsbkError } from '../../kernel/errors.ts';

/** The error for an archive that cannot be read on. `what` names the archive. */
export function tarInvalid(what: string, problem: string): TsbkError {
  return new TsbkError('tar-invalid', `${what}: ${problem}`, {
    hint: 'The archive is damaged or cut off, or no backup tool made it. Take another copy of it or another backup.',
  });
}
