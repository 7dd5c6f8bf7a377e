/** Middleware of two halves, in one loop: must be seen to do what the same layers do one by one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { createApp, HttpResponse, type Middleware, path } from 'sobaya';
import { middlewareChannel } from 'sobaya/http';
import { processing } from 'sobaya/middleware';
import { Client } from 'sobaya/test';

interface Layer {
  readonly kind: 'halves' | 'function' | 'async function';
  /** Both halves, or one. */
  readonly has: 'in' | 'out' | 'both';
  readonly onIn: 'pass' | 'answer' | 'throw';
  readonly onOut: 'same' | 'other' | 'throw';
  readonly later: boolean;
}

function make({ kind, has, onIn, onOut, later }: Layer, index: number, log: string[]): Middleware {
  const incoming = (): HttpResponse | undefined => {
    log.push(`in ${index}`);
    if (onIn === 'throw') throw new Error(`in ${index}`);
    return onIn === 'answer' ? new HttpResponse(`answer ${index}`) : undefined;
  };
  const outgoing = (response: HttpResponse): HttpResponse => {
    log.push(`out ${index} ${response.status}`);
    if (onOut === 'throw') throw new Error(`out ${index}`);
    return onOut === 'other' ? new HttpResponse(`other ${index} of ${response.text()}`) : response;
  };
  const processRequest = later
    ? async () => {
        await turn();
        return incoming();
      }
    : incoming;
  const processResponse = later
    ? async (_: unknown, response: unknown) => {
        await turn();
        return outgoing(response as HttpResponse);
      }
    : (_: unknown, response: unknown) => outgoing(response as HttpResponse);
  const half = {
    ...(has === 'out' ? {} : { processRequest }),
    ...(has === 'in' ? {} : { processResponse }),
  };
  if (kind === 'halves') return processing(`layer ${index}`, half);
  // What processing promises to be, written by hand.
  const byHand: Middleware = (getResponse) => async (request) => {
    const answer = await half.processRequest?.();
    if (answer !== undefined) return answer;
    const response = await getResponse(request);
    return half.processResponse === undefined ? response : await half.processResponse(request, response);
  };
  if (kind === 'async function') return byHand;
  return processing('', half).length === 1 ? (getResponse) => processing('x', half)(getResponse) : byHand;
}

const layer = fc.record<Layer>({
  kind: fc.constantFrom('halves', 'halves', 'halves', 'function', 'async function'),
  has: fc.constantFrom('both', 'both', 'in', 'out'),
  onIn: fc.constantFrom('pass', 'pass', 'pass', 'answer', 'throw'),
  onOut: fc.constantFrom('same', 'same', 'other', 'throw'),
  later: fc.boolean(),
});

async function run(
  layers: readonly Layer[],
  asyncView: boolean,
): Promise<readonly [string[], number, string]> {
  const log: string[] = [];
  const view = (): HttpResponse => {
    log.push('view');
    return new HttpResponse('view');
  };
  const app = new Client(
    createApp({
      debug: false,
      onError: (error) => void log.push(`error ${(error as Error).message}`),
      middleware: layers.map((one, index) => make(one, index, log)),
      urls: [path('', asyncView ? async () => view() : view)],
    }),
    { raiseErrors: false },
  );
  const { status, text } = await app.get('/');
  return [log, status, text];
}

test('in one loop or one by one, traced or not: the same calls in the same order, the same answer', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(layer, { maxLength: 6 }), fc.boolean(), async (layers, asyncView) => {
      const wanted = await run(
        layers.map((one) => ({ ...one, kind: 'async function' as const })),
        asyncView,
      );
      assert.deepEqual(await run(layers, asyncView), wanted);
      const listener = { start() {}, end() {}, asyncStart() {}, asyncEnd() {}, error() {} };
      middlewareChannel.subscribe(listener);
      try {
        assert.deepEqual(await run(layers, asyncView), wanted);
      } finally {
        middlewareChannel.unsubscribe(listener);
      }
    }),
    { numRuns: 300 },
  );
});

test('what listens to middleware hears each by its name, outermost first', async () => {
  const names: string[] = [];
  const listener = {
    start: ({ name }: { name: string }) => void names.push(name),
    end() {},
    asyncStart() {},
    asyncEnd() {},
    error() {},
  };
  const app = new Client(
    createApp({
      debug: false,
      middleware: [
        processing('a', {}),
        processing('b', {}),
        (next) => (request) => next(request),
        processing('c', {}),
      ],
      urls: [path('', () => new HttpResponse())],
    }),
  );
  middlewareChannel.subscribe(listener as never);
  try {
    await app.get('/');
  } finally {
    middlewareChannel.unsubscribe(listener as never);
  }
  assert.deepEqual(names, ['a', 'b', 'middleware 3', 'c']);
});

test('a half that gives something else than a response is named', async () => {
  const errors: string[] = [];
  const app = new Client(
    createApp({
      debug: false,
      onError: (error) => void errors.push((error as Error).message),
      middleware: [
        processing('outer', {}),
        processing('broken', { processResponse: () => undefined as never }),
      ],
      urls: [path('', () => new HttpResponse())],
    }),
    { raiseErrors: false },
  );
  assert.equal((await app.get('/')).status, 500);
  assert.match(errors[0]!, /Middleware 2 \(broken\)/);
});

test('a neighbour that is no middleware is refused by its place', () => {
  assert.throws(() => createApp({ middleware: [processing('a', {}), 3 as never, processing('b', {})] }), {
    code: 'SBY_APPLICATION_BAD_MIDDLEWARE',
    message: /2/,
  });
});
