import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Liquid, LiquidError, type Template } from 'liquidjs';
import { fault, isSobayaError, type SobayaError } from '../errors/index.ts';
import { type HttpRequest, HttpResponse, type ResponseOptions } from '../http/index.ts';
import { csrfToken } from '../middleware/index.ts';
import { reverse } from '../urls/index.ts';
import { type RenderMessage, renderChannel } from './channels.ts';
import { TemplateContext } from './context.ts';
import { protectContexts } from './contexts.ts';
import { registerFilters } from './filters.ts';
import { install, renderTemplates, TextEmitter } from './renderer.ts';
import { markSafe, output as outputEscape, type SafeString } from './safe.ts';
import { registerTags } from './tags.ts';

/** What a template is given: plain data, model instances, promises and querysets, which are awaited where they are used. */
export type TemplateData = Readonly<Record<string, unknown>>;

export interface TemplatesOptions {
  /** Folders of templates, looked through in order: `new URL('./templates/', import.meta.url)` or absolute paths. */
  readonly directories: readonly (string | URL)[];
  /** Read templates again when they change, and show their lines in errors. Default: NODE_ENV is not "production". */
  readonly debug?: boolean;
  /** Values for every template. */
  readonly globals?: TemplateData;
  /** Values for every template of a request, such as the user. */
  readonly contextProcessors?: readonly ((request: object) => TemplateData)[];
  /** A variable that is not there is an error; in `{% if %}` and before `| default` it may be absent. Default true. */
  readonly strictVariables?: boolean;
  /** What `{% static %}` puts in front of a path, or a function from path to URL. Default `/static/`. */
  readonly static?: string | ((path: string) => string);
  /** The hidden field that `{% csrf_token %}` writes. Default: the token of the middleware `csrf()`. */
  readonly csrfField?: (request: object) => SafeString;
  /** More filters: `{ shout: (text) => String(text).toUpperCase() }`. What they give is escaped, unless `markSafe` made it. */
  readonly filters?: Readonly<Record<string, (value: unknown, ...args: unknown[]) => unknown>>;
}

/** HTML from templates: values escaped, layouts, partials, async data. The language of templates: docs/templates.md. */
export class Templates {
  readonly directories: readonly string[];
  readonly debug: boolean;
  readonly #engine: Liquid;
  readonly #options: TemplatesOptions;
  readonly #parsed = new Map<string, Template[]>();
  /** The engine's tokens know their source but not always their file. */
  readonly #nameOf = new Map<string, string>();

