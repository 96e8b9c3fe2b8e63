import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { parentPath, pathBytes, printable, treePath, TREE_ROOT } from './tree-path.ts';

describe('treePath', () => {
  it('keeps names apart that differ in bytes only', () => {
    const latin = treePath('h\ufffd', Buffer.from('h\xe9', 'latin1'));
    assert.notEqual(latin, treePath('hé'));
    assert.deepEqual(pathBytes('/d', latin), Buffer.from('/d/h\xe9', 'latin1'));
    assert.deepEqual(pathBytes('/d', treePath('/hé')), Buffer.from('/d/hé'));
    assert.equal(printable(treePath('a/hé')), 'a/hé');
  });

  it('strips what leads and trails', () => {
    for (const name of ['/base/1', './base/1', 'base/1', '/base/1/']) {
      assert.equal(treePath(name), 'base/1');
    }
    assert.equal(parentPath(treePath('base/1/2')), 'base/1');
    assert.equal(parentPath(treePath('base')), TREE_ROOT);
  });

  it('refuses what leads elsewhere', () => {
    for (const name of ['..', '../a', 'a/../../b', 'a//b', 'a\0', '', '/', `${'x'.repeat(256)}`]) {
      assert.throws(
        () => treePath(name),
        (error) => isTsbkError(error, 'unsafe-name'),
        JSON.stringify(name),
      );
    }
    assert.throws(() => treePath('?', Buffer.from('\xff/../../x', 'latin1')), /leads upwards/);
  });
});
