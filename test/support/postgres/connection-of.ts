import { loadConnection } from '@tsbk/core/postgres/load-connection';
import type { ConnectionSettings } from '@tsbk/core/postgres/connection-settings';
import type { Server } from './server.ts';

/**
 * Connection settings for a server: superuser by TCP without TLS, unless `env` says otherwise.
 * Nothing of the developer's own environment or home gets in.
 */
export function connectionOf(
  server: Pick<Server, 'host' | 'port'>,
  env: Readonly<Record<string, string>> = {},
): Promise<ConnectionSettings> {
  return loadConnection({
    PGHOST: server.host,
    PGPORT: String(server.port),
    PGUSER: 'postgres',
    PGSSLMODE: 'disable',
    HOME: '/nonexistent',
    ...env,
  });
}
