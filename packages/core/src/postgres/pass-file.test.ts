import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { HostSettings } from './connection-settings.ts';
import { askPassFile, findPassword } from './pass-file.ts';

const DB: HostSettings = { kind: 'tcp', name: 'db.example', port: 5432 };

describe('findPassword', () => {
  it('takes the first line whose four fields fit', () => {
    const text = '# c\nother:*:*:*:no\n*:5433:*:*:no\ndb.example:5432:app:tsbk:yes\n*:*:*:*:late\n';
    assert.equal(ask(text), 'yes');
  });

  it('goes through the databases in order before lines further down', () => {
    const text = '*:*:app:tsbk:sql\n*:*:replication:tsbk:walsender\n';
    const question = { host: DB, databases: ['replication', 'app'], user: 'tsbk' };
    assert.equal(findPassword(text, question), 'walsender');
  });

  it('finds a host by the name and not by the address it was given', () => {
    const host: HostSettings = { ...DB, address: '10.0.0.1' };
    assert.equal(findPassword('10.0.0.1:*:*:*:address\n*:*:*:*:any', question(host)), 'any');
  });

  it('takes localhost for a socket in a default directory only', () => {
    const text = 'localhost:*:*:*:secret';
    const socket = (directory: string): HostSettings => ({ kind: 'socket', directory, port: 5432 });
    assert.equal(findPassword(text, question(socket('/var/run/postgresql'))), 'secret');
    assert.equal(findPassword(text, question(socket('/srv/sockets'))), undefined);
    assert.equal(findPassword('/srv/sockets:*:*:*:own', question(socket('/srv/sockets'))), 'own');
  });

  it('takes colons and backslashes literally behind a backslash, and keeps a colon in the password', () => {
    const host: HostSettings = { kind: 'tcp', name: '::1', port: 5432 };
    assert.equal(findPassword('\\:\\:1:*:*:*:a\\:b\\\\c:d', question(host)), 'a:b\\c:d');
  });

  it('does not take an escaped star for any', () => {
    assert.equal(ask('\\*:*:*:*:star'), undefined);
  });

  it('finds whatever password was written with its colons and backslashes escaped', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), (password) => {
        fc.pre(!/[\r\n]/.test(password));
        assert.equal(ask(`*:*:*:*:${password.replace(/[\\:]/g, '\\$&')}\n`), password);
      }),
    );
  });

  it('passes over lines that are too short, and empty passwords', () => {
    assert.equal(ask('db.example:5432:app\n::\n*:*:*:*:\n'), undefined);
  });
});

describe('askPassFile', () => {
  it('does not use a file that others may read, and says so', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tsbk-pass-'));
    try {
      const path = join(folder, 'pass');
      await writeFile(path, '*:*:*:*:secret\n');
      await chmod(path, 0o640);
      const open = await askPassFile(path, question(DB));
      assert.equal(open.password, undefined);
      assert.match(open.ignored ?? '', /chmod 600/);
      await chmod(path, 0o600);
      assert.deepEqual(await askPassFile(path, question(DB)), { password: 'secret' });
      assert.match((await askPassFile(folder, question(DB))).ignored ?? '', /not a plain file/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('takes a file that is not there for one without passwords', async () => {
    assert.deepEqual(await askPassFile('/nonexistent/pgpass', question(DB)), {});
  });
});

function question(host: HostSettings) {
  return { host, databases: ['app'], user: 'tsbk' };
}

function ask(text: string): string | undefined {
  return findPassword(text, question(DB));
}
