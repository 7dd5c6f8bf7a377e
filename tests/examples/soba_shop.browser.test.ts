import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { type Server, serve, silentLog } from 'sobaya/server';
import { openShop } from './shop.ts';

const CHROMIUM = '/usr/bin/chromium';
const skip = existsSync(CHROMIUM) ? false : `a browser is needed at ${CHROMIUM} (apt-get install chromium)`;

suite('the shop in a real browser', { skip }, () => {
  let server: Server;
  let browser: Browser;
  let remove: () => void = () => {};

  before(async () => {
    const shop = await openShop();
    remove = shop.remove;
    server = await serve(shop.application, { port: 0, log: silentLog });
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
    remove();
  });

  /** A page with its complaints collected: scripts, the content security policy, files that are missing. */
  async function visit(
    path: string,
    options: BrowserContextOptions = {},
  ): Promise<{ page: Page; complaints: string[] } & AsyncDisposable> {
    const context = await browser.newContext({ locale: 'en-US', ...options });
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(`http://127.0.0.1:${server.port}${path}`);
    return { page, complaints, [Symbol.asyncDispose]: () => context.close() };
  }

  test('ordering, with a mistake on the way, by keyboard alone', async () => {
    await using visitor = await visit('/orders/new/?dish=2');
    const { page, complaints } = visitor;
    await page.getByLabel('Your name').focus();
    await page.keyboard.type('Yuki');
    await page.keyboard.press('Tab');
    await page.keyboard.type('99');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').waitFor();
    assert.equal(await page.getByLabel('Your name').inputValue(), 'Yuki');
    assert.equal(await page.getByLabel('Kitsune soba').inputValue(), '1');
    // The link in the summary leads to the field, which is described by its error.
    await page.getByRole('link', { name: 'Table: There are tables 1 to 12.' }).click();
    const table = page.getByLabel('Table');
    assert.equal(await table.getAttribute('aria-invalid'), 'true');
    const described = (await table.getAttribute('aria-describedby'))?.split(' ').at(-1);
    assert.equal(await page.locator(`#${described}`).textContent(), 'There are tables 1 to 12.');
    await table.fill('5');
    await page.keyboard.press('Enter');
    await page.getByRole('status').waitFor();
    assert.match((await page.getByRole('status').textContent()) ?? '', /Thank you, Yuki/);
    await page.getByRole('button', { name: 'Mark as served' }).click();
    await page.locator('.status.served').waitFor();
    assert.deepEqual(
      complaints.filter((text) => !/422/.test(text)),
      [],
    );
  });

  test('the language switch stays where one is', async () => {
    await using visitor = await visit('/orders/');
    const { page, complaints } = visitor;
    await page.getByRole('button', { name: '日本語' }).click();
    await page.waitForURL('**/orders/');
    assert.equal(await page.locator('h1').textContent(), '厨房のようす');
    assert.equal(await page.locator('html').getAttribute('lang'), 'ja');
    await page.getByRole('link', { name: 'お品書き' }).click();
    assert.equal(await page.locator('h1').textContent(), '今朝打ちたてのそば');
    assert.deepEqual(complaints, []);
  });

  test('the chart: bars as long as what they stand for', async () => {
    await using visitor = await visit('/suppliers/');
    const { page, complaints } = visitor;
    const rows = await page.locator('table.totals tbody tr').evaluateAll((all) =>
      all.map((row) => ({
        ms: Number((row.textContent ?? '').match(/([\d,]+) ms/)?.[1]?.replace(',', '')),
        width: row.querySelector('rect')?.getBoundingClientRect().width ?? 0,
      })),
    );
    assert.equal(rows.length, 4);
    const longest = rows.reduce((a, b) => (a.ms > b.ms ? a : b));
    for (const { ms, width } of rows)
      assert.ok(Math.abs(width / longest.width - ms / longest.ms) < 0.01, JSON.stringify(rows));
    assert.deepEqual(complaints, []);
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    test(`text can be read, ${colorScheme}`, async () => {
      for (const path of ['/', '/orders/new/', '/orders/', '/orders/1/', '/suppliers/']) {
        await using visitor = await visit(path, { colorScheme });
        const poor = await visitor.page.evaluate(contrasts);
        assert.deepEqual(poor, [], path);
      }
    });
  }

  test('a narrow screen needs no scrolling sideways; things to touch are large enough', async () => {
    for (const path of ['/', '/orders/new/', '/orders/', '/suppliers/']) {
      await using visitor = await visit(path, { viewport: { width: 320, height: 640 } });
      const { wide, small } = await visitor.page.evaluate(() => {
        const { document } = globalThis as unknown as { document: BrowserDocument };
        return {
          wide: document.documentElement.scrollWidth,
          small: [...document.querySelectorAll('button, .button, nav a, input:not([type=hidden])')]
            .map((element) => element.getBoundingClientRect())
            .filter(({ width, height }) => width < 24 || height < 24).length,
        };
      });
      assert.ok(wide <= 320, `${path} is ${wide} wide`);
      assert.equal(small, 0, path);
    }
  });

  test('the skip link is the first thing a keyboard meets', async () => {
    await using visitor = await visit('/');
    await visitor.page.keyboard.press('Tab');
    const focused = visitor.page.locator(':focus');
    assert.equal(await focused.textContent(), 'Skip to the content');
    assert.ok(((await focused.boundingBox())?.y ?? -1) >= 0, 'it is in sight');
  });
});

interface BrowserElement {
  readonly childNodes: Iterable<{ readonly nodeType: number; readonly textContent: string | null }>;
  readonly parentElement: BrowserElement | null;
  getBoundingClientRect(): { readonly width: number; readonly height: number };
}
interface BrowserDocument {
  readonly documentElement: { readonly scrollWidth: number };
  querySelectorAll(selector: string): Iterable<BrowserElement>;
}

/** In the page: texts whose contrast is below 4.5 (WCAG 1.4.3). */
function contrasts(): string[] {
  const { document, getComputedStyle } = globalThis as unknown as {
    document: BrowserDocument;
    getComputedStyle: (element: BrowserElement) => {
      color: string;
      backgroundColor: string;
      fontSize: string;
    };
  };
  type Color = [number, number, number, number];
  const parse = (text: string): Color => {
    const numbers = (text.match(/[\d.]+/g) ?? []).map(Number);
    const scale = text.startsWith('color(') ? 255 : 1;
    const [r = 0, g = 0, b = 0, a = 1] = numbers;
    return [r * scale, g * scale, b * scale, a];
  };
  const over = (top: Color, below: Color): Color => {
    const mix = (i: 0 | 1 | 2): number => top[i] * top[3] + below[i] * (1 - top[3]);
    return [mix(0), mix(1), mix(2), 1];
  };
  const backgroundOf = (element: BrowserElement | null): Color => {
    if (element === null) return [255, 255, 255, 1];
    const color = parse(getComputedStyle(element).backgroundColor);
    return color[3] === 1 ? color : over(color, backgroundOf(element.parentElement));
  };
  const luminance = ([r, g, b]: Color): number => {
    const part = (value: number): number => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    };
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const poor: string[] = [];
  for (const element of document.querySelectorAll('body *')) {
    const text = [...element.childNodes].find(
      (node) => node.nodeType === 3 && node.textContent?.trim(),
    )?.textContent;
    if (!text) continue;
    const background = backgroundOf(element);
    const a = luminance(over(parse(getComputedStyle(element).color), background)) + 0.05;
    const b = luminance(background) + 0.05;
    const ratio = Math.max(a, b) / Math.min(a, b);
    if (ratio < 4.5) poor.push(`${text.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return [...new Set(poor)];
}
