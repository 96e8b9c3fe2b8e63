/**
 * What the launcher of `tsbk-archive-get` hands over without starting Node.js: a segment that was
 * fetched ahead for this very question, and nothing else. The `node` of these tests answers 1.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  chownSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { SETTING_LIST, SETTINGS } from '@tsbk/core/settings/table';

const ROOT = resolve(import.meta.dirname, '..');
const SEGMENT = '0000000100000000000000A7';
const RING = 'ab'.repeat(16);
const LONG_AGO = Date.now() / 1000 - 3600;
const BY_NODE = 1;

/** Those of them that there are, by their paths. */
const SHELLS = ['dash', 'bash', 'busybox'].flatMap((name) => {
  const { stdout } = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
  return stdout === '' ? [] : [stdout.trim()];
});

/** How a shell starts a script. */
const startOf = (shell: string): readonly string[] => (basename(shell) === 'busybox' ? ['sh'] : []);

let installed: string;

before(() => {
  installed = mkdtempSync(join(tmpdir(), 'tsbk-launcher-'));
  mkdirSync(join(installed, 'bin'));
  mkdirSync(join(installed, 'dist'));
  for (const name of ['restore-command/bin/tsbk-archive-get', 'cli/bin/tsbk']) {
    cpSync(join(ROOT, 'packages', name), join(installed, 'bin', basename(name)));
    writeFileSync(join(installed, 'dist', `${basename(name)}.mjs`), '// the program\n');
  }
  const shared = 'packages/restore-command/src/take-ahead.sh';
  cpSync(join(ROOT, shared), join(installed, 'dist/take-ahead.sh'));
  writeFileSync(join(installed, 'node'), '#!/bin/sh\nprintf %s "$TSBK_ASKED_AS"\nexit 44\n');
  chmodSync(join(installed, 'node'), 0o755);
});

after(() => rmSync(installed, { recursive: true }));

interface Question {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly name?: string;
  readonly cwd?: string;
  readonly launcher?: string;
}

/** A data directory with a ring that answers the question `args`, `env`, and one segment in it. */
class Site implements Disposable {
  readonly root: string;
  readonly data: string;
  readonly home: string;
  readonly destination: string;
  readonly #shell: string;
  readonly #question: Question;

  constructor(shell: string, question: Question = {}) {
    this.#shell = shell;
    this.#question = question;
    this.root = mkdtempSync(join(tmpdir(), 'tsbk-launcher-'));
    this.data = join(this.root, 'data');
    this.home = join(this.root, 'home');
    this.destination = join(this.data, 'pg_wal/RECOVERYXLOG');
    mkdirSync(this.home);
    mkdirSync(join(this.data, 'pg_wal'), { recursive: true });
    mkdirSync(this.ring, { recursive: true, mode: 0o700 });
    this.postmaster('4711', '1795800000');
    writeFileSync(join(this.ring, SEGMENT), 'the segment');
    const { stdout } = this.ask();
    writeFileSync(this.record, `${RING} rename\n${stdout}`);
    utimesSync(this.home, LONG_AGO - 60, LONG_AGO - 60);
    utimesSync(this.record, LONG_AGO, LONG_AGO);
  }

  get ring(): string {
    return join(this.data, 'pg_stat_tmp/tsbk/ahead', RING);
  }

  get record(): string {
    return join(dirname(this.ring), 'asked');
  }

  postmaster(pid: string, started: string): void {
    writeFileSync(join(this.data, 'postmaster.pid'), `${pid}\n${this.data}\n${started}\n5432\n`);
  }

  /** Changes the record and leaves its time. */
  amend(change: (text: string) => string): void {
    writeFileSync(this.record, change(readFileSync(this.record, 'utf8')));
    utimesSync(this.record, LONG_AGO, LONG_AGO);
  }

  ask(more: Question = {}): { readonly status: number | null; readonly stdout: string } {
    const question = { ...this.#question, ...more };
    const { args = [], env, name = SEGMENT, cwd = this.data } = question;
    const words = [...args, name, 'pg_wal/RECOVERYXLOG'];
    const launcher = join(installed, 'bin', question.launcher ?? 'tsbk-archive-get');
    const start = [...startOf(this.#shell), launcher, ...words];
    const { status, stdout, stderr } = spawnSync(this.#shell, start, {
      cwd,
      env: {
        PATH: '/usr/bin:/bin',
        TSBK_NODE: join(installed, 'node'),
        HOME: this.home,
        WALG_FILE_PREFIX: '/archive',
        ...env,
      },
      encoding: 'utf8',
    });
    assert.equal(stderr, '');
    return { status, stdout };
  }

  /** The launcher must leave the question to the program, and the segment where it is. */
  leavesToNode(more: Question = {}): void {
    assert.equal(this.ask(more).status, BY_NODE);
    assert.ok(!existsSync(this.destination));
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true });
  }
}

