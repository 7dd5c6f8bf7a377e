import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Browser, chromium, type Page } from 'playwright-core';
import { gather } from 'sobaya/asyncio';
import { type Server, serve } from 'sobaya/server';
import { span, xray } from 'sobaya/xray';
import { pagesApp } from './applications.ts';
import { api, database, view } from './programs.ts';

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const skip = existsSync(executablePath)
  ? false
  : `no browser at ${executablePath} (apt-get install chromium)`;

const nasty = `<img src=x onerror="window.owned=1"><script>window.owned=1</script>`;

describe('the page, in Chromium', { skip }, () => {
  let server: Server;
  let browser: Browser;
  let page: Page;
  const problems: string[] = [];
  const app = xray(
    pagesApp({
      '/orders/': () =>
        view('orders', async () => {
          await database.query('select * from user', [], [], 15);
          await api('/weather', 25);
        }),
      '/nasty/': () =>
        view(nasty, async () => {
          await span(nasty, () => database.query(`select "${nasty}" from t`, [nasty], [], 2));
          await api(`/${nasty}`, 1);
        }),
      '/many/': () =>
        gather(
          ...Array.from({ length: 50 }, () => async () => {
            for (let i = 0; i < 49; i++) await span(`step ${i}`, () => api(`/x/${i}`, 0));
          }),
        ),
    }),
    { debug: true, blame: false },
  );

  before(async () => {
    server = await serve(app, { port: 0 });
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
    page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    page.on('dialog', () => problems.push('a dialog opened'));
  });

  after(async () => {
    await browser?.close();
    await server?.close();
    await app.stop();
  });

  const open = async (path: string): Promise<void> => {
    await fetch(`${server.url}${path}`);
    const slip = page.locator('a.slip', { hasText: path.split('?')[0] ?? path }).first();
    await slip.click();
    await page.waitForSelector('.board canvas');
  };

  test('requests appear while the page is open, and open with their hints and drawing', async () => {
    await page.goto(`${server.url}/__xray__/`);
    await page.waitForSelector('.live[data-state=on]');
    await open('/orders/');
    assert.match((await page.locator('h1').textContent()) ?? '', /GET.*\/orders\//);
    await page.getByText(/^2 waits in a row: \d+ ms → about \d+ ms with gather$/).waitFor();
    assert.equal(await page.locator('.change pre').count(), 2, 'the change to make');
    assert.match(
      (await page.locator('.hint a.site').first().getAttribute('href')) ?? '',
      /^vscode:\/\/file\/.*page\.test\.ts:\d+:\d+$/,
    );
    assert.deepEqual(problems, []);
  });

  test('what a request brings along is shown as text and runs nothing', async () => {
    await open(`/nasty/?${nasty.replaceAll(' ', '+')}`);
    await page.locator('.board canvas').focus();
    for (const key of ['ArrowRight', 'ArrowRight', 'ArrowRight', 'End', 'Enter'])
      await page.keyboard.press(key);
    assert.ok((await page.locator('.selected').textContent())?.includes('<img'), 'shown as it came');
    assert.equal(await page.evaluate('window.owned'), undefined);
    assert.equal(await page.locator('main img, main script').count(), 0);
    assert.deepEqual(problems, []);
  });

  test('5,000 spans: drawn and zoomed quickly, with few elements', async () => {
    await open('/many/');
    // Not waitForFunction: it evaluates text, which the page's policy refuses, and says so on the console.
    await page.locator('h1', { hasText: '/many/' }).waitFor();
    await page.locator('.board canvas').focus();
    for (const key of ['+', '+', '-', 'PageDown', '0', 'ArrowDown', 'ArrowDown'])
      await page.keyboard.press(key);
    const elements = (await page.evaluate("document.querySelectorAll('*').length")) as number;
    assert.ok(elements < 1500, `${elements} elements`);
    assert.match((await page.locator('.selected').textContent()) ?? '', /time/);
    assert.deepEqual(problems, []);
  });

  test('filters, keys, themes, the kitchen', async () => {
    await page.goto(`${server.url}/__xray__/`);
    await page.waitForSelector('a.slip');
    const all = await page.locator('a.slip').count();
    await page.keyboard.press('/');
    await page.keyboard.type('orders');
    assert.equal(await page.locator('a.slip').count(), 1);
    await page.keyboard.press('Escape');
    await page.locator('#search').fill('');
    assert.equal(await page.locator('a.slip').count(), all);
    await page.locator('#search').blur();
    await page.keyboard.press('j');
    await page.waitForSelector('.board canvas');
    const theme = (): Promise<unknown> => page.evaluate('document.documentElement.dataset.theme');
    const was = await theme();
    await page.keyboard.press('t');
    assert.notEqual(await theme(), was);
    await page.keyboard.press('g');
    await page.getByText('One cook, many orders').waitFor();
    await page.keyboard.press('?');
    await page.getByText('next and previous request').waitFor();
    await page.keyboard.press('Escape');
    assert.deepEqual(problems, []);
  });

  test('two requests side by side', async () => {
    await page.goto(`${server.url}/__xray__/`);
    await open('/orders/');
    await page.getByRole('button', { name: 'Compare' }).click();
    await page.locator('a.slip', { hasText: '/nasty/' }).first().click();
    await page.getByText('What is different').waitFor();
    assert.equal(await page.locator('.board canvas').count(), 2);
    assert.deepEqual(problems, []);
  });

  test('a file goes out and comes back; another file is refused in words', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'xray-'));
    try {
      const exported = await (await fetch(`${server.url}/__xray__/api/export`)).text();
      await writeFile(join(folder, 'good.json'), exported);
      await writeFile(join(folder, 'bad.json'), '{"format":"other"}');
      await page.goto(`${server.url}/__xray__/`);
      await page.locator('#import').setInputFiles(join(folder, 'good.json'));
      await page.waitForSelector('.board canvas');
      assert.match(page.url(), /#\/file-1-/);
      await page.locator('#import').setInputFiles(join(folder, 'bad.json'));
      await page.getByText('bad.json is no x-ray recording: it has no "format": "sobaya-xray".').waitFor();
      assert.deepEqual(problems, []);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('prints on white, whole', async () => {
    await page.goto(`${server.url}/__xray__/`);
    await open('/orders/');
    await page.emulateMedia({ media: 'print' });
    assert.equal(await page.locator('aside').isVisible(), false);
    assert.ok((await page.pdf()).byteLength > 5000);
    await page.emulateMedia({ media: 'screen' });
  });
});
