import type { Engine } from '../engine/engine.ts';
import { GatewayError, isTemporary } from '../errors.ts';

/**
 * Whether what went wrong for one job would go wrong for every other now: the store or the engine is away. An engine may also be stuck
 * with one container alone, which it says in the same way: then it answers other questions.
 */
export async function concernsAll(error: unknown, engine: Pick<Engine, 'time'>): Promise<boolean> {
  if (!isTemporary(error)) return false;
  if (!(error instanceof GatewayError && error.code === 'EngineUnavailable')) return true;
  return engine.time().then(() => false, () => true);
}
