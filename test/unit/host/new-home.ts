import { onTestFinished } from 'vitest';

import { temporaryHome, type TemporaryHome } from '../../support/temporary-home.js';

/** A home that is gone when the test is over. */
export async function newHome(): Promise<TemporaryHome> {
  const home = await temporaryHome();
  onTestFinished(() => home.dispose());
  return home;
}
