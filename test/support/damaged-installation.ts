import assert from 'node:assert/strict';
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { giveToServerUser, scratchPath } from './postgres.ts';

/**
 * Copies of an installed command of which each lacks something: all of its program, the parts that
 * it loads when it needs them, or the rest of the file from somewhere on. Gives their launchers.
 */
export function damagedInstallations(launcher: string): readonly string[] {
  const name = basename(launcher);
  const dist = join(dirname(launcher), '../dist');
  const program = readFileSync(join(dist, `${name}.mjs`), 'utf8');
  // Before the last module what is left is a program without a fault, which does nothing.
  const mainModule = program.lastIndexOf('process.exitCode=');
  assert.ok(mainModule > program.length >> 1);
  const ends = [0, program.length >> 1, mainModule];
  const copy = (damage: (dist: string) => void): string => {
    const root = scratchPath('installation');
    mkdirSync(join(root, 'bin'), { recursive: true });
    copyFileSync(launcher, join(root, 'bin', name));
    cpSync(dist, join(root, 'dist'), { recursive: true });
    damage(join(root, 'dist'));
    giveToServerUser(root);
    return join(root, 'bin', name);
  };
  return [
    copy((damaged) => rmSync(damaged, { recursive: true })),
    copy((damaged) => rmSync(join(damaged, 'lib'), { recursive: true })),
    ...ends.map((end) =>
      copy((damaged) => writeFileSync(join(damaged, `${name}.mjs`), program.slice(0, end))),
    ),
  ];
}
