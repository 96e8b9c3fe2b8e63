import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { ignoredSignals, stopSignals } from './stop-signals.ts';

function stage(ignored: readonly NodeJS.Signals[] = []) {
  const emitter = new EventEmitter();
  const again: string[] = [];
  let nowMs = 0;
  const stop = stopSignals(emitter, (name) => again.push(name), { nowMs: () => nowMs, ignored });
  return { emitter, again, stop, passMs: (ms: number) => (nowMs += ms) };
}

describe('stopSignals', () => {
  it('each of the signals aborts once, with the reason interrupted', () => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) {
      const { emitter, stop } = stage();
      emitter.emit(name);
      emitter.emit('SIGTERM');
      assert.ok(isTsbkError(stop.signal.reason, 'interrupted'));
      assert.equal(stop.signal.reason.message, `stopped by ${name}`);
      assert.equal(stop.stoppedBy(), name);
    }
  });

  it('those that were ignored from the start still do nothing', () => {
    const { emitter, stop, again, passMs } = stage(ignoredSignals('1'));
    emitter.emit('SIGHUP');
    passMs(5000);
    emitter.emit('SIGHUP');
    assert.ok(!stop.signal.aborted);
    assert.deepEqual(again, []);
    emitter.emit('SIGINT');
    assert.ok(stop.signal.aborted);
    assert.deepEqual(ignoredSignals('6'), ['SIGINT', 'SIGQUIT']);
    assert.deepEqual([...ignoredSignals('8'), ...ignoredSignals(undefined)], []);
  });

  it('one that is diverted does something else, also where it was ignored, and asks for no stop', () => {
    const { emitter, stop, again, passMs } = stage(ignoredSignals('1'));
    let calls = 0;
    stop.divert('SIGHUP', () => (calls += 1));
    emitter.emit('SIGHUP');
    passMs(5000);
    emitter.emit('SIGHUP');
    assert.equal(calls, 2);
    assert.ok(!stop.signal.aborted);
    emitter.emit('SIGTERM');
    assert.deepEqual([stop.stoppedBy(), again], ['SIGTERM', []]);
  });

  it('the same request arriving twice, by group and by launcher, is one', () => {
    const { emitter, again, passMs } = stage();
    emitter.emit('SIGINT');
    passMs(100);
    emitter.emit('SIGTERM');
    assert.deepEqual(again, []);
  });

  it('a second request does not wait for the clean-up', () => {
    const { emitter, again, passMs } = stage();
    emitter.emit('SIGINT');
    passMs(1500);
    emitter.emit('SIGINT');
    assert.deepEqual(again, ['SIGINT']);
  });

  it('leaves no listeners behind', () => {
    const { emitter, stop } = stage();
    stop.dispose();
    assert.deepEqual(emitter.eventNames(), []);
  });
});
