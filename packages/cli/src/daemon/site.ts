import { openRepository, type OpenedRepository } from '@tsbk/core/engine/open-repository';
import { placeMark } from '@tsbk/core/engine/daemon-place';
import { openPushers, type Pushers } from '@tsbk/core/engine/open-pushers';
import { placeOf } from '@tsbk/core/engine/place-of';
import { TsbkError } from '@tsbk/core/kernel/errors';
import type { Report } from '@tsbk/core/ports/report';
import type { LoadedSettings } from '@tsbk/core/settings/load';

/** The archive as one version of the settings describes it, opened. */
export interface Site {
  readonly settings: LoadedSettings;
  /** For comparing with what a command means: `placeMark` of the settings. */
  readonly mark: string;
  /** What the memory of archived files calls it: `placeOf` of the settings. */
  readonly place: string;
  /** For people: where the repository is. */
  readonly url: string;
  /** Tries again and again, for `TSBK_PUSH_TIMEOUT`. */
  readonly forPush: Pushers;
  /** Tries once: whoever fetches has a patience of its own. */
  readonly forGet: OpenedRepository;
}

interface Opened extends Site {
  /** What `forPush` stores in. */
  readonly pushed: OpenedRepository;
  users: number;
  retired: boolean;
}

interface SiteOptions {
  readonly signal: AbortSignal;
  readonly report: Report;
}

/**
 * Holds the archive open from request to request. New settings open it anew, for requests that come
 * then; those under way end with what they began with, and the last of them closes it.
 */
export class Sites implements AsyncDisposable {
  readonly #open = new Set<Opened>();
  #current: Opened;

  private constructor(current: Opened) {
    this.#current = current;
    this.#open.add(current);
  }

  /** Connects to nothing. Throws what `openRepository` throws. */
  static async open(settings: LoadedSettings, options: SiteOptions): Promise<Sites> {
    return new Sites(await openSite(settings, options));
  }

  get current(): Site {
    return this.#current;
  }

  /**
   * Runs `work` while `site` is kept open, whatever the settings become meanwhile: who was told that this
   * is its archive must not be answered for another. Throws `daemon-busy` if it is closed already.
   */
  async hold<T>(site: Site, work: () => Promise<T>): Promise<T> {
    const opened = [...this.#open].find((each) => each === site);
    if (opened === undefined) {
      throw new TsbkError('daemon-busy', 'the settings were loaded anew', { hint: 'Ask again.' });
    }
    opened.users += 1;
    try {
      return await work();
    } finally {
      opened.users -= 1;
      await this.#closeIfDone(opened);
    }
  }

  /** Takes other settings. Where they cannot be used nothing changes, and this throws. */
  async replace(settings: LoadedSettings, options: SiteOptions): Promise<void> {
    const next = await openSite(settings, options);
    const last = this.#current;
    this.#current = next;
    this.#open.add(next);
    last.retired = true;
    await this.#closeIfDone(last);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#current.retired = true;
    await this.#closeIfDone(this.#current);
  }

  async #closeIfDone(site: Opened): Promise<void> {
    if (!site.retired || site.users > 0 || !this.#open.delete(site)) return;
    await site.forPush[Symbol.asyncDispose]();
    await site.pushed[Symbol.asyncDispose]();
    await site.forGet[Symbol.asyncDispose]();
  }
}

async function openSite(settings: LoadedSettings, options: SiteOptions): Promise<Opened> {
  const forGet = await openRepository(settings, { ...options, retryBudgetMs: 0 });
  const { cipherMaterial } = forGet;
  const { pushTimeoutMs } = settings.config;
  const retrying = { ...options, retryBudgetMs: pushTimeoutMs, cipherMaterial };
  const pushed = await openRepository(settings, retrying);
  return {
    settings,
    mark: placeMark(settings.config),
    place: placeOf(settings.config) ?? '',
    url: forGet.store.url,
    forPush: openPushers(settings, pushed, options),
    pushed,
    forGet,
    users: 0,
    retired: false,
  };
}
