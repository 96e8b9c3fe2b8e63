import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ErrorCode } from '@tsbk/core/kernel/error-codes';
import { isTsbkError } from '@tsbk/core/kernel/errors';
import { onlyHost } from '@tsbk/core/postgres/connection-settings';
import { identifySystem } from '@tsbk/core/postgres/identify-system';
import { protocolSource } from '@tsbk/core/postgres/protocol-source';
import { openReplicationSession } from '@tsbk/core/postgres/replication-session';
import { readServerFacts } from '@tsbk/core/postgres/server-facts';
import { openSqlSession } from '@tsbk/core/postgres/sql-session';
import { eventually } from './support/eventually.ts';
import { freePort } from './support/postgres/postmaster.ts';
import { makeAuthority, type Authority } from './support/postgres/certificates.ts';
import {
  connectionOf,
  scratchPath,
  startPostgres,
  startStandby,
  type Server,
} from './support/postgres.ts';

type Env = Readonly<Record<string, string>>;

const FOREVER = new AbortController().signal;
const PASSWORD = 'geh:eim\\ß';

/** Opens and closes a replication session. */
async function replicate(server: Server, env: Env): Promise<void> {
  await using session = await openReplicationSession(await connectionOf(server, env), {
    signal: FOREVER,
  });
  await identifySystem(session);
}

async function refused(code: ErrorCode, text: RegExp, open: () => Promise<unknown>): Promise<void> {
  await assert.rejects(open, (error) => {
    assert.ok(isTsbkError(error, code), String(error));
    const shown = `${error.message} ${error.hint}`;
    assert.match(shown, text);
    assert.ok(!shown.includes(PASSWORD));
    return true;
  });
}

