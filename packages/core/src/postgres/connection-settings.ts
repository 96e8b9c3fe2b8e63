export const SSL_MODES = [
  'disable',
  'allow',
  'prefer',
  'require',
  'verify-ca',
  'verify-full',
] as const;
export type SslMode = (typeof SSL_MODES)[number];

export const TARGET_SESSION_ATTRS = [
  'any',
  'read-write',
  'read-only',
  'primary',
  'standby',
  'prefer-standby',
] as const;
export type TargetSessionAttrs = (typeof TARGET_SESSION_ATTRS)[number];

export const CHANNEL_BINDINGS = ['disable', 'prefer', 'require'] as const;
export type ChannelBinding = (typeof CHANNEL_BINDINGS)[number];

/** One place a server may be at. They are tried in the order given. */
export type HostSettings =
  | {
      readonly kind: 'socket';
      /** Directory of the socket; the port is part of the socket's name. */
      readonly directory: string;
      readonly port: number;
    }
  | {
      readonly kind: 'tcp';
      /** The name asked for: certificates and the password file go by it. */
      readonly name: string;
      /** Address to connect to, when `PGHOSTADDR` saves the look-up of the name. */
      readonly address?: string;
      readonly port: number;
    };

/** Everything a connection to PostgreSQL needs, with libpq's meanings and defaults. */
export interface ConnectionSettings {
  readonly hosts: readonly HostSettings[];
  readonly user: string;
  readonly database: string;
  /** Never part of a message. Without it the password file is asked. */
  readonly password: string | undefined;
  readonly passFile: string;
  readonly applicationName: string;
  /** Time for one host, from the first packet to the end of authentication; 0 is no limit. */
  readonly connectTimeoutMs: number;
  readonly targetSessionAttrs: TargetSessionAttrs;
  /** Command-line options for the server process (`-c geqo=off`). */
  readonly options: string | undefined;
  readonly tls: TlsSettings;
  readonly channelBinding: ChannelBinding;
  /** Authentication methods the server may use, as in libpq's `require_auth`. */
  readonly requireAuth: string | undefined;
}

export interface TlsSettings {
  readonly mode: SslMode;
  readonly negotiation: 'postgres' | 'direct';
  /** A file, or `system` for the roots that the system trusts. */
  readonly rootCert: string;
  readonly cert: FileSetting;
  readonly key: FileSetting;
  readonly crl: FileSetting;
  readonly keyPassword: string | undefined;
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion | undefined;
}

/** A path that was given, or one that is looked at by default and may not exist. */
export interface FileSetting {
  readonly path: string;
  readonly given: boolean;
}

export const TLS_VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;
export type TlsVersion = (typeof TLS_VERSIONS)[number];

/** For messages: `db.example:5432`, `/run/postgresql port 5432`. Holds no secret. */
export function describeHost(host: HostSettings): string {
  if (host.kind === 'socket') return `${host.directory} port ${host.port}`;
  const via = host.address === undefined || host.address === host.name ? '' : ` (${host.address})`;
  return `${host.name}:${host.port}${via}`;
}

/**
 * The same settings, for further sessions with the host that one has reached: with several hosts
 * each session would make its own search, and might end at another server.
 */
export function onlyHost(settings: ConnectionSettings, host: HostSettings): ConnectionSettings {
  return { ...settings, hosts: [host], targetSessionAttrs: 'any' };
}
