import { TsbkError } from '../kernel/errors.ts';

/** How the text of a key becomes its bytes (`WALG_LIBSODIUM_KEY_TRANSFORM`). */
export type KeyTransform = 'none' | 'hex' | 'base64';

export const KEY_BYTES = 32;
const TEXT_BYTES_MIN = 25;

const RULES: Readonly<Record<KeyTransform, (text: string) => Uint8Array | undefined>> = {
  none: fromText,
  hex: fromHex,
  base64: fromBase64,
};

const EXPECTED: Readonly<Record<KeyTransform, string>> = {
  none: `at least ${TEXT_BYTES_MIN} bytes of text`,
  hex: '64 hexadecimal digits (32 bytes)',
  base64: '44 characters of base64 with padding (32 bytes)',
};

/**
 * The 32 bytes of a libsodium key, by exactly WAL-G's rules, which accept the same texts. The text
 * is taken as it is: who reads it from a file trims it. Throws `usage`; the message never shows
 * the key.
 */
export function libsodiumKey(text: string, transform: KeyTransform): Uint8Array {
  const key = RULES[transform](text);
  if (key !== undefined) return key;
  throw new TsbkError('usage', `the libsodium key is not ${EXPECTED[transform]}`, {
    hint: `WALG_LIBSODIUM_KEY_TRANSFORM is ${transform}. Make a key with: openssl rand -hex 32, and set it to hex.`,
  });
}

/** What is longer than a key is cut, what is shorter is filled up with zeros. */
function fromText(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length < TEXT_BYTES_MIN) return undefined;
  const key = new Uint8Array(KEY_BYTES);
  key.set(bytes.subarray(0, KEY_BYTES));
  return key;
}

function fromHex(text: string): Uint8Array | undefined {
  return /^[0-9a-fA-F]{64}$/.test(text) ? new Uint8Array(Buffer.from(text, 'hex')) : undefined;
}

/** WAL-G's decoder skips line ends wherever they are. */
function fromBase64(text: string): Uint8Array | undefined {
  const joined = text.replaceAll(/[\r\n]/g, '');
  if (!/^[A-Za-z0-9+/]{43}=$/.test(joined)) return undefined;
  return new Uint8Array(Buffer.from(joined, 'base64'));
}
