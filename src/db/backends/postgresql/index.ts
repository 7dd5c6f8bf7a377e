export { PostgresBackend, type PostgresOptions } from './backend.ts';
