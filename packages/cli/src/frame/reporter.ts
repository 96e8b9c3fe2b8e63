import type { Clock } from '@tsbk/core/ports/clock';
import type { Report } from '@tsbk/core/ports/report';
import { errorJson, logJson, progressJson, type LogEvent } from './event-json.ts';
import { errorText, logText } from './event-text.ts';
import { startGauge, type Gauge, type ProgressEvent } from './gauge.ts';
import type { OutputStream } from './output.ts';
import { progressBar, progressLine } from './progress-text.ts';
import type { Presentation } from './presentation.ts';

/** Tells on one stream, standard error, what a run reports. */
export interface Reporter extends Disposable {
  readonly report: Report;
  /** Leaves the cursor on a line of its own. Call it before printing anything else. */
  readonly clear: () => void;
  /** Tells what ended the run. */
  readonly fail: (error: unknown, exitCode: number) => void;
}

export interface ReporterOptions extends Presentation {
  readonly stream: OutputStream;
  readonly clock: Clock;
  /** Calls again and again until the function that it gives is called. */
  readonly every: (ms: number, tick: () => void) => () => void;
}

/** How often each kind of progress is shown. */
const PROGRESS_MS = { bar: 200, json: 1000, plain: 30_000 } as const;

/**
 * Logs are a line each, as text or JSON. Progress is a line at the bottom that is drawn anew, plain
 * lines, JSON lines, or nothing; it goes on while nothing moves, so that a stall can be seen.
 */
export function createReporter(options: ReporterOptions): Reporter {
  const { stream, clock, logLevel, log } = options;
  const drawing = createDrawing(options);
  const write = (text: string): void => {
    drawing.clear();
    stream.write(text);
  };
  return {
    report: (event) => {
      if (event.kind === 'progress') return drawing.update(event);
      if (event.kind === 'phase') drawing.endPhase();
      if (!isWanted(event, logLevel)) return;
      write(log === 'json' ? logJson(event, clock.now()) : `${logText(event)}\n`);
    },
    clear: () => drawing.clear(),
    fail: (error, exitCode) => {
      drawing.endPhase();
      write(log === 'json' ? errorJson(error, exitCode, clock.now()) : errorText(error));
    },
    [Symbol.dispose]: () => drawing.endPhase(),
  };
}

const RANK = { error: 0, warning: 1, info: 2, debug: 3 } as const;

function isWanted({ kind }: LogEvent, logLevel: Presentation['logLevel']): boolean {
  return RANK[kind === 'warning' ? 'warning' : 'info'] <= RANK[logLevel];
}

interface Drawing {
  update(event: ProgressEvent): void;
  clear(): void;
  endPhase(): void;
}

function createDrawing({ stream, clock, every, progress }: ReporterOptions): Drawing {
  if (progress === 'none') return { update: () => {}, clear: () => {}, endPhase: () => {} };
  const periodMs = PROGRESS_MS[progress];
  let phase: { readonly gauge: Gauge; readonly stop: () => void } | undefined;
  let nextMs = 0;
  let drawn = false;
  let shownBytes: number | undefined;

  const clear = (): void => {
    if (drawn) stream.write('\r\u001B[K');
    drawn = false;
  };
  const show = (gauge: Gauge): void => {
    const reading = gauge.read(clock.monotonicMs());
    shownBytes = reading.bytes;
    if (progress === 'json') return void stream.write(progressJson(reading, clock.now()));
    if (progress === 'plain') return void stream.write(`${progressLine(reading)}\n`);
    stream.write(`\r${progressBar(reading, (stream.columns ?? 80) - 1)}\u001B[K`);
    drawn = true;
  };
  const showIfDue = (): void => {
    const nowMs = clock.monotonicMs();
    if (phase === undefined || nowMs < nextMs) return;
    nextMs = nowMs + periodMs;
    show(phase.gauge);
  };
  const begin = (event: ProgressEvent): Gauge => {
    const nowMs = clock.monotonicMs();
    // In a log that people read, the phase itself is told when it begins.
    nextMs = progress === 'plain' ? nowMs + periodMs : nowMs;
    shownBytes = undefined;
    const gauge = startGauge(event, nowMs);
    phase = { gauge, stop: every(periodMs, showIfDue) };
    return gauge;
  };
  const endPhase = (): void => {
    if (phase === undefined) return;
    const { gauge, stop } = phase;
    phase = undefined;
    stop();
    // Machines shall see where it ended.
    const ended = gauge.read(clock.monotonicMs());
    if (progress === 'json' && ended.bytes !== shownBytes) show(gauge);
    clear();
  };
  return {
    update: (event) => {
      if (phase !== undefined && phase.gauge.phase !== event.phase) endPhase();
      const gauge = phase?.gauge ?? begin(event);
      gauge.update(event, clock.monotonicMs());
      showIfDue();
    },
    clear,
    endPhase,
  };
}
