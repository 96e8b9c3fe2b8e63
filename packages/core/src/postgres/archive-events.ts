import type { Tablespace } from '../ports/backup-source.ts';
import type { ServerMessage } from './messages.ts';
import { unexpected } from './replication-session.ts';

/** What an archive of the stream is. */
export type ArchiveKind =
  | { readonly kind: 'tar'; readonly tablespace?: Tablespace }
  | { readonly kind: 'manifest' };

/** The stream of a backup in one shape for all versions. An archive ends where the next begins. */
export type ArchiveEvent =
  | { readonly event: 'begin'; readonly archive: ArchiveKind }
  | { readonly event: 'data'; readonly bytes: Buffer };

/** The next message of the server, errors already thrown. */
export type NextMessage = () => Promise<Exclude<ServerMessage, { readonly kind: 'error' }>>;

/** Servers before 15 leave the end of each tar to the client. */
const TAR_END = Buffer.alloc(1024);

/**
 * Versions 13 and 14: one COPY for each archive, nameless, in the order of the tablespace list, the
 * data directory (`undefined`) last; then one for the manifest.
 */
export async function* separateCopies(
  next: NextMessage,
  tablespaces: readonly (Tablespace | undefined)[],
): AsyncGenerator<ArchiveEvent, void, undefined> {
  for (const tablespace of tablespaces) {
    yield { event: 'begin', archive: tarOf(tablespace) };
    yield* wholeCopy(next);
    yield { event: 'data', bytes: Buffer.from(TAR_END) };
  }
  yield { event: 'begin', archive: { kind: 'manifest' } };
  yield* wholeCopy(next);
}

async function* wholeCopy(next: NextMessage): AsyncGenerator<ArchiveEvent, void, undefined> {
  await expectCopyOut(next);
  for (;;) {
    const message = await next();
    if (message.kind === 'copy-done') return;
    if (message.kind !== 'copy-data') throw unexpected('BASE_BACKUP', message.kind);
    yield { event: 'data', bytes: message.body };
  }
}

/**
 * Version 15 and later: a single COPY whose messages begin with a letter: `n` a new archive, `d`
 * its data, `p` the bytes sent so far in all, which the reader counts as well, `m` the manifest.
 * Each archive announced must come, once, and the manifest after them; a stream that ends without
 * one of them is no backup.
 */
export async function* singleCopy(
  next: NextMessage,
  tablespaces: readonly (Tablespace | undefined)[],
): AsyncGenerator<ArchiveEvent, void, undefined> {
  const contents = new Contents(tablespaces);
  await expectCopyOut(next);
  for (;;) {
    const message = await next();
    if (message.kind === 'copy-done') break;
    if (message.kind !== 'copy-data') throw unexpected('BASE_BACKUP', message.kind);
    const event = contents.eventOf(message.body);
    if (event !== undefined) yield event;
  }
  contents.assertWhole();
}

/** What a single COPY has brought and still must bring. */
class Contents {
  readonly #awaited: Map<string, ArchiveKind>;
  #inside: 'nothing' | 'tar' | 'manifest' = 'nothing';

  constructor(tablespaces: readonly (Tablespace | undefined)[]) {
    this.#awaited = new Map(tablespaces.map((space) => [archiveName(space), tarOf(space)]));
  }

  eventOf(body: Buffer): ArchiveEvent | undefined {
    const letter = body.toString('latin1', 0, 1);
    switch (letter) {
      case 'd':
        if (this.#inside === 'nothing') throw unexpected('BASE_BACKUP', 'data of no archive');
        return { event: 'data', bytes: body.subarray(1) };
      case 'p':
        return undefined;
      case 'n':
        return { event: 'begin', archive: this.#takeTar(body) };
      case 'm':
        if (this.#inside === 'manifest') throw unexpected('BASE_BACKUP', 'a second manifest');
        this.#inside = 'manifest';
        return { event: 'begin', archive: { kind: 'manifest' } };
      default:
        throw unexpected('BASE_BACKUP', `COPY data of type ${JSON.stringify(letter)}`);
    }
  }

  assertWhole(): void {
    if (this.#awaited.size === 0 && this.#inside === 'manifest') return;
    throw unexpected('BASE_BACKUP', 'an end before all archives and the manifest were sent');
  }

  /** Only names that follow from the tablespace list are taken: a name is never made a path. */
  #takeTar(body: Buffer): ArchiveKind {
    const end = body.indexOf(0, 1);
    const name = body.toString('utf8', 1, end === -1 ? body.length : end);
    const archive = this.#awaited.get(name);
    if (archive === undefined || this.#inside === 'manifest') {
      const quoted = JSON.stringify(name.slice(0, 100));
      throw unexpected('BASE_BACKUP', `an archive ${quoted} out of place`);
    }
    this.#awaited.delete(name);
    this.#inside = 'tar';
    return archive;
  }
}

function archiveName(tablespace: Tablespace | undefined): string {
  return tablespace === undefined ? 'base.tar' : `${tablespace.oid}.tar`;
}

function tarOf(tablespace: Tablespace | undefined): ArchiveKind {
  return tablespace === undefined ? { kind: 'tar' } : { kind: 'tar', tablespace };
}

async function expectCopyOut(next: NextMessage): Promise<void> {
  const message = await next();
  if (message.kind !== 'copy-out') throw unexpected('BASE_BACKUP', message.kind);
}