  constructor(options: TemplatesOptions) {
    this.#options = options;
    this.debug = options.debug ?? process.env['NODE_ENV'] !== 'production';
    this.directories = options.directories.map((directory) =>
      resolve(directory instanceof URL ? fileURLToPath(directory) : directory),
    );
    const { static: prefix = '/static/', csrfField } = options;
    this.#engine = new Liquid({
      root: this.directories as string[],
      fs: this.#files(),
      cache: !this.debug,
      outputEscape,
      strictFilters: true,
      strictVariables: options.strictVariables ?? true,
      lenientIf: true,
      // Empty text and zero are false, as in Django and JavaScript; Liquid itself takes them for true.
      jsTruthy: true,
      // Elements of ranges and characters of filters in one rendering: (1..n) with somebody else's n is a bomb.
      memoryLimit: 2e7,
      globals: { ...options.globals },
    });
    install(this.#engine);
    registerFilters(this.#engine);
    registerTags(this.#engine, {
      url: (name, params) => reverse(name, params),
      static: typeof prefix === 'function' ? prefix : (path) => prefix + path.replace(/^\//, ''),
      csrfField: (request) => (csrfField ?? defaultCsrfField)(request as object),
    });
    for (const [name, filter] of Object.entries(options.filters ?? {}))
      this.#engine.registerFilter(name, filter);
  }

  /** Renders the template `name` with `data`. Errors name the template and its line. */
  render(name: string, data: TemplateData = {}): Promise<string> {
    if (!renderChannel.start.hasSubscribers) return this.#render(name, data);
    const message: RenderMessage = { name };
    return renderChannel.tracePromise(async () => {
      const html = await this.#render(name, data);
      message.bytes = Buffer.byteLength(html);
      return html;
    }, message);
  }

  async #render(name: string, data: TemplateData): Promise<string> {
    const template = this.#parsed.get(name) ?? (await this.#load(name));
    return await this.#run(template, data, name);
  }

  /** Renders `source`, which may use the templates of this engine. */
  async renderString(source: string, data: TemplateData = {}, name = 'string'): Promise<string> {
    try {
      return await this.#run(this.#engine.parse(protectContexts(source, name)), data, name);
    } catch (error) {
      throw this.#translate(error, name);
    }
  }

  /** Renders into a response; `request` is there as `request`, with what the context processors give. */
  async response(
    request: object,
    name: string,
    data: TemplateData = {},
    options?: ResponseOptions,
  ): Promise<HttpResponse> {
    const processed = (this.#options.contextProcessors ?? []).map((processor) => processor(request));
    return new HttpResponse(
      await this.render(name, Object.assign({ request }, ...processed, data) as TemplateData),
      options,
    );
  }

  async #load(name: string): Promise<Template[]> {
    try {
      const template = await this.#engine.parseFile(name);
      if (!this.debug) this.#parsed.set(name, template);
      return template;
    } catch (error) {
      throw this.#translate(error, name);
    }
  }

  async #run(template: Template[], data: TemplateData, name: string): Promise<string> {
    // Without a prototype, so that no variable is found that nobody gave.
    const scope = Object.assign(Object.create(null), data) as object;
    const context = new TemplateContext(scope, this.#engine.options, {}, { liquid: this.#engine as never });
    try {
      const emitter = new TextEmitter();
      const late = renderTemplates(template, context, emitter);
      if (late !== undefined) await late;
      return emitter.buffer;
    } catch (error) {
      throw this.#translate(error, name);
    }
  }

  #files(): NonNullable<ConstructorParameters<typeof Liquid>[0]>['fs'] & object {
    const inside = (root: string, file: string): boolean => {
      try {
        // What a link inside the folder leads to counts, not where the link is.
        const path = relative(realpathSync(root), realpathSync(file));
        return path !== '' && !path.startsWith('..') && !isAbsolute(path);
      } catch {
        return false;
      }
    };
    const read = (file: string, source: string): string => {
      const name = this.#shown(file);
      const text = protectContexts(source, name);
      this.#nameOf.set(text, name);
      return text;
    };
    return {
      sep,
      dirname,
      resolve: (directory, file) => resolve(directory, file),
      exists: async (file) => existsSync(file),
      existsSync,
      contains: async (root, file) => inside(root, file),
      containsSync: inside,
      readFile: async (file) => read(file, await readFile(file, 'utf8')),
      readFileSync: (file) => read(file, readFileSync(file, 'utf8')),
    };
  }

  /** A template's name from its path. */
  #shown(file: string): string {
    for (const directory of this.directories) {
      const path = relative(directory, file);
      if (!path.startsWith('..') && !isAbsolute(path)) return path;
    }
    return file;
  }

  #translate(error: unknown, name: string): unknown {
    const ours = findOurs(error);
    if (ours?.code.startsWith('SBY_TEMPLATES_')) return ours;
    if (error instanceof Error && (error as { code?: string }).code === 'ENOENT')
      return this.#notFound(error, name);
    if (!LiquidError.is(error)) return error;
    const { originalError, token, context } = error as LiquidError & {
      originalError?: Error & { code?: string };
      token: { file?: string; input: string; getPosition(): [number, number] };
      context: string;
    };
    const by = token.file === undefined ? (this.#nameOf.get(token.input) ?? name) : this.#shown(token.file);
    if (originalError?.code === 'ENOENT') return this.#notFound(originalError, name, by);
    const [line = 0, column = 0] = token.getPosition();
    const detail = (originalError?.message ?? error.message)
      .replace(/, file:[^\n]*?(?=, line:)/, '')
      .replace(/, line:\d+, col:\d+$/, '');
    const details = { name: by, line, column, detail, excerpt: this.debug ? context : '' };
    const isSyntax = error.name === 'ParseError' || error.name === 'TokenizationError';
    const cause = originalError ?? error;
    return isSyntax
      ? fault('SBY_TEMPLATES_SYNTAX', details, { cause })
      : fault('SBY_TEMPLATES_RENDER', details, { cause });
  }

  #notFound(error: Error, name: string, by = ''): Error {
    const missing = /lookup "([^"]*)"/.exec(error.message)?.[1] ?? name;
    return fault('SBY_TEMPLATES_NOT_FOUND', {
      name: missing,
      directories: this.directories,
      by: missing === name ? '' : `used by ${by}`,
    });
  }
}

function defaultCsrfField(request: object): SafeString {
  return markSafe(
    `<input type="hidden" name="csrfmiddlewaretoken" value="${csrfToken(request as HttpRequest)}">`,
  );
}

/** An error of the template rooms' own that the engine has wrapped. */
function findOurs(error: unknown): SobayaError | null {
  for (let at: unknown = error; at instanceof Error; at = (at as { originalError?: unknown }).originalError)
    if (isSobayaError(at)) return at;
  return null;
}
