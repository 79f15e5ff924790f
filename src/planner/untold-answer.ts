import { GatewayError, isTemporary } from '../errors.ts';
import type { Answer, NoReason } from './offer.ts';

const NOT_TOLD: NoReason = { httpcode: 403, code: 'caller.anonymous', path: 'tasktype', text: 'this site does not take this from anonymous callers, nor tell them more; sign in' };

/**
 * What a stranger learns of an answer where the site tells strangers no reasons: a no, or a yes and how to use it. Left out as a whole
 * and at the very end, so that no platform, quota or rule has a reason, a digest, a limit, a time or a name of its own to tell by.
 */
export async function untold(answering: Promise<Answer>): Promise<Answer> {
  const answer = await answering.catch((error: unknown) => {
    // which registry or engine does not answer says which rule was asked
    if (isTemporary(error)) throw new GatewayError('Unavailable', 'no answer can be given at present', { cause: error });
    throw error;
  });
  if (answer.word === 'NO') return { word: 'NO', reasons: [NOT_TOLD], warnings: [] };
  const { word, interfaces, shortDurations } = answer;
  return { word, interfaces, warnings: [], ...(shortDurations === undefined ? {} : { shortDurations }) };
}
