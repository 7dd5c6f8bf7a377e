/** What runs in the threads of cases/sync.ts. */
export const add = (a: number, b: number): number => a + b;
/** The same, in the shape that piscina calls. */
export default ({ a, b }: { a: number; b: number }): number => a + b;
