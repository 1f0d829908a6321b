import json5 from 'json5';
import { applyOf } from '../config/apply.ts';
import { jsonSchema, lookupSchema, uiHints } from '../config/describe.ts';
import type { LiveConfig, LiveListener, Reload } from '../config/live.ts';
import { checkFiles, type LoadedConfig, type LoadOptions } from '../config/load.ts';
import { mended, patched, replaced } from '../config/patch.ts';
import { parsePath } from '../config/path.ts';
import { redactConfig, viewConfig } from '../config/redact.ts';
import { DEPTH_MAX, syntaxOf } from '../config/syntax.ts';
import { ConfigConflict, type WriteOptions, type Written, writeConfig } from '../config/write.ts';
import type { Principal } from '../core/authz/principal.ts';
import type { MethodOutput } from '../core/protocol/registry.ts';
import type { ConfigChange, ConfigDesk, Editor } from '../gateway/method/config.ts';
import { WrongParams } from '../gateway/method/handler.ts';
import { StaleRevision, StoreUnavailable } from '../store/store.ts';
import { systemClock as clock } from '../system/clock.ts';
import { hmacSha256 } from '../system/crypto.ts';
import { EXIT, isFailure } from '../system/failure.ts';
import type { Log } from '../system/log.ts';
import { Agents } from './agents.ts';
import type { Secrets } from './secrets.ts';

interface DeskOptions {
  readonly live: LiveConfig;
  readonly load: LoadOptions;
  /** Keys the hashes that are told: without it a weak secret could be guessed from one. */
  readonly key: Buffer;
  readonly log: Log;
  readonly version: string;
  readonly stateDir: string;
  /** False: a gateway without its doors, for one command. */
  readonly isServing: boolean;
}

/** Who changes the configuration, by which method. */
export interface Edit extends Editor {
  readonly method: string;
  /** A last word before it is written: throws for what can't be. */
  readonly check?: (loaded: LoadedConfig) => void;
}

const wait = (delayMs: number) => new Promise<void>((resolve) => void clock.after(delayMs, resolve));

/** The configuration of a running gateway, for those who may read or change it. */
export class Desk implements ConfigDesk {
  readonly agents: Agents;
  readonly #options: DeskOptions;

  constructor(options: DeskOptions) {
    this.#options = options;
    this.agents = new Agents({ ...options, desk: this });
  }

