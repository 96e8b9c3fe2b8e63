import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchPath } from './scratch.ts';
import { giveToServerUser } from './server-user.ts';

/** Paths of a certificate and its private key. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

export interface Authority {
  /** The authority's own certificate: what clients trust. */
  readonly root: string;
  /** A server's identity, for these names; its key belongs to the server's user. */
  server(...names: readonly string[]): Identity;
  /** A client's, whose common name is the role. */
  client(role: string): Identity;
}

/** Makes a certificate authority of its own with `openssl`. */
export function makeAuthority(): Authority {
  const folder = scratchPath('ca');
  mkdirSync(folder, { mode: 0o755 });
  const root = join(folder, 'root.crt');
  const rootKey = join(folder, 'root.key');
  openssl([
    'req',
    '-new',
    '-x509',
    '-days',
    '2',
    '-nodes',
    '-subj',
    '/CN=tsbk test authority',
    '-newkey',
    'rsa:2048',
    '-keyout',
    rootKey,
    '-out',
    root,
  ]);
  let issued = 0;
  const issue = (name: string, extensions: string): Identity => {
    issued += 1;
    const base = join(folder, `id${issued}`);
    const identity = { cert: `${base}.crt`, key: `${base}.key` };
    writeFileSync(`${base}.ext`, extensions);
    openssl([
      'req',
      '-new',
      '-nodes',
      '-subj',
      `/CN=${name}`,
      '-newkey',
      'rsa:2048',
      '-keyout',
      identity.key,
      '-out',
      `${base}.csr`,
    ]);
    openssl([
      'x509',
      '-req',
      '-days',
      '2',
      '-in',
      `${base}.csr`,
      '-CA',
      root,
      '-CAkey',
      rootKey,
      '-CAcreateserial',
      '-extfile',
      `${base}.ext`,
      '-out',
      identity.cert,
    ]);
    chmodSync(identity.key, 0o600);
    return identity;
  };
  return {
    root,
    server: (...names) => {
      const list = names.map((name) => (/^[\d.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`));
      const identity = issue(names[0] ?? 'server', `subjectAltName=${list.join(',')}\n`);
      giveToServerUser(identity.key);
      return identity;
    },
    client: (role) => issue(role, 'extendedKeyUsage=clientAuth\n'),
  };
}

function openssl(args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
