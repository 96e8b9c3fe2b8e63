/** Width that help is set in, whatever the terminal: lines longer than this are hard to read. */
export const HELP_COLUMNS = 88;

/** Breaks text at spaces so that no line is longer than `columns`, unless a word is. */
export function wrap(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).filter((one) => one !== '')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return line === '' ? lines : [...lines, line];
}

/** Terms on the left, their explanation on the right, both wrapped; long terms get a line of their own. */
export function definitions(
  entries: readonly (readonly [term: string, text: string])[],
  {
    indent = 2,
    termColumns = 26,
  }: { readonly indent?: number; readonly termColumns?: number } = {},
): string {
  const left = indent + termColumns;
  return entries
    .map(([term, text]) => {
      const [first = '', ...more] = wrap(text, HELP_COLUMNS - left);
      const fits = term.length + 2 <= termColumns;
      const head = `${' '.repeat(indent)}${fits ? term.padEnd(termColumns) : `${term}\n${' '.repeat(left)}`}`;
      return [
        `${head}${first}`.trimEnd(),
        ...more.map((line) => `${' '.repeat(left)}${line}`),
      ].join('\n');
    })
    .join('\n');
}

/** A paragraph, wrapped and indented. */
export function paragraph(text: string, indent = 0): string {
  return wrap(text, HELP_COLUMNS - indent)
    .map((line) => `${' '.repeat(indent)}${line}`)
    .join('\n');
}
