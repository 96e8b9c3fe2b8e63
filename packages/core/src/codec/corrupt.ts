import { TsbkError } from '../kernel/errors.ts';
import type { CodecName } from '../ports/codec.ts';

/**
 * The error for compressed data that cannot be read to its end. A codec does not know which object
 * it reads; who opened the object names it.
 */
export function corrupt(codec: CodecName, problem: string, cause?: unknown): TsbkError {
  return new TsbkError('object-corrupt', `the ${codec} data cannot be read: ${problem}`, {
    hint: 'The object is damaged or cut off, or its extension lies. Take another copy of it or another backup.',
    cause,
  });
}
