import { ContextVar } from '../asyncio/index.ts';
import { fault, Http404, ObjectDoesNotExist } from '../errors/index.ts';
import type { HttpRequest, HttpResponse, ResponseOptions } from '../http/index.ts';
import { csrfToken } from '../middleware/index.ts';
import { markSafe, type SafeString, type TemplateData, type Templates } from '../templates/index.ts';

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

/** For builders: the templates of the application that answers the current request; createApp({ templates }). */
export const currentTemplates: ContextVar<Templates> = new ContextVar<Templates>('templates');

/** The templates that `render` and generic views use where neither they nor createApp() are given any. */
export function setDefaultTemplates(templates: Templates): void {
  engine = templates;
}
export function defaultTemplates(): Templates | null {
  return currentTemplates.get() ?? engine;
}

/** A template as a response: `render(request, 'menu.html', { dishes })`, with the default templates. */
export async function render(
  request: HttpRequest,
  template: string,
  data: TemplateData = {},
  options: ResponseOptions & { readonly templates?: Templates } = {},
): Promise<HttpResponse> {
  const { templates = defaultTemplates(), ...rest } = options;
  if (templates === null) throw fault('SBY_VIEWS_NO_TEMPLATES', { template });
  return await templates.response(request, template, data, rest);
}

/** The hidden field with the CSRF token for forms; what `{% csrf_token %}` writes in templates. */
export function csrfInput(request: object): SafeString {
  return markSafe(
    `<input type="hidden" name="csrfmiddlewaretoken" value="${csrfToken(request as HttpRequest)}">`,
  );
}
