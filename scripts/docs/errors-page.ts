import { ERROR_CODES } from '@tsbk/core/kernel/error-codes';
import { EXIT } from '@tsbk/core/kernel/exit';
import { code, page, table } from './markdown.ts';

const MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'Done. For `archive-push` this means durable in the repository.',
  failure: 'It failed, and trying the same again will fail again.',
  usage: 'The command line or a setting is wrong. Nothing was done.',
  conflict: 'Something with this name and other content is there already. Nothing was changed.',
  internal: 'A bug of tsbk, with a stack trace on standard error. Please report it.',
  temporary: 'It failed for now, or was interrupted: trying again may help.',
};

const SIGNAL_EXITS = [
  ['129, 130, 131, 143', 'Stopped by SIGHUP, SIGINT, SIGQUIT, SIGTERM; what was begun is undone.'],
];

/** docs/errors.md */
export function errorsPage(): string {
  const exits = Object.entries(EXIT).map(([name, exit]) => [
    String(exit),
    MEANINGS[name as keyof typeof EXIT],
  ]);
  const errors = Object.entries(ERROR_CODES).map(([name, { exit, retry, doc }]) => [
    code(name),
    doc,
    String(EXIT[exit]),
    retry ? 'yes' : 'no',
  ]);
  return page('packages/core/src/kernel/error-codes.ts', [
    '# Errors and exit codes',
    'An error is printed as `tsbk: what happened [code]`, followed by `hint: what to do next`. With\n`--json` or `--log json` it is one line of JSON on standard error: see [running.md](running.md).',
    '## Exit codes',
    table(['exit', 'meaning'], [...exits, ...SIGNAL_EXITS]),
    '`archive-push` never answers more than 125: above that, PostgreSQL’s archiver process ends and does\nnot count the failure. What could not be mended by itself is 75, and PostgreSQL tries again.',
    '### archive-get answers differently',
    'PostgreSQL takes every exit code of `restore_command` from 1 to 125 as "there is no such file": it\nends recovery and opens the database, or, as a standby, looks elsewhere and asks again.',
    table(
      ['exit', 'meaning', 'what PostgreSQL does'],
      [
        ['0', 'The file is in place, whole and verified.', 'replays it'],
        [
          '1',
          'The repository was reached, and every name under which the file could lie was denied. As `tsbk wal-fetch`, WAL-G’s name of the command, this is 74.',
          'takes it as the end of WAL',
        ],
        [
          '200',
          'It could not be found out whether the file exists, or what was found is damaged.',
          'stops; start it again when the cause is mended, and it goes on from there',
        ],
        ['75', 'The same when `standby.signal` is there.', 'a standby asks again'],
      ],
    ),
    '## Error codes',
    '*Again* says whether trying the same again can help without anybody changing anything.',
    table(['code', 'meaning', 'exit', 'again'], errors),
  ]);
}
