import {
  type HttpRequest,
  HttpResponseRedirect,
  type Middleware,
  safeRedirectTarget,
  type View,
} from '../http/index.ts';
import { canonicalLanguage } from './catalogue.ts';
import { bestLanguage } from './negotiate.ts';
import { withLanguage } from './translate.ts';

export interface LocaleOptions {
  /** The languages the site speaks; the first is for visitors who ask for none of them. */
  readonly languages: readonly [string, ...string[]];
  /** The cookie that remembers a visitor's choice. Default `language`. */
  readonly cookie?: string;
}

/**
 * Middleware: answers each request in the language that the visitor chose (by cookie), else in the one that the
 * browser asks for. Sets Content-Language and Vary, so that caches keep the languages apart.
 */
export function locale(options: LocaleOptions): Middleware {
  const languages = options.languages.map((tag) => canonicalLanguage(tag, 'locale'));
  const cookie = options.cookie ?? 'language';
  const choose = (request: HttpRequest): string => {
    const chosen = request.cookies.get(cookie);
    if (chosen !== undefined && languages.includes(chosen)) return chosen;
    return bestLanguage(request.header('accept-language'), languages) ?? (languages[0] as string);
  };
  return function locale(getResponse) {
    return async (request) => {
      const language = choose(request);
      const response = await withLanguage(language, () => getResponse(request));
      if (!response.headers.has('content-language')) response.headers.set('content-language', language);
      for (const name of ['Accept-Language', 'Cookie']) response.headers.addToList('vary', name);
      return response;
    };
  };
}

/**
 * A view for a form with `language` and `next`: remembers the choice in the cookie and goes back. What is not among
 * `languages` is ignored; `next` must lead to this site.
 */
export function setLanguage(options: LocaleOptions): View {
  const languages = options.languages.map((tag) => canonicalLanguage(tag, 'setLanguage'));
  return async (request) => {
    const form = await request.form();
    const response = new HttpResponseRedirect(
      safeRedirectTarget(form.get('next'), request.host, '/', request.isSecure),
      { status: 303 },
    );
    const language = form.get('language') ?? '';
    if (languages.includes(language))
      response.setCookie(options.cookie ?? 'language', language, {
        maxAge: 365 * 24 * 3600,
        sameSite: 'lax',
        httpOnly: true,
        secure: request.isSecure,
      });
    return response;
  };
}
