import { ImproperlyConfigured, UsageError } from '../base.ts';
import { describe, entry } from './define.ts';

export const templatesErrors = {
  SBY_TEMPLATES_NOT_FOUND: entry(UsageError, {
    about: 'No folder of templates has a file of this name.',
    example: { name: 'shop/menu.html', directories: ['/app/templates'] as readonly string[], by: '' },
    parts: (d: { name: string; directories: readonly string[]; by: string }) => ({
      what: `There is no template ${describe(d.name)}`,
      where: [d.by, `looked in ${d.directories.join(', ') || 'no folder at all'}`].filter(Boolean).join('; '),
      fix: 'Check its spelling, or add its folder to `directories`',
    }),
  }),
  SBY_TEMPLATES_SYNTAX: entry(UsageError, {
    about: 'A template cannot be read: a tag that is not closed, unknown, or wrongly written.',
    example: { name: 'shop/menu.html', line: 3, column: 5, detail: 'tag {% if %} not closed', excerpt: '' },
    parts: (d: { name: string; line: number; column: number; detail: string; excerpt: string }) => ({
      what: `The template cannot be read: ${d.detail}`,
      where: `${d.name}:${d.line}:${d.column}`,
      ...(d.excerpt ? { fix: `Look here:\n${d.excerpt}` } : {}),
    }),
  }),
  SBY_TEMPLATES_RENDER: entry(UsageError, {
    about:
      'Something that a template needs failed or is not there while it was rendered. What was thrown is the cause. A variable that may be absent is written `{{ name | default: "" }}`, or asked for with `{% if name %}`.',
    example: {
      name: 'shop/menu.html',
      line: 3,
      column: 5,
      detail: 'undefined variable: dihses',
      excerpt: '',
    },
    parts: (d: { name: string; line: number; column: number; detail: string; excerpt: string }) => ({
      what: `The template failed: ${d.detail}`,
      where: `${d.name}:${d.line}:${d.column}`,
      ...(d.excerpt ? { fix: `Look here:\n${d.excerpt}` } : {}),
    }),
  }),
  SBY_TEMPLATES_UNSAFE: entry(UsageError, {
    about:
      'HTML escaping protects text and quoted attributes. Inside <script>, <style>, event handlers and attributes without quotes it does not, so a value there is refused.',
    example: {
      name: 'shop/menu.html',
      line: 3,
      context: 'an attribute without quotes',
      fix: 'Put the value in quotes',
    },
    parts: (d: { name: string; line: number; context: string; fix: string }) => ({
      what: `A value is put into ${d.context}, where escaping does not protect`,
      where: `${d.name}:${d.line}`,
      fix: d.fix,
    }),
  }),
  SBY_TEMPLATES_NO_ENGINE: entry(ImproperlyConfigured, {
    about: 'render() needs to know where templates are.',
    example: { name: 'shop/menu.html' },
    parts: (d: { name: string }) => ({
      what: `There are no templates to find ${describe(d.name)} in`,
      fix: "Make them with new Templates({ directories: [new URL('./templates/', import.meta.url)] }) and use their own render(), or call templates.use() once at start",
    }),
  }),
};
