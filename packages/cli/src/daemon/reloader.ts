import type { Report } from '@tsbk/core/ports/report';
import type { LoadedSettings } from '@tsbk/core/settings/load';
import type { Notifier } from './notify.ts';
import type { Sites } from './site.ts';

interface ReloaderOptions {
  readonly sites: Sites;
  readonly notifier: Notifier;
  readonly reloadSettings: () => Promise<LoadedSettings>;
  readonly signal: AbortSignal;
  readonly report: Report;
  readonly failed: (what: string, error: unknown) => void;
}

/**
 * Takes new settings for requests that come from then on. The socket and the data directory stay what
 * they are. Settings that cannot be used change nothing.
 */
export class Reloader {
  readonly #options: ReloaderOptions;
  #turn: Promise<void> = Promise.resolve();
  #hasFailed = false;

  constructor(options: ReloaderOptions) {
    this.#options = options;
  }

  /** Whether the settings that are there now could not be taken. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** One after the other. Never rejects. */
  reload(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#reload());
    return this.#turn;
  }

  async #reload(): Promise<void> {
    const { sites, notifier, reloadSettings, signal, report, failed } = this.#options;
    await notifier.tell('RELOADING=1', notifier.monotonicWord());
    try {
      await sites.replace(await reloadSettings(), { signal, report });
      this.#hasFailed = false;
      report({ kind: 'info', text: `took new settings, for ${sites.current.url}` });
    } catch (error) {
      this.#hasFailed = true;
      failed('new settings, the old ones stay', error);
    }
    await notifier.tell('READY=1');
  }
}
