import { TsbkError } from '../../kernel/errors.ts';
import type { ByteSource } from '../../ports/bytes.ts';
import type { Repository, RunOptions } from '../repository.ts';
import { openWal } from '../wal-archive.ts';
import { openPieces } from '../wal-pieces.ts';
import { channel, type Channel } from '../../stream/channel.ts';

export interface WalSourceOptions extends RunOptions {
  readonly segmentBytes: number;
  /** How many further segments are fetched while one is read. Each takes up to 16 MiB of memory. */
  readonly ahead: number;
}

interface Fetch {
  readonly channel: Channel;
  readonly done: Promise<void>;
}

/**
 * The content of archived segments, one after the other. Nothing is fetched before it is asked
 * for, and no segment twice. Throws `wal-missing` when one is gone, `object-corrupt` when it has
 * not the length of a segment.
 */
export async function* walSource(
  repository: Repository,
  names: Iterable<string>,
  options: WalSourceOptions,
): ByteSource {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const iterator = names[Symbol.iterator]();
  const fetches: Fetch[] = [];
  const fill = (count: number): void => {
    while (fetches.length < count) {
      const { done, value } = iterator.next();
      if (done === true) return;
      fetches.push(fetchSegment(repository, value, { ...options, signal }));
    }
  };
  try {
    for (;;) {
      fill(1);
      const [current] = fetches;
      if (current === undefined) return;
      fill(1 + options.ahead);
      yield* current.channel.source;
      fetches.shift();
    }
  } finally {
    stop.abort(new Error('the reader of the WAL has left'));
    await Promise.allSettled(fetches.map(({ done }) => done));
  }
}

/** A segment of the default size fits whole; of larger ones this much waits to be read. */
const CHANNEL_BYTES_MAX = 16 * 1024 * 1024;

function fetchSegment(repository: Repository, name: string, options: WalSourceOptions): Fetch {
  const room = Math.min(options.segmentBytes, CHANNEL_BYTES_MAX);
  const piped = channel(room, options.signal);
  const done = pump(repository, name, { ...options, piped }).then(
    () => piped.end(),
    (error: unknown) => piped.fail(error),
  );
  return { channel: piped, done };
}

async function pump(
  repository: Repository,
  name: string,
  { signal, segmentBytes, piped }: WalSourceOptions & { readonly piped: Channel },
): Promise<void> {
  const opened = await openSegment(repository, name, { signal });
  let bytes = 0;
  for await (const chunk of opened.content) {
    bytes += chunk.length;
    if (bytes > segmentBytes) break;
    await piped.write(chunk);
  }
  if (bytes === segmentBytes) return;
  throw new TsbkError(
    'object-corrupt',
    `${opened.from} does not hold the ${segmentBytes} bytes of a WAL segment`,
    {
      hint: 'The archived copy is damaged. Compare it with the file in pg_wal of the primary or a standby.',
    },
  );
}

/** A segment as recovery will get it: archived, or what `wal-receive` has stored of it. */
async function openSegment(
  repository: Repository,
  name: string,
  { signal }: RunOptions,
): Promise<{ readonly from: string; readonly content: ByteSource }> {
  const opened = await openWal(repository, name, { signal });
  if (opened !== undefined) return { from: opened.info.key, content: opened.content };
  const prefix = await openPieces(repository, name, { signal });
  if (prefix !== undefined) return { from: prefix.folder, content: prefix.content() };
  throw new TsbkError('wal-missing', `${name} went away from the archive while it was read`);
}
