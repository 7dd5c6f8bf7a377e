/** Class views, generic views over models, shortcuts. */
export { type EventStreamInput, eventStream } from './event-stream.ts';
export {
  CreateView,
  DeleteView,
  DetailView,
  type Listable,
  ListView,
  type Page,
  paginate,
  UpdateView,
} from './generic.ts';
export {
  csrfInput,
  currentTemplates,
  defaultTemplates,
  getListOr404,
  getObjectOr404,
  render,
  setDefaultTemplates,
} from './shortcuts.ts';
export { View } from './view.ts';
