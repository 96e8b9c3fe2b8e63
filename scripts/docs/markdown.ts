/** A table of Markdown, unpadded, so that a changed cell changes one line. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), `|${head.map(() => ' --- ').join('|')}|`, ...rows.map(line)].join('\n');
}

/** A vertical bar would end the cell, a line break the row. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

/** `text` as code. */
export function code(text: string): string {
  return `\`${text}\``;
}

/** Sections with an empty line between them, and the note that nobody should edit the page. */
export function page(source: string, sections: readonly string[]): string {
  const note = `<!-- Made from ${source} by \`npm run docs\`: change it there. -->`;
  return `${[note, ...sections].join('\n\n')}\n`;
}
