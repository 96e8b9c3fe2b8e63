import { TsbkError } from '../../kernel/errors.ts';
import type { CallOptions } from '../../ports/blob-store.ts';
import { listPage } from './list-page.ts';
import { bucketKey, urlOf, type S3Target } from './target.ts';

/**
 * A 404 without a body does not tell whether the object or the bucket is missing, or whether S3 said
 * it at all and not some proxy. Throws unless the bucket can be listed, and does not list the key.
 * What it throws explains other answers to HEAD, too: a wrong region, an expired token.
 *
 * Whoever looks for one name under several extensions asks this for each at the same moment: those
 * share a listing, which begins after the last of them was told 404.
 */
export async function proveAbsent(
  target: S3Target,
  key: string,
  { signal }: CallOptions,
): Promise<void> {
  const Key = bucketKey(target, key);
  const listed =
    (await shared(target, stemOf(Key), signal)) ?? (await list(target, Key, { signal, most: 1 }));
  // The key itself comes first of all that begin with it.
  if (listed.keys.has(Key)) {
    throw new TsbkError(
      'store-failed',
      `${urlOf(target, key)} is listed, and is said not to exist`,
      { retry: true },
    );
  }
}

interface Listing {
  readonly keys: ReadonlySet<string>;
  readonly isWhole: boolean;
}

/** As many as begin with the name of one WAL file, and some more. */
const SHARED_MAX = 20;

/** The name without its extension: all places of one WAL file begin with it. */
function stemOf(key: string): string {
  const dot = key.indexOf('.', key.lastIndexOf('/') + 1);
  return dot === -1 ? key : key.slice(0, dot);
}

/** Listings by stem. */
interface Turns {
  /** Not begun yet. */
  readonly waiting: Map<string, Promise<Listing>>;
  /** Settled when the last one that was planned has ended. */
  readonly running: Map<string, Promise<unknown>>;
}

/** By signal, because whoever shares a request shares its end. */
const turns = new WeakMap<S3Target, WeakMap<AbortSignal, Turns>>();

/** A listing of the stem that begins from now on; `undefined` if more begins with it than fits. */
async function shared(
  target: S3Target,
  stem: string,
  signal: AbortSignal,
): Promise<Listing | undefined> {
  const { waiting, running } = turnsOf(target, signal);
  let turn = waiting.get(stem);
  if (turn === undefined) {
    turn = (running.get(stem) ?? Promise.resolve()).then(() => {
      waiting.delete(stem);
      return list(target, stem, { signal, most: SHARED_MAX });
    });
    waiting.set(stem, turn);
    const settled = turn
      .catch(() => undefined)
      .then(() => {
        if (running.get(stem) === settled) running.delete(stem);
      });
    running.set(stem, settled);
  }
  const listing = await turn;
  return listing.isWhole ? listing : undefined;
}

function turnsOf(target: S3Target, signal: AbortSignal): Turns {
  const bySignal = turns.get(target) ?? new WeakMap<AbortSignal, Turns>();
  turns.set(target, bySignal);
  const found = bySignal.get(signal) ?? { waiting: new Map(), running: new Map() };
  bySignal.set(signal, found);
  return found;
}

async function list(
  target: S3Target,
  prefix: string,
  { signal, most }: CallOptions & { readonly most: number },
): Promise<Listing> {
  const query = { prefix, delimiter: false, after: undefined, most };
  const page = await listPage(target, query, undefined, { signal });
  return { keys: new Set(page.entries.map(({ key }) => key)), isWhole: !page.isTruncated };
}
