import { TsbkError } from '../kernel/errors.ts';
import { boolean } from './kinds.ts';
import { nearest } from './nearest.ts';
import { settingFlag, settingFlags } from './settings-flag.ts';

/** A long option of one command; with `value` it takes one, without it is a switch. */
export interface FlagSpec {
  /** Without the dashes: `target-time`. */
  readonly name: string;
  /** One letter: `p` for `-p`. */
  readonly short?: string;
  /** How help calls the value: `TIME`. */
  readonly value?: string;
  readonly repeatable?: boolean;
  readonly doc: string;
  /**
   * An option of WAL-G's that tsbk has no use for: `ignored` where the result is right without it,
   * `refused` where it would not be. `doc` says why.
   */
  readonly walg?: 'ignored' | 'refused';
}

/** A command line, taken apart. */
export interface Argv {
  readonly positionals: readonly string[];
  readonly flags: GivenFlags;
  /** Options that set settings, by their name without dashes. */
  readonly settings: Readonly<Record<string, string>>;
  /** Whether `-h` or `--help` is among the options. */
  readonly help: boolean;
  /** Options of WAL-G's that were given and change nothing. */
  readonly ignored: readonly FlagSpec[];
}

/** The options of a command that were given. */
export interface GivenFlags {
  /** Whether a switch is on; `undefined` if it was not given. */
  on(name: string): boolean | undefined;
  /** The value of an option. */
  text(name: string): string | undefined;
  /** The values of an option that may be repeated. */
  all(name: string): readonly string[];
}

/**
 * Takes a command line apart: `--x value`, `--x=value`, `-x value`, `-xvalue`, `-ab` for two
 * switches, `--` before what is no option. Options and arguments may be mixed. Every setting is an
 * option, too, in our spelling and in WAL-G's (`--walg-s3-prefix`). Throws `usage`, with the nearest
 * option for one that nobody knows; messages never quote a value, which may be a secret.
 */
export function parseArgv(args: readonly string[], flags: readonly FlagSpec[]): Argv {
  const line = new CommandLine(args, flags);
  for (let arg = line.next(); arg !== undefined; arg = line.next()) {
    if (arg === '--') line.restArePositionals();
    else if (!arg.startsWith('-') || arg === '-') line.positionals.push(arg);
    else if (arg.startsWith('--')) line.takeLong(arg);
    else line.takeShort(arg);
  }
  return {
    positionals: line.positionals,
    flags: givenFlags(line.values),
    settings: Object.fromEntries(line.settings),
    help: line.help,
    ignored: flags.filter(({ name, walg }) => walg === 'ignored' && line.values.has(name)),
  };
}

/** The state of one pass over the arguments. */
class CommandLine {
  readonly positionals: string[] = [];
  readonly values = new Map<string, readonly string[]>();
  readonly settings = new Map<string, string>();
  help = false;
  readonly #rest: string[];
  readonly #flags: readonly FlagSpec[];

  constructor(args: readonly string[], flags: readonly FlagSpec[]) {
    this.#rest = [...args];
    this.#flags = flags;
  }

  next(): string | undefined {
    return this.#rest.shift();
  }

  restArePositionals(): void {
    this.positionals.push(...this.#rest.splice(0));
  }

  takeLong(arg: string): void {
    const [, name = '', attached] = /^--([^=]*)(?:=(.*))?$/s.exec(arg) ?? [];
    const spec = this.#flags.find((flag) => flag.name === name);
    if (spec !== undefined) this.#take(spec, `--${name}`, attached);
    else if (name === 'help') this.help = true;
    else this.#takeSetting(name, attached);
  }

  takeShort(arg: string): void {
    for (let letters = arg.slice(1); letters !== ''; letters = letters.slice(1)) {
      const letter = letters.slice(0, 1);
      const spec = this.#flags.find((flag) => flag.short === letter);
      if (spec === undefined && letter === 'h') {
        this.help = true;
      } else if (spec === undefined) {
        throw new TsbkError('usage', `-${letter} is no option here`);
      } else if (spec.value === undefined) {
        this.#take(spec, `-${letter}`, undefined);
      } else {
        const attached = letters.slice(1).replace(/^=/, '');
        this.#take(spec, `-${letter}`, attached === '' ? undefined : attached);
        return;
      }
    }
  }

  #take(spec: FlagSpec, shown: string, attached: string | undefined): void {
    const value = spec.value === undefined ? (attached ?? 'true') : this.#value(shown, attached);
    if (spec.value === undefined && !boolean.parse(value).ok) {
      throw new TsbkError('usage', `${shown} is a switch: =true or =false at most`);
    }
    if (spec.walg === 'refused') {
      throw new TsbkError('unsupported-setting', `${shown} cannot be obeyed: ${spec.doc}`);
    }
    const before = this.values.get(spec.name);
    if (before !== undefined && spec.value !== undefined && spec.repeatable !== true) {
      throw new TsbkError('usage', `${shown} is given twice`);
    }
    this.values.set(spec.name, [...(before ?? []), value]);
  }

  #takeSetting(name: string, attached: string | undefined): void {
    const kind = settingFlag(name);
    if (kind === undefined) throw this.#unknown(name);
    if (this.settings.has(name)) throw new TsbkError('usage', `--${name} is given twice`);
    const value = kind === 'switch' ? (attached ?? 'true') : this.#value(`--${name}`, attached);
    this.settings.set(name, value);
  }

  #value(shown: string, attached: string | undefined): string {
    const value = attached ?? this.next();
    if (value !== undefined && value !== '') return value;
    throw new TsbkError('usage', `${shown} needs a value`);
  }

  #unknown(name: string): TsbkError {
    const known = [...this.#flags.map((flag) => flag.name), 'help', ...settingFlags()];
    const suggestion = nearest(name, known);
    return new TsbkError('usage', `--${name} is no option here`, {
      hint: suggestion === undefined ? undefined : `Did you mean --${suggestion}?`,
    });
  }
}

function givenFlags(values: ReadonlyMap<string, readonly string[]>): GivenFlags {
  return {
    on: (name) => {
      const last = values.get(name)?.at(-1);
      const parsed = last === undefined ? undefined : boolean.parse(last);
      return parsed?.ok === true ? parsed.value : undefined;
    },
    text: (name) => values.get(name)?.at(-1),
    all: (name) => values.get(name) ?? [],
  };
}
