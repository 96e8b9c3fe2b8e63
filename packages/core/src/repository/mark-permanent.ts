import { TsbkError } from '../kernel/errors.ts';
import { stringifyJson } from '../format/json.ts';
import { asObject } from '../format/json-fields.ts';
import { metadataKey } from './layout.ts';
import { parseMetadata } from './metadata.ts';
import { readRecord } from './read-record.ts';
import type { Repository, RunOptions } from './repository.ts';

const FLAG = 'is_permanent';

/**
 * Says in a backup's `metadata.json`, which WAL-G looks at too, that it is permanent. Everything else
 * in the record stays, known or not. One write replaces it whole, so that no reader ever finds a
 * half. Throws `backup-incomplete` if there is none, `record-invalid`.
 */
export async function markPermanent(
  repository: Repository,
  backup: string,
  { signal }: RunOptions,
): Promise<void> {
  const key = metadataKey(backup);
  const record = await readRecord(repository, key, { signal });
  if (record === undefined) {
    throw new TsbkError('backup-incomplete', `${backup} has no metadata.json`, {
      hint: 'Whether it is permanent can be written nowhere else.',
    });
  }
  if (parseMetadata(record, key).permanent) return;
  // Go reads keys in any case: another spelling of this one would win or lose by chance.
  const others = Object.entries(asObject(record, key)).filter(
    ([name]) => name.toLowerCase() !== FLAG,
  );
  const text = stringifyJson({ ...Object.fromEntries(others), [FLAG]: true }, { goEscapes: true });
  await repository.store.put(key, Buffer.from(text), { signal });
}
