import assert from 'node:assert/strict';

/** Asserts equality without the difference, which takes minutes to print for a whole segment. */
export function sameBytes(actual: Uint8Array | undefined, expected: Uint8Array): void {
  assert.ok(actual !== undefined, 'there is nothing');
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  assert.equal(at, -1, `byte ${at} differs`);
  assert.equal(actual.length, expected.length);
}
