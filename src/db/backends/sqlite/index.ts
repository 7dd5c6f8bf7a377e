export { SqliteBackend, type SqliteOptions } from './backend.ts';
