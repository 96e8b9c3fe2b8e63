import { parseSize } from '../kernel/size.ts';
import { accept, reject, type Kind } from './kinds.ts';

const MIB = 1024 ** 2;

/** Bytes of a WAL segment: a power of two from 1 MiB to 1 GiB. A plain number counts MiB, as in WAL-G. */
export const segmentSize: Kind<number> = {
  name: 'MiB, or size with unit',
  parse: (text) => {
    const bytes = /^\d+$/.test(text) ? Number(text) * MIB : parseSize(text);
    const possible =
      bytes !== undefined &&
      bytes >= MIB &&
      bytes <= 1024 * MIB &&
      Number.isInteger(Math.log2(bytes));
    return possible ? accept(bytes) : reject('a power of two from 1MiB to 1GiB');
  },
  format: (value) => `${value / MIB}MiB`,
};
