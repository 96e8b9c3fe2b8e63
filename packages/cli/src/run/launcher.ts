import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The command's own launcher: `bin/tsbk` beside the `dist` that this runs from. */
export function launcher(): string {
  const here = fileURLToPath(import.meta.url);
  const dist = here.lastIndexOf('/dist/');
  return join(dist === -1 ? join(dirname(here), '../..') : here.slice(0, dist), 'bin/tsbk');
}
