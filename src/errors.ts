/**
 * Every error that a client can be told of: code -> HTTP status and the general meaning. The one catalogue; the text of a
 * single occurrence is the error's message. Only `http/error-handler.ts` turns an error into bytes.
 * Statuses follow UWS 1.1 §2.2 (403 for what is illegal in the present state, 404, 500) and HTTP for the rest.
 */
export const ERRORS = {
  BadRequest: { status: 400, title: 'The request is malformed' },
  BadParameter: { status: 400, title: 'A parameter is missing, unknown, repeated or has a wrong value' },
  BadReference: { status: 400, title: 'An image reference does not follow the grammar' },
  Unauthenticated: { status: 401, title: 'The request needs valid credentials' },
  Refused: { status: 403, title: 'The policy of this site refuses the task' },
  Forbidden: { status: 403, title: 'The caller may not do this' },
  WrongPhase: { status: 403, title: 'The request is not legal in the present phase of the job' },
  NotFound: { status: 404, title: 'There is nothing here' },
  MethodNotAllowed: { status: 405, title: 'The resource does not have this method' },
  Conflict: { status: 409, title: 'The request contradicts an earlier one' },
  TooLarge: { status: 413, title: 'The request is too large' },
  UnsupportedMediaType: { status: 415, title: 'The media type of the body is not supported' },
  RangeNotSatisfiable: { status: 416, title: 'The range lies outside the result' },
  Misdirected: { status: 421, title: 'The gateway is not called by the name that the request is for' },
  TooManyRequests: { status: 429, title: 'Too many requests' },
  Internal: { status: 500, title: 'The gateway failed' },
  /** The registry answered, but not with what the protocol or the digest demands: nothing can be judged from it. */
  RegistryInvalid: { status: 503, title: 'The registry gave an answer that cannot be judged' },
  RegistryUnavailable: { status: 503, title: 'The registry cannot be reached' },
  EngineUnavailable: { status: 503, title: 'The container engine cannot be reached' },
  Unavailable: { status: 503, title: 'The gateway cannot do this at present' },
} as const;

export type ErrorCode = keyof typeof ERRORS;

export interface ErrorOptions {
  /** What led here; logged, never shown. */
  readonly cause?: unknown;
  /** Extra response headers: Allow, Retry-After, WWW-Authenticate … */
  readonly headers?: Readonly<Record<string, string>>;
  /** Where in the request the error lies: a parameter's name, or a path such as `taskinfo.image`. */
  readonly path?: string;
}

/** An error that may be shown to the client: its message names the thing that is wrong and says nothing of the inside. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: ErrorCode;
  readonly headers: Readonly<Record<string, string>>;
  readonly path: string | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.headers = options.headers ?? {};
    this.path = options.path;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }
}

/** Whether trying the same again later may help: an outage, not a verdict. */
export function isTemporary(error: unknown): boolean {
  return error instanceof GatewayError && (error.status === 503 || error.status === 429);
}
