import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { loadConnection } from './load-connection.ts';

describe('loadConnection', () => {
  let home: string;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'tsbk-home-'));
    await mkdir(join(home, 'etc'));
    await writeFile(join(home, '.pg_service.conf'), '[own]\nhost=own-host\n');
    await writeFile(
      join(home, 'etc/pg_service.conf'),
      '[own]\nhost=late\n[site]\nhost=site-host\n',
    );
  });
  after(async () => rm(home, { recursive: true }));

  async function hostOf(env: Readonly<Record<string, string>>): Promise<string | undefined> {
    const settings = await loadConnection({ HOME: home, PGSYSCONFDIR: join(home, 'etc'), ...env });
    const [host] = settings.hosts;
    return host?.kind === 'tcp' ? host.name : host?.directory;
  }

  it('looks for a service in the home first and then in the system’s file', async () => {
    assert.equal(await hostOf({ PGSERVICE: 'own' }), 'own-host');
    assert.equal(await hostOf({ PGSERVICE: 'site' }), 'site-host');
  });

  it('looks in the file that is named instead of the one in the home', async () => {
    const PGSERVICEFILE = join(home, 'etc/pg_service.conf');
    assert.equal(await hostOf({ PGSERVICE: 'own', PGSERVICEFILE }), 'late');
  });

  it('does without a service when none is asked for', async () => {
    assert.equal(await hostOf({ PGHOST: 'db' }), 'db');
  });

  it('refuses a service that no file has, naming the files', async () => {
    await assert.rejects(
      async () => hostOf({ PGSERVICE: 'absent' }),
      (error) => isTsbkError(error, 'usage') && error.message.includes('.pg_service.conf'),
    );
  });

  it('keeps to the home it is told for the password file', async () => {
    const settings = await loadConnection({ HOME: home, PGHOST: 'db', PGUSER: 'u' });
    assert.equal(settings.passFile, `${home}/.pgpass`);
  });
});
