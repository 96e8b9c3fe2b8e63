// The bundler replaces this by a string literal; run from source, it does not exist.
declare const __TSBK_VERSION__: string | undefined;

/** Version and git commit of this build, `0.1.0+a1b2c3d4e5`; `source` when it was not built. */
export const BUILD = {
  version: typeof __TSBK_VERSION__ === 'string' ? __TSBK_VERSION__ : 'source',
};
