import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTsbkError } from '../kernel/errors.ts';
import { formatTablespaceMap, parseTablespaceMap } from './tablespace-map.ts';

describe('parseTablespaceMap', () => {
  it('reads locations with spaces, equals signs, newlines and backslashes', () => {
    const text = '16384 /srv/a b=c\n16385 /srv/new\\\nline\\\\x\\\r\n4294967295 /z\r\n';
    assert.deepEqual(parseTablespaceMap(Buffer.from(text), 18), [
      { oid: 16384, location: '/srv/a b=c' },
      { oid: 16385, location: '/srv/new\nline\\x\r' },
      { oid: 4294967295, location: '/z' },
    ]);
  });

  it('takes a backslash of PostgreSQL 13 for itself, but before the end of a line', () => {
    assert.deepEqual(parseTablespaceMap(Buffer.from('16384 /a\\b\\\nc\n'), 13), [
      { oid: 16384, location: '/a\\b\nc' },
    ]);
  });

  it('reads the empty map of a cluster without tablespaces', () => {
    assert.deepEqual(parseTablespaceMap(Buffer.alloc(0), 18), []);
  });

  it('reads any bytes that formatTablespaceMap writes', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 }).filter((b) => !b.includes(0));
    fc.assert(
      fc.property(fc.array(bytes), fc.constantFrom(13, 14, 18), (any, major) => {
        // PostgreSQL 13 cannot say a location that ends in a backslash.
        const locations = any.map((location) => Uint8Array.of(...location, 0x2f));
        const links = locations.map((location, index) => ({
          oid: 16384 + index,
          location: Buffer.from(location).toString(),
          rawLocation: location,
        }));
        const read = parseTablespaceMap(formatTablespaceMap(links, major), major);
        assert.deepEqual(
          read.map((link) =>
            Buffer.from(link.rawLocation ?? Buffer.from(link.location)).toString('hex'),
          ),
          locations.map((location) => Buffer.from(location).toString('hex')),
        );
      }),
    );
  });

  it('refuses lines without an OID or a location, and a line that is cut off', () => {
    const bad = ['x /srv\n', '16384\n', '16384 \n', ' /srv\n', '99999999999 /srv\n', '16384 /srv'];
    bad.push('16384 /srv\\', '16384 /srv\\\n', '5000000000 /srv\n');
    for (const text of bad) {
      assert.throws(
        () => parseTablespaceMap(Buffer.from(text), 18),
        (error) => isTsbkError(error, 'record-invalid'),
        JSON.stringify(text),
      );
    }
  });
});
