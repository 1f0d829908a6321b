import { type FSWatcher, realpathSync, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Instant } from '../core/base/instant.ts';
import type { Clock } from '../system/clock.ts';
import { EXIT, Failure, isFailure } from '../system/failure.ts';
import { shellWord } from '../system/text.ts';
import { applyOf, changedKeys, inForce, secretsIn } from './apply.ts';
import { LiveSecret } from './live-secret.ts';
import {
  checkFiles,
  configOf,
  type LoadedConfig,
  type LoadOptions,
  readText,
  refuseWeak,
  secretOf,
  withEyes,
} from './load.ts';
import type { ConfigFile } from './schema.ts';
import type { Keyring } from './secret.ts';
import { weaknessOf } from './weak.ts';

/** Why the file is not what is in force. Without secrets. */
export interface ConfigProblem {
  readonly at: Instant;
  readonly what: string;
  readonly why: string;
  readonly run: string;
}

/** What a look at the file brought. */
export interface Reload {
  /** Keys that apply at once, and did. */
  readonly live: readonly string[];
  /** Keys whose values wait for a restart. */
  readonly pending: readonly string[];
  readonly problem: ConfigProblem | null;
}

export interface LiveOptions {
  readonly load: LoadOptions;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly keyring?: Keyring;
}

/** Who is told. */
export interface LiveListener {
  /** A secret is about to be used: it is in no line of a log from now on. */
  hide(secret: string): void;
  /** The file was looked at and is another one; once for each text. `isTold`: whoever changed it says so himself. */
  reloaded(reload: Reload, isTold: boolean): void;
  /** What the secret is may have changed, or whether it can be had. */
  secretChanged(): void;
}

/** Several changes of one save are one. */
const SETTLE_MS = 100;
/** An editor may have been in the middle of it. */
const AGAIN_MS = 250;
/** Where the system tells of no change, it is found by looking. */
const POLL_MS = 5_000;
/** Judging a bad file may start programs: with so many looks only. */
const ANEW_EVERY = 6;

/**
 * The configuration in force. Looks at the file when the system says that it changed, and every few seconds. What
 * applies live does so at once; what needs a restart stays as it was at the start and is `pending`. A file that can't
 * be in force changes nothing and is the `problem`.
 */
export class LiveConfig {
  readonly #options: LiveOptions;
  readonly #boot: LoadedConfig;
  #now: LoadedConfig;
  #file: LoadedConfig;
  #text: string | null;
  #stamp: string | null;
  #problem: ConfigProblem | null = null;
  #pending: readonly string[] = [];
  /** Of the secrets in force: what is weak about them. */
  #weak: readonly string[] = [];
  #secret: LiveSecret | null = null;
  #listener: LiveListener | null = null;
  #watchers: FSWatcher[] = [];
  #cancels = new Set<() => void>();
  #settling = false;
  #polls = 0;
  #turn: Promise<unknown> = Promise.resolve();

  /** @param loaded the configuration of the start */
  constructor(loaded: LoadedConfig, options: LiveOptions) {
    this.#options = options;
    this.#boot = loaded;
    this.#now = loaded;
    this.#file = loaded;
    this.#text = loaded.text;
    this.#stamp = this.#stampNow();
  }

  /** In force. The same object as long as nothing changed. */
  get now(): LoadedConfig {
    return this.#now;
  }

  /** As it stands in the file; where that is bad, as it last stood there. */
  get file(): LoadedConfig {
    return this.#file;
  }

  /** The file's text, good or bad; `null`: there is no file. */
  get text(): string | null {
    return this.#text;
  }

  /** Also a secret that can't be had now, though the file is good. */
  get problem(): ConfigProblem | null {
    const why = this.#secret?.why;
    return this.#problem ?? (isFailure(why) ? problemOf(why, this.#options.clock.now()) : null);
  }

