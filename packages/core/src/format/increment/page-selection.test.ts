import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toLsn } from '../../kernel/lsn.ts';
import { PAGE_BYTES } from '../page.ts';
import { PageSelection } from './page-selection.ts';

const BASE = 0x2_1000_0100n;

/** A page last changed just before the parent began, with what a test puts into its header. */
function page(put: (header: Buffer) => void = () => undefined): Buffer {
  const bytes = Buffer.alloc(PAGE_BYTES, 0x55);
  bytes.writeUInt32LE(0x2, 0);
  bytes.writeUInt32LE(0x1000_00ff, 4);
  bytes.writeUInt16LE(0x7, 10);
  bytes.writeUInt16LE(24, 12);
  bytes.writeUInt16LE(24, 14);
  bytes.writeUInt16LE(PAGE_BYTES, 16);
  bytes.writeUInt16LE(PAGE_BYTES + 5, 18);
  put(bytes);
  return bytes;
}

function isSelected(bytes: Buffer): boolean {
  let found = false;
  new PageSelection(toLsn(BASE)).each(bytes, () => {
    found = true;
  });
  return found;
}

test('a page changed before the parent began is not selected', () => {
  assert.equal(isSelected(page()), false);
  for (const put of [
    (header: Buffer) => header.writeUInt32LE(0x1, 0) && header.writeUInt32LE(0xffff_ffff, 4),
    (header: Buffer) => header.writeUInt16LE(PAGE_BYTES, 14),
    (header: Buffer) => header.writeUInt16LE(0, 10),
    (header: Buffer) => header.writeUInt16LE(PAGE_BYTES, 18),
  ]) {
    assert.equal(isSelected(page(put)), false);
  }
});

test('a page changed when the parent began or later is selected', () => {
  assert.ok(isSelected(page((header) => header.writeUInt32LE(0x1000_0100, 4))));
  assert.ok(isSelected(page((header) => header.writeUInt32LE(0x3, 0))));
});

test('a page whose header says nothing is selected', () => {
  const puts: readonly ((header: Buffer) => void)[] = [
    (header) => header.fill(0),
    (header) => header.fill(0, 0, 8),
    (header) => header.writeUInt16LE(0x8, 10),
    (header) => header.writeUInt16LE(23, 12),
    (header) => header.writeUInt16LE(25, 12),
    (header) => header.writeUInt16LE(0, 14),
    (header) => header.writeUInt16LE(23, 16),
    (header) => header.writeUInt16LE(PAGE_BYTES + 1, 16),
    (header) => header.writeUInt16LE(PAGE_BYTES + 6, 18),
    (header) => header.writeUInt16LE(PAGE_BYTES / 2 + 4, 18),
  ];
  for (const [index, put] of puts.entries()) assert.ok(isSelected(page(put)), `case ${index}`);
});
