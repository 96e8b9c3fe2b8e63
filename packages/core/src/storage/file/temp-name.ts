import { randomBytes } from 'node:crypto';
import { formatInstant, instantFromMs, type Instant } from '../../kernel/instant.ts';

const TEMP = /^(.+)\.tmp\.(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z-[0-9a-f]{16}$/s;

/**
 * Where an object is written before it is visible: `<object>.tmp.<YYYYMMDDTHHMMSSZ>-<16 hex>`, the
 * form that WAL-G's own listing hides too.
 */
export function tempName(target: string, now: Instant): string {
  const second = formatInstant(now).slice(0, 19).replaceAll(/[-:]/g, '');
  return `${target}.tmp.${second}Z-${randomBytes(8).toString('hex')}`;
}

/** Whether a path ends in the name of an unfinished upload. */
export function isTempName(path: string): boolean {
  return parseTempName(path) !== undefined;
}

/** The object's path and when the upload began, `undefined` if the name is none of an upload. */
export function parseTempName(
  path: string,
): { readonly target: string; readonly started: Instant } | undefined {
  const match = TEMP.exec(path);
  if (match?.[1] === undefined || match[1].endsWith('/')) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(2).map(Number);
  const started = Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
  return { target: match[1], started: instantFromMs(started) };
}
