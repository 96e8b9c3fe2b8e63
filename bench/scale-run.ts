/** What `bench/scale.ts` bundles and runs. */
import { parseArgs } from 'node:util';
import { formatSize, parseSize } from '@tsbk/core/kernel/size';
import { runScale, type ScaleResult } from '@tsbk/test/support/simulation/run';

const USAGE = `usage: node bench/scale.ts [options]
  --bytes SIZE       of all files together (4GiB)
  --files N          data files (100)
  --codec NAME       lz4, zstd or none (lz4)
  --lanes N          (2)
  --inline           lanes in the calling thread instead of threads of their own
  --until PHASE      push leaves the restore out (fetch)
  --directory PATH   where records lie, and each restored file until it is removed (the temporary
                     directory); a restore asks its file system for room for all of them
  --store PATH       an empty directory in which everything is really stored, and stays, as a
                     repository for other programs to restore
  --json             one line of JSON at the end
`;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    bytes: { type: 'string', default: '4GiB' },
    files: { type: 'string', default: '100' },
    codec: { type: 'string', default: 'lz4' },
    lanes: { type: 'string', default: '2' },
    inline: { type: 'boolean', default: false },
    until: { type: 'string', default: 'fetch' },
    directory: { type: 'string' },
    store: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

if (values.help) process.stdout.write(USAGE);
else await run();

async function run(): Promise<void> {
  const bytes = parseSize(values.bytes);
  const files = Number(values.files);
  const { codec } = values;
  if (bytes === undefined || !(files > 0)) throw new Error('--bytes is a size, --files a number');
  if (codec !== 'lz4' && codec !== 'zstd' && codec !== 'none') {
    throw new Error('--codec is lz4, zstd or none');
  }
  const result = await runScale({
    bytes,
    files,
    codec,
    lanes: Number(values.lanes),
    threads: !values.inline,
    fetch: values.until !== 'push',
    directory: values.directory,
    store: values.store,
    onMark: ({ phase, share, seconds, rssBytes }) => {
      if (values.json) return;
      const percent = `${(100 * share).toFixed(0)}%`.padStart(4);
      console.log(`${phase} ${percent}  ${seconds.toFixed(1)} s  ${formatSize(rssBytes)}`);
    },
  });
  console.log(values.json ? JSON.stringify(result) : summary(result));
}

function summary({ plainBytes, storedBytes, parts, phases, ...all }: ScaleResult): string {
  const gib = plainBytes / 1024 ** 3;
  const lines = phases.map(({ name, seconds, cpuSeconds, marks }) => {
    const peak = Math.max(...marks.map(({ rssBytes }) => rssBytes));
    const perGib = `${(seconds / gib).toFixed(2)} s and ${(cpuSeconds / gib).toFixed(2)} CPU-s per GiB`;
    const perFiles = `${((seconds / all.files) * 1e5).toFixed(1)} s per 100,000 files`;
    return `${name}: ${seconds.toFixed(1)} s, ${perGib}, ${perFiles}, at most ${formatSize(peak)}`;
  });
  return [
    `${formatSize(plainBytes)} in ${all.files} files, ${parts} parts, stored ${formatSize(storedBytes)}`,
    ...lines,
    'Times and memory include making the data, and for fetch compressing it again.',
  ].join('\n');
}
