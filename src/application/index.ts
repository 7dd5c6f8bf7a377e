/** Assembles an application; nothing else. */
export { type CheckLevel, type CheckMessage, type CheckOptions, checkApplication } from './checks.ts';
export { createApp, type SobayaApplication } from './create-app.ts';
export { type App, type AppCommand, type AppDefinition, defineApp } from './define-app.ts';
export { isSobayaApplication } from './is-application.ts';
export type { AppOptions, LifespanHook } from './options.ts';
