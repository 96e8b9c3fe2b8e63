import type { ByteSource } from '../ports/bytes.ts';
import type { ArchiveEvent, ArchiveKind } from './archive-events.ts';

export type Archive = ArchiveKind & {
  /** What is left of it unread is skipped when the next archive is asked for. */
  readonly body: ByteSource;
};

/** Cuts a stream of events into archives, each a source of its own, one after the other. */
export async function* splitArchives(
  events: AsyncIterator<ArchiveEvent>,
): AsyncGenerator<Archive, void, undefined> {
  let upcoming = await events.next();
  while (upcoming.done !== true) {
    const { value } = upcoming;
    if (value.event !== 'begin') throw new Error('data before the beginning of an archive');
    let following: IteratorResult<ArchiveEvent> | undefined;
    async function* body(): ByteSource {
      while (following === undefined) {
        const result = await events.next();
        if (result.done === true || result.value.event === 'begin') following = result;
        else if (result.value.bytes.length > 0) yield result.value.bytes;
      }
    }
    yield { ...value.archive, body: body() };
    for await (const _ of body()) {
      // Skipped, so that the next archive is where the stream stands.
    }
    if (following === undefined) throw new Error('the archive has no end');
    upcoming = following;
  }
}
