/** Where a container finds its secrets. */
export const SECRETS_FOLDER = '/run/secrets';

/** Bytes in memory that the secrets of one container can take, each file being whole pages: more than all parameters of a job may have. */
export const SECRETS_SIZE = 1024 * 1024;
