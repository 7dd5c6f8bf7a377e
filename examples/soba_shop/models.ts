/** What the shop remembers: dishes, orders, and which dishes an order is of. */
import { boolean, dateTime, foreignKey, integer, Model, many, positiveInteger, text } from 'sobaya/db';
import { getLanguage } from 'sobaya/i18n';

export class Dish extends Model({
  name: text({ maxLength: 60 }),
  nameJa: text({ maxLength: 60 }),
  description: text({ maxLength: 200 }),
  descriptionJa: text({ maxLength: 200 }),
  kind: text({ choices: ['hot', 'cold', 'side'] }),
  /** Which drawing goes with it; see templates/shop/bowl.html. */
  picture: text({ maxLength: 20 }),
  /** Yen. */
  price: positiveInteger(),
  position: integer({ default: 0 }),
  available: boolean({ default: true }),
}) {
  /** The name in the visitor's language. */
  get title(): string {
    return getLanguage() === 'ja' ? this.nameJa : this.name;
  }

  get about(): string {
    return getLanguage() === 'ja' ? this.descriptionJa : this.description;
  }
}

export class Order extends Model({
  name: text({ maxLength: 40 }),
  table: positiveInteger(),
  note: text({ maxLength: 200, default: '' }),
  status: text({ choices: ['cooking', 'served'], default: 'cooking' }),
  ordered: dateTime({ autoNowAdd: true }),
  get lines() {
    return many(OrderLine, 'order');
  },
}) {}

export class OrderLine extends Model({
  quantity: positiveInteger(),
  /** Of one, when it was ordered: prices change, bills do not. */
  unitPrice: positiveInteger(),
  get order() {
    return foreignKey(Order, { onDelete: 'cascade' });
  },
  get dish() {
    return foreignKey(Dish, { onDelete: 'protect' });
  },
}) {
  get price(): number {
    return this.quantity * this.unitPrice;
  }
}