for (const shell of SHELLS) {
  describe(`the launcher, run by ${basename(shell)},`, () => {
    const site = (question?: Question): Site => new Site(shell, question);

    it('answers what ends no recovery when it stops at an error of its own', () => {
      using at = site();
      for (const [name, ...args] of [['tsbk-archive-get'], ['tsbk', 'archive-get']] as const) {
        const broken = join(installed, 'bin/broken');
        const text = readFileSync(join(installed, 'bin', name), 'utf8');
        writeFileSync(broken, text.replace('word_question "$@"', ': "$no_such_variable"'));
        const start = [...startOf(shell), broken, ...args, SEGMENT, 'x'];
        assert.equal(spawnSync(shell, start, { cwd: at.data }).status, 200);
      }
    });

    it('moves what was fetched ahead into place, and leaves the second question to the program', () => {
      using at = site();
      assert.equal(at.ask().status, 0);
      assert.equal(readFileSync(at.destination, 'utf8'), 'the segment');
      assert.ok(!existsSync(join(at.ring, SEGMENT)));
      rmSync(at.destination);
      at.leavesToNode();
    });

    it('does the same as tsbk archive-get, with options before and after the command', () => {
      for (const args of [['archive-get'], ['--config', '/none/x', 'wal-fetch', '--lanes=1']]) {
        using at = site({ launcher: 'tsbk', args });
        assert.equal(at.ask().status, 0);
        rmSync(at.destination);
        const absent = args[0] === 'archive-get' ? 1 : 74;
        assert.equal(at.ask().status, absent);
      }
    });

    it('is found through a link', () => {
      const link = join(installed, 'bin/linked');
      symlinkSync(join(installed, 'bin/tsbk-archive-get'), link);
      using at = site({ launcher: 'linked' });
      assert.equal(at.ask().status, 0);
      rmSync(link);
    });

    it('copies it from another file system under a temporary name first', () => {
      using at = site();
      at.amend((text) => text.replace(' rename\n', ' copy\n'));
      assert.equal(at.ask().status, 0);
      assert.equal(readFileSync(at.destination, 'utf8'), 'the segment');
      assert.ok(!existsSync(join(at.ring, SEGMENT)));
    });

    it('does it under options and names with anything in them', () => {
      const args = ['--config', '/none/a "b" $HOME `c`.yaml', '--file-prefix=/x\n/y \\ *'];
      using at = site({ args });
      assert.equal(at.ask().status, 0);
    });

    it('waits for what is on its way', () => {
      using at = site();
      renameSync(join(at.ring, SEGMENT), join(at.ring, `${SEGMENT}.tsbk-1-0123abcd`));
      const script = `sleep 0.1; mv ${at.ring}/${SEGMENT}.tsbk-1-0123abcd ${at.ring}/${SEGMENT}`;
      spawnSync('sh', ['-c', `(${script}) >/dev/null 2>&1 &`]);
      assert.equal(at.ask().status, 0);
    });

    it('leaves it to the program when it is not whole, not a file, or not there', () => {
      using at = site();
      const entry = join(at.ring, SEGMENT);
      renameSync(entry, `${entry}.tsbk-1-0123abcd`);
      at.leavesToNode();
      mkdirSync(entry);
      at.leavesToNode();
    });

    it('leaves everything that is not a segment to the program', () => {
      using at = site();
      for (const name of ['00000002.history', `${SEGMENT}.partial`, `${SEGMENT}.00000028.backup`]) {
        writeFileSync(join(at.ring, name), 'x');
        at.leavesToNode({ name });
      }
      for (const name of [SEGMENT.slice(1), SEGMENT.toLowerCase()]) {
        writeFileSync(join(at.ring, name), 'x');
        at.leavesToNode({ name });
      }
      for (const name of ['', '.', '../asked']) at.leavesToNode({ name });
    });

    it('leaves it to the program where something lies at the destination', () => {
      using at = site();
      mkdirSync(at.destination);
      utimesSync(at.destination, LONG_AGO - 60, LONG_AGO - 60);
      assert.equal(at.ask().status, BY_NODE);
      assert.ok(existsSync(join(at.ring, SEGMENT)));
    });

    it('leaves it to the program when the server was started again, or the machine', () => {
      using at = site();
      at.postmaster('4712', '1795800000');
      at.leavesToNode();
      at.postmaster('4711', '1795800001');
      at.leavesToNode();
      rmSync(join(at.data, 'postmaster.pid'));
      at.leavesToNode();
      at.postmaster('4711', '1795800000');
      at.amend((text) =>
        text.replace(/^1 [0-9a-f-]{36} /m, '1 00000000-0000-0000-0000-000000000000 '),
      );
      at.leavesToNode();
    });

    it('leaves it to the program in another data directory', () => {
      using at = site();
      const other = join(at.root, 'other');
      cpSync(at.data, other, { recursive: true, preserveTimestamps: true });
      assert.equal(at.ask({ cwd: other }).status, BY_NODE);
    });

    it('leaves it to the program when a variable or option names another archive', () => {
      using at = site();
      const deciding = [
        SETTINGS.filePrefix,
        SETTINGS.s3Prefix,
        SETTINGS.storagePrefix,
        SETTINGS.s3Endpoint,
        SETTINGS.s3Region,
        SETTINGS.s3Profile,
        SETTINGS.s3ConfigFile,
        SETTINGS.configFile,
        SETTINGS.stateDirectory,
        SETTINGS.getAhead,
      ];
      for (const name of deciding.flatMap(({ env }) => env)) {
        at.leavesToNode({ env: { [name]: '/elsewhere' } });
      }
      at.leavesToNode({ env: { HOME: at.root } });
      at.leavesToNode({ env: { HOME: undefined } });
      at.leavesToNode({ args: ['--file-prefix', '/elsewhere'] });
      assert.equal(at.ask().status, 0);
    });

    it('leaves it to the program when a settings file was changed, exchanged, made or removed', () => {
      const config = (at: Site): string => join(at.home, '.tsbk.json');
      const old = (path: string): void => utimesSync(path, LONG_AGO - 60, LONG_AGO - 60);
      const prepared = (): Site => {
        const at = site();
        writeFileSync(config(at), '{}');
        old(config(at));
        old(at.home);
        return at;
      };
      const changes: readonly ((at: Site) => void)[] = [
        (at) => writeFileSync(config(at), '{"file-prefix": "/x"}'),
        (at) => {
          writeFileSync(`${config(at)}.new`, '{}');
          old(`${config(at)}.new`);
          renameSync(`${config(at)}.new`, config(at));
        },
        (at) => rmSync(config(at)),
        (at) => {
          writeFileSync(join(at.home, '.walg.json'), '{}');
          old(join(at.home, '.walg.json'));
        },
      ];
      for (const change of changes) {
        using at = prepared();
        change(at);
        at.leavesToNode();
      }
      using at = prepared();
      assert.equal(at.ask().status, 0);
    });

    it('leaves it to the program when a settings file that is named was changed', () => {
      const folder = mkdtempSync(join(installed, 'settings'));
      const path = join(folder, 'a b.yaml');
      for (const question of [
        { args: ['--config', path] },
        { args: [`--config=${path}`] },
        { env: { TSBK_CONFIG: path } },
        { env: { WALG_CONFIG_PATH: path } },
      ]) {
        writeFileSync(path, 'a: b');
        utimesSync(path, LONG_AGO - 60, LONG_AGO - 60);
        utimesSync(folder, LONG_AGO - 60, LONG_AGO - 60);
        using at = site(question);
        writeFileSync(path, 'a: c');
        at.leavesToNode();
        utimesSync(path, LONG_AGO - 60, LONG_AGO - 60);
        assert.equal(at.ask().status, 0);
      }
    });

    it('leaves it to the program when the record is torn, empty, or leads elsewhere', () => {
      using at = site();
      const whole = readFileSync(at.record, 'utf8');
      const torn = [
        '',
        whole.slice(0, 20),
        whole.slice(0, -20),
        whole.slice(0, whole.indexOf('\n') + 1),
        `${whole}more\n`,
        whole.replace(RING, `../ahead/${RING}`),
        whole.replace(RING, ''),
      ];
      for (const text of torn) {
        at.amend(() => text);
        at.leavesToNode();
      }
    });

    it('words no question in which there may be a secret', () => {
      using at = site();
      const secret = SETTING_LIST.filter(([, setting]) => setting.secret);
      assert.ok(secret.length > 5);
      const names = secret.flatMap(([, setting]) => setting.env);
      for (const name of names) {
        const flag = name
          .toLowerCase()
          .replaceAll('_', '-')
          .replace(/^tsbk-/, '');
        assert.deepEqual(at.ask({ args: [`--${flag}`, 'hush'] }), { status: BY_NODE, stdout: '' });
      }
      const env = Object.fromEntries(names.map((name) => [name, 'hush']));
      const { stdout } = at.ask({ env, name: 'x' });
      assert.ok(stdout.includes('/archive') && !stdout.includes('hush'));
    });

    it('leaves it to the program where the folder is another user’s', (t) => {
      if (process.getuid?.() !== 0) return t.skip('only the superuser can give files away');
      using at = site();
      for (const path of [at.record, dirname(at.record), dirname(dirname(at.record))]) {
        chownSync(path, 65534, 65534);
        at.leavesToNode();
        chownSync(path, 0, 0);
      }
      assert.equal(at.ask().status, 0);
    });
  });
}
