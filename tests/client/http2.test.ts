import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { gather } from 'sobaya/asyncio';
import { AsyncClient, ClientTimeoutError, ClientTransportError } from 'sobaya/client';

function makeCertificate(): { key: Buffer; cert: Buffer } | null {
  const folder = mkdtempSync(join(tmpdir(), 'sobaya-cert-'));
  try {
    const args =
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost';
    execFileSync(
      'openssl',
      [
        ...args.split(' '),
        ...['-addext', 'subjectAltName=DNS:localhost'],
        ...['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')],
      ],
      { stdio: 'ignore' },
    );
    return { key: readFileSync(join(folder, 'key.pem')), cert: readFileSync(join(folder, 'cert.pem')) };
  } catch {
    return null;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const certificate = makeCertificate();
const skip = certificate === null ? 'openssl is needed to make a certificate' : false;

suite('HTTP/2 and TLS', { skip }, () => {
  let server: Http2SecureServer;
  let url: string;
  let sessions = 0;
  const { key, cert } = certificate ?? { key: '', cert: '' };

  before(async () => {
    server = createSecureServer({ key, cert, allowHTTP1: true }, (request, response) => {
      if (request.url !== '/never') response.end(`${request.httpVersion} ${request.url}`);
    });
    server.on('session', () => sessions++);
    await new Promise<void>((resolve) => server.listen(0, resolve));
    url = `https://localhost:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.close();
  });

  test('many requests share few connections', async () => {
    await using client = new AsyncClient({ baseUrl: url, http2: true, tls: { ca: cert } });
    const requests = Array.from({ length: 30 }, (_, i) => () => client.get(`/${i}`));
    const responses = await gather(...requests);
    assert.deepEqual(
      responses.map((response) => response.text()),
      responses.map((_, i) => `2.0 /${i}`),
    );
    assert.equal(responses[0]?.httpVersion, '2');
    assert.ok(sessions <= 4, `${sessions} sessions`);
  });

  test('deadlines and streams work over HTTP/2 as over HTTP/1.1', async () => {
    await using client = new AsyncClient({ baseUrl: url, http2: true, tls: { ca: cert } });
    await assert.rejects(client.get('/never', { timeout: 40 }), ClientTimeoutError);
    const stream = await client.stream('POST', '/stream', { body: 'x' });
    assert.equal(Buffer.concat(await Array.fromAsync(stream)).toString(), '2.0 /stream');
  });

  test('without http2 the same server is spoken to in HTTP/1.1', async () => {
    await using client = new AsyncClient({ baseUrl: url, tls: { ca: cert } });
    const response = await client.get('/');
    assert.equal(response.text(), '1.1 /');
    assert.equal(response.httpVersion, '1.1');
  });

  test('a certificate nobody vouches for is refused, with the way out', async () => {
    await using client = new AsyncClient({ baseUrl: url });
    await assert.rejects(client.get('/'), (error) => {
      assert.ok(error instanceof ClientTransportError);
      assert.match(error.message, /self-signed certificate.*give its authority as `tls: \{ ca \}`/);
      return true;
    });
    await using trusting = new AsyncClient({ baseUrl: url, tls: { rejectUnauthorized: false } });
    assert.equal((await trusting.get('/')).status, 200);
  });
});
