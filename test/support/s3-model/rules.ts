import type { S3Request } from './request.ts';

/** What goes wrong. Those of the first group happen instead of the work, the others to its answer. */
export type Fault =
  | { readonly kind: 'delay'; readonly ms: number }
  /** The connection is closed, without an answer. */
  | { readonly kind: 'drop' }
  | { readonly kind: 'reset' }
  /** The connection is reset when half of the body has come. */
  | { readonly kind: 'half-request' }
  /** No answer ever. */
  | { readonly kind: 'hang' }
  /** The body is taken from the line at this pace only. */
  | { readonly kind: 'slow-intake'; readonly bytesPerTick: number }
  | { readonly kind: 'status'; readonly status: number; readonly code: string }
  /** Something else answers: a proxy's page. */
  | { readonly kind: 'foreign-page'; readonly status: number }
  | { readonly kind: 'kill'; readonly pid: number }
  /** 200 with an error in the body, after white space, as for a long completion. */
  | { readonly kind: 'error-in-200'; readonly code: string }
  /** The answer is that of success, but nothing is stored. */
  | { readonly kind: 'swallow' }
  /** The work is done, the answer is lost. */
  | { readonly kind: 'lost-answer' }
  | { readonly kind: 'kill-after'; readonly pid: number }
  | { readonly kind: 'empty-answer' }
  /** Half of the body; with the whole one's length announced, or with none. */
  | { readonly kind: 'cut-answer'; readonly announced: boolean }
  | { readonly kind: 'corrupt-answer' }
  /** Half of the body, and then a byte now and then. */
  | { readonly kind: 'trickle' }
  /** Headers that a proxy took away. */
  | { readonly kind: 'strip-headers'; readonly names: readonly string[] };

export interface Rule {
  /** `PutObject`, `UploadPart`, … */
  readonly operation?: string;
  readonly method?: string;
  readonly key?: RegExp;
  readonly part?: number;
  /** The first matching request that it happens to, from 1. Default 1. */
  readonly hit?: number;
  /** How many from there on. Default 1. */
  readonly times?: number;
  readonly fault: Fault;
}

export interface RuleBook {
  add(rule: Rule): void;
  clear(): void;
  /** Requests that met a fault so far. */
  struck(): number;
  /** The fault for this request, counting it. */
  faultFor(request: S3Request): Fault | undefined;
}

export function createRuleBook(): RuleBook {
  let struck = 0;
  let rules: { readonly rule: Rule; hits: number }[] = [];
  return {
    add: (rule) => {
      rules.push({ rule, hits: 0 });
    },
    clear: () => {
      rules = [];
    },
    struck: () => struck,
    faultFor: (request) => {
      let fault: Fault | undefined;
      for (const entry of rules.filter(({ rule }) => matches(rule, request))) {
        entry.hits += 1;
        const { hit = 1, times = 1 } = entry.rule;
        if (entry.hits >= hit && entry.hits < hit + times) fault ??= entry.rule.fault;
      }
      if (fault !== undefined) struck += 1;
      return fault;
    },
  };
}

function matches({ operation, method, key, part }: Rule, request: S3Request): boolean {
  return (
    (operation === undefined || operation === request.operation) &&
    (method === undefined || method === request.method) &&
    (key === undefined || key.test(request.key)) &&
    (part === undefined || String(part) === request.query.get('partNumber'))
  );
}
