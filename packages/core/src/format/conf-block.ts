import { asBuffer } from '../stream/collect.ts';
import { quoteConfValue } from './postgres-conf.ts';

export interface ConfBlock {
  /** Settings of the block, in this order. No block is written without any. */
  readonly settings: readonly (readonly [name: string, value: string])[];
  /** Settings that must not be left elsewhere in the file. Those of the block never are. */
  readonly remove: readonly string[];
}

const BEGIN = '# tsbk begin';
const END = '# tsbk end';
const BEGIN_LINE = `${BEGIN}: written by a restore and replaced by the next one`;
const SET = /^[ \t\r]*([A-Za-z_][\w.]*)/;

/**
 * The text of `postgresql.auto.conf` with its marked block replaced, or one added at the end, and
 * all else left byte for byte.
 *
 * Lines that set the same names elsewhere go: ALTER SYSTEM rewrites the file without its comments,
 * so that the settings of an earlier block stay and their markers do not. A recovery target left
 * like that would end the next restore early.
 */
export function replaceConfBlock(content: Uint8Array, block: ConfBlock): Uint8Array {
  const names = [...block.settings.map(([name]) => name), ...block.remove];
  const removed = new Set(names.map((name) => name.toLowerCase()));
  // One character a byte, because the file may be in any encoding.
  const kept = linesOutsideBlock(asBuffer(content).toString('latin1')).filter((line) => {
    const name = SET.exec(line)?.[1];
    return name === undefined || !removed.has(name.toLowerCase());
  });
  const before = Buffer.from(kept.map((line) => `${line}\n`).join(''), 'latin1');
  if (block.settings.length === 0) return before;
  const settings = block.settings.map(([name, value]) => `${name} = ${quoteConfValue(value)}`);
  return Buffer.concat([before, Buffer.from([BEGIN_LINE, ...settings, END, ''].join('\n'))]);
}

/** Of a block without an end only the first line goes: it would take everything after it. */
function linesOutsideBlock(text: string): readonly string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  let blockEnd = -1;
  return lines.filter((line, index) => {
    if (index > blockEnd && line.startsWith(BEGIN)) {
      const end = lines.findIndex((other, at) => at > index && other.startsWith(END));
      blockEnd = Math.max(index, end);
    }
    return index > blockEnd;
  });
}
