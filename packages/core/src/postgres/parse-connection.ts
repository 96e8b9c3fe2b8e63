import { TsbkError } from '../kernel/errors.ts';
import {
  CHANNEL_BINDINGS,
  SSL_MODES,
  TARGET_SESSION_ATTRS,
  TLS_VERSIONS,
  type ConnectionSettings,
  type FileSetting,
  type TlsSettings,
} from './connection-settings.ts';
import { parseHosts } from './parse-hosts.ts';
import type { ServiceParameters } from './service-file.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What the machine says where the environment is silent. */
export interface LocalDefaults {
  /** Name of the operating-system user, if it has one. */
  readonly user?: string;
  readonly home: string;
  /** Directory whose socket is tried first when no host is named; else `localhost`. */
  readonly socketDirectory?: string;
  /** The section that `PGSERVICE` names. What it sets wins over the environment, as with libpq. */
  readonly service?: ServiceParameters;
}

/** `connect_timeout` if nobody sets it. libpq waits for ever; a backup job must not. */
const CONNECT_TIMEOUT_S_DEFAULT = 30;

/**
 * Reads libpq's environment variables (PostgreSQL docs, "Environment Variables"). Touches nothing
 * but its arguments. Throws `usage` for values libpq would refuse and `unsupported-setting` for
 * demands on security that could not be kept.
 */
export function parseConnection(env: Environment, local: LocalDefaults): ConnectionSettings {
  const parameters = new Parameters(env, local.service ?? {});
  refuseUnsupported(parameters);
  const user = parameters.get('user') ?? local.user;
  if (user === undefined) {
    throw new TsbkError('setting-missing', 'PGUSER is not set and the system has no user name', {
      hint: 'Set PGUSER to a role with the REPLICATION attribute.',
    });
  }
  return {
    hosts: parseHosts({
      hosts: parameters.get('host'),
      addresses: parameters.get('hostaddr'),
      ports: parameters.get('port'),
      socketDirectory: local.socketDirectory,
    }),
    user,
    database: parameters.get('dbname') ?? user,
    password: parameters.get('password'),
    passFile: parameters.get('passfile') ?? `${local.home}/.pgpass`,
    applicationName: parameters.get('application_name') ?? 'tsbk',
    connectTimeoutMs: parseTimeout(parameters),
    targetSessionAttrs: parameters.oneOf('target_session_attrs', TARGET_SESSION_ATTRS) ?? 'any',
    options: parameters.get('options'),
    tls: parseTls(parameters, local.home),
    channelBinding: parameters.oneOf('channel_binding', CHANNEL_BINDINGS) ?? 'prefer',
    requireAuth: parameters.get('require_auth'),
  };
}

/** Names of the variables whose name is not `PG` and the parameter in capitals. */
const VARIABLES: Readonly<Record<string, string>> = {
  dbname: 'PGDATABASE',
  application_name: 'PGAPPNAME',
  connect_timeout: 'PGCONNECT_TIMEOUT',
  target_session_attrs: 'PGTARGETSESSIONATTRS',
  ssl_min_protocol_version: 'PGSSLMINPROTOCOLVERSION',
  ssl_max_protocol_version: 'PGSSLMAXPROTOCOLVERSION',
  channel_binding: 'PGCHANNELBINDING',
  require_auth: 'PGREQUIREAUTH',
};

/** libpq's parameters, from the service file or the environment. Empty ones are not set. */
class Parameters {
  readonly #env: Environment;
  readonly #service: ServiceParameters;

  constructor(env: Environment, service: ServiceParameters) {
    this.#env = env;
    this.#service = service;
  }

  get(name: string): string | undefined {
    const value = this.#service[name] ?? this.#env[variableOf(name)];
    return value === '' ? undefined : value;
  }

  oneOf<T extends string>(name: string, allowed: readonly T[]): T | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    const found = allowed.find((word) => word === value);
    if (found !== undefined) return found;
    throw usage(name, value, `Give one of ${allowed.join(', ')}.`);
  }
}

function variableOf(name: string): string {
  return VARIABLES[name] ?? `PG${name.toUpperCase()}`;
}

function usage(name: string, value: string, hint: string): TsbkError {
  return new TsbkError('usage', `${variableOf(name)} is ${JSON.stringify(value)}`, { hint });
}

function parseTimeout(parameters: Parameters): number {
  const text = parameters.get('connect_timeout');
  if (text === undefined) return CONNECT_TIMEOUT_S_DEFAULT * 1000;
  const seconds = Number(text);
  if (!Number.isInteger(seconds)) {
    throw usage('connect_timeout', text, 'Give whole seconds; 0 waits without a limit.');
  }
  return Math.max(seconds, 0) * 1000;
}

function parseTls(parameters: Parameters, home: string): TlsSettings {
  const file = (name: string, base: string): FileSetting => {
    const path = parameters.get(name);
    return { path: path ?? `${home}/.postgresql/${base}`, given: path !== undefined };
  };
  const rootCert = file('sslrootcert', 'root.crt').path;
  // System roots prove nothing without the name: anybody can have a certificate from them.
  const modeDefault = rootCert === 'system' ? 'verify-full' : 'prefer';
  const mode = parameters.oneOf('sslmode', SSL_MODES) ?? modeDefault;
  if (rootCert === 'system' && mode !== 'verify-full') {
    throw usage('sslmode', mode, 'With PGSSLROOTCERT=system it must be verify-full.');
  }
  const negotiation = parameters.oneOf('sslnegotiation', ['postgres', 'direct']) ?? 'postgres';
  if (negotiation === 'direct' && ['disable', 'allow', 'prefer'].includes(mode)) {
    throw usage('sslmode', mode, 'With PGSSLNEGOTIATION=direct it must be require or stronger.');
  }
  return {
    mode,
    negotiation,
    rootCert,
    cert: file('sslcert', 'postgresql.crt'),
    key: file('sslkey', 'postgresql.key'),
    crl: file('sslcrl', 'root.crl'),
    keyPassword: parameters.get('sslpassword'),
    minVersion: parameters.oneOf('ssl_min_protocol_version', TLS_VERSIONS) ?? 'TLSv1.2',
    maxVersion: parameters.oneOf('ssl_max_protocol_version', TLS_VERSIONS),
  };
}

/** Demands that would go unmet in silence. Whoever made them must hear of it. */
function refuseUnsupported(parameters: Parameters): void {
  const met: Readonly<Record<string, readonly string[]>> = {
    requirepeer: [],
    sslcrldir: [],
    gssencmode: ['disable', 'prefer'],
    sslcertmode: ['allow'],
  };
  for (const [name, values] of Object.entries(met)) {
    const value = parameters.get(name);
    if (value === undefined || values.includes(value)) continue;
    throw new TsbkError(
      'unsupported-setting',
      `${variableOf(name)} is ${JSON.stringify(value)}, which tsbk cannot do`,
      { hint: 'Unset it, or secure the connection by PGSSLMODE=verify-full.' },
    );
  }
}
