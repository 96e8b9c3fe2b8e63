/**
 * Speed, ratio and memory of the codecs and the cipher, next to the reference programs on the same
 * data in the same run:
 *
 *     node bench/codec.ts [--file PATH] [--mib 256] [--rounds 5] [--only lz4]
 *
 * Without a file it makes rows of a table that lz4 compresses about 3:1. Each measurement of ours
 * runs in a process of its own; the last column is the largest resident set of any. Our time is
 * from the first byte to the last without the start of Node.js, as in a lane that is warm; that of
 * a program is the life of its process. Both read a cached file and drop what they make. The two
 * take turns, and medians are printed; above 1.00 in `ours:program` ours is faster.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { libsodiumCipher } from '@tsbk/core/cipher/libsodium';
import { codecByName } from '@tsbk/core/codec/codecs';
import type { ByteSource, ByteStage } from '@tsbk/core/ports/bytes';
import type { CodecName } from '@tsbk/core/ports/codec';
import { pipe } from '@tsbk/core/stream/source';

const MIB = 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;

interface Row {
  readonly title: string;
  readonly stage: () => Promise<ByteStage>;
  /** Makes the input of the stage of the plain file; absent where that is the input. */
  readonly prepare?: readonly string[];
  readonly program?: readonly string[];
  /** Uses the beginning of the data only, where all of it would take minutes. */
  readonly mibMax?: number;
}

interface Measurement {
  readonly ms: number;
  readonly cpuMs: number;
  readonly bytesRead: number;
  readonly bytesMade: number;
  readonly rssMib: number;
}

const LZ4 = ['lz4', '-q', '-1', '-B7', '-BI', '-c'];
const BROTLI = ['brotli', '-q', '3', '-w', '22', '-c'];

const ROWS: readonly Row[] = [
  { title: 'lz4 compress', stage: compressor('lz4'), program: LZ4 },
  {
    title: 'lz4 decompress',
    stage: decompressor('lz4'),
    prepare: LZ4,
    program: ['lz4', '-q', '-dc'],
  },
  {
    title: 'zstd 1 compress',
    stage: compressor('zstd', 1),
    program: ['zstd', '-q', '-1', '-c'],
  },
  {
    title: 'zstd 3 compress',
    stage: compressor('zstd', 3),
    program: ['zstd', '-q', '-3', '-c'],
  },
  {
    title: 'zstd decompress',
    stage: decompressor('zstd'),
    prepare: ['zstd', '-q', '-3', '-c'],
    program: ['zstd', '-q', '-dc'],
  },
  { title: 'zstd decompress, portable', stage: portableZstd, prepare: ['zstd', '-q', '-3', '-c'] },
  { title: 'brotli compress', stage: compressor('brotli'), program: BROTLI },
  {
    title: 'brotli decompress',
    stage: decompressor('brotli'),
    prepare: BROTLI,
    program: ['brotli', '-dc'],
  },
  {
    title: 'gzip decompress',
    stage: decompressor('gzip'),
    prepare: ['gzip', '-c'],
    program: ['gzip', '-dc'],
  },
  {
    title: 'lzma decompress',
    stage: decompressor('lzma'),
    prepare: ['xz', '--format=lzma', '-1', '-c'],
    program: ['xz', '--format=lzma', '-dc'],
    mibMax: 32,
  },
  { title: 'libsodium encrypt', stage: async () => (await cipher()).encrypt },
  { title: 'libsodium both ways', stage: bothWays },
];

