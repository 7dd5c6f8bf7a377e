/** Writes a project of many models and queries, to measure what the types cost: 10 fields per model, 20 models per file. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export function generate(folder: string, models: number, queries: number): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const PER_FILE = 20;
  const file = (i: number): string => `app${Math.floor(i / PER_FILE)}`;
  const imports = (used: Iterable<number>, except = ''): string => {
    const by = new Map<string, number[]>();
    for (const i of new Set(used)) if (file(i) !== except) by.set(file(i), [...(by.get(file(i)) ?? []), i]);
    return [...by]
      .map(([name, list]) => `import { ${list.map((i) => `M${i}`).join(', ')} } from './${name}.ts';\n`)
      .join('');
  };
  // Model i points to i*7+1; so the model that points to i as `a` is the inverse.
  let inverse = 1;
  while ((inverse * 7) % models !== 1) inverse++;
  for (let f = 0; f * PER_FILE < models; f++) {
    const used: number[] = [];
    let body = '';
    for (let i = f * PER_FILE; i < Math.min(models, (f + 1) * PER_FILE); i++) {
      const a = (i * 7 + 1) % models;
      const b = (i * 13 + 5) % models;
      const kids = (((i - 1 + models) % models) * inverse) % models;
      used.push(a, b, kids);
      body += `export class M${i} extends Model({ name: text(), email: text({ unique: true }), age: integer({ null: true }), score: integer({ default: 0 }), active: boolean({ default: true }), created: dateTime({ autoNow: true }), f${i}: text({ null: true }),
  get a() { return foreignKey(M${a}); }, get b() { return foreignKey(M${b}, { null: true }); }, get kids() { return many(M${kids}, 'a'); } }) { label() { return this.name + ${i}; } }\n`;
    }
    writeFileSync(
      join(folder, `app${f}.ts`),
      `import { boolean, dateTime, foreignKey, integer, Model, many, text } from 'sobaya/db';\n${imports(used, `app${f}`)}${body}`,
    );
  }
  for (let f = 0; f * 50 < queries; f++) {
    const used: number[] = [];
    let body = '';
    for (let q = f * 50; q < Math.min(queries, (f + 1) * 50); q++) {
      const i = (q * 17 + 3) % models;
      used.push(i);
      const M = `M${i}`;
      body += `export async function q${q}(x: number, s: string) {\n  ${
        [
          `const r = await ${M}.filter({ name__icontains: s, a__age__gt: x, a__b__name: s }).orderBy('-created', 'a__name').limit(50); return r.map((y) => y.label() + y.aId);`,
          `const r = await ${M}.filter({ score__gte: x }).values('name', 'age', 'a__name', 'b__email'); return r.map((y) => y.a__name.length + (y.age ?? 0));`,
          `const r = await ${M}.all().selectRelated('a', 'b').filter({ f${i}: s }); return r.map((y) => y.a.label() + (y.b?.email ?? ''));`,
          `const r = await ${M}.all().annotate({ n: Count('kids') }).filter({ n__gt: x, active: true }).orderBy('-n'); return r.map((y) => y.n + y.label().length);`,
          `const m = await ${M}.create({ name: s, email: s, a: x }); const r = await ${M}.all().prefetchRelated('kids').filter({ id__in: [m.id, x] }); return r.flatMap((y) => [...y.kids].map((k) => k.label()));`,
        ][q % 5]
      }\n}\n`;
    }
    writeFileSync(join(folder, `q${f}.ts`), `import { Count } from 'sobaya/db';\n${imports(used)}${body}`);
  }
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        strict: true,
        target: 'esnext',
        module: 'nodenext',
        moduleResolution: 'nodenext',
        lib: ['esnext'],
        types: ['node'],
        customConditions: ['sobaya:source'],
        allowImportingTsExtensions: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: true,
        noEmit: true,
      },
      include: ['*.ts'],
    }),
  );
}
