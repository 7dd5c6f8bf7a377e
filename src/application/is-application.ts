import type { Application } from '../asgi/index.ts';
import type { SobayaApplication } from './create-app.ts';

/** Whether `app` was made by createApp() and carries its configuration. */
export function isSobayaApplication(app: Application): app is SobayaApplication {
  return 'resolver' in app && 'settings' in app && 'contextVars' in app;
}