  /** In force, but worth a word; what is weak about a secret that is fetched too. */
  get warnings(): readonly string[] {
    return [...new Set([...this.#now.warnings, ...this.#weak])];
  }

  get pending(): readonly string[] {
    return this.#pending;
  }

  /** Whether the configuration names the shared secret, in whatever way. */
  get namesSecret(): boolean {
    return secretField(this.#now) !== undefined;
  }

  /** The shared secret that the configuration names; `null`: it names none. @throws Failure 78 while it can't be had */
  secret(): string | null {
    if (this.#secret !== null) return this.#secret.now();
    if (this.namesSecret) throw new Error('the shared secret was not resolved');
    return null;
  }

  listen(listener: LiveListener): void {
    this.#listener = listener;
  }

  /** Resolves the secrets for the first time. @throws Failure 78 for one that can't be had, or is too weak here */
  async resolve(): Promise<void> {
    this.#hideConstants(this.#now);
    const { warnings } = await secretOf(this.#now, this.#options.env, this.#options.keyring);
    checkFiles(this.#now);
    this.#secret = await this.#openSecret(this.#now);
    this.#weak = warnings;
  }

  /** @throws Failure 78 for a configuration that could not be in force in this gateway, now or after a restart */
  async check(loaded: LoadedConfig): Promise<void> {
    await this.#judge(loaded, this.#merged(loaded));
  }

  // ---- looking --------------------------------------------------------------------------------------------------------

  /** Looks for changes from now on, until `close`. */
  watch(): void {
    this.#watchDirectories();
    this.#poll();
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close();
    for (const cancel of this.#cancels) cancel();
    this.#watchers = [];
    this.#cancels.clear();
    this.#secret?.close();
  }

  /** Looks at the file now and brings what is in force up to it. Never rejects for what is in the file. */
  async reload(isTold = false): Promise<Reload> {
    return this.#inTurn(false, isTold);
  }

  /** @param anew a file that was bad is judged anew though its text is the same: what it names may be there now */
  #inTurn(anew: boolean, isTold = false): Promise<Reload> {
    const look = () => this.#look({ anew, isTold });
    const turn = this.#turn.then(look, look);
    this.#turn = turn;
    return turn;
  }

  #watchDirectories(): void {
    const { path } = this.#options.load;
    const places = new Set([path]);
    try {
      places.add(realpathSync(path));
    } catch {
      // No file yet.
    }
    for (const place of places) {
      try {
        const watcher = watch(dirname(place), { persistent: false }, (_event, name) => {
          if (name === null || name === basename(place)) this.#settle();
        });
        // The directory went away, or there are too many watchers: looking finds the change.
        watcher.on('error', () => watcher.close());
        this.#watchers.push(watcher);
      } catch {
        // As above.
      }
    }
  }

  #settle(): void {
    if (this.#settling) return;
    this.#settling = true;
    this.#after(SETTLE_MS, () => {
      this.#settling = false;
      void this.reload();
    });
  }

  #poll(): void {
    this.#after(POLL_MS, () => {
      this.#poll();
      this.#secret?.look();
      this.#polls += 1;
      const anew = this.#problem !== null && this.#polls % ANEW_EVERY === 0;
      if (anew || this.#stampNow() !== this.#stamp) void this.#inTurn(anew);
    });
  }

  #after(delayMs: number, run: () => void): void {
    const cancel = this.#options.clock.after(delayMs, () => {
      this.#cancels.delete(cancel);
      run();
    });
    this.#cancels.add(cancel);
  }

  #stampNow(): string | null {
    try {
      const { ino, size, mtimeNs, ctimeNs } = statSync(this.#options.load.path, { bigint: true });
      return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
    } catch {
      // Reading it says why.
      return null;
    }
  }

  // ---- applying -------------------------------------------------------------------------------------------------------

  async #look({ anew, isTold }: { anew: boolean; isTold: boolean }, again = true): Promise<Reload> {
    const { path } = this.#options.load;
    const stamp = this.#stampNow();
    const known = this.#problem;
    let text = this.#text;
    let isNew = false;
    try {
      text = readText(path);
      isNew = text !== this.#text;
      if (!isNew && (known === null || !anew)) {
        this.#stamp = stamp;
        return this.#result([]);
      }
      // What was saved by taking the old file away comes back in a moment; what is gone is no wish for other values.
      if (text === null && this.#file.text !== null) throw gone(path);
      const live = await this.#apply(withEyes(configOf(text, this.#options.load)));
      this.#seen(stamp, text);
      return this.#told(this.#result(live), isTold);
    } catch (error) {
      if (!isFailure(error)) throw error;
      if (again && isNew) {
        await new Promise<void>((resolve) => this.#after(AGAIN_MS, resolve));
        return this.#look({ anew, isTold }, false);
      }
      this.#seen(stamp, text);
      this.#problem = problemOf(error, known?.at ?? this.#options.clock.now());
      return isNew || known === null ? this.#told(this.#result([]), isTold) : this.#result([]);
    }
  }

  #seen(stamp: string | null, text: string | null): void {
    this.#stamp = stamp;
    this.#text = text;
  }

  #result(live: readonly string[]): Reload {
    return { live, pending: this.#pending, problem: this.#problem };
  }

  #told(reload: Reload, isTold: boolean): Reload {
    this.#listener?.reloaded(reload, isTold);
    return reload;
  }

  /** @throws Failure when it can't be in force; then nothing changed */
  async #apply(loaded: LoadedConfig): Promise<readonly string[]> {
    const merged = this.#merged(loaded);
    const weak = await this.#judge(loaded, merged);
    const isOther = JSON.stringify(secretField(merged)) !== JSON.stringify(secretField(this.#now));
    const secret = isOther || this.#secret === null ? await this.#openSecret(merged) : this.#secret;
    const live = changedKeys(this.#now.parsed, merged.parsed);
    const old = this.#secret;
    this.#now = merged;
    this.#file = loaded;
    this.#problem = null;
    this.#weak = weak;
    this.#pending = changedKeys(this.#boot.parsed, loaded.parsed).filter(
      (key) => applyOf(key.split('.')) === 'restart' && !this.isGiven(key),
    );
    this.#secret = secret;
    if (old !== secret) old?.close();
    else await secret?.refresh();
    this.#listener?.secretChanged();
    return live;
  }

  /** Both hold the same secrets; the door that is open and the one after a restart may be different ones. */
  async #judge(loaded: LoadedConfig, merged: LoadedConfig): Promise<readonly string[]> {
    this.#hideConstants(loaded);
    checkFiles(loaded);
    const { warnings } = await secretOf(loaded, this.#options.env, this.#options.keyring);
    refuseWeak(merged, warnings);
    return warnings;
  }

  /** Also those that are not in use. */
  #hideConstants({ parsed }: LoadedConfig): void {
    for (const { value } of secretsIn(parsed)) {
      if (typeof value === 'string') this.#listener?.hide(value);
    }
  }

  /** From the command line: the file doesn't count for it. */
  isGiven(key: string): boolean {
    const { port, bind } = this.#options.load;
    return key === 'gateway.port'
      ? port !== undefined
      : /^gateway\.(bind|customBindHost)$/.test(key) && bind !== undefined;
  }

  #merged(loaded: LoadedConfig): LoadedConfig {
    const parsed = inForce(this.#boot.parsed, loaded.parsed) as ConfigFile;
    const { config } = configOf(JSON.stringify(parsed), this.#options.load);
    return { ...loaded, parsed, config };
  }

  async #openSecret(loaded: LoadedConfig): Promise<LiveSecret | null> {
    const input = secretField(loaded);
    if (input === undefined) return null;
    const { env, clock, keyring } = this.#options;
    const path = `gateway.auth.${loaded.config.gateway.auth.mode}`;
    const secret = await LiveSecret.open(input, {
      context: { path, file: loaded.path, env, ...(keyring === undefined ? {} : { keyring }) },
      clock,
      take: (value) => {
        this.#listener?.hide(value);
        const weakness = weaknessOf(value);
        refuseWeak(this.#now, weakness === null ? [] : [`${path} is ${weakness.kind}: ${weakness.why}`]);
      },
      changed: () => {
        if (this.#secret === secret) this.#listener?.secretChanged();
      },
    });
    return secret;
  }
}

type SecretField = NonNullable<NonNullable<ConfigFile['gateway']>['auth']>['token'];

function secretField(loaded: LoadedConfig): SecretField {
  return loaded.parsed.gateway?.auth?.[loaded.config.gateway.auth.mode];
}

function gone(path: string): Failure {
  return new Failure(EXIT.configuration, {
    what: `${path} is gone`,
    why: 'the gateway goes on with what it read; started anew it would go by the defaults',
    run: `ls -l ${shellWord(path)}`,
  });
}

function problemOf({ what, why, run }: Failure, at: Instant): ConfigProblem {
  return { at, what, why, run };
}
