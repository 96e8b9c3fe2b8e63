/** What libpq's variables mean; tsbk hands them to its PostgreSQL client as they are. */
export const CONNECTION_VARIABLES: Readonly<Record<string, string>> = {
  PGHOST: 'Host name, or directory of the Unix socket.',
  PGHOSTADDR: 'IP address, to save the look-up.',
  PGPORT: 'Port.',
  PGUSER: 'Role to connect as; it needs LOGIN and REPLICATION.',
  PGPASSWORD: 'Its password. `PGPASSFILE` is better.',
  PGPASSFILE: 'Password file. Unset: `~/.pgpass`.',
  PGDATABASE: 'Database, where one is needed.',
  PGSSLMODE: 'How much TLS is insisted on: `disable` … `verify-full`.',
  PGSSLCERT: 'Client certificate.',
  PGSSLKEY: 'Key of the client certificate.',
  PGSSLROOTCERT: 'Certificate authorities of the server.',
  PGSSLCRL: 'Certificates that are revoked.',
  PGSSLSNI: 'Whether the host name is sent for TLS.',
  PGSSLMINPROTOCOLVERSION: 'Oldest TLS version.',
  PGSSLMAXPROTOCOLVERSION: 'Newest TLS version.',
  PGSSLNEGOTIATION: 'How TLS begins.',
  PGCHANNELBINDING: 'Whether the login must be bound to the TLS connection.',
  PGREQUIREAUTH: 'Login methods that are acceptable.',
  PGGSSENCMODE: 'GSSAPI encryption.',
  PGKRBSRVNAME: 'Kerberos service name.',
  PGSERVICE: 'Name of a service in the service file.',
  PGSERVICEFILE: 'Service file.',
  PGSYSCONFDIR: 'Directory of the system-wide service file.',
  PGAPPNAME: 'Name shown in pg_stat_activity. Unset: `tsbk`.',
  PGCONNECT_TIMEOUT: 'Seconds to wait for a connection.',
  PGOPTIONS: 'Server settings for the session.',
  PGTARGETSESSIONATTRS: 'Which of several hosts will do.',
  PGLOADBALANCEHOSTS: 'Order in which several hosts are tried.',
  PGCLIENTENCODING: 'Encoding of the session.',
  PGDATA: 'Data directory of the cluster on this machine.',
};

const SECRET_VARIABLES = /^(?:PGPASSWORD|AWS_.*(?:SECRET|TOKEN|PASSWORD).*)$/;

const OTHERS =
  /^(?:AWS_[A-Z0-9_]+|HTTPS?_PROXY|ALL_PROXY|NO_PROXY|SSL_CERT_FILE|SSL_CERT_DIR|KRB5CCNAME|TZ)$/;

/**
 * Whether a variable is meant for the PostgreSQL client, the AWS SDK or the network layer. In a
 * settings file it counts as if it stood in the environment, as WAL-G has it.
 */
export function isPassedOn(name: string): boolean {
  return Object.hasOwn(CONNECTION_VARIABLES, name) || OTHERS.test(name);
}

/** Whether the value of a variable that is passed on must not be shown. */
export function isSecretVariable(name: string): boolean {
  // A token *file* is a path, and a proxy's URL may hold a password.
  return (SECRET_VARIABLES.test(name) && !name.endsWith('_FILE')) || name.endsWith('_PROXY');
}
