/** Text of src that is broken: `find` stands `file` once and becomes `replace`. */
export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** What goes wrong only when two things happen at once, and the race that has to notice. */
export interface Mutant {
  readonly what: string;
  readonly race: string;
  readonly edits: readonly Edit[];
}

const AUTHORITY = 'src/authority/authority.ts';
const LEDGER = 'src/authority/ledger.ts';
const COMMIT = 'src/authority/commit.ts';
const CONNECTION = 'src/gateway/connection.ts';

const mutant = (what: string, race: string, ...edits: readonly (readonly [string, string, string])[]): Mutant => ({
  what,
  race,
  edits: edits.map(([file, find, replace]) => ({ file, find, replace })),
});

export const MUTANTS: readonly Mutant[] = [
  mutant('A7 a decider is judged by what it held before the commit', 'approve‖revoke of the approver', [
    AUTHORITY,
    "const self = principal.kind === 'device' ? this.#ledger.load(draft, principal.device) : null;",
    "const self = principal.kind === 'device' ? this.#ledger.peek(principal.device) : null;",
  ]),
  mutant(
    'A7 a decider is judged by what it held when its call came',
    'approve‖revoke of the approver',
    [
      AUTHORITY,
      "  decide(principal: Principal, input: DecisionInput, device: DeviceId | null, key = ''): Promise<Decided> {",
      `  decide(principal: Principal, called: DecisionInput, device: DeviceId | null, key = ''): Promise<Decided> {
        const input = { ...called, early: this.decider(principal).held } as DecisionInput;`,
    ],
    [
      AUTHORITY,
      'const decider = deciderOf(input.kind, principal, { self, secretScopes: this.#world.secretScopes() }, at);',
      'const decider = { principal, held: (input as any).early ?? deciderOf(input.kind, principal, { self, secretScopes: this.#world.secretScopes() }, at).held };',
    ],
  ),
  mutant('A7 a job does not see what the jobs before it in its commit left', 'rotate‖rotate', [
    LEDGER,
    'return draft.devices.get(device) ?? draft.pending.get(device) ?? this.peek(device);',
    'return draft.devices.get(device) ?? this.peek(device);',
  ]),
  mutant(
    'A7 nor are revisions compared',
    'rotate‖rotate',
    [
      LEDGER,
      'return draft.devices.get(device) ?? draft.pending.get(device) ?? this.peek(device);',
      'return draft.devices.get(device) ?? this.peek(device);',
    ],
    ['src/store/memory/repositories.ts', 'if (have !== expected) throw new StaleRevision(what);', ''],
    ['src/store/memory/repositories.ts', 'if (next <= expected) throw', 'if (next < 0) throw'],
  ),
  mutant('A14 a code is not used up with the pairing', 'redeem‖redeem', [
    LEDGER,
    'return tx.codes.save({ ...code, usedBy: effect.device, revision: code.revision + 1 }, code.revision);',
    'return;',
  ]),
  mutant(
    'A14 a code is looked up before the commit',
    'redeem‖redeem',
    [
      AUTHORITY,
      '    try {\n      return await this.#ledger.commit(async (tx, draft) => {\n',
      `    const { code: id } = input;
        const early = id === null ? null : await this.#world.store.read((tx) => tx.codes.load(id));
        try {
        return await this.#ledger.commit(async (tx, draft) => {\n`,
    ],
    [
      AUTHORITY,
      'const code = input.code === null ? null : await this.#codeFact(tx, draft, input.code);',
      'const code = early === null ? null : { state: early, maker: this.#makerHolds(draft, early.maker) };',
    ],
  ),
  mutant("A14 a code's maker is looked up before the commit", 'redeem‖redeem', [
    AUTHORITY,
    'const self = this.#ledger.load(draft, maker.device);',
    'const self = this.#ledger.peek(maker.device);',
  ]),
  mutant('A17 a change is recorded twice', 'approve‖approve', [
    LEDGER,
    'const id = await tx.changes.add(effect.change);',
    'await tx.changes.add(effect.change);\nconst id = await tx.changes.add(effect.change);',
  ]),
  mutant('A17 a change is recorded for a decision that came too late', 'approve‖reject', [
    LEDGER,
    '    if (trial.state === state) return trial;',
    `    if (trial.state === state) {
      if (trial.reply.kind === 'refused' && trial.reply.refusal.code === 'conflict') {
        await tx.changes.add({ what: 'reject', device, role: null, by: null, at: 0, seq: await tx.nextSeq(), request: null, scopes: [] });
      }
      return trial;
    }`,
  ]),
  mutant('A5 the loser is told of success', 'approve‖reject', [
    'src/gateway/method/handler.ts',
    "if (decided.reply.kind === 'refused') throw",
    "if (decided.reply.kind === 'refused' && decided.reply.refusal.code !== 'conflict') throw",
  ]),
  mutant('A5 the loser is not told what became of it', 'approve‖approve', [
    AUTHORITY,
    "const past = named === null && 'id' in input ? await tx.devices.past(input.id) : null;",
    'const past = null;',
  ]),
  mutant('A5 the outcome is looked up before the commit', 'approve‖approve', [
    AUTHORITY,
    "const past = named === null && 'id' in input ? await tx.devices.past(input.id) : null;",
    "const past = named === null && 'id' in input && this.#ledger.devices().every((d) => Object.values(d.roles).every((r) => r.request?.id !== input.id)) ? await tx.devices.past(input.id) : null;",
  ]),
  mutant('A8 A9 the reply comes before what is told', 'two admins and a device', [
    LEDGER,
    'for (const tidings of draft.told) for (const listener of this.#listeners) listener(tidings);',
    'setImmediate(() => { for (const tidings of draft.told) for (const listener of this.#listeners) listener(tidings); });',
  ]),
  mutant('A8 what is told is told before it is stored', 'approve‖reject', [
    LEDGER,
    '    draft.told.push(effect);\n',
    '    for (const listener of this.#listeners) listener(effect);\n',
  ]),
  mutant('A7 a commit is not seen before the next begins', 'rotate‖rotate', [
    COMMIT,
    '    this.#publish(pending);\n',
    '    setImmediate(() => this.#publish(pending));\n',
  ]),
  mutant('A8 a socket waits at what was over before it could hear of it', 'ensure‖connect', [
    CONNECTION,
    'this.#unlessOver(verdict, facts.role);',
    '',
  ]),
  mutant('A1 a hello is put together of two moments', 'ensure‖approve', [
    'src/gateway/welcome.ts',
    'const held = reply?.held ?? authority.reportedTo(session.principal);',
    'const held = authority.reportedTo(session.principal);',
  ]),
  mutant(
    'A9 what a removed device was is read before the commit',
    'remove‖reconnect',
    [
      AUTHORITY,
      "  decide(principal: Principal, input: DecisionInput, device: DeviceId | null, key = ''): Promise<Decided> {\n    return this.#ledger.commit(",
      `  async decide(principal: Principal, input: DecisionInput, device: DeviceId | null, key = ''): Promise<Decided> {
       const before = blankOr(this.#ledger.peek(device ?? NOBODY));
       return { ...(await this.#decide(principal, input, device, key)), before };
     }

     #decide(principal: Principal, input: DecisionInput, device: DeviceId | null, key: string): Promise<Decided> {
    return this.#ledger.commit(`,
    ],
    [
      AUTHORITY,
      "const NOBODY = '' as DeviceId;",
      "const NOBODY = '' as DeviceId;\nconst blankOr = (state: DeviceState | null): DeviceState => state ?? blankDevice(NOBODY, '');",
    ],
  ),
  mutant('A9 a revoked device keeps its sessions', 'rotate‖revoke', [
    'src/gateway/tidings.ts',
    'if (state.roles[role].grant === null) stage.end(device, role);',
    '',
  ]),
  mutant('A7 the same call again is run again while the first still runs', 'approve‖approve', [
    'src/gateway/idempotency.ts',
    '    this.#answers.set(name, answer);\n',
    '    void answer.then(() => this.#answers.set(name, answer));\n',
  ]),
];
