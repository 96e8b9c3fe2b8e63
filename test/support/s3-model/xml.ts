import { S3Failure } from './failure.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';

type Child = string | undefined;

/** `<name>…</name>` around children that are elements already. */
export function element(name: string, ...children: readonly Child[]): string {
  return `<${name}>${children.join('')}</${name}>`;
}

/** `<name>text</name>`, or nothing for no text. */
export function text(name: string, value: string | number | boolean | undefined): Child {
  if (value === undefined) return undefined;
  const escaped = String(value).replaceAll(/[&<>"]/g, (character) => ESCAPES[character] ?? '');
  return element(name, escaped);
}

/** A whole document. */
export function xmlDocument(name: string, ...children: readonly Child[]): Buffer {
  const root = `<${name} xmlns="${NAMESPACE}">${children.join('')}</${name}>`;
  return Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${root}`);
}

/** The document of an error. */
export function errorDocument(failure: S3Failure, resource: string): Buffer {
  const children = [
    text('Code', failure.code),
    text('Message', failure.message),
    text('Resource', resource),
    text('RequestId', 'MODEL'),
  ];
  return Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${element('Error', ...children)}`);
}

/** The contents of each `<name>` in a request's body. The model knows only flat documents. */
export function elementsOf(document: string, name: string): string[] {
  const found = document.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'gs'));
  return [...found].map((match) => match[1] ?? '');
}

/** The text of the first `<name>`. */
export function textOf(document: string, name: string): string | undefined {
  const raw = elementsOf(document, name)[0];
  return raw
    ?.replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll(/&#x?([0-9A-Fa-f]+);/g, (entity, digits: string) =>
      String.fromCodePoint(Number.parseInt(digits, entity.startsWith('&#x') ? 16 : 10)),
    )
    .replaceAll('&amp;', '&');
}

/** The body as text; throws `MalformedXML` unless it has this root element. */
export function documentOf(body: Buffer, root: string): string {
  const document = body.toString();
  if (document.includes(`<${root}`) && document.trimEnd().endsWith(`</${root}>`)) return document;
  throw new S3Failure(400, 'MalformedXML', `the body is no ${root}`);
}
