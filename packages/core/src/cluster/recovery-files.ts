import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemErrorCode } from '../kernel/errors.ts';
import { replaceConfBlock, type ConfBlock } from '../format/conf-block.ts';
import { writeDurably } from './write-durably.ts';
import { writeFailed } from './write-failed.ts';

/** With which file a server is told what to do with the WAL it finds at its start. */
export type SignalFile = 'recovery.signal' | 'standby.signal';

const AUTO_CONF = 'postgresql.auto.conf';

/**
 * Tells the server of a restored directory how to recover: its signal file (and not the other one)
 * and the marked block in `postgresql.auto.conf`, which the server reads wherever its other
 * configuration lies, and after it.
 */
export async function writeRecoveryFiles(
  dataDir: string,
  recovery: { readonly signalFile: SignalFile; readonly block: ConfBlock; readonly mode: number },
): Promise<void> {
  const other = recovery.signalFile === 'recovery.signal' ? 'standby.signal' : 'recovery.signal';
  const conf = join(dataDir, AUTO_CONF);
  try {
    await rm(join(dataDir, other), { force: true });
    await writeDurably(
      conf,
      replaceConfBlock(await contentOf(conf), recovery.block),
      recovery.mode,
    );
    await writeDurably(join(dataDir, recovery.signalFile), new Uint8Array(0), recovery.mode);
  } catch (error) {
    throw writeFailed(`the recovery settings in ${dataDir}`, error);
  }
}

async function contentOf(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return new Uint8Array(0);
    throw error;
  }
}
