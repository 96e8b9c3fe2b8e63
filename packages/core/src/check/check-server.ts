import type { ServerFacts } from '../postgres/server-facts.ts';
import { failed, ok, warning, type Finding } from './finding.ts';

/** What a server says of itself, judged. Pure: the exact statement to run stands in each finding. */
export function checkServer(facts: ServerFacts): Finding[] {
  const where = facts.inRecovery ? 'standby' : 'primary';
  return [
    ok('server', `PostgreSQL ${facts.version.text}, a ${where}`),
    ...checkRole(facts),
    ...checkWalLevel(facts),
    ...checkArchiving(facts),
    ...(facts.dataChecksums === false ? [NO_CHECKSUMS] : []),
  ];
}

const NO_CHECKSUMS = warning(
  'server',
  'data checksums are off: damage on disk is backed up unnoticed',
  'Stop the server and run pg_checksums --enable.',
);

function checkRole({ role, inRecovery }: ServerFacts): Finding[] {
  const findings: Finding[] = [];
  const name = quoteIdentifier(role.name);
  if (role.replication || role.superuser) {
    findings.push(ok('server', `role ${role.name} may take base backups`));
  } else {
    findings.push(
      failed(
        'server',
        `role ${role.name} may not take base backups`,
        `ALTER ROLE ${name} REPLICATION;`,
      ),
    );
  }
  if (role.superuser) return findings;
  if (!role.readAllSettings) {
    findings.push(
      warning(
        'server',
        `role ${role.name} may not see data_directory and archive_command`,
        `GRANT pg_read_all_settings TO ${name};`,
      ),
    );
  }
  if (!role.switchWal && !inRecovery) {
    findings.push(
      warning(
        'server',
        `role ${role.name} may not switch WAL segments, so the archive cannot be tried at once`,
        `GRANT EXECUTE ON FUNCTION pg_switch_wal() TO ${name};`,
      ),
    );
  }
  return findings;
}

function checkWalLevel({ walLevel }: ServerFacts): Finding[] {
  if (walLevel !== 'minimal') return [];
  return [
    failed(
      'server',
      'wal_level is minimal: neither archiving nor base backups work',
      'ALTER SYSTEM SET wal_level = replica; and restart the server.',
    ),
  ];
}

const OFF_FIX =
  "ALTER SYSTEM SET archive_mode = on; ALTER SYSTEM SET archive_command = 'tsbk-archive-push %p'; and restart the server.";

const BOTH = warning(
  'archiving',
  'archive_command and archive_library are both set: from PostgreSQL 16 on that is an error, before it the library wins',
  'ALTER SYSTEM RESET archive_library; SELECT pg_reload_conf();',
);

const EMPTY = failed(
  'archiving',
  'archive_mode is on and archive_command is empty: WAL piles up in pg_wal',
  "ALTER SYSTEM SET archive_command = 'tsbk-archive-push %p'; SELECT pg_reload_conf();",
);

/** Of what the role may not see nothing is said: that it may not is a finding of its own. */
function checkArchiving(facts: ServerFacts): Finding[] {
  const { archiveMode, archiveLibrary = '', inRecovery } = facts;
  if (archiveMode === undefined) return [];
  if (archiveMode === 'off') return [failed('archiving', 'archive_mode is off', OFF_FIX)];
  if (inRecovery && archiveMode === 'on') {
    return [ok('archiving', 'archive_mode is on; a standby archives after its promotion only')];
  }
  const command = facts.archiveCommand === '(disabled)' ? '' : facts.archiveCommand;
  if (archiveLibrary !== '') return [command === '' ? libraryOnly(archiveLibrary) : BOTH];
  if (command === '') return [EMPTY];
  const shown = command === undefined ? '' : `, archive_command = ${JSON.stringify(command)}`;
  return [ok('archiving', `archive_mode is ${archiveMode}${shown}`)];
}

function libraryOnly(library: string): Finding {
  return warning(
    'archiving',
    `WAL is archived by archive_library ${JSON.stringify(library)}, not by tsbk`,
    "ALTER SYSTEM RESET archive_library; ALTER SYSTEM SET archive_command = 'tsbk-archive-push %p'; SELECT pg_reload_conf();",
  );
}

/** As PostgreSQL's `quote_ident`: plain names stay plain. */
function quoteIdentifier(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