describe('logging in', () => {
  let server: Server;
  let passFile: string;
  before(async () => {
    server = await startPostgres({
      version: 17,
      hba: [
        'host all postgres 127.0.0.1/32 trust',
        'host replication scram,plain 127.0.0.1/32 scram-sha-256',
        'host all scram,limited 127.0.0.1/32 scram-sha-256',
        'host replication md5user 127.0.0.1/32 md5',
      ],
    });
    const literal = `'${PASSWORD}'`;
    await server.query(`create role scram login replication password ${literal}`);
    await server.query(`create role plain login password ${literal}`);
    await server.query(`create role limited login connection limit 0 password ${literal}`);
    await server.query(
      `set password_encryption = md5; create role md5user login replication password ${literal}`,
    );
    await server.query('create role stranger login replication');
    const folder = scratchPath('pass');
    mkdirSync(folder);
    passFile = join(folder, 'pgpass');
    const escaped = PASSWORD.replace(/[\\:]/g, '\\$&');
    writeFileSync(passFile, `127.0.0.1:${server.port}:replication:scram:${escaped}\n`, {
      mode: 0o600,
    });
  });
  after(async () => server.close());

  it('takes a SCRAM password from PGPASSWORD', async () => {
    await replicate(server, { PGUSER: 'scram', PGPASSWORD: PASSWORD });
  });

  it('takes a SCRAM password from the password file', async () => {
    await replicate(server, { PGUSER: 'scram', PGPASSFILE: passFile });
  });

  it('takes an MD5 password', async () => {
    await replicate(server, { PGUSER: 'md5user', PGPASSWORD: PASSWORD });
  });

  it('is refused with a wrong password', async () => {
    await refused('server-denied', /28P01.*PGPASSFILE/, async () =>
      replicate(server, { PGUSER: 'scram', PGPASSWORD: 'wrong' }),
    );
  });

  it('is refused without a password, naming the file that has none', async () => {
    await refused(
      'server-denied',
      /asks for the password of role "scram".*\/nonexistent\/\.pgpass/,
      async () => replicate(server, { PGUSER: 'scram' }),
    );
  });

  it('is refused with a password file that others can read', async () => {
    const open = `${passFile}.open`;
    writeFileSync(open, `*:*:*:*:${PASSWORD}\n`);
    chmodSync(open, 0o644);
    await refused('server-denied', /chmod 600/, async () =>
      replicate(server, { PGUSER: 'scram', PGPASSFILE: open }),
    );
  });

  it('is refused without the REPLICATION attribute', async () => {
    await refused('server-denied', /42501.*ALTER ROLE/, async () =>
      replicate(server, { PGUSER: 'plain', PGPASSWORD: PASSWORD }),
    );
  });

  it('is refused without a line in pg_hba.conf', async () => {
    await refused('server-denied', /28000.*Add a line to pg_hba\.conf/, async () =>
      replicate(server, { PGUSER: 'stranger' }),
    );
  });

  it('is refused when all connections of the role are taken', async () => {
    const env = { PGUSER: 'limited', PGPASSWORD: PASSWORD, PGDATABASE: 'postgres' };
    await refused('server-denied', /53300.*max_connections/, async () =>
      openSqlSession(await connectionOf(server, env), { signal: FOREVER }),
    );
  });

  it('is refused for a database that does not exist', async () => {
    await refused('server-denied', /3D000.*PGDATABASE/, async () =>
      openSqlSession(await connectionOf(server, { PGDATABASE: 'absent' }), { signal: FOREVER }),
    );
  });

  it('is refused with a method that PGREQUIREAUTH rules out', async () => {
    await refused('server-denied', /md5.*PGREQUIREAUTH/, async () =>
      replicate(server, {
        PGUSER: 'md5user',
        PGPASSWORD: PASSWORD,
        PGREQUIREAUTH: 'scram-sha-256',
      }),
    );
  });

  it('is refused without TLS where channel binding is required', async () => {
    await refused('server-denied', /PGCHANNELBINDING/, async () =>
      replicate(server, { PGUSER: 'scram', PGPASSWORD: PASSWORD, PGCHANNELBINDING: 'require' }),
    );
  });

  it('fails where nobody listens', async () => {
    const port = String(await freePort());
    await refused('server-unreachable', /ECONNREFUSED.*listen_addresses/, async () =>
      replicate(server, { PGPORT: port }),
    );
    await refused('server-unreachable', /ENOENT.*unix_socket_directories/, async () =>
      replicate(server, { PGHOST: '/nonexistent' }),
    );
    await refused('server-unreachable', /PGHOST/, async () =>
      replicate(server, { PGHOST: 'host.invalid' }),
    );
  });

  it('goes through the socket, and by a service', async () => {
    const services = `${passFile}.service`;
    writeFileSync(
      services,
      `[tsbk]\nhost=${server.socketDir}\nport=${server.port}\nuser=postgres\n`,
    );
    await using sql = await openSqlSession(
      await connectionOf(server, {
        PGSERVICE: 'tsbk',
        PGSERVICEFILE: services,
        PGHOST: 'host.invalid',
      }),
      { signal: FOREVER },
    );
    const rows = await sql.query('select inet_server_addr() as address, $1::int + 1 as sum', ['2']);
    assert.deepEqual(rows, [{ address: null, sum: '3' }]);
  });

  it('shows facts as far as the role may see them', async () => {
    await using sql = await openSqlSession(
      await connectionOf(server, { PGUSER: 'scram', PGPASSWORD: PASSWORD, PGDATABASE: 'postgres' }),
      { signal: FOREVER },
    );
    const facts = await readServerFacts(sql);
    assert.equal(facts.dataDirectory, undefined);
    assert.equal(facts.walSegmentBytes, 16 * 1024 * 1024);
    assert.equal(facts.role.replication, true);
    assert.equal(facts.role.superuser, false);
    assert.equal(facts.role.lowLevelBackup, false);
    await refused('server-denied', /42501/, async () => sql.query('select pg_switch_wal()'));
    assert.deepEqual(await sql.query('select 1 as one'), [{ one: '1' }]);
  });

  it('lifts the time limits that a role has', async () => {
    await server.query("alter role scram set statement_timeout = '1h'");
    await using sql = await openSqlSession(
      await connectionOf(server, { PGUSER: 'scram', PGPASSWORD: PASSWORD, PGDATABASE: 'postgres' }),
      { signal: FOREVER },
    );
    assert.equal(await sql.show('statement_timeout'), '0');
  });

  it('answers queries asked at the same time in their order', async () => {
    await using sql = await openSqlSession(await connectionOf(server), { signal: FOREVER });
    const failing = assert.rejects(async () => sql.query('select nonsense'));
    const rows = await Promise.all(['1', '2'].map((n) => sql.query(`select ${n}::int as n`)));
    assert.deepEqual(rows.flat(), [{ n: '1' }, { n: '2' }]);
    await failing;
  });

  it('ends an SQL session when its signal aborts, throwing the reason', async () => {
    const abort = new AbortController();
    const reason = new Error('enough');
    const sql = await openSqlSession(await connectionOf(server), { signal: abort.signal });
    const sleeping = assert.rejects(
      async () => sql.query('select pg_sleep(600)'),
      (error) => error === reason,
    );
    const running = "select 1 from pg_stat_activity where wait_event = 'PgSleep'";
    await eventually('sleep', async () =>
      (await server.query(running)).length === 1 ? true : undefined,
    );
    abort.abort(reason);
    await sleeping;
    await sql.close();
  });

  it('says that the connection is lost when the server ends an SQL session', async () => {
    await using sql = await openSqlSession(await connectionOf(server), { signal: FOREVER });
    const [row] = await sql.query<{ pid: string }>('select pg_backend_pid() as pid');
    await server.query('select pg_terminate_backend($1::int)', [row?.pid]);
    await refused('connection-lost', /./, async () => sql.query('select 1'));
  });
});

