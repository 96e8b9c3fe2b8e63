import * as nodeModule from 'node:module';
import { openStateFolder } from '../cluster/state-directory.ts';

const FOLDER = 'code';

/**
 * Has Node.js keep what it compiles of the modules that are loaded from here on in the state directory,
 * for the next run: of a push to S3 compiling is a third. What is kept is code that will run, so only
 * a directory will do that nobody else can write to. Where Node.js cannot (before 22.1), and when
 * anything is wrong with the directory, everything is compiled again.
 */
export async function keepCompiled(stateDirectory: string): Promise<void> {
  if (typeof nodeModule.enableCompileCache !== 'function') return;
  try {
    nodeModule.enableCompileCache(await openStateFolder(stateDirectory, FOLDER));
  } catch {
    // It costs time and nothing else.
  }
}
