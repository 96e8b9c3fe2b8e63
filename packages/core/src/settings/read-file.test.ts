import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { readSettingsFile, type FileRequest } from './read-file.ts';

let home: string;

async function put(name: string, text: string, mode = 0o600): Promise<string> {
  const path = join(home, name);
  await writeFile(path, text, { mode });
  await chmod(path, mode);
  return path;
}

async function read(request: Partial<FileRequest>) {
  return await readSettingsFile({ env: {}, home, uid: process.getuid?.(), ...request });
}

describe('readSettingsFile', () => {
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'tsbk-settings-'));
  });
  beforeEach(async () => {
    await rm(home, { recursive: true });
    home = await mkdtemp(join(tmpdir(), 'tsbk-settings-'));
  });
  after(async () => {
    await rm(home, { recursive: true });
  });

  it('finds nothing where there is nothing', async () => {
    assert.equal(await read({}), undefined);
    assert.equal(await read({ home: undefined }), undefined);
  });

  it('takes --config before TSBK_CONFIG before WALG_CONFIG_PATH before the home directory', async () => {
    const paths = await Promise.all(['a', 'b', 'c'].map((name) => put(`${name}.json`, '{}')));
    await put('.tsbk.json', '{}');
    const [a = '', b = '', c = ''] = paths;
    const env = { TSBK_CONFIG: b, WALG_CONFIG_PATH: c };
    assert.equal((await read({ flag: a, env }))?.path, a);
    assert.equal((await read({ env }))?.path, b);
    assert.equal((await read({ env: { ...env, TSBK_CONFIG: '' } }))?.path, c);
    assert.equal((await read({}))?.path, join(home, '.tsbk.json'));
  });

  it("takes our file in the home directory before WAL-G's", async () => {
    await put('.walg.yml', 'AWS_REGION: c');
    assert.deepEqual((await read({}))?.values, { AWS_REGION: 'c' });
    await put('.walg.json', '{"AWS_REGION":"b"}');
    assert.deepEqual((await read({}))?.values, { AWS_REGION: 'b' });
    await put('.tsbk.yaml', 'AWS_REGION: a');
    assert.deepEqual((await read({}))?.values, { AWS_REGION: 'a' });
  });

  it('keeps the spelling of YAML scalars, reads maps, and takes null for unset', async () => {
    const text = 'PGPASSWORD: 0123\nA: 1_000\nB: true\nC: "x y"\nD:\nE: {k: 1}\nF: [1]\n';
    await put('.tsbk.yaml', text);
    assert.deepEqual((await read({}))?.values, {
      PGPASSWORD: '0123',
      A: '1_000',
      B: 'true',
      C: 'x y',
      D: '',
      E: { k: 1 },
      F: [1],
    });
  });

  it('a file that is named and not there is refused', async () => {
    const flag = join(home, 'none.json');
    await assert.rejects(read({ flag }), { code: 'usage', message: /--config names .*not exist/ });
  });

  it('a relative path is refused, because the current directory is the data directory', async () => {
    await assert.rejects(read({ env: { WALG_CONFIG_PATH: './x.json' } }), {
      code: 'usage',
      message: /WALG_CONFIG_PATH must be an absolute path/,
    });
  });

  it('a file that group or others may write is refused', async () => {
    for (const mode of [0o620, 0o602, 0o666]) {
      await put('.tsbk.json', '{}', mode);
      await assert.rejects(read({}), { code: 'usage', message: /can be written by others/ });
    }
  });

  it('a file of another user is refused, unless the superuser reads it', async () => {
    await put('.tsbk.json', '{}');
    const owner = process.getuid?.() ?? 0;
    if (owner === 0) return;
    await assert.rejects(read({ uid: owner + 1 }), { code: 'usage', message: /another user/ });
    assert.ok(await read({ uid: 0 }));
  });

  it('whether others may read the file is told', async () => {
    await put('.tsbk.json', '{}', 0o640);
    assert.equal((await read({}))?.readableByOthers, true);
    await put('.tsbk.json', '{}', 0o600);
    assert.equal((await read({}))?.readableByOthers, false);
  });

  it('a symbolic link is judged by what it leads to', async () => {
    await symlink(await put('real.json', '{}', 0o666), join(home, '.tsbk.json'));
    await assert.rejects(read({}), { code: 'usage', message: /can be written by others/ });
  });

  it('text that is no JSON or YAML is refused without being quoted', async () => {
    for (const [name, text] of [
      ['.tsbk.json', '{"AWS_SECRET_ACCESS_KEY": canary}'],
      ['.tsbk.yaml', 'canary: "x\nb: [canary'],
      ['.tsbk.yaml', 'a: canary\na: canary'],
      ['.tsbk.yaml', '- canary'],
      ['.tsbk.json', '["canary"]'],
    ] as const) {
      const path = await put(name, text);
      await assert.rejects(read({ flag: path }), (error: Error) => {
        assert.match(error.message, new RegExp(name));
        assert.ok(!error.message.includes('canary'), error.message);
        return true;
      });
    }
  });

  it('a format that is not JSON or YAML is refused', async () => {
    const flag = await put('x.toml', 'a = 1');
    await assert.rejects(read({ flag }), { code: 'usage', message: /\.json, \.yaml or \.yml/ });
  });
});
