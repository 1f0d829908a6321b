import type { Authority, Listener } from '../authority/authority.ts';
import type { Outcome } from '../core/authz/command.ts';
import type { DeviceId, RequestId } from '../core/authz/principal.ts';
import type { Role } from '../core/authz/scope.ts';
import { blankDevice } from '../core/authz/state.ts';
import type { EventName } from '../core/protocol/event.ts';
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
    const { device, role } = effect;
    const state = authority.peek(device) ?? blankDevice(device, '');
    switch (effect.kind) {
      case 'tell.request.opened': {
        const { request } = effect;
        const row = pendingRows(state, stage.now()).find((p) => p.row.requestId === request.id)?.row;
        // A15: one notice a minute for all of them.
        stage.diary.rarely('pairing request', 'pairing request', {
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
