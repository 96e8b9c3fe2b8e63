/** An element of an answer: what is in it, or its text. Attributes mean nothing to us. */
export interface XmlElement {
  /** Without the prefix of a namespace. */
  readonly name: string;
  readonly children: readonly XmlElement[];
  /** The text directly in it, decoded. */
  readonly text: string;
}

interface Open {
  readonly tag: string;
  readonly children: XmlElement[];
  text: string;
}

/** A comment, an instruction, a section of plain characters, a tag, or what is between those. */
const TOKEN =
  /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!\[CDATA\[([\s\S]*?)\]\]>|<(\/?)([A-Za-z_][\w.:-]*)((?:"[^"]*"|'[^']*'|[^"'<>])*?)(\/?)>|([^<]+)/gy;
/** Deeper than any answer of S3. */
const DEPTH_MAX = 16;

/**
 * Reads the XML that S3 answers with; `undefined` for whatever is not one element, whole: a page of a
 * proxy, an answer that was cut. It knows no document types, so that there is nothing to expand.
 */
export function parseXml(text: string): XmlElement | undefined {
  const tree = new Tree();
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [all, plain, slash, tag, , empty, words] = match;
    end = match.index + all.length;
    if (tag === undefined) tree.say(plain ?? decoded(words ?? ''));
    else if (!(slash === '/' ? tree.close(tag) : tree.open(tag, empty === '/'))) return undefined;
  }
  return end === text.length ? tree.root() : undefined;
}

/** The elements that are open at a place of the text, and what they have so far. */
class Tree {
  readonly #open: Open[] = [{ tag: '', children: [], text: '' }];

  say(text: string): void {
    const inner = this.#open.at(-1);
    if (inner !== undefined) inner.text += text;
  }

  /** `false` for what is deeper than it can be. */
  open(tag: string, isEmpty: boolean): boolean {
    const begun = { tag, children: [], text: '' };
    if (isEmpty) this.#open.at(-1)?.children.push(closed(begun));
    else this.#open.push(begun);
    return this.#open.length <= DEPTH_MAX;
  }

  /** `false` for the end of an element that is not the inmost one. */
  close(tag: string): boolean {
    const inner = this.#open.at(-1);
    if (inner === undefined || this.#open.length === 1 || inner.tag !== tag) return false;
    this.#open.pop();
    this.#open.at(-1)?.children.push(closed(inner));
    return true;
  }

  /** The only element there is, if it is closed and nothing stands beside it. */
  root(): XmlElement | undefined {
    const [outside, ...left] = this.#open;
    if (outside === undefined || left.length > 0 || outside.text.trim() !== '') return undefined;
    return outside.children.length === 1 ? outside.children[0] : undefined;
  }
}

/** The text of the first child of that name. */
export function textIn({ children }: XmlElement, name: string): string | undefined {
  return children.find((child) => child.name === name)?.text;
}

/** All children of that name. */
export function childrenOf({ children }: XmlElement, name: string): XmlElement[] {
  return children.filter((child) => child.name === name);
}

/** Text as it stands in an element. */
export function encodeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function closed({ tag, children, text }: Open): XmlElement {
  return { name: tag.slice(tag.indexOf(':') + 1), children, text };
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  amp: '&',
  quot: '"',
  apos: "'",
};

function decoded(text: string): string {
  if (!text.includes('&')) return text;
  return text.replaceAll(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (all, decimal, hex, name) => {
    if (decimal !== undefined) return character(Number.parseInt(`${decimal}`, 10), all);
    if (hex !== undefined) return character(Number.parseInt(`${hex}`, 16), all);
    return ENTITIES[`${name}`] ?? all;
  });
}

function character(code: number, otherwise: string): string {
  return code <= 0x10ffff ? String.fromCodePoint(code) : otherwise;
}
