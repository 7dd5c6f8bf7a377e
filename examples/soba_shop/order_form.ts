/** The order form: reads what was typed, says what is wrong with it, and keeps it so that nobody types it twice. */
import type { QueryDict } from 'sobaya/http';
import { gettext } from 'sobaya/i18n';
import type { Dish } from './models.ts';

export const TABLES = 12;
const MOST = 9;

export interface FormField {
  readonly id: string;
  readonly name: string;
  readonly label: string;
  readonly hint: string;
  readonly value: string;
  readonly error: string;
  /** The ids of hint and error, for screen readers. */
  readonly describedBy: string;
}

export interface DishChoice {
  readonly id: string;
  readonly name: string;
  readonly dish: Dish;
  readonly value: string;
  readonly error: string;
}

export interface OrderForm {
  readonly fields: { readonly name: FormField; readonly table: FormField; readonly note: FormField };
  readonly dishes: readonly DishChoice[];
  readonly dishesError: string;
  readonly failed: boolean;
  readonly problems: readonly { readonly id: string; readonly text: string }[];
}

/** What a valid form says. */
export interface OrderRequest {
  readonly name: string;
  readonly table: number;
  readonly note: string;
  readonly lines: readonly { readonly dish: Dish; readonly quantity: number }[];
}

interface Check {
  readonly form: OrderForm;
  /** Null when something is wrong. */
  readonly order: OrderRequest | null;
}

let characters: Intl.Segmenter | undefined;

/** In the characters that people see: an emoji is one, however many code units it has. */
function lengthOf(text: string): number {
  // Made when first needed: it reads its tables, which takes 30 ms.
  characters ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  return [...characters.segment(text)].length;
}

/** A whole number, also typed with full-width digits. Null when it is none. */
function wholeNumber(text: string): number | null {
  const plain = text.normalize('NFKC').trim();
  return /^\d{1,6}$/.test(plain) ? Number(plain) : null;
}

function textError(value: string, max: number, required: boolean): string {
  if (value === '') return required ? gettext('This field is required.') : '';
  return lengthOf(value) > max ? gettext('Ensure this value has at most {max} characters.', { max }) : '';
}

/** An empty form, one dish chosen already if `chosen` is its id. */
export function emptyForm(dishes: readonly Dish[], chosen: string | null): OrderForm {
  const quantity = (dish: Dish): string => (String(dish.id) === chosen ? '1' : '');
  return build(dishes, { name: '', table: '', note: '' }, quantity, {}, () => '', '');
}

export function checkOrder(typed: QueryDict, dishes: readonly Dish[]): Check {
  const read = (name: string): string => (typed.get(name) ?? '').trim();
  const values = { name: read('name'), table: read('table'), note: read('note').replace(/\r\n?/g, '\n') };
  const table = wholeNumber(values.table);
  const errors: Record<string, string> = {
    name: textError(values.name, 40, true),
    note: textError(values.note, 200, false),
    table:
      values.table === ''
        ? gettext('This field is required.')
        : table === null || table < 1 || table > TABLES
          ? gettext('There are tables 1 to {last}.', { last: TABLES })
          : '',
  };

  const lines: { dish: Dish; quantity: number }[] = [];
  const quantityErrors = new Map<Dish, string>();
  for (const dish of dishes) {
    const text = read(`dish-${dish.id}`);
    const quantity = text === '' ? 0 : wholeNumber(text);
    if (quantity === null || quantity > MOST)
      quantityErrors.set(dish, gettext('A number from 0 to {max}, please.', { max: MOST }));
    else if (quantity > 0) lines.push({ dish, quantity });
  }
  const nothing = lines.length === 0 && quantityErrors.size === 0;
  const dishesError = nothing ? gettext('Choose at least one dish.') : '';

  const form = build(
    dishes,
    values,
    (dish) => read(`dish-${dish.id}`),
    errors,
    (dish) => quantityErrors.get(dish) ?? '',
    dishesError,
  );
  const order = form.failed ? null : { name: values.name, table: table as number, note: values.note, lines };
  return { form, order };
}

function build(
  dishes: readonly Dish[],
  values: { readonly name: string; readonly table: string; readonly note: string },
  quantityOf: (dish: Dish) => string,
  errors: Readonly<Record<string, string>>,
  errorOf: (dish: Dish) => string,
  dishesError: string,
): OrderForm {
  const field = (name: 'name' | 'table' | 'note', label: string, hint = ''): FormField => {
    const error = errors[name] ?? '';
    const describedBy = [hint && `${name}-hint`, error && `${name}-error`].filter(Boolean).join(' ');
    return { id: name, name, label, hint, value: values[name], error, describedBy };
  };
  const fields = {
    name: field('name', gettext('Your name')),
    table: field('table', gettext('Table'), gettext('1 to {last}', { last: TABLES })),
    note: field('note', gettext('Anything the cook should know')),
  };
  const choices = dishes.map((dish) => ({
    id: `dish-${dish.id}`,
    name: `dish-${dish.id}`,
    dish,
    value: quantityOf(dish),
    error: errorOf(dish),
  }));
  const problems = [
    ...Object.values(fields).map(({ id, label, error }) => ({ id, text: error && `${label}: ${error}` })),
    { id: 'dishes', text: dishesError },
    ...choices.map(({ id, dish, error }) => ({ id, text: error && `${dish.title}: ${error}` })),
  ].filter(({ text }) => text !== '');
  return { fields, dishes: choices, dishesError, failed: problems.length > 0, problems };
}
