// What a user of the published package writes; run and type-checked by scripts/check-package.ts.
import { gather, sleep } from 'sobaya/asyncio';

const [a, b] = await gather(
  async () => {
    await sleep(1);
    return 1;
  },
  async () => 'two',
);
const sum: string = `${a.toFixed(0)} ${b.toUpperCase()}`;
if (sum !== '1 TWO') throw new Error(sum);
