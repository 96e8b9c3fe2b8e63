import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '@tsbk/core/engine/clock';
import { sourceOf } from '@tsbk/core/stream/source';
import { runCli } from './run-cli.ts';

const CANARY = 'canary-91d2';
let home: string;

async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const written = { stdout: '', stderr: '' };
  const exitCode = await runCli({
    args,
    env: { HOME: home, ...env },
    stdout: { write: (text) => (written.stdout += text) },
    stderr: { write: (text) => (written.stderr += text) },
    stdin: () => sourceOf(),
    cwd: '/',
    clock: systemClock,
    signal: new AbortController().signal,
    divert: () => {},
    stoppedBy: () => undefined,
    setNiceness: () => undefined,
  });
  return { exitCode, ...written };
}

describe('tsbk', () => {
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'tsbk-cli-'));
  });
  after(async () => {
    await rm(home, { recursive: true });
  });

  it('without a command prints the overview and succeeds', async () => {
    for (const args of [[], ['--help'], ['-h'], ['help']]) {
      const { exitCode, stdout, stderr } = await run(args);
      assert.deepEqual([exitCode, stderr], [0, '']);
      assert.match(stdout, /^tsbk - base backups/);
    }
  });

  it('prints its version in three spellings, and as JSON', async () => {
    for (const args of [['--version'], ['-v'], ['version']]) {
      const { exitCode, stdout } = await run(args);
      assert.equal(exitCode, 0);
      assert.match(stdout, /^tsbk \S+.*Node\.js \d+/);
    }
    const { stdout } = await run(['--version', '--json']);
    assert.ok('version' in (JSON.parse(stdout) as object));
  });

  it('prints the same help before and after the command’s name', async () => {
    const { stdout } = await run(['help', 'wal-push']);
    assert.match(stdout, /^tsbk archive-push - /);
    assert.equal((await run(['archive-push', '--help'])).stdout, stdout);
    assert.equal((await run(['--lanes', '3', 'archive-push', '-h'])).stdout, stdout);
    const verb = await run(['help', 'st', 'rm']);
    assert.match(verb.stdout, /^tsbk st rm - /);
    assert.equal((await run(['st', '--lanes', '3', 'rm', '-h'])).stdout, verb.stdout);
    assert.match((await run(['st'])).stdout, /st claims/);
  });

  it('prints help even when the settings are wrong', async () => {
    const { exitCode } = await run(['backup-push', '--help'], {
      TSBK_LANES: 'x',
      WALG_PGP_KEY: 'x',
    });
    assert.equal(exitCode, 0);
  });

  it('answers 2 to an unknown command, option, argument and setting, and says which was meant', async () => {
    const cases = [
      { args: ['st', 'lz'], hint: 'hint: Did you mean st ls?' },
      { args: ['backup-psuh'], hint: 'hint: Did you mean backup-push?' },
      { args: ['config', '--al'], hint: 'hint: Did you mean --all?' },
      { args: ['help', 'a', 'b', 'c'], hint: 'hint: Usage: tsbk help [COMMAND] [VERB]' },
      { args: ['backup-fetch', '/x'], hint: 'hint: Usage: tsbk backup-fetch DEST NAME [options]' },
    ];
    for (const { args, hint } of cases) {
      const { exitCode, stdout, stderr } = await run(args);
      assert.deepEqual([exitCode, stdout], [2, ''], args.join(' '));
      assert.match(stderr, /^tsbk: .* \[usage\]\n/);
      assert.ok(stderr.includes(hint), stderr);
    }
  });

  it('with --json tells errors as one line of JSON on standard error', async () => {
    const { exitCode, stdout, stderr } = await run(['config', '--json', '--nope']);
    assert.deepEqual([exitCode, stdout], [2, '']);
    const { time, ...error } = JSON.parse(stderr) as Record<string, unknown>;
    assert.equal(typeof time, 'string');
    assert.deepEqual(error, {
      level: 'error',
      kind: 'error',
      code: 'usage',
      message: '--nope is no option here',
      hint: null,
      exitCode: 2,
    });
  });

  it('tells errors as JSON, too, where messages were asked for as JSON', async () => {
    const asked = [
      { args: ['--log', 'json', 'config', '--nope'] },
      { args: ['config', '--nope', '--log=json'] },
      { args: ['config', '--nope'], env: { TSBK_LOG: 'json' } },
      { args: ['backup-list', '--log', 'json'] },
      { args: ['backup-list'], env: { TSBK_LOG: 'json' } },
    ];
    for (const { args, env } of asked) {
      const { exitCode, stderr } = await run(args, env);
      assert.equal(exitCode, 2);
      assert.equal((JSON.parse(stderr) as { kind: string }).kind, 'error');
    }
    const { stderr } = await run(['backup-list', '--log', 'xml']);
    assert.match(stderr, /must be one of text, json/);
  });
});

