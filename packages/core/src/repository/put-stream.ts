import { TsbkError } from '../kernel/errors.ts';
import type { BlobStore, PutOutcome, Upload } from '../ports/blob-store.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { orAbort } from '../stream/abort.ts';
import { partGatherer, type GatheredPart, type PartGatherer } from './part-gatherer.ts';
import { partSizes, type PartSizes } from './part-sizes.ts';

export interface PutStreamOptions {
  readonly signal: AbortSignal;
  readonly ifAbsent?: boolean;
  /** Bytes of a part; the last is smaller, those far into a very long object are larger. */
  readonly partBytes: number;
  /** Parts on their way at once. Memory is `(partsInFlight + 1) × partBytes`. */
  readonly partsInFlight: number;
  /** About how long the object will be, where that is known: a guess costs memory, no more. */
  readonly expectedBytes?: number | undefined;
  /** Memory of parts that were sent, for the next object; its own if absent. */
  readonly partBuffers?: Buffer[] | undefined;
}

export interface PutStreamResult {
  readonly outcome: PutOutcome;
  readonly bytes: number;
}

/** Time for cleaning up; the signal that ended the work cannot bound it. */
const ABORT_TIMEOUT_MS = 10_000;

/**
 * Stores a source of unknown length: in one request if it is shorter than a part, else in parts of
 * which `partsInFlight` are on their way while the next one is gathered. When anything fails or
 * the signal aborts, what runs is awaited and the upload aborted. Throws what the store, the source
 * or the signal throw, the first of them; `store-failed` for a source longer than an object can be.
 */
export async function putStream(
  store: BlobStore,
  key: string,
  source: ByteSource,
  options: PutStreamOptions,
): Promise<PutStreamResult> {
  const { signal, ifAbsent = false } = options;
  const sizes = partSizes(store.limits, options.partBytes);
  // Ends the wait for the source, and the parts on their way, when one part has failed.
  const failure = new AbortController();
  const stop = AbortSignal.any([signal, failure.signal]);
  const parts = partGatherer(source, stop, {
    expectedBytes: options.expectedBytes,
    free: options.partBuffers,
  });
  try {
    const first = await parts.next(sizes.of(1));
    if (first.last) {
      const outcome = await store.put(key, first.bytes, { signal, ifAbsent });
      parts.recycle(first);
      return { outcome, bytes: first.bytes.length };
    }
    const upload = await store.upload(key, { signal, ifAbsent });
    const { partsMax } = store.limits;
    return await finishUpload(
      { key, upload, partsMax, parts, sizes, failure, stop, options },
      first,
    );
  } finally {
    await parts.close();
  }
}

interface Run {
  readonly key: string;
  readonly upload: Upload;
  readonly partsMax: number;
  readonly parts: PartGatherer;
  readonly sizes: PartSizes;
  readonly failure: AbortController;
  readonly stop: AbortSignal;
  readonly options: PutStreamOptions;
}

async function finishUpload(run: Run, first: GatheredPart): Promise<PutStreamResult> {
  const inFlight = new Set<Promise<void>>();
  try {
    const bytes = await sendParts(run, first, inFlight);
    await Promise.all(inFlight);
    run.stop.throwIfAborted();
    const outcome = await run.upload.complete({ signal: run.options.signal });
    return { outcome, bytes };
  } catch (error) {
    run.failure.abort(error);
    await Promise.all(inFlight);
    const signal = AbortSignal.timeout(ABORT_TIMEOUT_MS);
    await run.upload.abort({ signal }).catch(() => undefined);
    throw error;
  }
}

/** Returns the length of the object. The promises in `inFlight` never reject. */
async function sendParts(
  run: Run,
  first: GatheredPart,
  inFlight: Set<Promise<void>>,
): Promise<number> {
  let offset = 0;
  let part = first;
  for (let number = 1; part.bytes.length > 0; number += 1) {
    if (number > run.partsMax) {
      throw new TsbkError('store-failed', `${run.key} needs more than ${run.partsMax} parts`);
    }
    const sent = sendPart(run, part, { number, offset });
    inFlight.add(sent);
    void sent.then(() => inFlight.delete(sent));
    offset += part.bytes.length;
    if (part.last) break;
    if (inFlight.size >= run.options.partsInFlight) {
      await orAbort(Promise.race(inFlight), run.stop);
    }
    part = await run.parts.next(run.sizes.of(number + 1));
  }
  return offset;
}

async function sendPart(
  { upload, parts, failure, stop }: Run,
  part: GatheredPart,
  at: { readonly number: number; readonly offset: number },
): Promise<void> {
  try {
    await upload.part({ ...at, bytes: part.bytes }, { signal: stop });
    parts.recycle(part);
  } catch (error) {
    failure.abort(error);
  }
}
