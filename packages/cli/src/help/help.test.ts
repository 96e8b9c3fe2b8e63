import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { COMMAND_NAMES } from '../command.ts';
import { COMMANDS, requireCommand } from '../commands.ts';
import { commandHelp, shownFlags } from './command-help.ts';
import { HELP_COLUMNS, wrap } from './layout.ts';
import { overview } from './overview.ts';

describe('the command table', () => {
  it('declares every command once, in the order of its names', () => {
    assert.deepEqual(
      COMMANDS.map(({ name }) => name),
      COMMAND_NAMES,
    );
    const spellings = COMMANDS.flatMap(({ name, aliases }) => [name, ...aliases]);
    assert.equal(new Set(spellings).size, spellings.length);
  });

  it('has no option and no letter twice in one command', () => {
    for (const { name, flags } of COMMANDS) {
      const names = flags.map((flag) => flag.name);
      const letters = flags.flatMap(({ short }) => (short === undefined ? [] : [short]));
      assert.equal(new Set(names).size, names.length, name);
      assert.equal(new Set(letters).size, letters.length, name);
      assert.ok(!letters.includes('h') && !names.includes('help'), name);
    }
  });

  it('knows WAL-G’s names for the two commands that PostgreSQL starts', () => {
    assert.equal(requireCommand('wal-push').name, 'archive-push');
    assert.equal(requireCommand('wal-fetch').name, 'archive-get');
  });

  it('refuses an unknown command with the nearest one', () => {
    assert.throws(() => requireCommand('backup-ftech'), {
      code: 'usage',
      hint: 'Did you mean backup-fetch?',
    });
    assert.throws(() => requireCommand('zzz'), { hint: '`tsbk help` lists the commands.' });
  });
});

describe('help', () => {
  it('of every command has summary, usage, options and an example that calls it', () => {
    for (const command of COMMANDS) {
      const text = commandHelp(command);
      const { name, summary } = command;
      assert.ok(text.startsWith(`tsbk ${name} - ${summary}\n\nUsage: tsbk ${name}`), name);
      assert.match(summary, /^[a-z].*[^.]$/, name);
      assert.match(text, /\nOptions:\n/, name);
      assert.match(text, /-h, --help/, name);
      assert.match(text, /\nExamples:\n {2}# [A-Z]/, name);
      assert.ok(
        command.examples.some(({ line }) => line.includes(`tsbk ${name}`)),
        name,
      );
      for (const { name: place, doc } of command.positionals) {
        assert.ok(text.includes(`\n  ${place} `), `${name}: ${place}`);
        assert.match(doc, /\.$/, `${name}: ${place}`);
      }
    }
  });

  it('explains every option in a sentence, and leaves out those that change nothing', () => {
    for (const command of COMMANDS) {
      const text = commandHelp(command);
      for (const { name, doc } of shownFlags(command)) {
        assert.ok(text.includes(`--${name}`), `${command.name}: ${name}`);
        assert.match(doc, /^[A-Z].*\.$/, `${command.name}: ${name}`);
      }
    }
    assert.ok(!commandHelp(requireCommand('backup-push')).includes('rating-composer'));
  });

  it('is no wider than its columns, examples apart', () => {
    for (const text of [overview(COMMANDS), ...COMMANDS.map(commandHelp)]) {
      const [explained = ''] = text.split('\nExamples:');
      for (const line of explained.split('\n')) assert.ok(line.length <= HELP_COLUMNS, line);
      assert.ok(text.endsWith('\n') && !text.includes('\n\n\n'));
    }
  });

  it('of all commands names each with its summary, and tells how to set the repository', () => {
    const text = overview(COMMANDS);
    for (const { name } of COMMANDS) assert.match(text, new RegExp(`^ {2}${name}\\b`, 'm'));
    assert.match(text, /TSBK_S3_PREFIX=s3:\/\/bucket\/folder/);
  });

  it('of backup-list reads like this', () => {
    assert.equal(
      commandHelp(requireCommand('backup-list')).split('\nSettings:')[0],
      `tsbk backup-list - list the backups of the repository

Usage: tsbk backup-list [options]

Lists complete backups, oldest first. Text has the columns of WAL-G, JSON its keys;
64-bit numbers in JSON are numbers, as WAL-G prints them.

What \`backup-merge\` made is told with --detail: by a last column, which is there only
then, with the number of backups that it was made of, and in JSON by their names
(\`merged\`).

Options:
  --pretty                  Draw a table, or indent the JSON.
  --detail                  Add times, host, data directory, version and WAL positions.
  --json                    Print the result as JSON on standard output, and messages as
                            JSON lines on standard error.
  -h, --help                Print this.
`,
    );
  });

  it('is broken at spaces only', () => {
    assert.deepEqual(wrap('aa bb cccccc d', 5), ['aa bb', 'cccccc', 'd']);
    assert.deepEqual(wrap('', 5), []);
  });
});