describe('tsbk config', () => {
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'tsbk-cli-'));
    const text = `WALG_S3_PREFIX: s3://bucket/main\nPGPASSWORD: ${CANARY}\nTSBK_LANES: 3\n`;
    await writeFile(join(home, '.tsbk.yaml'), text, { mode: 0o600 });
  });
  after(async () => {
    await rm(home, { recursive: true });
  });

  it('says of each setting what it is and where it came from', async () => {
    const { exitCode, stdout } = await run(['config', '--lanes=5'], { AWS_REGION: 'eu-1' });
    assert.equal(exitCode, 0);
    assert.match(stdout, /TSBK_S3_PREFIX +s3:\/\/bucket\/main +WALG_S3_PREFIX in .*\.tsbk\.yaml/);
    assert.match(stdout, /TSBK_LANES +5 +--lanes/);
    assert.match(stdout, /TSBK_S3_REGION +eu-1 +AWS_REGION/);
    assert.match(stdout, /TSBK_WAL_TIMEOUT +1h +default/);
    assert.doesNotMatch(stdout, /TSBK_S3_ROLE_ARN/);
    assert.match((await run(['config', '--all'])).stdout, /TSBK_S3_ROLE_ARN +\(not set\)/);
  });

  it('shows everything and answers 2 when a setting is wrong', async () => {
    const { exitCode, stdout } = await run(['config'], { TSBK_LANEZ: '1', WALG_ZSTD_LEVEL: '99' });
    assert.equal(exitCode, 2);
    assert.match(stdout, /Wrong:\n {2}TSBK_LANEZ is no setting; did you mean TSBK_LANES\?/);
    assert.match(stdout, /WALG_ZSTD_LEVEL must be a level/);
    assert.match(stdout, /TSBK_S3_PREFIX/);
  });

  it('says which settings of WAL-G change nothing, and why', async () => {
    const { stdout } = await run(['config'], { WALG_UPLOAD_QUEUE: '3' });
    assert.match(stdout, /Accepted, and changes nothing:\n {2}WALG_UPLOAD_QUEUE +it tunes/);
  });

  it('as JSON has the same, with nothing else on standard output', async () => {
    const { stdout } = await run(['config', '--json'], { WALG_NOBODY: 'x' });
    const { settings, warnings } = JSON.parse(stdout) as {
      settings: { name: string; value?: string; source: string }[];
      warnings: { code: string }[];
    };
    const lanes = settings.find(({ name }) => name === 'TSBK_LANES');
    assert.deepEqual([lanes?.value, lanes?.source], ['3', 'file']);
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ['setting-unknown'],
    );
  });

  it('never prints a secret, whatever is asked for and wherever it stands', async () => {
    const env = {
      AWS_SECRET_ACCESS_KEY: CANARY,
      WALG_LIBSODIUM_KEY: CANARY,
      TSBK_S3_REQUEST_ADDITIONAL_HEADERS: `{"Authorization":"${CANARY}"}`,
      WALG_PGP_KEY: CANARY,
      HTTPS_PROXY: `http://u:${CANARY}@proxy`,
    };
    for (const args of [
      ['config'],
      ['config', '--all'],
      ['config', '--json'],
      ['config', `--aws-session-token=${CANARY}`],
      ['backup-list', `--walg-libsodium-kye=${CANARY}`],
      ['config', '--log-level', 'debug'],
    ]) {
      const { stdout, stderr } = await run(args, env);
      assert.ok(!`${stdout}${stderr}`.includes(CANARY), args.join(' '));
      assert.ok(`${stdout}${stderr}`.length > 10);
    }
  });
});
