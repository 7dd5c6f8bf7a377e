/** Turns what a database calls things into what the program calls them; filled in by the room's models. */
export interface Named {
  readonly model: string;
  readonly fields: readonly string[];
}
let resolve: (table: string, columns: readonly string[]) => Named = (table, columns) => ({
  model: table,
  fields: columns,
});
export function setNaming(fn: typeof resolve): void {
  resolve = fn;
}
export function named(table: string, columns: readonly string[]): Named {
  return resolve(table, columns);
}
