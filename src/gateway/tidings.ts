import type { Authority, Listener } from '../authority/authority.ts';
import type { Outcome } from '../core/authz/command.ts';
import type { DeviceId, Giver, RequestId } from '../core/authz/principal.ts';
import type { Role } from '../core/authz/scope.ts';
import { blankDevice } from '../core/authz/state.ts';
import type { EventName } from '../core/protocol/event.ts';
import type { StoredChange } from '../store/store.ts';
import { claimed } from '../system/log.ts';
import type { Diary } from './diary.ts';
import { pendingRows } from './method/row.ts';
import type { PublishOptions } from './publish.ts';

/** Where the news of a commit goes. */
export interface Stage {
  readonly authority: Authority;
  readonly diary: Diary;
  now(): number;
  publish(event: EventName, payload: unknown, options: Omit<PublishOptions, 'scope'>): void;
  /** Answers whoever waits for the request. */
  settle(id: RequestId, outcome: Outcome): void;
  /** Ends the sessions of a grant that is gone. */
  end(device: DeviceId, role: Role): void;
}

/** Turns what a commit left to be told into events, answers and ended sessions: before the command's reply (A8, A9). */
export function tidings(stage: Stage): Listener {
  const { authority } = stage;
  return (effect) => {
    if (effect.kind === 'tell.change') return recorded(stage.diary, effect.change);
    const { device, role } = effect;
    const state = authority.peek(device) ?? blankDevice(device, '');
    switch (effect.kind) {
      case 'tell.request.opened': {
        const { request } = effect;
        const row = pendingRows(state, stage.now()).find((p) => p.row.requestId === request.id)?.row;
        // As many as A15 lets be opened.
        stage.diary.info('pairing request', {
          requestId: request.id,
          device,
          role,
          scopes: request.scopes,
          source: request.label.remote,
          client: claimed(request.label.clientId),
        });
        if (row === undefined) return;
        return stage.publish('device.pair.requested', row, {
          only: (s) => authority.sees(s.principal, state, role, request.scopes),
        });
      }
      case 'tell.request.closed': {
        const { request, outcome } = effect;
        const decision = outcome === 'approved' ? 'approved' : 'rejected';
        const payload = { requestId: request.id, deviceId: device, decision, outcome, ts: stage.now() };
        stage.publish('device.pair.resolved', payload, {
          only: (s) => authority.sees(s.principal, state, role, request.scopes),
        });
        return stage.settle(request.id, outcome);
      }
      case 'tell.grant':
        // A widened session needs nothing told: what it holds is computed at each call.
        if (state.roles[role].grant === null) stage.end(device, role);
        return;
    }
  };
}

/** A17: one line for each change; an ask has its own. */
function recorded(diary: Diary, change: StoredChange): void {
  const { id, what, device, role, by, request, scopes } = change;
  if (what === 'ask') return;
  diary.info('access changed', {
    change: id,
    what,
    device,
    ...(role === null ? {} : { role }),
    by: byOf(by),
    ...(request === null ? {} : { requestId: request }),
    scopes: scopes.map((held) => held.scope),
  });
}

/** Who decided, without the hash of a code: by it codes are found. */
export function byOf(by: Giver | null): string {
  if (by === null) return 'time';
  switch (by.kind) {
    case 'device':
      return `device ${by.device}`;
    case 'token':
      return `token ${by.name}`;
    case 'code':
      return `code of ${byOf(by.maker)}`;
    default:
      return by.kind;
  }
}
