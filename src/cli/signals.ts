/** What SIGTERM and SIGINT do. */
export interface Signals {
  /** From now on the first of them resolves this, and ends nothing by itself. */
  whileServing(): Promise<void>;
}

/**
 * Hears SIGTERM and SIGINT from now on, which the first process of a container does not by itself: they end the process at once while the
 * gateway starts, and the second one while it stops. The first one after `whileServing` resolves what that has returned.
 */
export function hearSignals(): Signals {
  const end = (): void => process.exit(0);
  let heard = end;
  // the same listeners all the time: a signal that comes between two is lost
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => void heard());
  return {
    whileServing: () =>
      new Promise((resolve) => {
        heard = () => {
          heard = end;
          resolve();
        };
      }),
  };
}
