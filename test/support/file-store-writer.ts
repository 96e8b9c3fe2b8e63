import { isTsbkError } from '@tsbk/core/kernel/errors';
import { openFileStore } from '@tsbk/core/storage/file/open';
import { putStream } from '@tsbk/core/repository/put-stream';
import { sourceOf } from '@tsbk/core/stream/source';
import { noise } from '../contracts/blob-store/helpers.ts';
import { realClock } from './clock.ts';

/**
 * A process that fills a directory store with objects whose content follows from their number, until
 * it is killed or has written `count`: `node file-store-writer.ts ROOT BYTES COUNT`. Prints
 * `stored N` for each, or `failed CODE`.
 */
const [root = '', bytes = '0', count = '0'] = process.argv.slice(2);
const store = openFileStore({ root }, { clock: realClock });
const { signal } = new AbortController();

for (let number = 1; number <= Number(count); number += 1) {
  const content = noise(Number(bytes), number);
  try {
    const options = { signal, ifAbsent: true, partBytes: 1 << 18, partsInFlight: 3 };
    await putStream(store, `wal_005/${number}`, sourceOf(content), options);
    console.log(`stored ${number}`);
  } catch (error) {
    console.log(`failed ${isTsbkError(error) ? error.code : String(error)}`);
  }
}
