import { TsbkError } from '../../kernel/errors.ts';

/** Longest name of one file or directory on the file systems PostgreSQL runs on (`NAME_MAX`). */
const COMPONENT_BYTES_MAX = 255;
const LEADING = /^(?:\.?\/)+/;

/**
 * The path of a tar member below the directory it is unpacked into, `/`-separated: leading `/` and
 * `./` and one trailing `/` are stripped. Throws `unsafe-name` for all that could lead elsewhere
 * or cannot be a file: `..`, `.` and empty components, NUL, components of more than 255 bytes. A
 * backslash is a byte like any other. The directory itself, which WAL-G's archives hold as `/`,
 * has no path below itself: ask `isRootName` first.
 *
 * A name that is safe says nothing of what is on the disk: whoever writes must not follow links.
 */
export function safeMemberPath(name: string): string {
  return safePath(name, (part) => Buffer.byteLength(part));
}

/** The same for the bytes of a name that is not valid UTF-8. */
export function safeRawMemberPath(rawName: Uint8Array): Uint8Array {
  // One character a byte: nothing is lost, and what has a meaning in a path is ASCII.
  const path = safePath(Buffer.from(rawName).toString('latin1'), (part) => part.length);
  return Buffer.from(path, 'latin1');
}

/** Whether a name means the very directory that is unpacked into: `/` (WAL-G) or `./` (GNU tar). */
export function isRootName(name: string): boolean {
  return name !== '' && name.replace(LEADING, '') === '';
}

/**
 * The target of a symbolic link, if it stays below the directory that is unpacked into wherever
 * else links lead: it is relative and only begins with `..`, no more often than `memberPath` has
 * parents. (A later `..` may start from where another link leads.) Throws `unsafe-name`. Links to
 * tablespaces lead outside by design; they are made from the backup's record and not from here.
 */
export function safeLinkTarget(memberPath: string, target: string): string {
  const parts = target.split('/');
  const isUp = parts.map((part) => part === '..');
  const ups = isUp.includes(false) ? isUp.indexOf(false) : isUp.length;
  const parents = memberPath.split('/').length - 1;
  const isBelow = ups <= parents && !isUp.includes(true, ups);
  if (isBelow && target !== '' && !target.startsWith('/') && !target.includes('\0')) return target;
  throw new TsbkError(
    'unsafe-name',
    `link ${JSON.stringify(memberPath)} leads to ${JSON.stringify(target)}, outside the directory to restore into`,
    {
      hint: 'PostgreSQL keeps no such links but those to tablespaces. Find out who wrote this archive.',
    },
  );
}

function safePath(name: string, bytesOf: (part: string) => number): string {
  const path = name.replace(LEADING, '').replace(/\/$/, '');
  if (path.includes('\0')) throw unsafe(name, 'holds a NUL byte');
  for (const part of path.split('/')) {
    if (part === '' || part === '.') throw unsafe(name, 'has an empty part');
    if (part === '..') throw unsafe(name, 'leads upwards');
    if (bytesOf(part) > COMPONENT_BYTES_MAX) {
      throw unsafe(name, `has a part of more than ${COMPONENT_BYTES_MAX} bytes`);
    }
  }
  return path;
}

function unsafe(name: string, problem: string): TsbkError {
  return new TsbkError('unsafe-name', `the name ${JSON.stringify(name.slice(0, 300))} ${problem}`, {
    hint: 'No backup tool writes such names. Find out who wrote this archive.',
  });
}
