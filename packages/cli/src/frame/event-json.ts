import { isTsbkError } from '@tsbk/core/kernel/errors';
import { formatInstant, type Instant } from '@tsbk/core/kernel/instant';
import { describeError } from '@tsbk/core/engine/describe-error';
import { stringifyJson, type JsonValue } from '@tsbk/core/format/json';
import type { ReportEvent } from '@tsbk/core/ports/report';
import type { Reading } from './gauge.ts';

export type LogEvent = Exclude<ReportEvent, { kind: 'progress' }>;

/**
 * Events for machines: one JSON object a line. `docs/running.md` is the schema; byte counts are
 * texts, because many readers of JSON round what is above 2^53.
 */
export function logJson(event: LogEvent, now: Instant): string {
  const { kind } = event;
  switch (kind) {
    case 'phase':
      return line(now, 'info', { kind, phase: event.phase, message: event.text });
    case 'info':
      return line(now, 'info', { kind, message: event.text });
    case 'resources':
      return line(now, 'info', {
        kind,
        lanes: event.lanes,
        memoryBytes: String(event.memoryBytes),
        networkBytesPerSecond: textOrNull(event.networkBytesPerSecond),
        diskBytesPerSecond: textOrNull(event.diskBytesPerSecond),
      });
    case 'warning':
      return line(now, 'warning', { kind, code: event.code, message: event.text });
    case 'retry': {
      const { what, attempt, waitMs, error } = event;
      return line(now, 'info', { kind, what, attempt, waitMs, message: error });
    }
  }
}

/** How far a phase is, one line. */
export function progressJson(reading: Reading, now: Instant): string {
  const { phase, bytes, totalBytes, percent, bytesPerSecond, msLeft } = reading;
  return line(now, 'info', {
    kind: 'progress',
    phase,
    bytes: String(bytes),
    totalBytes: textOrNull(totalBytes),
    percent: percent ?? null,
    bytesPerSecond: bytesPerSecond === undefined ? null : String(Math.round(bytesPerSecond)),
    secondsLeft: msLeft === undefined ? null : Math.ceil(msLeft / 1000),
  });
}

/** What ended the run, its last line. */
export function errorJson(error: unknown, exitCode: number, now: Instant): string {
  const known = isTsbkError(error) ? error : undefined;
  return line(now, 'error', {
    kind: 'error',
    code: known?.code ?? 'internal',
    message: known?.message ?? describeError(error).join('\n'),
    hint: known?.hint ?? null,
    exitCode,
  });
}

function line(now: Instant, level: string, facts: Readonly<Record<string, JsonValue>>): string {
  return `${stringifyJson({ time: formatInstant(now), level, ...facts })}\n`;
}

function textOrNull(number: number | undefined): string | null {
  return number === undefined ? null : String(number);
}
