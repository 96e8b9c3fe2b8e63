import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadedSettings } from '@tsbk/core/settings/load';

/**
 * A standby asks again by itself, and looks meanwhile whether it can stream or is to be promoted:
 * it must not be kept waiting.
 */
const STANDBY_PATIENCE_MS = 2000;

/** How long an outage is waited out for the server in `dataDir`. Milliseconds. */
export function patienceMs({ config }: LoadedSettings, dataDir: string): number {
  const { getPatienceMs } = config;
  return isStandby(dataDir) ? Math.min(getPatienceMs, STANDBY_PATIENCE_MS) : getPatienceMs;
}

export function isStandby(dataDir: string): boolean {
  return existsSync(join(dataDir, 'standby.signal'));
}
