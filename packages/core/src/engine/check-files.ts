import { stat } from 'node:fs/promises';
import { failed, warning, type Finding } from '../check/finding.ts';

const OTHERS = 0o077;

/** A file that holds secrets, and whether tsbk or libpq refuses to use it when others can read it. */
export interface SecretFile {
  readonly path: string;
  readonly what: string;
  readonly refused: boolean;
}

/** Tells of files with secrets that others than their owner may read. */
export async function checkSecretFiles(files: readonly SecretFile[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { path, what, refused } of files) {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined || (found.mode & OTHERS) === 0) continue;
    const text = `${what} ${path} can be read by others`;
    const tell = refused ? failed : warning;
    findings.push(tell('files', text, `chmod 600 ${path}`));
  }
  return findings;
}
