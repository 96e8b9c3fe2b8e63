import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TsbkError } from '@tsbk/core/kernel/errors';
import { instantFromMs } from '@tsbk/core/kernel/instant';
import { errorJson, logJson } from './event-json.ts';
import { errorText, logText } from './event-text.ts';
import { exitCodeFor } from './exit-code.ts';
import { presentationOf } from './presentation.ts';

const NOW = instantFromMs(0);

describe('an error for people', () => {
  it('says what happened, its code, and what to do next', () => {
    const error = new TsbkError('store-full', '/b is full', { hint: 'Make room.' });
    assert.equal(errorText(error), 'tsbk: /b is full [store-full]\nhint: Make room.\n');
  });

  it('that is a bug has its stack, and asks to be reported', () => {
    const text = errorText(new RangeError('boom'));
    assert.match(text, /^tsbk: internal error, please report it: RangeError: boom\n {4}at /);
  });
});

describe('an error for machines', () => {
  it('is one line of JSON with code, message, hint and exit code', () => {
    const line = errorJson(new TsbkError('store-full', 'a\nb', { hint: 'c' }), 75, NOW);
    assert.equal(line.indexOf('\n'), line.length - 1);
    assert.deepEqual(JSON.parse(line), {
      time: '1970-01-01T00:00:00Z',
      level: 'error',
      kind: 'error',
      code: 'store-full',
      message: 'a\nb',
      hint: 'c',
      exitCode: 75,
    });
  });

  it('that is a bug has the code internal', () => {
    const { code } = JSON.parse(errorJson('thrown text', 70, NOW)) as { code: string };
    assert.equal(code, 'internal');
  });
});

describe('what a run will use', () => {
  const event = {
    kind: 'resources',
    lanes: 4,
    memoryBytes: 2 ** 40,
    networkBytesPerSecond: 1024,
  } as const;

  it('is a line for people', () => {
    assert.equal(
      logText(event),
      '4 lanes, at most about 1.0 TiB of memory, network limited to 1.0 KiB/s',
    );
  });

  it('has its byte counts as texts for machines', () => {
    const { time, ...facts } = JSON.parse(logJson(event, NOW)) as Record<string, unknown>;
    assert.equal(time, '1970-01-01T00:00:00Z');
    assert.deepEqual(facts, {
      level: 'info',
      kind: 'resources',
      lanes: 4,
      memoryBytes: '1099511627776',
      networkBytesPerSecond: '1024',
      diskBytesPerSecond: null,
    });
  });
});

describe('the presentation', () => {
  const nothing = { log: undefined, logLevel: 'info', progress: undefined } as const;
  const pipe = { json: false, isTerminal: false, terminal: undefined };

  it('that nobody asked for suits the place', () => {
    const terminal = { json: false, isTerminal: true, terminal: 'xterm' };
    const chosen = [
      presentationOf(nothing, terminal),
      presentationOf(nothing, { ...terminal, terminal: 'dumb' }),
      presentationOf(nothing, pipe),
      presentationOf(nothing, { ...terminal, json: true }),
      presentationOf({ ...nothing, logLevel: 'warning' }, terminal),
      presentationOf({ ...nothing, log: 'text' }, { ...pipe, json: true }),
    ].map(({ log, progress }) => `${log} ${progress}`);
    assert.deepEqual(chosen, [
      'text bar',
      'text plain',
      'text plain',
      'json json',
      'text none',
      'text plain',
    ]);
  });

  it('that was asked for is given anywhere', () => {
    const asked = { log: 'json', logLevel: 'error', progress: 'bar' } as const;
    assert.deepEqual(presentationOf(asked, pipe), asked);
  });
});

describe('the exit code', () => {
  it('of what a signal stopped is that of the signal, as shells have it', () => {
    const stopped = new TsbkError('interrupted', 'x');
    assert.equal(exitCodeFor(stopped, 'SIGINT'), 130);
    assert.equal(exitCodeFor(stopped, 'SIGTERM'), 143);
    assert.equal(exitCodeFor(stopped, undefined), 75);
  });

  it('of another error is its own, whatever signal came besides', () => {
    assert.equal(exitCodeFor(new TsbkError('store-denied', 'x'), 'SIGINT'), 1);
    assert.equal(exitCodeFor(new Error('x'), 'SIGINT'), 70);
  });
});
