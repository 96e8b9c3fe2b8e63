import { TsbkError } from '../kernel/errors.ts';

/** One message of the server: its type letter and what follows the length. */
export interface Frame {
  readonly type: string;
  /** Lent until the next frame is asked for if this is COPY data; else it belongs to the caller. */
  readonly body: Buffer;
}

/** The most a frame may hold unless the caller says otherwise. Servers send 32 KiB, WAL 128 KiB. */
export const FRAME_BYTES_MAX = 16 * 1024 * 1024;

const HEADER_BYTES = 5;
const COPY_DATA = 'd';
const NOTHING = Buffer.alloc(0);

/**
 * Cuts a stream of bytes into messages, `Byte1 type, Int32 length (itself included), body`, one
 * each time it is asked. Holds one chunk, and for a frame across chunks as many as it spans: a
 * length is believed only up to a limit and never allocated in advance.
 */
export class FrameReader {
  readonly #pull: () => Promise<Buffer | undefined>;
  #rest: Buffer = NOTHING;

  /**
   * `pull` gives the next bytes, lent until it is called again, `undefined` at the end; what it throws
   * passes through.
   */
  constructor(pull: () => Promise<Buffer | undefined>) {
    this.#pull = pull;
  }

  /**
   * The next message, `undefined` if the stream ends before it begins. Throws `connection-lost` if
   * it ends inside, `protocol-violation` for a length that is negative or over `bytesMax`.
   */
  async next(bytesMax: number = FRAME_BYTES_MAX): Promise<Frame | undefined> {
    const header = await this.#take(HEADER_BYTES);
    if (header.length === 0) return undefined;
    if (header.length < HEADER_BYTES) throw cutOff();
    const type = String.fromCharCode(header.readUInt8(0));
    const bytes = header.readInt32BE(1) - 4;
    if (bytes < 0 || bytes > bytesMax) {
      throw new TsbkError(
        'protocol-violation',
        `the server announced a message of type ${JSON.stringify(type)} with ${bytes} bytes`,
        {
          hint: 'Is this really a PostgreSQL server, with nothing in between that alters the stream?',
        },
      );
    }
    const body = await this.#take(bytes);
    if (body.length < bytes) throw cutOff();
    return { type, body: type === COPY_DATA ? body : Buffer.from(body) };
  }

  /** Exactly `bytes` bytes; fewer only at the end of the stream. */
  async #take(bytes: number): Promise<Buffer> {
    if (this.#rest.length >= bytes) return this.#cut(bytes);
    const pieces: Buffer[] = [];
    let missing = bytes;
    while (missing > 0) {
      if (this.#rest.length === 0) {
        const chunk = await this.#pull();
        if (chunk === undefined) break;
        this.#rest = chunk;
      }
      // A copy: the next pull may change the chunk.
      const piece = Buffer.from(this.#cut(Math.min(missing, this.#rest.length)));
      pieces.push(piece);
      missing -= piece.length;
    }
    return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
  }

  #cut(bytes: number): Buffer {
    const piece = this.#rest.subarray(0, bytes);
    this.#rest = this.#rest.subarray(bytes);
    return piece;
  }
}

/** The bytes of a frame as they were on the wire. */
export function encodeFrame(frame: Frame): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(frame.type, 'latin1');
  header.writeInt32BE(frame.body.length + 4, 1);
  return Buffer.concat([header, frame.body]);
}

function cutOff(): TsbkError {
  return new TsbkError('connection-lost', 'the connection ended inside a message of the server', {
    hint: 'See the log of the PostgreSQL server for why it closed the connection.',
  });
}
