import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatSize, parseSize } from './size.ts';

test('parseSize reads units of 1024, in any case, and plain bytes', () => {
  assert.equal(parseSize('16MiB'), 16 * 1024 ** 2);
  assert.equal(parseSize('1g'), 1024 ** 3);
  assert.equal(parseSize(' 20971520 '), 20_971_520);
  assert.equal(parseSize('2 TB'), 2 * 1024 ** 4);
});

test('parseSize gives nothing for signs, fractions, unknown units and what no number holds', () => {
  for (const text of ['', '-1', '1.5G', '1Q', 'MiB', '99999999999999T']) {
    assert.equal(parseSize(text), undefined, text);
  }
});

test('formatSize picks the unit a person would', () => {
  assert.equal(formatSize(512), '512 B');
  assert.equal(formatSize(1536), '1.5 KiB');
  assert.equal(formatSize(3 * 1024 ** 3), '3.0 GiB');
});
