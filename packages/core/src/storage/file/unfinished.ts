import { opendir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { checkKeyPrefix } from '../../kernel/object-key.ts';
import type { CallOptions, UnfinishedUpload } from '../../ports/blob-store.ts';
import { fileError, isAbsent } from './errors.ts';
import { directoryExists, resolveRoot } from './paths.ts';
import { removeEmptyFolders } from './remove.ts';
import { parseTempName } from './temp-name.ts';
import { discardTemp } from './upload.ts';

/** Files below a prefix that were being written when somebody was killed, or still are. */
export async function* listUnfinished(
  configuredRoot: string,
  prefix: string,
  { signal }: CallOptions,
): AsyncGenerator<UnfinishedUpload> {
  checkKeyPrefix(prefix);
  const root = await resolveRoot(configuredRoot);
  if (!(await directoryExists(resolve(root.path, prefix)))) return;
  for await (const key of namesBelow(root.path, prefix, signal)) {
    const parsed = parseTempName(key);
    if (parsed === undefined) continue;
    const path = join(root.path, key);
    const discard = async (): Promise<void> => {
      await discardTemp(path);
      await removeEmptyFolders(root, dirname(path));
    };
    yield { key: parsed.target, started: parsed.started, discard };
  }
}

async function* namesBelow(
  rootPath: string,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const folders: string[] = [];
  try {
    for await (const entry of await opendir(join(rootPath, prefix))) {
      signal.throwIfAborted();
      if (entry.isDirectory()) folders.push(`${prefix}${entry.name}/`);
      else if (entry.isFile()) yield `${prefix}${entry.name}`;
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!isAbsent(error)) throw fileError(error, `cannot list ${join(rootPath, prefix)}`);
  }
  for (const folder of folders) yield* namesBelow(rootPath, folder, signal);
}
