import { spawn } from 'node:child_process';

/** What tells a process that it is the one that fetches ahead. */
export const FETCH_AHEAD = 'TSBK_FETCH_AHEAD';

/**
 * Starts the process that fetches ahead: this very command line once more, so that it reads the
 * same settings, in a session of its own. It holds none of the server's pipes open, not even the
 * log: the server waits for the end of those when it stops.
 */
export function startPrefetcher(): void {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    stdio: 'ignore',
    env: { ...process.env, [FETCH_AHEAD]: 'yes' },
  });
  // Without it the next segment is fetched when it is asked for.
  child.on('error', () => undefined);
  child.unref();
}
