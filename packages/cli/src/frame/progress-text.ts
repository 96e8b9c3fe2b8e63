import { formatDuration } from '@tsbk/core/kernel/duration';
import { formatSize } from '@tsbk/core/kernel/size';
import type { Reading } from './gauge.ts';

const BAR_COLUMNS_MAX = 40;

/** `copy: 1.2 GiB of 3.4 GiB, 35 %, 210.0 MiB/s, 10.5 s left` */
export function progressLine(reading: Reading): string {
  return `${reading.phase}: ${facts(reading).join(', ')}`;
}

/**
 * The same with a bar, in so many columns at most: `copy [#####-----] 1.2 GiB of …`. Without a
 * total there is nothing to draw; what does not fit is cut off.
 */
export function progressBar(reading: Reading, columns: number): string {
  const text = facts(reading).join(', ');
  // Always the same on one terminal, so that it does not jump.
  const width = Math.min(Math.floor(columns / 4), BAR_COLUMNS_MAX);
  const fits = reading.phase.length + width + text.length + ' [] '.length <= columns;
  if (reading.percent === undefined || !fits) return progressLine(reading).slice(0, columns);
  const done = Math.floor((width * reading.percent) / 100);
  return `${reading.phase} [${'#'.repeat(done)}${'-'.repeat(width - done)}] ${text}`;
}

function facts({ bytes, totalBytes, percent, bytesPerSecond, msLeft }: Reading): string[] {
  const done = formatSize(bytes);
  return [
    totalBytes === undefined ? done : `${done} of ${formatSize(totalBytes)}`,
    ...(percent === undefined ? [] : [`${percent} %`]),
    ...(bytesPerSecond === undefined ? [] : [`${formatSize(Math.round(bytesPerSecond))}/s`]),
    ...(msLeft === undefined ? [] : [`${formatDuration(msLeft)} left`]),
  ];
}
