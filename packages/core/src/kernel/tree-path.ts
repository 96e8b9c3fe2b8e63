/**
 * Path of a file below a data directory, one character a byte: file names are bytes, and two
 * names that differ in bytes must never meet in one key. `/`-separated, neither leading nor
 * trailing slash; empty for the directory itself. `format/tree-path` makes them.
 */
export type TreePath = string & { readonly __brand: 'TreePath' };
