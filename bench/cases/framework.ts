/** The framework on the server: a routed view behind middleware, against what others need for the same bytes. */
import { type Case, get } from '../harness.ts';

const module = import.meta.resolve('../servers/framework.ts');
const load = { requests: [get('/orders/3/'), get('/orders/41/')], connections: 16, pipeline: 4 };

export default [
  {
    name: 'framework: a routed view with three middleware',
    sides: [
      { name: 'Sobaya', module, options: {} },
      { name: 'Sobaya, sync view', module, options: { sync: true } },
      { name: 'node:http', module, options: { kind: 'node:http' } },
      { name: 'Fastify', module, options: { kind: 'fastify' } },
    ],
    load,
    goals: [
      { text: 'against node:http', metric: 'perSecond', of: 'Sobaya', over: 'node:http', atLeast: 1.2 },
      { text: 'against Fastify', metric: 'perSecond', of: 'Sobaya', over: 'Fastify', atLeast: 1.5 },
    ],
  },
  {
    name: 'framework: a routed view with three middleware, not pipelined',
    sides: [
      { name: 'Sobaya', module, options: {} },
      { name: 'Sobaya, sync view', module, options: { sync: true } },
      { name: 'node:http', module, options: { kind: 'node:http' } },
      { name: 'Fastify', module, options: { kind: 'fastify' } },
    ],
    load: { ...load, pipeline: 1 },
    goals: [
      { text: 'against node:http', metric: 'perSecond', of: 'Sobaya', over: 'node:http', atLeast: 1.2 },
      { text: 'against Fastify', metric: 'perSecond', of: 'Sobaya', over: 'Fastify', atLeast: 1.5 },
    ],
  },
  {
    name: 'framework: routing among 1,000 routes',
    sides: [
      { name: '10 routes', module, options: { routes: 10, middleware: 0 } },
      { name: '1,000 routes', module, options: { routes: 1000, middleware: 0 } },
    ],
    load,
    goals: [
      {
        text: 'CPU per request against 10 routes',
        metric: 'cpuMicros',
        of: '1,000 routes',
        over: '10 routes',
        atMost: 1.2,
      },
    ],
  },
  {
    name: 'framework: ten middleware around a hello view',
    sides: [
      { name: 'none', module, options: { kind: 'layers', layers: 'none' } },
      { name: 'ten async functions', module, options: { kind: 'layers', layers: 'functions' } },
      { name: 'ten of two halves', module, options: { kind: 'layers', layers: 'halves' } },
      { name: 'ten async functions, a header each', module, options: { kind: 'layers', layers: 'headers' } },
      { name: 'ten of ours', module, options: { kind: 'layers', layers: 'ours' } },
    ],
    load: { requests: [get('/')], connections: 16 },
    goals: ['ten async functions', 'ten of two halves'].map((of) => ({
      text: `CPU per request with ${of} against none`,
      metric: 'cpuMicros',
      of,
      over: 'none',
      atMost: 1.1,
    })),
  },
] satisfies Case[];
