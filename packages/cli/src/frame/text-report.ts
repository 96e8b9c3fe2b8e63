import { formatDuration } from '@tsbk/core/kernel/duration';
import { formatSize } from '@tsbk/core/kernel/size';
import type { Clock } from '@tsbk/core/ports/clock';
import type { Report, ReportEvent } from '@tsbk/core/ports/report';
import type { Config } from '@tsbk/core/settings/table';
import type { OutputStream } from './output.ts';
import { startMeter, type Meter } from './meter.ts';

const REDRAW_MS = 200;
const PLAIN_LINE_MS = 30_000;

export interface Reporter {
  readonly report: Report;
  /** Leaves the cursor on a line of its own. Call it before printing anything else. */
  readonly end: () => void;
}

export interface ReporterOptions {
  readonly stream: OutputStream;
  readonly clock: Clock;
  readonly logLevel: Config['logLevel'];
}

type ProgressEvent = Extract<ReportEvent, { kind: 'progress' }>;

/**
 * Reports for people: a line each for what happens, and on a terminal one line at the bottom that is
 * drawn anew, with bytes, rate and time left. Elsewhere progress is a plain line twice a minute.
 */
export function textReporter({ stream, clock, logLevel }: ReporterOptions): Reporter {
  const isTerminal = stream.isTTY === true;
  let drawn = false;
  let nextMs = Number.NEGATIVE_INFINITY;
  let meter: Meter | undefined;

  const clear = (): void => {
    if (drawn) stream.write('\r\u001B[K');
    drawn = false;
  };
  const line = (text: string): void => {
    clear();
    stream.write(`${text}\n`);
  };
  const progress = (event: ProgressEvent): void => {
    const nowMs = clock.monotonicMs();
    if (meter?.phase !== event.phase) {
      meter = startMeter(event.phase, nowMs);
      nextMs = isTerminal ? nowMs : nowMs + PLAIN_LINE_MS;
    }
    const rate = meter.update(event.bytes, nowMs);
    if (nowMs < nextMs) return;
    nextMs = nowMs + (isTerminal ? REDRAW_MS : PLAIN_LINE_MS);
    const text = progressText(event, rate);
    if (!isTerminal) return line(text);
    stream.write(`\r${text.slice(0, (stream.columns ?? 80) - 1)}\u001B[K`);
    drawn = true;
  };

  return {
    report: (event) => {
      if (!isWanted(event, logLevel)) return;
      if (event.kind === 'progress') progress(event);
      else line(eventText(event));
    },
    end: clear,
  };
}

/** `1.2 GiB of 3.4 GiB, 35 %, 210.0 MiB/s, 10.5 s left` */
export function progressText(event: ProgressEvent, bytesPerSecond: number | undefined): string {
  const { phase, bytes, totalBytes } = event;
  const parts = [
    totalBytes === undefined
      ? formatSize(bytes)
      : `${formatSize(bytes)} of ${formatSize(totalBytes)}`,
  ];
  if (totalBytes !== undefined && totalBytes > 0) {
    // The total is the server's estimate: what comes can be a little more.
    parts.push(`${Math.min(99, Math.floor((bytes / totalBytes) * 100))} %`);
  }
  if (bytesPerSecond !== undefined && bytesPerSecond > 0) {
    parts.push(`${formatSize(Math.round(bytesPerSecond))}/s`);
    const leftBytes = (totalBytes ?? 0) - bytes;
    if (leftBytes > 0) parts.push(`${formatDuration((leftBytes / bytesPerSecond) * 1000)} left`);
  }
  return `${phase}: ${parts.join(', ')}`;
}

const RANK = { error: 0, warning: 1, info: 2, debug: 3 } as const;

function isWanted(event: ReportEvent, logLevel: Config['logLevel']): boolean {
  return RANK[event.kind === 'warning' ? 'warning' : 'info'] <= RANK[logLevel];
}

function eventText(event: Exclude<ReportEvent, ProgressEvent>): string {
  switch (event.kind) {
    case 'phase':
      return event.text;
    case 'info':
      return event.text;
    case 'warning':
      return `warning: ${event.text} [${event.code}]`;
    case 'retry': {
      const wait = formatDuration(event.waitMs);
      return `${event.what}: ${event.error}; trying again in ${wait} (attempt ${event.attempt + 1})`;
    }
  }
}
