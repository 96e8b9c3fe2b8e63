import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { parseSegment } from '@tsbk/core/kernel/wal-file';
import { giveToServerUser, scratchPath } from '../support/postgres.ts';

/** Size of the segments of all servers here. */
const SEGMENT_BYTES = 1024 * 1024;

/**
 * What a script around the push writes down, so that the judgement rests on nothing of tsbk or of
 * the server: the SHA-256 of each file before it is pushed, and its name after the push said 0.
 */
export interface Evidence {
  /** Shell text of `archive_command`. */
  readonly archiveCommand: string;
  /** Names of files that were acknowledged. */
  acknowledged(): ReadonlySet<string>;
  /** SHA-256 of each file that was offered. */
  offered(): ReadonlyMap<string, string>;
  /** Pushes that were begun so far. */
  attempts(): number;
  /** Pushes that ended so far with another code than 0. */
  failures(): number;
  /** The next push runs with `TSBK_FAILPOINT`. */
  arm(failpoint: string): void;
  /** Failpoints that a push has met so far. */
  met(): number;
  /** No push meets a failpoint any more. */
  disarm(): void;
}

/** `push` is shell text with the path in `$1` and the name in `$2`. */
export function collectEvidence(push: string): Evidence {
  const folder = scratchPath('evidence');
  for (const each of [folder, join(folder, 'sums')]) mkdirSync(each, { mode: 0o700 });
  const script = join(folder, 'archive.sh');
  writeFileSync(script, scriptAround(folder, push), { mode: 0o700 });
  giveToServerUser(folder);
  const failpoint = join(folder, 'failpoint');
  const lines = (name: string): string[] => {
    const path = join(folder, name);
    return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
  };
  return {
    archiveCommand: `${script} %p %f`,
    acknowledged: () => new Set(lines('acknowledged')),
    offered: () => {
      const sums = readdirSync(join(folder, 'sums'));
      const known = sums.map((name) => [name, oneSum(name, lines(join('sums', name)))] as const);
      // The script may be killed before it has a sum.
      return new Map(known.filter(([, sum]) => sum !== ''));
    },
    attempts: () => lines('attempts').length,
    failures: () => lines('failed').length,
    arm: (text) => {
      // Whole or not at all: a push may look for it at this moment.
      writeFileSync(`${failpoint}.new`, `${text}\n`);
      renameSync(`${failpoint}.new`, failpoint);
    },
    met: () => lines('met').length,
    disarm: () => rmSync(failpoint, { force: true }),
  };
}

/** The armed failpoint is taken by one push alone: a rename has one winner. */
function scriptAround(folder: string, push: string): string {
  return `#!/bin/sh
set -u
echo "$2" >> ${folder}/attempts
sha256sum < "$1" | cut -c 1-64 >> ${folder}/sums/$2
if mv ${folder}/failpoint ${folder}/failpoint.$$ 2>/dev/null; then
  read -r TSBK_FAILPOINT < ${folder}/failpoint.$$
  rm ${folder}/failpoint.$$
  export TSBK_FAILPOINT
  echo "$2" >> ${folder}/met
fi
${push}
code=$?
if [ $code -eq 0 ]; then echo "$2" >> ${folder}/acknowledged; else echo "$2" >> ${folder}/failed; fi
exit $code
`;
}

/** A server offers a file again after a crash, and must offer the same. */
function oneSum(name: string, sums: readonly string[]): string {
  const distinct = new Set(sums.filter((sum) => sum.length === 64));
  if (distinct.size > 1) throw new Error(`the server offered different contents of ${name}`);
  return [...distinct][0] ?? '';
}

/**
 * Up to where the acknowledged segments reach without a hole, from the segment `first` on: all WAL
 * before this position is promised to be in the repository. Throws if one is acknowledged beyond a
 * hole, because PostgreSQL archives in order.
 */
export function acknowledgedUpTo(names: ReadonlySet<string>, first: string): bigint {
  const numbers = [...names]
    .flatMap((name) => parseSegment(name, SEGMENT_BYTES)?.number ?? [])
    .sort((a, b) => (a < b ? -1 : 1));
  let next = parseSegment(first, SEGMENT_BYTES)?.number ?? 0n;
  for (const number of numbers.filter((each) => each >= next)) {
    if (number !== next) throw new Error(`segment ${next} is not acknowledged, but ${number} is`);
    next += 1n;
  }
  return next * BigInt(SEGMENT_BYTES);
}
