import { isTsbkError } from '../kernel/errors.ts';
import type { Report } from '../ports/report.ts';
import { onlyHost, type ConnectionSettings } from '../postgres/connection-settings.ts';
import { describeArchiver } from '../postgres/describe-archiver.ts';
import { identifySystem } from '../postgres/identify-system.ts';
import { loadConnection } from '../postgres/load-connection.ts';
import { openReplicationSession } from '../postgres/replication-session.ts';
import { readServerFacts, type ServerFacts } from '../postgres/server-facts.ts';
import { openSqlSession, type SqlSession } from '../postgres/sql-session.ts';
import { readIdentity } from '../repository/identity.ts';
import type { Repository } from '../repository/repository.ts';
import type { LoadedSettings } from '../settings/load.ts';
import { probeConditionalWrites } from '../storage/probe-conditional-writes.ts';
import { checkArchivedSegment } from '../check/check-archiving.ts';
import { checkDeltas } from '../check/check-deltas.ts';
import { checkRepository } from '../check/check-repository.ts';
import { checkServer } from '../check/check-server.ts';
import { failed, ok, type Finding } from '../check/finding.ts';
import { checkGaps } from './check-gaps.ts';
import { checkSecretFiles } from './check-files.ts';

interface CheckRequest {
  readonly settings: LoadedSettings;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly repository: Repository;
  readonly signal: AbortSignal;
  readonly report: Report;
}

/** Everything that `tsbk check` looks at, in the order in which a person would. */
export async function runCheck(request: CheckRequest): Promise<Finding[]> {
  const { repository, signal, report, settings } = request;
  report({ kind: 'phase', phase: 'repository', text: `trying ${repository.store.url}` });
  const conditionalWrites = (): ReturnType<typeof probeConditionalWrites> =>
    probeConditionalWrites(repository.store, { signal });
  const findings = await checkRepository(repository, { conditionalWrites }, { signal });
  const storeWorks = !findings.some(({ status }) => status === 'failed');

  report({ kind: 'phase', phase: 'server', text: 'asking PostgreSQL' });
  const connection = await loadConnection(request.environment);
  await using session = await trySession(connection, findings, signal);
  const facts = session === undefined ? undefined : await readServerFacts(session);
  if (facts !== undefined) {
    findings.push(...checkServer(facts), ...checkDeltas(facts, settings.config));
  }
  const same = session === undefined ? connection : onlyHost(connection, session.host);
  findings.push(...(await checkReplication(same, repository, { signal, storeWorks })));
  if (session !== undefined && facts !== undefined && storeWorks && archives(facts)) {
    report({ kind: 'phase', phase: 'archive', text: 'waiting for a segment to be archived' });
    const server = archivingServer(session, facts);
    const options = { signal, timeoutMs: settings.config.checkTimeoutMs };
    findings.push(...(await checkArchivedSegment(repository, server, options)));
  }
  if (facts !== undefined && storeWorks) {
    const { config } = settings;
    findings.push(...(await checkGaps({ repository, facts, config, signal })));
  }
  findings.push(...(await checkSecretFiles(secretFiles(settings, connection))));
  return findings;
}

function archives({ archiveMode }: ServerFacts): boolean {
  return archiveMode !== 'off';
}

async function trySession(
  connection: ConnectionSettings,
  findings: Finding[],
  signal: AbortSignal,
): Promise<SqlSession | undefined> {
  try {
    return await openSqlSession(connection, { signal });
  } catch (error) {
    if (!isTsbkError(error)) throw error;
    findings.push(failed('server', error.message, error.hint ?? `See ${error.code}.`));
    return undefined;
  }
}

/** A base backup needs a replication connection, for which pg_hba.conf has lines of its own. */
async function checkReplication(
  connection: ConnectionSettings,
  repository: Repository,
  { signal, storeWorks }: { readonly signal: AbortSignal; readonly storeWorks: boolean },
): Promise<Finding[]> {
  try {
    await using session = await openReplicationSession(connection, { signal });
    const { systemId } = await identifySystem(session);
    const findings = [ok('server', `replication connections work, system identifier ${systemId}`)];
    const known = storeWorks ? await readIdentity(repository, { signal }) : undefined;
    if (known !== undefined && known !== systemId) {
      findings.push(
        failed(
          'repository',
          `the repository belongs to the cluster with system identifier ${known}`,
          'Give each cluster a prefix of its own.',
        ),
      );
    }
    return findings;
  } catch (error) {
    if (!isTsbkError(error)) throw error;
    const fix = error.hint ?? `See ${error.code}.`;
    return [failed('server', `no replication connection: ${error.message}`, fix)];
  }
}

function archivingServer(session: SqlSession, facts: ServerFacts) {
  const one = async (sql: string): Promise<string | undefined> => {
    const [row] = await session.query(sql);
    return row?.['value'] ?? undefined;
  };
  return {
    systemId: facts.systemId,
    switchSegment: async () => {
      if (!facts.role.switchWal || facts.inRecovery) return undefined;
      // A record of our own first: a segment that holds none is not ended by the switch.
      const name = await one(
        "select pg_catalog.pg_walfile_name(pg_catalog.pg_logical_emit_message(false, 'tsbk', 'check')) as value",
      );
      await session.query('select pg_catalog.pg_switch_wal()');
      return name;
    },
    lastArchived: () => one('select last_archived_wal as value from pg_catalog.pg_stat_archiver'),
    archiverState: () => describeArchiver(session),
  };
}

function secretFiles({ config }: LoadedSettings, connection: ConnectionSettings) {
  const files = [{ path: connection.passFile, what: 'the password file', refused: true }];
  if (config.configFile !== undefined) {
    files.push({ path: config.configFile, what: 'the settings file', refused: false });
  }
  return files;
}
