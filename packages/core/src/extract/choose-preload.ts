import { TsbkError } from '../kernel/errors.ts';
import { hasLibrary, libraryDirectory, type Installation } from '../programs/installation.ts';
import type { RunOptions } from '../repository/repository.ts';
import { preloadLibraries } from './server-files.ts';

/**
 * The libraries to load before recovery: those that the original loaded, because they may have
 * written WAL of their own or be needed to read the tables. What one does by itself it does not do
 * here (`max_worker_processes`). Throws `programs-missing` for one that this machine does not have.
 */
export async function choosePreload(
  dataDirectory: string,
  installation: Installation,
  { preload, signal }: RunOptions & { readonly preload: boolean },
): Promise<readonly string[]> {
  if (!preload) return [];
  const wanted = await preloadLibraries(dataDirectory);
  const directory =
    wanted.length === 0 ? undefined : await libraryDirectory(installation, { signal });
  if (directory === undefined) return wanted;
  for (const name of wanted) {
    if (await hasLibrary(directory, name)) continue;
    throw new TsbkError(
      'programs-missing',
      `the server had loaded ${name} (shared_preload_libraries), which is not in ${directory}`,
      { hint: 'Install the extension, or try without the libraries: --without-preload.' },
    );
  }
  return wanted;
}
