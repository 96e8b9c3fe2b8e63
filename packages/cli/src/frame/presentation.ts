import type { Config } from '@tsbk/core/settings/table';

/** How a run shows itself on standard error. */
export interface Presentation {
  readonly log: 'text' | 'json';
  readonly logLevel: Config['logLevel'];
  readonly progress: 'bar' | 'plain' | 'json' | 'none';
}

/**
 * What was asked for. Who asks for nothing gets what suits the place: JSON beside a result in JSON,
 * a bar on a terminal that can draw one, else a line now and then; and none where only warnings are
 * wanted.
 */
export function presentationOf(
  { log: askedLog, logLevel, progress }: Pick<Config, 'log' | 'logLevel' | 'progress'>,
  place: {
    /** Whether the result is wanted as JSON. */
    readonly json: boolean;
    readonly isTerminal: boolean;
    /** The terminal's name, as `TERM` has it. */
    readonly terminal: string | undefined;
  },
): Presentation {
  const log = askedLog ?? (place.json ? 'json' : 'text');
  if (progress !== undefined) return { log, logLevel, progress };
  if (logLevel === 'error' || logLevel === 'warning') return { log, logLevel, progress: 'none' };
  if (log === 'json') return { log, logLevel, progress: 'json' };
  const canDraw = place.isTerminal && place.terminal !== 'dumb';
  return { log, logLevel, progress: canDraw ? 'bar' : 'plain' };
}
