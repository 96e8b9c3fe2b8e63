import { formatInstant, parseInstant, type Instant } from '../kernel/instant.ts';
import { asObject, integerField, optionalField, stringField } from '../format/json-fields.ts';
import { stringifyJson, type JsonValue } from '../format/json.ts';
import { claimKey } from './layout.ts';
import { readRecord } from './read-record.ts';
import type { Repository, RunOptions } from './repository.ts';

/** What tells one process from every other one that ever ran, on a system that says so. */
export interface ProcessMark {
  readonly pid: number;
  /** When it began, in the kernel's clock ticks since boot: process numbers are used again. */
  readonly startTicks: string;
  /** Which boot of which kernel. */
  readonly bootId: string;
  /** In which the number counts: each container has its own. */
  readonly pidNamespace: string;
}

/** Who holds the name of a backup that is being made. */
export interface Claimant {
  /** Id of the run. */
  readonly run: string;
  readonly host: string;
  readonly process?: ProcessMark | undefined;
}

export interface Claim extends Claimant {
  readonly started: Instant | undefined;
}

/** The content of a claim. */
export function claimText({ run, host, process }: Claimant, started: Instant): string {
  const holder = process === undefined ? {} : { process: { ...process } };
  return stringifyJson({ run, host, started: formatInstant(started), ...holder });
}

/** The claim on a backup name, `undefined` if nobody holds it. Throws `record-invalid`. */
export async function readClaim(
  repository: Repository,
  backup: string,
  { signal }: RunOptions,
): Promise<Claim | undefined> {
  const key = claimKey(backup);
  const record = await readRecord(repository, key, { signal });
  if (record === undefined) return undefined;
  const object = asObject(record, key);
  return {
    run: stringField(object, 'run', key),
    host: stringField(object, 'host', key),
    started: parseInstant(stringField(object, 'started', key)),
    process: processOf(optionalField(object, 'process'), key),
  };
}

function processOf(value: JsonValue | undefined, key: string): ProcessMark | undefined {
  if (value === undefined) return undefined;
  const object = asObject(value, key);
  return {
    pid: integerField(object, 'pid', key),
    startTicks: stringField(object, 'startTicks', key),
    bootId: stringField(object, 'bootId', key),
    pidNamespace: stringField(object, 'pidNamespace', key),
  };
}