const { values } = parseArgs({
  options: {
    file: { type: 'string' },
    mib: { type: 'string', default: '256' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    // How this program calls itself to measure one row.
    row: { type: 'string' },
  },
});

if (values.row === undefined) await compareAll();
else await measureHere(values.row, values.file ?? '');

async function compareAll(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tsbk-bench-'));
  try {
    const plain = values.file ?? join(folder, 'plain');
    if (values.file === undefined) await makeTable(plain, Number(values.mib) * MIB);
    printLine(['', 'MiB/s', 'program', 'ours:program', 'ratio', 'CPU s/GiB', 'RSS MiB']);
    for (const row of ROWS.filter(({ title }) => title.includes(values.only))) {
      const missing = missingProgram(row);
      if (missing === undefined) printLine([row.title, ...(await compare(row, plain, folder))]);
      else printLine([row.title, `needs ${missing}`]);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function compare(row: Row, file: string, folder: string): Promise<string[]> {
  const plain = join(folder, 'part');
  const end = Math.min((await stat(file)).size, (row.mibMax ?? Infinity) * MIB) - 1;
  await pipeline(createReadStream(file, { end }), createWriteStream(plain));
  const input = row.prepare === undefined ? plain : join(folder, 'input');
  if (row.prepare !== undefined) await makeInput([...row.prepare, plain], input);
  const ours: Measurement[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < Number(values.rounds); round += 1) {
    ours.push(measureApart(row.title, input));
    if (row.program !== undefined) theirs.push(timeOf([...row.program, input]));
  }
  return resultOf(ours, theirs, (end + 1) / MIB);
}

function resultOf(
  ours: readonly Measurement[],
  theirs: readonly number[],
  plainMib: number,
): string[] {
  const speed = (ms: number): string => ((plainMib * 1000) / ms).toFixed(0);
  const pairs = theirs.map((ms, i) => ms / (ours[i]?.ms ?? NaN));
  const smaller = median(ours.map(({ bytesRead, bytesMade }) => Math.min(bytesRead, bytesMade)));
  const cpuMs = median(ours.map((one) => one.cpuMs));
  return [
    speed(median(ours.map(({ ms }) => ms))),
    theirs.length === 0 ? '-' : speed(median(theirs)),
    pairs.length === 0 ? '-' : median(pairs).toFixed(2),
    ((plainMib * MIB) / smaller).toFixed(2),
    ((cpuMs / 1000 / plainMib) * 1024).toFixed(2),
    Math.max(...ours.map(({ rssMib }) => rssMib)).toFixed(0),
  ];
}

function measureApart(title: string, input: string): Measurement {
  const self = fileURLToPath(import.meta.url);
  const { status, stdout, stderr } = spawnSync(process.execPath, [
    self,
    `--row=${title}`,
    `--file=${input}`,
  ]);
  if (status !== 0) throw new Error(`${title}: ${stderr.toString()}`);
  return JSON.parse(stdout.toString()) as Measurement;
}

async function measureHere(title: string, input: string): Promise<void> {
  const row = ROWS.find((candidate) => candidate.title === title);
  if (row === undefined) throw new Error(`no row ${title}`);
  const stage = await row.stage();
  let bytesRead = 0;
  let bytesMade = 0;
  const source: ByteSource = createReadStream(input, { highWaterMark: CHUNK_BYTES });
  const counted: ByteStage = async function* (chunks) {
    for await (const chunk of chunks) {
      bytesRead += chunk.length;
      yield chunk;
    }
  };
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  for await (const chunk of pipe(source, counted, stage)) bytesMade += chunk.length;
  const { user, system } = process.cpuUsage(startCpu);
  const measurement: Measurement = {
    ms: performance.now() - startMs,
    cpuMs: (user + system) / 1000,
    bytesRead,
    bytesMade,
    rssMib: process.resourceUsage().maxRSS / 1024,
  };
  console.log(JSON.stringify(measurement));
}

function timeOf([program = '', ...args]: readonly string[]): number {
  const start = performance.now();
  const { status } = spawnSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`${program} failed`);
  return performance.now() - start;
}

async function makeInput([program = '', ...args]: readonly string[], path: string): Promise<void> {
  await using file = await open(path, 'w');
  const { status } = spawnSync(program, args, { stdio: ['ignore', file.fd, 'inherit'] });
  if (status !== 0) throw new Error(`${program} failed`);
}

function missingProgram({ program, prepare }: Row): string | undefined {
  const names = [program?.[0], prepare?.[0]].filter((name) => name !== undefined);
  return names.find((name) => spawnSync(name, ['--version']).error !== undefined);
}

/** Rows of integers, times, texts that repeat and some hashes that do not. */
async function makeTable(path: string, bytes: number): Promise<void> {
  await using file = await open(path, 'w');
  let row = 0;
  for (let written = 0; written < bytes;) {
    const rows: string[] = [];
    for (let i = 0; i < 4000; i += 1, row += 1) rows.push(tableRow(row));
    const page = Buffer.from(rows.join(''), 'latin1').subarray(0, bytes - written);
    written += (await file.write(page)).bytesWritten;
  }
}

function tableRow(row: number): string {
  const hash = createHash('sha256').update(String(row)).digest().toString('latin1', 0, 12);
  const place = ['Oslo', 'Lagos', 'Lima', 'Osaka', 'Quito', 'Turin'][(row * 7919) % 6];
  const due = new Date(1.7e12 + row * 61_000).toISOString();
  return `\0\0\x18\x08\0${row}\t${hash}\t${place}\tcustomer ${row % 5000}\t${due}\topen\n`;
}

function compressor(name: CodecName, zstdLevel?: number): () => Promise<ByteStage> {
  return () => {
    const { compress } = codecByName(name, { zstdLevel });
    if (compress === undefined) throw new TypeError(`${name} cannot be written`);
    return Promise.resolve(compress);
  };
}

function decompressor(name: CodecName): () => Promise<ByteStage> {
  return () => Promise.resolve(codecByName(name).decompress);
}

/** What reads zstd where Node.js cannot. */
async function portableZstd(): Promise<ByteStage> {
  const { zstdDecompressBy } = await import('@tsbk/core/codec/zstd/decompress');
  const { decompressFramePortably } = await import('@tsbk/core/codec/zstd/portable-frame');
  return (source) => zstdDecompressBy(decompressFramePortably, source);
}

function cipher() {
  return libsodiumCipher(new Uint8Array(32).fill(7));
}

async function bothWays(): Promise<ByteStage> {
  const { encrypt, decrypt } = await cipher();
  return (source) => decrypt(encrypt(source));
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

function printLine([title = '', ...cells]: readonly string[]): void {
  console.log(title.padEnd(27) + cells.map((cell) => cell.padStart(13)).join(''));
}