describe('TLS', () => {
  let server: Server;
  let authority: Authority;
  let stranger: Authority;
  before(async () => {
    authority = makeAuthority();
    stranger = makeAuthority();
    const identity = authority.server('db.example.test', '127.0.0.1');
    server = await startPostgres({
      version: 17,
      settings: {
        ssl: 'on',
        ssl_cert_file: identity.cert,
        ssl_key_file: identity.key,
        ssl_ca_file: authority.root,
      },
      hba: [
        'hostssl all,replication postgres 127.0.0.1/32 trust',
        'hostnossl replication clear 127.0.0.1/32 trust',
        'hostssl replication scram 127.0.0.1/32 scram-sha-256',
        'hostssl replication certified 127.0.0.1/32 cert',
      ],
    });
    await server.query(`create role scram login replication password '${PASSWORD}'`);
    await server.query(
      'create role clear login replication; create role certified login replication',
    );
  });
  after(async () => server.close());

  const named = (): Env => ({ PGHOST: 'db.example.test', PGHOSTADDR: '127.0.0.1' });
  const full = (): Env => ({ ...named(), PGSSLMODE: 'verify-full', PGSSLROOTCERT: authority.root });

  it('verifies authority and name', async () => {
    await replicate(server, full());
    await replicate(server, { PGSSLMODE: 'verify-full', PGSSLROOTCERT: authority.root });
  });

  it('binds the password to the channel', async () => {
    const env = { ...full(), PGUSER: 'scram', PGPASSWORD: PASSWORD };
    for (const binding of ['disable', 'prefer', 'require']) {
      await replicate(server, { ...env, PGCHANNELBINDING: binding });
    }
  });

  it('refuses a name that the certificate does not bear, unless only the authority counts', async () => {
    const env = { ...full(), PGHOST: 'other.example.test' };
    await refused('server-tls', /other\.example\.test/, async () => replicate(server, env));
    await replicate(server, { ...env, PGSSLMODE: 'verify-ca' });
  });

  it('refuses a certificate of another authority', async () => {
    for (const mode of ['require', 'verify-ca', 'verify-full']) {
      await refused('server-tls', /PGSSLROOTCERT/, async () =>
        replicate(server, { ...full(), PGSSLMODE: mode, PGSSLROOTCERT: stranger.root }),
      );
    }
  });

  it('verifies nothing with require and no root certificate, and wants one for verify-ca', async () => {
    await replicate(server, { ...named(), PGSSLMODE: 'require' });
    await refused('server-tls', /root\.crt does not exist/, async () =>
      replicate(server, { ...named(), PGSSLMODE: 'verify-ca' }),
    );
  });

  it('does not trust the authority of a test because the system is trusted', async () => {
    await refused('server-tls', /certificate/, async () =>
      replicate(server, { ...named(), PGSSLROOTCERT: 'system', PGSSLMODE: 'verify-full' }),
    );
  });

  it('is left off and on again as sslmode and pg_hba.conf allow', async () => {
    for (const mode of ['allow', 'prefer', 'require']) {
      await replicate(server, { PGSSLMODE: mode });
    }
    for (const mode of ['disable', 'allow', 'prefer']) {
      await replicate(server, { PGUSER: 'clear', PGSSLMODE: mode });
    }
    await refused('server-denied', /28000/, async () =>
      replicate(server, { PGSSLMODE: 'disable' }),
    );
    await refused('server-denied', /28000/, async () =>
      replicate(server, { PGUSER: 'clear', PGSSLMODE: 'require' }),
    );
  });

  it('can begin without asking, from version 17 on', async () => {
    await replicate(server, { ...full(), PGSSLNEGOTIATION: 'direct' });
  });

  it('carries a backup, and holds the server back when nobody reads', async () => {
    const source = protocolSource(await connectionOf(server, full()), () => undefined);
    await using backup = await source.open(
      { label: 'x', checkpoint: 'fast', verifyChecksums: true },
      { signal: FOREVER },
    );
    const items = backup.items()[Symbol.asyncIterator]();
    await items.next();
    const waiting = "select 1 from pg_stat_activity where wait_event = 'ClientWrite'";
    await eventually('the server waiting for the client', async () =>
      (await server.query(waiting)).length === 1 ? true : undefined,
    );
    for (let next = await items.next(); next.done !== true; next = await items.next());
    assert.equal((await backup.end()).timeline, 1);
  });

  it('refuses files that are no certificates', async () => {
    await refused('server-tls', /./, async () =>
      replicate(server, { ...full(), PGSSLCERT: fileOfJunk(), PGSSLKEY: fileOfJunk() }),
    );
  });

  it('logs in by a client certificate, and refuses a key that others can read', async () => {
    const { cert, key } = authority.client('certified');
    const env = { ...full(), PGUSER: 'certified', PGSSLCERT: cert, PGSSLKEY: key };
    await replicate(server, env);
    await refused('server-denied', /28000.*PGSSLCERT/, async () =>
      replicate(server, { ...full(), PGUSER: 'certified' }),
    );
    chmodSync(key, 0o644);
    await refused('server-tls', /chmod 600/, async () => replicate(server, env));
  });
});

