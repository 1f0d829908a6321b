/** What the process exits with. FEATURES §1: 1 refused or failed, 2 usage, 75 try later, 77 no permission, 78 configuration. */
export const EXIT = { ok: 0, failed: 1, usage: 2, later: 75, permission: 77, configuration: 78 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface FailureText {
  /** What went wrong, one line. */
  readonly what: string;
  /** Why, one line. */
  readonly why: string;
  /** What a person can run, one line. */
  readonly run: string;
}

/** A failure that a person can mend: said in three lines, and the process ends with `exitCode`. */
export class Failure extends Error implements FailureText {
  override readonly name = 'Failure';
  readonly what: string;
  readonly why: string;
  readonly run: string;
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, text: FailureText, options?: ErrorOptions) {
    super(`${text.what}: ${text.why}`, options);
    this.exitCode = exitCode;
    this.what = text.what;
    this.why = text.why;
    this.run = text.run;
  }
}

/**
 * By shape, not by class: the gateway and the command line are bundled apart, and each bundle has a class of its own.
 */
export function isFailure(error: unknown): error is Failure {
  return error instanceof Error && error.name === 'Failure' && 'exitCode' in error && 'run' in error;
}

/** The `code` of a Node error (`ENOENT`); `null` for anything else. */
export function codeOf(error: unknown): string | null {
  if (typeof error !== 'object' || error === null || !('code' in error)) return null;
  return typeof error.code === 'string' ? error.code : null;
}
