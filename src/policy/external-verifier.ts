/** Asks a program of the operator's whether an image is signed: for Notation, hardware keys and whatever else there is. */
export interface ExternalVerifier {
  /**
   * Runs `command` (program and its words, never a shell) and resolves with its exit code. Throws Unavailable when it cannot
   * be started, is ended by a signal, or has not ended after `timeout` milliseconds; it does not run on then.
   */
  run(command: readonly string[], timeout: number, signal: AbortSignal): Promise<number>;
}