function fileOfJunk(): string {
  const path = scratchPath('junk');
  writeFileSync(path, 'junk', { mode: 0o600 });
  return path;
}

describe('several hosts', () => {
  let primary: Server;
  let standby: Server;
  before(async () => {
    primary = await startPostgres({ version: 13 });
    standby = await startStandby(primary);
  });
  after(async () => {
    await standby.close();
    await primary.close();
  });

  for (const [wanted, expected] of [
    ['any', 'standby'],
    ['primary', 'primary'],
    ['read-write', 'primary'],
    ['standby', 'standby'],
    ['prefer-standby', 'standby'],
  ] as const) {
    it(`are searched for one that is ${wanted}, by SQL and by replication`, async () => {
      const dead = await freePort();
      const env = {
        PGHOST: '127.0.0.1,127.0.0.1,127.0.0.1',
        PGPORT: `${dead},${standby.port},${primary.port}`,
        PGTARGETSESSIONATTRS: wanted,
      };
      const directory = (expected === 'primary' ? primary : standby).dataDir;
      const settings = await connectionOf(primary, env);
      await using sql = await openSqlSession(settings, { signal: FOREVER });
      assert.equal(await sql.show('data_directory'), directory);
      await using session = await openReplicationSession(settings, { signal: FOREVER });
      assert.equal(await session.show('data_directory'), directory);
      assert.deepEqual(session.host, sql.host);
      const again = onlyHost({ ...settings, targetSessionAttrs: 'primary' }, session.host);
      await using third = await openSqlSession(again, { signal: FOREVER });
      assert.equal(await third.show('data_directory'), directory);
    });
  }
});
