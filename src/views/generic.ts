import type { StandardSchemaV1 } from '@standard-schema/spec';
import { fault, Http404, ValidationError } from '../errors/index.ts';
import {
  type AnyResponse,
  HttpResponseNoContent,
  HttpResponseRedirect,
  JsonResponse,
  type ViewResult,
} from '../http/index.ts';
import type { TemplateData, Templates } from '../templates/index.ts';
import { getObjectOr404, render } from './shortcuts.ts';
import { View } from './view.ts';

/** What generic views ask of a queryset. */
export interface Listable<I> extends PromiseLike<I[]> {
  count(): Promise<number>;
  slice(start: number, end?: number | null): PromiseLike<I[]>;
}

/** One page of a list. */
export interface Page<I> {
  readonly items: readonly I[];
  /** From 1. */
  readonly number: number;
  readonly pages: number;
  readonly total: number;
  readonly hasNext: boolean;
  readonly hasPrevious: boolean;
}

/** Cuts a queryset into pages; a number that is none, or past the end, is Http404. */
export async function paginate<I>(
  queryset: Listable<I>,
  number: string | number | null,
  perPage: number,
): Promise<Page<I>> {
  if (!Number.isSafeInteger(perPage) || perPage < 1) throw fault('SBY_VIEWS_BAD_PAGE_SIZE', { got: perPage });
  const total = await queryset.count();
  const pages = Math.max(1, Math.ceil(total / perPage));
  const asked = number === null || number === '' ? 1 : number === 'last' ? pages : number;
  // Digits only: "1.0", "1e0" and "0x1" would be further addresses of one page.
  const page = typeof asked === 'number' ? asked : /^\s*\+?\d{1,15}\s*$/.test(asked) ? Number(asked) : 0;
  if (!Number.isInteger(page) || page < 1 || page > pages)
    throw new Http404(`There is no page ${JSON.stringify(number)}`);
  const items = await queryset.slice((page - 1) * perPage, page * perPage);
  return { items, number: page, pages, total, hasNext: page < pages, hasPrevious: page > 1 };
}

/** What all generic views can: a template, or JSON where none is named. */
abstract class GenericView<P> extends View<P> {
  /** The template; without one the view answers JSON. */
  template: string | null = null;
  /** Default: those of setDefaultTemplates(). */
  templates: Templates | null = null;

  /** More values for the template. */
  context(): TemplateData | Promise<TemplateData> {
    return {};
  }

  /** What JSON shows of an object: its fields. */
  serialize(object: unknown): unknown {
    return object;
  }

  protected async answer(data: TemplateData, json: unknown, status = 200): Promise<AnyResponse> {
    if (this.template === null) return new JsonResponse(json, { status });
    const options = this.templates === null ? { status } : { status, templates: this.templates };
    return await render(this.request, this.template, { ...data, ...(await this.context()) }, options);
  }
}

/** A list, in pages if `paginateBy` is set (`?page=2`). The template gets `objects` and `page`. */
export abstract class ListView<I, P = Record<never, never>> extends GenericView<P> {
  paginateBy: number | null = null;

  /** `return Dish.filter({ sold: true }).orderBy('name')` */
  abstract queryset(): Listable<I>;

  override get(): ViewResult {
    return this.#list();
  }

  async #list(): Promise<AnyResponse> {
    if (this.paginateBy === null) {
      const objects = await this.queryset();
      return await this.answer(
        { objects },
        objects.map((object) => this.serialize(object)),
      );
    }
    const page = await paginate(this.queryset(), this.request.query.get('page'), this.paginateBy);
    const { items, ...numbers } = page;
    return await this.answer(
      { objects: items, page },
      { ...numbers, items: items.map((item) => this.serialize(item)) },
    );
  }
}

/** One object, or 404. The template gets `object`. */
export abstract class DetailView<I, P = Record<never, never>> extends GenericView<P> {
  /** `return Dish.get({ id: this.params.id })`; what does not exist becomes 404. */
  abstract object(): PromiseLike<I>;

  override get(): ViewResult {
    return this.#detail();
  }

  async #detail(): Promise<AnyResponse> {
    const object = await getObjectOr404(() => this.object());
    return await this.answer({ object }, this.serialize(object));
  }
}

type Errors = Readonly<Record<string, readonly string[]>>;

/** What views with a form share: reading, validating, showing again with what is wrong. */
abstract class FormView<S extends StandardSchemaV1, I, P> extends GenericView<P> {
  /** Reads and checks the form, or the JSON. */
  abstract readonly schema: S;

