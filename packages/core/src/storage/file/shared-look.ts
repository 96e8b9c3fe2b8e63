/**
 * One look for all who ask for the same path in one turn of the event loop: each costs several trips to
 * the thread pool, and who archives a segment looks at seven places of it at once. It begins in
 * that turn, so nobody is given what was true before he asked, or waits for a look that hangs since.
 */
export function sharedLook<T>(look: (path: string) => Promise<T>): (path: string) => Promise<T> {
  const begun = new Map<string, Promise<T>>();
  return (path) => {
    const shared = begun.get(path);
    if (shared !== undefined) return shared;
    const mine = look(path);
    begun.set(path, mine);
    setImmediate(() => begun.delete(path));
    return mine;
  };
}
