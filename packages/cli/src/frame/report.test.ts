import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from '@tsbk/core/ports/clock';
import { systemClock } from '@tsbk/core/engine/clock';
import { jsonReporter } from './json-report.ts';
import { startMeter } from './meter.ts';
import { progressText, textReporter } from './text-report.ts';

const MIB = 1024 ** 2;

function stage(isTTY: boolean, columns = 80) {
  let text = '';
  let nowMs = 0;
  const clock: Clock = { ...systemClock, monotonicMs: () => nowMs };
  return {
    clock,
    stream: { isTTY, columns, write: (more: string) => (text += more) },
    passMs: (ms: number) => (nowMs += ms),
    text: () => text,
  };
}

function progress(bytes: number, totalBytes?: number) {
  return { kind: 'progress', phase: 'copy', bytes, totalBytes } as const;
}

describe('textReporter', () => {
  it('on a terminal draws one line anew, with rate and time left, and clears it for others', () => {
    const { stream, clock, passMs, text } = stage(true);
    const { report, end } = textReporter({ stream, clock, logLevel: 'info' });
    report(progress(0, 100 * MIB));
    passMs(2000);
    report(progress(20 * MIB, 100 * MIB));
    report({ kind: 'info', text: 'hello' });
    end();
    assert.equal(
      text(),
      '\rcopy: 0 B of 100.0 MiB, 0 %\u001B[K' +
        '\rcopy: 20.0 MiB of 100.0 MiB, 20 %, 10.0 MiB/s, 8.0 s left\u001B[K' +
        '\r\u001B[Khello\n',
    );
  });

  it('on a terminal never writes more than fits into a line', () => {
    const { stream, clock, text } = stage(true, 20);
    textReporter({ stream, clock, logLevel: 'info' }).report(progress(5 * MIB, 100 * MIB));
    assert.equal(text(), '\rcopy: 5.0 MiB of 10\u001B[K');
  });

  it('elsewhere writes plain lines, progress twice a minute at most', () => {
    const { stream, clock, passMs, text } = stage(false);
    const { report } = textReporter({ stream, clock, logLevel: 'info' });
    report({ kind: 'phase', phase: 'copy', text: 'copying' });
    for (let seconds = 0; seconds <= 65; seconds += 1) {
      report(progress(seconds * MIB));
      passMs(1000);
    }
    assert.equal(text(), 'copying\ncopy: 30.0 MiB, 1.0 MiB/s\ncopy: 60.0 MiB, 1.0 MiB/s\n');
  });

  it('leaves away what the log level does not ask for', () => {
    const { stream, clock, text } = stage(false);
    const events = [
      { kind: 'info', text: 'a' },
      { kind: 'warning', code: 'c', text: 'b' },
    ] as const;
    for (const logLevel of ['error', 'warning', 'info'] as const) {
      const { report } = textReporter({ stream, clock, logLevel });
      for (const event of events) report(event);
    }
    assert.equal(text(), 'warning: b [c]\na\nwarning: b [c]\n');
  });

  it('says what is tried again, and when', () => {
    const { stream, clock, text } = stage(false);
    textReporter({ stream, clock, logLevel: 'info' }).report({
      kind: 'retry',
      what: 'put x',
      attempt: 1,
      waitMs: 1500,
      error: 'no answer',
    });
    assert.equal(text(), 'put x: no answer; trying again in 1.5 s (attempt 2)\n');
  });
});

describe('progressText', () => {
  it('never claims more than 99 %, because the total is an estimate', () => {
    assert.equal(progressText(progress(101, 100), 5), 'copy: 101 B of 100 B, 99 %, 5 B/s');
  });

  it('says nothing of what is not known', () => {
    assert.equal(progressText(progress(10), undefined), 'copy: 10 B');
    assert.equal(progressText(progress(0, 0), 0), 'copy: 0 B of 0 B');
  });
});

describe('jsonReporter', () => {
  it('writes one object a line, and progress once a second at most', () => {
    const { stream, clock, passMs, text } = stage(false);
    const { report } = jsonReporter({ stream, clock });
    report(progress(1));
    report(progress(2));
    passMs(1000);
    report(progress(3));
    report({ kind: 'info', text: 'a\nb' });
    const lines = text().trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { kind: string; bytes?: number }).bytes),
      [1, 3, undefined],
    );
  });
});

describe('startMeter', () => {
  it('follows a change of speed within its window', () => {
    const meter = startMeter('copy', 0);
    assert.equal(meter.update(0, 0), undefined);
    let bytes = 0;
    let rate: number | undefined;
    for (let second = 1; second <= 40; second += 1) {
      bytes += second <= 20 ? 1000 : 100;
      rate = meter.update(bytes, second * 1000);
    }
    assert.equal(rate, 100);
  });
});
