import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTsbkError } from '../kernel/errors.ts';
import { authGuard } from './auth-guard.ts';
import type { Frame } from './frame-reader.ts';

const OK = request(0);
const PASSWORD = request(3);
const MD5 = request(5, 'salt');
const SCRAM = request(10, 'SCRAM-SHA-256\0\0');
const SCRAM_PLUS = request(10, 'SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0');
const CONTINUE = request(11, 'r=');
const FINAL = request(12, 'v=');

describe('authGuard', () => {
  it('allows everything when nothing is required', () => {
    for (const frames of [[OK], [PASSWORD, OK], [MD5, OK], [SCRAM, CONTINUE, FINAL, OK]]) {
      passes({}, frames);
    }
  });

  it('lets SCRAM with channel binding over TLS pass when that is required', () => {
    passes({ channelBinding: 'require' }, [SCRAM_PLUS, CONTINUE, FINAL, OK]);
  });

  for (const [what, frames] of [
    ['trust', [OK]],
    ['a password in the clear', [PASSWORD]],
    ['MD5', [MD5]],
    ['SCRAM without channel binding', [SCRAM]],
    ['an end of SCRAM without the server’s proof', [SCRAM_PLUS, OK]],
  ] as const) {
    it(`refuses ${what} where channel binding is required`, () => {
      refuses({ channelBinding: 'require' }, frames);
    });
  }

  it('refuses channel binding that is offered without TLS', () => {
    refuses({ channelBinding: 'require', encrypted: false }, [SCRAM_PLUS]);
  });

  it('holds the server to the methods that are listed', () => {
    passes({ requireAuth: 'md5, scram-sha-256' }, [SCRAM, CONTINUE, FINAL, OK]);
    refuses({ requireAuth: 'md5,scram-sha-256' }, [PASSWORD]);
    refuses({ requireAuth: 'scram-sha-256' }, [OK]);
    passes({ requireAuth: 'none' }, [OK]);
  });

  it('keeps the server from the methods that are excluded', () => {
    passes({ requireAuth: '!password,!md5' }, [SCRAM, CONTINUE, FINAL, OK]);
    refuses({ requireAuth: '!password,!md5' }, [MD5]);
    refuses({ requireAuth: '!none' }, [OK]);
  });
});

function request(code: number, rest = ''): Frame {
  const head = Buffer.alloc(4);
  head.writeInt32BE(code);
  return { type: 'R', body: Buffer.concat([head, Buffer.from(rest)]) };
}

type Rules = Partial<Parameters<typeof authGuard>[0]>;

function passes(rules: Rules, frames: readonly Frame[]): void {
  const check = authGuard({ channelBinding: 'prefer', encrypted: true, ...rules });
  for (const frame of frames) check(frame);
}

function refuses(rules: Rules, frames: readonly Frame[]): void {
  assert.throws(
    () => passes(rules, frames),
    (error) => isTsbkError(error, 'server-denied'),
  );
}
