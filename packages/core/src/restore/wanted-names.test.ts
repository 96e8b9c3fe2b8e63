import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FilesMetadata } from '../repository/files-metadata.ts';
import { wantedNames } from './wanted-names.ts';

const tar = (name: string) => ({ name, record: undefined });

function records(names: readonly string[], tars: Record<string, readonly string[]>): FilesMetadata {
  const entry = { incremented: false, skipped: false };
  return {
    files: new Map(names.map((name) => [name, entry])),
    tars: new Map(Object.entries(tars)),
  };
}

describe('wantedNames', () => {
  it('gives each tar its own names, and those that are listed for no tar all', () => {
    const wanted = wantedNames(records(['/a', '/b'], { one: ['/a', '/gone'], two: ['/b'] }));
    assert.deepEqual(wanted(tar('one')), new Set(['/a']));
    assert.deepEqual(wanted(tar('two')), new Set(['/b']));
    assert.deepEqual(wanted(tar('pg_control.tar')), new Set(['/a', '/b']));
  });

  it('gives every tar all names if the records do not say of each where it is', () => {
    for (const tars of [{}, { one: ['/a'], two: [] }, { one: ['/a', '/other'] }]) {
      assert.deepEqual(wantedNames(records(['/a', '/b'], tars))(tar('one')), new Set(['/a', '/b']));
    }
  });

  it('wants everything without records, and of a tar that is proven by its hash', () => {
    assert.equal(wantedNames(undefined)(tar('one')), undefined);
    const content = { bytes: 1, sha256: '' };
    const proven = { name: 'one', record: { plain: content, stored: content } };
    assert.equal(wantedNames(records(['/a'], { one: ['/a'] }))(proven), undefined);
  });
});
