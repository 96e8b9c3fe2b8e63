import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import type { ErrorCode } from '../kernel/error-codes.ts';
import { parseConnection, type Environment, type LocalDefaults } from './parse-connection.ts';

const LOCAL: LocalDefaults = { user: 'me', home: '/home/me' };

describe('parseConnection', () => {
  it('has libpq’s defaults where the environment is silent', () => {
    const settings = parse({});
    assert.deepEqual(settings.hosts, [{ kind: 'tcp', name: 'localhost', port: 5432 }]);
    assert.equal(settings.user, 'me');
    assert.equal(settings.database, 'me');
    assert.equal(settings.passFile, '/home/me/.pgpass');
    assert.equal(settings.applicationName, 'tsbk');
    assert.equal(settings.targetSessionAttrs, 'any');
    assert.equal(settings.channelBinding, 'prefer');
    assert.equal(settings.password, undefined);
    assert.deepEqual(settings.tls, {
      mode: 'prefer',
      negotiation: 'postgres',
      rootCert: '/home/me/.postgresql/root.crt',
      cert: { path: '/home/me/.postgresql/postgresql.crt', given: false },
      key: { path: '/home/me/.postgresql/postgresql.key', given: false },
      crl: { path: '/home/me/.postgresql/root.crl', given: false },
      keyPassword: undefined,
      minVersion: 'TLSv1.2',
      maxVersion: undefined,
    });
  });

  it('takes empty variables for unset ones', () => {
    const settings = parse({ PGHOST: '', PGPORT: '', PGUSER: '', PGPASSWORD: '', PGSSLMODE: '' });
    assert.deepEqual(settings, parse({}));
  });

  it('goes to the local socket when no host is named and there is one', () => {
    const local = { ...LOCAL, socketDirectory: '/run/postgresql' };
    assert.deepEqual(parse({ PGPORT: '5433' }, local).hosts, [
      { kind: 'socket', directory: '/run/postgresql', port: 5433 },
    ]);
    assert.equal(parse({ PGHOST: 'db' }, local).hosts[0]?.kind, 'tcp');
  });

  it('pairs several hosts with their ports', () => {
    assert.deepEqual(parse({ PGHOST: 'a, /sock,b', PGPORT: '1,2,3' }).hosts, [
      { kind: 'tcp', name: 'a', port: 1 },
      { kind: 'socket', directory: '/sock', port: 2 },
      { kind: 'tcp', name: 'b', port: 3 },
    ]);
  });

  it('uses one port for all hosts', () => {
    assert.deepEqual(
      parse({ PGHOST: 'a,b', PGPORT: '7' }).hosts.map(({ port }) => port),
      [7, 7],
    );
  });

  it('keeps the name beside the address, and an address without a name is its own', () => {
    assert.deepEqual(parse({ PGHOST: 'db', PGHOSTADDR: '10.0.0.1' }).hosts, [
      { kind: 'tcp', name: 'db', address: '10.0.0.1', port: 5432 },
    ]);
    assert.deepEqual(parse({ PGHOSTADDR: '::1' }).hosts, [
      { kind: 'tcp', name: '::1', address: '::1', port: 5432 },
    ]);
  });

  it('lets a service win over the environment', () => {
    const service = { host: 'service-host', dbname: 'x', sslmode: 'require' };
    const settings = parse(
      { PGHOST: 'env-host', PGUSER: 'u', PGSSLMODE: 'disable' },
      { ...LOCAL, service },
    );
    assert.equal(settings.hosts[0]?.kind === 'tcp' && settings.hosts[0].name, 'service-host');
    assert.equal(settings.database, 'x');
    assert.equal(settings.user, 'u');
    assert.equal(settings.tls.mode, 'require');
  });

  it('asks for the name to be verified when the system’s roots are trusted', () => {
    assert.equal(parse({ PGSSLROOTCERT: 'system' }).tls.mode, 'verify-full');
    refuses({ PGSSLROOTCERT: 'system', PGSSLMODE: 'require' }, 'usage');
  });

  it('counts the connect timeout in seconds, none for zero or less', () => {
    assert.equal(parse({}).connectTimeoutMs, 30_000);
    assert.equal(parse({ PGCONNECT_TIMEOUT: '5' }).connectTimeoutMs, 5000);
    assert.equal(parse({ PGCONNECT_TIMEOUT: '0' }).connectTimeoutMs, 0);
    assert.equal(parse({ PGCONNECT_TIMEOUT: '-1' }).connectTimeoutMs, 0);
  });

  for (const mode of ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']) {
    it(`knows sslmode ${mode}`, () => assert.equal(parse({ PGSSLMODE: mode }).tls.mode, mode));
  }

  const refusals: readonly [ErrorCode, Environment][] = [
    ['usage', { PGSSLMODE: 'verify' }],
    ['usage', { PGPORT: 'x' }],
    ['usage', { PGPORT: '0' }],
    ['usage', { PGPORT: '65536' }],
    ['usage', { PGHOST: 'a,b', PGPORT: '1,2,3' }],
    ['usage', { PGHOST: 'a,b', PGHOSTADDR: '10.0.0.1' }],
    ['usage', { PGTARGETSESSIONATTRS: 'master' }],
    ['usage', { PGCHANNELBINDING: 'yes' }],
    ['usage', { PGCONNECT_TIMEOUT: '5s' }],
    ['usage', { PGSSLMINPROTOCOLVERSION: 'SSLv3' }],
    ['usage', { PGSSLNEGOTIATION: 'direct' }],
    ['usage', { PGSSLNEGOTIATION: 'direct', PGSSLMODE: 'prefer' }],
    ['unsupported-setting', { PGREQUIREPEER: 'postgres' }],
    ['unsupported-setting', { PGGSSENCMODE: 'require' }],
    ['unsupported-setting', { PGSSLCRLDIR: '/x' }],
    ['unsupported-setting', { PGSSLCERTMODE: 'require' }],
  ];
  for (const [code, env] of refusals) {
    it(`refuses ${JSON.stringify(env)} as ${code}`, () => refuses(env, code));
  }

  it('refuses to guess a user where the system has none', () => {
    refuses({}, 'setting-missing', { home: '/' });
  });
});

function parse(env: Environment, local: LocalDefaults = LOCAL) {
  return parseConnection(env, local);
}

function refuses(env: Environment, code: ErrorCode, local: LocalDefaults = LOCAL): void {
  assert.throws(
    () => parseConnection(env, local),
    (error) => isTsbkError(error, code),
  );
}
