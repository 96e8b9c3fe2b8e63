import { instantToMs } from '@tsbk/core/kernel/instant';
import type { Clock } from '@tsbk/core/ports/clock';
import { newestListed, type BackupFigures } from '@tsbk/core/repository/newest-backup';
import type { Family } from './exposition.ts';
import { gauge } from './observe.ts';
import type { Sites } from './site.ts';

const REFRESH_MS = 60_000;
/** A repository that does not answer is asked again at the next turn. */
const LOOK_MS = 30_000;

/**
 * What is known of the newest backup. It is looked for once a minute at most and only when somebody
 * wants to know; nobody waits for it.
 */
export class LastBackup {
  readonly #sites: Sites;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #known: BackupFigures | undefined;
  #lookedMs: number | undefined;

  constructor(sites: Sites, { clock, signal }: { clock: Clock; signal: AbortSignal }) {
    this.#sites = sites;
    this.#clock = clock;
    this.#signal = signal;
  }

  families(): Family[] {
    void this.refresh();
    const known = this.#known;
    const finishedMs = known && instantToMs(known.finished);
    const ageMs = finishedMs && Math.max(0, instantToMs(this.#clock.now()) - finishedMs);
    return [
      gauge(
        'tsbk_backup_last_timestamp_seconds',
        'When the newest backup was finished, seconds since 1970.',
        finishedMs && finishedMs / 1000,
      ),
      gauge('tsbk_backup_last_age_seconds', 'How long ago that was.', ageMs && ageMs / 1000),
      gauge(
        'tsbk_backup_last_stored_bytes',
        'Its size in the repository, compressed.',
        known?.storedBytes,
      ),
      gauge('tsbk_backup_last_plain_bytes', 'Its size before compression.', known?.plainBytes),
    ];
  }

  /** Looks, if the last look is old enough. Never rejects. */
  async refresh(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#lookedMs !== undefined && nowMs - this.#lookedMs < REFRESH_MS) return;
    this.#lookedMs = nowMs;
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(LOOK_MS)]);
    try {
      const site = this.#sites.current;
      const look = (): ReturnType<typeof newestListed> => newestListed(site.forGet, { signal });
      this.#known = await this.#sites.hold(site, look);
    } catch {
      // What was known stays; that the repository does not answer shows where it matters.
    }
  }
}