  /** Where a browser goes afterwards. */
  abstract successUrl(object: I): string;

  protected abstract store(values: StandardSchemaV1.InferOutput<S>): Promise<I>;
  protected abstract readonly createdStatus: number;

  protected async submit(shown: TemplateData): Promise<AnyResponse> {
    const json = this.request.contentType === 'application/json';
    const given = json ? await this.request.json() : (await this.request.form()).toObject();
    const result = await this.schema['~standard'].validate(
      typeof given === 'object' && given !== null && !json ? { ...given } : given,
    );
    if (result.issues !== undefined) return await this.#again(given, errorsOf(result.issues), shown);
    let object: I;
    try {
      object = await this.store(result.value as StandardSchemaV1.InferOutput<S>);
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      return await this.#again(given, error.errors, shown);
    }
    if (json || this.template === null)
      return new JsonResponse(this.serialize(object), { status: this.createdStatus });
    return new HttpResponseRedirect(this.successUrl(object), { status: 303 });
  }

  async #again(values: unknown, errors: Errors, shown: TemplateData): Promise<AnyResponse> {
    return await this.answer(
      { ...shown, values, errors },
      { type: 'about:blank', title: 'The request is not valid', status: 422, errors },
      422,
    );
  }
}

function errorsOf(issues: readonly StandardSchemaV1.Issue[]): Errors {
  const errors: Record<string, string[]> = Object.create(null);
  for (const issue of issues) {
    const first = issue.path?.[0];
    const name = first === undefined ? '' : String(typeof first === 'object' ? first.key : first);
    (errors[name] ??= []).push(issue.message);
  }
  return errors;
}

/** A form and what it makes: GET shows it, POST creates. The template gets `values` and `errors`. */
export abstract class CreateView<S extends StandardSchemaV1, I, P = Record<never, never>> extends FormView<
  S,
  I,
  P
> {
  protected readonly createdStatus = 201;

  /** `return Dish.create(values)` */
  abstract create(values: StandardSchemaV1.InferOutput<S>): Promise<I>;

  override get(): ViewResult {
    if (this.template === null) throw fault('SBY_VIEWS_NO_TEMPLATE', { view: this.constructor.name });
    return this.answer({ values: {}, errors: {} }, null);
  }
  override post(): ViewResult {
    return this.submit({});
  }
  protected override store(values: StandardSchemaV1.InferOutput<S>): Promise<I> {
    return this.create(values);
  }
}

/** A form over an object: GET shows it, POST and PUT change it. The template gets `object`, `values` and `errors`. */
export abstract class UpdateView<S extends StandardSchemaV1, I, P = Record<never, never>> extends FormView<
  S,
  I,
  P
> {
  protected readonly createdStatus = 200;
  #object: I | null = null;

  abstract object(): PromiseLike<I>;
  /** `Object.assign(dish, values); await dish.save();` */
  abstract update(object: I, values: StandardSchemaV1.InferOutput<S>): Promise<unknown>;

  override get(): ViewResult {
    return this.#show();
  }
  override post(): ViewResult {
    return this.#change();
  }
  override put(): ViewResult {
    return this.#change();
  }

  async #show(): Promise<AnyResponse> {
    const object = await getObjectOr404(() => this.object());
    return await this.answer({ object, values: object, errors: {} }, this.serialize(object));
  }
  async #change(): Promise<AnyResponse> {
    this.#object = await getObjectOr404(() => this.object());
    return await this.submit({ object: this.#object });
  }
  protected override async store(values: StandardSchemaV1.InferOutput<S>): Promise<I> {
    const object = this.#object as I;
    await this.update(object, values);
    return object;
  }
}

/** Asks (GET, with a template), and deletes (POST or DELETE). The template gets `object`. */
export abstract class DeleteView<
  I extends { delete(): Promise<unknown> },
  P = Record<never, never>,
> extends GenericView<P> {
  abstract object(): PromiseLike<I>;
  abstract successUrl(): string;

  override get(): ViewResult {
    return this.#ask();
  }
  override post(): ViewResult {
    return this.#delete(true);
  }
  override delete(): ViewResult {
    return this.#delete(false);
  }

  async #ask(): Promise<AnyResponse> {
    const object = await getObjectOr404(() => this.object());
    return await this.answer({ object }, this.serialize(object));
  }
  async #delete(browser: boolean): Promise<AnyResponse> {
    const object = await getObjectOr404(() => this.object());
    await object.delete();
    return browser
      ? new HttpResponseRedirect(this.successUrl(), { status: 303 })
      : new HttpResponseNoContent();
  }
}
