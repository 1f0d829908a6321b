import type { Change, Outcome } from '../../core/authz/command.ts';
import type { ErrorCode } from '../../core/protocol/error.ts';

/** A clause of src/core/authz/README.md, and what it says in one plain sentence. */
export interface Rule {
  readonly clause: string;
  readonly text: string;
}

const rule = (clause: string, text: string): Rule => ({ clause, text });
const FRAME = rule('A16', 'What is no well-formed message is turned away before anything is decided.');
const KEY = rule(
  'A3',
  'A key that is brought must be proven whole; a proof that is wrong is never taken for a weaker one.',
);
const STATE = rule('A16', 'The gateway could not take it just then; nothing was decided about access.');

/** By which clause each code is answered. A code without a row does not compile. */
export const REFUSED: Readonly<Record<ErrorCode, Rule>> = {
  origin: rule(
    'A4.4',
    'A page whose Origin is not on the list gets nothing and asks nothing, whatever proof it brings.',
  ),
  secret_mismatch: rule(
    'A13.5',
    'A wrong shared secret opens nothing, and beside it a key without a grant asks nothing.',
  ),
  identity_required: rule(
    'A13.6',
    'Without a device key only the right shared secret on a direct socket opens a session, for operators alone.',
  ),
  pairing_required: rule('A8.2', 'A key without a grant asks, and is let in once a person approved what it asked.'),
  rejected: rule('A5.6', 'A person said no: for 24 hours it is not asked again, and can still be approved.'),
  ask_closed: rule('A15.1', 'This gateway takes no requests of keys without a grant (gateway.pairing.ask).'),
  ask_needs_secret: rule(
    'A15.1',
    'A key without a grant asks only beside the shared secret here (gateway.pairing.ask).',
  ),
  ask_full: rule('A15.2', 'Open requests of keys without a grant are bounded, by where they come from and in all.'),
  not_found: rule('A7.8', 'There is no such row, or none that the caller could decide about: both are answered alike.'),
  conflict: rule('A5.3', 'What is no longer listed never acts: something else was decided before.'),
  missing_scope: rule(
    'A1.1',
    'A session does what its own ask and the grant behind it both cover, judged at each call.',
  ),
  beyond_decider: rule('A7.3', 'Nobody gives, refuses or takes away what they do not hold themselves.'),
  beyond_request: rule('A7.2', 'An approval gives no more than was asked, and only scopes that exist.'),
  beyond_grant: rule('A9.1', 'Narrowing leaves part of what is held; it adds nothing.'),
  role: rule('A1.7', 'There are operators and nodes, and nothing crosses from one to the other.'),
  device_id: KEY,
  public_key: KEY,
  nonce_required: KEY,
  nonce_mismatch: KEY,
  signature: KEY,
  gateway_key: rule('A18', 'A signature made for another gateway, or for another name of it, opens nothing here.'),
  owner_proof: rule('A11', 'The owner proof holds for one start of the gateway and one direct socket.'),
  secret_unavailable: rule(
    'A13',
    'A shared secret that cannot be read opens nothing for anybody; granted keys need none.',
  ),
  not_json: FRAME,
  handshake_timeout: FRAME,
  frame_invalid: FRAME,
  too_large: FRAME,
  not_connect: FRAME,
  connect_params: FRAME,
  protocol_mismatch: rule('A16', 'The two sides speak no protocol in common.'),
  spoke_while_waiting: rule('A8', 'A socket that waits for approval may send nothing until it is answered.'),
  ask_elsewhere: rule('A8', 'Of one device and role only the newest socket waits.'),
  ask_superseded: rule('A5.2', 'A larger ask of the same device takes the place of the one before, under a new id.'),
  ask_expired: rule('A20.4', 'A request that nobody decided in time is over.'),
  ask_replaced: rule('A15.6', 'A newer ask from the same place took the room of one at which nobody waited.'),
  ask_ended: rule('A9.2', 'With the device all that it asked was ended.'),
  already_connected: FRAME,
  call_frame: FRAME,
  id_in_use: FRAME,
  unknown_method: rule('A16', 'A method that is not built is unknown to everybody, whatever they hold.'),
  wrong_role: rule('A1.7', 'A method speaks to its own role, and to a device only while it has a grant for it.'),
  component: rule('A12.1', 'A part of the gateway calls only what stands in its table.'),
  params_invalid: FRAME,
  config_beyond: rule(
    'A7',
    'Nobody gives for longer than they hold: keys that let people in, or reach into the host, are not for every admin.',
  ),
  secret_named: rule('A13.1', 'A shared secret that the configuration names is changed there, and nowhere else.'),
  config_invalid: rule('A16', 'A configuration that could not be run is not written; the one in force stays.'),
  unavailable: rule('A17.1', 'What cannot be recorded is not decided: nothing was changed.'),
  internal: STATE,
  busy: STATE,
  answer_too_large: STATE,
  unknown_agent: STATE,
  agent_exists: STATE,
  agent_reserved: STATE,
  session_key: STATE,
  session_unknown: STATE,
  run_unknown: STATE,
  run_conflict: STATE,
  lane_full: STATE,
  too_many_sessions: STATE,
  bad_attachment: STATE,
  unknown_model: STATE,
  unknown_thinking: STATE,
  probed_often: STATE,
  message_too_large: STATE,
  run_stopping: STATE,
  gateway_needed: STATE,
  command_invalid: STATE,
  no_channel: STATE,
  starting: STATE,
  stopping: STATE,
  flood: rule('A16', 'A session that goes on calling what it may not is closed; its grant is untouched.'),
  slow_consumer: STATE,
  grant_ended: rule('A9.2', 'The grant behind the session was ended, and the session with it.'),
  secret_rotated: rule('A13', 'The shared secret was made anew, and what the old one had opened is closed.'),
};

