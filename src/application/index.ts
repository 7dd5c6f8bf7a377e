/** Assembles an application; nothing else. */
export { createApp, type SobayaApplication } from './create-app.ts';
export { type App, type AppDefinition, defineApp } from './define-app.ts';
export type { AppOptions, LifespanHook } from './options.ts';
