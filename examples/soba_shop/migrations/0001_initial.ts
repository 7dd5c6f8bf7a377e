import { createModel, field, migration } from 'sobaya/db/migrations';

export default migration({
  initial: true,
  dependencies: [],
  operations: [
    createModel({
      name: 'Dish',
      fields: {
        id: field.bigAuto({ primaryKey: true }),
        name: field.text({ maxLength: 60 }),
        nameJa: field.text({ maxLength: 60 }),
        description: field.text({ maxLength: 200 }),
        descriptionJa: field.text({ maxLength: 200 }),
        kind: field.text({ choices: ['hot', 'cold', 'side'] }),
        picture: field.text({ maxLength: 20 }),
        price: field.positiveInteger(),
        position: field.integer({ default: 0 }),
        available: field.boolean({ default: true }),
      },
    }),
    createModel({
      name: 'Order',
      fields: {
        id: field.bigAuto({ primaryKey: true }),
        name: field.text({ maxLength: 40 }),
        table: field.positiveInteger(),
        note: field.text({ default: '', maxLength: 200 }),
        status: field.text({ choices: ['cooking', 'served'], default: 'cooking' }),
        ordered: field.dateTime({ autoNowAdd: true }),
      },
    }),
    createModel({
      name: 'OrderLine',
      fields: {
        id: field.bigAuto({ primaryKey: true }),
        quantity: field.positiveInteger(),
        unitPrice: field.positiveInteger(),
        order: field.foreignKey('shop.Order', { onDelete: 'cascade' }),
        dish: field.foreignKey('shop.Dish', { onDelete: 'protect' }),
      },
    }),
  ],
});
