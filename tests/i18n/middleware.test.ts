import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApp, HttpResponse, path } from 'sobaya';
import { getLanguage, locale, setLanguage } from 'sobaya/i18n';
import { Client } from 'sobaya/test';

const spoken = { languages: ['en', 'ja'] } as const;
const application = createApp({
  urls: [path('', () => new HttpResponse(getLanguage())), path('language/', setLanguage(spoken))],
  middleware: [locale(spoken)],
});

test('the language is negotiated, and caches are told', async () => {
  await using client = new Client(application);
  for (const [header, language] of [
    ['ja-JP,ja;q=0.9', 'ja'],
    ['fr', 'en'],
    ['', 'en'],
  ] as const) {
    const response = await client.get('/', { headers: { 'accept-language': header } });
    assert.equal(response.text, language);
    assert.equal(response.headers.get('content-language'), language);
    assert.equal(response.headers.get('vary'), 'Accept-Language, Cookie');
  }
});

test('a choice is remembered, and goes back only to this site', async () => {
  await using client = new Client(application);
  const chosen = await client.post('/language/', { form: { language: 'ja', next: '/orders/?a=1' } });
  assert.equal(chosen.status, 303);
  assert.equal(chosen.headers.get('location'), '/orders/?a=1');
  assert.equal((await client.get('/', { headers: { 'accept-language': 'en' } })).text, 'ja');
  await client.post('/language/', { form: { language: 'xx' } });
  assert.equal((await client.get('/')).text, 'ja');
  for (const next of ['https://evil.test/', '//evil.test/', '/\\evil.test', 'javascript:alert(1)']) {
    const response = await client.post('/language/', { form: { language: 'en', next } });
    assert.equal(response.headers.get('location'), '/', next);
  }
});
