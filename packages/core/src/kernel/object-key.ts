import { TsbkError } from './errors.ts';

/**
 * Whether `key` can name an object in every store: well-formed Unicode, `/`-separated, no leading
 * or trailing slash, no empty, `.` or `..` component and no control character.
 */
export function isObjectKey(key: string): boolean {
  if (!key.isWellFormed() || hasControlCharacter(key)) return false;
  return key.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

/** Throws `unsafe-name` unless `isObjectKey(key)`. */
export function checkObjectKey(key: string): void {
  if (isObjectKey(key)) return;
  throw new TsbkError('unsafe-name', `${JSON.stringify(key)} cannot be the name of an object`);
}

/** Throws `unsafe-name` unless `prefix` is empty or an object key with one `/` at its end. */
export function checkKeyPrefix(prefix: string): void {
  if (prefix === '' || (prefix.endsWith('/') && isObjectKey(prefix.slice(0, -1)))) return;
  throw new TsbkError('unsafe-name', `${JSON.stringify(prefix)} cannot be the name of a folder`);
}

/** Orders keys as their UTF-8 bytes, which is how S3 lists them. */
export function compareKeys(left: string, right: string): number {
  const shorter = Math.min(left.length, right.length);
  for (let index = 0; index < shorter; index += 1) {
    const a = left.charCodeAt(index);
    const b = right.charCodeAt(index);
    if (a !== b) return codePointRank(a) - codePointRank(b);
  }
  return left.length - right.length;
}

function hasControlCharacter(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit < 0x20 || unit === 0x7f) return true;
  }
  return false;
}

/** UTF-16 puts surrogates (U+10000 and above) before U+E000…U+FFFF, UTF-8 after them. */
function codePointRank(unit: number): number {
  if (unit >= 0xe000) return unit - 0x800;
  return unit >= 0xd800 ? unit + 0x2000 : unit;
}
