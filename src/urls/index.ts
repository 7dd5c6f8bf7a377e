/** From paths to views and back. */
export { type Converter, converter, registerConverter } from './converters.ts';
export { type Leaf, matchLeaf } from './leaves.ts';
export {
  checkUrls,
  type IncludeOptions,
  include,
  type PathOptions,
  path,
  pattern,
  rePath,
  socketOrigins,
  type UrlInclude,
  type UrlPattern,
  type Urls,
  type ViewFor,
  type WebSocketOptions,
  websocket,
} from './patterns.ts';
export { Resolver, type ReverseOptions } from './resolver.ts';
export {
  currentUrlconf,
  type NamedRoutes,
  registerResolver,
  reverse,
  reverser,
  type Urlconf,
} from './reverse.ts';
export type { Match } from './tree.ts';
export type {
  AnyView,
  ConverterTypes,
  LocalConverters,
  ParamsOf,
  ParamsOfView,
  RouteError,
} from './types.ts';
