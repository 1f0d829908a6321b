/** What stands in a secret's place. */
export const REDACTED = '[redacted]';

/**
 * Texts that look like credentials, whoever's they are. 43 characters of base64url with both cases is a device token
 * (A10): public keys and nonces look the same, and are better missing in a log than a token is present.
 */
const PATTERNS: readonly RegExp[] = [
  /(?<=\b(?:Bearer|Basic)\s)[A-Za-z0-9+/=._~-]{6,}/gi,
  /(?<=[?&#;](?:token|secret|password|code|access_token|auth|key)=)[^&#\s"']+/gi,
  /(?<=\b(?:password|passwd|secret|token|api[_-]?key)["']?\s{0,2}[:=]\s{0,2}["']?)[^\s"',;}]{6,}/gi,
  /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g,
  /\b(?:sk|pk|rk|ghp|gho|ghs|github_pat|glpat|xox[abprs]|AKIA|AIza)[-_A-Za-z0-9]{16,}/g,
  /\b\d{8,10}:[A-Za-z0-9_-]{35}\b/g,
  /(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]*[A-Z])(?=[A-Za-z0-9_-]*[a-z])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])/g,
];

/** Names of fields whose text is a secret whatever it looks like. */
const SECRET_NAME = /(^|[^a-z])(secret|password|passphrase|authorization|cookie|private_?key|token)s?$/i;

/** Shorter ones stand in half of all words; the configuration refuses or warns about them. */
const SHORTEST = 4;

/** Takes known secrets out of text by value, in every spelling they are likely to have, and likely secrets by shape. */
export class Redactor {
  readonly #spellings = new Set<string>();
  #ordered: readonly string[] = [];

  /** From now on `secret` is in no text that comes out of here. `null` and the empty text are nothing to hide. */
  add(secret: string | null | undefined): void {
    if (secret == null || secret.length < SHORTEST) return;
    const bytes = Buffer.from(secret, 'utf8');
    const json = JSON.stringify(secret).slice(1, -1);
    for (const spelling of [
      secret,
      json,
      encodeURIComponent(secret),
      bytes.toString('base64'),
      bytes.toString('base64').replace(/=+$/, ''),
      bytes.toString('base64url'),
      bytes.toString('hex'),
    ]) {
      this.#spellings.add(spelling);
    }
    // The longest first, so that no rest of one is left beside another that is part of it.
    this.#ordered = [...this.#spellings].sort((a, b) => b.length - a.length);
  }

  text(text: string): string {
    let out = text;
    for (const spelling of this.#ordered) {
      if (out.includes(spelling)) out = out.replaceAll(spelling, REDACTED);
    }
    for (const pattern of PATTERNS) out = out.replace(pattern, REDACTED);
    return out;
  }

  /** The value of a field: by its name too. */
  field(name: string, text: string): string {
    const words = name.replace(/([a-z])([A-Z])/g, '$1_$2');
    return SECRET_NAME.test(words) ? REDACTED : this.text(text);
  }
}
