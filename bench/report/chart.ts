import { escapeHtml } from './escape-html.ts';

/** One bar: its parts lie end to end. */
export interface Bar {
  readonly label: string;
  readonly parts: readonly { readonly value: number; readonly kind: BarKind }[];
  /** Smallest and largest value of all rounds, drawn as a line. */
  readonly range?: readonly [number, number] | undefined;
  readonly text: string;
}

/** Names of colours in the page's style. */
export type BarKind = 'ours' | 'theirs' | 'limit' | 'server' | 'store';

export interface Chart {
  readonly title: string;
  /** What is better, for example "less is better". */
  readonly hint: string;
  readonly bars: readonly Bar[];
}

const WIDTH = 440;
const LABEL_WIDTH = 116;
const TEXT_WIDTH = 70;
const ROW_HEIGHT = 24;
const BAR_HEIGHT = 14;
const HEAD_HEIGHT = 26;

/** Horizontal bars as a drawing in SVG, coloured by the page that holds it. */
export function renderChart({ title, hint, bars }: Chart): string {
  const height = HEAD_HEIGHT + bars.length * ROW_HEIGHT;
  const largest = Math.max(...bars.map((bar) => Math.max(lengthOf(bar), bar.range?.[1] ?? 0)));
  const perUnit = largest > 0 ? (WIDTH - LABEL_WIDTH - TEXT_WIDTH) / largest : 0;
  const rows = bars.map((bar, i) => renderBar(bar, HEAD_HEIGHT + i * ROW_HEIGHT, perUnit));
  return [
    `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeHtml(title)}">`,
    `<text class="title" x="0" y="13">${escapeHtml(title)}</text>`,
    `<text class="hint" x="${WIDTH}" y="13" text-anchor="end">${escapeHtml(hint)}</text>`,
    ...rows,
    '</svg>',
  ].join('\n');
}

function renderBar(bar: Bar, top: number, perUnit: number): string {
  const middle = top + ROW_HEIGHT / 2;
  const drawn = [`<text x="0" y="${middle + 4}">${escapeHtml(bar.label)}</text>`];
  let x = LABEL_WIDTH;
  for (const { value, kind } of bar.parts) {
    const width = Math.max(0, value * perUnit);
    const y = middle - BAR_HEIGHT / 2;
    drawn.push(
      `<rect class="${kind}" x="${round(x)}" y="${y}" width="${round(width)}" height="${BAR_HEIGHT}"/>`,
    );
    x += width;
  }
  if (bar.range !== undefined) {
    const [from, to] = bar.range.map((value) => round(LABEL_WIDTH + value * perUnit));
    drawn.push(`<line class="range" x1="${from}" x2="${to}" y1="${middle}" y2="${middle}"/>`);
  }
  const end = Math.max(x, LABEL_WIDTH + (bar.range?.[1] ?? 0) * perUnit);
  drawn.push(
    `<text class="value" x="${round(end + 6)}" y="${middle + 4}">${escapeHtml(bar.text)}</text>`,
  );
  return drawn.join('');
}

function lengthOf({ parts }: Bar): number {
  return parts.reduce((sum, { value }) => sum + value, 0);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
