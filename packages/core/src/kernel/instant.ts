/**
 * A moment, in nanoseconds since 1970-01-01T00:00:00Z. WAL-G's records carry nanoseconds and its
 * deltas compare them for equality, so `Date` (milliseconds) will not do.
 */
export type Instant = bigint & { readonly __brand: 'Instant' };

const RFC3339 =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})$/;

/** From nanoseconds since the epoch. */
export function toInstant(nanoseconds: bigint): Instant {
  return nanoseconds as Instant;
}

/** From milliseconds since the epoch, as `Date` has them. */
export function instantFromMs(milliseconds: number): Instant {
  return (BigInt(Math.trunc(milliseconds)) * 1_000_000n) as Instant;
}

/** Milliseconds since the epoch, rounded down. */
export function instantToMs(instant: Instant): number {
  return Number(instant / 1_000_000n);
}

/** Reads RFC 3339 with any offset and up to nine fractional digits; `undefined` if it is not. */
export function parseInstant(text: string): Instant | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = match;
  const offset = zone.toUpperCase() === 'Z' ? '+00:00' : zone;
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.000${offset}`);
  if (Number.isNaN(ms)) return undefined;
  return (BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))) as Instant;
}

/** RFC 3339 in UTC, trailing zeros of the fraction trimmed as Go writes it. */
export function formatInstant(instant: Instant): string {
  const second = floorDiv(instant, 1_000_000_000n);
  const nanos = instant - second * 1_000_000_000n;
  const whole = new Date(Number(second) * 1000).toISOString().slice(0, 19);
  const fraction = nanos.toString().padStart(9, '0').replace(/0+$/, '');
  return `${whole}${fraction === '' ? '' : `.${fraction}`}Z`;
}

/** As PostgreSQL reads it under every `DateStyle`: in UTC, with microseconds if there are any. */
export function formatPostgresTime(time: Instant): string {
  return formatInstant(time).replace('T', ' ').replace('Z', '+00');
}

/** Rounded up to a whole microsecond, as WAL-G rounds the times of `metadata.json`. */
export function ceilToMicrosecond(instant: Instant): Instant {
  return (floorDiv(instant + 999n, 1000n) * 1000n) as Instant;
}

function floorDiv(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value % divisor < 0n ? quotient - 1n : quotient;
}
