import { pushWal, type PushRequest, type PushResult } from '@tsbk/core/archive/push';
import type { OpenedRepository } from '@tsbk/core/engine/open-repository';

/** Those who store WAL files at the same time, for as long as an archive is open. */
export interface Pushers extends AsyncDisposable {
  /** As `pushWal` does. */
  readonly push: (
    request: PushRequest,
    options: { readonly signal: AbortSignal },
  ) => Promise<PushResult>;
  /** How many files are worth having under way at once. */
  readonly width: number;
}

/** While one is compressed, the others are sent. */
const WIDTH = 4;

/** Pushes in this thread; disposes of the repository, which is nobody else's. */
export function openPushers(repository: OpenedRepository): Pushers {
  return {
    width: WIDTH,
    push: (request, options) => pushWal(repository, request, options),
    [Symbol.asyncDispose]: () => repository[Symbol.asyncDispose](),
  };
}
