export interface TableOptions {
  /** Lines between head and body and around it, as a person likes them. */
  readonly boxed: boolean;
  /** Columns of numbers, by their title: they end at the same place. */
  readonly right?: ReadonlySet<string>;
}

/** Rows under a head, columns as wide as their widest cell. No line ends in a space. */
export function renderTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { boxed, right }: TableOptions,
): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const cells = (row: readonly string[]): string[] =>
    widths.map((width, column) => {
      const text = row[column] ?? '';
      return right?.has(head[column] ?? '') === true ? text.padStart(width) : text.padEnd(width);
    });
  if (!boxed) return [head, ...rows].map((row) => cells(row).join(' ').trimEnd()).join('\n');
  const line = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+`;
  const text = (row: readonly string[]): string => `| ${cells(row).join(' | ')} |`;
  return [line, text(head), line, ...rows.map(text), line].join('\n');
}
