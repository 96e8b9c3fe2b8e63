const HIDDEN = '***';

/**
 * A value that must not reach a log, an error message, JSON or `util.inspect`. Only `reveal()`
 * gives it out, so that `grep reveal` lists every place that handles a secret in the clear.
 */
export class Secret<T = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return HIDDEN;
  }
}
