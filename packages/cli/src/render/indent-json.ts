/**
 * Lays JSON text out over lines. It works on the text, so that 64-bit integers keep every digit,
 * which `JSON.stringify` with an indent would round.
 */
export function indentJson(json: string, spaces: number): string {
  let text = '';
  let depth = 0;
  const line = (): string => `\n${' '.repeat(spaces * depth)}`;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}:,]|[^\s"[\]{}:,]+/g)) {
    if (token === '{' || token === '[') {
      depth += 1;
      text += token + line();
    } else if (token === '}' || token === ']') {
      depth -= 1;
      text = /[[{]\s*$/.test(text) ? text.trimEnd() + token : text + line() + token;
    } else if (token === ',') text += `,${line()}`;
    else text += token === ':' ? ': ' : token;
  }
  return text;
}
