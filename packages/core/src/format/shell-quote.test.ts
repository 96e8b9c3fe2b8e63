import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { serverCommand, shellQuote } from './shell-quote.ts';

describe('shellQuote', () => {
  it('leaves words alone that mean nothing to the shell', () => {
    for (const word of ['/usr/bin/tsbk', '--prefix=s3://b/p', 'a_B.c-1,2@x:+']) {
      assert.equal(shellQuote(word), word);
    }
  });

  it('quotes everything else, the empty word too', () => {
    assert.equal(shellQuote(''), "''");
    assert.equal(shellQuote("it's $HOME"), String.raw`'it'\''s $HOME'`);
    for (const word of ['a b', '*', '~x', '$x', '`x`', 'a\nb', 'a\\', '"', 'é', '#', '%f']) {
      assert.equal(shellQuote(word), `'${word}'`);
    }
  });

  it('refuses NUL', () => {
    assert.throws(() => shellQuote('a\0'), RangeError);
  });
});

describe('serverCommand', () => {
  it('doubles the percent signs that are none of PostgreSQL’s', () => {
    assert.equal(
      serverCommand(['/usr/my tools/tsbk', 'archive-get', '--key=50%f'], ['%f', '%p']),
      `'/usr/my tools/tsbk' archive-get '--key=50%%f' "%f" "%p"`,
    );
  });
});
