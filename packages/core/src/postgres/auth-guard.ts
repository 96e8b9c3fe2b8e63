import { TsbkError } from '../kernel/errors.ts';
import type { ChannelBinding } from './connection-settings.ts';
import type { Frame } from './frame-reader.ts';

/** Codes of an authentication request (PostgreSQL docs, "Message Formats", `R`). */
const METHODS: ReadonlyMap<number, string> = new Map([
  [3, 'password'],
  [5, 'md5'],
  [7, 'gss'],
  [9, 'sspi'],
  [10, 'scram-sha-256'],
]);
const AUTH_OK = 0;
const SASL = 10;
const SASL_FINAL = 12;

/**
 * Watches the server's authentication requests before anything answers them, and throws
 * `server-denied` for what `channel_binding=require` or `require_auth` rule out: a server that
 * cannot prove that it knows the password may be somebody in between who wants it.
 */
export function authGuard(rules: {
  readonly channelBinding: ChannelBinding;
  readonly requireAuth?: string | undefined;
  readonly encrypted: boolean;
}): (frame: Frame) => void {
  let method = 'none';
  let proven = false;
  return (frame) => {
    if (frame.type !== 'R' || frame.body.length < 4) return;
    const code = frame.body.readInt32BE(0);
    method = METHODS.get(code) ?? method;
    if (code === SASL_FINAL) proven = true;
    if (code !== AUTH_OK && !METHODS.has(code)) return;
    const bound = rules.encrypted && (code === AUTH_OK ? proven : offersBinding(frame, code));
    if (rules.channelBinding === 'require' && !bound) {
      throw refused(method, 'PGCHANNELBINDING=require');
    }
    if (!isAllowed(method, rules.requireAuth)) {
      throw refused(method, `PGREQUIREAUTH=${rules.requireAuth}`);
    }
  };
}

/** `pg` takes the mechanism with channel binding whenever it is offered over TLS. */
function offersBinding(frame: Frame, code: number): boolean {
  return code === SASL && frame.body.includes('SCRAM-SHA-256-PLUS\0');
}

/** `a,b` allows only these, `!a,!b` all but these. */
function isAllowed(method: string, requireAuth: string | undefined): boolean {
  const words = (requireAuth ?? '').split(',').map((word) => word.trim());
  const listed = words.filter((word) => word !== '');
  if (listed.length === 0) return true;
  const negated = listed.every((word) => word.startsWith('!'));
  return negated ? !listed.includes(`!${method}`) : listed.includes(method);
}

function refused(method: string, rule: string): TsbkError {
  return new TsbkError(
    'server-denied',
    `the server uses the authentication method ${method}, which ${rule} does not allow here`,
    { hint: 'Use hostssl and scram-sha-256 in pg_hba.conf, or relax the setting.' },
  );
}