  async view(): Promise<MethodOutput<'config.get'>> {
    const { live } = this.#options;
    await live.reload();
    return viewConfig(live, (text) => this.#hash(text));
  }

  async change({ kind, raw, baseHash, ...editor }: ConfigChange): Promise<MethodOutput<'config.set'>> {
    const sent = parsed(raw);
    const done = await this.edit({ ...editor, method: `config.${kind}` }, (text) => {
      if (baseHash !== null && baseHash !== this.#hash(text ?? '')) throw new ConfigConflict('another file');
      if (kind === 'patch') return patched(text ?? '', sent);
      // Whoever replaces the whole says what they have seen of it.
      if (text !== null && baseHash === null)
        throw new WrongParams('baseHash is needed: config.get answers it as hash');
      return isReadable(text) ? replaced(text ?? '', raw) : mended(this.#options.live.file.parsed, raw);
    });
    return done.answer;
  }

  /** Writes what `change` makes of the file's text, and brings it into force. @throws as `change` */
  async edit(
    by: Edit,
    change: (text: string | null) => string,
  ): Promise<{ readonly answer: MethodOutput<'config.set'>; readonly loaded: LoadedConfig }> {
    const written = await this.#write(by, change);
    return { answer: await this.#inForce(by, written), loaded: written.loaded };
  }

  async #inForce({ by: principal, method }: Edit, written: Written): Promise<MethodOutput<'config.set'>> {
    const { live, log } = this.#options;
    const { problem, pending } = await live.reload(true);
    const applied = written.keys.filter((key) => applyOf(key.split('.')) === 'live');
    const restart = written.keys.filter((key) => applyOf(key.split('.')) === 'restart' && !live.isGiven(key));
    const by = whoOf(principal);
    if (written.changed) log.info('configuration changed', { by, method, live: applied, restart });
    return {
      ok: true,
      path: written.loaded.path,
      config: redactConfig(written.loaded.parsed),
      hash: this.#hash(written.loaded.text ?? ''),
      changed: written.changed,
      live: problem === null ? applied : [],
      restart,
      beaten: written.keys.filter((key) => live.isGiven(key)),
      pending,
      warnings: problem === null ? live.warnings : [...written.loaded.warnings, `${problem.what}: ${problem.why}`],
    };
  }

  async #write({ may, check }: Edit, change: (text: string | null) => string): Promise<Written> {
    const { live, load } = this.#options;
    const permit: WriteOptions['permit'] = (changes) => {
      const no = changes.find(({ writer }) => !may(writer));
      if (no === undefined) return;
      const who = no.writer === 'owner' ? 'the owner' : 'who holds admin without an end';
      throw new WrongParams(`${no.key} is changed by ${who} alone`, 'config_beyond');
    };
    const options: WriteOptions = {
      ...load,
      wait,
      check: async (loaded) => {
        // A command decides without the secret: one that only the gateway's environment holds must not stop it.
        if (this.#options.isServing) await live.check(loaded);
        else checkFiles(loaded);
        check?.(loaded);
      },
      lastGood: live.file.parsed,
      permit,
    };
    try {
      return await writeConfig(options, change);
    } catch (error) {
      throw refusalOf(error);
    }
  }

  async schema(): Promise<MethodOutput<'config.schema'>> {
    const generatedAt = new Date(clock.now()).toISOString();
    return { schema: jsonSchema(), uiHints: uiHints(), version: this.#options.version, generatedAt };
  }

  async lookup(path: string): Promise<MethodOutput<'config.schema.lookup'> | null> {
    const parts = parsePath(path);
    return parts === null ? null : lookupSchema(parts);
  }

  state(): ReturnType<ConfigDesk['state']> {
    const { live, load } = this.#options;
    return { path: load.path, pending: live.pending, problem: live.problem };
  }

  #hash(text: string): string {
    return hmacSha256(this.#options.key, `latchkey-config-1|${text}`).toString('hex');
  }
}

/**
 * What a live configuration tells: one line for each reload, and the secret that may be another one.
 * @param rulesChanged before whoever changed them is answered
 */
export function listenerOf(log: Log, secrets: () => Secrets | null, rulesChanged: () => void): LiveListener {
  return {
    hide: (secret) => log.hide(secret),
    reloaded: ({ live, pending, problem }: Reload, isTold: boolean) => {
      if (problem === null) rulesChanged();
      // A change that came through the gateway has its own line.
      if (problem === null && isTold) return;
      if (problem === null) log.info('configuration reloaded', { live, pending });
      else log.warn('configuration not taken up', { what: problem.what, why: problem.why, run: problem.run });
    },
    secretChanged: () => secrets()?.look(),
  };
}

function parsed(raw: string): unknown {
  let value: unknown;
  try {
    value = json5.parse(raw);
  } catch {
    // The parser's words would quote what was sent, and that may be secret.
    throw new WrongParams('raw is not JSON5');
  }
  try {
    syntaxOf(raw);
  } catch (error) {
    if ((error as Error).name !== 'TooDeep') throw error;
    throw new WrongParams(`raw is nested more than ${DEPTH_MAX} levels deep`);
  }
  return value;
}

function isReadable(text: string | null): boolean {
  try {
    if (text !== null) json5.parse(text);
    return true;
  } catch {
    // Whoever sends the whole text mends it.
    return false;
  }
}

function refusalOf(error: unknown): unknown {
  if ((error as Error).name === 'ConfigConflict') {
    return new StaleRevision('configuration');
  }
  if (!isFailure(error)) return error;
  const { what, why, run, exitCode } = error;
  // A full disk, a file that is held or closed to us: nothing is wrong with what was sent.
  if (exitCode === EXIT.later || exitCode === EXIT.permission) return new StoreUnavailable(`${what}: ${why}`, run);
  return new WrongParams(`${what}: ${why}`, 'config_invalid');
}

/** A name for the log. */
function whoOf(principal: Principal): Readonly<Record<string, string>> {
  switch (principal.kind) {
    case 'device':
      return { kind: 'device', device: principal.device };
    case 'token':
      return { kind: 'token', name: principal.name };
    case 'internal':
      return { kind: 'internal', component: principal.component };
    default:
      return { kind: principal.kind };
  }
}
