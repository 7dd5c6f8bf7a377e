import { fault, Http404, ObjectDoesNotExist } from '../errors/index.ts';
import type { HttpRequest, HttpResponse, ResponseOptions } from '../http/index.ts';
import type { TemplateData, Templates } from '../templates/index.ts';

/** The one object, or Http404: `getObjectOr404(() => Article.get({ id }))`. Django's get_object_or_404. */
export async function getObjectOr404<R>(get: () => PromiseLike<R>): Promise<R> {
  try {
    return await get();
  } catch (error) {
    if (error instanceof ObjectDoesNotExist) throw new Http404(error.what, { cause: error });
    throw error;
  }
}

/** The list, or Http404 when it is empty: `getListOr404(Article.filter({ hot: true }))`. */
export async function getListOr404<R>(queryset: PromiseLike<readonly R[]>): Promise<readonly R[]> {
  const list = await queryset;
  if (list.length === 0) throw new Http404('The list is empty');
  return list;
}

let engine: Templates | null = null;

/** The templates that `render` and generic views use, where none are given. */
export function setDefaultTemplates(templates: Templates): void {
  engine = templates;
}
export function defaultTemplates(): Templates | null {
  return engine;
}

/** A template as a response: `render(request, 'menu.html', { dishes })`, with the default templates. */
export async function render(
  request: HttpRequest,
  template: string,
  data: TemplateData = {},
  options: ResponseOptions & { readonly templates?: Templates } = {},
): Promise<HttpResponse> {
  const { templates = engine, ...rest } = options;
  if (templates === null || templates === undefined) throw fault('SBY_VIEWS_NO_TEMPLATES', { template });
  return await templates.response(request, template, data, rest);
}
