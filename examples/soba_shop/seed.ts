/** The first dishes and orders, for a database that has none. */
import { atomic } from 'sobaya/db';
import { Dish, Order, OrderLine } from './models.ts';

const dishes = [
  [
    'hot',
    'kake',
    'Kake soba',
    'かけそば',
    'Noodles in clear broth, with scallions.',
    '澄んだつゆに、ねぎだけ。',
    480,
  ],
  [
    'hot',
    'kitsune',
    'Kitsune soba',
    'きつねそば',
    'With sweet fried tofu, as foxes like it.',
    '甘く煮たお揚げをのせて。',
    620,
  ],
  [
    'hot',
    'tsukimi',
    'Tsukimi soba',
    '月見そば',
    'An egg like the moon in the broth.',
    'つゆに浮かぶ、お月さまのような卵。',
    600,
  ],
  [
    'hot',
    'tempura',
    'Tempura soba',
    '天ぷらそば',
    'A prawn, fried when you order it.',
    '注文を受けてから揚げる海老天。',
    980,
  ],
  [
    'hot',
    'sansai',
    'Sansai soba',
    '山菜そば',
    'Fern and butterbur from the mountains.',
    'わらびとふき、山の香り。',
    720,
  ],
  [
    'cold',
    'zaru',
    'Zaru soba',
    'ざるそば',
    'Cold noodles on bamboo, with a dip.',
    '竹ざるに盛って、つゆにつけて。',
    650,
  ],
  [
    'cold',
    'tenzaru',
    'Tenzaru soba',
    '天ざるそば',
    'Zaru soba and a prawn beside it.',
    'ざるそばに海老天を添えて。',
    1150,
  ],
  [
    'side',
    'onigiri',
    'Onigiri',
    'おにぎり',
    'Rice, seaweed, a little salt.',
    'ごはんと海苔と、塩すこし。',
    180,
  ],
  [
    'side',
    'tea',
    'Soba tea',
    'そば茶',
    'Roasted buckwheat, hot water.',
    '香ばしく炒った、そばの実のお茶。',
    150,
  ],
] as const;

export async function seed(): Promise<void> {
  await atomic(async () => {
    if (await Dish.all().exists()) return;
    const menu: Dish[] = [];
    for (const [
      position,
      [kind, picture, name, nameJa, description, descriptionJa, price],
    ] of dishes.entries())
      menu.push(
        await Dish.create({ kind, picture, name, nameJa, description, descriptionJa, price, position }),
      );
    const [kake, kitsune, , tempura, , zaru, , , tea] = menu as [Dish, ...Dish[]];
    const first = await Order.create({ name: 'Aki', table: 3, status: 'served' });
    await OrderLine.create({ order: first, dish: zaru!, quantity: 2, unitPrice: zaru!.price });
    await OrderLine.create({ order: first, dish: tea!, quantity: 2, unitPrice: tea!.price });
    const second = await Order.create({ name: 'Noor', table: 7, note: 'No scallions, please.' });
    await OrderLine.create({ order: second, dish: kake, quantity: 1, unitPrice: kake.price });
    await OrderLine.create({ order: second, dish: tempura!, quantity: 1, unitPrice: tempura!.price });
    const third = await Order.create({ name: 'Jonas', table: 1 });
    await OrderLine.create({ order: third, dish: kitsune!, quantity: 3, unitPrice: kitsune!.price });
  });
}
