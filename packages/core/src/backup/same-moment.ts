import type { Instant } from '../kernel/instant.ts';

const SECOND = 1_000_000_000n;

/**
 * Whether a file was last changed when its parent's record says. What a server has sent, now or then,
 * has times without a fraction: only the seconds are compared then.
 */
export function isSameMoment(now: Instant, recorded: Instant | undefined): boolean {
  if (recorded === undefined) return false;
  return isWhole(now) || isWhole(recorded)
    ? secondOf(now) === secondOf(recorded)
    : now === recorded;
}

/** Whether two times that are the same are so to the nanosecond, and not by rounding. */
export function isExactMoment(now: Instant, recorded: Instant | undefined): boolean {
  return now === recorded && !isWhole(now);
}

function isWhole(moment: Instant): boolean {
  return moment % SECOND === 0n;
}

/** Rounded down. */
function secondOf(moment: Instant): bigint {
  const rest = moment % SECOND;
  return moment - (rest < 0n ? rest + SECOND : rest);
}
