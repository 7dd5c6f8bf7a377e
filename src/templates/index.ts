/** Templates: values escaped by default, inheritance, partials, async data, errors with template and line. */
export { type RenderMessage, renderChannel } from './channels.ts';
export { type TemplateData, Templates, type TemplatesOptions } from './engine.ts';
export { escapeHtml, jsonScript, markSafe, SafeString, safeUrl } from './safe.ts';
