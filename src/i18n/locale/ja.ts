import type { Messages } from '../catalogue.ts';

/** Sobaya's own messages in Japanese. */
export const ja: Messages = {
  'This field is required.': 'この項目は必須です。',
  'Enter a whole number.': '整数を入力してください。',
  'Enter a number.': '数値を入力してください。',
  'Enter a valid date.': '日付を正しく入力してください。',
  'Enter a valid date and time.': '日時を正しく入力してください。',
  'Enter a valid email address.': '有効なメールアドレスを入力してください。',
  'Enter a valid URL.': '正しいURLを入力してください。',
  'Select a valid choice.': '正しく選択してください。',
  'Ensure this value has at most {max} characters.': '{max}文字以内で入力してください。',
  'Ensure this value has at least {min} characters.': '{min}文字以上で入力してください。',
  'Ensure this value is at most {max}.': '{max}以下の値を入力してください。',
  'Ensure this value is at least {min}.': '{min}以上の値を入力してください。',
  'Page not found': 'ページが見つかりません',
  Forbidden: 'アクセスできません',
  'Server error': 'サーバーエラー',
  Yes: 'はい',
  No: 'いいえ',
};
