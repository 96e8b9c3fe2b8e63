import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { sharedLook } from './shared-look.ts';

describe('a look that is shared', () => {
  it('is one for those who ask in the same turn, and another in the next', async () => {
    const looks: string[] = [];
    const look = sharedLook(async (path) => {
      looks.push(path);
      await Promise.resolve();
      return `${path} ${looks.length}`;
    });
    const together = [look('a'), look('b'), Promise.resolve().then(() => look('a'))];
    assert.deepEqual(await Promise.all(together), ['a 2', 'b 2', 'a 2']);
    await nextTurn();
    assert.equal(await look('a'), 'a 3');
    assert.deepEqual(looks, ['a', 'b', 'a']);
  });

  it('is waited for by nobody who asks later, and fails for those alone who asked', async () => {
    let turn = 0;
    const look = sharedLook(async () => {
      turn += 1;
      if (turn === 1) await new Promise(() => undefined);
      if (turn === 2) throw new Error('gone');
      return turn;
    });
    void look('a');
    await nextTurn();
    await assert.rejects(look('a'), { message: 'gone' });
    await nextTurn();
    assert.equal(await look('a'), 3);
  });
});
