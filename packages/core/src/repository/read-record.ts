import { TsbkError } from '../kernel/errors.ts';
import { parseJson, type JsonValue } from '../format/json.ts';
import { collect } from '../stream/collect.ts';
import type { Repository, RunOptions } from './repository.ts';

/** No record comes near this but the sentinels of WAL-G before 2.0, which list every file. */
const RECORD_BYTES_MAX = 512 * 1024 * 1024;

/**
 * Reads a JSON record, which WAL-G never compresses or encrypts. `undefined` if it does not exist;
 * `record-invalid` if it is no JSON.
 */
export async function readRecord(
  repository: Repository,
  key: string,
  { signal }: RunOptions,
): Promise<JsonValue | undefined> {
  const blob = await repository.store.get(key, { signal });
  if (blob === undefined) return undefined;
  const bytes = await collect(blob.body, { maxBytes: RECORD_BYTES_MAX, what: key });
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new TsbkError('record-invalid', `${key} is not UTF-8 text`, { cause: error });
  }
  return parseJson(text, { what: key });
}
