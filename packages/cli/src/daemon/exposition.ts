/** One number, with what distinguishes it from its siblings. */
export interface Sample {
  /** What a histogram appends to its name. */
  readonly suffix?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric by one name. Without samples it is left out. */
export interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly samples: readonly Sample[];
}

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** The text format of Prometheus, 0.0.4 (prometheus.io, "Exposition formats"). */
export function exposition(families: readonly Family[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, type, help, samples }) => {
      const head = `# HELP ${name} ${escape(help, /[\\\n]/g)}\n# TYPE ${name} ${type}\n`;
      return head + samples.map((sample) => `${name}${line(sample)}\n`).join('');
    })
    .join('');
}

function line({ suffix = '', labels = {}, value }: Sample): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escape(text, /[\\\n"]/g)}"`);
  const braces = pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
  return `${suffix}${braces} ${value}`;
}

function escape(text: string, special: RegExp): string {
  return text.replace(special, (found) => (found === '\n' ? '\\n' : `\\${found}`));
}
