import type { CommandDeclaration } from '../command.ts';

/** `tsbk daemon [SOCKET]`, as WAL-G has it. */
export const daemon: CommandDeclaration = {
  name: 'daemon',
  aliases: [],
  group: 'Called by PostgreSQL',
  summary: 'archive and fetch WAL for one server, warm',
  description: [
    'Stays, keeps its connections to the repository open, and archives and fetches WAL files for the ' +
      'server in PGDATA. tsbk-archive-push and tsbk-archive-get find it by themselves and work alone ' +
      'where it is not there; curl and walg-daemon-client can take their place. See docs/daemon.md.',
    'It listens on a Unix socket that only its own user can open. SIGHUP reads the settings again, ' +
      'SIGTERM ends it when what is under way is done. It runs as the user that PostgreSQL runs as.',
  ],
  positionals: [
    {
      name: 'SOCKET',
      optional: true,
      doc: 'Where to listen; TSBK_DAEMON_SOCKET, or daemon.sock in the state directory, if absent.',
    },
  ],
  flags: [],
  settings: 'daemon',
  examples: [
    {
      purpose: 'For the server in a data directory',
      line: 'PGDATA=/var/lib/postgresql/17/main tsbk daemon',
    },
    {
      purpose: 'Where walg-daemon-client expects it',
      line: 'tsbk daemon /run/tsbk/main.sock --pgdata /var/lib/postgresql/17/main',
    },
  ],
};
