import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isTsbkError } from '../../kernel/errors.ts';
import { isRootName, safeLinkTarget, safeMemberPath, safeRawMemberPath } from './safe-path.ts';

function isUnsafe(error: unknown): boolean {
  return isTsbkError(error, 'unsafe-name');
}

describe('safeMemberPath', () => {
  it('strips what WAL-G, PostgreSQL and GNU tar put around a path', () => {
    assert.equal(safeMemberPath('/base/5/1259'), 'base/5/1259');
    assert.equal(safeMemberPath('./pg_wal/archive_status/'), 'pg_wal/archive_status');
    assert.equal(safeMemberPath('backup_label'), 'backup_label');
    assert.equal(safeMemberPath('//./x'), 'x');
  });

  it('keeps names that only look dangerous', () => {
    for (const name of [
      '..a',
      'a..',
      '...',
      '.hidden',
      'C:\\x',
      'a\\..\\b',
      '-rf',
      'a\nb',
      '[x]',
    ]) {
      assert.equal(safeMemberPath(name), name);
    }
  });

  it('refuses names that lead upwards, are empty or cannot be files', () => {
    const bad = ['../x', '/../x', './../x', 'a/../b', 'a/..', '..', 'a/./b', 'a/.', 'a//b', 'a//'];
    bad.push('', '.', '/', './', '//', 'a\0b', '\0', '/./..', '.././a', `a/${'x'.repeat(256)}`);
    bad.push('ä'.repeat(128));
    for (const name of bad)
      assert.throws(() => safeMemberPath(name), isUnsafe, JSON.stringify(name));
  });

  it('gives nothing that path resolution leads outside', () => {
    const piece = fc.constantFrom('..', '.', '/', 'a', '\\', '\0', '', 'b/');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        let path: string;
        try {
          path = safeMemberPath(pieces.join(''));
        } catch (error) {
          assert.ok(isUnsafe(error));
          return;
        }
        assert.equal(posix.resolve('/root', path), `/root/${path}`);
      }),
    );
  });

  it('answers at once for long names of slashes', () => {
    assert.throws(() => safeMemberPath(`${'/'.repeat(1_000_000)}a//`), isUnsafe);
  });
});

describe('safeRawMemberPath', () => {
  it('keeps bytes that are not UTF-8', () => {
    const raw = Buffer.from('./base/\xff\xe4\\x', 'latin1');
    assert.deepEqual(safeRawMemberPath(raw), Buffer.from('base/\xff\xe4\\x', 'latin1'));
  });

  it('measures a part in bytes', () => {
    assert.equal(safeRawMemberPath(Buffer.alloc(255, 0xff)).length, 255);
    assert.throws(() => safeRawMemberPath(Buffer.alloc(256, 0xff)), isUnsafe);
  });

  it('refuses names that lead upwards', () => {
    assert.throws(() => safeRawMemberPath(Buffer.from('\xff/../x', 'latin1')), isUnsafe);
  });
});

describe('isRootName', () => {
  it('knows how WAL-G and GNU tar name the directory itself', () => {
    assert.deepEqual(['/', './', '/./'].map(isRootName), [true, true, true]);
    assert.deepEqual(['', '.', '..', 'a', '/a', '../'].map(isRootName), Array(6).fill(false));
  });
});

describe('safeLinkTarget', () => {
  it('keeps relative targets below the directory', () => {
    assert.equal(safeLinkTarget('a/b/l', '../../c'), '../../c');
    assert.equal(safeLinkTarget('l', 'a/b'), 'a/b');
    assert.equal(safeLinkTarget('a/l', '..'), '..');
  });

  it('refuses targets that lead outside', () => {
    for (const target of ['/etc', '../x', '..', '', 'a\0', '//', '../']) {
      assert.throws(() => safeLinkTarget('l', target), isUnsafe, target);
    }
    assert.throws(() => safeLinkTarget('a/b/l', '../../../x'), isUnsafe);
  });

  it('refuses to go up from where another link may lead', () => {
    // With a/b/c -> ../.. in place, a/b/c/.. is the parent of the directory itself.
    assert.throws(() => safeLinkTarget('q', 'a/b/c/..'), isUnsafe);
  });
});