/** By which clause each change was made. */
export const CHANGED: Readonly<Record<Change['what'], Rule>> = {
  approve: rule('A7.2', 'A decider who holds all that was asked gave it, or part of it.'),
  reject: rule('A5.6', 'A decider who holds all that was asked said no: for 24 hours it is not asked again.'),
  narrow: rule('A9.1', 'The grant was left with exactly these scopes, and its sessions were told at once.'),
  rotate: rule('A10.1', 'The device token was made a new one; grant and sessions stayed.'),
  revoke: rule('A9.2', 'The grant in this role was ended, with all that was asked in it, and its sessions closed.'),
  remove: rule('A9.4', 'The device was ended in every role; only an explicit decision brings it back.'),
  ensure: rule('A7.10', 'The owner or a permanent admin declared exactly what the key holds, without a request.'),
  rename: rule('A7.15', 'A device with a grant was given the name under which people see it.'),
  pair: rule('A13.1', 'The right shared secret on a direct socket paired a key about which nobody had decided.'),
  redeem: rule('A14.3', 'A setup code gave exactly its scopes, in its role only.'),
  expire: rule('A20.1', 'A scope given until an instant was over at that instant.'),
  ask: rule('A5', 'What a device asks beyond its grant is one open request for each role.'),
};

/** What let a connection in. */
export const ADMITTED = {
  grant: rule('A4.1', 'A key with a grant for its role connects, whatever else it brings.'),
  pairing: rule('A13.1', 'The right shared secret on a direct socket pairs a key about which nobody decided, once.'),
  code: rule('A14.6', 'A setup code that counts is used before grant and secret are looked at.'),
  secret: rule('A13.6', 'Without a key the right shared secret on a direct socket opens an operator session.'),
  owner: rule('A11.1', 'Whoever can open the owner socket is the owner, and holds every operator scope.'),
  waiting: rule('A8.2', 'A client that says that it can wait is kept on its socket until somebody decides.'),
} as const satisfies Readonly<Record<string, Rule>>;

/** What else shaped the answer to a connect. */
export const BESIDE = {
  missing: rule('A4.3', 'What was asked and is not held is named, and asked of a person unless one said no to it.'),
  rejected: rule('A5.5', 'A person said no to all of what is missing, so it is not asked again for a day.'),
  ignored: rule('A4.2', 'A wrong or stale credential beside a proven key counts as absent, and is named.'),
  unknown: rule('A1.5', 'Names that no scope has are reported and not kept.'),
  notStored: rule('A4.1', 'A granted key connects on a full disk too; what it would have asked is left out.'),
} as const satisfies Readonly<Record<string, Rule>>;

/** How a request stands, or how it ended. */
export const REQUESTED: Readonly<Record<Outcome | 'open' | 'listed', Rule>> = {
  open: rule('A5', 'It is open: it waits for somebody who holds all that is asked.'),
  listed: rule('A5.6', 'It was rejected, stays listed for 24 hours, and can be approved until then.'),
  approved: rule('A5.4', 'All that it wanted was given, by approving it or otherwise.'),
  rejected: rule('A5.6', 'A person said no to it; the no is listed under an id of its own.'),
  superseded: rule('A5.2', 'Another id took its place: a larger ask, or a further decision.'),
  expired: rule('A20.4', 'Its time ran out before anybody decided.'),
  replaced: rule('A15.6', 'A newer ask from the same place took its room.'),
  ended: rule('A9.2', 'It was ended with the device.'),
};

/** How a device stands. */
export const STANDING = {
  paired: rule('A4.1', 'It has a grant: with its key it connects, whatever else it brings.'),
  asking: rule('A8.2', 'It has no grant; what it asks is open, and it is let in once a person approved.'),
  rejected: rule('A5.6', 'It has no grant, and a person said no: for 24 hours it is not asked again.'),
  gone: rule('A9.3', 'Its grant was ended; approving what it asks, ensuring it, or a new setup code brings it back.'),
  unknown: rule('A5.9', 'It has no grant and asks nothing now; its next connect asks.'),
} as const satisfies Readonly<Record<string, Rule>>;

/** Every row there is, for the test that compares them with the README of core/authz. */
export const RULES: readonly Rule[] = [REFUSED, CHANGED, ADMITTED, BESIDE, REQUESTED, STANDING].flatMap((table) =>
  Object.values<Rule>(table),
);
