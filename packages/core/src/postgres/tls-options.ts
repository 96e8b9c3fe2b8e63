import { readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import * as tls from 'node:tls';
import { TsbkError, messageOf, systemErrorCode } from '../kernel/errors.ts';
import type { FileSetting, HostSettings, TlsSettings } from './connection-settings.ts';

/**
 * What TLS to one host is made with, by libpq's rules (PostgreSQL docs, "SSL Support"): a root
 * certificate that is there is always verified against; only `verify-full` compares the host's
 * name; a client certificate that is there is offered. Throws `server-tls` for files that are
 * missing where they must not be, unreadable, or private keys that others can read.
 */
export async function tlsOptions(
  settings: TlsSettings,
  host: HostSettings & { readonly kind: 'tcp' },
): Promise<tls.ConnectionOptions> {
  const ca = await rootCertificates(settings);
  const crl = await readSetting(settings.crl, 'certificate revocation list (PGSSLCRL)');
  const client = await clientCertificate(settings);
  const checksName = settings.mode === 'verify-full';
  return {
    ...ca,
    ...client,
    ...(crl === undefined ? {} : { crl }),
    ...(isIP(host.name) === 0 ? { servername: host.name } : {}),
    ...(settings.negotiation === 'direct' ? { ALPNProtocols: ['postgresql'] } : {}),
    ...(settings.maxVersion === undefined ? {} : { maxVersion: settings.maxVersion }),
    minVersion: settings.minVersion,
    // The connection may go to PGHOSTADDR; the certificate must bear the name of PGHOST.
    checkServerIdentity: (_, certificate) =>
      checksName ? tls.checkServerIdentity(host.name, certificate) : undefined,
  };
}

async function rootCertificates(settings: TlsSettings): Promise<tls.ConnectionOptions> {
  if (settings.rootCert === 'system') return systemRoots();
  const file = { path: settings.rootCert, given: false };
  const ca = await readSetting(file, 'root certificate (PGSSLROOTCERT)');
  if (ca !== undefined) return { ca, rejectUnauthorized: true };
  if (settings.mode !== 'verify-ca' && settings.mode !== 'verify-full') {
    return { rejectUnauthorized: false };
  }
  throw new TsbkError('server-tls', `root certificate file ${settings.rootCert} does not exist`, {
    hint: `PGSSLMODE=${settings.mode} needs the certificate of the authority that signed the server's: name its file by PGSSLROOTCERT, or set that to system.`,
  });
}

/** Node.js has roots of its own; newer versions can also ask the system for its. */
function systemRoots(): tls.ConnectionOptions {
  const ask: unknown = Reflect.get(tls, 'getCACertificates');
  if (typeof ask !== 'function') return { rejectUnauthorized: true };
  const certificates: unknown = Reflect.apply(ask, tls, ['system']);
  if (!Array.isArray(certificates) || certificates.length === 0) {
    return { rejectUnauthorized: true };
  }
  return { ca: certificates.map(String), rejectUnauthorized: true };
}

async function clientCertificate(settings: TlsSettings): Promise<tls.ConnectionOptions> {
  const cert = await readSetting(settings.cert, 'client certificate (PGSSLCERT)');
  if (cert === undefined) return {};
  const { path } = settings.key;
  const key = await readSetting({ path, given: true }, 'private key of the certificate (PGSSLKEY)');
  await refuseOpenKey(path);
  if (key === undefined) return { cert };
  const { keyPassword } = settings;
  return keyPassword === undefined ? { cert, key } : { cert, key, passphrase: keyPassword };
}

/** A key of root's may be readable by its group, as packages install it. */
async function refuseOpenKey(path: string): Promise<void> {
  const { mode, uid } = await stat(path);
  const forbidden = uid === 0 ? 0o037 : 0o077;
  if ((mode & forbidden) === 0) return;
  throw new TsbkError('server-tls', `private key ${path} is open to others`, {
    hint: `chmod 600 ${path}`,
  });
}

/** The file's content; `undefined` if it is not there and nobody asked for it by name. */
async function readSetting(file: FileSetting, what: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file.path);
  } catch (error) {
    const code = systemErrorCode(error);
    if (!file.given && (code === 'ENOENT' || code === 'ENOTDIR')) return undefined;
    throw new TsbkError('server-tls', `${what}: ${messageOf(error)}`, {
      cause: error,
      hint: 'Correct the path, or make the file readable.',
    });
  }
}
