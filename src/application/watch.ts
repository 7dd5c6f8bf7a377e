import { type Context, currentContext, runInContext } from '../asyncio/index.ts';
import type { HttpRequest } from '../http/index.ts';

/**
 * Ends the scope of a request when its client leaves, as ASGI tells it (`http.disconnect`). Most views are done
 * within the turn of the loop they began in; only those that are not are watched, all of a turn at once.
 */
export class Watch {
  readonly #request: HttpRequest;
  readonly #context: Context;
  #over = false;
  #watching = false;

  constructor(request: HttpRequest) {
    this.#request = request;
    this.#context = currentContext();
    if (pending.push(this) === 1) setImmediate(begin);
  }

  begin(): void {
    const { scope } = this.#context;
    if (this.#over || scope.cancelled) return;
    this.#watching = true;
    // The wait belongs to this request, not to the one whose turn of the loop it is.
    runInContext(this.#context, () =>
      this.#request.incoming.watch(() => {
        if (!this.#over) scope.cancel();
      }),
    );
  }

  /** Everything is sent. */
  end(): void {
    this.#over = true;
    if (this.#watching) this.#request.incoming.unwatch();
  }
}

let pending: Watch[] = [];

function begin(): void {
  const watches = pending;
  pending = [];
  for (const watch of watches) watch.begin();
}
