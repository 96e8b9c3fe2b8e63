import type { JsonContainer, JsonEvents, JsonScalar } from '../format/json-stream.ts';
import { readJson } from '../format/json-stream.ts';
import { stringifyJson } from '../format/json.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { filesMetadataKey } from '../repository/layout.ts';
import type { Repository, RunOptions } from '../repository/repository.ts';
import type { Spool, SpooledText } from '../stream/spool.ts';

/**
 * How the databases and tables of a backup are called (`DatabasesByNames`), as the backup's list has it:
 * the members of that object, in `spool`. `undefined` if it says nothing. Throws `record-invalid`.
 */
export async function copyNames(
  repository: Repository,
  backup: string,
  { spool, signal }: RunOptions & { readonly spool: Spool },
): Promise<SpooledText | undefined> {
  const what = filesMetadataKey(backup);
  const blob = await repository.store.get(what, { signal });
  if (blob === undefined) return undefined;
  const copied = spool.text();
  const events = new NamesCopy();
  let isEmpty = true;
  const flush = async (): Promise<void> => {
    const text = events.take();
    if (text === '') return;
    isEmpty = false;
    await copied.append(text);
  };
  // What one chunk has said is put away before the next one is read.
  async function* document(body: ByteSource): ByteSource {
    for await (const chunk of body) {
      yield chunk;
      await flush();
    }
  }
  await readJson(document(blob.body), { what, events });
  await flush();
  await copied.end();
  return isEmpty ? undefined : copied;
}

/** Depth of the section's own object, which is not copied itself. */
const SECTION = 2;

/** Writes again what it hears of one section. */
class NamesCopy implements JsonEvents {
  #text = '';
  #depth = 0;
  #isIn = false;
  /** Of the open objects and arrays of the section: what ends them. */
  readonly #ends: string[] = [];
  /** Whether something stands before what comes next in the innermost of them. */
  #needsComma = false;
  #isAfterKey = false;

  take(): string {
    const text = this.#text;
    this.#text = '';
    return text;
  }

  open(kind: JsonContainer): void {
    this.#depth += 1;
    if (!this.#isIn || this.#depth <= SECTION) return;
    this.#write(kind === 'object' ? '{' : '[');
    this.#ends.push(kind === 'object' ? '}' : ']');
    this.#needsComma = false;
  }

  close(): void {
    this.#depth -= 1;
    if (!this.#isIn || this.#depth < SECTION) return;
    this.#text += this.#ends.pop() ?? '';
    this.#needsComma = true;
  }

  key(name: string): void {
    if (this.#depth < SECTION) this.#isIn = name.toLowerCase() === 'databasesbynames';
    else if (this.#isIn) {
      this.#write(`${JSON.stringify(name)}:`);
      this.#isAfterKey = true;
    }
  }

  value(value: JsonScalar): void {
    if (!this.#isIn || this.#depth < SECTION) return;
    this.#write(stringifyJson(value));
    this.#needsComma = true;
  }

  #write(text: string): void {
    if (this.#needsComma && !this.#isAfterKey) this.#text += ',';
    this.#isAfterKey = false;
    this.#text += text;
  }
}
