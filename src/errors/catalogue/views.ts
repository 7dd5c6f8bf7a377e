import { ImproperlyConfigured, UsageError } from '../base.ts';
import { describe, entry } from './define.ts';

/** Errors of the room `views`. */
export const viewsErrors = {
  SBY_VIEWS_NO_TEMPLATES: entry(ImproperlyConfigured, {
    about: 'render() and generic views need templates: given, or set as the default.',
    example: { template: 'menu.html' },
    parts: ({ template }: { template: string }) => ({
      what: `There are no templates to render ${describe(template)} with`,
      fix: "Call setDefaultTemplates(new Templates({ directories: [new URL('./templates/', import.meta.url)] })) once, or give { templates }",
    }),
  }),
  SBY_VIEWS_BAD_PAGE_SIZE: entry(UsageError, {
    about: 'A list can only be cut into pages of a whole number of objects.',
    example: { got: 0 as unknown },
    parts: ({ got }: { got: unknown }) => ({
      what: `Pages of ${describe(got)} objects are none`,
      fix: 'Give paginateBy, or perPage of paginate(), a whole number from 1 on',
    }),
  }),
  SBY_VIEWS_NO_TEMPLATE: entry(ImproperlyConfigured, {
    about: 'A generic view was asked to show its form, and names no template.',
    example: { view: 'DishCreate' },
    parts: ({ view }: { view: string }) => ({
      what: `${view} has no template to show a form with`,
      fix: "Set its property: template = 'dish_form.html'",
    }),
  }),
};
