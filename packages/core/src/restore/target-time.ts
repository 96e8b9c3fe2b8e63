import { TsbkError } from '../kernel/errors.ts';
import { toInstant, type Instant } from '../kernel/instant.ts';

const TIME =
  /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)? *(Z|UTC|GMT|[+-]\d{2}(?::?\d{2}){0,2})?$/i;
const NS_PER_MS = 1_000_000n;
const MS_PER_MINUTE = 60_000;
/** PostgreSQL's limit is 15:59:59 (`MAX_TZDISP_HOUR`). */
const OFFSET_MINUTES_MAX = 16 * 60;

/**
 * Reads a moment: RFC 3339, or as PostgreSQL prints it (`2026-11-22 10:00:00.123456+01`). A time
 * without zone could mean two moments, so it throws `usage` and shows both; `localZone` is the
 * IANA name of the other one beside UTC. Throws `usage` also for what is no time at all and for
 * more than microseconds, which PostgreSQL does not have.
 */
export function parseTargetTime(
  text: string,
  { localZone }: { readonly localZone: string },
): Instant {
  const match = TIME.exec(text.trim());
  const [, date = '', minute = '', second = '00', fraction = '', zone] = match ?? [];
  const wallMs = Date.parse(`${date}T${minute}:${second}.000Z`);
  if (Number.isNaN(wallMs) || !new Date(wallMs).toISOString().startsWith(`${date}T${minute}`)) {
    throw unreadable(text);
  }
  if (zone === undefined) throw withoutZone(text.trim(), { wallMs, localZone });
  if (/[1-9]/.test(fraction.slice(6))) {
    throw new TsbkError('usage', `--target-time ${text} is finer than a microsecond`, {
      hint: 'PostgreSQL counts transactions in microseconds: give six digits after the point.',
    });
  }
  const offsetMs = offsetOf(zone);
  if (Math.abs(offsetMs) >= OFFSET_MINUTES_MAX * MS_PER_MINUTE) throw unreadable(text);
  return toInstant(BigInt(wallMs - offsetMs) * NS_PER_MS + BigInt(fraction.padEnd(9, '0')));
}

function offsetOf(zone: string): number {
  if (!/^[+-]/.test(zone)) return 0;
  const [hours = 0, minutes = 0, seconds = 0] = zone
    .slice(1)
    .replaceAll(':', '')
    .match(/\d\d/g)
    ?.map(Number) ?? [0];
  const ms = ((hours * 60 + minutes) * 60 + seconds) * 1000;
  return zone.startsWith('-') ? -ms : ms;
}

function withoutZone(
  text: string,
  { wallMs, localZone }: { readonly wallMs: number; readonly localZone: string },
): TsbkError {
  const localMinutes = zoneOffsetMinutes(wallMs, localZone);
  const utc = `--target-time '${text}+00' (UTC)`;
  const local = `--target-time '${text}${formatOffset(localMinutes)}' (${localZone})`;
  return new TsbkError('usage', `--target-time '${text}' does not say in which time zone`, {
    hint: `Give ${localMinutes === 0 ? utc : `either ${utc} or ${local}`}.`,
  });
}

/** Minutes that a zone is ahead of UTC when its clocks show `wallMs` (taken as if UTC). */
function zoneOffsetMinutes(wallMs: number, zone: string): number {
  const first = offsetAt(wallMs, zone);
  // Near a change of the clocks the first guess is on the wrong side of it.
  return offsetAt(wallMs - first * MS_PER_MINUTE, zone);
}

function offsetAt(ms: number, zone: string): number {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
  const name = format.formatToParts(ms).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const match = /GMT([+-])(\d{2}):(\d{2})/.exec(name);
  if (match === null) return 0;
  const minutes = Number(match[2]) * 60 + Number(match[3]);
  return match[1] === '-' ? -minutes : minutes;
}

function formatOffset(minutes: number): string {
  const absolute = Math.abs(minutes);
  const two = (value: number): string => String(value).padStart(2, '0');
  const rest = absolute % 60 === 0 ? '' : `:${two(absolute % 60)}`;
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(absolute / 60))}${rest}`;
}

function unreadable(text: string): TsbkError {
  return new TsbkError('usage', `--target-time '${text}' is no time`, {
    hint: "Write it as '2026-11-22 10:00:00+01' or 2026-11-22T09:00:00Z.",
  });
}
