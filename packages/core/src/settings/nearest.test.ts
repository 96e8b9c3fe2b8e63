import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { nearest } from './nearest.ts';

const NAMES = ['backup-push', 'backup-fetch', 'backup-list', 'archive-push'];

describe('nearest', () => {
  it('finds the word that was meant', () => {
    assert.equal(nearest('backup-psuh', NAMES), 'backup-push');
    assert.equal(nearest('BACKUP-LIST', NAMES), 'backup-list');
    assert.equal(nearest('achive-push', NAMES), 'archive-push');
  });

  it('finds nothing when nothing is near', () => {
    assert.equal(nearest('restore', NAMES), undefined);
    assert.equal(nearest('', NAMES), undefined);
    assert.equal(nearest('backup-push', []), undefined);
  });

  it('finds a word in which one letter was changed', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...NAMES),
        fc.nat(),
        fc.constantFrom('x', 'q', '9'),
        (name, at, letter) => {
          const index = at % name.length;
          const typed = name.slice(0, index) + letter + name.slice(index + 1);
          assert.equal(nearest(typed, NAMES), name);
        },
      ),
    );
  });
});
