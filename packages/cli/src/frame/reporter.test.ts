import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { instantFromMs } from '@tsbk/core/kernel/instant';
import { TsbkError } from '@tsbk/core/kernel/errors';
import type { Clock } from '@tsbk/core/ports/clock';
import { systemClock } from '@tsbk/core/engine/clock';
import { startGauge } from './gauge.ts';
import type { Presentation } from './presentation.ts';
import { createReporter } from './reporter.ts';

const MIB = 1024 ** 2;

function stage(shown: Partial<Presentation>, columns = 80) {
  let text = '';
  let nowMs = 0;
  const ticks = new Set<() => void>();
  const clock: Clock = {
    ...systemClock,
    now: () => instantFromMs(nowMs),
    monotonicMs: () => nowMs,
  };
  const reporter = createReporter({
    log: 'text',
    logLevel: 'info',
    progress: 'none',
    ...shown,
    clock,
    stream: { columns, write: (more: unknown) => (text += String(more)) },
    every: (_, tick) => {
      ticks.add(tick);
      return () => ticks.delete(tick);
    },
  });
  return {
    ...reporter,
    close: () => reporter[Symbol.dispose](),
    passMs: (ms: number) => {
      nowMs += ms;
      for (const tick of ticks) tick();
    },
    text: () => text,
    lines: () => text.trimEnd().split('\n').map(parseLine),
    timers: () => ticks.size,
  };
}

const parseLine = (line: string) => JSON.parse(line) as Record<string, unknown>;

function progress(bytes: number, totalBytes?: number, phase = 'copy') {
  return { kind: 'progress', phase, bytes, totalBytes } as const;
}

describe('a bar', () => {
  it('is drawn anew on one line, with rate and time left, and cleared for others', () => {
    const { report, passMs, clear, text } = stage({ progress: 'bar' });
    report(progress(0, 100 * MIB));
    passMs(2000);
    report(progress(20 * MIB, 100 * MIB));
    passMs(2000);
    report({ kind: 'info', text: 'hello' });
    clear();
    const drawn = text().split('\r').slice(1);
    assert.deepEqual(drawn, [
      'copy [-------------------] 0 B of 100.0 MiB, 0 %\u001B[K',
      'copy [-------------------] 0 B of 100.0 MiB, 0 %, 0 B/s\u001B[K',
      'copy [###----------------] 20.0 MiB of 100.0 MiB, 20 %, 5.0 MiB/s, 16.0 s left\u001B[K',
      '\u001B[Khello\n',
    ]);
  });

  it('shows by a falling rate that nothing moves', () => {
    const { report, passMs, text } = stage({ progress: 'bar' });
    report(progress(100 * MIB));
    for (let second = 0; second < 60; second += 1) passMs(1000);
    assert.ok(text().endsWith('copy: 100.0 MiB, 0 B/s\u001B[K'));
  });

  it('never takes more than the line', () => {
    for (const columns of [10, 20, 45, 60, 80, 200]) {
      const { report, passMs, text } = stage({ progress: 'bar' }, columns);
      report(progress(5 * MIB, 100 * MIB));
      passMs(5000);
      for (const line of text().split('\r').slice(1)) {
        assert.ok(line.replace('\u001B[K', '').length < columns, line);
      }
    }
  });

  it('stops its timer when the phase or the run ends', () => {
    const { report, timers, close } = stage({ progress: 'bar' });
    report(progress(1));
    assert.equal(timers(), 1);
    report({ kind: 'phase', phase: 'wal', text: 'waiting' });
    assert.equal(timers(), 0);
    report(progress(1, 2, 'a'));
    report(progress(1, 2, 'b'));
    assert.equal(timers(), 1);
    close();
    assert.equal(timers(), 0);
  });
});

describe('plain progress', () => {
  it('is a line twice a minute', () => {
    const { report, passMs, text } = stage({ progress: 'plain' });
    report({ kind: 'phase', phase: 'copy', text: 'copying' });
    for (let seconds = 0; seconds <= 65; seconds += 1) {
      report(progress(seconds * MIB));
      passMs(1000);
    }
    assert.equal(text(), 'copying\ncopy: 29.0 MiB, 921.6 KiB/s\ncopy: 59.0 MiB, 921.6 KiB/s\n');
  });
});

describe('progress as JSON', () => {
  it('is an object a second, also while nothing moves, and one at the end of the phase', () => {
    const { report, passMs, lines, close } = stage({ progress: 'json' });
    report(progress(10, 1000));
    report(progress(20, 1000));
    passMs(1000);
    passMs(1000);
    report(progress(500, 1000));
    close();
    assert.deepEqual(
      lines().map(({ bytes, bytesPerSecond }) => [bytes, bytesPerSecond]),
      [
        ['10', null],
        ['20', '20'],
        ['20', '10'],
        ['500', '250'],
      ],
    );
    assert.deepEqual(lines().at(-1), {
      time: '1970-01-01T00:00:02Z',
      level: 'info',
      kind: 'progress',
      phase: 'copy',
      bytes: '500',
      totalBytes: '1000',
      percent: 50,
      bytesPerSecond: '250',
      secondsLeft: 2,
    });
  });

  it('keeps to itself where it stands beside logs for people', () => {
    const { report, text } = stage({ progress: 'json' });
    report({ kind: 'info', text: 'hello' });
    report(progress(1));
    assert.match(text(), /^hello\n\{.*\}\n$/);
  });
});

describe('logs', () => {
  it('leave away what the log level does not ask for', () => {
    const told = (['error', 'warning', 'info'] as const).map((logLevel) => {
      const { report, text } = stage({ logLevel });
      report({ kind: 'info', text: 'a' });
      report({ kind: 'warning', code: 'c', text: 'b' });
      return text();
    });
    assert.deepEqual(told, ['', 'warning: b [c]\n', 'a\nwarning: b [c]\n']);
  });

  it('say what is tried again, and when', () => {
    const { report, text } = stage({});
    report({ kind: 'retry', what: 'put x', attempt: 1, waitMs: 1500, error: 'no answer' });
    assert.equal(text(), 'put x: no answer; trying again in 1.5 s (attempt 2)\n');
  });

  it('as JSON are one object a line with time, level, kind and message', () => {
    const { report, fail, lines } = stage({ log: 'json' });
    report({ kind: 'phase', phase: 'copy', text: 'a\nb' });
    report({ kind: 'warning', code: 'c', text: 'd' });
    fail(new TsbkError('store-full', 'full'), 75);
    assert.deepEqual(lines().map(Object.values), [
      ['1970-01-01T00:00:00Z', 'info', 'phase', 'copy', 'a\nb'],
      ['1970-01-01T00:00:00Z', 'warning', 'warning', 'c', 'd'],
      ['1970-01-01T00:00:00Z', 'error', 'error', 'store-full', 'full', null, 75],
    ]);
  });
});

describe('a gauge', () => {
  it('follows a change of speed within its window', () => {
    const gauge = startGauge(progress(0), 0);
    assert.equal(gauge.read(0).bytesPerSecond, undefined);
    let bytes = 0;
    for (let second = 1; second <= 40; second += 1) {
      bytes += second <= 20 ? 1000 : 100;
      gauge.update(progress(bytes), second * 1000);
    }
    assert.equal(gauge.read(40_000).bytesPerSecond, 100);
  });

  it('never claims more than 99 %, because the total is an estimate', () => {
    const { percent, msLeft } = startGauge(progress(101, 100), 0).read(2000);
    assert.deepEqual([percent, msLeft], [99, undefined]);
  });
});
