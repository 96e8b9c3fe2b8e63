import type { PromisedObject } from '../ports/extract.ts';
import type { BackupDetail } from './catalog.ts';
import { backupFolder, manifestKey } from './layout.ts';
import { extensionOf } from './read-object.ts';

/** The manifest that tsbk stored beside the tars of a backup; WAL-G's have none. */
export function manifestObject({ name, others, side }: BackupDetail): PromisedObject | undefined {
  const base = manifestKey(name);
  const found = others.find(({ key }) => key === base || key.startsWith(`${base}.`));
  if (found === undefined) return undefined;
  const record = side?.objects.get(found.key.slice(backupFolder(name).length));
  return { key: found.key, extension: extensionOf(found.key, base), record };
}
