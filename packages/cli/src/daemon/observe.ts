import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { instantToMs, parseInstant } from '@tsbk/core/kernel/instant';
import { parseWalFileName } from '@tsbk/core/kernel/wal-file';
import { parseJson } from '@tsbk/core/format/json';
import { asObject, optionalField, optionalString } from '@tsbk/core/format/json-fields';
import type { JsonValue } from '@tsbk/core/format/json-value';
import type { Clock } from '@tsbk/core/ports/clock';
import type { Family } from './exposition.ts';

const READY = '.ready';
/** Files of one moment that are looked at for the oldest: the first by name, and what is no segment. */
const LOOKS_MAX = 16;
const STATUS_BYTES_MAX = 1024 * 1024;

/** What PostgreSQL has for the archiver: `.ready` files in `archive_status`. */
export async function observeReady(dataDir: string, clock: Clock): Promise<Family[]> {
  const folder = join(dataDir, 'pg_wal/archive_status');
  const names = (await readdir(folder).catch(() => []))
    .filter((name) => name.endsWith(READY))
    .filter((name) => parseWalFileName(name.slice(0, -READY.length)) !== undefined)
    .sort();
  // The archiver takes segments in the order of their names, and they became ready in it.
  const segments = names.filter((name) => name.length === 24 + READY.length).slice(0, 1);
  const others = names.filter((name) => name.length !== 24 + READY.length);
  const looked = [...segments, ...others].slice(0, LOOKS_MAX);
  const times = await Promise.all(
    looked.map(async (name) => (await stat(join(folder, name)).catch(() => undefined))?.mtimeMs),
  );
  const nowMs = instantToMs(clock.now());
  const ages = times.flatMap((ms) => (ms === undefined ? [] : [Math.max(0, nowMs - ms) / 1000]));
  return [
    gauge('tsbk_wal_ready_files', 'WAL files that wait to be archived.', names.length),
    gauge(
      'tsbk_wal_oldest_ready_age_seconds',
      'How long the oldest of them has waited; 0 if there is none.',
      Math.max(0, ...ages),
    ),
  ];
}

/** What `tsbk wal-receive` last told of itself; nothing where it does not run on this host. */
export async function observeReceiver(statusFile: string, clock: Clock): Promise<Family[]> {
  try {
    const text = await readFile(statusFile, 'utf8');
    if (text.length > STATUS_BYTES_MAX) return [];
    const status = asObject(parseJson(text, { what: statusFile }), statusFile);
    const updated = parseInstant(optionalString(status, 'updated', statusFile) ?? '');
    const missing = optionalField(status, 'missing');
    const ageMs =
      updated === undefined ? undefined : instantToMs(clock.now()) - instantToMs(updated);
    return [
      gauge(
        'tsbk_receive_lag_bytes',
        'WAL that is written and not yet durable by streaming.',
        byteCount(optionalField(status, 'lagBytes')),
      ),
      gauge(
        'tsbk_receive_status_age_seconds',
        'How old this word of the receiver is: it tells each second.',
        ageMs === undefined ? undefined : Math.max(0, ageMs) / 1000,
      ),
      gauge(
        'tsbk_receive_missing_segments',
        'Segments that the receiver could not get.',
        Array.isArray(missing) ? missing.length : undefined,
      ),
    ];
  } catch {
    // Not there, or just being written by another version of tsbk: nothing is known then.
    return [];
  }
}

/** Byte counts are texts there; `null` is what the receiver does not know yet. */
function byteCount(value: JsonValue | undefined): number | undefined {
  return typeof value === 'string' && /^\d{1,19}$/.test(value) ? Number(value) : undefined;
}

/** A family of one number; without it the family is left out. */
export function gauge(name: string, help: string, value: number | undefined): Family {
  return { name, type: 'gauge', help, samples: value === undefined ? [] : [{ value }] };
}
