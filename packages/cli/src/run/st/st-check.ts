import { TsbkError } from '@tsbk/core/kernel/errors';
import { EXIT } from '@tsbk/core/kernel/exit';
import { openRepository } from '@tsbk/core/engine/open-repository';
import { probeReading, probeWriting } from '@tsbk/core/storage-tools/probe';
import type { Run } from '../../command.ts';

/** `tsbk st check read|write` */
export const runStCheck: Run = async (context) => {
  const { signal, out } = context;
  const [what, ...keys] = context.positionals;
  if (what !== 'read' && what !== 'write') {
    throw new TsbkError('usage', `st check takes read or write, not ${what}`);
  }
  if (what === 'write' && keys.length > 0) {
    throw new TsbkError('usage', 'st check write takes no objects');
  }
  await using repository = await openRepository(context.settings, {
    signal: context.signal,
    report: context.report,
  });
  const { store } = repository;
  if (what === 'read') await probeReading(store, keys, { signal });
  else await probeWriting(store, { signal });
  out(`${store.url} can be ${what === 'read' ? 'read' : 'written'}`);
  return EXIT.ok;
};
