import { TsbkError } from '../kernel/errors.ts';
import type { ByteSource } from '../ports/bytes.ts';
import { asRefusal } from './incremental-refusal.ts';
import type { ServerMessage } from './messages.ts';
import { unexpected, type ReplicationSession } from './replication-session.ts';
import { serverError } from './server-error.ts';

const COMMAND = 'UPLOAD_MANIFEST';
const MAJOR_WITH_INCREMENTALS = 17;

/**
 * Gives the session the manifest of an earlier backup, against which its next BASE_BACKUP can be
 * incremental. The server parses as it reads and may refuse before it has everything, so its answer
 * is awaited while the manifest is sent. Throws `delta-refused`, `parent-refused` and what `manifest`
 * throws. After any error the session must be closed: a manifest that an earlier call gave it would still count.
 */
export async function uploadManifest(
  session: ReplicationSession,
  manifest: ByteSource,
): Promise<void> {
  if (session.version.major < MAJOR_WITH_INCREMENTALS) {
    throw new TsbkError(
      'delta-refused',
      `PostgreSQL ${session.version.major} makes no incremental backups`,
      { hint: 'They came with version 17.' },
    );
  }
  await session.send(COMMAND);
  const first = await session.next();
  if (first.kind === 'error') throw asRefusal(serverError(COMMAND, first.notice));
  if (first.kind !== 'copy-in') throw unexpected(COMMAND, first.kind);
  const answer = await sendAll(session, manifest);
  if (answer.kind === 'error') throw asRefusal(serverError(COMMAND, answer.notice));
  if (answer.kind !== 'complete') throw unexpected(COMMAND, answer.kind);
  await session.readToReady(COMMAND);
}

/** Sends until the end or until the server has answered, and gives its answer. */
async function sendAll(session: ReplicationSession, manifest: ByteSource): Promise<ServerMessage> {
  let isAnswered = false;
  const answer = session.next().finally(() => {
    isAnswered = true;
  });
  // It is awaited below, or the session is closed and this with it.
  answer.catch(() => undefined);
  for await (const chunk of manifest) {
    if (isAnswered) return await answer;
    await session.sendCopyData(chunk).catch((error: unknown) => overruled(answer, error));
  }
  if (!isAnswered) {
    await session.sendCopyDone().catch((error: unknown) => overruled(answer, error));
  }
  return await answer;
}

/** A server that says why it closes the connection says more than the broken write. */
async function overruled(answer: Promise<ServerMessage>, error: unknown): Promise<void> {
  const said = await answer.catch(() => undefined);
  if (said?.kind !== 'error') throw error;
}
