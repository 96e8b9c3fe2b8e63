import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';

const ROOT = resolve(import.meta.dirname, '..');

const LAUNCHERS = {
  tsbk: 'packages/cli/bin/tsbk',
  push: 'packages/archive-command/bin/tsbk-archive-push',
  get: 'packages/restore-command/bin/tsbk-archive-get',
} as const;

let home: string;
let standby: string;

/** Launchers with a bundle that is there, and a `node` that only does what the test says. */
before(() => {
  home = mkdtempSync(join(tmpdir(), 'tsbk-launchers-'));
  standby = join(home, 'standby');
  for (const folder of ['bin', 'dist', 'bare/bin', 'empty/bin', 'empty/dist', 'standby'])
    mkdirSync(join(home, folder), { recursive: true });
  for (const path of Object.values(LAUNCHERS)) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    cpSync(join(ROOT, path), join(home, 'bin', name));
    cpSync(join(ROOT, path), join(home, 'bare/bin', name));
    cpSync(join(ROOT, path), join(home, 'empty/bin', name));
    writeFileSync(join(home, 'dist', `${name}.mjs`), '// the program\n');
    writeFileSync(join(home, 'empty/dist', `${name}.mjs`), '');
    symlinkSync(join(home, 'bin', name), join(home, `linked-${name}`));
  }
  writeFileSync(join(standby, 'standby.signal'), '');
  const fake = '#!/bin/sh\necho "$@"\nenv | grep "^NODE_"\nulimit -c\nexit "${FAKE_EXIT:-0}"\n';
  writeFileSync(join(home, 'node'), fake);
  chmodSync(join(home, 'node'), 0o755);
});

after(() => {
  rmSync(home, { recursive: true });
});

interface Launch {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

function launch(path: string, { args = [], env = {}, cwd = home }: Launch = {}) {
  const { status, stdout, stderr } = spawnSync(join(home, path), args, {
    cwd,
    env: { PATH: '/usr/bin:/bin', TSBK_NODE: join(home, 'node'), ...env },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

const exitOf = (path: string, exit: number, more: Launch = {}) =>
  launch(path, { ...more, env: { FAKE_EXIT: String(exit) } }).status;

describe('the launchers', () => {
  it('find their bundle through a symbolic link, and pass all arguments on', () => {
    for (const name of ['tsbk', 'tsbk-archive-push', 'tsbk-archive-get']) {
      const { status, stdout } = launch(`linked-${name}`, { args: ['a b', '--x=1'] });
      assert.equal(status, 0);
      assert.match(stdout, new RegExp(`dist/${name}\\.mjs .*a b --x=1\n`));
    }
  });

  for (const command of ['backup-push', 'backup-fetch']) {
    it(`start ${command} by the bundle that is made for it, where that is whole`, () => {
      const program = (): string => launch('bin/tsbk', { args: [command, '--full'] }).stdout;
      assert.match(program(), new RegExp(`dist/tsbk\\.mjs ${command} --full\n`));
      const own = join(home, `dist/tsbk-${command}.mjs`);
      writeFileSync(own, '');
      assert.match(program(), new RegExp(`dist/tsbk\\.mjs ${command} --full\n`));
      writeFileSync(own, '// the program\n');
      assert.match(program(), new RegExp(`dist/tsbk-${command}\\.mjs ${command} --full\n`));
      const { stdout } = launch('bin/tsbk', { args: ['help', command] });
      assert.match(stdout, new RegExp(`dist/tsbk\\.mjs help ${command}\n`));
      rmSync(own);
    });
  }

  it('give the program an environment in which nobody loads code into it, and no core dumps', () => {
    const env = {
      NODE_OPTIONS: '--require /x.js',
      NODE_PATH: '/x',
      NODE_EXTRA_CA_CERTS: '/x',
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
    };
    for (const name of ['tsbk', 'tsbk-archive-push', 'tsbk-archive-get']) {
      const { stdout } = launch(`bin/${name}`, { env });
      assert.match(stdout, /^--disallow-code-generation-from-strings .*\n0\n$/);
    }
  });

  it('without an interpreter or a bundle say so, and answer what PostgreSQL must not take for success or absence', () => {
    const cases = [
      { name: 'tsbk', args: ['backup-list'], exit: 1 },
      { name: 'tsbk', args: ['wal-fetch', 'a', 'b'], exit: 200 },
      { name: 'tsbk', args: ['--lanes', '2', 'archive-get', 'a', 'b'], exit: 200 },
      { name: 'tsbk-archive-push', args: ['a'], exit: 1 },
      { name: 'tsbk-archive-get', args: ['a', 'b'], exit: 200 },
    ];
    for (const { name, args, exit } of cases) {
      const noNode = launch(`bin/${name}`, { args, env: { TSBK_NODE: '/nonexistent/node' } });
      assert.equal(noNode.status, exit, name);
      assert.match(noNode.stderr, /^tsbk\S*: there is no \/nonexistent\/node .*TSBK_NODE/);
      for (const place of ['bare', 'empty']) {
        const noBundle = launch(`${place}/bin/${name}`, { args });
        assert.equal(noBundle.status, exit, name);
        assert.match(noBundle.stderr, /^tsbk\S*: .*\.mjs is missing, empty or cannot be read/);
        if (exit !== 200) continue;
        const onStandby = launch(`${place}/bin/${name}`, { args, cwd: standby });
        assert.equal(onStandby.status, 75);
      }
    }
  });

  it('of archive_command never answer more than 125', () => {
    for (const [path, args] of [
      ['bin/tsbk-archive-push', ['a']],
      ['bin/tsbk', ['wal-push', 'a']],
    ] as const) {
      for (const exit of [0, 1, 2, 65, 75]) assert.equal(exitOf(path, exit, { args }), exit);
      for (const exit of [126, 127, 134, 137, 200]) assert.equal(exitOf(path, exit, { args }), 75);
    }
  });

  it('of restore_command answer absence only to the code that proves it', () => {
    for (const [path, args, absent] of [
      ['bin/tsbk-archive-get', ['a', 'b'], 1],
      ['bin/tsbk', ['archive-get', 'a', 'b'], 1],
      ['bin/tsbk', ['wal-fetch', 'a', 'b'], 74],
      ['bin/tsbk', ['--config', '/x', 'wal-fetch', 'a', 'b'], 74],
    ] as const) {
      assert.equal(exitOf(path, 0, { args }), 0);
      assert.equal(exitOf(path, 44, { args }), absent);
      for (const exit of [1, 2, 70, 74, 75, 127, 134]) {
        assert.equal(exitOf(path, exit, { args }), 200, `${path}: ${exit}`);
        assert.equal(exitOf(path, exit, { args, cwd: standby }), 75, `${path}: ${exit}`);
      }
    }
  });

  it('leave the exit codes of all other commands alone', () => {
    for (const exit of [0, 1, 2, 44, 65, 70, 75]) {
      assert.equal(exitOf('bin/tsbk', exit, { args: ['backup-list'] }), exit);
    }
  });
});
