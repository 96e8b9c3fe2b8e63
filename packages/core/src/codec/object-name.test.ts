import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { splitObjectName } from './object-name.ts';

describe('splitObjectName', () => {
  it('takes off the extension of every codec', () => {
    for (const extension of ['lz4', 'zst', 'br', 'gz', 'lzma', 'lzo']) {
      assert.deepEqual(splitObjectName(`part_001.tar.${extension}`), {
        base: 'part_001.tar',
        extension,
      });
    }
  });

  it('takes off the dangling dot of WAL-G 3.0.8', () => {
    assert.deepEqual(splitObjectName('part_001.tar.'), { base: 'part_001.tar', extension: '' });
    assert.deepEqual(splitObjectName('wal_005/000000010000000000000001.'), {
      base: 'wal_005/000000010000000000000001',
      extension: '',
    });
  });

  it('leaves the endings that belong to the name', () => {
    for (const name of [
      'part_001.tar',
      '000000010000000000000001',
      '00000002.history',
      '000000010000000000000002.00000028.backup',
      '000000010000000000000003.partial',
      'tar_partitions.lz4/part_001',
      'lz4',
    ]) {
      assert.deepEqual(splitObjectName(name), { base: name, extension: '' });
    }
  });

  it('looks at the last ending only', () => {
    assert.deepEqual(splitObjectName('00000002.history.lz4'), {
      base: '00000002.history',
      extension: 'lz4',
    });
    assert.deepEqual(splitObjectName('a.lz4.br'), { base: 'a.lz4', extension: 'br' });
  });
});
