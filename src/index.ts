/** The daily-use surface: what most files of an application import. Everything else: `sobaya/<room>`. */
export { gather, run, sleep, taskGroup, timeout } from './asyncio/index.ts';
